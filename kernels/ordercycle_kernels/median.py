"""The middle of a customer's gaps, without branches that a processor guesses wrong."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper
from ordercycle_kernels._types import Int32Out, Int64Out

#: Up to this many gaps are sorted by a fixed network of comparisons, in registers: with eleven
#: gaps a customer that took 25 ns, ranking them against each other 48, insertion sort 80.
NARROW = 16
#: Up to this many gaps are ranked against each other; more are counted by size.
WIDE = 256
PAST_ANY_GAP = np.int32(2**22)
#: Gaps are below 2**18 days; they are counted by their high, then by their low half.
HALF_BITS = 9
HALF = 512

# n = gaps of one customer. A kernel calls one of the two functions itself: behind a third that
# chooses between them, the narrow one compiled to code half as fast.


@helper
def narrow_middle_sum(gaps: Int32Out, n: int) -> np.int64:
    """Return the sum of the two middle gaps, the middle one twice where n is odd.

    gaps: 1 <= n <= NARROW of them, with room for NARROW; they are sorted.
    """
    for position in range(n, NARROW):
        gaps[position] = PAST_ANY_GAP
    sort_sixteen(gaps)
    return np.int64(gaps[(n - 1) // 2]) + np.int64(gaps[n // 2])


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


@helper
def sort_sixteen(gaps: Int32Out) -> None:
    """Sort the first sixteen gaps by Batcher's odd-even merge network (Batcher 1968).

    Written out, so that all sixteen stay in registers; a test feeds it every pattern of zeros
    and ones, which proves a network for all inputs.
    """
    g0 = gaps[0]
    g1 = gaps[1]
    g2 = gaps[2]
    g3 = gaps[3]
    g4 = gaps[4]
    g5 = gaps[5]
    g6 = gaps[6]
    g7 = gaps[7]
    g8 = gaps[8]
    g9 = gaps[9]
    g10 = gaps[10]
    g11 = gaps[11]
    g12 = gaps[12]
    g13 = gaps[13]
    g14 = gaps[14]
    g15 = gaps[15]
    g0, g1 = min(g0, g1), max(g0, g1)
    g2, g3 = min(g2, g3), max(g2, g3)
    g4, g5 = min(g4, g5), max(g4, g5)
    g6, g7 = min(g6, g7), max(g6, g7)
    g8, g9 = min(g8, g9), max(g8, g9)
    g10, g11 = min(g10, g11), max(g10, g11)
    g12, g13 = min(g12, g13), max(g12, g13)
    g14, g15 = min(g14, g15), max(g14, g15)
    g0, g2 = min(g0, g2), max(g0, g2)
    g1, g3 = min(g1, g3), max(g1, g3)
    g4, g6 = min(g4, g6), max(g4, g6)
    g5, g7 = min(g5, g7), max(g5, g7)
    g8, g10 = min(g8, g10), max(g8, g10)
    g9, g11 = min(g9, g11), max(g9, g11)
    g12, g14 = min(g12, g14), max(g12, g14)
    g13, g15 = min(g13, g15), max(g13, g15)
    g1, g2 = min(g1, g2), max(g1, g2)
    g5, g6 = min(g5, g6), max(g5, g6)
    g9, g10 = min(g9, g10), max(g9, g10)
    g13, g14 = min(g13, g14), max(g13, g14)
    g0, g4 = min(g0, g4), max(g0, g4)
    g1, g5 = min(g1, g5), max(g1, g5)
    g2, g6 = min(g2, g6), max(g2, g6)
    g3, g7 = min(g3, g7), max(g3, g7)
    g8, g12 = min(g8, g12), max(g8, g12)
    g9, g13 = min(g9, g13), max(g9, g13)
    g10, g14 = min(g10, g14), max(g10, g14)
    g11, g15 = min(g11, g15), max(g11, g15)
    g2, g4 = min(g2, g4), max(g2, g4)
    g3, g5 = min(g3, g5), max(g3, g5)
    g10, g12 = min(g10, g12), max(g10, g12)
    g11, g13 = min(g11, g13), max(g11, g13)
    g1, g2 = min(g1, g2), max(g1, g2)
    g3, g4 = min(g3, g4), max(g3, g4)
    g5, g6 = min(g5, g6), max(g5, g6)
    g9, g10 = min(g9, g10), max(g9, g10)
    g11, g12 = min(g11, g12), max(g11, g12)
    g13, g14 = min(g13, g14), max(g13, g14)
    g0, g8 = min(g0, g8), max(g0, g8)
    g1, g9 = min(g1, g9), max(g1, g9)
    g2, g10 = min(g2, g10), max(g2, g10)
    g3, g11 = min(g3, g11), max(g3, g11)
    g4, g12 = min(g4, g12), max(g4, g12)
    g5, g13 = min(g5, g13), max(g5, g13)
    g6, g14 = min(g6, g14), max(g6, g14)
    g7, g15 = min(g7, g15), max(g7, g15)
    g4, g8 = min(g4, g8), max(g4, g8)
    g5, g9 = min(g5, g9), max(g5, g9)
    g6, g10 = min(g6, g10), max(g6, g10)
    g7, g11 = min(g7, g11), max(g7, g11)
    g2, g4 = min(g2, g4), max(g2, g4)
    g3, g5 = min(g3, g5), max(g3, g5)
    g6, g8 = min(g6, g8), max(g6, g8)
    g7, g9 = min(g7, g9), max(g7, g9)
    g10, g12 = min(g10, g12), max(g10, g12)
    g11, g13 = min(g11, g13), max(g11, g13)
    g1, g2 = min(g1, g2), max(g1, g2)
    g3, g4 = min(g3, g4), max(g3, g4)
    g5, g6 = min(g5, g6), max(g5, g6)
    g7, g8 = min(g7, g8), max(g7, g8)
    g9, g10 = min(g9, g10), max(g9, g10)
    g11, g12 = min(g11, g12), max(g11, g12)
    g13, g14 = min(g13, g14), max(g13, g14)
    gaps[0] = g0
    gaps[1] = g1
    gaps[2] = g2
    gaps[3] = g3
    gaps[4] = g4
    gaps[5] = g5
    gaps[6] = g6
    gaps[7] = g7
    gaps[8] = g8
    gaps[9] = g9
    gaps[10] = g10
    gaps[11] = g11
    gaps[12] = g12
    gaps[13] = g13
    gaps[14] = g14
    gaps[15] = g15
