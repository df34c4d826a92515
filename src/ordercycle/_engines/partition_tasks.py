"""What is asked of the customers of each partition; the answers are rows or add up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from ordercycle._columns import profile_schema
from ordercycle._errors import ConfigError, Option, warn
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.membership import Membership
from ordercycle._profile import checked_window
from ordercycle._report.as_of import AsOf, Known
from ordercycle._report.checks import doubts_of_orders
from ordercycle._report.cube import Cube, count
from ordercycle._report.known_days import KnownDays, cells_of_days
from ordercycle._report.months import Months, Period
from ordercycle._report.report_spec import Plan
from ordercycle._report.segment_report import SegmentReport
from ordercycle._segments import scheme as schemes
from ordercycle._segments.counting_rounds import CELLS_SCHEMA, Cells, Round
from ordercycle._segments.scheme import Scheme
from ordercycle._spec import HistorySpec


class Question(Protocol):
    """A question about the customers of a history, which pickles."""

    def schema(self, kind: HistorySpec) -> pa.Schema:
        """Return the schema of the answers about histories of a kind."""

    def answers(self, history: OrderHistory) -> Iterator[pa.RecordBatch]:
        """Yield the answers, batch by batch."""


@dataclass(frozen=True)
class Profiles:
    """Asks for the profile of every customer."""

    as_of: date | str
    window_days: int | None = None

    def schema(self, kind: HistorySpec) -> pa.Schema:
        """Return the columns of a profile."""
        window = checked_window(self.window_days)
        return profile_schema(kind.ids.produced(0), kind.revenue, windowed=window is not None)

    def answers(self, history: OrderHistory) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a profile."""
        return history.profile_batches(self.as_of, self.window_days)


@dataclass(frozen=True)
class HistoryCounts:
    """Asks what a round of a fit counts over the customers of a history."""

    round: Round[Any, Any]

    def schema(self, kind: HistorySpec) -> pa.Schema:  # noqa: ARG002 - the same for all
        """Return the columns of a table of cells."""
        return CELLS_SCHEMA

    def answers(self, history: OrderHistory) -> Iterator[pa.RecordBatch]:
        """Yield what all parts count, as one table."""
        yield Cells.total(
            grouped_orders(history).scan(lambda _, batch, __: self.round.count(batch))
        ).to_batch()


@dataclass(frozen=True)
class TableCounts:
    """Asks what a round of a fit counts over the batches of a profile."""

    round: Round[Any, Any]

    def answers(self, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch:
        """Return what all batches count, as one table."""
        counted = (self.round.count(pa.Table.from_batches([batch])) for batch in batches)
        return Cells.total(counted).to_batch()


@dataclass(frozen=True)
class ReportCells:
    """Asks for the cells of segment reports, as places and values that add up.

    counted: the periods, one after the other; with_days: whether the known days come behind them;
    every: the schedule of a scheme that is recalculated.
    """

    scheme: Scheme
    counted: tuple[Period, ...]
    segments: tuple[str, ...] | None
    every: str
    with_days: bool

    def schema(self, kind: HistorySpec) -> pa.Schema:  # noqa: ARG002 - the same for all
        """Return the columns of a table of cells."""
        return CELLS_SCHEMA

    def check(self, history: OrderHistory) -> None:
        """Raise a ConfigError where scheme or segments make no sense; history: without rows."""
        self._planned(history)

    def answers(self, history: OrderHistory) -> Iterator[pa.RecordBatch]:
        """Yield the cells of all parts, as one table."""
        tables, behind = [], 0
        for membership, plan in self._planned(history):
            places, values = count(history, [membership], plan).sparse()
            tables.append(Cells.summed(places + behind, values))
            behind += plan.size
        if self.with_days:
            days = cells_of_days(history)
            tables.append(Cells(days.cell + behind, days.count))
        yield Cells.total(tables).to_batch()

    def cubes(self, cells: Cells, history: OrderHistory) -> tuple[list[Cube], KnownDays]:
        """Return the cubes and days of all partitions' cells; history: any of the same types."""
        made, behind = [], 0
        for _, plan in self._planned(history):
            of_plan = slice(*np.searchsorted(cells.cell, [behind, behind + plan.size]))
            made.append(Cube.dense(plan, cells.cell[of_plan] - behind, cells.count[of_plan]))
            behind += plan.size
        days = cells.cell[np.searchsorted(cells.cell, behind) :] - behind
        return made, KnownDays.of_cells(days)

    def _planned(self, history: OrderHistory) -> list[tuple[Membership, Plan]]:
        made = []
        for period in self.counted:
            membership = self._membership(history, period)
            plan = Plan.of(
                membership,
                period=period,
                segments=self.segments,
                kind=grouped_orders(history).spec,
            )
            made.append((membership, plan))
        return made

    def _membership(self, history: OrderHistory, period: Period) -> Membership:
        scheme = self.scheme
        if not isinstance(scheme, Scheme):
            raise ConfigError(
                (Option("scheme", scheme), " is no scheme"), remedy="pass one such as Lifecycle()"
            )
        if not scheme.recalculates:
            return scheme.membership(history)
        if scheme.refits:
            raise ConfigError(
                f"{scheme!r} is fitted to all customers at each recalculation, which no partition "
                "has",
                remedy="give it numbers of its own, as in Rfm(..., cuts=dict(fitted.cuts))",
            )
        # Left to itself, each partition would begin with an order of its own.
        return scheme.membership(history, period.first_day, period.last_day, every=self.every)


@dataclass(frozen=True)
class ReportRequest:
    """What a segment report is asked for on a cluster."""

    scheme: Scheme
    period: str | Sequence[str]
    compare: str | None
    months: str | Sequence[str] | None
    segments: Sequence[str] | None
    every: str
    as_of: date | str | None

    def report(
        self, counted: Callable[[ReportCells], Cells], history: OrderHistory
    ) -> SegmentReport:
        """Return the report of what `counted` counts; history: any of the same types.

        Whether the period is over is known once all is counted: if it is not, it is counted again.
        """
        months = Months.of(self.period, "period")
        given = None if self.months is None else Months.of(self.months, "months")
        unknown = Known(lambda: KnownDays.of_cells(np.zeros(0, np.int64)))
        chosen = AsOf.chosen(months, self.compare, self.as_of, unknown)
        question = self._question(chosen, given)
        question.check(history)
        cubes, days = question.cubes(counted(question), history)
        chosen = AsOf.chosen(months, self.compare, self.as_of, Known(lambda: days))
        again = self._question(chosen, given)
        lacking = tuple(part for part in again.counted if part not in question.counted)
        if lacking:
            question = replace(again, counted=lacking, with_days=False)
            cubes = question.cubes(counted(question), history)[0] + cubes
        of_orders = doubts_of_orders(chosen.period, days.first_order, days.last_order)
        for doubt in (*chosen.doubts(), *of_orders):
            warn(doubt)
        return SegmentReport(cubes, chosen)

    def _question(self, chosen: AsOf, given: Months | None) -> ReportCells:
        # Months of a period that begin after its last known day are not counted.
        further = chosen.period.months if given is None else given
        segments = None if self.segments is None else tuple(self.segments)
        periods = tuple(chosen.counted(further))
        return ReportCells(self.scheme, periods, segments, self.every, with_days=True)


@dataclass(frozen=True)
class Assignment:
    """Asks for the segments of the customers of a profile."""

    scheme: Scheme
    options: dict[str, Any]

    def table(self, profiles: pa.Table) -> pa.Table:
        """Return a profile with the columns of the scheme."""
        return self.scheme.assign(profiles, threads=1, **self.options)

    def added(self, schema: pa.Schema) -> pa.Schema:
        """Return the columns that are added to a profile of a schema, checking its columns."""
        whole = self.table(schema.empty_table()).schema
        return pa.schema([whole.field(place) for place in range(len(schema), len(whole))])


@dataclass(frozen=True)
class Segmented:
    """Asks another question, and for the segments of the customers in its answers."""

    question: Question
    assignment: Assignment

    def schema(self, kind: HistorySpec) -> pa.Schema:
        """Return the columns of the other answers, and those of the scheme."""
        return self.assignment.table(self.question.schema(kind).empty_table()).schema

    def answers(self, history: OrderHistory) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the other answers with their segments."""
        for batch in self.question.answers(history):
            yield from self.assignment.table(pa.Table.from_batches([batch])).to_batches()


def first_round(scheme: object) -> Round[pa.Table, Any]:
    """Return the first round of a scheme that is fitted to profiles."""
    if not isinstance(scheme, Scheme) or scheme.fitted_to is None:
        raise ConfigError(f"{scheme!r} has nothing to fit", remedy="pass an Rfm or a Cadence")
    if scheme.fitted_to == "history":
        raise ConfigError(
            f"a {scheme.kind} is fitted to all orders, which profiles do not have",
            remedy="pass the orders to fit_lifecycle",
        )
    first = schemes.first_round(scheme)
    if first is None:
        raise ConfigError(
            f"{scheme!r} is fitted to a whole profile, which no partition has",
            remedy="fit it on one machine, with its method fit",
        )
    return first


def check_countable(scheme: Any, schema: pa.Schema) -> None:
    """Raise the errors of a fit to a profile of these columns, but for there being no customer."""
    first_round(scheme).count(schema.empty_table())
