"""Rows in any order: counted, then deposited slice by slice where their partition lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import COLUMN_TYPES, HASH, Block
from ordercycle._ingest.id_columns import IdPiece
from ordercycle._ingest.id_writer import IdLayout, bytes_by_partition, layout_of_ids
from ordercycle._ingest.partition_writer import Layout
from ordercycle._ingest.preallocated import ReservedBlock
from ordercycle._ingest.runs import Runs
from ordercycle._ingest.table_readers import RowReader, Run, Tally
from ordercycle._workspace import Workers
from ordercycle_kernels import partition


class RowLayout(Layout):
    """The runs of a block on their way to their places in it, row by row."""

    def __init__(
        self,
        runs: Runs,
        reader: RowReader,
        problems: Problems,
        partition_bits: int,
        workers: Workers,
        reserved: ReservedBlock | None,
        *,
        moves_ids: bool,
    ) -> None:
        super().__init__(runs, problems, partition_bits, workers)
        self._reader = reader
        # Hashes that are not computed a second time. One array: many small ones would cost three
        # times as much to touch first.
        self._ends = np.cumsum([runs.rows(number) for number in range(len(runs))])
        self._hashes = {name: np.empty(self._ends[-1], np.uint64) for name in reader.kept_hashes}
        found = list(workers.in_order(self._count, range(len(runs))))
        sizes = self._begins.sum(axis=0)
        np.cumsum(self._begins, axis=0, out=self._begins)
        begins = None if reserved is None else reserved.take(sizes)
        if reserved is not None and begins is not None:
            self._begins += begins
            self._ids: dict[str, IdLayout] = {}
            self.block = reserved.block
            return
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        self._begins += offsets[:-1]
        rows = int(offsets[-1])
        self._ids = {
            use: layout_of_ids(use, [ids[use] for ids in found], self._shift, moves_all=moves_ids)
            for use in found[0]
        }
        unused = set().union(*(layout.unused for layout in self._ids.values()))
        self.block = Block(
            {
                name: np.empty(rows, COLUMN_TYPES[name])
                for name in reader.names
                if name not in unused
            },
            offsets,
            {use: layout.ids for use, layout in self._ids.items()},
        )

    def _kept_hashes(self, number: int) -> dict[str, NDArray[np.uint64]]:
        """Return the hashes of a run that are not computed a second time."""
        end = self._ends[number]
        rows = slice(end - self._runs.rows(number), end)
        return {name: hashes[rows] for name, hashes in self._hashes.items()}

    def _count(self, number: int) -> dict[str, tuple[list[IdPiece], NDArray[np.int64]]]:
        """Count the rows of each partition in a run; return its ids and their bytes in each."""
        run = self._runs.read(
            number, self._reader.names, self._reader.locate, self._kept_hashes(number)
        )
        # One row down, so that the running sum is where each run begins.
        counts = self._begins[number + 1]
        partition.count_partitions(run.columns[HASH], run.kept, self._shift, counts)
        return {
            use: (pieces, bytes_by_partition(use, run, counts, self._shift))
            for use, pieces in run.ids.items()
        }

    def _read(self, number: int) -> Tally:
        run = self._runs.read(
            number,
            self._reader.names,
            self._reader.read,
            self._kept_hashes(number),
            has_hashes=True,
        )
        if not self._problems:
            for use, pieces in run.ids.items():
                self._ids[use].lay_out(number, pieces, run)
            self._deposit(run, number)
        return run.tally

    def _deposit(self, run: Run, number: int) -> None:
        """Lay a run out by partition in the cache, then copy every slice to its place."""
        hashes = run.columns[HASH]
        begins = self._begins[number]
        offsets = np.zeros(begins.size + 1, np.int64)
        np.cumsum(self._begins[number + 1] - begins, out=offsets[1:])
        targets = self._workers.workspace.array("run.targets", hashes.size, np.int32)
        partition.place_rows(hashes, run.kept, self._shift, offsets[:-1].copy(), targets)
        for name, column in self.block.columns.items():
            item = COLUMN_TYPES[name]
            laid_out = self._workers.workspace.array(f"laid_out.{item}", int(offsets[-1]), item)
            partition.scatter[item](run.columns[name], targets, laid_out)
            partition.deposit[item](laid_out, offsets, begins, column)
