"""Amounts as 64-bit keys that order like the amounts.

While rows are grouped, an amount is one integer, so that moving and ordering need no case for
its type. Integers and decimals of up to 18 digits are their own keys. A float64 becomes its bits
with the order of the negative ones reversed; minus zero becomes zero, so that a negative key is a
negative amount.
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
def keys_of_floats(bits: Int64s, out_keys: Int64Out) -> int:
    """Write each float64's key, given its bits, and return how many are NaN or infinite."""
    refused = 0
    for row in range(bits.size):
        word = bits[row]
        refused += (word & EXPONENT) == EXPONENT
        out_keys[row] = swap_negatives(word) if word != MINUS_ZERO else 0
    return refused


@kernel
def floats_of_keys(keys_to_bits: Int64Out) -> None:
    """Turn keys into the bits of their float64, in place."""
    for row in range(keys_to_bits.size):
        keys_to_bits[row] = swap_negatives(keys_to_bits[row])
