"""From a source to blocks of checked rows, laid out by customer hash.

Rows are taken in runs that fit the processor's cache. The runs of a block are looked at twice:
first to count how many rows each has in each partition, then, knowing where these go, to read,
check and deposit them. Runs are independent, so that threads share nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ordercycle.blocks import COLUMN_TYPES, HASH, Block, BytesColumn
from ordercycle.problems import Problems
from ordercycle.row_readers import OrderReader, Piece, RowReader, Run, Tally
from ordercycle.runs import Runs
from ordercycle.sources import Source
from ordercycle.spill import Spill, Waiting
from ordercycle.streaks import StreakLayout, has_long_streaks
from ordercycle.workspace import Workers
from ordercycle_kernels import partition

#: Rows of a run: measured best on 2 MB of cache per core.
RUN_ROWS = 2**18
#: A block of a stream is laid out when it has this many rows; a larger batch is cut.
BLOCK_ROWS = 2**22
#: Rows of a partition to aim for, and the most partitions a run can be laid out by.
PARTITION_ROWS = 100_000
MAX_PARTITION_BITS = 12
#: Partitions of a stream whose length is not known: good for 10 to 1,000 million rows.
STREAM_PARTITION_BITS = 10

Report = Callable[[int], None]


def partition_bits_for(rows: int | None) -> int:
    """Return the base-two logarithm of the number of partitions."""
    if rows is None:
        return STREAM_PARTITION_BITS
    bits = max(0, -(-rows // PARTITION_ROWS) - 1).bit_length()
    return min(MAX_PARTITION_BITS, bits)


@dataclass
class Ingested:
    """The blocks of a table, and what reading them counted."""

    blocks: list[Block]
    tally: Tally
    partition_bits: int
    is_spilled: bool  # whether blocks wait on disk


def ingest(
    source: Source,
    reader: RowReader,
    problems: Problems,
    *,
    partition_bits: int | None,
    workers: Workers,
    report: Report,
    spill: Spill | None = None,
) -> Ingested:
    """Read a source to its end, check it and lay its rows out by customer hash.

    Raises
    ------
    DataError
        After the last row, so that the message can count the bad values.
    """
    tally = Tally()
    waiting = Waiting(spill)
    for pieces, whole in _gathered(source, _block_rows(source, reader, spill)):
        if partition_bits is None:
            known = sum(piece.batch.num_rows for piece in pieces) if whole else source.rows
            partition_bits = partition_bits_for(known)
        runs = Runs(list(_runs(pieces)), workers.workspace)
        layout: _Layout | StreakLayout
        if isinstance(reader, OrderReader) and has_long_streaks(pieces, reader):
            layout = StreakLayout(runs, reader, problems, partition_bits, workers)
        else:
            layout = _Layout(runs, reader, problems, partition_bits, workers)
        for size, run_tally in layout.fill():
            tally.add(run_tally)
            report(size)
        waiting.add(layout.block)
    problems.check()
    return Ingested(waiting.blocks, tally, partition_bits or 0, waiting.is_spilled)


def _block_rows(source: Source, reader: RowReader, spill: Spill | None) -> int:
    """Return how many rows a block has at least, but for the last one."""
    if spill is not None:
        row_bytes = sum(np.dtype(COLUMN_TYPES[name]).itemsize for name in reader.names)
        return spill.block_rows(row_bytes)
    # What is in memory anyway is laid out in one block.
    return source.rows if source.rows is not None and source.in_memory else BLOCK_ROWS


def _gathered(source: Source, block_rows: int) -> Iterator[tuple[list[Piece], bool]]:
    """Yield pieces for one block after the other, and whether they are the whole source."""
    pieces: list[Piece] = []
    gathered = seen = 0
    first = True
    for batch in source.batches:
        for start in range(0, batch.num_rows, RUN_ROWS):
            piece = batch.slice(start, RUN_ROWS)
            if gathered and gathered >= block_rows:
                yield pieces, False
                pieces, gathered, first = [], 0, False
            pieces.append(Piece(piece, seen + start))
            gathered += piece.num_rows
        seen += batch.num_rows
    if pieces:
        yield pieces, first


def _runs(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    run: list[Piece] = []
    rows = 0
    for piece in pieces:
        if run and rows + piece.batch.num_rows > RUN_ROWS:
            yield run
            run, rows = [], 0
        run.append(piece)
        rows += piece.batch.num_rows
    if run:
        yield run


class _Layout:
    """The runs of a block on their way to their places in it."""

    def __init__(
        self,
        runs: Runs,
        reader: RowReader,
        problems: Problems,
        partition_bits: int,
        workers: Workers,
    ) -> None:
        self._runs = runs
        self._reader = reader
        self._problems = problems
        self._shift = 64 - partition_bits
        self._workers = workers
        # Where the rows that each run has of each partition begin in the block.
        self._begins = np.zeros((len(runs) + 1, 1 << partition_bits), np.int64)
        id_bytes = list(workers.in_order(self._count, range(len(runs))))
        offsets = np.zeros((1 << partition_bits) + 1, np.int64)
        np.cumsum(self._begins.sum(axis=0), out=offsets[1:])
        np.cumsum(self._begins, axis=0, out=self._begins)
        self._begins += offsets[:-1]
        rows = int(offsets[-1])
        self.block = Block(
            {name: np.empty(rows, COLUMN_TYPES[name]) for name in reader.names}, offsets
        )
        self._id_begins: dict[str, NDArray[np.int64]] = {}
        for use in id_bytes[0]:
            ends = np.cumsum([0] + [sizes[use] for sizes in id_bytes])
            self._id_begins[use] = ends
            self.block.ids[use] = BytesColumn(
                np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(ends[-1], np.uint8)
            )

    def fill(self) -> Iterator[tuple[int, Tally]]:
        """Read all runs and deposit them; yield the size and tally of one after the other."""
        tallies = self._workers.in_order(self._read, range(len(self._runs)))
        for number, tally in enumerate(tallies):
            yield self._runs.rows(number), tally

    def _count(self, number: int) -> dict[str, int]:
        """Count the rows of each partition in a run; return how many bytes its ids have."""
        run = self._runs.read(number, self._reader.names, self._reader.locate)
        # One row down, so that the running sum is where each run begins.
        partition.count_partitions(
            run.columns[HASH], run.kept, self._shift, self._begins[number + 1]
        )
        readers = self._reader.id_readers.items()
        return {use: run.bytes_of(use) for use, ids in readers if not ids.is_integer}

    def _read(self, number: int) -> Tally:
        run = self._runs.read(number, self._reader.names, self._reader.read)
        if not self._problems:
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
        move = partial(self._move, targets=targets, offsets=offsets, begins=begins)
        for name, values in run.columns.items():
            move(COLUMN_TYPES[name], values, self.block.columns[name])
        for use, views in run.ids.items():
            column = self.block.ids[use]
            lengths = np.empty(hashes.size, np.int64)
            for first, view in views:
                lengths[first : first + view.offsets.size - 1] = np.diff(view.offsets)
            placed = move("int64", lengths, column.lengths)
            starts = np.zeros(placed.size + 1, np.int64)
            np.cumsum(placed, out=starts[1:])
            starts += self._id_begins[use][number]
            for first, view in views:
                part = targets[first : first + view.offsets.size - 1]
                partition.scatter_bytes(*view, part, starts, column.data)
            partition.deposit["int64"](starts[:-1], offsets, begins, column.starts)

    def _move(
        self,
        item: str,
        values: NDArray[np.generic],
        out: NDArray[np.generic],
        *,
        targets: NDArray[np.int32],
        offsets: NDArray[np.int64],
        begins: NDArray[np.int64],
    ) -> NDArray[np.generic]:
        laid_out = self._workers.workspace.array(f"laid_out.{item}", int(offsets[-1]), item)
        partition.scatter[item](values, targets, laid_out)
        partition.deposit[item](laid_out, offsets, begins, out)
        return laid_out
