"""Four groups by a customer's own rhythm, in exact arithmetic."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

from oracle.errors import DataError
from oracle.profile import Row

#: A bound that misses a whole day by less is that day.
TIE = Fraction(1, 10**9)


@dataclass(frozen=True)
class Rhythm:
    """The mean and the variance of some gaps."""

    mean: Fraction
    variance: Fraction


def rhythm_of(gaps: list[int]) -> Rhythm:
    """Return mean and variance, the divisor being the number of gaps.

    >>> rhythm_of([10, 20])
    Rhythm(mean=Fraction(15, 1), variance=Fraction(25, 1))
    """
    mean = Fraction(sum(gaps), len(gaps))
    return Rhythm(mean, sum((gap - mean) ** 2 for gap in gaps) / len(gaps))


def fit(customers: Iterable[list[int]]) -> Rhythm:
    """Return the rhythm of all gaps of all customers."""
    gaps = [gap for own in customers for gap in own]
    if not gaps:
        raise DataError("nobody ordered twice")
    return rhythm_of(gaps)


def shrunk(own_gaps: list[int], everyone: Rhythm, prior_gaps: Fraction) -> Rhythm:
    """Return a customer's rhythm, leaning on everyone's as if that were some gaps more.

    >>> shrunk([10], Rhythm(Fraction(20), Fraction(16)), Fraction(1))
    Rhythm(mean=Fraction(15, 1), variance=Fraction(8, 1))
    """
    if not own_gaps:
        return everyone
    own, g, k = rhythm_of(own_gaps), len(own_gaps), prior_gaps
    return Rhythm(
        (g * own.mean + k * everyone.mean) / (g + k),
        (g * own.variance + k * everyone.variance) / (g + k),
    )


def last_day(rhythm: Rhythm, deviations: int) -> int:
    """Return the last whole day of mean + so many standard deviations.

    >>> last_day(Rhythm(Fraction(2, 3), Fraction(1, 9)), 1)
    1
    """
    with localcontext() as context:
        context.prec = 60
        square = rhythm.variance * deviations**2
        spread = Decimal(square.numerator) / Decimal(square.denominator)
        return math.floor(rhythm.mean + Fraction(spread.sqrt()) + TIE)


def group(
    row: Row,
    own_gaps: list[int],
    everyone: Rhythm,
    prior_gaps: Fraction = Fraction(1),
    just_ordered_days: int = 30,
    scope: str = "personal",
) -> str | None:
    """Return the group of a customer, None without orders."""
    since_last = row["days_since_last_order"]
    if since_last is None:
        return None
    rhythm = everyone if scope == "population" else shrunk(own_gaps, everyone, prior_gaps)
    if since_last <= just_ordered_days:
        return "Just ordered"
    if since_last <= last_day(rhythm, 1):
        return "Active"
    if since_last <= last_day(rhythm, 2):
        return "Slipping away"
    return "Lost"
