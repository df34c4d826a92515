"""From the cells of a report to its numbers: exact until the last division."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import number_of
from ordercycle._errors import DataError
from ordercycle._report.catalogue import Catalogue
from ordercycle._report.cube import Cube
from ordercycle._report.metrics import Metric
from ordercycle._report.months import Months, Period
from ordercycle._report.quantities import DERIVED, DURING, LAST_DAY, LAST_MONTH, Quantity
from ordercycle._report.report_spec import ALL_CUSTOMERS
from ordercycle_kernels import cube as cells
from ordercycle_kernels.exact_sums import CHUNK_BITS

Values = list[float | None]


class Figures:
    """The numbers of a cube: one per row of the report, All Customers last, and range of months."""

    def __init__(self, cube: Cube) -> None:
        cube.carry()
        self.plan = cube.plan
        #: The names of the rows.
        self.rows = (*self.plan.segments, ALL_CUSTOMERS)
        rows, columns, width = self.plan.shape
        own = cube.own.reshape(rows, columns, width)
        # Everybody is on one row of `own` at a time, be it that of no segment.
        everybody = own.sum(axis=0)
        everybody[:, cells.MONTHLY_BUYERS] = everybody[:, cells.MONTHLY_BUYERS_OF_ALL]
        segments = own[:-1]
        if cube.further is not None:
            segments = segments + cube.further.reshape(rows, columns, width)[:-1]
        self._of_months = np.concatenate([segments, everybody[None]])
        self._so_far = self._of_months.cumsum(axis=1)
        there = self._so_far[-1, 1:, cells.CUSTOMERS] > 0
        #: The first month with a customer, or the last where there is none.
        self.first_month = self.plan.months.first + (
            int(there.argmax()) if there.any() else self.plan.months.size - 1
        )
        self._powers = np.array(
            [1 << chunk * int(CHUNK_BITS) for chunk in range(self.plan.chunks)], object
        )
        self._amounts = cache(self._read)

    @property
    def catalogue(self) -> Catalogue:
        """The metrics that there are."""
        return self.plan.catalogue

    def values(self, metric: Metric, months: Months) -> Values:
        """Return a metric of each segment and of All Customers; None where it is undefined."""
        above = [self.quantity(name, months) for name in metric.numerator]
        below = [self.quantity(name, months) for name in metric.denominator]
        if metric.of_all:
            below = [[amounts[-1]] * len(amounts) for amounts in below]
        units = self.unit_of(metric)
        return [
            _quotient(
                prod(amounts[row] for amounts in above) * units.denominator,
                prod(amounts[row] for amounts in below) * units.numerator,
                metric,
            )
            for row in range(len(self.rows))
        ]

    def unit_of(self, metric: Metric) -> Fraction:
        """Return by what the quotient of a metric's quantities is divided to be its value."""
        above, below = (
            prod((self._unit(name) for name in names), start=Fraction(1))
            for names in (metric.numerator, metric.denominator)
        )
        return above / below

    def _unit(self, name: str) -> Fraction:
        """Return how many of a quantity's whole numbers make one."""
        derived = DERIVED.get(name)
        if derived is not None:
            _, parts = derived.terms[0]
            return prod((self._unit(part) for part in parts), start=Fraction(1))
        if name == LAST_DAY:
            return Fraction(1)
        return self.plan.units[self.catalogue.quantity(name).unit]

    def quantity(self, name: str, months: Months) -> list[int]:
        """Return a quantity of each segment and of All Customers, as an exact integer."""
        return self._amounts(name, months)

    def _read(self, name: str, months: Months) -> list[int]:
        derived = DERIVED.get(name)
        if derived is not None:
            parts = [self.quantity(part, months) for part in derived.parts]
            return [
                derived.value(dict(zip(derived.parts, amounts, strict=True)))
                for amounts in zip(*parts, strict=True)
            ]
        if name == LAST_DAY:
            return [number_of(self.plan.ends(months))] * len(self.rows)
        quantity = self.catalogue.quantity(name)
        total: Any = sum(self._cells(quantity, field, months) for field in quantity.fields)
        return [int(amount) for amount in total]

    def _cells(self, quantity: Quantity, field: int, months: Months) -> NDArray[Any]:
        """Return one of a quantity's fields: (rows,), as Python integers where it is money."""
        first, last = (month - self.plan.months.first + 1 for month in months)
        # A sum of money has every third item from its first chunk on.
        width = slice(field, None, cells.SUMS) if quantity.is_sum else slice(field, field + 1)
        if quantity.over == DURING:
            found = self._of_months[:, first : last + 1, width].sum(axis=1)
        elif quantity.over == LAST_MONTH:
            found = self._of_months[:, last, width]
        else:
            found = self._so_far[:, last, width]
        if quantity.is_sum:
            return np.asarray(found.astype(object) @ self._powers)
        return np.asarray(found[:, 0])


class Reported(NamedTuple):
    """The numbers of a period."""

    figures: Figures
    period: Period

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of the rows."""
        return self.figures.rows

    def values(self, metric: Metric) -> Values:
        """Return a metric of each row."""
        return self.figures.values(metric, self.period.months)


def _quotient(above: int, below: int, metric: Metric) -> float | None:
    """Divide and round once; None for a division by 0."""
    if below == 0:
        return None
    try:
        return above / below
    except OverflowError:
        raise DataError(
            f"{metric.name} is larger than a float64 holds",
            remedy="look for amounts that are far too large",
        ) from None
