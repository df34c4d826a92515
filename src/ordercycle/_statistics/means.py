"""Means of arms from their sums: differences, lifts, and what a covariate takes off their spread.

Sums are exact whole numbers or fractions; what is subtracted from each other is so before it is
rounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import NamedTuple

from ordercycle._statistics.distributions import t_p, t_quantile
from ordercycle._statistics.rates import Interval


@dataclass(frozen=True)
class Moments:
    """Sums over n customers of their value y and covariate x, and of their products."""

    n: int = 0
    y: Fraction = Fraction(0)
    yy: Fraction = Fraction(0)
    x: Fraction = Fraction(0)
    xx: Fraction = Fraction(0)
    xy: Fraction = Fraction(0)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )

    def spread(self, products: str, one: str, other: str) -> Fraction:
        """Return a sample covariance, of variables by the names of their sums."""
        sums = getattr(self, products) * self.n - getattr(self, one) * getattr(self, other)
        return Fraction(sums) / (self.n * (self.n - 1))

    @property
    def mean(self) -> float:
        """The mean value."""
        return float(Fraction(self.y) / self.n)

    @property
    def variance(self) -> float:
        """The sample variance of the value."""
        return float(self.spread("yy", "y", "y"))


class Means(NamedTuple):
    """The means of an arm and of control, their variances and covariance, and what a test takes.

    degrees: of freedom, by Welch and Satterthwaite.
    """

    one: float
    control: float
    of_one: float
    of_control: float
    together: float
    degrees: float

    @property
    def difference(self) -> float:
        """How much more one has."""
        return self.one - self.control

    @property
    def variance(self) -> float:
        """The variance of the difference."""
        return self.of_one + self.of_control - 2.0 * self.together

    def critical(self, alpha: float) -> float:
        """Return the quantile of Student's t for intervals."""
        return t_quantile(alpha, self.degrees)

    def interval(self, critical: float) -> Interval:
        """Return the interval of the difference, so many standard errors to each side."""
        half = critical * math.sqrt(self.variance)
        return Interval(self.difference - half, self.difference + half)

    def p(self) -> float:
        """Return the p of the test that the means are equal."""
        return t_p(self.difference / math.sqrt(self.variance), self.degrees)

    @property
    def lift(self) -> float | None:
        """How much more one has, as a share of control; None where that is not positive."""
        return self.difference / self.control if self.control > 0.0 else None

    def lift_interval(self, critical: float) -> Interval | None:
        """Return Fieller's interval of the lift; None where it has no bounds, or there is no lift.

        It holds 0 exactly where that of the difference does, with the same critical value.
        """
        square = critical * critical
        a = self.control**2 - square * self.of_control
        b = self.one * self.control - square * self.together
        c = self.one**2 - square * self.of_one
        inner = b * b - a * c
        if self.lift is None or a <= 0.0 or inner < 0.0:
            return None
        half = math.sqrt(inner)
        return Interval((b - half) / a - 1.0, (b + half) / a - 1.0)


def plain_means(one: Moments, control: Moments) -> Means | None:
    """Return the means of two arms; None where one has too few customers, or does not vary."""
    if min(one.n, control.n) < 2:
        return None
    of_one, of_control = one.variance / one.n, control.variance / control.n
    return _tested(one, control, Means(one.mean, control.mean, of_one, of_control, 0.0, 0.0))


def adjusted_means(one: Moments, control: Moments) -> Means | None:
    """Return the means adjusted by a covariate with a slope for each arm, as Lin (2013) has it.

    None as for plain means; an arm whose covariate does not vary has no slope.
    """
    if min(one.n, control.n) < 2:
        return None
    both = one + control
    middle = Fraction(both.x) / both.n
    of_middle = both.spread("xx", "x", "x") / both.n
    means, residuals, slopes = [], [], []
    for arm in (one, control):
        spread = arm.spread("xx", "x", "x")
        product = arm.spread("xy", "x", "y")
        slope = product / spread if spread else Fraction(0)
        means.append(float(Fraction(arm.y) / arm.n - slope * (Fraction(arm.x) / arm.n - middle)))
        residuals.append(float((arm.spread("yy", "y", "y") - slope * product) / arm.n))
        slopes.append(slope)
    shared = [float(slope * slope * of_middle) for slope in slopes]
    return _tested(
        one,
        control,
        Means(
            means[0],
            means[1],
            residuals[0] + shared[0],
            residuals[1] + shared[1],
            float(slopes[0] * slopes[1] * of_middle),
            0.0,
        ),
    )


def explained_share(sums: Moments) -> float | None:
    """Return the share of the value's variance that the covariate explains, R squared."""
    if sums.n < 2:
        return None
    of_both = sums.spread("yy", "y", "y") * sums.spread("xx", "x", "x")
    return float(sums.spread("xy", "x", "y") ** 2 / of_both) if of_both else None


def _tested(one: Moments, control: Moments, means: Means) -> Means | None:
    """Return means with their degrees of freedom; None where an arm does not vary.

    Where nobody of it bought, say: nobody knows how much they might.
    """
    if min(means.of_one, means.of_control, means.variance) <= 0.0:
        return None
    parts = means.of_one**2 / (one.n - 1) + means.of_control**2 / (control.n - 1)
    if parts == 0.0:  # too small for a float
        return None
    return means._replace(degrees=(means.of_one + means.of_control) ** 2 / parts)
