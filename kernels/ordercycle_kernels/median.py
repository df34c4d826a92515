"""The middle of a customer's gaps, without branches that a processor guesses wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ordercycle_kernels._jit import helper
from ordercycle_kernels._types import Int32Out, Int32s, Int32Table, Int64Out, Int64Table

#: Up to so many gaps are sorted by a fixed network of comparisons, for many customers at once:
#: with eleven gaps a customer that took 19 ns, 38 one by one in registers, ranking them against
#: each other 48, insertion sort 80. Customers are sorted with those of the same width.
WIDTHS = (16, 32, 64)
WIDEST = WIDTHS[-1]
#: Customers whose gaps are sorted at once.
LANES = 64
#: Up to this many gaps are ranked against each other; more are counted by size.
WIDE = 256
#: Gaps are below 2**18 days; they are counted by their high, then by their low half.
HALF_BITS = 9
HALF = 512


def _merge_exchange(size: int) -> NDArray[np.int64]:
    """Return the comparisons of Batcher's merge exchange sort (Knuth, volume 3, 5.2.2 M)."""
    pairs = []
    top = size // 2
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(size - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return np.array(pairs, np.int64)


#: By width, pairs of places: the lesser of their gaps goes to the first, the greater to the second.
NETWORKS = tuple(_merge_exchange(width) for width in WIDTHS)

# n = gaps of one customer; w = one of WIDTHS


@helper
def fill_lane(days: Int32s, start: int, stop: int, lanes: Int32Table, lane: int) -> None:
    """Put the gaps between days[start:stop], w at most, into a lane: lanes: (w, LANES).

    Gaps of 0 fill it up.
    """
    # So many steps for everyone: where a loop over the gaps ends is guessed wrong.
    last = np.uint64(stop - 1)
    day = days[np.uint64(start)]
    for place in range(lanes.shape[0]):
        next_day = days[min(np.uint64(start + place + 1), last)]
        lanes[np.uint64(place), np.uint64(lane)] = next_day - day
        day = next_day


@helper
def sum_lanes(lanes: Int32Table, out_square_sums: Int64Out, out_positive: Int32Out) -> None:
    """Sum the squares of every lane's gaps, and count those of a day or more.

    lanes: (w, LANES); out_square_sums, out_positive: (LANES,).
    """
    out_square_sums[:] = 0
    out_positive[:] = 0
    for place in range(lanes.shape[0]):
        gaps = lanes[place]
        for lane in range(gaps.size):
            gap = gaps[lane]
            out_square_sums[lane] += np.int64(gap) * np.int64(gap)
            out_positive[lane] += np.int32(gap > 0)


@helper
def sort_lanes(lanes: Int32Table, network: Int64Table) -> None:
    """Sort every lane: lanes: (w, LANES); network: (pairs, 2), that of this width."""
    for pair in range(network.shape[0]):
        lesser, greater = lanes[network[pair, 0]], lanes[network[pair, 1]]
        for lane in range(lesser.size):
            one, other = lesser[lane], greater[lane]
            lesser[lane] = min(one, other)
            greater[lane] = max(one, other)


@helper
def middle_sum(
    gaps: Int32Out, n: int, keys: Int32Out, ranked: Int32Out, histogram: Int64Out
) -> np.int64:
    """Return the sum of the two middle gaps, the middle one twice where n is odd.

    gaps: n > WIDEST of them; keys, ranked: scratch, (WIDE,); histogram: scratch, (HALF,).
    """
    if n > WIDE:
        return nth_gap(gaps, n, (n - 1) // 2, histogram) + nth_gap(gaps, n, n // 2, histogram)
    for position in range(n):
        keys[position] = np.int32(gaps[position] * WIDE + position)
    for position in range(n):
        key = keys[position]
        rank = np.int32(0)
        for other in range(n):
            rank = np.int32(rank + np.int32(keys[other] < key))
        ranked[rank] = key
    return np.int64(ranked[(n - 1) // 2] // WIDE) + np.int64(ranked[n // 2] // WIDE)


@helper
def nth_gap(gaps: Int32Out, n: int, nth: int, histogram: Int64Out) -> np.int64:
    """Return the gap that has `nth` gaps before it in order, by counting."""
    histogram[:] = 0
    for position in range(n):
        histogram[gaps[position] >> HALF_BITS] += 1
    before = np.int64(0)
    high = 0
    while before + histogram[high] <= nth:
        before += histogram[high]
        high += 1
    histogram[:] = 0
    for position in range(n):
        if gaps[position] >> HALF_BITS == high:
            histogram[gaps[position] & (HALF - 1)] += 1
    low = 0
    while before + histogram[low] <= nth:
        before += histogram[low]
        low += 1
    return np.int64(high) * HALF + low
