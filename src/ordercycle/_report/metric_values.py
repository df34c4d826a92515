"""From the cells of a report to its numbers: exact until the last division."""

from __future__ import annotations

from fractions import Fraction
from functools import cache, reduce
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import number_of
from ordercycle._errors import DataError
from ordercycle._months import Months, Period
from ordercycle._report.blocks import Key, pair_place, powers_of_chunks
from ordercycle._report.catalogue import Catalogue
from ordercycle._report.counting import Counted
from ordercycle._report.cube import Cube
from ordercycle._report.metrics import Metric
from ordercycle._report.quantities import (
    BASE,
    CAMPAIGN,
    DERIVED,
    DISTINCT,
    DURING,
    KNOWN,
    LAST_DAY,
    LAST_MONTH,
    Quantity,
    derived_of,
)
from ordercycle._report.report_spec import ALL_CUSTOMERS, DEFAULT_TARGET
from ordercycle._report.sources import View
from ordercycle_kernels import cube as cells

Values = list[float | None]
EVERYTHING = View(None, DEFAULT_TARGET)


class Grain(NamedTuple):
    """What a number is of: a channel, a type or a campaign."""

    kind: str
    value: str


class OrderCells:
    """The cells of all orders of a view, by row, All Customers last, and month."""

    def __init__(self, cube: Cube) -> None:
        cube.carry()
        rows, columns, width = cube.plan.shape
        own = cube.own.reshape(rows, columns, width)
        # Everybody is on one row of `own` at a time, be it that of no segment.
        everybody = own.sum(axis=0)
        everybody[:, cells.MONTHLY_BUYERS] = everybody[:, cells.MONTHLY_BUYERS_OF_ALL]
        segments = own[:-1]
        if cube.further is not None:
            segments = segments + cube.further.reshape(rows, columns, width)[:-1]
        self.of_months = np.concatenate([segments, everybody[None]])
        self._powers = powers_of_chunks(cube.plan.chunks)

    def field(self, quantity: Quantity, field: int) -> NDArray[Any]:
        """Return a field by row and column, as Python's integers where it is money."""
        if quantity.is_sum:  # a sum of money has every third item from its first chunk on
            return np.asarray(
                self.of_months[:, :, field :: cells.SUMS].astype(object) @ self._powers
            )
        return self.of_months[:, :, field]

    def cells(self, quantity: Quantity) -> NDArray[Any]:
        """Return what a quantity adds up from, by row and column: (rows, columns)."""
        return reduce(np.add, (self.field(quantity, one) for one in quantity.fields))


class Figures:
    """The numbers of a cube: one per row of the report, All Customers last, and range of months."""

    def __init__(self, counted: Cube | Counted) -> None:
        self.counted = counted if isinstance(counted, Counted) else None
        self.plan = counted.plan
        #: The same without customers who are forgotten.
        self._without_forgotten = self if counted.known is None else Figures(counted.known)
        #: The names of the rows.
        self.rows = (*self.plan.segments, ALL_CUSTOMERS)
        views = {EVERYTHING: counted} if isinstance(counted, Cube) else counted.views
        self._orders = {view: OrderCells(cube) for view, cube in views.items()}
        #: The first view: all brands, and the first target action.
        self.first_view = next(iter(views))
        self._of_months = self._orders[self.first_view].of_months
        there = self._of_months[-1].cumsum(axis=0)[1:, cells.CUSTOMERS] > 0
        #: The first month with a customer, or the last where there is none.
        self.first_month = self.plan.months.first + (
            int(there.argmax()) if there.any() else self.plan.months.size - 1
        )
        self._amounts = cache(self._read)
        self._cells = cache(self._read_cells)

    @property
    def catalogue(self) -> Catalogue:
        """The metrics that there are."""
        return self.plan.catalogue

    def values(
        self, metric: Metric, months: Months, view: View | None = None, grain: Grain | None = None
    ) -> Values:
        """Return a metric of each segment and of All Customers; None where it is undefined."""
        view = self.first_view if view is None else view
        names = (*metric.numerator, *metric.denominator)
        found = [self.amounts(name, months, view, grain) for name in names]
        numbers = [one for one in found if one is not None]
        if len(numbers) < len(names):
            return [None] * len(self.rows)
        above, below = numbers[: len(metric.numerator)], numbers[len(metric.numerator) :]
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
            prod((self.unit_of_quantity(name) for name in names), start=Fraction(1))
            for names in (metric.numerator, metric.denominator)
        )
        return above / below

    def unit_of_quantity(self, name: str) -> Fraction:
        """Return how many of a quantity's whole numbers make one."""
        derived = derived_of(name)
        if derived is not None:
            _, parts = derived.terms[0]
            return prod((self.unit_of_quantity(part) for part in parts), start=Fraction(1))
        if name == LAST_DAY:
            return Fraction(1)
        return self.plan.units[self.catalogue.quantity(name).unit]

    def quantity(
        self, name: str, months: Months, view: View | None = None, grain: Grain | None = None
    ) -> list[int]:
        """Return a quantity of each segment and of All Customers, as an exact integer.

        One that is not counted for a view is 0 there.
        """
        view = self.first_view if view is None else view
        return self.amounts(name, months, view, grain) or [0] * len(self.rows)

    def amounts(
        self, name: str, months: Months, view: View, grain: Grain | None
    ) -> list[int] | None:
        """Return a quantity as `quantity` does; None where it is not counted for a view."""
        if name.endswith(KNOWN):
            whole = name.removesuffix(KNOWN)
            return self._without_forgotten.amounts(whole, months, view, grain)
        return self._amounts(name, months, view, grain)

    def _read(self, name: str, months: Months, view: View, grain: Grain | None) -> list[int] | None:
        derived = DERIVED.get(name)
        if derived is not None:
            parts = [self._amounts(part, months, view, grain) for part in derived.parts]
            known = [part for part in parts if part is not None]
            if len(known) < len(parts):
                return None
            return [
                derived.value(dict(zip(derived.parts, amounts, strict=True)))
                for amounts in zip(*known, strict=True)
            ]
        if name == LAST_DAY:
            return [number_of(self.plan.ends(months))] * len(self.rows)
        found = self.cells(name, view, grain)
        if found is None:
            return None
        first, last = (month - self.plan.months.first + 1 for month in months)
        over = self.catalogue.quantity(name).over
        if over == DISTINCT:
            return [int(row) for row in _distinct(found, first, last)]
        if over == DURING:
            total = found[:, first : last + 1].sum(axis=1)
        elif over == LAST_MONTH:
            total = found[:, last]
        else:
            total = found[:, : last + 1].sum(axis=1)
        return [int(amount) for amount in total]

    def cells(
        self, name: str, view: View | None = None, grain: Grain | None = None
    ) -> NDArray[Any] | None:
        """Return what a quantity adds up from: by row, All Customers last, and column.

        Columns are months, behind one for all before; of different customers, pairs of months l < m
        in m * (m - 1) / 2 + l, counted from 1 on, and 0 for never before. Whole numbers, as
        Python's integers where they are sums. None where it is not counted for a view.
        """
        if name.endswith(KNOWN):
            return self._without_forgotten.cells(name.removesuffix(KNOWN), view, grain)
        view = self.first_view if view is None else view
        if grain is not None and grain.kind == CAMPAIGN:  # of which there may be thousands
            return self._read_cells(name, view, grain)
        return self._cells(name, view, grain)

    def has_any(self, grain: Grain) -> bool:
        """Return whether anything was counted of a channel or type."""
        quantities = {
            one.name: one
            for metric in self.catalogue.metrics
            for one in self.catalogue.quantities(metric)
            if grain.kind in one.grains
        }
        return any(bool(np.any(self.cells(name, None, grain))) for name in quantities)

    def _read_cells(self, name: str, view: View, grain: Grain | None) -> NDArray[Any] | None:
        quantity = self.catalogue.quantity(name)
        if quantity.block == BASE:
            return self._orders[view].cells(quantity)
        if self.counted is None:
            raise AssertionError(f"{name} is of no cells of orders, and nothing else was counted")
        block, key = self.place(quantity, grain)
        cells_of = self.counted.blocks[block]
        number = self.counted.sources.number_of(view, block)
        place = cells_of.plan.keys.get(key)
        if number is None:
            return None
        if place is None:
            shape = (len(self.rows), cells_of.plan.width)
            is_pair = quantity.over == DISTINCT
            return np.zeros(shape if is_pair else (len(self.rows), self.plan.shape[1]), np.int64)
        found = cells_of.of_key(number * len(cells_of.plan.keys) + place)
        if cells_of.plan.has_pairs:
            return found if quantity.over == DISTINCT else _by_month(found, cells_of.plan.columns)
        if quantity.is_sum:
            powers = powers_of_chunks(cells_of.plan.chunks)
            return np.asarray(found[:, :, 1:].astype(object) @ powers)
        return found[:, :, 0]

    def place(self, quantity: Quantity, grain: Grain | None) -> tuple[str, Key]:
        """Return the block and the key of a quantity; of what is not known by a grain, all."""
        if grain is None:
            return quantity.block, Key(quantity.group, where=quantity.where)
        if grain.kind == CAMPAIGN and quantity.campaigns is not None:
            return quantity.campaigns, Key(quantity.group, *grain)
        if grain.kind in quantity.grains:
            return quantity.block, Key(quantity.group, *grain)
        return quantity.block, Key(quantity.group, where=quantity.where)


def _distinct(pairs: NDArray[np.int64], first: int, last: int) -> NDArray[np.int64]:
    """Return how many different customers came in columns first to last, of each row."""
    found: NDArray[np.int64] = pairs[:, _pairs_before(first, last)].sum(axis=1)
    return found


@cache
def _pairs_before(first: int, last: int) -> NDArray[np.int64]:
    """Return where pairs are of a month from first to last, and of one before the first."""
    earlier, months = np.arange(first), np.arange(first, last + 1)[:, None]
    return pair_place(earlier, months).ravel()


def _by_month(pairs: NDArray[np.int64], columns: int) -> NDArray[np.int64]:
    """Return how many customers came in each column: (rows, columns)."""
    found = np.zeros((pairs.shape[0], columns), np.int64)
    for month in range(1, columns):
        begin, end = pair_place(0, month), pair_place(0, month + 1)
        found[:, month] = pairs[:, begin:end].sum(axis=1)
    return found


class Reported(NamedTuple):
    """The numbers of a period, of all orders or of a view."""

    figures: Figures
    period: Period
    view: View | None = None

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of the rows."""
        return self.figures.rows

    def values(self, metric: Metric, grain: Grain | None = None) -> Values:
        """Return a metric of each row; grain: of which channel, type or campaign."""
        return self.figures.values(metric, self.period.months, self.view, grain)


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
