"""From a source to blocks of checked rows, laid out by customer hash: decide, lay out, wait.

What is decided, each by itself: how many rows a block has, by how many partitions it is laid out,
whether row by row, run by run or as words, and whether one block is allocated for all rows
beforehand. How rows get to their places is the writers' (`partition_writer`); where blocks wait,
`Waiting`'s.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import Block, Preallocated
from ordercycle._ingest.morsels import BatchSlice, Morsels, Tally
from ordercycle._ingest.order_words import (
    PreallocatedWords,
    WordWriter,
    bits_of_blocks,
    bits_of_stream,
    bits_of_words,
)
from ordercycle._ingest.partition_writer import PartitionWriter, RowWriter
from ordercycle._ingest.run_writer import RunWriter, has_long_runs
from ordercycle._ingest.spill import Spill, Waiting
from ordercycle._ingest.table_readers import RowReader
from ordercycle._sources.row_source import Source
from ordercycle._workspace import Workers

#: Rows of a morsel: measured best on 2 MB of cache per core.
MORSEL_ROWS = 2**18
#: A block of a stream is laid out when it has this many rows; a larger batch is cut.
BLOCK_ROWS = 2**22
#: Rows laid out at a time in a block that all rows of a stream share: enough for the threads, and
#: a quarter of the memory for what was read.
STEP_ROWS = 2**20
#: Rows of a partition to aim for, and the most partitions a morsel can be laid out by.
PARTITION_ROWS = 100_000
MAX_PARTITION_BITS = 12
#: Down to so many, there is one bit less where rows are written in runs: what they are looked up in
#: is smaller then, and with half the partitions the work took a tenth less.
LEAST_BITS_OF_RUNS = 4
#: Partitions of a stream whose length is not known: good for 10 to 1,000 million rows.
STREAM_PARTITION_BITS = 10

Report = Callable[[int], None]


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
    plan = _Plan(source, reader, spill, workers.threads, least_bits, partition_bits)
    tally = Tally()
    with Waiting(spill) as waiting:
        for rows in plan.cut():
            plan.decide(rows)
            writer = _writer(rows, plan, problems, workers)
            for size, counted in writer.write():
                tally.add(counted)
                report(size)
            if isinstance(writer, WordWriter):
                plan.partition_bits = writer.bits
            if writer.block.rows is not plan.preallocated:
                waiting.add(writer.block)
                plan.cuts_steps = False
        if plan.preallocated is not None:
            waiting.add(plan.preallocated.block)
        problems.check()
        reader.end()
        return Ingested(waiting.blocks, tally, plan.partition_bits or 0, waiting.is_spilled)


@dataclass(frozen=True)
class _BlockRows:
    """The rows of a block, none of whose slices is larger than a morsel."""

    slices: list[BatchSlice]
    are_all: bool  # of the source

    @property
    def size(self) -> int:
        return sum(part.batch.num_rows for part in self.slices)


@dataclass
class _Plan:
    """How the rows of a source are laid out; what a block's rows show is decided with them."""

    source: Source
    reader: RowReader
    spill: Spill | None
    threads: int
    least_bits: int
    partition_bits: int | None
    in_runs: bool = False
    word_bits: int | None = None  # where rows are written as words
    #: Memory for all rows of a stream, where as many as were to come fit it.
    preallocated: Preallocated | None = None

    def __post_init__(self) -> None:
        self._row_bytes = 0  # of the last batch, where memory has a limit
        self.cuts_steps = self._can_preallocate()  # while blocks are steps of a single one

    @property
    def morsel_rows(self) -> int:
        """The rows of a morsel, at most."""
        return min(MORSEL_ROWS, self.reader.morsel_rows or MORSEL_ROWS)

    def cut(self) -> Iterator[_BlockRows]:
        """Yield the rows of one block after the other."""
        slices: list[BatchSlice] = []
        gathered = seen = 0
        are_all = True
        for batch in self.source.batches:
            least_rows = self._least_rows(batch)
            slice_rows = min(self.morsel_rows, least_rows)
            for start in range(0, batch.num_rows, slice_rows):
                if gathered and gathered >= least_rows:
                    are_all = False
                    yield _BlockRows(slices, are_all)
                    slices, gathered = [], 0
                slices.append(BatchSlice(batch.slice(start, slice_rows), seen + start))
                gathered += slices[-1].batch.num_rows
            seen += batch.num_rows
        if slices:
            yield _BlockRows(slices, are_all)

    def _least_rows(self, batch: pa.RecordBatch) -> int:
        """Return how many rows a block has, at least, that ends in this batch."""
        if self.cuts_steps:
            rows = STEP_ROWS
        elif self.source.rows is not None and self.source.in_memory:
            rows = max(1, self.source.rows)  # they are there anyway: one block
        else:
            rows = BLOCK_ROWS if self.spill is None else sys.maxsize  # as many as there is room for
        if self.spill is None:
            return rows
        self.reader.refuse_long_ids(batch)
        self._row_bytes = self._width + self.reader.id_bytes(batch)
        return min(rows, self.spill.block_rows(self._row_bytes))

    def decide(self, rows: _BlockRows) -> None:
        """Look at the rows of a block."""
        self.in_runs = has_long_runs(rows.slices, self.reader)
        if self.partition_bits is None:
            self.partition_bits = self._bits(rows)
            if not self.in_runs:
                self.word_bits = self._word_bits(rows, self.partition_bits)
        if self.cuts_steps and self.preallocated is None and not (self.in_runs or rows.are_all):
            self.preallocated = self._preallocated(self.source.rows or 0, self.partition_bits)

    def _word_bits(self, rows: _BlockRows, bits: int) -> int | None:
        """Return the bits of words where rows, the first ones, are to be written as such."""
        if rows.are_all:
            in_memory = self.source.in_memory and self.spill is None
            return bits_of_words(rows.slices, self.reader, bits) if in_memory else None
        if not self.cuts_steps:
            found = bits_of_blocks(rows.size, rows.slices, self.reader)
        elif self.spill is None:
            found = bits_of_stream(self.source.rows or 0, rows.slices, self.reader)
        else:
            return None
        self.partition_bits = found or bits
        return found

    def _preallocated(self, rows: int, bits: int) -> Preallocated:
        if self.word_bits is not None:
            return PreallocatedWords.for_rows(rows, bits)
        return Preallocated.of(self.reader.columns, rows, 1 << bits)

    def _bits(self, rows: _BlockRows) -> int:
        """Return the base-two logarithm of the number of partitions, given the first block."""
        known = rows.size if rows.are_all else self.source.rows
        best = min(PARTITION_ROWS, self.reader.partition_rows or PARTITION_ROWS)
        if self.spill is not None:
            batch_rows = self.spill.batch_rows(self._row_bytes, self.threads)
            bits = partition_bits_for(known, min(best, batch_rows))
        else:
            bits = partition_bits_for(known, best)
            if self.in_runs and bits > LEAST_BITS_OF_RUNS:
                bits -= 1
        return max(self.least_bits, bits)

    def _can_preallocate(self) -> bool:
        """Return whether a known number of rows, of columns of known width, is to come and fits."""
        source, spill = self.source, self.spill
        if source.rows is None or source.in_memory or not self.reader.ids_are_numbers:
            return False
        return spill is None or not spill.is_over(source.rows * self._width)

    @property
    def _width(self) -> int:
        """The bytes of a row's columns; those of its ids are not among them."""
        return sum(np.dtype(kind).itemsize for kind in self.reader.columns.values())


def _writer(rows: _BlockRows, plan: _Plan, problems: Problems, workers: Workers) -> PartitionWriter:
    """Return what writes the rows of a block as was decided."""
    bits = plan.partition_bits or 0
    if plan.word_bits is not None and not plan.in_runs:
        words = plan.preallocated if isinstance(plan.preallocated, PreallocatedWords) else None
        return WordWriter(rows.slices, plan.reader, problems, plan.word_bits, bits, workers, words)
    morsels = Morsels.of(rows.slices, plan.morsel_rows, workers.workspace)
    if plan.in_runs:
        return RunWriter(morsels, plan.reader, problems, bits, workers)
    # Every batch of a stream may bring a dictionary of its own.
    moves_ids = plan.spill is not None and not plan.source.in_memory
    return RowWriter(
        morsels, plan.reader, problems, bits, workers, plan.preallocated, moves_ids=moves_ids
    )


def partition_bits_for(rows: int | None, partition_rows: int | None = None) -> int:
    """Return the base-two logarithm of the number of partitions.

    partition_rows: of a partition, at most, where hashes divide them evenly; None: as many as are
    best.
    """
    if rows is None:
        return STREAM_PARTITION_BITS
    bits = max(0, -(-rows // (partition_rows or PARTITION_ROWS)) - 1).bit_length()
    return min(MAX_PARTITION_BITS, bits)
