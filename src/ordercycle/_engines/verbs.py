"""The verbs of all engines, once: what Spark and Dask have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Generic, TypeVar

from ordercycle._columns import Columns
from ordercycle._days import day_number
from ordercycle._engines.cluster_views import View
from ordercycle._engines.engine import Engine, F, check_frame, require
from ordercycle._engines.file_frames import FileFrame, are_paths
from ordercycle._engines.grouping_job import GroupingJob
from ordercycle._engines.partition_tasks import (
    Assignment,
    CountHistory,
    CountProfiles,
    PartitionTask,
    Profiles,
    ReportRequest,
    check_countable,
    first_round,
)
from ordercycle._engines.stream_plans import all_options, here, read_request
from ordercycle._errors import ConfigError, Option
from ordercycle._report.segment_report import SegmentReport
from ordercycle._segments.counting_rounds import CELLS_SCHEMA, Cells
from ordercycle._segments.counting_rounds import fit as run_rounds
from ordercycle._segments.fittable import Fittable
from ordercycle._segments.lifecycle import Lifecycle
from ordercycle._segments.lifecycle_fit import gap_round

S = TypeVar("S")


@dataclass(frozen=True)
class ClusterHistory(Generic[F]):
    """An order history on a cluster: tasks build it, each of its partition, when they need it."""

    engine: Engine[F]
    job: GroupingJob
    frames: Sequence[F | FileFrame]

    def where(self, condition: Any, missing: str) -> ClusterHistory[F]:
        """Return a view, as OrderHistory.where does; condition: None for all orders.

        Raises
        ------
        ConfigError, ColumnError
            As for OrderHistory.where, as far as no row is read for it.
        """
        if condition is not None:
            return replace(self, job=self.job.where(View(condition, missing)))
        if missing != "error":
            raise ConfigError(
                (Option("missing", missing), " finds nothing to act on: there is no condition"),
                remedy=("leave it out, or pass ", Option("where")),
            )
        return self

    def _group(self, task: PartitionTask) -> F:
        return self.engine.group(self.job, task, self.frames)

    def _counted(self, task: PartitionTask) -> Cells:
        return self.engine.add_up(self._group(task))

    def profile(self, as_of: date | str, window_days: int | None) -> F:
        """Return one row per customer, as OrderHistory.profile does; lazy."""
        day_number(as_of, "as_of")
        return self._group(Profiles(as_of, window_days))

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
        made: Lifecycle = run_rounds(first, lambda now: [self._counted(CountHistory(now))])
        return made

    def segment_report(self, request: ReportRequest) -> SegmentReport:
        """Return the report that SegmentReport.build returns."""
        return request.report(self._counted, self.job.nobody["orders"])


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
    options = all_options(columns, timezone, options)
    frames: list[F | FileFrame] = []
    for table, given in enumerate([orders] if customers is None else [orders, customers]):
        request = read_request(options, table)
        if not are_paths(given):
            check_frame(engine, given, request.table)
        frames.append(FileFrame.of(given, request) if are_paths(given) else given)
    job = GroupingJob.of(
        frames,
        engine.schema,
        partitions=engine.partitions(frames) if partitions is None else partitions,
        options=options,
        repeatable=engine.repeatable,
    )
    return ClusterHistory(engine, job, frames)


def assign(engine: Engine[F], profiles: F, scheme: Fittable, options: dict[str, Any]) -> F:
    """Return profiles with each customer's segment; lazy."""
    check_frame(engine, profiles, "profiles")
    assignment = Assignment(scheme, options)
    # With all columns, so that one with the name of a new one is refused.
    schema = engine.schema(profiles, engine.columns(profiles), "profiles")
    return engine.assign(profiles, assignment, assignment.added(schema.empty_table()).schema)


def fit(engine: Engine[F], profiles: F, scheme: S) -> S:
    """Return a scheme fitted to profiles, of which only counts come back."""
    check_frame(engine, profiles, "profiles")
    first = first_round(scheme)
    read = engine.columns(profiles)
    # With all columns: of a profile without money, an error says something else.
    check_countable(scheme, engine.schema(profiles, read, "profiles"))
    if first.columns is not None:
        read = [name for name in read if name in first.columns]
    with engine.kept(profiles, read) as kept:
        fitted: S = run_rounds(
            first,
            lambda now: [engine.add_up(engine.map(kept, CountProfiles(now), CELLS_SCHEMA))],
        )
    return fitted
