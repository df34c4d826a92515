"""Orders as two words each, where partitions are as many as days or more: a variant of the block.

The first word holds what the partition leaves of a customer's hash, and the day modulo the number
of partitions; the second is the amount. Less is written and read than with three columns, a row
is moved in one piece, and words order by customer without a table of them. It takes ids that are
integers, amounts of one word, and days of no more than about eleven years. Whether days are so is
guessed from some; where that was wrong, the rows are laid out again, as all others are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isqrt
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import (
    HASH,
    ROWS,
    SPARE_ROWS,
    Block,
    PartitionRows,
    Preallocated,
)
from ordercycle._ingest.morsels import BatchSlice, Morsel, Morsels, Tally
from ordercycle._ingest.partition_writer import PartitionWriter, RowWriter
from ordercycle._ingest.payload import DAY
from ordercycle._ingest.table_readers import AMOUNT, RowReader
from ordercycle._workspace import ReturnableArray, Workers
from ordercycle_kernels import order_words as kernels
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.hashing import ROWS_AT_A_TIME

#: The column of first words, and that of ids while they are read.
WORD, CUSTOMER = "word", "customer"
#: Orders from which on they are laid out as words: fewer would have partitions of a few hundred.
LEAST_ROWS = 2**20
#: Rows of a stream from which on they are: whose partitions, as many as there can be, need room
#: beside their share, for five times their spread, where a row's customer has 25 orders.
LEAST_STREAM_ROWS = 2**25
SPREADS, ORDERS_EACH = 5, 25
#: Rows of a block from which on they are, where further blocks come: more bits than days need take
#: longer than columns do in a small one.
LEAST_BLOCK_ROWS = 2**18
#: Rows of a morsel: as pairs they fill half of 2 MB of cache per core.
WORD_MORSEL_ROWS = 2**17
#: Rows of a partition to aim for, and bits of a day and a partition at most.
PARTITION_ROWS = 2**14
MOST_BITS = 12
#: Where days are looked at: so many windows of so many rows; those that are not seen may be a
#: share of the span before and after.
WINDOWS, WINDOW_ROWS = 64, 64
UNSEEN_SHARE = 32


@dataclass(frozen=True)
class WordSection(Preallocated):
    """Words and amounts; the days of grouped rows take half of the memory that their words had."""

    memory: ReturnableArray  # of the words

    @classmethod
    def with_room(cls, sizes: NDArray[np.int64]) -> Self:
        """Return empty partitions with memory for so many rows, one behind the other."""
        ends = np.cumsum(sizes)
        memory = ReturnableArray(int(ends[-1]), np.uint64)
        columns = {WORD: memory.values, AMOUNT: np.empty(ends[-1], np.int64)}
        return cls(columns, ends - sizes, ends - sizes, memory)

    def end(self, partitions: range) -> None:
        """Give back what neighbouring partitions need no more, as they are grouped."""
        items = self.slice_of(partitions)
        self.memory.give_back(slice((items.start + items.stop + 1) // 2, items.stop))


@dataclass(frozen=True)
class PreallocatedWords(WordSection):
    """Words of a stream whose length is known, and the days that were seen."""

    seen: Tally = field(default_factory=Tally)

    @classmethod
    def for_rows(cls, rows: int, bits: int) -> Self:
        """Return memory for so many rows, about as many in each partition."""
        share = -(-rows // (1 << bits))
        room = share + SPREADS * isqrt(ORDERS_EACH * share) + SPARE_ROWS
        return cls.with_room(np.full(1 << bits, room, np.int64))

    @property
    def block(self) -> WordBlock:
        """All rows that were written."""
        bits = self.begins.size.bit_length() - 1
        seen = self.seen
        return WordBlock(
            {ROWS: self}, bits=bits, first_day=seen.first_day or 0, last_day=seen.last_day or 0
        )


@dataclass(frozen=True, kw_only=True)
class WordBlock(Block):
    """Rows in the order of their partitions, of which there are 2**bits, as words and amounts."""

    bits: int
    first_day: int  # of the block, and the last one, which is less than 2**bits days later
    last_day: int

    def hashes_of(self, number: int) -> NDArray[np.uint64]:
        """Return the hash of each row of a partition."""
        return self.part(number).hashes

    def part(self, number: int) -> PartitionRows:
        """Return the rows of a partition in columns: hashes and days in memory of their own."""
        columns = self.rows.part(number)
        words = columns[WORD]
        hashes, days = np.empty(words.size, np.uint64), np.empty(words.size, np.int32)
        kernels.columns_of_words(words, self.bits, number, self.first_day, hashes, days)
        return PartitionRows({HASH: hashes, DAY: days, AMOUNT: columns[AMOUNT]}, {}, words.size)


def bits_of_words(slices: Sequence[BatchSlice], reader: RowReader, least_bits: int) -> int | None:
    """Return the bits of a day and a partition for rows as words; None where they cannot be.

    least_bits: of a partition.
    """
    size: int = sum(part.batch.num_rows for part in slices)
    if size < LEAST_ROWS or not reader.can_be_words:
        return None
    span = _span_of(slices, reader)
    if not 0 < span <= 1 << MOST_BITS:
        return None
    of_days = (span + span // UNSEEN_SHARE - 1).bit_length()
    of_rows = (-(-size // PARTITION_ROWS) - 1).bit_length()
    return min(MOST_BITS, max(1, of_days, of_rows, least_bits))


def bits_of_stream(rows: int, slices: Sequence[BatchSlice], reader: RowReader) -> int | None:
    """Return the bits for so many rows to come, of which these are the first: all there can be."""
    if rows < LEAST_STREAM_ROWS or not reader.can_be_words:
        return None
    return MOST_BITS if 0 < _span_of(slices, reader) <= 1 << MOST_BITS else None


def bits_of_blocks(size: int, slices: Sequence[BatchSlice], reader: RowReader) -> int | None:
    """Return the bits for blocks of about so many rows, of which this is the first one."""
    if size < LEAST_BLOCK_ROWS or not reader.can_be_words:
        return None
    return MOST_BITS if 0 < _span_of(slices, reader) <= 1 << MOST_BITS else None


def words_together(blocks: Sequence[Block]) -> list[WordBlock] | None:
    """Return blocks that are words of days which fit each other; None where some are not."""
    words = [block for block in blocks if isinstance(block, WordBlock)]
    if not words or len(words) < len(blocks):
        return None
    first, last = min(one.first_day for one in words), max(one.last_day for one in words)
    return words if last - first < 1 << words[0].bits else None


def _span_of(slices: Sequence[BatchSlice], reader: RowReader) -> int:
    """Return how many days there are from the first to the last in some windows."""
    days = np.concatenate(list(_windows_of_days(slices, reader)))
    return int(days.max()) - int(days.min()) + 1 if days.size else 0


def _windows_of_days(
    slices: Sequence[BatchSlice], reader: RowReader
) -> Iterator[NDArray[np.int32]]:
    """Yield days of windows from the first row to the last."""
    last = WINDOWS - 1
    for window in range(WINDOWS):
        batch = slices[window * (len(slices) - 1) // last].batch
        start = max(0, batch.num_rows - WINDOW_ROWS) * window // last
        days = reader.known_days(batch.slice(start, WINDOW_ROWS))
        yield days[days != NO_DAY]


class WordWriter(PartitionWriter):
    """Writes orders as words; or in columns, where their days turn out to be too many.

    bits: of a day and a partition; other_bits: of a partition of rows in columns. Once all are
    written, `bits` are those of the block.
    """

    def __init__(
        self,
        slices: Sequence[BatchSlice],
        reader: RowReader,
        problems: Problems,
        bits: int,
        other_bits: int,
        workers: Workers,
        preallocated: PreallocatedWords | None,
    ) -> None:
        morsels = Morsels.of(_cut(slices), WORD_MORSEL_ROWS, workers.workspace)
        super().__init__(morsels, problems, bits, workers)
        self._reader = reader
        self.bits, self._other_bits = bits, other_bits
        # Counted one row down, so that the running sum is where each morsel begins.
        self._begins = np.zeros((len(self._sizes) + 1, 1 << bits), np.int64)
        deque(workers.in_order(self._locate, range(len(self._sizes))), maxlen=0)
        self._laid_out = self._begins.sum(axis=0)
        np.cumsum(self._begins, axis=0, out=self._begins)
        self._rows, begins = _room(self._laid_out, preallocated)
        self._begins += begins

    def write(self) -> Iterator[tuple[int, Tally]]:
        """Read, check and deposit all morsels; then look whether days were as they seemed."""
        seen = Tally()
        for size, tally in super().write():
            seen.see_days(tally.first_day, tally.last_day)
            yield size, tally
        before = self._rows.seen if isinstance(self._rows, PreallocatedWords) else Tally()
        seen.see_days(before.first_day, before.last_day)
        first, last = seen.first_day or 0, seen.last_day or 0
        self.block = WordBlock({ROWS: self._rows}, bits=self.bits, first_day=first, last_day=last)
        if last - first < 1 << self.bits:
            before.see_days(seen.first_day, seen.last_day)
        elif not self._problems:
            self._rows.leave(self._laid_out)
            self._write_columns()

    def _write_columns(self) -> None:
        """Lay all rows out again, as those that are no words."""
        del self.block, self._rows
        self.bits = self._other_bits
        writer = RowWriter(
            self._morsels, self._reader, self._problems, self.bits, self._workers, None,
            moves_ids=False,
        )  # fmt: skip
        deque(writer.write(), maxlen=0)
        self.block = writer.block

    def _locate(self, number: int) -> None:
        """Count the rows of each partition in a morsel."""
        morsel = self._morsels.read(number, {CUSTOMER: "int64"}, self._read_customers)
        kernels.count_integers(
            morsel.columns[CUSTOMER],
            morsel.kept,
            self.bits,
            self._hashes,
            self._begins[number + 1],
        )

    def _read_customers(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        self._reader.leave_out(part, window, morsel)
        morsel.put(CUSTOMER, window, self._reader.customer_numbers(part))

    def _read_rows(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        self._read_customers(part, window, morsel)
        self._reader.read_values(part, window, morsel)

    def _read(self, number: int) -> Morsel:
        types = {CUSTOMER: "int64", DAY: "int32", AMOUNT: "int64"}
        return self._morsels.read(number, types, self._read_rows)

    def _deposit(self, morsel: Morsel, number: int) -> None:
        """Lay a morsel out as pairs in the cache, then copy every slice to its place."""
        array = self._workers.workspace.array
        begins = self._begins[number]
        offsets = np.zeros(begins.size + 1, np.int64)
        np.cumsum(self._begins[number + 1] - begins, out=offsets[1:])
        pairs = array("morsel.pairs", 2 * morsel.size, np.uint64)
        kernels.pair_up(
            morsel.columns[CUSTOMER],
            morsel.columns[DAY],
            morsel.columns[AMOUNT],
            morsel.kept,
            self.bits,
            self._hashes,
            (2 * offsets[:-1]).astype(np.uint32),
            pairs,
        )
        columns = self._rows.columns
        kernels.deposit_pairs(pairs, offsets, begins, columns[WORD], columns[AMOUNT])

    @property
    def _hashes(self) -> NDArray[np.uint64]:
        """Memory of the thread for some hashes."""
        return self._workers.workspace.array("morsel.hashes", int(ROWS_AT_A_TIME), np.uint64)


def _room(
    sizes: NDArray[np.int64], preallocated: PreallocatedWords | None
) -> tuple[WordSection, NDArray[np.int64]]:
    """Return memory for so many rows of each partition, and where these begin in it."""
    begins = None if preallocated is None else preallocated.take(sizes)
    if preallocated is not None and begins is not None:
        return preallocated, begins
    section = WordSection.with_room(sizes)
    section.ends[:] += sizes
    return section, section.begins


def _cut(slices: Sequence[BatchSlice]) -> Iterator[BatchSlice]:
    """Yield slices that are no larger than a morsel."""
    for part in slices:
        for start in range(0, part.batch.num_rows, WORD_MORSEL_ROWS):
            yield BatchSlice(part.batch.slice(start, WORD_MORSEL_ROWS), part.first_row + start)
