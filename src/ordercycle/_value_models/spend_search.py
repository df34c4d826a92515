"""The search for the parameters under which what customers spent is most likely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import DataError, Option, counted
from ordercycle._value_models.forms import LARGE, exps_of, logs_of
from ordercycle._value_models.likelihoods import added, sums_of_chunks
from ordercycle._value_models.newton import (
    Curve,
    Matrix,
    Maximum,
    inverse,
    maximize,
    product,
    symmetric,
    weakness,
)
from ordercycle._value_models.searching import BOUND, NO_BETTER, WEAK_CURVATURE, WEAK_ERROR
from ordercycle._workspace import Workers
from ordercycle_kernels._types import as_input
from ordercycle_kernels.spends import (
    CHUNK,
    LEVEL,
    SPEND_PRODUCTS,
    SPEND_SUMS,
    STEPS,
    SpendCells,
    sum_spend_moments,
    sum_spend_products,
    sum_spends,
)


@dataclass(frozen=True)
class SpendForm:
    """The model, or a limit of it.

    Attributes
    ----------
    name
        As it is shown.
    names
        Of the parameters, as they are shown.
    places
        Which of p, q - 1 and gamma are fitted; of the others, q or p is as good as infinite.
    """

    name: str
    names: tuple[str, ...]
    places: tuple[int, ...]

    def naturals(self, values: Sequence[float]) -> tuple[float, float, float]:
        """Return p, q and gamma for values of what is fitted, as they are but for q - 1."""
        given = dict(zip(self.places, values, strict=True))
        p, above = given.get(0, LARGE), given.get(1, LARGE)
        scale = given[2]
        if 0 not in given:
            scale /= LARGE
        if 1 not in given:
            scale *= LARGE
        return p, above + 1.0, scale

    def naturals_of(self, shown: Mapping[str, float]) -> tuple[float, float, float]:
        """Return p, q and gamma for parameters as they are shown."""
        return self.naturals([shown[name] - (name == "q") for name in self.names])


SPEND_FORMS = {
    form.name: form
    for form in (
        SpendForm("gamma_gamma", ("p", "q", "gamma"), (0, 1, 2)),
        SpendForm("gamma_gamma, one spend level", ("p", "scale"), (0, 2)),
        SpendForm("gamma_gamma, one spend a customer", ("q", "scale"), (1, 2)),
    )
}
#: The search starts on about so many cells, and ends on all.
CELLS_TO_START = 8_192
#: Starts of p and q; gamma gives customers the right mean.
STARTS = ((1.0, 3.0), (5.0, 4.0), (0.5, 1.5))


@dataclass(frozen=True)
class FoundSpend:
    """A form of the model with its best parameters, in logarithms (of q: of q - 1)."""

    form: SpendForm
    maximum: Maximum
    left: tuple[str, ...] = ()

    @property
    def information(self) -> Matrix:
        """The second derivatives of minus the log-likelihood."""
        return [[-value for value in row] for row in self.maximum.hessian]


class SpendSearch:
    """Fits the forms of the model to cells."""

    def __init__(self, cells: SpendCells, workers: Workers) -> None:
        self.cells, self.workers = cells, workers
        self.customers = int(cells.customers.sum())

    def curve(self, form: SpendForm, logs: Sequence[float]) -> Curve:
        """Return the log-likelihood and its derivatives."""
        p, q, scale = form.naturals(exps_of(logs))
        log_scale = logs_of([scale])[0]

        def task(first: int, rows: NDArray[np.float64]) -> None:
            sum_spends(self.cells, p, q, log_scale, first, np.empty((5, CHUNK)), rows)

        value, *rest = added(sums_of_chunks(self.cells.days.size, self.workers, task, SPEND_SUMS))
        slopes = (p, q - 1.0, 1.0)
        first = [slope * float(one) for slope, one in zip(slopes, rest, strict=False)]
        second = symmetric([float(one) for one in rest[3:]], 3)
        kept = form.places
        hessian = [[slopes[i] * slopes[j] * second[i][j] for j in kept] for i in kept]
        for row, place in enumerate(kept):
            hessian[row][row] += first[place] if place < 2 else 0.0
        return float(value), [first[place] for place in kept], hessian

    def covariance(self, found: FoundSpend, errors: str) -> Matrix:
        """Return the covariance of the logarithms of the estimates."""
        bread = inverse(found.information)
        if errors == "information":
            return bread
        p, q, scale = found.form.naturals(exps_of(found.maximum.place))
        log_scale = logs_of([scale])[0]

        def task(first: int, rows: NDArray[np.float64]) -> None:
            scratch = np.empty((5, CHUNK))
            sum_spend_products(self.cells, p, q, log_scale, first, scratch, rows)

        sums = added(sums_of_chunks(self.cells.days.size, self.workers, task, SPEND_PRODUCTS))
        filling = symmetric([float(one) for one in sums], 3)
        slopes, kept = (p, q - 1.0, 1.0), found.form.places
        filling = [[slopes[i] * slopes[j] * filling[i][j] for j in kept] for i in kept]
        return product(product(bread, filling), bread)

    def best(self) -> FoundSpend:
        """Return the model with its best parameters, or the limit that they lead to.

        Raises
        ------
        DataError
            If customers differ too little for any.
        """
        forms = iter(SPEND_FORMS.values())
        full = self._found(next(forms))
        if full.maximum.found and not self.is_weak(full):
            return full
        limits = [one for one in map(self._found, forms) if one.maximum.found]
        limit = max(limits, key=lambda one: one.maximum.value, default=full)
        if full.maximum.found and full.maximum.value >= limit.maximum.value + NO_BETTER:
            return full
        if not limits:
            raise DataError(
                f"the mean spends of {counted(self.customers, 'customer')} differ too little, or "
                "too much, for a model of spend",
                remedy=("take ", Option("spend", "average")),
            )
        return FoundSpend(limit.form, limit.maximum, (full.form.name,))

    def weakness(self, found: FoundSpend) -> tuple[float, float]:
        """Return the smallest curvature a customer, and the greatest standard error of a log."""
        return weakness(found.information, self.customers)

    def is_weak(self, found: FoundSpend) -> bool:
        """Whether the data hardly tell the parameters."""
        curvature, error = self.weakness(found)
        return curvature < WEAK_CURVATURE or not error <= WEAK_ERROR

    def correlation(self) -> float:
        """Return Pearson's correlation of the days and the mean spend of customers, 0 if none."""
        sums = np.zeros((2, 5))
        sum_spend_moments(self.cells, sums)
        days, means, days_days, means_means, both = (
            float(one) / self.customers for one in sums[0] + sums[1]
        )
        spread = (days_days - days * days) * (means_means - means * means)
        return (both - days * means) / math.sqrt(spread) if spread > 0.0 else 0.0

    def _found(self, form: SpendForm) -> FoundSpend:
        return FoundSpend(form, self._climb(form))

    def _climb(self, form: SpendForm) -> Maximum:
        """Climb from each start on some customers, and from the best place on all."""
        step = self.cells.days.size // CELLS_TO_START
        if step < 2:
            return self._best_of(form, self._starts(form))
        columns = (as_input(np.ascontiguousarray(one[::step])) for one in self.cells)
        sample = SpendSearch(SpendCells(*columns), self.workers)
        found = sample._best_of(form, sample._starts(form))
        starts = [found.place] if found.found else self._starts(form)
        return self._best_of(form, starts)

    def _best_of(self, form: SpendForm, starts: Sequence[Sequence[float]]) -> Maximum:
        """Return the highest maximum that is reached from some starts, the first of equals."""
        tried = [
            maximize(lambda logs: self.curve(form, logs), start, self.bound(start))
            for start in starts
        ]
        return max(tried, key=lambda one: (one.found, one.value))

    def _starts(self, form: SpendForm) -> list[list[float]]:
        mean = exps_of([self._mean_log()])[0]
        starts = []
        for p, q in STARTS:
            # By the order of p, q - 1 and gamma; limits divide or multiply gamma by the other two.
            naturals = (p, q - 1.0, mean * (q - 1.0) / p)
            scale = (
                naturals[2] * (1.0 if 0 in form.places else p) / (1.0 if 1 in form.places else q)
            )
            starts.append(
                logs_of([scale if place == 2 else naturals[place] for place in form.places])
            )
        return starts

    @staticmethod
    def bound(start: Sequence[float]) -> float:
        """Return how far logarithms may go: that of gamma depends on the unit of money."""
        return BOUND + abs(start[-1])

    def _mean_log(self) -> float:
        """Return the mean of ln m over customers, from whole numbers."""
        cells = self.cells
        steps = int((cells.levels * cells.customers).sum()) * LEVEL + int(cells.steps.sum())
        return steps / (self.customers * STEPS)
