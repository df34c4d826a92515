"""Exponentials and logarithms whose bits depend on no processor and no system library.

Libraries of C round these functions as they please, and NumPy's differ between processors. Here
they are additions, multiplications and divisions in a fixed order, which IEEE 754 rounds the same
everywhere. They have no branches to speak of, so that loops over them become vector instructions.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import inlined, kernel
from ordercycle_kernels._types import Float64Out, Float64s

LOG2_E = 1.4426950408889634
#: ln 2 in two parts: multiples of the first up to 2**11 are exact.
LN2_HIGH, LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
#: Added to a float, it leaves the nearest whole number in the lowest bits.
ROUNDER, ROUNDER_BITS = 6755399441055744.0, np.int64(0x4338000000000000)
#: Beyond these, an exponential is infinite or 0.
LOWEST, HIGHEST = -800.0, 800.0
#: Up to here, e**x - 1 is summed by itself.
SMALL = 0.35
FRACTION_BITS, EXPONENT_BIAS = np.int64(52), np.int64(1023)
ROOT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
SMALLEST_NORMAL, TWO_TO_54 = 2.2250738585072014e-308, 18014398509481984.0

# m = values


@inlined
def power_of_two(exponent: np.int64) -> float:
    """Return 2**exponent, for exponents of normal floats."""
    return np.int64((exponent + EXPONENT_BIAS) << FRACTION_BITS).view(np.float64)


@inlined
def exp_series(rest: float) -> float:
    """Return (e**x - 1 - x) / x**2 for x from -0.35 to 0.35, by its series."""
    total = 1.0 / 87178291200.0
    total = total * rest + 1.0 / 6227020800.0
    total = total * rest + 1.0 / 479001600.0
    total = total * rest + 1.0 / 39916800.0
    total = total * rest + 1.0 / 3628800.0
    total = total * rest + 1.0 / 362880.0
    total = total * rest + 1.0 / 40320.0
    total = total * rest + 1.0 / 5040.0
    total = total * rest + 1.0 / 720.0
    total = total * rest + 1.0 / 120.0
    total = total * rest + 1.0 / 24.0
    total = total * rest + 1.0 / 6.0
    return total * rest + 0.5


@inlined
def exponential(value: float) -> float:
    """Return e**value; 0 or infinity where no float holds it."""
    bounded = min(max(value, LOWEST), HIGHEST)
    shifted = bounded * LOG2_E + ROUNDER
    whole = shifted - ROUNDER
    rest = (bounded - whole * LN2_HIGH) - whole * LN2_LOW
    exponent = np.float64(shifted).view(np.int64) - ROUNDER_BITS
    half = exponent >> np.int64(1)
    result = 1.0 + (rest + rest * rest * exp_series(rest))
    return result * power_of_two(half) * power_of_two(exponent - half)


@inlined
def exponential_less_one(value: float) -> float:
    """Return e**value - 1, with all its digits near 0."""
    small = min(max(value, -SMALL), SMALL)
    near = small + small * small * exp_series(small)
    far = exponential(value) - 1.0
    return near if small == value else far


@inlined
def logarithm(value: float) -> float:
    """Return the natural logarithm of a positive number; minus infinity of 0."""
    is_tiny = value < SMALLEST_NORMAL
    normal = value * TWO_TO_54 if is_tiny else value
    bits = np.float64(normal).view(np.int64)
    exponent = (bits - ROOT_HALF_BITS) >> FRACTION_BITS
    # Between the roots of 1/2 and of 2.
    fraction = np.int64(bits - (exponent << FRACTION_BITS)).view(np.float64)
    whole = np.int64(exponent + ROUNDER_BITS).view(np.float64) - ROUNDER
    whole = whole - 54.0 if is_tiny else whole
    above = fraction - 1.0
    ratio = above / (2.0 + above)
    square = ratio * ratio
    series = 1.0 / 25.0
    series = series * square + 1.0 / 23.0
    series = series * square + 1.0 / 21.0
    series = series * square + 1.0 / 19.0
    series = series * square + 1.0 / 17.0
    series = series * square + 1.0 / 15.0
    series = series * square + 1.0 / 13.0
    series = series * square + 1.0 / 11.0
    series = series * square + 1.0 / 9.0
    series = series * square + 1.0 / 7.0
    series = series * square + 1.0 / 5.0
    series = series * square + 1.0 / 3.0
    double = 2.0 * ratio
    result = whole * LN2_HIGH + (double + (double * square * series + whole * LN2_LOW))
    result = value if value == np.inf else result
    return -np.inf if value == 0.0 else result


@inlined
def logarithm_of_one_plus(value: float) -> float:
    """Return ln(1 + value) for values above -1, with all its digits near 0."""
    total = 1.0 + value
    lost = value - (total - 1.0) if value < 1.0 else 1.0 - (total - value)
    corrected = logarithm(total) + lost / total
    return value if value == np.inf else corrected


@inlined
def positive_part(value: float) -> tuple[float, float, float]:
    """Return ln(1 + e**x), its derivative e**x / (1 + e**x), and the derivative of that."""
    small = exponential(-abs(value))
    share = 1.0 / (1.0 + small)
    total = max(value, 0.0) + logarithm_of_one_plus(small)
    return total, (share if value >= 0.0 else small * share), small * share * share


@kernel
def exponentials(values: Float64s, out: Float64Out) -> None:
    """Write e**x: values, out: (m,)."""
    for place in range(values.size):
        out[place] = exponential(values[place])


@kernel
def exponentials_less_one(values: Float64s, out: Float64Out) -> None:
    """Write e**x - 1: values, out: (m,)."""
    for place in range(values.size):
        out[place] = exponential_less_one(values[place])


@kernel
def logarithms(values: Float64s, out: Float64Out) -> None:
    """Write ln x of numbers that are not negative: values, out: (m,)."""
    for place in range(values.size):
        out[place] = logarithm(values[place])


@kernel
def logarithms_of_one_plus(values: Float64s, out: Float64Out) -> None:
    """Write ln(1 + x) of numbers above -1: values, out: (m,)."""
    for place in range(values.size):
        out[place] = logarithm_of_one_plus(values[place])
