"""Numbers that say how near a forecast came."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ratio(one: float | None, other: float) -> float | None:
    """Return a share of a total, None where there is none or the total is not positive."""
    return None if one is None or other <= 0 else one / other


def mean(values: Floats) -> float | None:
    """Return the mean, None of nothing."""
    return float(values.sum()) / values.size if values.size else None


def root(value: float | None) -> float | None:
    """Return the square root."""
    return None if value is None else math.sqrt(value)


def gini(value: Floats, ranks: NDArray[np.generic]) -> float | None:
    """Return the Gini coefficient of values in the order of a forecast, by the best there is.

    Customers of whom the same was foretold count as in any order, on average. None where all
    values are the same, or are nothing together.
    """
    best = _concentration(value, value)
    found = _concentration(value, ranks)
    return None if best is None or found is None or best <= 0 else found / best


def _concentration(value: Floats, ranks: NDArray[np.generic]) -> float | None:
    total, size = float(value.sum()), value.size
    if size == 0 or total <= 0:
        return None
    middle = _middle_ranks(ranks)
    return 2 * float((value * middle).sum()) / (size * total) - (size + 1) / size


def top_share(value: Floats, ranks: NDArray[np.generic], parts: int) -> float | None:
    """Return the share of all value that those foretold as the best part have.

    The part is rounded up to a customer; of customers of whom the same was foretold, as many of
    them as it takes count, at their mean.
    """
    total, size = float(value.sum()), value.size
    if size == 0 or total <= 0:
        return None
    wanted = -(-size // parts)
    cut = np.sort(ranks)[size - wanted]
    above, at = ranks > cut, ranks == cut
    missing = wanted - int(above.sum())
    return (float(value[above].sum()) + float(value[at].mean()) * missing) / total


def deciles(ranks: Floats, parts: int) -> NDArray[np.int64]:
    """Return in which part each customer is, 0 for the best; equal ones by their row."""
    order = np.argsort(-ranks, kind="stable")
    place = np.empty(ranks.size, np.int64)
    place[order] = np.arange(ranks.size) * parts // max(ranks.size, 1)
    return place


def spearman(value: Floats, ranks: Floats) -> float | None:
    """Return the correlation of ranks, equal ones in their middle; None where all are equal."""
    if value.size == 0:
        return None
    one, other = (_middle_ranks(values) - (value.size + 1) / 2 for values in (value, ranks))
    spread = float((one * one).sum()) * float((other * other).sum())
    return float((one * other).sum()) / math.sqrt(spread) if spread > 0 else None


def auc(happened: NDArray[np.bool_], ranks: Floats) -> float | None:
    """Return how often, of two customers of whom it happened to one, that one is ranked higher.

    Equal ranks count as half. None where it happened to all, or to nobody.
    """
    yes = int(np.count_nonzero(happened))
    pairs = yes * (happened.size - yes)
    if not pairs:
        return None
    return (float(_middle_ranks(ranks)[happened].sum()) - yes * (yes + 1) / 2) / pairs


def _middle_ranks(values: NDArray[np.generic]) -> Floats:
    """Return the rank of each value from below, 1 for the least; equal ones in their middle."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: Floats = np.cumsum(counts) - (counts - 1) / 2
    return middle[place]


def reliability(
    probability: Floats, happened: NDArray[np.bool_], bins: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    """Return, of bins that have some: which, how many, mean probability, share that happened."""
    group = np.minimum((probability * bins).astype(np.int64), bins - 1)
    counts = np.bincount(group, minlength=bins)
    there = np.flatnonzero(counts)
    means, shares = (
        np.bincount(group, values, minlength=bins)[there] / counts[there]
        for values in (probability, happened.astype(np.float64))
    )
    return there, counts[there], means, shares
