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

from ordercycle.id_bytes import LENGTHS_DIFFER, IdBytes, Placed, joined_ids
from ordercycle.workspace import Workspace

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


@dataclass
class Block:
    """Rows in the order of their partitions."""

    columns: dict[str, NDArray[Any]]  # (rows,) each
    offsets: NDArray[np.int64]  # (partitions + 1,) into the columns
    ids: dict[str, BlockIds] = field(default_factory=dict)  # by use, unless they are integers


@dataclass
class Collected:
    """The rows of one partition, columns contiguous."""

    columns: dict[str, NDArray[Any]]
    ids: dict[str, IdBytes]
    rows: int


def partition_sizes(blocks: Sequence[Block], partitions: int) -> NDArray[np.int64]:
    """Return the number of rows of each partition over all blocks."""
    sizes = np.zeros(partitions, np.int64)
    for block in blocks:
        sizes += np.diff(block.offsets)
    return sizes


def collect(blocks: Sequence[Block], number: int, workspace: Workspace, use: str) -> Collected:
    """Return the rows of partition `number` of all blocks, one behind the other.

    Views of a single block; else arrays of the workspace, under names that begin with `use`,
    valid until the next call.
    """
    slices = [(block, slice(*block.offsets[number : number + 2].tolist())) for block in blocks]
    rows = sum(part.stop - part.start for _, part in slices)
    columns = {}
    placing = {name for columns in ID_COLUMNS.values() for name in columns[1:]}
    for name in blocks[0].columns if blocks else ():
        if name in placing:
            continue
        parts = [block.columns[name][part] for block, part in slices]
        if len(parts) == 1:
            columns[name] = parts[0]
        else:
            out = workspace.array(f"{use}.{name}", rows, COLUMN_TYPES[name])
            columns[name] = np.concatenate(parts, out=out)
    ids = {
        name: joined_ids([_ids_of(block, name, number, part) for block, part in slices])
        for name in (blocks[0].ids if blocks else ())
    }
    return Collected(columns, ids, rows)


def _ids_of(block: Block, use: str, number: int, part: slice) -> IdBytes:
    """Return the ids of the rows of one partition."""
    columns, (placed, offsets) = ID_COLUMNS[use], block.ids[use]
    rows = part.stop - part.start
    lengths = np.array([placed.length], np.int32)
    if placed.length == LENGTHS_DIFFER:
        lengths = block.columns[columns.length][part]
    if offsets is None:
        return IdBytes(block.columns[columns.start][part], lengths, placed.data)
    starts = np.zeros(rows + 1, np.int64)
    np.cumsum(np.broadcast_to(lengths, (rows,)), out=starts[1:])
    return IdBytes(starts[:-1], lengths, placed.data[offsets[number] : offsets[number + 1]])
