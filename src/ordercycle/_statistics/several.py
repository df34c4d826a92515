"""Tests of several arms, several segments, and of whether customers are where they should be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ordercycle._statistics.distributions import boundary, chi_square_p

#: Below it, arms have other numbers of customers than they were to have, and results are withheld.
SRM_LIMIT = 0.001


def holm(ps: Sequence[float]) -> list[float]:
    """Return p values adjusted by Holm's method: of any of them being wrong.

    >>> [round(p, 4) for p in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    adjusted, highest = [0.0] * len(ps), 0.0
    for place, number in enumerate(sorted(range(len(ps)), key=lambda one: ps[one])):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[number]))
        adjusted[number] = highest
    return adjusted


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """Return p values adjusted by Benjamini and Hochberg's method: of the share that is wrong.

    >>> [round(p, 4) for p in benjamini_hochberg([0.01, 0.04, 0.03, 0.005])]
    [0.02, 0.04, 0.04, 0.02]
    """
    adjusted, lowest = [0.0] * len(ps), 1.0
    descending = sorted(range(len(ps)), key=lambda one: -ps[one])
    for place, number in enumerate(descending):
        lowest = min(lowest, ps[number] * len(ps) / (len(ps) - place))
        adjusted[number] = lowest
    return adjusted


def sample_ratio_p(counts: Sequence[int], weights: Sequence[float]) -> float | None:
    """Return the p of so many customers in arms of these weights; None with fewer than two arms.

    >>> f"{sample_ratio_p([600, 400], [1, 1]):.2e}"
    '2.54e-10'
    """
    arms = [(count, weight) for count, weight in zip(counts, weights, strict=True) if weight > 0]
    total, weight_of_all = sum(count for count, _ in arms), sum(weight for _, weight in arms)
    if len(arms) < 2 or total == 0:
        return None
    value = 0.0
    for count, weight in arms:
        expected = total * float(weight) / float(weight_of_all)
        value += (count - expected) ** 2 / expected
    return chi_square_p(value, len(arms) - 1)


class Shrunk(NamedTuple):
    """Effects in several segments, drawn towards their mean by as much as they are uncertain.

    q_p: of the test that the effects are equal; effects, errors: of each segment.
    """

    mean: float
    q_p: float
    effects: list[float]
    errors: list[float]


def shrunk(effects: Sequence[float], variances: Sequence[float]) -> Shrunk:
    """Return effects drawn to their mean, with the spread between them by Paule and Mandel (1982).

    variances: of each effect, positive. There are at least two.
    """

    def fit(between: float) -> tuple[float, float]:
        weights = [1.0 / (between + one) for one in variances]
        mean = math.fsum(
            weight * one for weight, one in zip(weights, effects, strict=True)
        ) / math.fsum(weights)
        parts = (weight * (one - mean) ** 2 for weight, one in zip(weights, effects, strict=True))
        return mean, math.fsum(parts)

    freedom = len(effects) - 1
    mean, q = fit(0.0)
    between = 0.0
    if q > freedom:
        high = max(variances)
        while fit(high)[1] > freedom:
            high *= 2.0
        between = boundary(lambda one: fit(one)[1] > freedom, 0.0, high)
        mean, _ = fit(between)
    of_mean = 1.0 / math.fsum(1.0 / (between + one) for one in variances)
    shares = [between / (between + one) for one in variances]
    drawn = [share * one + (1.0 - share) * mean for share, one in zip(shares, effects, strict=True)]
    errors = [
        math.sqrt(share * one + (1.0 - share) ** 2 * of_mean)
        for share, one in zip(shares, variances, strict=True)
    ]
    return Shrunk(mean, chi_square_p(q, freedom), drawn, errors)
