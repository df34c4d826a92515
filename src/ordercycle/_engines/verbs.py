"""The verbs of all engines, once: what Spark and Dask have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any, Generic, TypeVar

import pyarrow as pa

from ordercycle._columns import Columns
from ordercycle._days import day_number
from ordercycle._engines.cluster_views import View, of_features
from ordercycle._engines.engine import Blocks, Engine, F, check_frame, require
from ordercycle._engines.feature_tasks import PROFILES, FeaturedProfiles
from ordercycle._engines.file_frames import FileFrame, are_paths
from ordercycle._engines.given_streams import GivenStreams
from ordercycle._engines.grouping_job import GroupingJob, check_memory, checked_partitions
from ordercycle._engines.interval_plans import OF_INTERVALS, IntervalsPlan, names_of
from ordercycle._engines.named_sums import NAMED_SCHEMA, Name, from_table
from ordercycle._engines.partition_tasks import (
    ORDERS,
    Assignment,
    CountHistory,
    CountProfiles,
    PartitionTask,
    Profiles,
    ReportRequest,
    check_countable,
    first_round,
)
from ordercycle._engines.stream_plans import (
    OF_TASKS,
    EventsPlan,
    OrdersPlan,
    Packing,
    RowsPlan,
    StreamPlan,
    here,
    read_request,
)
from ordercycle._errors import ConfigError, Option, check_choice, suggestion
from ordercycle._features.language import Feature
from ordercycle._features.scan import by_stream
from ordercycle._report.segment_report import SegmentReport
from ordercycle._segments.counting_rounds import CELLS_SCHEMA, Cells, Round
from ordercycle._segments.counting_rounds import fit as run_rounds
from ordercycle._segments.customer_features import MISSING, parsed_features
from ordercycle._segments.fittable import Fittable
from ordercycle._segments.lifecycle import Lifecycle
from ordercycle._segments.lifecycle_fit import gap_round
from ordercycle._segments.value.clv import Clv, intervals_with
from ordercycle._segments.value.fit import ERRORS, ClvRound
from ordercycle._segments.value.intervals import Population, PopulationRound
from ordercycle._sources.read_request import ReadRequest

S = TypeVar("S")
R = TypeVar("R")


@dataclass(frozen=True)
class Exchanged(Generic[F]):
    """Streams where the tasks of their customers are, and what tasks make of them."""

    engine: Engine[F]
    blocks: Blocks

    @property
    def job(self) -> GroupingJob:
        """What was exchanged."""
        job: GroupingJob = self.blocks.job
        return job

    @contextmanager
    def held(self) -> Iterator[Exchanged[F]]:
        """Hold the rows, so that all that is asked of them takes one shuffle."""
        with self.engine.held(self.blocks) as blocks:
            yield replace(self, blocks=blocks)

    def group(self, task: PartitionTask) -> F:
        """Return the results of a task; lazy."""
        return self.engine.run(self.blocks, task)

    def counted(self, task: PartitionTask) -> Cells:
        """Return the sum of the cells of a task."""
        return Cells.from_table(self.engine.add_up(self.group(task), CELLS_SCHEMA))

    def added(self, task: PartitionTask) -> pa.Table:
        """Return the sum of the tables of a task that has names."""
        return self.engine.add_up(self.group(task), NAMED_SCHEMA)

    def summed(self, task: PartitionTask) -> dict[Name, Fraction]:
        """Return the sums under names of a task."""
        return from_table(self.added(task))


@dataclass(frozen=True)
class ClusterHistory(Generic[F]):
    """An order history on a cluster: tasks build it, each of its partition, when they need it."""

    engine: Engine[F]
    job: GroupingJob
    frames: Sequence[F | FileFrame]

    def where(
        self, condition: Any, missing: str, *, has_streams: bool = False
    ) -> ClusterHistory[F]:
        """Return a view, as OrderHistory.where does; condition: None for all orders.

        has_streams: whether `missing` is about others as well.

        Raises
        ------
        ConfigError, ColumnError
            As for OrderHistory.where, as far as no row is read for it.
        """
        if condition is not None:
            return replace(self, job=self.job.where(View(condition, missing)))
        if missing != "error" and not has_streams:
            raise ConfigError(
                (Option("missing", missing), " finds nothing to act on: there is no condition"),
                remedy=("leave it out, or pass ", Option("where")),
            )
        return self

    @property
    def exchanged(self) -> Exchanged[F]:
        """The streams where the tasks of their customers are."""
        return Exchanged(self.engine, self.engine.exchange(self.job, self.frames))

    @property
    def orders_alone(self) -> ClusterHistory[F]:
        """The same without the streams beside orders and customers."""
        orders = self.job.streams[0]
        job = replace(self.job, streams=(orders,))
        return replace(self, job=job, frames=self.frames[: len(orders.tables)])

    @contextmanager
    def held(self, *, is_asked_again: bool = True) -> Iterator[Exchanged[F]]:
        """Hold the rows, for verbs that may ask again, so that all of them take one shuffle.

        is_asked_again: False for one question, for which holding would be work for nothing.
        """
        if not is_asked_again:
            yield self.exchanged
            return
        with self.exchanged.held() as held:
            yield held

    def group(self, task: PartitionTask) -> F:
        """Return the results of a task; lazy."""
        return self.exchanged.group(task)

    def added(self, task: PartitionTask) -> pa.Table:
        """Return the sum of the tables of a task that has names."""
        return self.exchanged.added(task)

    def comparing(
        self, features: Mapping[str, Feature], missing: str, names: Iterable[str]
    ) -> ClusterHistory[F]:
        """Return the same with texts of features looked for, which have to be about these streams.

        Raises
        ------
        ConfigError
            A feature is about a stream that is not among those given.
        """
        of_streams = by_stream(features, dict.fromkeys(names))
        if missing == "empty":
            return self
        compared = {name: list(of_features(own.items())) for name, own in of_streams.items()}
        return replace(self, job=self.job.comparing(compared))

    def profile(self, as_of: date | str, window_days: int | None) -> F:
        """Return one row per customer, as OrderHistory.profile does; lazy."""
        day_number(as_of, "as_of")
        return self.group(Profiles(as_of, window_days))

    def featured_profile(
        self, as_of: date | str, window_days: int | None, features: Any, missing: str
    ) -> F:
        """Return profiles with features; lazy."""
        day_number(as_of, "as_of")
        check_choice("missing", missing, MISSING)
        wanted = parsed_features(features)
        if not wanted:
            raise ConfigError(
                (Option("streams"), " are there, and no features of them"),
                remedy=("leave them out, or pass ", Option("features")),
            )
        there = self.comparing(wanted, missing, (stream.name for stream in self.job.streams))
        return there.group(FeaturedProfiles(Profiles(as_of, window_days), wanted))

    def fit_lifecycle(
        self,
        scheme: Lifecycle | None,
        as_of: date | str,
        active_share: float,
        churned_share: float,
    ) -> Lifecycle:
        """Return the lifecycle that Lifecycle.fit returns; scheme: the one to fit."""
        first = gap_round(
            Lifecycle() if scheme is None else scheme,
            as_of,
            net_refunds=here(self.job.streams[0].options).policies.refunds == "net",
            active_share=active_share,
            churned_share=churned_share,
        )
        # One round, so that nothing is held.
        made: Lifecycle = run_rounds(first, lambda now: [self.exchanged.counted(CountHistory(now))])
        return made

    def segment_report(self, request: ReportRequest) -> SegmentReport:
        """Return the report that SegmentReport.build returns."""
        with self.held(is_asked_again=request.as_of is None) as held:
            return request.report(held.counted, self.job.nobody["orders"])


def planned(
    engine: Engine[F],
    orders: Any,
    customers: Any,
    partitions: int | None,
    columns: Columns | None,
    timezone: str | None,
    options: dict[str, Any],
) -> ClusterHistory[F]:
    """Return the history of frames, or of the paths of files; the options are those of a verb.

    Raises
    ------
    SourceError, ColumnError, ConfigError
        As for OrderHistory.build, as far as no row is read for it.
    """
    require(engine)
    given = GivenStreams.of({}, columns, timezone, options, {})
    return planned_streams(engine, (orders, customers), partitions, given)


def planned_streams(
    engine: Engine[F],
    tables: tuple[Any, Any],
    partitions: int | None,
    given: GivenStreams,
    missing: str = "error",
    rows: Mapping[str, tuple[F, Sequence[str]]] | None = None,
    intervals: Mapping[str, F] | None = None,
) -> ClusterHistory[F]:
    """Return the history of orders and customers beside other streams.

    missing: what becomes of texts in conditions of views of others; rows: frames of what are no
    events, by name, with those of their columns that are read where they are there; intervals:
    frames of memberships, of which the names of segments are read here.

    Raises
    ------
    SourceError, ColumnError, ConfigError
        As for `planned`, also of other streams.
    """
    require(engine)
    mine = given.of_orders()
    there = [one for table, one in enumerate(tables) if table == 0 or one is not None]
    frames: list[F | FileFrame] = []
    for table, one in enumerate(there):
        frame = _frame(engine, one, read_request(mine, table))
        frames.append(frame)
    packing = _packing(engine, frames, partitions, mine)
    plans: list[StreamPlan] = [OrdersPlan.of(ORDERS, frames, mine, packing)]
    _add_streams(engine, given, plans, frames, packing, missing)
    for name, (frame, wanted) in (rows or {}).items():
        plans.append(_rows_plan(engine, name, frame, wanted, packing, len(frames)))
        frames.append(frame)
    for name, frame in (intervals or {}).items():
        names = names_of(engine, frame, name)
        schema = engine.schema(frame, OF_INTERVALS, name)
        read = pa.schema([schema.field(one) for one in OF_INTERVALS])
        plan = IntervalsPlan.of(name, frame, read, packing, len(frames))
        plans.append(replace(plan, names=names))
        frames.append(frame)
    return ClusterHistory(engine, GroupingJob.of_streams(plans, mine), frames)


def planned_tables(
    engine: Engine[F],
    tables: Mapping[str, F],
    wanted: Sequence[str],
    named: str,
    partitions: int | None,
    options: Mapping[str, Any],
) -> ClusterHistory[F]:
    """Return the rows of frames of the same customers, beside each other, by the frames' names.

    wanted: the columns that are read, where they are there; named: that of names, all of which
    every task knows; options: of tasks.

    Raises
    ------
    ColumnError, ConfigError
        As for `planned`.
    """
    require(engine)
    given = GivenStreams.of({}, None, None, options, {})
    for name in given.options:
        if name not in OF_TASKS:
            raise ConfigError(
                f"there is no option {name!r} here{suggestion(name, OF_TASKS)}",
                remedy=f"there are {', '.join(OF_TASKS)}",
            )
    for name, frame in tables.items():
        check_frame(engine, frame, name)
    frames = list(tables.values())
    packing = _packing(engine, frames, partitions, given.shared)
    plans = [
        _rows_plan(engine, name, frame, wanted, packing, number)
        for number, (name, frame) in enumerate(tables.items())
    ]
    plans = [plan.naming(named) if named in _texts_of(plan) else plan for plan in plans]
    return ClusterHistory(engine, GroupingJob.of_streams(plans, given.shared), frames)


def _rows_plan(
    engine: Engine[F],
    name: str,
    frame: F,
    wanted: Sequence[str],
    packing: Packing,
    number: int,
) -> RowsPlan:
    """Return the plan of a frame, of which some columns are read where they are there."""
    check_frame(engine, frame, name)
    found = [one for one in wanted if one in engine.columns(frame)]
    schema = engine.schema(frame, found, name)
    read = pa.schema([schema.field(one) for one in found])
    return RowsPlan.of(name, frame, read, packing, number)


def _texts_of(plan: RowsPlan) -> list[str]:
    """Return the columns of text behind that of customers."""
    texts = (pa.types.is_string, pa.types.is_large_string)
    return [one.name for one in list(plan.nobody.schema)[1:] if any(is_(one.type) for is_ in texts)]


def planned_events(
    engine: Engine[F], given: GivenStreams, partitions: int | None
) -> ClusterHistory[F]:
    """Return streams of events alone, as `planned_streams` returns them beside orders."""
    require(engine)
    frames: list[F | FileFrame] = []
    for name, rows in given.streams.items():
        options, _ = given.of_stream(name)
        frame = _frame(engine, rows, EventsPlan.request(name, options))
        frames.append(frame)
    packing = _packing(engine, frames, partitions, given.shared)
    plans: list[StreamPlan] = []
    _add_streams(engine, given, plans, [], packing, "error")
    return ClusterHistory(engine, GroupingJob.of_streams(plans, given.shared), frames)


def planned_rows(
    engine: Engine[F],
    profiles: F,
    partitions: int | None,
    given: GivenStreams,
    missing: str,
    columns: Sequence[str] | None = None,
) -> ClusterHistory[F]:
    """Return the rows of a frame beside streams of the same customers, as `planned` does.

    columns: those that travel; None: all whose types have a meaning.
    """
    check_frame(engine, profiles, PROFILES)
    frames: list[F | FileFrame] = [profiles]
    packing = _packing(engine, frames, partitions, given.shared)
    if columns is None:
        schema = engine.schema(profiles, engine.columns(profiles), PROFILES)
    else:
        read = engine.schema(profiles, columns, PROFILES)
        schema = pa.schema([read.field(name) for name in columns])
    plans: list[StreamPlan] = [RowsPlan.of(PROFILES, profiles, schema, packing)]
    _add_streams(engine, given, plans, frames, packing, missing)
    return ClusterHistory(engine, GroupingJob.of_streams(plans, given.shared), frames)


def _packing(
    engine: Engine[F],
    frames: Sequence[F | FileFrame],
    partitions: int | None,
    options: dict[str, Any],
) -> Packing:
    check_memory(options)
    number = engine.partitions(frames) if partitions is None else partitions
    return Packing(engine.schema, checked_partitions(number), engine.repeatable)


def _frame(engine: Engine[F], given: Any, request: ReadRequest) -> F | FileFrame:
    """Return a frame, or the files at a path."""
    if are_paths(given):
        return FileFrame.of(given, request)
    check_frame(engine, given, request.table)
    frame: F = given
    return frame


def _add_streams(
    engine: Engine[F],
    given: GivenStreams,
    plans: list[StreamPlan],
    frames: list[F | FileFrame],
    packing: Packing,
    missing: str,
) -> None:
    """Add the plans and frames of further streams."""
    for name, rows in given.streams.items():
        options, condition = given.of_stream(name)
        kind = OrdersPlan if isinstance(options["columns"], Columns) else EventsPlan
        frame = _frame(engine, rows, kind.request(name, options))
        number = sum(len(plan.tables) for plan in plans)
        plan = kind.of(name, [frame], options, packing, number)
        plans.append(plan if condition is None else plan.where(View(condition, missing)))
        frames.append(frame)


def assign(engine: Engine[F], profiles: F, scheme: Fittable, options: dict[str, Any]) -> F:
    """Return profiles with each customer's segment; lazy."""
    check_frame(engine, profiles, "profiles")
    assignment = Assignment(scheme, options)
    # With all columns, so that one with the name of a new one is refused.
    schema = engine.schema(profiles, engine.columns(profiles), "profiles")
    return engine.assign(profiles, assignment, assignment.added(schema.empty_table()))


def fit(engine: Engine[F], profiles: F, scheme: S, errors: str | None = None) -> S:
    """Return a scheme fitted to profiles, of which only counts come back; errors: of a Clv.

    Raises
    ------
    ConfigError, ColumnError, DataError
        As for the method fit of the scheme.
    """
    check_frame(engine, profiles, "profiles")
    first = first_round(scheme)
    if errors is not None:
        if not isinstance(first, ClvRound):
            raise ConfigError(
                (Option("errors", errors), f" means nothing for a {type(scheme).__name__}"),
                remedy="leave it out",
            )
        check_choice("errors", errors, ERRORS)
        first = replace(first, errors=errors)
    # With all columns: of a profile without money, an error says something else.
    check_countable(scheme, engine.schema(profiles, engine.columns(profiles), "profiles"))
    fitted: S = counted_rounds(engine, profiles, first)
    return fitted


def counted_rounds(engine: Engine[F], profiles: F, first: Round[pa.Table, R]) -> R:
    """Return what rounds come to that count profiles, of which the columns they read are kept."""
    read = engine.columns(profiles)
    if first.columns is not None:
        read = [name for name in read if name in first.columns]
    with engine.kept(profiles, read) as kept:
        return run_rounds(
            first,
            lambda now: [
                Cells.from_table(
                    engine.add_up(engine.map(kept, CountProfiles(now), CELLS_SCHEMA), CELLS_SCHEMA)
                )
            ],
        )


def clv_intervals(engine: Engine[F], profiles: F, clv: Clv, options: dict[str, Any]) -> pa.Table:
    """Return what `Clv.intervals` returns: customers are counted, draws are of the counts."""
    check_frame(engine, profiles, "profiles")

    def counted(first: PopulationRound) -> Population:
        schema = engine.schema(profiles, engine.columns(profiles), "profiles")
        first.count(schema.empty_table())  # which checks the columns
        return counted_rounds(engine, profiles, first)

    return intervals_with(clv, counted, **options)
