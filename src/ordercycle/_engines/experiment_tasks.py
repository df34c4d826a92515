"""Tasks that measure an experiment: what customers of each arm did, as sums that add up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pyarrow as pa

from ordercycle._engines.engine import Engine, F
from ordercycle._engines.feature_tasks import with_values
from ordercycle._engines.interval_plans import GivenIntervals, among, is_frame
from ordercycle._engines.named_sums import arrays_to_batches, fill_arrays
from ordercycle._engines.partition_tasks import ORDERS, Streams, SumTask
from ordercycle._engines.refits import Added
from ordercycle._engines.task_memberships import OnDay, SchemeBetween
from ordercycle._experiments.experiment import Experiment, result_of, scan_of
from ordercycle._experiments.result import ExperimentResult
from ordercycle._experiments.window_scan import Sums, WindowScan

EXPOSURES = "exposures"


@dataclass(frozen=True)
class MeasuredSums(SumTask):
    """Adds up what customers did in their windows; options: those of `Experiment.measure`.

    by: whose segments are compared; from_views: whether windows start at the first view.
    """

    experiment: Experiment
    options: Mapping[str, Any]
    by: OnDay | None
    from_views: bool = False

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the sums that are not 0."""
        return arrays_to_batches(self.scan(streams).summed()._asdict())

    def scan(self, streams: Streams) -> WindowScan:
        """Return what measures the customers of streams."""
        history = streams[ORDERS]
        by = None if self.by is None else self.by.of(streams)
        exposures = streams.get(EXPOSURES)
        scan = scan_of(self.experiment, history, exposures=exposures, by=by, **self.options)
        return WindowScan(**{**vars(scan), "from_views": self.from_views})

    def sums(self, scan: WindowScan, table: pa.Table) -> Sums:
        """Return the sums of all partitions; scan: of nobody."""
        made = scan.nothing()
        fill_arrays(made._asdict(), table)
        return made


def on_day(
    engine: Engine[F], option: str, given: Any, day: date | str
) -> tuple[OnDay | None, dict[str, F]]:
    """Return the membership of a scheme or a frame that holds on a day, and the frame.

    option: where it is given.
    """
    if given is None:
        return None, {}
    if is_frame(engine, given):
        return GivenIntervals.called(option), among(engine, {option: given})
    return SchemeBetween(option, given, day, day, "day"), {}


def measured(task: MeasuredSums, nobody: Streams, added: Added, alpha: float) -> ExperimentResult:
    """Return what the sums that `added` adds up come to; nobody: the streams without customers."""
    task.scan(nobody)  # which checks all, before anything is read
    if task.by is not None:
        task = replace(task, by=task.by.prepared(added, nobody[ORDERS]))

    def sums_of(scan: WindowScan) -> Sums:
        wanted = replace(task, from_views=scan.from_views)
        sums = wanted.sums(scan, added(wanted))
        scan.check(sums)
        return sums

    segments = () if task.by is None else task.by.of(nobody).segments
    return result_of(task.experiment, task.scan(nobody), sums_of, alpha, segments)


@dataclass(frozen=True)
class AssignedArms:
    """Adds the arm of each customer to batches of a table."""

    experiment: Experiment

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield batches with their arms."""
        for batch in batches:
            yield from self.table(pa.Table.from_batches([batch])).to_batches()

    def table(self, table: pa.Table) -> pa.Table:
        """Return a table with the arms of its customers, as texts."""
        made = self.experiment.assign(table)
        return with_values(made, range(table.num_columns, made.num_columns))
