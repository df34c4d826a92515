"""The middle of a customer's gaps, without branches that a processor guesses wrong."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper

#: Up to this many gaps are ranked in fixed-width loops, which compile to vector instructions:
#: with eleven gaps a customer that took 39 ns, sorting by insertion 80.
NARROW = 16
#: Up to this many gaps are ranked against each other; more are counted by size.
WIDE = 256
PAST_ANY_GAP = np.int32(2**22)
#: Gaps are below 2**18 days; they are counted by their high, then by their low half.
HALF_BITS = 9
HALF = 512

# n = gaps of one customer; scratch: at least NARROW + n


@helper
def middle_sum(gaps, n, keys, ranked, histogram):
    """Return the sum of the two middle gaps (the middle one twice where n is odd).

    gaps: n >= 1 of them, overwritten, with room for NARROW; keys, ranked: (WIDE,);
    histogram: (HALF,).
    """
    if n == 1:
        return np.int64(2) * np.int64(gaps[0])
    if n == 2:
        return np.int64(gaps[0]) + np.int64(gaps[1])
    if n <= NARROW:
        # Keys are distinct, so that the ranks are: the gap, then its position.
        for position in range(n, NARROW):
            gaps[position] = PAST_ANY_GAP
        for position in range(NARROW):
            keys[position] = np.int32(gaps[position] * NARROW + position)
        for position in range(n):
            key = keys[position]
            rank = np.int32(0)
            for other in range(NARROW):
                rank = np.int32(rank + np.int32(keys[other] < key))
            ranked[rank] = key
        return np.int64(ranked[(n - 1) // 2] // NARROW) + np.int64(ranked[n // 2] // NARROW)
    if n <= WIDE:
        for position in range(n):
            keys[position] = np.int32(gaps[position] * WIDE + position)
        for position in range(n):
            key = keys[position]
            rank = np.int32(0)
            for other in range(n):
                rank = np.int32(rank + np.int32(keys[other] < key))
            ranked[rank] = key
        return np.int64(ranked[(n - 1) // 2] // WIDE) + np.int64(ranked[n // 2] // WIDE)
    return nth_gap(gaps, n, (n - 1) // 2, histogram) + nth_gap(gaps, n, n // 2, histogram)


@helper
def nth_gap(gaps, n, nth, histogram):
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
