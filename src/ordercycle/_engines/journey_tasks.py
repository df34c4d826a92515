"""Tasks that replay a journey over the streams of a partition: rows of entries, states and feed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Generic

import pyarrow as pa

from ordercycle._days import day_number
from ordercycle._engines.engine import F
from ordercycle._engines.interval_plans import GivenIntervals
from ordercycle._engines.partition_tasks import ORDERS, Streams
from ordercycle._engines.refits import Added, Fits
from ordercycle._engines.task_memberships import SchemeBetween
from ordercycle._engines.verbs import Exchanged
from ordercycle._errors import ConfigError, Option, printable, without_warnings
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._journeys.counting import (
    Analytics,
    Counter,
    Funnel,
    LogRank,
    TimeToConvert,
    Withdrawn,
)
from ordercycle._journeys.journey import Journey, replay_of, versions_of
from ordercycle._journeys.replayed import Replayed
from ordercycle._journeys.replaying import Found, Replay
from ordercycle._journeys.run import JourneyRun, replayed_of
from ordercycle._membership.membership import Membership
from ordercycle._segments.counting_rounds import CELLS_SCHEMA
from ordercycle._segments.scheme import Scheme

DAY, NUMBER, TEXT = pa.date32(), pa.int32(), pa.string()
ENTRIES, STATES, FEED = "entries", "states", "feed"
#: The columns of each table behind or around those of customers and values.
COLUMNS: dict[str, dict[str, pa.DataType]] = {
    ENTRIES: {
        "entry": NUMBER,
        "version": TEXT,
        "arm": TEXT,
        "triggered_on": DAY,
        "window_ends_on": DAY,
        "converted_on": DAY,
        "days_to_convert": NUMBER,
        "conversions": NUMBER,
        "value": pa.null(),  # of the type of revenue
        "status": TEXT,
    },
    STATES: {
        "entry": NUMBER,
        "step": TEXT,
        "since": DAY,
        "next_step": TEXT,
        "due_on": DAY,
        "status": TEXT,
    },
    FEED: {"step": TEXT, "action": TEXT, "due_on": DAY},
}


@dataclass(frozen=True)
class Replaying:
    """A journey with what it reads: the arguments of `Journey.replay`.

    every: how often schemes are recalculated that do not follow each order; after: the versions
    before; fits: of the memberships whose schemes are fitted again, as of each day.
    """

    journey: Journey
    memberships: Mapping[str, Scheme | GivenIntervals]
    as_of: date | str
    ledger: Any
    every: str
    after: Journey | Sequence[Journey] = ()
    fits: Mapping[str, Fits] = field(default_factory=dict)

    def run(self, streams: Streams) -> JourneyRun:
        """Return the journey as it went for the customers of a partition."""
        history: OrderHistory = streams[ORDERS]
        memberships = {name: self.membership(name, streams) for name in self.memberships}
        others = self._signals(streams)
        with without_warnings():
            return self.journey.replay(
                history,
                memberships=memberships,
                as_of=self.as_of,
                streams=others or None,
                ledger=self.ledger,
                after=self.after,
            )

    def check(self, nobody: Streams) -> Replay:
        """Return the replay of nobody, which knows what is waited for.

        Raises
        ------
        ConfigError, ColumnError
            The journey does not fit the streams, or a scheme has no membership in a task.
        """
        history: OrderHistory = nobody[ORDERS]
        memberships = {name: self.membership(name, nobody) for name in self.memberships}
        others = self._signals(nobody)
        return replay_of(
            self.journey, history, memberships, others, self.as_of, self.ledger, self.after
        )

    @property
    def refits(self) -> bool:
        """Whether any scheme is fitted again at each recalculation."""
        return any(one.refits for one in self.memberships.values())

    def prepared(self, added: Added, nobody: OrderHistory) -> Replaying:
        """Return the same with all that is fitted again fitted as of each day.

        added: adds up what a task counts; nobody: a history without customers.
        """
        made = {
            name: self._between(name, scheme).prepared(added, nobody).fits
            for name, scheme in self.memberships.items()
            if isinstance(scheme, Scheme) and scheme.refits
        }
        return replace(self, fits={name: one for name, one in made.items() if one is not None})

    def membership(self, name: str, streams: Streams) -> Membership:
        """Return the membership of a scheme, or of a frame.

        Raises
        ------
        ConfigError
            It is no scheme, lacks numbers, is fitted to a whole profile, or begins on no day that
            all share.
        """
        scheme = self.memberships[name]
        if isinstance(scheme, GivenIntervals):
            return scheme.of(streams)
        if not isinstance(scheme, Scheme):
            raise ConfigError(
                (Option("memberships"), printable(f": {name!r} is a {type(scheme).__name__}")),
                remedy="pass a scheme, which each task computes the memberships of, or a frame of "
                "intervals",
            )
        return self._between(name, scheme).of(streams)

    def _signals(self, streams: Streams) -> dict[str, Any]:
        """Return the streams of events that are waited for."""
        frames = [
            one.stream for one in self.memberships.values() if isinstance(one, GivenIntervals)
        ]
        return {name: one for name, one in streams.items() if name not in (ORDERS, *frames)}

    def _between(self, name: str, scheme: Scheme) -> SchemeBetween:
        start = versions_of(self.journey, self.after)[0].starts_on
        if start is None:
            if scheme.recalculates:
                raise ConfigError(
                    f"{scheme!r} is recalculated, and the journey starts on no day from which on",
                    remedy=("name it by ", Option("starts_on")),
                )
            start = self.as_of  # which says nothing of a scheme that follows each order
        fits = self.fits.get(name)
        return SchemeBetween("memberships", scheme, start, self.as_of, self.every, fits)


@dataclass(frozen=True)
class JourneyRows:
    """Makes the rows of one table of a journey: days are those of the feed."""

    replaying: Replaying
    table: str
    days: tuple[date | str, ...] = ()

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns, those of codes as the values themselves."""
        spec = grouped_orders(nobody[ORDERS]).spec
        ids = {"customer_id": spec.ids.produced(0)}
        columns = COLUMNS[self.table]
        if self.table == FEED:
            return pa.schema({"action_key": TEXT} | ids | columns)
        value = pa.float64() if spec.revenue is None else spec.revenue
        kinds = {name: value if name == "value" else kind for name, kind in columns.items()}
        return pa.schema(ids | kinds)

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        table = getattr(self.replaying.run(streams), self.table)(*self.days)
        columns = {}
        for name in table.column_names:
            column = table.column(name)
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            columns[name] = column
        schema = self.schema(streams)
        made = pa.table(columns).select(schema.names)
        yield from made.cast(schema).to_batches()


@dataclass(frozen=True)
class JourneyCounts:
    """Counts the entries of a partition."""

    replaying: Replaying
    counter: Counter

    def schema(self, nobody: Streams) -> pa.Schema:  # noqa: ARG002 - the same for all
        """Return the columns of a table of cells."""
        return CELLS_SCHEMA

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the counts, as one table."""
        yield self.counter.cells(replayed_of(self.replaying.run(streams))).to_batch()


@dataclass(frozen=True)
class ClusterJourneyRun(Generic[F]):
    """What `journey` returns on a cluster: the verbs of :class:`ordercycle.JourneyRun`.

    Rows are lazy frames; what are dictionaries there are values here, and within a partition
    customers ascend by hash. Of everything else, counts come back. Each frame and each table
    shuffles the streams again, but in the block of a ``with run.held() as held:``, where all that
    is asked of `held` takes one shuffle.
    """

    history: Exchanged[F]
    replaying: Replaying
    nobody: Replay

    @contextmanager
    def held(self) -> Iterator[ClusterJourneyRun[F]]:
        """Hold the streams on the cluster while a block of code runs, in memory or else on disk."""
        with self.history.held() as history:
            yield replace(self, history=history)

    @property
    def name(self) -> str:
        """What the journey is called."""
        return self._run_of_nobody.name

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of its arms."""
        return self._run_of_nobody.arms

    @property
    def version(self) -> str:
        """A digest of its definition."""
        return self._run_of_nobody.version

    @property
    def starts_on(self) -> date | None:
        """The first day of the definition."""
        return self._run_of_nobody.starts_on

    @property
    def ends_on(self) -> date | None:
        """The last day of the definition."""
        return self._run_of_nobody.ends_on

    @property
    def as_of(self) -> date:
        """The last day that is known."""
        return self._run_of_nobody.as_of

    @property
    def _run_of_nobody(self) -> JourneyRun:
        return JourneyRun(Replayed(self.nobody, Found(())))

    def entries(self) -> F:
        """Return the rows of :meth:`ordercycle.JourneyRun.entries`; lazy."""
        return self.history.group(JourneyRows(self.replaying, ENTRIES))

    def states(self) -> F:
        """Return the rows of :meth:`ordercycle.JourneyRun.states`; lazy."""
        return self.history.group(JourneyRows(self.replaying, STATES))

    def feed(self, first: date | str, last: date | str | None = None) -> F:
        """Return the rows of :meth:`ordercycle.JourneyRun.feed`; lazy.

        Raises
        ------
        ConfigError
            At once, where a day is none; when the frame is computed, where the days are in the
            wrong order or after that of the run.
        """
        days = tuple(day for day in (first, last) if day is not None)
        for name, day in zip(("first", "last"), days, strict=False):
            day_number(day, name)
        return self.history.group(JourneyRows(self.replaying, FEED, days))

    def withdrawn(self) -> pa.Table:
        """Return what :meth:`ordercycle.JourneyRun.withdrawn` returns: rows of the ledger."""
        return self._counted(Withdrawn())

    def analytics(self, by: str | None = None) -> pa.Table:
        """Return what :meth:`ordercycle.JourneyRun.analytics` returns, with its errors."""
        return self._counted(Analytics(by))

    def funnel(self, arm: str | None = None) -> pa.Table:
        """Return what :meth:`ordercycle.JourneyRun.funnel` returns, with its errors."""
        return self._counted(Funnel(arm))

    def time_to_convert(self, arm: str | None = None) -> pa.Table:
        """Return what :meth:`ordercycle.JourneyRun.time_to_convert` returns, with its errors."""
        return self._counted(TimeToConvert(arm))

    def log_rank(self) -> pa.Table:
        """Return what :meth:`ordercycle.JourneyRun.log_rank` returns, with its errors."""
        return self._counted(LogRank())

    def _counted(self, counter: Counter) -> pa.Table:
        replayed = Replayed(self.nobody, Found(()))
        counter.check(replayed)
        total = self.history.counted(JourneyCounts(self.replaying, counter))
        return counter.table(replayed, total)
