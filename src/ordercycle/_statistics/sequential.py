"""Intervals that hold however often one looks: asymptotic confidence sequences.

An estimate d with standard error se gets d ± m se, m² = (1 + 1/r) ln((1 + r) / α²), r = N ρ². This
one formula is that of Waudby-Smith and others (2021), of the mixture test of Johari and others
(2017) and of Lindon and others (2022).
"""

from __future__ import annotations

import math

from ordercycle._statistics.rates import Interval


def tuning(alpha: float) -> float:
    """Return r at the planned number of customers: there, the interval is about the narrowest.

    >>> round(tuning(0.05), 3)
    7.936
    """
    level = -2.0 * math.log(alpha)
    return level + math.log(level + 1.0)


def multiplier(customers: float, planned: float, alpha: float) -> float:
    """Return how many standard errors the interval reaches to each side.

    customers: of both arms together, so far, and as they were planned.

    >>> round(multiplier(5_000, 5_000, 0.05), 3)
    3.035
    """
    r = tuning(alpha) * customers / planned
    return math.sqrt((1.0 + 1.0 / r) * math.log((1.0 + r) / alpha**2))


def always_valid(
    difference: float, variance: float, customers: float, planned: float, alpha: float
) -> tuple[Interval, float]:
    """Return the interval of a difference, and the p of one look."""
    half = multiplier(customers, planned, alpha) * math.sqrt(variance)
    r = tuning(alpha) * customers / planned
    square = difference * difference / variance
    log_p = 0.5 * math.log1p(r) - r * square / (2.0 * (1.0 + r))
    return Interval(difference - half, difference + half), math.exp(min(0.0, log_p))
