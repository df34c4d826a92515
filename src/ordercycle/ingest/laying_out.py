"""From a source to blocks of checked rows, laid out by customer hash.

Rows are taken in runs that fit the processor's cache. The runs of a block are looked at twice:
first to count how many rows each has in each partition, then, knowing where these go, to read,
check and deposit them. Runs are independent, so that threads share nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordercycle.ingest.blocks import COLUMN_TYPES, HASH, Block
from ordercycle.ingest.id_columns import IdPiece
from ordercycle.ingest.id_layout import IdLayout, bytes_by_partition, layout_of_ids
from ordercycle.ingest.problems import Problems
from ordercycle.ingest.reserved import ReservedBlock
from ordercycle.ingest.row_readers import OrderReader, Piece, RowReader, Run, Tally
from ordercycle.ingest.runs import Runs
from ordercycle.ingest.spill import Spill, Waiting
from ordercycle.ingest.streaks import StreakLayout, has_long_streaks
from ordercycle.sources.row_source import Source
from ordercycle.workspace import Workers
from ordercycle_kernels import partition

#: Rows of a run: measured best on 2 MB of cache per core.
RUN_ROWS = 2**18
#: A block of a stream is laid out when it has this many rows; a larger batch is cut.
BLOCK_ROWS = 2**22
#: Rows laid out at a time in a block that all rows of a stream share: enough for the threads, and
#: a quarter of the memory for what was read.
STEP_ROWS = 2**20
#: Rows of a partition to aim for, and the most partitions a run can be laid out by.
PARTITION_ROWS = 100_000
MAX_PARTITION_BITS = 12
#: Partitions of a stream whose length is not known: good for 10 to 1,000 million rows.
STREAM_PARTITION_BITS = 10

#: Bytes that an id of text is taken to have, where blocks are cut to a limit.
TEXT_BYTES = 32

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
    reserved = None
    is_reserved = _is_reserved(source, reader, spill)
    rows_at_a_time = _block_rows(source, reader, spill)
    gathered = _Gathered(source, min(STEP_ROWS, rows_at_a_time) if is_reserved else rows_at_a_time)
    with Waiting(spill) as waiting:
        for pieces, whole in gathered.blocks():
            if partition_bits is None:
                known = sum(piece.batch.num_rows for piece in pieces) if whole else source.rows
                partition_bits = partition_bits_for(known)
            runs = Runs(list(_runs(pieces)), workers.workspace)
            layout: _Layout | StreakLayout
            if isinstance(reader, OrderReader) and has_long_streaks(pieces, reader):
                layout = StreakLayout(runs, reader, problems, partition_bits, workers)
            else:
                if reserved is None and not whole and is_reserved:
                    reserved = ReservedBlock(reader.names, source.rows or 0, partition_bits)
                layout = _Layout(runs, reader, problems, partition_bits, workers, reserved)
            for size, run_tally in layout.fill():
                tally.add(run_tally)
                report(size)
            if reserved is None or layout.block is not reserved.block:
                waiting.add(layout.block)
                gathered.least_rows = rows_at_a_time
        if reserved is not None:
            waiting.add(reserved.block)
        problems.check()
        return Ingested(waiting.blocks, tally, partition_bits or 0, waiting.is_spilled)


def _block_rows(source: Source, reader: RowReader, spill: Spill | None) -> int:
    """Return how many rows a block has at least, but for the last one."""
    if spill is not None:
        row_bytes = sum(np.dtype(COLUMN_TYPES[name]).itemsize for name in reader.names)
        texts = [ids for ids in reader.id_readers.values() if not ids.is_integer]
        row_bytes += TEXT_BYTES * len(texts)
        return spill.block_rows(row_bytes)
    # What is in memory anyway is laid out in one block.
    return source.rows if source.rows is not None and source.in_memory else BLOCK_ROWS


def _is_reserved(source: Source, reader: RowReader, spill: Spill | None) -> bool:
    """Say whether all rows get one block beforehand: a known number, of columns of known width."""
    if source.rows is None or source.in_memory or not reader.ids_are_numbers:
        return False
    row_bytes = sum(np.dtype(COLUMN_TYPES[name]).itemsize for name in reader.names)
    return spill is None or not spill.is_over(source.rows * row_bytes)


@dataclass
class _Gathered:
    """Pieces of a source, put together for one block after the other."""

    source: Source
    least_rows: int  # of a block, but for the last one

    def blocks(self) -> Iterator[tuple[list[Piece], bool]]:
        """Yield the pieces of each block, and whether they are the whole source."""
        pieces: list[Piece] = []
        gathered = seen = 0
        first = True
        for batch in self.source.batches:
            for start in range(0, batch.num_rows, RUN_ROWS):
                piece = batch.slice(start, RUN_ROWS)
                if gathered and gathered >= self.least_rows:
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
        reserved: ReservedBlock | None,
    ) -> None:
        self._runs = runs
        self._reader = reader
        self._problems = problems
        self._shift = 64 - partition_bits
        self._workers = workers
        # Where the rows that each run has of each partition begin in the block.
        self._begins = np.zeros((len(runs) + 1, 1 << partition_bits), np.int64)
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
            use: layout_of_ids(use, [ids[use] for ids in found], self._shift) for use in found[0]
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

    def fill(self) -> Iterator[tuple[int, Tally]]:
        """Read all runs and deposit them; yield the size and tally of one after the other."""
        tallies = self._workers.in_order(self._read, range(len(self._runs)))
        for number, tally in enumerate(tallies):
            yield self._runs.rows(number), tally

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
