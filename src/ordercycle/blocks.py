"""Rows laid out by customer hash: what ingest writes and grouping reads.

The rows of a partition are one slice of each column of a block. Ids of several bytes lie in a
buffer of their own, with a start and a length per row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle.arrow_views import BytesView
from ordercycle.workspace import Workspace
from ordercycle_kernels import partition

#: The columns a block can have, and their item types.
HASH, DAY, AMOUNT, AMOUNT_HIGH, ORDER, ROW = "hash", "day", "amount", "amount_high", "order", "row"
COLUMN_TYPES: dict[str, str] = {
    HASH: "uint64",
    DAY: "int32",
    AMOUNT: "int64",
    AMOUNT_HIGH: "int64",
    ORDER: "uint64",
    ROW: "int64",
}


@dataclass
class BytesColumn:
    """Ids of several bytes: row i is data[starts[i]:starts[i] + lengths[i]]."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    data: NDArray[np.uint8]


class Streaks(NamedTuple):
    """Rows of one customer that follow each other: (streaks,) each."""

    hashes: NDArray[np.uint64]
    lengths: NDArray[np.int32]  # rows of each streak

    def part(self, streaks: slice) -> Streaks:
        """Return some of the streaks."""
        return Streaks(self.hashes[streaks], self.lengths[streaks])

    def hashes_of_rows(self) -> NDArray[np.uint64]:
        """Return the hash of every row."""
        return np.repeat(self.hashes, self.lengths)


@dataclass
class Block:
    """Rows in the order of their partitions; in streaks, they have no hash of their own."""

    columns: dict[str, NDArray[Any]]  # (rows,) each
    offsets: NDArray[np.int64]  # (partitions + 1,) into the columns
    ids: dict[str, BytesColumn] = field(default_factory=dict)
    streaks: Streaks | None = None
    streak_offsets: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """The hashes that the block keeps: of its rows, or of their streaks."""
        return self.columns[HASH] if self.streaks is None else self.streaks.hashes

    @property
    def nbytes(self) -> int:
        """Bytes of the rows and their streaks, without ids of several bytes."""
        arrays = [*self.columns.values(), *(self.streaks or ())]
        return sum(array.nbytes for array in arrays)

    def streaks_of(self, number: int) -> Streaks | None:
        """Return the streaks of partition `number`, None where the block has none."""
        if self.streaks is None:
            return None
        return self.streaks.part(slice(*self.streak_offsets[number : number + 2].tolist()))

    def column(self, name: str, number: int) -> NDArray[Any]:
        """Return a column of partition `number`: a view, but for the hashes of streaks."""
        streaks = self.streaks_of(number)
        if name == HASH and streaks is not None:
            return streaks.hashes_of_rows()
        return self.columns[name][self.rows_of(number)]

    def rows_of(self, number: int) -> slice:
        """Return where the rows of partition `number` are."""
        return slice(*self.offsets[number : number + 2].tolist())


@dataclass
class Collected:
    """The rows of one partition, columns contiguous; in streaks, without a column of hashes."""

    columns: dict[str, NDArray[Any]]
    ids: dict[str, BytesView]
    rows: int
    streaks: Streaks | None = None

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """The hashes of the rows, or of their streaks."""
        return self.columns[HASH] if self.streaks is None else self.streaks.hashes


def partition_sizes(blocks: Sequence[Block], partitions: int) -> NDArray[np.int64]:
    """Return the number of rows of each partition over all blocks."""
    sizes = np.zeros(partitions, np.int64)
    for block in blocks:
        sizes += np.diff(block.offsets)
    return sizes


def collect(
    blocks: Sequence[Block],
    number: int,
    workspace: Workspace,
    use: str,
    *,
    keep_streaks: bool = True,
) -> Collected:
    """Return the rows of partition `number` of all blocks, one behind the other.

    Views of a single block; else arrays of the workspace, under names that begin with `use`,
    valid until the next call. In streaks where all blocks are and they are to be kept.
    """
    rows = sum(int(block.offsets[number + 1] - block.offsets[number]) for block in blocks)
    found = [block.streaks_of(number) for block in blocks] if keep_streaks else [None]
    parts_of_streaks = [part for part in found if part is not None]
    streaks = None
    if blocks and len(parts_of_streaks) == len(blocks):
        streaks = joined_streaks(parts_of_streaks)
    names = set(blocks[0].columns) | {HASH} if blocks else set()
    columns = {}
    for name in names - ({HASH} if streaks is not None else set()):
        parts = [block.column(name, number) for block in blocks]
        if len(parts) == 1:
            columns[name] = parts[0]
        else:
            out = workspace.array(f"{use}.{name}", rows, COLUMN_TYPES[name])
            columns[name] = np.concatenate(parts, out=out)
    ids = {
        name: joined_bytes([_bytes_of(block.ids[name], block.rows_of(number)) for block in blocks])
        for name in (blocks[0].ids if blocks else ())
    }
    return Collected(columns, ids, rows, streaks)


def joined_streaks(parts: Sequence[Streaks]) -> Streaks:
    """Lay streaks one behind the other."""
    if len(parts) == 1:
        return parts[0]
    hashes = np.concatenate([part.hashes for part in parts])
    return Streaks(hashes, np.concatenate([part.lengths for part in parts]))


def _bytes_of(column: BytesColumn, part: slice) -> BytesView:
    starts, lengths = column.starts[part], column.lengths[part]
    offsets = np.empty(lengths.size + 1, np.int64)
    data = np.empty(int(lengths.sum()), np.uint8)
    partition.collect_bytes(starts, lengths, column.data, offsets, data)
    return BytesView(offsets, data)


def joined_bytes(views: Sequence[BytesView]) -> BytesView:
    """Lay the values of several views one behind the other."""
    if len(views) == 1:
        return views[0]
    offsets = [np.zeros(1, np.int64)]
    filled = 0
    for view in views:
        offsets.append(view.offsets[1:] - view.offsets[0] + filled)
        filled += int(view.offsets[-1] - view.offsets[0])
    data = [view.data[view.offsets[0] : view.offsets[-1]] for view in views]
    return BytesView(np.concatenate(offsets), np.concatenate([np.zeros(0, np.uint8), *data]))
