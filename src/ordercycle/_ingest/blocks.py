"""Rows laid out by customer hash: what ingest writes and grouping reads.

A block is made of sections: arrays whose items lie partition by partition, so that those of a
partition are one slice of each. One section has the columns of the rows: their hash, and whatever
the reader of their table declares, of any fixed width. Ids of several bytes are a section of their
own, one id behind the other; or, where they are entries of a dictionary, they stay where they are,
and each row has the start of its own. Lengths are a column of the rows where they differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ordercycle._ingest.id_bytes import IdBytes, joined_ids
from ordercycle._workspace import Workspace

#: The column that every block has.
HASH = "hash"
#: The sections that blocks have; those of ids are called by their use.
ROWS, RUNS = "rows", "runs"
#: The column of ids' bytes, and that of the number of rows of runs.
BYTES, LENGTH = "bytes", "length"
#: Room beyond a partition's even share, in sixteenths of it and in rows: five times the spread of
#: partitions of a hundred thousand rows of customers with a dozen orders each. Memory that is not
#: written to is not taken.
SPARE_SHARE, SPARE_ROWS = 16, 64


class IdColumns(NamedTuple):
    """The columns that ids are read into; of integers there is the hash only."""

    hash: str
    start: str
    length: str


#: What ids are used for, and their columns.
CUSTOMER_IDS, ORDER_IDS = "customer", "order"
ID_COLUMNS = {
    CUSTOMER_IDS: IdColumns(HASH, "customer_start", "customer_length"),
    ORDER_IDS: IdColumns("order", "order_start", "order_length"),
}


@dataclass(frozen=True)
class Section:
    """Arrays whose items lie by partition, those of each in the same slice of every array."""

    columns: Mapping[str, NDArray[Any]]  # (n,) each
    begins: NDArray[np.int64]  # (partitions,) where each partition begins
    ends: NDArray[np.int64]  # (partitions,) and ends, perhaps before the next one begins

    @classmethod
    def to_fill(cls, types: Mapping[str, DTypeLike], sizes: NDArray[np.int64]) -> Self:
        """Return memory for so many items of each partition, one partition behind the other."""
        ends = np.cumsum(sizes)
        columns = {name: np.empty(ends[-1], kind) for name, kind in types.items()}
        return cls(columns, ends - sizes, ends)

    @property
    def bounds(self) -> NDArray[np.int64]:
        """Where each partition begins, and the arrays end: (partitions + 1,)."""
        size = next(iter(self.columns.values())).size
        return np.append(self.begins, size)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(values.nbytes for values in self.columns.values())

    def slice_of(self, partitions: range) -> slice:
        """Return where the items of neighbouring partitions are."""
        return slice(int(self.begins[partitions.start]), int(self.ends[partitions.stop - 1]))

    def part(self, number: int) -> dict[str, NDArray[Any]]:
        """Return the items of a partition, as views."""
        items = self.slice_of(range(number, number + 1))
        return {name: values[items] for name, values in self.columns.items()}

    def end(self, partitions: range) -> None:
        """Give back what grouped partitions need no more: nothing here."""

    def loaded(self, partitions: range, workspace: Workspace, use: str) -> Section:  # noqa: ARG002 - those on disk need them
        """Return a section with these partitions in memory."""
        return self


class Preallocated(Section):
    """A section that is filled in several steps, for a stream whose length is known.

    Blocks of a stream hold every partition in parts, which grouping would have to join in memory of
    its own. Hashes divide rows so evenly that the place of each partition can be known beforehand.
    """

    @classmethod
    def of(cls, types: Mapping[str, DTypeLike], rows: int, partitions: int) -> Self:
        """Return memory for so many rows, about as many in each partition."""
        share = -(-rows // partitions)
        room = share + share // SPARE_SHARE + SPARE_ROWS
        begins = np.arange(partitions, dtype=np.int64) * room
        columns = {name: np.empty(partitions * room, kind) for name, kind in types.items()}
        return cls(columns, begins, begins.copy())

    def take(self, sizes: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return where so many more rows of each partition go; None where there is no room."""
        if np.any(self.ends + sizes > self.bounds[1:]):
            return None
        begins = self.ends.copy()
        self.ends[:] += sizes
        return begins

    def leave(self, sizes: NDArray[np.int64]) -> None:
        """Take the last so many rows of each partition out."""
        self.ends[:] -= sizes

    @property
    def block(self) -> Block:
        """All rows that were written."""
        return Block({ROWS: self})


class BlockIds(NamedTuple):
    """The ids of a block's rows, of one use."""

    length: int  # that all have, or LENGTHS_DIFFER
    dictionary: NDArray[np.uint8] | None  # where they are, if not in a section of their own


@dataclass(frozen=True)
class PartitionRows:
    """The rows of one partition: columns contiguous, the hash among them."""

    columns: Mapping[str, NDArray[Any]]
    ids: Mapping[str, IdBytes]
    size: int

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """The hashes that rows are looked up by."""
        return self.columns[HASH]

    def by_row(self) -> PartitionRows:
        """Return the rows with a hash each."""
        return self

    @classmethod
    def joined(cls, parts: Sequence[Any], workspace: Workspace, use: str) -> Self:
        """Return parts one behind the other, in the thread's arrays whose names begin with use."""
        size = sum(part.size for part in parts)
        columns = {}
        for name, values in parts[0].columns.items():
            out = workspace.array(f"{use}.{name}", size, values.dtype)
            columns[name] = np.concatenate([part.columns[name] for part in parts], out=out)
        ids = {name: joined_ids([part.ids[name] for part in parts]) for name in parts[0].ids}
        return cls(columns, ids, size)


@dataclass(frozen=True)
class Block:
    """Rows in the order of their partitions."""

    sections: Mapping[str, Section]
    ids: Mapping[str, BlockIds] = field(default_factory=dict)  # by use, unless they are integers

    @property
    def rows(self) -> Section:
        """The columns of the rows."""
        return self.sections[ROWS]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of rows of each partition."""
        return self.rows.ends - self.rows.begins

    @property
    def nbytes(self) -> int:
        """Bytes of the rows and their ids; not of dictionaries, which are not the block's own."""
        return sum(section.nbytes for section in self.sections.values())

    def changed(self, change: Callable[[str, Section], Section]) -> Self:
        """Return the block with other sections."""
        sections = {name: change(name, section) for name, section in self.sections.items()}
        return replace(self, sections=sections)

    def loaded(self, partitions: range, workspace: Workspace, use: str) -> Self:
        """Return a block with these partitions in memory; what is read is in arrays of the thread.

        A few large reads take a fraction of the time of many small ones.
        """
        return self.changed(
            lambda name, section: section.loaded(partitions, workspace, f"{use}.{name}")
        )

    def hashes_of(self, number: int) -> NDArray[np.uint64]:
        """Return the hash of each row of a partition."""
        hashes: NDArray[np.uint64] = self.rows.part(number)[HASH]
        return hashes

    def part(self, number: int) -> PartitionRows:
        """Return the rows of a partition: views, where they are in memory."""
        columns = self.rows.part(number)
        size = int(self.sizes[number])
        return PartitionRows(columns, self._take_ids(columns, number, size), size)

    def _take_ids(
        self, columns: dict[str, NDArray[Any]], number: int, size: int
    ) -> dict[str, IdBytes]:
        """Return the ids of a partition's rows, and take the columns of their places out."""
        found = {}
        for use, (length, dictionary) in self.ids.items():
            common = np.array([length], np.int32)
            lengths = columns.pop(ID_COLUMNS[use].length, common)
            if dictionary is not None:
                found[use] = IdBytes(columns.pop(ID_COLUMNS[use].start), lengths, dictionary)
                continue
            begins = np.zeros(size + 1, np.int64)
            np.cumsum(np.broadcast_to(lengths, (size,)), out=begins[1:])
            found[use] = IdBytes(begins[:-1], lengths, self.sections[use].part(number)[BYTES])
        return found


class Runs(NamedTuple):
    """Neighbouring rows of one customer: (k,) each."""

    hashes: NDArray[np.uint64]
    lengths: NDArray[np.int32]  # rows of each run


@dataclass(frozen=True)
class RunRows(PartitionRows):
    """The rows of one partition in runs, which have a hash each, instead of the rows."""

    runs: Runs

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """The hashes of the runs."""
        return self.runs.hashes

    def by_row(self) -> PartitionRows:
        """Return the rows with a hash each."""
        return PartitionRows({**self.columns, HASH: np.repeat(*self.runs)}, self.ids, self.size)

    @classmethod
    def joined(cls, parts: Sequence[Any], workspace: Workspace, use: str) -> Self:
        """Return parts one behind the other."""
        rows = PartitionRows.joined(parts, workspace, use)
        runs = Runs(
            *(np.concatenate(each) for each in zip(*(part.runs for part in parts), strict=True))
        )
        return cls(rows.columns, rows.ids, rows.size, runs)


class RunBlock(Block):
    """Rows of which many neighbours are of one customer: hashes are those of runs."""

    def hashes_of(self, number: int) -> NDArray[np.uint64]:
        """Return the hash of each row of a partition."""
        return np.repeat(*self._runs_of(number))

    def part(self, number: int) -> RunRows:
        """Return the rows of a partition, in runs."""
        rows = super().part(number)
        return RunRows(rows.columns, rows.ids, rows.size, self._runs_of(number))

    def _runs_of(self, number: int) -> Runs:
        runs = self.sections[RUNS].part(number)
        return Runs(runs[HASH], runs[LENGTH])


def partition_sizes(blocks: Iterable[Block], partitions: int) -> NDArray[np.int64]:
    """Return the number of rows of each partition over all blocks."""
    return sum((block.sizes for block in blocks), start=np.zeros(partitions, np.int64))


def load(blocks: Iterable[Block], partitions: range, workspace: Workspace, use: str) -> list[Block]:
    """Return blocks with a range of partitions in memory, each in arrays of its own."""
    return [
        block.loaded(partitions, workspace, f"{use}.{number}")
        for number, block in enumerate(blocks)
    ]


def collect(blocks: Sequence[Block], number: int, workspace: Workspace, use: str) -> PartitionRows:
    """Return the rows of partition `number` of all blocks, one behind the other.

    Views of a single block; else arrays of the workspace, under names that begin with `use`,
    valid until the next call. In runs where all blocks are.
    """
    parts = [block.part(number) for block in blocks]
    if not parts:
        return PartitionRows({}, {}, 0)
    if len(parts) == 1:
        return parts[0]
    if len({type(part) for part in parts}) > 1:
        parts = [part.by_row() for part in parts]
    return type(parts[0]).joined(parts, workspace, use)


def collect_range(
    blocks: Sequence[Block], partitions: range, workspace: Workspace, use: str
) -> PartitionRows:
    """Return the rows of neighbouring partitions of all blocks, with a hash each.

    Those of a block lie together; ids are integers.
    """
    parts = []
    for block in blocks:
        items = block.rows.slice_of(partitions)
        size = int(block.sizes[partitions.start : partitions.stop].sum())
        if type(block) is Block and size == items.stop - items.start:
            columns = {name: values[items] for name, values in block.rows.columns.items()}
            parts.append(PartitionRows(columns, {}, size))
        else:
            parts += [block.part(number).by_row() for number in partitions]
    if not parts:
        return PartitionRows({}, {}, 0)
    return parts[0] if len(parts) == 1 else PartitionRows.joined(parts, workspace, use)
