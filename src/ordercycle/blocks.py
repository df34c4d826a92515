"""Rows laid out by customer hash: what ingest writes and grouping reads.

The rows of a partition are one slice of each column of a block. Ids of several bytes lie in a
buffer of their own, with a start and a length per row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

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


@dataclass
class Block:
    """Rows in the order of their partitions."""

    columns: dict[str, NDArray[Any]]  # (rows,) each
    offsets: NDArray[np.int64]  # (partitions + 1,) into the columns
    ids: dict[str, BytesColumn] = field(default_factory=dict)


@dataclass
class Collected:
    """The rows of one partition, columns contiguous."""

    columns: dict[str, NDArray[Any]]
    ids: dict[str, BytesView]
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
    for name in blocks[0].columns if blocks else ():
        parts = [block.columns[name][part] for block, part in slices]
        if len(parts) == 1:
            columns[name] = parts[0]
        else:
            out = workspace.array(f"{use}.{name}", rows, COLUMN_TYPES[name])
            columns[name] = np.concatenate(parts, out=out)
    ids = {
        name: joined_bytes([_bytes_of(block.ids[name], part) for block, part in slices])
        for name in (blocks[0].ids if blocks else ())
    }
    return Collected(columns, ids, rows)


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
