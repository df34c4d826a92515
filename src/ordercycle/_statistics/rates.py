"""Intervals of rates, their difference and their ratio, by inverting score tests.

The test of the difference and that of the ratio are the same where the rates are equal, so that
the interval of the lift holds 0 exactly where that of the difference does.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ordercycle._statistics.distributions import boundary, normal_p

NEWTON_STEPS = 200
#: Customers of an arm who converted, and who did not, below which the normal distribution says
#: nothing of its rate.
FEWEST = 5


class Interval(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


class Rate(NamedTuple):
    """How many of n customers converted."""

    n: int
    x: int

    @property
    def share(self) -> float:
        """The rate."""
        return self.x / self.n

    @property
    def variance(self) -> float:
        """The variance of the rate, p q / n."""
        return self.share * (1.0 - self.share) / self.n

    @property
    def cautious_variance(self) -> float:
        """The variance with one more who converted and one who did not: never 0.

        Agresti and Caffo (2000). Of few customers, the plain one says that they are sure.
        """
        share = (self.x + 1.0) / (self.n + 2.0)
        return share * (1.0 - share) / (self.n + 2.0)

    @property
    def is_of_many(self) -> bool:
        """Whether enough customers converted, and enough did not."""
        return min(self.x, self.n - self.x) >= FEWEST


def wilson(rate: Rate, z: float) -> Interval:
    """Return Wilson's interval of a rate.

    >>> low, high = wilson(Rate(10, 0), 1.959964)
    >>> round(low, 6), round(high, 6)
    (0.0, 0.277533)
    """
    n, p = rate.n, rate.share
    middle = p + z * z / (2.0 * n)
    half = z * math.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n))
    scale = 1.0 + z * z / n
    low = 0.0 if rate.x == 0 else max(0.0, (middle - half) / scale)
    high = 1.0 if rate.x == n else min(1.0, (middle + half) / scale)
    return Interval(low, high)


def score_difference(one: Rate, control: Rate, z: float, *, corrected: bool = True) -> Interval:
    """Return the score interval of the difference of two rates.

    corrected: with the factor N / (N - 1) of Miettinen and Nurminen (1985), or without, as Mee
    (1984) has it.
    """
    factor = _factor(one, control, corrected=corrected)
    found = one.share - control.share

    def holds(difference: float) -> bool:
        low = restricted_rate(one, control, difference)
        high = min(1.0, max(0.0, low + difference))
        variance = high * (1.0 - high) / one.n + low * (1.0 - low) / control.n
        return (found - difference) ** 2 <= z * z * variance * factor

    return Interval(boundary(holds, found, -1.0), boundary(holds, found, 1.0))


def score_lift(one: Rate, control: Rate, z: float, *, corrected: bool = True) -> Interval | None:
    """Return the interval of the lift, Koopman's (1984) of the ratio less 1; None without a ratio.

    corrected: as for the difference.
    """
    if control.x == 0:
        return None
    factor = _factor(one, control, corrected=corrected)
    total = one.n + control.n

    def holds(ratio: float) -> bool:
        a = total * ratio
        b = one.n * ratio + one.x + control.n + control.x * ratio
        c = one.x + control.x
        low = min(1.0, 2.0 * c / (b + math.sqrt(max(0.0, b * b - 4.0 * a * c))))
        high = min(1.0, ratio * low)
        variance = high * (1.0 - high) / one.n + ratio * ratio * low * (1.0 - low) / control.n
        return (one.share - ratio * control.share) ** 2 <= z * z * variance * factor

    found = one.share / control.share
    above = 2.0 * max(found, 1.0)
    while holds(above):
        above *= 2.0
    return Interval(boundary(holds, found, 0.0) - 1.0, boundary(holds, found, above) - 1.0)


def score_p(one: Rate, control: Rate) -> float | None:
    """Return the p of the score test that the rates are equal; None where it says nothing."""
    n = one.n + control.n
    pooled = (one.x + control.x) / n
    variance = pooled * (1.0 - pooled) * (1.0 / one.n + 1.0 / control.n)
    variance *= _factor(one, control, corrected=True)
    if variance == 0.0:
        return None
    return normal_p((one.share - control.share) / math.sqrt(variance))


def restricted_rate(one: Rate, control: Rate, difference: float) -> float:
    """Return the most likely rate of control where one's is higher by a difference.

    The log-likelihood is concave: Newton's method on its slope, between bounds that it keeps.
    """
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    if high <= low:
        return low
    counts = (
        (one.x, 1.0, difference),
        (control.x, 1.0, 0.0),
        (one.n - one.x, -1.0, 1.0 - difference),
        (control.n - control.x, -1.0, 1.0),
    )
    there = [(count, sign, end) for count, sign, end in counts if count]
    rate = low + (high - low) * (one.x + control.x + 0.5) / (one.n + control.n + 1.0)
    for _ in range(NEWTON_STEPS):
        # Of successes, the slope of ln(rate + end), of failures of ln(end - rate).
        slope = math.fsum(sign * count / (end + sign * rate) for count, sign, end in there)
        curve = math.fsum(count / (end + sign * rate) ** 2 for count, sign, end in there)
        if slope > 0.0:
            low = rate
        else:
            high = rate
        following = rate + slope / curve
        if not low < following < high:
            following = low + (high - low) / 2.0
        if following in (rate, low, high):
            break
        if abs(following - rate) <= 1e-15 * rate:
            return following
        rate = following
    return rate


def _factor(one: Rate, control: Rate, *, corrected: bool) -> float:
    n = one.n + control.n
    return n / (n - 1.0) if corrected else 1.0
