"""Quantiles and tails of the distributions that intervals and tests need, without SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

STANDARD = NormalDist()
#: Steps of a continued fraction or series at most, and where its factors are 1.
MOST_STEPS, PRECISION = 200_000, 1e-16
TINY = 1e-300
#: Degrees of freedom from which the expansion of a t quantile is exact to twelve digits.
MANY_DEGREES = 10_000.0


def normal_quantile(alpha: float) -> float:
    """Return what a standard normal exceeds, on either side, with probability alpha."""
    return -STANDARD.inv_cdf(alpha / 2.0)  # 1 - alpha / 2 would be rounded to 1


def normal_p(z: float) -> float:
    """Return the probability of a standard normal that is at least as far from 0."""
    return math.erfc(abs(z) / math.sqrt(2.0))


def t_p(t: float, degrees: float) -> float:
    """Return the probability of Student's t that is at least as far from 0.

    >>> round(t_p(2.0, 10.0), 6)
    0.073388
    """
    square = t * t
    return beta_share(degrees / 2.0, 0.5, degrees / (degrees + square), square / (degrees + square))


def t_quantile(alpha: float, degrees: float) -> float:
    """Return what Student's t exceeds, on either side, with probability alpha.

    >>> round(t_quantile(0.05, 10.0), 6)
    2.228139
    """
    z = normal_quantile(alpha)
    if degrees >= MANY_DEGREES:
        first = (z**3 + z) / 4.0
        second = (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
        third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
        return z + first / degrees + second / degrees**2 + third / degrees**3
    high = 2.0 * z
    while t_p(high, degrees) > alpha:
        high *= 2.0
    return boundary(lambda t: t_p(t, degrees) > alpha, 0.0, high)


def chi_square_p(value: float, degrees: int) -> float:
    """Return the probability of a chi square that is at least as large.

    >>> round(chi_square_p(5.991464547, 2), 9)
    0.05
    """
    shape, x = degrees / 2.0, value / 2.0
    if x <= 0.0:
        return 1.0
    scale = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1.0:
        term = total = 1.0 / shape
        for step in range(1, MOST_STEPS):
            term *= x / (shape + step)
            total += term
            if term < total * PRECISION:
                break
        return 1.0 - scale * total
    below = x + 1.0 - shape
    upper, lower = 1.0 / TINY, 1.0 / below
    fraction = lower
    for step in range(1, MOST_STEPS):
        factor = -step * (step - shape)
        below += 2.0
        lower = 1.0 / _away_from_zero(factor * lower + below)
        upper = _away_from_zero(below + factor / upper)
        fraction *= lower * upper
        if abs(lower * upper - 1.0) < PRECISION:
            break
    return scale * fraction


def beta_share(a: float, b: float, x: float, rest: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b); rest: 1 - x, without rounding."""
    if x <= 0.0 or rest <= 0.0:
        return 0.0 if x <= 0.0 else 1.0
    scale = math.exp(
        math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        + a * math.log(x)
        + b * (math.log1p(-x) if x < rest else math.log(rest))
    )
    if x < (a + 1.0) / (a + b + 2.0):
        return scale * _beta_fraction(a, b, x) / a
    return 1.0 - scale * _beta_fraction(b, a, rest) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method."""
    upper = 1.0
    lower = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    fraction = lower
    for step in range(1, MOST_STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1.0) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1.0))
        for factor in (even, odd):
            lower = 1.0 / _away_from_zero(1.0 + factor * lower)
            upper = _away_from_zero(1.0 + factor / upper)
            fraction *= lower * upper
        if abs(lower * upper - 1.0) < PRECISION:
            break
    return fraction


def _away_from_zero(value: float) -> float:
    return TINY if abs(value) < TINY else value


def boundary(inside: Callable[[float], bool], low: float, high: float) -> float:
    """Return where what holds at `low` ends, before `high`: to the last bit, by halving."""
    while True:
        middle = low + (high - low) / 2.0
        if middle in (low, high):
            return low
        if inside(middle):
            low = middle
        else:
            high = middle
