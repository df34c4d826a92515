"""The Gamma-Gamma model of spend per order day: its cells, its fit, and what it expects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, DataError, Option, check_choice
from ordercycle._value_models.forms import check_names, checked_parameter, checked_scale, exps_of
from ordercycle._value_models.searching import (
    ERRORS,
    WEAK_CURVATURE,
    WEAK_ERROR,
    lack_of_errors,
)
from ordercycle._value_models.spend_search import SPEND_FORMS, FoundSpend, SpendSearch
from ordercycle._workspace import Workers, thread_count
from ordercycle_kernels._types import as_input
from ordercycle_kernels.spends import (
    NO_STEP,
    STEP_BITS,
    SpendCells,
    expect_spends,
    steps_of_means,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Correlations of order days and mean spend beyond this contradict the model.
MOST_CORRELATION = 0.3
#: Parameters without a unit; that of the others is the unit of money.
SHAPES = ("p", "q")
#: Room for steps of ln m beside the days: ln m is between -746 and 710.
MEAN_BITS = 41
HALF = 1 << (MEAN_BITS - 1)
LEVEL_BITS = MEAN_BITS - int(STEP_BITS)


def spend_cells(days: Integers, means: Floats) -> SpendCells:
    """Return the cells of customers with so many order days and such a mean of them.

    Customers without order days, and those whose mean is not positive, are left out. Days up to
    4 million have their place.
    """
    days = np.ascontiguousarray(days, np.int64)
    steps = np.empty(days.size, np.int64)
    steps_of_means(np.ascontiguousarray(means, np.float64), steps)
    kept = (days > 0) & (steps != NO_STEP)
    keys = (days[kept] << MEAN_BITS) | (steps[kept] + HALF)
    keys.sort()
    beyond = keys & ((1 << int(STEP_BITS)) - 1)
    return _summed(keys >> int(STEP_BITS), np.ones(keys.size, np.int64), beyond)


def add_spend_cells(parts: Iterable[SpendCells]) -> SpendCells:
    """Return the cells of all customers from those of some each: the same, however they are cut."""
    columns = [np.concatenate(one) for one in zip(*parts, strict=True)]
    if not columns:
        return _summed(*np.empty((3, 0), np.int64))
    days, levels, customers, steps = columns
    keys = (days << LEVEL_BITS) | (levels + (HALF >> int(STEP_BITS)))
    order = np.argsort(keys, kind="stable")
    return _summed(keys[order], customers[order], steps[order])


def _summed(keys: Integers, customers: Integers, steps: Integers) -> SpendCells:
    """Return cells from ascending keys, those of equal ones added up."""
    starts = np.flatnonzero(np.r_[True, np.diff(keys) != 0][: keys.size])
    sums = [np.add.reduceat(one, starts) if starts.size else one for one in (customers, steps)]
    keys = keys[starts]
    levels = (keys & ((1 << LEVEL_BITS) - 1)) - (HALF >> int(STEP_BITS))
    return SpendCells(*map(as_input, (keys >> LEVEL_BITS, levels, *sums)))


@dataclass(frozen=True)
class SpendFit:
    """The Gamma-Gamma model with its parameters.

    Attributes
    ----------
    model
        Its name, or that of its limit, as ``"gamma_gamma, one spend level"``.
    parameters
        p, q and gamma, or fewer of a limit: estimate and standard error. Errors are nan where
        parameters were given by hand.
    covariance
        Of the estimates, in the order of the parameters: (k, k).
    log_likelihood
        Of all customers with a positive mean; nan by hand.
    customers
        How many these are; 0 by hand.
    problems
        What the data do not tell, with the numbers.
    """

    model: str
    parameters: Mapping[str, tuple[float, float]]
    covariance: Floats
    log_likelihood: float
    customers: int = 0
    problems: tuple[str, ...] = ()

    @classmethod
    def of_parameters(cls, model: str, parameters: Mapping[str, float]) -> Self:
        """Return a model with parameters by hand.

        Raises
        ------
        ConfigError
            If there is no such model, or parameters are missing, unknown or senseless.
        """
        check_choice("spend", model, SPEND_FORMS)
        names = SPEND_FORMS[model].names
        check_names("spend", model, names, parameters)
        values = {
            name: (checked_parameter if name in SHAPES else checked_scale)(name, parameters[name])
            for name in names
        }
        if values.get("q", 2.0) <= 1:
            raise ConfigError(
                f"q = {values['q']!r} leaves customers without an expected spend",
                remedy="pass a q above 1",
            )
        shown = {name: (value, math.nan) for name, value in values.items()}
        return cls(model, shown, np.full((len(names), len(names)), math.nan), math.nan)

    @property
    def population_value(self) -> float:
        """The expected spend of an order day of a customer of whom nothing is known."""
        return float(self.expected_value(np.zeros(1, np.int64), np.zeros(1))[0])

    def expected_value(self, days: Integers, means: Floats, out: Floats | None = None) -> Floats:
        """Return the expected spend of an order day, of customers with such a mean of so many.

        Means below 0 count as 0; customers without days get the population's: (n,).
        """
        found = out if out is not None else np.empty(len(days))
        shown = {name: estimate for name, (estimate, _) in self.parameters.items()}
        p, q, scale = SPEND_FORMS[self.model].naturals_of(shown)
        days = np.ascontiguousarray(days, np.int64)
        expect_spends(days, np.ascontiguousarray(means, np.float64), p, q, scale, found)
        return found

    def second_moments(
        self, days: Integers, means: Floats, squares: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return what the variance of spend follows from: each (n,).

        Of customers with such a mean, and mean square of it, of so many days, all together: the
        expected variance of the spend of an order day, the expected square of its mean, which is
        not known either, and the square of what is expected of it. The first two are infinite
        where the model has none.
        """
        shown = {name: estimate for name, (estimate, _) in self.parameters.items()}
        p, q, scale = SPEND_FORMS[self.model].naturals_of(shown)
        total = scale * scale + days * (2.0 * scale * means + days * squares)
        shape = p * days + q
        expected = p * p * total / (shape - 1.0) ** 2
        has_none = shape <= 2.0
        mean_square = expected * (shape - 1.0) / np.where(has_none, 1.0, shape - 2.0)
        mean_square = np.where(has_none, math.inf, mean_square)
        return mean_square / p, mean_square, expected


def fit_spend(
    cells: SpendCells, *, errors: str = "sandwich", threads: int | None = None
) -> SpendFit:
    """Fit the Gamma-Gamma model to cells; the same bits for any number of threads.

    Raises
    ------
    ConfigError
        If there is no such kind of errors.
    DataError
        If no customer has a positive mean, or customers differ too little for the model.
    """
    check_choice("errors", errors, ERRORS)
    cells = SpendCells(*(as_input(np.ascontiguousarray(one, np.int64)) for one in cells))
    if cells.days.size == 0:
        raise DataError(
            "nobody has a positive mean spend: there is nothing to fit the spend to",
            remedy=("look at the amounts, or predict orders alone with ", Option("spend", None)),
        )
    with Workers(thread_count(threads)) as workers:
        search = SpendSearch(cells, workers)
        found = search.best()
        return _result(search, found, errors)


def _result(search: SpendSearch, found: FoundSpend, errors: str) -> SpendFit:
    form, values = found.form, exps_of(found.maximum.place)
    of_logs = search.covariance(found, errors)
    covariance = [
        [one * other * value for other, value in zip(values, row, strict=True)]
        for one, row in zip(values, of_logs, strict=True)
    ]
    lack = lack_of_errors(form.name, search.customers, len(values), errors)
    if lack is not None:
        covariance = [[math.nan for _ in row] for row in covariance]
    parameters = {
        name: (value + (name == "q"), math.sqrt(covariance[place][place]))
        for place, (name, value) in enumerate(zip(form.names, values, strict=True))
    }
    return SpendFit(
        form.name,
        parameters,
        np.array(covariance),
        found.maximum.value,
        search.customers,
        (*_problems(search, found), *([] if lack is None else [lack])),
    )


def _problems(search: SpendSearch, found: FoundSpend) -> Iterator[str]:
    """Yield what the data do not tell, and where they contradict the model."""
    if found.left:
        yield (
            f"the data do not tell all parameters of {found.left[0]}: their best values run to "
            f"infinity, and {found.form.name}, is fitted instead"
        )
    elif search.is_weak(found):
        curvature, error = search.weakness(found)
        yield (
            f"the data hardly tell the parameters of {found.form.name}: the standard error of a "
            f"logarithm is {error:.2g} (weak above {WEAK_ERROR:g}), and the curvature a customer "
            f"{curvature:.2g} (weak below {WEAK_CURVATURE:g})"
        )
    correlation = search.correlation()
    if abs(correlation) > MOST_CORRELATION:
        yield (
            f"order days and mean spend are correlated ({correlation:.2f}, of Pearson): the model "
            f"of spend takes them for independent, so that values of those who order often are too "
            f"{'low' if correlation > 0 else 'high'}"
        )
