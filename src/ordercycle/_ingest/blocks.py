"""Rows laid out by customer hash: what ingest writes and grouping reads.

The rows of a partition are one slice of each column of a block. The bytes of its ids are a slice
of an array, one id behind the other; or, where these are entries of a dictionary, they stay where
they are, and each row has the start of its own. Lengths are a column where they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.id_bytes import LENGTHS_DIFFER, IdBytes, Placed, joined_ids
from ordercycle._workspace import Workspace

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
#: Those of orders whose amounts may be missing (1), and of rows that are compared: the instant, and
#: two words for all other columns.
MISSING, INSTANT, OTHERS, MORE_OTHERS = "missing", "instant", "others", "more_others"
COLUMN_TYPES |= {MISSING: "int32", INSTANT: "int64", OTHERS: "uint64", MORE_OTHERS: "uint64"}


class IdColumns(NamedTuple):
    """The columns that ids are read into; of integers there is the hash only."""

    hash: str
    start: str
    length: str


#: What ids are used for, and their columns.
CUSTOMER_IDS, ORDER_IDS = "customer", "order"
ID_COLUMNS = {
    CUSTOMER_IDS: IdColumns(HASH, "customer_start", "customer_length"),
    ORDER_IDS: IdColumns(ORDER, "order_start", "order_length"),
}
for _columns in ID_COLUMNS.values():
    COLUMN_TYPES |= {_columns.start: "int64", _columns.length: "int32"}


class BlockIds(NamedTuple):
    """The ids of a block's rows, of one use."""

    placed: Placed
    offsets: NDArray[np.int64] | None  # (partitions + 1,) into the bytes; None for a dictionary


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
    offsets: NDArray[np.int64]  # (partitions + 1,) into the columns, where partitions begin
    ids: dict[str, BlockIds] = field(default_factory=dict)  # by use, unless they are integers
    streaks: Streaks | None = None
    streak_offsets: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    #: (partitions,) where partitions end; empty: where the next one begins
    stops: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of rows of each partition."""
        return (self.stops if self.stops.size else self.offsets[1:]) - self.offsets[:-1]

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """The hashes that the block keeps: of its rows, or of their streaks."""
        return self.columns[HASH] if self.streaks is None else self.streaks.hashes

    @property
    def nbytes(self) -> int:
        """Bytes of the rows, their streaks and ids; not of dictionaries, which are not its own."""
        arrays = [*self.columns.values(), *(self.streaks or ())]
        arrays += [ids.placed.data for ids in self.ids.values() if ids.offsets is not None]
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
        start = int(self.offsets[number])
        return slice(
            start, int(self.stops[number] if self.stops.size else self.offsets[number + 1])
        )


@dataclass
class Collected:
    """The rows of one partition, columns contiguous; in streaks, without a column of hashes."""

    columns: dict[str, NDArray[Any]]
    ids: dict[str, IdBytes]
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
        sizes += block.sizes
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
    rows = sum(part.stop - part.start for part in (block.rows_of(number) for block in blocks))
    found = [block.streaks_of(number) for block in blocks] if keep_streaks else [None]
    parts_of_streaks = [part for part in found if part is not None]
    streaks = None
    if blocks and len(parts_of_streaks) == len(blocks):
        streaks = joined_streaks(parts_of_streaks)
    names = set(blocks[0].columns) | {HASH} if blocks else set()
    columns = {}
    placing = {name for columns in ID_COLUMNS.values() for name in columns[1:]}
    for name in names - placing - ({HASH} if streaks is not None else set()):
        parts = [block.column(name, number) for block in blocks]
        if len(parts) == 1:
            columns[name] = parts[0]
        else:
            out = workspace.array(f"{use}.{name}", rows, COLUMN_TYPES[name])
            columns[name] = np.concatenate(parts, out=out)
    ids = {
        name: joined_ids([_ids_of(block, name, number) for block in blocks])
        for name in (blocks[0].ids if blocks else ())
    }
    return Collected(columns, ids, rows, streaks)


def joined_streaks(parts: Sequence[Streaks]) -> Streaks:
    """Lay streaks one behind the other."""
    if len(parts) == 1:
        return parts[0]
    hashes = np.concatenate([part.hashes for part in parts])
    return Streaks(hashes, np.concatenate([part.lengths for part in parts]))


def _ids_of(block: Block, use: str, number: int) -> IdBytes:
    """Return the ids of the rows of one partition."""
    columns, (placed, offsets) = ID_COLUMNS[use], block.ids[use]
    part = block.rows_of(number)
    rows = part.stop - part.start
    lengths = np.array([placed.length], np.int32)
    if placed.length == LENGTHS_DIFFER:
        lengths = block.columns[columns.length][part]
    if offsets is None:
        return IdBytes(block.columns[columns.start][part], lengths, placed.data)
    starts = np.zeros(rows + 1, np.int64)
    np.cumsum(np.broadcast_to(lengths, (rows,)), out=starts[1:])
    return IdBytes(starts[:-1], lengths, placed.data[offsets[number] : offsets[number + 1]])
