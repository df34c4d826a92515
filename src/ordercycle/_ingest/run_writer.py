"""Input that is sorted by customer already, or mostly: written run by run.

Rows of one customer that follow each other are a run. Where runs are long, rows need no hash, no
partition and no place of their own: their run's will do. The ids are looked at first, to find the
runs and count the rows of each partition; then days and amounts are read, checked and copied, a
run at a time, to where their partition lies in the block. What comes out is the same, bit for bit,
however the rows are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import HASH, LENGTH, ROWS, RUNS, RunBlock, Section
from ordercycle._ingest.morsels import BatchSlice, Morsel, Morsels
from ordercycle._ingest.partition_writer import PartitionWriter
from ordercycle._ingest.table_readers import RowReader
from ordercycle._workspace import Workers
from ordercycle_kernels import runs as kernels
from ordercycle_kernels.partition import as_moved

#: Rows of a run, on average, from which on rows are written by runs. Against row by row that took
#: as long with three, a tenth to a fifth less with four; with eleven in order, building took less
#: than half the CPU time, and building and profiling two thirds (5 M orders: 314 -> 215 ms).
LONG_RUN_ROWS = 4.0
#: Where the rows are looked at to find out: so many windows of so many rows.
WINDOWS, WINDOW_ROWS = 64, 256


class _FoundRuns(NamedTuple):
    """The k runs of a morsel."""

    firsts: NDArray[np.int32]  # (k,) the first row of each
    lengths: NDArray[np.int32]
    hashes: NDArray[np.uint64]


def has_long_runs(slices: Sequence[BatchSlice], reader: RowReader) -> bool:
    """Return whether rows are to be written by runs: all ids are numbers, and runs long.

    The rows in a few windows decide; whatever they say, the result is the same.
    """
    if not reader.can_be_read_by_runs:
        return False
    rows = runs = 0
    for window in range(WINDOWS):
        part = slices[window * len(slices) // WINDOWS]
        start = max(0, part.batch.num_rows - WINDOW_ROWS) * window // WINDOWS
        ids = reader.customer_numbers(BatchSlice(part.batch.slice(start, WINDOW_ROWS), 0))
        rows += ids.size
        runs += kernels.count_runs(ids)
    return rows >= LONG_RUN_ROWS * runs


class RunWriter(PartitionWriter):
    """Writes rows run by run."""

    def __init__(
        self,
        morsels: Morsels,
        reader: RowReader,
        problems: Problems,
        partition_bits: int,
        workers: Workers,
    ) -> None:
        super().__init__(morsels, problems, partition_bits, workers)
        self._reader = reader
        # Counted one row down, so that the running sum is where each morsel begins.
        shape = (len(self._sizes) + 1, 1 << partition_bits)
        self._run_begins, self._row_begins = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._found = list(workers.in_order(self._locate, range(len(self._sizes))))
        self._types = {name: kind for name, kind in reader.columns.items() if name != HASH}
        rows = Section.to_fill(self._types, self._row_begins.sum(axis=0))
        runs = Section.to_fill({HASH: "uint64", LENGTH: "int32"}, self._run_begins.sum(axis=0))
        for begins, section in ((self._row_begins, rows), (self._run_begins, runs)):
            np.cumsum(begins, axis=0, out=begins)
            np.add(begins, section.begins, out=begins)
        self.block = RunBlock({ROWS: rows, RUNS: runs})

    def _locate(self, number: int) -> _FoundRuns:
        """Find the runs of a morsel and count them by partition."""
        array, size = self._workers.workspace.array, self._sizes[number]
        ids = array("morsel.customers", size, np.int64)

        def locate(part: BatchSlice, window: slice, morsel: Morsel) -> None:
            nonlocal ids
            self._reader.leave_out(part, window, morsel)
            values = self._reader.customer_numbers(part)
            if values.size == size:
                ids = values
            else:
                ids[window] = values

        morsel = self._morsels.read(number, {}, locate)
        firsts, lengths = (array(f"morsel.{use}", size, np.int32) for use in ("firsts", "lengths"))
        hashes = array("morsel.hashes", size, np.uint64)
        count = kernels.find_runs(ids, morsel.kept, firsts, lengths, hashes)
        found = _FoundRuns(*(part[:count].copy() for part in (firsts, lengths, hashes)))
        kernels.count_partitions_of_runs(
            found.hashes,
            found.lengths,
            self._shift,
            self._run_begins[number + 1],
            self._row_begins[number + 1],
        )
        return found

    def _read(self, number: int) -> Morsel:
        return self._morsels.read(number, self._types, self._reader.read_all_but_customers)

    def _deposit(self, morsel: Morsel, number: int) -> None:
        """Copy each run of a morsel to its place."""
        firsts, lengths, hashes = self._found[number]
        targets = self._workers.workspace.array("morsel.targets_of_runs", firsts.size, np.int64)
        runs = self.block.sections[RUNS].columns
        kernels.place_runs(
            hashes,
            lengths,
            self._shift,
            self._run_begins[number],
            self._row_begins[number],
            runs[HASH],
            runs[LENGTH],
            targets,
        )
        for name, column in self.block.rows.columns.items():
            values, moved = as_moved(morsel.columns[name]), as_moved(column)
            kernels.copy_runs[moved.dtype.name](values, firsts, lengths, targets, moved)
