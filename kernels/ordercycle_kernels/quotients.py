"""Quotients of exact sums, rounded once.

Two sums, each of two floats, are divided in a few instructions, together with a bound of what the
result may be wrong by. Where that leaves two floats to choose from, the middle of the two times the
divisor is compared with the dividend; where that takes more than a few floats, whole numbers are
divided bit by bit.
"""

from __future__ import annotations

import math

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import BoolOut, Float64Out, Float64s, Int64Out, Int64Table
from ordercycle_kernels.exact_sums import CHUNK_BITS, CHUNK_MASK
from ordercycle_kernels.marked_sums import two_sum

#: Splits a float into halves whose products are exact (Dekker).
SPLITTER = 134217729.0
#: Between these, products and their errors are floats of full precision.
SMALL, LARGE = 2.0**-400, 2.0**400
#: More than what roundings make of a remainder, relative to its terms.
ROUNDINGS = 2.0**-48
#: Bits of a quotient that are computed: two at least beyond those of a float.
QUOTIENT_BITS = 55
LOWEST_BIT, FLOAT_BITS, BEYOND = -1074, 53, 1024

# m = quotients, j and k = chunks of numerators and denominators


@helper
def two_product(one: float, other: float) -> tuple[float, float]:
    """Return the rounded product of two floats, and what it was rounded by (Dekker)."""
    product = one * other
    shifted = SPLITTER * one
    high = shifted - (shifted - one)
    low = one - high
    shifted = SPLITTER * other
    other_high = shifted - (shifted - other)
    other_low = other - other_high
    error = low * other_low - (
        ((product - high * other_high) - low * other_high) - high * other_low
    )
    return product, error


@helper
def is_usual(value: float) -> bool:
    """Return whether a float is neither so large nor so small that its products lose digits."""
    return SMALL < abs(value) < LARGE


@helper
def nearer_of(
    low: float, high: float, one: float, one_error: float, other: float, other_error: float
) -> tuple[float, bool]:
    """Return to which of two floats a quotient of sums is rounded, and whether that is known.

    The quotient is near the middle of the two, of which one is rounded to. Where they are
    neighbours and the divisor is a float, what the dividend has beyond the middle's product is a
    sum of four floats, mostly of two.
    """
    middle = low + (high - low) * 0.5
    if other_error != 0.0 or low < middle < high:
        return low, False
    product, error = two_product(low, other)
    half, half_lost = two_sum(one - product, -((high - low) * 0.5 * other))
    rest, rest_lost = two_sum(one_error, -error)
    beyond = half + rest
    if half_lost != 0.0 or rest_lost != 0.0 or not is_usual(low):
        return low, False
    if beyond == 0.0:  # the even one is where the middle was rounded to
        return middle, True
    return (high if (beyond > 0.0) == (other > 0.0) else low), True


@kernel
def multiply_exactly(
    values: Float64s, factor: float, out_products: Float64Out, out_errors: Float64Out
) -> None:
    """Multiply whole numbers below 2**53 with one of at most 10**22.

    values, out_products, out_errors: (m,): a product and its error are exact together.
    """
    for row in range(values.size):
        out_products[row], out_errors[row] = two_product(values[row], factor)


@kernel
def divide_sums(
    numerators: Float64s,
    numerator_errors: Float64s,
    denominators: Float64s,
    denominator_errors: Float64s,
    out_quotients: Float64Out,
    out_uncertain: BoolOut,
) -> None:
    """Divide sums by sums, each the exact sum of two floats; a quotient by 0 is 0.

    numerators, numerator_errors, denominators, denominator_errors, out_quotients: (m,);
    out_uncertain (true at first where a sum is not exact, and afterwards where the quotient is not
    known to be the nearest float): (m,).
    """
    for row in range(numerators.size):
        one, one_error = numerators[row], numerator_errors[row]
        other, other_error = denominators[row], denominator_errors[row]
        out_quotients[row] = 0.0
        if out_uncertain[row] or other == 0.0 or one == 0.0:
            # A sum is 0 where its first float is: the second is what the first was rounded by.
            continue
        quotient = one / other
        if other_error == 0.0 and is_usual(quotient) and math.frexp(abs(other))[0] == 0.5:
            # Halves of sums that no float holds are often as near to one float as to another.
            out_quotients[row] = quotient
            continue
        if not (is_usual(one) and is_usual(other) and is_usual(quotient)):
            out_uncertain[row] = True
            continue
        product, error = two_product(quotient, other)
        rest = (one - product) - error
        owed = quotient * other_error
        share = (rest + one_error - owed) / other
        bound = ((abs(rest) + abs(one_error) + abs(owed)) / abs(other)) * ROUNDINGS
        low, high = quotient + (share - bound), quotient + (share + bound)
        out_quotients[row] = low
        if low != high:
            nearest, is_known = nearer_of(low, high, one, one_error, other, other_error)
            out_quotients[row] = nearest
            out_uncertain[row] = not is_known


@helper
def make_positive(row: int, numbers: Int64Table) -> bool:
    """Negate a carried number of chunks that is negative; return whether it was."""
    last = numbers.shape[1] - 1
    if numbers[row, last] >= 0:
        return False
    carried = np.int64(0)
    for chunk in range(last + 1):
        value = carried - numbers[row, chunk]
        carried = value >> CHUNK_BITS
        numbers[row, chunk] = value if chunk == last else value & CHUNK_MASK
    return True


@helper
def bit_length(row: int, numbers: Int64Table) -> int:
    """Return the bits of a number of chunks that is not negative."""
    for chunk in range(numbers.shape[1] - 1, -1, -1):
        value = numbers[row, chunk]
        if value > 0:
            bits = 0
            while value > 0:
                value >>= 1
                bits += 1
            return 32 * chunk + bits
    return 0


@helper
def first_chunk(row: int, numbers: Int64Table) -> int:
    """Return the first chunk of a number that is not 0, or 0."""
    for chunk in range(numbers.shape[1]):
        if numbers[row, chunk] != 0:
            return chunk
    return 0


@helper
def rounded(quotient: int, bits: int, exponent: int, has_rest: bool) -> float:
    """Return the float nearest to (quotient + rest) * 2**exponent, of two the even one.

    quotient: of `bits` bits, more than two beyond those of a float.
    """
    dropped = max(bits - FLOAT_BITS, LOWEST_BIT - exponent)
    if dropped > bits + 1:
        return 0.0
    half = np.int64(1) << np.int64(dropped - 1)
    rest = quotient & (2 * half - 1)
    kept = quotient >> np.int64(dropped)
    kept += rest > half or (rest == half and (has_rest or (kept & 1) == 1))
    if bits + exponent > BEYOND:
        return np.inf
    if bits + exponent == BEYOND and kept == np.int64(1) << FLOAT_BITS:
        return np.inf
    return math.ldexp(np.float64(kept), int(exponent + dropped))


@kernel
def round_quotients(
    numerators: Int64Table,
    denominators: Int64Table,
    exponent: int,
    remainder: Int64Out,
    out_quotients: Float64Out,
) -> None:
    """Write numerators / denominators * 2**exponent, rounded once, of two floats to the even one.

    numerators: (m, j); denominators (not 0): (m, k): numbers of chunks of 32 bits, carried, which
    lose their signs; remainder (scratch): (k + 1,); out_quotients: (m,).
    """
    for row in range(out_quotients.size):
        is_negative = make_positive(row, numerators) != make_positive(row, denominators)
        length, bits = bit_length(row, numerators), bit_length(row, denominators)
        out_quotients[row] = 0.0
        if length == 0:
            continue
        # What is divided is cut to, or filled up with zeros to, so many bits.
        zeros = 32 * first_chunk(row, denominators)
        base, size = zeros // 32, (bits - 1) // 32 - zeros // 32 + 1
        remainder[: size + 1] = 0
        quotient, quotient_bits = np.int64(0), 0
        for step in range(bits - zeros + QUOTIENT_BITS):
            place = length - 1 - step
            bit = np.int64(0)
            if place >= 0:
                bit = (numerators[row, place >> 5] >> np.int64(place & 31)) & 1
            for chunk in range(size + 1):
                value = (remainder[chunk] << 1) | bit
                remainder[chunk] = value & CHUNK_MASK
                bit = value >> CHUNK_BITS
            is_enough = remainder[size] > 0
            if not is_enough:
                is_enough = True
                for chunk in range(size - 1, -1, -1):
                    one, other = remainder[chunk], denominators[row, base + chunk]
                    if one != other:
                        is_enough = one > other
                        break
            if is_enough:
                borrowed = np.int64(0)
                for chunk in range(size):
                    value = remainder[chunk] - denominators[row, base + chunk] + borrowed
                    remainder[chunk] = value & CHUNK_MASK
                    borrowed = value >> CHUNK_BITS
                remainder[size] += borrowed
            quotient = (quotient << 1) | np.int64(is_enough)
            quotient_bits += quotient_bits > 0 or is_enough
        has_rest = False
        for chunk in range(size + 1):
            has_rest |= remainder[chunk] != 0
        left = length - (bits - zeros + QUOTIENT_BITS)
        for place in range(left):
            has_rest |= ((numerators[row, place >> 5] >> np.int64(place & 31)) & 1) != 0
        value = rounded(quotient, quotient_bits, left + exponent - zeros, has_rest)
        out_quotients[row] = -value if is_negative else value
