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
    _, place, counts = np.unique(ranks, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    return 2 * float((value * middle[place]).sum()) / (size * total) - (size + 1) / size


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


def reliability(
    probability: Floats, happened: NDArray[np.bool_], bins: int
) -> tuple[Floats, Floats]:
    """Return the mean probability, and the share for whom it happened, of bins that have some."""
    group = np.minimum((probability * bins).astype(np.int64), bins - 1)
    counts = np.bincount(group, minlength=bins)
    there = counts > 0
    means = np.bincount(group, probability, minlength=bins)[there] / counts[there]
    shares = np.bincount(group, happened.astype(np.float64), minlength=bins)[there] / counts[there]
    return means, shares
