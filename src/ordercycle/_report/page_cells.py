"""What a page adds up: the cells of a report for each view, as a whole, by channel and campaign."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from math import prod
from operator import or_

import numpy as np

from ordercycle._days import date_of
from ordercycle._months import Months
from ordercycle._page.content import Cells, Numbers, Slice, Table
from ordercycle._report.blocks import pair_place
from ordercycle._report.metric_values import Figures, Grain
from ordercycle._report.metrics import Metric
from ordercycle._report.quantities import (
    CAMPAIGN,
    CHANNEL,
    DISTINCT,
    LAST_DAY,
    REACHED,
    SO_FAR,
    Quantity,
    base_quantities,
    derived_of,
    of_known,
)
from ordercycle._report.sources import View
from ordercycle._report.touched import NONE_TEXT

#: By which a page hides the numbers of few customers.
CUSTOMERS = "customers"
#: Of how many months different customers are told apart by channel, too: their pairs of months are
#: as many as the square of these.
MOST_MONTHS_OF_CHANNEL_REACH = 36


@dataclass(frozen=True)
class PageCells:
    """The cells of a page.

    figures: of whole months; halves: of months in two halves, for months that end early.
    """

    figures: Figures
    months: Months
    halves: Figures | None = None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics, in the order of the export."""
        return self.figures.catalogue.metrics

    @cached_property
    def quantities(self) -> dict[str, Quantity]:
        """What the metrics are made of, by name, and by what numbers of few people are hidden."""
        catalogue = self.figures.catalogue
        found = {one.name: one for metric in self.metrics for one in catalogue.quantities(metric)}
        found.setdefault(CUSTOMERS, catalogue.quantity(of_known(CUSTOMERS)))
        return found

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """The channels, that of no channel only where anything was counted of it."""
        counted = self.figures.counted
        names = () if counted is None else counted.sources.values_of(CHANNEL)
        return tuple(
            name
            for name in names
            if name != NONE_TEXT or self.figures.has_any(Grain(CHANNEL, name))
        )

    @cached_property
    def campaigns(self) -> tuple[str, ...]:
        """The campaigns, in the order of their names."""
        counted = self.figures.counted
        return () if counted is None else tuple(sorted(counted.sources.campaigns))

    def is_by_channel(self, metric: Metric) -> bool:
        """Return whether the page has a metric by channel."""
        if CHANNEL not in metric.grains:
            return False
        is_long = self.months.size > MOST_MONTHS_OF_CHANNEL_REACH
        return not (is_long and any(one.over == DISTINCT for one in self._parts(metric)))

    def is_by_campaign(self, metric: Metric) -> bool:
        """Return whether the page has a metric by campaign: those of different customers it lacks.

        Their pairs of months would be more than everything else.
        """
        above = self._parts(metric, below=False)
        return all(one.campaigns is not None for one in above) and not any(
            one.campaigns == REACHED or one.over == DISTINCT for one in self._parts(metric)
        )

    @cached_property
    def grains(self) -> dict[str, str]:
        """By what the page knows each quantity beside everything: "c" and "m", see `Numbers`."""
        found: dict[str, str] = {}
        of_channels = self._used(self.is_by_channel)
        of_campaigns = self._used(self.is_by_campaign)
        for name, one in self.quantities.items():
            by_channel = name in of_channels and CHANNEL in one.grains
            by_campaign = name in of_campaigns and one.campaigns is not None
            found[name] = "c" * by_channel + "m" * by_campaign
        return {name: grains for name, grains in found.items() if grains}

    def numbers(self) -> tuple[Numbers, tuple[Slice, ...], dict[str, Fraction]]:
        """Return what the numbers are, the numbers, and how many units of a quantity make one."""
        counted = self.figures.counted
        views = (self.figures.first_view,) if counted is None else counted.sources.views
        slices = [self._slice(view) for view in views]
        tables = [table for one in slices for table in (one.cells, one.cut or {})]
        units: dict[str, Fraction] = {LAST_DAY: Fraction(1)}
        for kind, unit in self.figures.plan.units.items():
            names = {name for name, one in self.quantities.items() if one.unit == kind}
            # Of floats, the smallest unit is far smaller than what any amount has.
            shift = _common_zeros(tables, names) if unit.numerator >= 2**1074 else 0
            if shift:
                slices = [one.shifted(names, shift) for one in slices]
            units |= dict.fromkeys(names, unit / 2**shift)
        used = dict.fromkeys(name for metric in self.metrics for name in metric.parts)
        derived = {name: found.terms for name in used if (found := derived_of(name)) is not None}

        def unit_of(name: str) -> Fraction:
            """Return the unit of a quantity, which may be derived of others that are derived."""
            if name in derived and name not in units:
                parts = derived[name][0][1]
                units[name] = prod((unit_of(part) for part in parts), start=Fraction(1))
            return units[name]

        for name in derived:
            unit_of(name)
        over = {name: one.over for name, one in self.quantities.items()}
        return (
            Numbers(over, dict(sorted(derived.items())), self.grains),
            tuple(slices),
            units,
        )

    def open_months(self, campaign: str) -> tuple[int, ...]:
        """Return the months in which messages were sent of which orders may still come."""
        counted = self.figures.counted
        if counted is None:
            return ()
        days = [date_of(day) for name, day in counted.unfinished if name == campaign]
        return tuple(sorted({Months.between(day, day).first for day in days}))

    def _parts(self, metric: Metric, *, below: bool = True) -> list[Quantity]:
        """Return the quantities that a metric adds up, or those above the line alone."""
        names = metric.parts if below else metric.numerator
        quantity = self.figures.catalogue.quantity
        return [one for name in names for one in base_quantities(name, quantity)]

    def _used(self, is_known: Callable[[Metric], bool]) -> set[str]:
        known = filter(is_known, self.metrics)
        return {one.name for metric in known for one in self._parts(metric)}

    def _keys(self) -> Iterator[tuple[str, str, Grain | None]]:
        """Yield all that numbers are of: the key of it, the mark of its kind, and the grain."""
        yield "", "", None
        for place, name in enumerate(self.channels):
            yield f"c{place}", "c", Grain(CHANNEL, name)
        for place, name in enumerate(self.campaigns):
            yield f"m{place}", "m", Grain(CAMPAIGN, name)

    def _slice(self, view: View) -> Slice:
        cells: dict[str, dict[str, Table | None]] = {}
        cut: dict[str, dict[str, Table | None]] = {}
        for key, mark, grain in self._keys():
            cells[key] = self._tables(self.figures, view, mark, grain)
            if self.halves is not None and mark != "m":  # campaigns are compared with nothing
                cut[key] = self._tables(self.halves, view, mark, grain)
        return Slice(view.brand, view.target, cells, cut if self.halves is not None else None)

    def _tables(
        self, figures: Figures, view: View, mark: str, grain: Grain | None
    ) -> dict[str, Table | None]:
        found: dict[str, Table | None] = {}
        for name, one in self.quantities.items():
            if mark not in self.grains.get(name, ""):
                continue
            counted = figures.cells(one.name, view, grain)
            table = None if counted is None else self._table(figures, one, counted)
            if not mark or (table is not None and np.any(table)):
                found[name] = table
        return found

    def _table(self, figures: Figures, quantity: Quantity, counted: Table) -> Table:
        """Return the months of the page, given all that were counted."""
        each = 1 if figures is self.figures else 2
        first, last = (each * month - figures.plan.months.first + 1 for month in self.months)
        if quantity.over == DISTINCT:
            return _pairs(counted, first, self.months.size, each)
        if quantity.over == SO_FAR:
            counted = np.add.accumulate(counted, axis=1)
        return counted[:, first : last + 1 : each]


def _pairs(pairs: Table, first: int, months: int, each: int) -> Table:
    """Return different customers by row, month, and the month in which they came before.

    pairs: as `Figures.cells` returns them; first: the column of the first month; each: how many
    columns a month has, of which the first counts.
    """
    found = np.zeros((pairs.shape[0], months, months), np.int64)
    for month in range(months):
        column = first + each * month
        begin = pair_place(0, column)
        before = pairs[:, begin : begin + column]
        found[:, month, 0] = before[:, :first].sum(axis=1)
        inside = before[:, first:].reshape(pairs.shape[0], month, each)
        found[:, month, 1 : month + 1] = inside.sum(axis=2)
    return found


def _common_zeros(tables: Iterable[Cells], names: set[str]) -> int:
    """Return how many bits all amounts of some quantities end with that are 0."""
    of_keys = (of_key for cells in tables for of_key in cells.values())
    found = (of_key.get(name) for of_key in of_keys for name in names)
    amounts = (amount for table in found if table is not None for amount in table.flat)
    bits = reduce(or_, (abs(int(amount)) for amount in amounts), 0)
    return min((bits & -bits).bit_length() - 1, 1074) if bits else 1074
