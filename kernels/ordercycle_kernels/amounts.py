"""Amounts as 64-bit words, and as keys that order like the amounts.

While rows are grouped, an amount is one word, so that moving it needs no case for its type: an
integer, an unscaled decimal, or the bits of a float64. Integers are their own keys. A float's key
is its bits with the order of the negative ones reversed.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Int64Out, Int64s

EXPONENT = np.int64(0x7FF0000000000000)
ALL_BUT_SIGN = np.int64(0x7FFFFFFFFFFFFFFF)
MINUS_ZERO = np.int64(-(2**63))
SHIFT_63 = np.int64(63)

# n = amounts


@helper
def swap_negatives(bits: np.int64) -> np.int64:
    """Reverse the order of negative floats' bits; its own inverse."""
    return bits ^ ((bits >> SHIFT_63) & ALL_BUT_SIGN)


@kernel
def check_floats(bits: Int64s, out_counts: Int64Out) -> None:
    """Count what is refused, and what is minus zero, which would pass for a negative word.

    bits: (n,), of float64; out_counts: (2,), NaN and infinities, then minus zeros.
    """
    refused = 0
    minus_zeros = 0
    for row in range(bits.size):
        refused += (bits[row] & EXPONENT) == EXPONENT
        minus_zeros += bits[row] == MINUS_ZERO
    out_counts[0] = refused
    out_counts[1] = minus_zeros


@kernel
def keys_of_floats(bits: Int64s, out_keys: Int64Out) -> None:
    """Write the key of each float64, given its bits: bits, out_keys: (n,)."""
    for row in range(bits.size):
        out_keys[row] = swap_negatives(bits[row])


@kernel
def count_negative(words: Int64s) -> int:
    """Return how many words are negative: words: (n,)."""
    negative = 0
    for row in range(words.size):
        negative += words[row] < 0
    return negative
