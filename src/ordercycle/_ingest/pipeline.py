"""From a source to blocks of checked rows, laid out by customer hash.

Rows are taken in runs that fit the processor's cache. The runs of a block are looked at twice:
first to count how many rows each has in each partition, then, knowing where these go, to read,
check and deposit them. Runs are independent, so that threads share nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import COLUMN_TYPES, Block
from ordercycle._ingest.partition_writer import Layout
from ordercycle._ingest.preallocated import ReservedBlock
from ordercycle._ingest.row_writer import RowLayout
from ordercycle._ingest.runs import Runs
from ordercycle._ingest.spill import Spill, Waiting
from ordercycle._ingest.streaks import StreakLayout, has_long_streaks
from ordercycle._ingest.table_readers import OrderReader, Piece, RowReader, Tally
from ordercycle._sources.row_source import Source
from ordercycle._workspace import Workers

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
#: Down to so many, there is one bit less where rows are laid out in streaks: what they are looked
#: up in is smaller then, and with half the partitions the work took a tenth less.
LEAST_BITS_OF_STREAKS = 4
#: Partitions of a stream whose length is not known: good for 10 to 1,000 million rows.
STREAM_PARTITION_BITS = 10

Report = Callable[[int], None]


def partition_bits_for(rows: int | None, partition_rows: int | None = None) -> int:
    """Return the base-two logarithm of the number of partitions.

    partition_rows: of a partition, at most, where hashes divide them evenly; None: as many as are
    best.
    """
    if rows is None:
        return STREAM_PARTITION_BITS
    bits = max(0, -(-rows // (partition_rows or PARTITION_ROWS)) - 1).bit_length()
    return min(MAX_PARTITION_BITS, bits)


@dataclass
class Ingested:
    """The blocks of a table, and what reading them counted."""

    blocks: list[Block]
    tally: Tally
    partition_bits: int
    is_spilled: bool  # whether blocks wait on disk

    @property
    def held(self) -> int:
        """Bytes of the rows that wait in memory."""
        return 0 if self.is_spilled else sum(block.nbytes for block in self.blocks)


def ingest(
    source: Source,
    reader: RowReader,
    problems: Problems,
    *,
    partition_bits: int | None,
    workers: Workers,
    report: Report,
    spill: Spill | None = None,
    least_bits: int = 0,
) -> Ingested:
    """Read a source to its end, check it and lay its rows out by customer hash.

    partition_bits: None for as many as the number of rows asks for, and `least_bits` at least.

    Raises
    ------
    DataError
        After the last row, so that the message can count the bad values.
    """
    tally = Tally()
    reserved = None
    is_reserved = _is_reserved(source, reader, spill)
    rows_at_a_time = _rows_at_a_time(source, spill)
    gathered = _Gathered(source, STEP_ROWS if is_reserved else rows_at_a_time, reader, spill)
    with Waiting(spill) as waiting:
        for pieces, whole in gathered.blocks():
            of_streaks = None
            if (
                isinstance(reader, OrderReader)
                and not reader.compares_rows  # which takes some out of their streaks
                and has_long_streaks(pieces, reader)
            ):
                of_streaks = reader
            if partition_bits is None:
                known = sum(piece.batch.num_rows for piece in pieces) if whole else source.rows
                if spill is None:
                    bits = _bits_for(known, in_streaks=of_streaks is not None)
                else:
                    batch_rows = spill.batch_rows(gathered.row_bytes, workers.threads)
                    bits = partition_bits_for(known, min(PARTITION_ROWS, batch_rows))
                partition_bits = max(least_bits, bits)
            runs = Runs(list(_runs(pieces)), workers.workspace)
            layout: Layout
            if of_streaks is not None:
                layout = StreakLayout(runs, of_streaks, problems, partition_bits, workers)
            else:
                if reserved is None and not whole and is_reserved:
                    reserved = ReservedBlock(reader.names, source.rows or 0, partition_bits)
                layout = RowLayout(
                    runs,
                    reader,
                    problems,
                    partition_bits,
                    workers,
                    reserved,
                    # Every batch of a stream may bring a dictionary of its own.
                    moves_ids=spill is not None and not source.in_memory,
                )
            for size, run_tally in layout.fill():
                tally.add(run_tally)
                report(size)
            if reserved is None or layout.block is not reserved.block:
                waiting.add(layout.block)
                gathered.least_rows = rows_at_a_time
        if reserved is not None:
            waiting.add(reserved.block)
        problems.check()
        reader.end()
        return Ingested(waiting.blocks, tally, partition_bits or 0, waiting.is_spilled)


def _bits_for(rows: int | None, *, in_streaks: bool) -> int:
    bits = partition_bits_for(rows)
    return bits - 1 if in_streaks and bits > LEAST_BITS_OF_STREAKS else bits


def _rows_at_a_time(source: Source, spill: Spill | None) -> int:
    """Return how many rows a block has at least, but for the last one."""
    if source.rows is not None and source.in_memory:  # anyway: they are laid out in one block
        return source.rows
    return BLOCK_ROWS if spill is None else sys.maxsize  # as many as the limit has room for


def _is_reserved(source: Source, reader: RowReader, spill: Spill | None) -> bool:
    """Return whether all rows get one block beforehand: their number and widths are known."""
    if source.rows is None or source.in_memory or not reader.ids_are_numbers:
        return False
    return spill is None or not spill.is_over(source.rows * _width(reader))


def _width(reader: RowReader) -> int:
    """Return the bytes of a row's columns; those of its ids are not among them."""
    return sum(np.dtype(COLUMN_TYPES[name]).itemsize for name in reader.names)


@dataclass
class _Gathered:
    """Pieces of a source, put together for one block after the other."""

    source: Source
    least_rows: int  # of a block, but for the last one
    reader: RowReader
    spill: Spill | None
    row_bytes: int = 0  # of the last batch, where memory has a limit

    def blocks(self) -> Iterator[tuple[list[Piece], bool]]:
        """Yield the pieces of each block, and whether they are the whole source."""
        pieces: list[Piece] = []
        gathered = seen = 0
        first = True
        for batch in self.source.batches:
            least_rows = self._least_rows(batch)
            piece_rows = min(RUN_ROWS, least_rows)
            for start in range(0, batch.num_rows, piece_rows):
                piece = batch.slice(start, piece_rows)
                if gathered and gathered >= least_rows:
                    yield pieces, False
                    pieces, gathered, first = [], 0, False
                pieces.append(Piece(piece, seen + start))
                gathered += piece.num_rows
            seen += batch.num_rows
        if pieces:
            yield pieces, first

    def _least_rows(self, batch: pa.RecordBatch) -> int:
        """Return how many rows a block has, at least, that ends in this batch."""
        if self.spill is None:
            return self.least_rows
        self.row_bytes = _width(self.reader) + self.reader.id_bytes(batch)
        return min(self.least_rows, self.spill.block_rows(self.row_bytes))


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
