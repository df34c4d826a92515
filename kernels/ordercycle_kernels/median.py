"""The middle of a customer's gaps, without branches that a processor guesses wrong."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper
from ordercycle_kernels._types import Int32Out, Int64Out

#: Up to this many gaps are ranked in fixed-width loops, which compile to vector instructions:
#: with eleven gaps a customer that took 40 ns, sorting by insertion 80.
NARROW = 16
#: Up to this many gaps are ranked against each other; more are counted by size.
WIDE = 256
PAST_ANY_GAP = np.int32(2**22)
#: Gaps are below 2**18 days; they are counted by their high, then by their low half.
HALF_BITS = 9
HALF = 512

# n = gaps of one customer. Keys are a gap, then its position: distinct, so that the ranks are.
# A kernel calls one of the two functions itself: behind a third that chooses between them, the
# narrow one compiled to code half as fast.


@helper
def narrow_middle_sum(gaps: Int32Out, n: int, keys: Int32Out, ranked: Int32Out) -> np.int64:
    """Return the sum of the two middle gaps, the middle one twice where n is odd.

    gaps: 1 <= n <= NARROW of them, with room for NARROW; keys, ranked: scratch, (NARROW,).
    """
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


@helper
def middle_sum(
    gaps: Int32Out, n: int, keys: Int32Out, ranked: Int32Out, histogram: Int64Out
) -> np.int64:
    """Return the sum of the two middle gaps, the middle one twice where n is odd.

    gaps: n > NARROW of them; keys, ranked: scratch, (WIDE,); histogram: scratch, (HALF,).
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
