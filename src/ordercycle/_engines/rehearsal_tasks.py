"""Tasks that rehearse an experiment: past customers, and how they would have been divided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._engines.experiment_tasks import MeasuredSums
from ordercycle._engines.named_sums import NAMED_SCHEMA
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
        counts = divided_of(self.scan(streams), self.runs).reshape(-1)
        places = np.flatnonzero(counts)
        arrays = [
            pa.repeat(pa.scalar(DIVIDED), places.size),
            pa.array(places),
            pa.array(counts[places]),
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=NAMED_SCHEMA)

    def scan(self, streams: Streams) -> WindowScan:
        """Return what measures the customers of a partition."""
        measured = self.measured
        return rehearsal_scan(
            measured.experiment, streams[ORDERS], self.runs, self.alpha, **measured.options
        )

    def divided(self, scan: WindowScan, table: pa.Table) -> NDArray[np.int64]:
        """Return the counts of all partitions: (runs, 2, arms)."""
        those = table.filter(pc.equal(table["key"], DIVIDED))
        counts = np.zeros(self.runs * 2 * len(scan.arms.names), np.int64)
        counts[those["cell"].to_numpy()] = those["count"].to_numpy()
        return counts.reshape(self.runs, 2, -1)


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
