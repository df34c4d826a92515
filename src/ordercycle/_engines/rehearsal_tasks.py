"""Tasks that rehearse an experiment: past customers, and how they would have been divided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._engines.experiment_tasks import MeasuredSums
from ordercycle._engines.named_sums import arrays_to_batches, fill_arrays
from ordercycle._engines.partition_tasks import ORDERS, Streams
from ordercycle._experiments.experiment import rehearsal_of, rehearsal_scan
from ordercycle._experiments.rehearsing import divided_of
from ordercycle._experiments.window_scan import WindowScan

#: The key of the runs, beside those of the sums.
DIVIDED = "divided"


@dataclass(frozen=True)
class RehearsedSums:
    """Adds up what customers did, and in how many ways they are divided into arms."""

    measured: MeasuredSums
    runs: int
    alpha: float

    def schema(self, nobody: Streams) -> pa.Schema:
        """Return the columns of sums under names."""
        return self.measured.schema(nobody)

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the sums that are not 0, and the counts of all runs."""
        yield from self.measured.results(streams)
        yield from arrays_to_batches({DIVIDED: divided_of(self.scan(streams), self.runs)})

    def scan(self, streams: Streams) -> WindowScan:
        """Return what measures the customers of a partition."""
        measured = self.measured
        return rehearsal_scan(
            measured.experiment, streams[ORDERS], self.runs, self.alpha, **measured.options
        )

    def divided(self, scan: WindowScan, table: pa.Table) -> NDArray[np.int64]:
        """Return the counts of all partitions: (runs, 2, arms)."""
        counts = np.zeros((self.runs, 2, len(scan.arms.names)), np.int64)
        fill_arrays({DIVIDED: counts}, table)
        return counts


def rehearsed_on(
    task: RehearsedSums, nobody: Streams, added: Callable[[RehearsedSums], pa.Table]
) -> pa.Table:
    """Return the row of what `added` adds up; nobody: the streams without customers."""
    scan = task.scan(nobody)
    table = added(task)
    return rehearsal_of(
        task.measured.experiment,
        scan,
        task.measured.sums(scan, table),
        lambda: task.divided(scan, table),
        task.alpha,
    )
