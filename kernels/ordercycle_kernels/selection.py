"""Counting values by their digits, so that values of given ranks are found without sorting.

Values are keys, integers that order like them. A key's place is its distance from the least key,
unsigned: a number of 32, 64 or 128 bits, of which each round counts one digit of the places whose
bits above it are known. Counts add up, whoever counted which rows.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import Bools, Int64s, Int64Table, Items, UInt64s

DIGIT_BITS = 16
DIGITS = 2**DIGIT_BITS
DIGIT_SHIFT = np.uint64(DIGIT_BITS)
DIGIT_MASK = np.uint64(DIGITS - 1)
HIGH_BIT = np.uint64(2**63)
WORD_BITS = 64

#: Low bits of a prefix by which most rows without one are distinguished by one table.
MARKS = 4096
MARK_MASK = np.uint64(MARKS - 1)

# n = rows, p = prefixes


def _count_small(values: Items, kept: Bools, out_counts: Int64Table) -> None:
    """Count whole numbers that are small by themselves, the others by their side.

    values, kept (whether a row counts): (n,); out_counts: (1, DIGITS), added to: negative ones,
    then 0 to DIGITS - 3, then larger ones.
    """
    for row in range(values.size):
        if kept[row]:
            place = min(max(np.int64(values[row]), np.int64(-1)), np.int64(DIGITS - 2)) + 1
            out_counts[0, place] += 1


count_small = {
    items: kernel(_count_small, items=items, name=f"count_small_{items}")
    for items in ("int32", "int64")
}


@kernel
def count_digits(
    keys: Int64s, kept: Bools, lowest: int, shift: int, prefixes: UInt64s, out_counts: Int64Table
) -> None:
    """Count one digit of the places that begin with a prefix.

    keys, kept (whether a row counts): (n,); shift: bits below the digit; prefixes: (p,),
    ascending, the bits above it; out_counts: (p, DIGITS), added to.
    """
    down = np.uint64(shift)
    marked = np.zeros(MARKS, np.bool_)
    for prefix in range(prefixes.size):
        marked[prefixes[prefix] & MARK_MASK] = True
    for row in range(keys.size):
        if not kept[row]:
            continue
        top = np.uint64(keys[row] - np.int64(lowest)) >> down
        above = top >> DIGIT_SHIFT
        if not marked[above & MARK_MASK]:
            continue
        slot = 0
        for prefix in range(prefixes.size):
            slot += prefixes[prefix] < above
        if slot < prefixes.size and prefixes[slot] == above:
            out_counts[slot, top & DIGIT_MASK] += 1


@kernel
def count_digits_wide(
    words: UInt64s,
    kept: Bools,
    shift: int,
    prefix_lows: UInt64s,
    prefix_highs: UInt64s,
    out_counts: Int64Table,
) -> None:
    """Count one digit of places of 128 bits that begin with a prefix.

    words: (2 * n,), low and high word of each value; kept: (n,); shift: bits below the digit;
    prefix_lows, prefix_highs: (p,), ascending, the bits above it; out_counts: (p, DIGITS), added
    to.
    """
    marked = np.zeros(MARKS, np.bool_)
    for prefix in range(prefix_lows.size):
        marked[prefix_lows[prefix] & MARK_MASK] = True
    for row in range(kept.size):
        if not kept[row]:
            continue
        low = words[2 * row]
        high = words[2 * row + 1] ^ HIGH_BIT
        # Digits do not straddle the words.
        if shift >= WORD_BITS:
            top = high >> np.uint64(shift - WORD_BITS)
            above_low, above_high = top >> DIGIT_SHIFT, np.uint64(0)
        else:
            top = low >> np.uint64(shift)
            below = np.uint64(shift + DIGIT_BITS)
            if below == WORD_BITS:
                above_low, above_high = high, np.uint64(0)
            else:
                above_low = (low >> below) | (high << (np.uint64(WORD_BITS) - below))
                above_high = high >> below
        if not marked[above_low & MARK_MASK]:
            continue
        slot = 0
        for prefix in range(prefix_lows.size):
            slot += prefix_highs[prefix] < above_high or (
                prefix_highs[prefix] == above_high and prefix_lows[prefix] < above_low
            )
        if (
            slot < prefix_lows.size
            and prefix_highs[slot] == above_high
            and prefix_lows[slot] == above_low
        ):
            out_counts[slot, top & DIGIT_MASK] += 1
