"""Sums of money without any rounding, which can be added to, subtracted from and merged.

A sum is held in chunks of 32 bits, each in an int64 that has room for the carries of a billion
additions: the small superaccumulator of Radford Neal ("Fast Exact Summation Using Small and Large
Superaccumulators", 2015) with a chunk more per addition and therefore rarer carries. The value is
the sum of chunk[i] * 2**(32 * i), in units of the amounts' last digit, or of 2**-1074 for floats.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Int64Table

#: Room for every finite float64 and 2**31 of them; for 128-bit integers as many times.
FLOAT_CHUNKS, INTEGER_CHUNKS = 68, 5

CHUNK_BITS = np.int64(32)
CHUNK_MASK = np.int64(2**32 - 1)
FRACTION_BITS = np.int64(52)
FRACTION_MASK = np.int64(2**52 - 1)
EXPONENT_MASK = np.int64(0x7FF)
PLACE_BITS, PLACE_MASK = np.int64(5), np.int64(31)


#: What of an amount goes into each of four chunks.
Pieces: TypeAlias = tuple[np.int64, np.int64, np.int64, np.int64]
NOTHING = np.int64(0)


@helper
def pieces_of_float(bits: np.int64) -> tuple[np.int64, Pieces]:
    """Return the first chunk of a finite float64, given its bits, and its pieces."""
    fraction = bits & FRACTION_MASK
    exponent = (bits >> FRACTION_BITS) & EXPONENT_MASK
    if exponent > 0:
        fraction |= FRACTION_MASK + np.int64(1)
        exponent -= np.int64(1)
    shift = exponent & PLACE_MASK
    low = (fraction & CHUNK_MASK) << shift
    rest = (low >> CHUNK_BITS) + ((fraction >> CHUNK_BITS) << shift)
    first, second, third = low & CHUNK_MASK, rest & CHUNK_MASK, rest >> CHUNK_BITS
    if bits < 0:
        first, second, third = -first, -second, -third
    return exponent >> PLACE_BITS, (first, second, third, NOTHING)


@helper
def pieces_of_word(word: np.int64) -> tuple[np.int64, Pieces]:
    """Return the first chunk of a 64-bit integer and its pieces: the uppermost has the sign."""
    return NOTHING, (word & CHUNK_MASK, word >> CHUNK_BITS, NOTHING, NOTHING)


@helper
def pieces_of_words(low: np.int64, high: np.int64) -> tuple[np.int64, Pieces]:
    """Return the first chunk of a 128-bit integer and its pieces: the uppermost has the sign."""
    upper = (low >> CHUNK_BITS) & CHUNK_MASK
    return NOTHING, (low & CHUNK_MASK, upper, high & CHUNK_MASK, high >> CHUNK_BITS)


# s = sums, k = chunks


@kernel
def carry_sums(out_sums: Int64Table) -> None:
    """Bring every chunk but the last into 0 to 2**32 - 1: out_sums: (s, k)."""
    last = out_sums.shape[1] - 1
    for row in range(out_sums.shape[0]):
        for chunk in range(last):
            value = out_sums[row, chunk]
            carried = value >> CHUNK_BITS
            if carried != 0:
                out_sums[row, chunk] = value & CHUNK_MASK
                out_sums[row, chunk + 1] += carried
