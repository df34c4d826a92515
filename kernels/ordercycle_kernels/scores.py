"""Scores from cuts, and names from scores."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import Bools, Int8Out, Int8s, Int64s, Items, UInt64s

NO_SCORE = np.int8(-1)

# n = customers, k = cuts


def _count_below(values: Items, cuts: Items, out_below: Int8Out) -> None:
    """Count the cuts strictly below each value: values, out_below: (n,); cuts: (k,)."""
    out_below[:] = 0
    # Cut by cut, so that the inner loop takes many rows in one instruction.
    for cut in range(cuts.size):
        for row in range(values.size):
            out_below[row] += cuts[cut] < values[row]


count_below = {
    items: kernel(_count_below, items=items, name=f"count_below_{items}")
    for items in ("int32", "int64", "float64")
}


@kernel
def count_below_wide(
    lows: UInt64s, highs: Int64s, cut_lows: UInt64s, cut_highs: Int64s, out_below: Int8Out
) -> None:
    """Count the cuts strictly below each value of two words.

    lows, highs: (2 * n,), the words of the values one after the other, seen as either type, of
    which one takes every other; cut_lows, cut_highs: (k,); out_below: (n,).
    """
    out_below[:] = 0
    for cut in range(cut_lows.size):
        for row in range(out_below.size):
            low, high = lows[2 * row], highs[2 * row + 1]
            out_below[row] += cut_highs[cut] < high or (
                cut_highs[cut] == high and cut_lows[cut] < low
            )


@kernel
def rfm_codes(
    kept: Bools,
    bins: int,
    code_of_scores: Int8s,
    out_recency: Int8Out,
    out_frequency: Int8Out,
    out_monetary: Int8Out,
    out_codes: Int8Out,
) -> None:
    """Make scores of the numbers of cuts below, recency reversed, and codes of the scores.

    kept: (n,), whether a customer has scores; code_of_scores: (bins**3,), monetary fastest;
    out_recency, out_frequency, out_monetary: (n,), the numbers of cuts below on entry; out_codes:
    (n,). All -1 without scores.
    """
    for row in range(kept.size):
        if not kept[row]:
            out_recency[row] = out_frequency[row] = out_monetary[row] = NO_SCORE
            out_codes[row] = NO_SCORE
            continue
        recency = bins - np.int64(out_recency[row])
        frequency = np.int64(out_frequency[row]) + 1
        monetary = np.int64(out_monetary[row]) + 1
        out_codes[row] = code_of_scores[
            ((recency - 1) * bins + frequency - 1) * bins + monetary - 1
        ]
        out_recency[row] = recency
        out_frequency[row] = frequency
        out_monetary[row] = monetary
