"""Tasks about where customers are and were: intervals, and who moved between two tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Any

import pyarrow as pa

from ordercycle._engines.feature_tasks import with_values
from ordercycle._engines.named_sums import Name, to_batch
from ordercycle._engines.partition_tasks import (
    ORDERS,
    Assignment,
    Streams,
    SumTask,
    of_a_partition,
)
from ordercycle._engines.refits import Added, Fits, Profiled, fits_of
from ordercycle._errors import ConfigError, Option
from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.membership import Membership
from ordercycle._membership.scheduled import Schedule
from ordercycle._segments.assigning import SEGMENT_TYPE
from ordercycle._segments.scheme import Scheme, membership_with
from ordercycle._segments.transitions import transition_matrix, transitions

BEFORE, AFTER = "before", "after"
FROM, TO = "from_segment", "to_segment"


@dataclass(frozen=True)
class IntervalRows:
    """Makes the intervals of a membership: the arguments are those of `Scheme.membership`.

    fits: schemes that are fitted again, as of each day.
    """

    scheme: Scheme
    start: date | str | None
    end: date | str | None
    every: str | None
    window_days: int | None
    schemes: tuple[Scheme, ...]
    fits: Fits = field(default_factory=dict)

    def check(self) -> None:
        """Raise a ConfigError for schemes whose memberships no task can compute."""
        for scheme in self._all:
            if not isinstance(scheme, Scheme):
                raise ConfigError(
                    (Option("scheme", scheme), " is no scheme"),
                    remedy="pass one such as Lifecycle()",
                )
        if not self.scheme.recalculates:
            return
        for name, day in (("start", self.start), ("end", self.end)):
            if day is None:
                raise ConfigError(
                    f"{self.scheme!r} is recalculated, and no partition knows the first and the "
                    "last order of all",
                    remedy=("pass ", Option(name)),
                )

    @property
    def _all(self) -> tuple[Scheme, ...]:
        return (*self.schemes, self.scheme)

    @property
    def read_streams(self) -> tuple[str, ...]:
        """The names of the streams that the schemes read."""
        names = (name for one in self._all for name in one.reads_streams)
        return tuple(dict.fromkeys(names))

    @property
    def refits(self) -> bool:
        """Whether any of the schemes is fitted again at each recalculation."""
        return self.scheme.recalculates and any(one.refits for one in self._all)

    def prepared(self, added: Added, nobody: Streams) -> IntervalRows:
        """Return the same with all that is fitted again fitted as of each day.

        added: adds up what a task counts; nobody: streams without customers.
        """
        days = self._schedule(nobody[ORDERS]).days
        return replace(self, fits=fits_of(added, nobody, self._all, days, self._profiled))

    @property
    def _profiled(self) -> Profiled:
        return Profiled(self.window_days, {name: name for name in self.read_streams})

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns, segments as texts."""
        return self._table(nobody).schema

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        yield from self._table(streams).to_batches()

    def _table(self, streams: Streams) -> pa.Table:
        made = self._membership(streams).to_table()
        return with_values(made, range(made.num_columns))

    def _schedule(self, history: OrderHistory) -> Schedule:
        return Schedule.of(history, self.start, self.end, self.every or "month")

    def _membership(self, streams: Streams) -> Membership:
        history: OrderHistory = streams[ORDERS]
        if self.refits:
            return membership_with(
                history,
                self._schedule(history),
                self._all,
                self.fits,
                self.window_days,
                self._profiled.there(streams),
            )
        options: dict[str, Any] = {}
        if self.read_streams:  # whose texts were compared with those of all partitions before
            options = {"streams": self._profiled.there(streams), "missing": "empty"}
        return self.scheme.membership(
            history,
            self.start,
            self.end,
            every=self.every,
            window_days=self.window_days,
            schemes=self.schemes,
            **options,
        )


@dataclass(frozen=True)
class MovedRows:
    """Makes the rows of customers whose segment is another one."""

    column: str

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns, segments as texts."""
        return self._table(nobody).schema

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        with of_a_partition():
            yield from self._table(streams).to_batches()

    def _table(self, streams: Streams) -> pa.Table:
        made = transitions(streams[BEFORE], streams[AFTER], self.column, threads=1)
        return with_values(made, range(made.num_columns))


@dataclass(frozen=True)
class MovedSums(SumTask):
    """Counts customers by where they were, and where they are."""

    column: str

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the counts."""
        with of_a_partition():
            counted = transition_matrix(streams[BEFORE], streams[AFTER], self.column, threads=1)
        yield to_batch({(row[FROM], row[TO]): row["customers"] for row in counted.to_pylist()})


def matrix_of(sums: Mapping[Name, Fraction]) -> pa.Table:
    """Return the counts of all partitions, in the order of names, null last."""
    pairs = sorted(sums, key=lambda pair: [(name is None, name or "") for name in map(_text, pair)])
    columns: dict[str, Any] = {}
    for place, title in enumerate((FROM, TO)):
        names = pa.array([_text(pair[place]) for pair in pairs], pa.string())
        columns[title] = names.cast(SEGMENT_TYPE)
    columns["customers"] = pa.array([int(sums[pair]) for pair in pairs], pa.int64())
    return pa.table(columns)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


class LookAheads(Assignment):
    """Adds the next segment of each customer to profiles, wherever these are."""

    def table(self, profiles: pa.Table) -> pa.Table:
        """Return a profile with the next segments, and from which day on."""
        scheme = self.scheme
        if not isinstance(scheme, Scheme):
            raise ConfigError(
                (Option("scheme", scheme), " is no scheme"), remedy="pass one such as Lifecycle()"
            )
        return scheme.next_transition(profiles, threads=1)
