"""What tasks do with the customers of a partition; the results are rows, or counts that add up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from ordercycle._columns import profile_schema
from ordercycle._engines.named_sums import NAMED_SCHEMA
from ordercycle._errors import ConfigError, DataError, Option, warn
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.membership import Membership
from ordercycle._months import Months, Period
from ordercycle._profile import checked_window
from ordercycle._report.as_of import AsOf, Known
from ordercycle._report.checks import warnings_of_orders
from ordercycle._report.cube import Cube, count
from ordercycle._report.known_days import KnownDays, cells_of_days
from ordercycle._report.report_numbers import ReportNumbers
from ordercycle._report.report_spec import Plan
from ordercycle._report.segment_report import SegmentReport
from ordercycle._segments import fittable
from ordercycle._segments.counting_rounds import CELLS_SCHEMA, Cells, Round
from ordercycle._segments.fittable import Fittable
from ordercycle._segments.scheme import Scheme
from ordercycle._sources.row_source import Where

#: What a job builds of each of its streams, by name.
Streams: TypeAlias = Mapping[str, Any]
ORDERS = "orders"


class PartitionTask(Protocol):
    """What a task does with the streams of its customers; it pickles."""

    def schema(self, nobody: Streams, /) -> pa.Schema:
        """Return the schema of the results; nobody: the streams without customers."""

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the results, batch by batch."""


@contextmanager
def of_a_partition() -> Iterator[None]:
    """Say nothing of the numbers that rows have in a partition: nobody knows them."""
    try:
        yield
    except DataError as error:
        what = error.what.replace(f" at {Where(error.row or 0)} ", " in a partition ")
        raise DataError(what, remedy=error.remedy, column=error.column, count=error.count) from None


class CellTask:
    """A task whose results are cells: the same columns whatever the streams."""

    def schema(self, _: Streams) -> pa.Schema:
        """Return the columns of a table of cells."""
        return CELLS_SCHEMA


class SumTask:
    """A task whose results are sums under names: the same columns whatever the streams."""

    def schema(self, _: Streams) -> pa.Schema:
        """Return the columns of sums under names."""
        return NAMED_SCHEMA


@dataclass(frozen=True)
class Profiles:
    """Profiles every customer."""

    as_of: date | str
    window_days: int | None = None

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns of a profile."""
        spec = grouped_orders(nobody[ORDERS]).spec
        window = checked_window(self.window_days)
        return profile_schema(spec.ids.produced(0), spec.revenue, windowed=window is not None)

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a profile."""
        history: OrderHistory = streams[ORDERS]
        return history.profile_batches(self.as_of, self.window_days)


@dataclass(frozen=True)
class CountHistory(CellTask):
    """Counts the customers of a history for a round of a fit."""

    round: Round[Any, Any]

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield what all parts count, as one table."""
        counted = grouped_orders(streams[ORDERS]).scan(lambda _, batch, __: self.round.count(batch))
        yield Cells.total(counted).to_batch()


@dataclass(frozen=True)
class CountReport(CellTask):
    """Counts segment reports, as places and values that add up.

    plans: of a report for each range of months, one after the other; every: the schedule of a
    scheme that is recalculated; with_days: whether the known days come behind them.
    """

    scheme: Scheme
    plans: tuple[Plan, ...]
    every: str
    with_days: bool

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the cells of all parts, as one table."""
        history: OrderHistory = streams[ORDERS]
        tables, behind = [], 0
        for plan in self.plans:
            membership = membership_of(self.scheme, history, plan.period, self.every)
            places, values = count(history, [membership], plan).sparse()
            tables.append(Cells.summed(places + behind, values))
            behind += plan.size
        if self.with_days:
            days = cells_of_days(history)
            tables.append(Cells(days.cell + behind, days.count))
        yield Cells.total(tables).to_batch()

    def cubes(self, cells: Cells) -> tuple[list[Cube], KnownDays]:
        """Return the cubes and days of all partitions' cells."""
        made, behind = [], 0
        for plan in self.plans:
            of_plan = slice(*np.searchsorted(cells.cell, [behind, behind + plan.size]))
            made.append(Cube.dense(plan, cells.cell[of_plan] - behind, cells.count[of_plan]))
            behind += plan.size
        days = cells.cell[np.searchsorted(cells.cell, behind) :] - behind
        return made, KnownDays.of_cells(days)


def membership_of(scheme: Scheme, history: OrderHistory, period: Period, every: str) -> Membership:
    """Return the membership of a scheme that decides for each customer separately.

    Raises
    ------
    ConfigError
        For anything else, or where the scheme is not fitted.
    """
    if not isinstance(scheme, Scheme):
        raise ConfigError(
            (Option("scheme", scheme), " is no scheme"), remedy="pass one such as Lifecycle()"
        )
    if not scheme.recalculates:
        return scheme.membership(history)
    # Left to itself, each partition would begin with an order of its own.
    return scheme.membership(history, period.first_day, period.last_day, every=every)


@dataclass(frozen=True)
class ReportRequest:
    """The arguments of a segment report on a cluster."""

    scheme: Scheme
    period: str | Sequence[str]
    compare: str | None
    months: str | Sequence[str] | None
    segments: Sequence[str] | None
    every: str
    as_of: date | str | None

    def report(
        self, counted: Callable[[CountReport], Cells], nobody: OrderHistory
    ) -> SegmentReport:
        """Return the report of what `counted` counts; nobody: a history without customers.

        Whether the period is over is known once all is counted: if it is not, it is counted again.
        """
        months = Months.of(self.period, "period")
        given = None if self.months is None else Months.of(self.months, "months")
        unknown = Known(lambda: KnownDays.of_cells(np.zeros(0, np.int64)))
        chosen = AsOf.chosen(months, self.compare, self.as_of, unknown)
        task = self._task(self._periods(chosen, given), nobody, with_days=True)
        cubes, days = task.cubes(counted(task))
        chosen = AsOf.chosen(months, self.compare, self.as_of, Known(lambda: days))
        there = [plan.period for plan in task.plans]
        lacking = [period for period in self._periods(chosen, given) if period not in there]
        if lacking:
            task = self._task(lacking, nobody, with_days=False)
            cubes = task.cubes(counted(task))[0] + cubes
        of_orders = warnings_of_orders(chosen.period, days.first_order, days.last_order)
        for warning in (*chosen.warnings(), *of_orders):
            warn(warning)
        return SegmentReport(ReportNumbers(cubes, chosen))

    def _periods(self, chosen: AsOf, given: Months | None) -> Sequence[Period]:
        # Months of a period that begin after its last known day are not counted.
        return chosen.counted(chosen.period.months if given is None else given)

    def _task(
        self, periods: Sequence[Period], nobody: OrderHistory, *, with_days: bool
    ) -> CountReport:
        plans = [
            Plan.of(
                membership_of(self.scheme, nobody, period, self.every),
                period=period,
                segments=self.segments,
                kind=grouped_orders(nobody).spec,
            )
            for period in periods
        ]
        return CountReport(self.scheme, tuple(plans), self.every, with_days)


@dataclass(frozen=True)
class Assignment:
    """Gives the customers of profiles segments, wherever the profiles are."""

    scheme: Fittable
    options: dict[str, Any]

    def table(self, profiles: pa.Table) -> pa.Table:
        """Return a profile with the columns of the scheme."""
        return self.scheme.assign(profiles, threads=1, **self.options)

    def added(self, profiles: pa.Table) -> pa.Table:
        """Return the columns that the scheme adds."""
        whole = self.table(profiles)
        return whole.select(range(profiles.num_columns, whole.num_columns))

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield batches of a profile with the columns of the scheme."""
        for batch in batches:
            yield from self.table(pa.Table.from_batches([batch])).to_batches()


@dataclass(frozen=True)
class Segmented:
    """Does another task, and gives the customers in its results segments."""

    task: PartitionTask
    assignment: Assignment

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns of the other results, and those of the scheme."""
        return self.assignment.table(self.task.schema(nobody).empty_table()).schema

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the other results with their segments."""
        return self.assignment(self.task.results(streams))


@dataclass(frozen=True)
class CountProfiles:
    """Counts the batches of a profile for a round of a fit, wherever they are."""

    round: Round[pa.Table, Any]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what all batches count, as one table."""
        counted = (self.round.count(pa.Table.from_batches([batch])) for batch in batches)
        yield Cells.total(counted).to_batch()


def first_round(scheme: object) -> Round[pa.Table, Any]:
    """Return the first round of a scheme that is fitted to profiles."""
    if not isinstance(scheme, Fittable) or scheme.fitted_to is None:
        raise ConfigError(
            f"{scheme!r} has nothing to fit", remedy="pass a Clv, a ValueLists, an Rfm or a Cadence"
        )
    if scheme.fitted_to == "history":
        raise ConfigError(
            f"a {scheme.kind} is fitted to all orders, which profiles do not have",
            remedy="pass the orders to fit_lifecycle",
        )
    first = fittable.first_round(scheme)
    if first is None:
        raise ConfigError(
            f"{scheme!r} is fitted to a whole profile, which no partition has",
            remedy="fit it on one machine, with its method fit",
        )
    return first


def check_countable(scheme: Any, schema: pa.Schema) -> None:
    """Raise the errors of a fit to a profile of these columns, but for there being no customer."""
    first_round(scheme).count(schema.empty_table())
