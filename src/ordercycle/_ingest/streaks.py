"""Input that is sorted by customer already, or mostly: laid out streak by streak.

Rows of one customer that follow each other are a streak. Where streaks are long, rows need no
hash, no partition and no place of their own: their streak's will do. The ids are looked at first,
to find the streaks and count the rows of each partition; then days and amounts are read, checked
and copied, a streak at a time, to where their partition lies in the block. What comes out is the
same, bit for bit, however the rows are laid out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import COLUMN_TYPES, DAY, HASH, Block, Streaks
from ordercycle._ingest.partition_writer import Layout
from ordercycle._ingest.runs import Runs
from ordercycle._ingest.table_readers import OrderReader, Piece, Run, Tally
from ordercycle._workspace import Workers
from ordercycle_kernels import streaks as kernels

#: Rows of a streak, on average, from which on rows are laid out by streaks. Against row by row
#: that took as long with three, a tenth to a fifth less with four, and half with eleven in order.
LONG_STREAK_ROWS = 4.0
#: Where the rows are looked at to find out: so many windows of so many rows.
WINDOWS, WINDOW_ROWS = 64, 256


class _FoundStreaks(NamedTuple):
    """The k streaks of a run."""

    firsts: NDArray[np.int32]  # (k,) the first row of each
    lengths: NDArray[np.int32]
    hashes: NDArray[np.uint64]


def has_long_streaks(pieces: Sequence[Piece], reader: OrderReader) -> bool:
    """Return whether rows are to be laid out by streaks: all ids are numbers, and streaks long.

    The rows in a few windows decide; whatever they say, the result is the same.
    """
    if not reader.ids_are_numbers:
        return False
    rows = streaks = 0
    for window in range(WINDOWS):
        piece = pieces[window * len(pieces) // WINDOWS]
        start = max(0, piece.batch.num_rows - WINDOW_ROWS) * window // WINDOWS
        ids = reader.customer_numbers(Piece(piece.batch.slice(start, WINDOW_ROWS), 0))
        rows += ids.size
        streaks += kernels.count_streaks(ids)
    return rows >= LONG_STREAK_ROWS * streaks


class StreakLayout(Layout):
    """The runs of a block on their way to their places in it, streak by streak."""

    def __init__(
        self,
        runs: Runs,
        reader: OrderReader,
        problems: Problems,
        partition_bits: int,
        workers: Workers,
    ) -> None:
        super().__init__(runs, problems, partition_bits, workers)
        self._reader = reader
        # Of rows; the others are of streaks.
        self._row_begins = np.zeros_like(self._begins)
        self._found = list(workers.in_order(self._find, range(len(runs))))
        streak_offsets, offsets = (_begin(each) for each in (self._begins, self._row_begins))
        count, rows = int(streak_offsets[-1]), int(offsets[-1])
        self._names = [name for name in reader.names if name != HASH]
        self._streaks = Streaks(np.empty(count, np.uint64), np.empty(count, np.int32))
        self.block = Block(
            {name: np.empty(rows, COLUMN_TYPES[name]) for name in self._names},
            offsets,
            streaks=self._streaks,
            streak_offsets=streak_offsets,
        )

    def _find(self, number: int) -> _FoundStreaks:
        """Find the streaks of a run and count them by partition."""
        array, size = self._workers.workspace.array, self._runs.rows(number)
        ids = array("run.customers", size, np.int64)

        def locate(piece: Piece, window: slice, run: Run) -> None:
            nonlocal ids
            self._reader.leave_out(piece, window, run)
            values = self._reader.customer_numbers(piece)
            if values.size == size:
                ids = values
            else:
                ids[window] = values

        run = self._runs.read(number, [DAY], locate)
        firsts, lengths = (array(f"run.{use}", size, np.int32) for use in ("firsts", "lengths"))
        hashes = array("run.hashes", size, np.uint64)
        count = kernels.find_streaks(ids, run.kept, firsts, lengths, hashes)
        found = _FoundStreaks(*(part[:count].copy() for part in (firsts, lengths, hashes)))
        # One row down, so that the running sum is where each run begins.
        kernels.count_partitions_of_streaks(
            found.hashes,
            found.lengths,
            self._shift,
            self._begins[number + 1],
            self._row_begins[number + 1],
        )
        return found

    def _read(self, number: int) -> Tally:
        run = self._runs.read(number, self._names, self._reader.read_all_but_customers)
        if not self._problems:
            self._deposit(run, number)
        return run.tally

    def _deposit(self, run: Run, number: int) -> None:
        """Copy each streak of a run to its place."""
        firsts, lengths, hashes = self._found[number]
        targets = self._workers.workspace.array("run.targets_of_streaks", firsts.size, np.int64)
        kernels.place_streaks(
            hashes,
            lengths,
            self._shift,
            self._begins[number],
            self._row_begins[number],
            *self._streaks,
            targets,
        )
        for name, values in run.columns.items():
            copy = kernels.copy_streaks[COLUMN_TYPES[name]]
            copy(values, firsts, lengths, targets, self.block.columns[name])


def _begin(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn counts by (run, partition), one run down, into begins; return the offsets of all."""
    offsets = np.zeros(counts.shape[1] + 1, np.int64)
    np.cumsum(counts.sum(axis=0), out=offsets[1:])
    np.cumsum(counts, axis=0, out=counts)
    counts += offsets[:-1]
    return offsets
