"""How the rows of a block get to their places in it: two passes over its morsels.

The first locates: it reads what says where rows go, and counts how many each morsel has in each
partition. Then all places are known, and the second reads everything, checks it, and deposits it.
Morsels are independent, so that threads share nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import HASH, ROWS, Block, Preallocated, Section
from ordercycle._ingest.id_columns import SliceIds
from ordercycle._ingest.id_writer import IdWriter, bytes_by_partition, writer_of_ids
from ordercycle._ingest.morsels import Morsel, Morsels, Tally
from ordercycle._ingest.table_readers import RowReader
from ordercycle._workspace import Workers
from ordercycle_kernels import partition

#: Columns of words are moved three at a time: a row misses the cache once instead of three times.
THREE, WORD_BYTES = 3, 8


class PartitionWriter(ABC):
    """Writes the morsels of a block to their places: located when it is made."""

    block: Block

    def __init__(
        self, morsels: Morsels, problems: Problems, partition_bits: int, workers: Workers
    ) -> None:
        self._morsels = morsels
        self._problems = problems
        self._bits, self._shift = partition_bits, 64 - partition_bits
        self._workers = workers
        self._sizes = morsels.sizes

    def write(self) -> Iterator[tuple[int, Tally]]:
        """Read, check and deposit all morsels; yield the size and tally of one after the other."""
        yield from zip(
            self._sizes, self._workers.in_order(self._write, range(len(self._sizes))), strict=True
        )

    def _write(self, number: int) -> Tally:
        morsel = self._read(number)
        if not self._problems:  # nothing is made of rows after all, where some are wrong
            self._deposit(morsel, number)
        return morsel.tally

    @abstractmethod
    def _read(self, number: int) -> Morsel:
        """Read a morsel and check it."""

    @abstractmethod
    def _deposit(self, morsel: Morsel, number: int) -> None:
        """Copy the rows of a morsel to their places."""


class RowWriter(PartitionWriter):
    """Writes rows in any order, one by one.

    preallocated: where to write them, if there is room; moves_ids: whether those in dictionaries
    are to be copied, so that these need not stay in memory.
    """

    def __init__(
        self,
        morsels: Morsels,
        reader: RowReader,
        problems: Problems,
        partition_bits: int,
        workers: Workers,
        preallocated: Preallocated | None,
        *,
        moves_ids: bool,
    ) -> None:
        super().__init__(morsels, problems, partition_bits, workers)
        self._reader = reader
        self._moves_ids = moves_ids
        # Hashes that are not computed a second time. One array: many small ones would cost three
        # times as much to touch first.
        self._ends = np.cumsum(self._sizes)
        self._hashes = {name: np.empty(self._ends[-1], np.uint64) for name in reader.kept_hashes}
        # Counted one row down, so that the running sum is where each morsel begins.
        self._begins = np.zeros((len(self._sizes) + 1, 1 << partition_bits), np.int64)
        located = list(workers.in_order(self._locate, range(len(self._sizes))))
        sizes = self._begins.sum(axis=0)
        np.cumsum(self._begins, axis=0, out=self._begins)
        self._ids: dict[str, IdWriter] = {
            use: writer_of_ids(use, [ids[use] for ids in located], self._shift, moves_all=moves_ids)
            for use in located[0]
        }
        begins = None
        if preallocated is not None and preallocated.columns.keys() == reader.columns.keys():
            begins = preallocated.take(sizes)
        if preallocated is not None and begins is not None:
            self._begins += begins
            self.block = Block({ROWS: preallocated})
            return
        unused = set().union(*(writer.unused for writer in self._ids.values()))
        types = {name: kind for name, kind in reader.columns.items() if name not in unused}
        rows = Section.to_fill(types, sizes)
        self._begins += rows.begins
        sections = {use: writer.section for use, writer in self._ids.items() if writer.section}
        self.block = Block(
            {ROWS: rows, **sections}, {use: writer.ids for use, writer in self._ids.items()}
        )

    def write(self) -> Iterator[tuple[int, Tally]]:
        """Read, check and deposit all morsels; once more, where their columns were too narrow."""
        yield from super().write()
        if self._problems or not self._reader.widen():
            return
        if isinstance(self.block.rows, Preallocated):
            self.block.rows.leave(self._begins[-1] - self._begins[0])
        del self.block
        writer = RowWriter(
            self._morsels, self._reader, self._problems, self._bits, self._workers, None,
            moves_ids=self._moves_ids,
        )  # fmt: skip
        deque(writer.write(), maxlen=0)
        self.block = writer.block

    def _locate(self, number: int) -> dict[str, tuple[list[SliceIds], NDArray[np.int64]]]:
        """Count the rows of each partition in a morsel; return its ids and their bytes in each."""
        kept = self._kept_hashes(number)
        types = self._reader.morsel_columns
        morsel = self._morsels.read(number, types, self._reader.locate, kept)
        counts = self._begins[number + 1]
        partition.count_partitions(morsel.columns[HASH], morsel.kept, self._shift, counts)
        return {
            use: (slices, bytes_by_partition(use, morsel, counts, self._shift))
            for use, slices in morsel.ids.items()
        }

    def _kept_hashes(self, number: int) -> dict[str, NDArray[np.uint64]]:
        """Return the hashes of a morsel that are not computed a second time."""
        end = self._ends[number]
        rows = slice(end - self._sizes[number], end)
        return {name: hashes[rows] for name, hashes in self._hashes.items()}

    def _read(self, number: int) -> Morsel:
        kept = self._kept_hashes(number)
        types, read = self._reader.morsel_columns, self._reader.read
        return self._morsels.read(number, types, read, kept, has_hashes=True)

    def _deposit(self, morsel: Morsel, number: int) -> None:
        """Lay a morsel out by partition in the cache, then copy every slice to its place."""
        for use, slices in morsel.ids.items():
            self._ids[use].write(number, slices, morsel)
        array = self._workers.workspace.array
        begins = self._begins[number]
        offsets = np.zeros(begins.size + 1, np.int64)
        np.cumsum(self._begins[number + 1] - begins, out=offsets[1:])
        targets = array("morsel.targets", morsel.size, np.int32)
        hashes = morsel.columns[HASH]
        partition.place_rows(hashes, morsel.kept, self._shift, offsets[:-1].copy(), targets)
        columns = self.block.rows.columns
        words = [name for name, column in columns.items() if column.itemsize == WORD_BYTES]
        in_threes = words[: len(words) // THREE * THREE]
        for start in range(0, len(in_threes), THREE):
            three = in_threes[start : start + THREE]
            records = array("laid_out.records", THREE * int(offsets[-1]), np.uint64)
            first, second, third = (partition.as_moved(morsel.columns[name]) for name in three)
            partition.scatter_three(first, second, third, targets, records)
            first, second, third = (partition.as_moved(columns[name]) for name in three)
            partition.deposit_three(records, offsets, begins, first, second, third)
        for name in columns.keys() - set(in_threes):
            moved = partition.as_moved(columns[name])
            item = moved.dtype.name
            laid_out = array(f"laid_out.{item}", int(offsets[-1]), item)
            partition.scatter[item](partition.as_moved(morsel.columns[name]), targets, laid_out)
            partition.deposit[item](laid_out, offsets, begins, moved)
