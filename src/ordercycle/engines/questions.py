"""What is asked of the customers of each partition; the answers are rows or add up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import pyarrow as pa

from ordercycle.errors import ConfigError
from ordercycle.history.order_history import OrderHistory
from ordercycle.membership.membership import Membership
from ordercycle.report.cube import Cube, count
from ordercycle.report.months import Months, prior_period
from ordercycle.report.plan import Plan
from ordercycle.report.segment_report import SegmentReport
from ordercycle.segments.fitting import CELLS_SCHEMA, Cells, Round
from ordercycle.segments.lifecycle import Lifecycle
from ordercycle.segments.recalculated import Recalculated
from ordercycle.segments.rfm import Rfm
from ordercycle.segments.scheme import Scheme


class Question(Protocol):
    """A question about the customers of a history, which pickles."""

    def schema(self, history: OrderHistory) -> pa.Schema:
        """Return the schema of the answers about such a history."""

    def answers(self, history: OrderHistory) -> Iterator[pa.RecordBatch]:
        """Yield the answers, batch by batch."""


@dataclass(frozen=True)
class Profiles:
    """Asks for the profile of every customer."""

    as_of: date | str
    window_days: int | None = None

    def schema(self, history: OrderHistory) -> pa.Schema:
        """Return the columns of a profile."""
        return history.profile(self.as_of, self.window_days).schema

    def answers(self, history: OrderHistory) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a profile."""
        return history.profile_batches(self.as_of, self.window_days)


@dataclass(frozen=True)
class HistoryCounts:
    """Asks what a round of a fit counts over the customers of a history."""

    round: Round[Any, Any]

    def schema(self, history: OrderHistory) -> pa.Schema:  # noqa: ARG002 - the same for all
        """Return the columns of a table of cells."""
        return CELLS_SCHEMA

    def answers(self, history: OrderHistory) -> Iterator[pa.RecordBatch]:
        """Yield what all parts count, as one table."""
        yield Cells.total(history.scan(lambda _, batch, __: self.round.count(batch))).to_batch()


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
    """Asks for the cells of a segment report, as places and values that add up.

    every: the schedule of a scheme that is recalculated.
    """

    scheme: Scheme
    months: Months
    segments: tuple[str, ...] | None
    every: str

    @classmethod
    def of(
        cls,
        scheme: Scheme,
        period: str | Sequence[str],
        compare: str | None,
        months: str | Sequence[str] | None,
        segments: Sequence[str] | None,
        every: str,
    ) -> ReportCells:
        """Return the question for a report of a period."""
        covered = Months.of(period, "period")
        for other in (
            prior_period(covered, compare),
            None if months is None else Months.of(months, "months"),
        ):
            covered = covered if other is None else covered.spanning(other)
        return cls(scheme, covered, None if segments is None else tuple(segments), every)

    def schema(self, history: OrderHistory) -> pa.Schema:
        """Return the columns of a table of cells, checking scheme and segments."""
        self._planned(history)
        return CELLS_SCHEMA

    def answers(self, history: OrderHistory) -> Iterator[pa.RecordBatch]:
        """Yield the cells of all parts, as one table."""
        membership, plan = self._planned(history)
        places, values = count(history, [membership], plan).sparse()
        yield Cells.summed(places, values).to_batch()

    def finished(
        self, cells: Cells, history: OrderHistory, period: str | Sequence[str], compare: str | None
    ) -> SegmentReport:
        """Return the report of all partitions' cells; history: any of the same types."""
        _, plan = self._planned(history)
        cube = Cube.dense(plan, cells.cell, cells.count)
        return SegmentReport.finish(cube, period=period, compare=compare)

    def _planned(self, history: OrderHistory) -> tuple[Membership, Plan]:
        membership = self._membership(history)
        plan = Plan.of(
            membership,
            months=self.months,
            segments=self.segments,
            amount=history.kind.amount,
            net_refunds=history.kind.net_refunds,
        )
        return membership, plan

    def _membership(self, history: OrderHistory) -> Membership:
        scheme = self.scheme
        if not hasattr(scheme, "membership"):
            raise ConfigError(f"scheme={scheme!r}: pass a scheme such as Lifecycle()")
        membership: Membership
        if not isinstance(scheme, Recalculated):
            membership = scheme.membership(history)
            return membership
        if isinstance(scheme, Rfm) and (scheme.cuts is None or scheme.account is not None):
            raise ConfigError(
                f"{scheme!r} is fitted anew to all customers at each recalculation, which no "
                "partition has; give it cuts of its own: Rfm(..., cuts=dict(fitted.cuts))"
            )
        # Left to itself, each partition would begin with an order of its own.
        first_day, last_day = self.months.first_day, self.months.last_day
        membership = scheme.membership(history, first_day, last_day, every=self.every)
        return membership


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

    def schema(self, history: OrderHistory) -> pa.Schema:
        """Return the columns of the other answers, and those of the scheme."""
        return self.assignment.table(self.question.schema(history).empty_table()).schema

    def answers(self, history: OrderHistory) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the other answers with their segments."""
        for batch in self.question.answers(history):
            yield from self.assignment.table(pa.Table.from_batches([batch])).to_batches()


def first_round(scheme: object) -> Round[pa.Table, Any]:
    """Return the first round of a scheme that is fitted to profiles."""
    if isinstance(scheme, Lifecycle):
        raise ConfigError(
            "a lifecycle is fitted to all gaps between orders, which profiles do not have; pass "
            "the orders to fit_lifecycle"
        )
    if not hasattr(scheme, "first_round"):
        raise ConfigError(f"{scheme!r} has nothing to fit; pass an Rfm or a Cadence")
    first: Round[pa.Table, Any] = scheme.first_round()
    return first


def check_countable(scheme: Any, schema: pa.Schema) -> None:
    """Raise the errors of a fit to a profile of these columns, but for there being no customer."""
    scheme.first_round().count(schema.empty_table())
