"""Rows laid out by customer hash: what ingest writes and grouping reads.

A block holds the rows of several runs, column by column; the rows of a partition are one slice of
every run. Ids of several bytes lie in a buffer of their own, with a start and a length per row.
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

#: The columns a block can have, and their item types. Ids of several bytes come beside them.
HASH, DAY, AMOUNT, AMOUNT_HIGH, ORDER, ROW = (
    "hash",
    "day",
    "amount",
    "amount_high",
    "order",
    "row",
)
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
    """Rows of several runs: (rows,) columns, and where each partition of each run lies."""

    columns: dict[str, NDArray[Any]]
    offsets: NDArray[np.int64]  # (runs, partitions + 1) into the columns
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
        sizes += np.diff(block.offsets, axis=1).sum(axis=0)
    return sizes


def collect(blocks: Sequence[Block], number: int, workspace: Workspace, use: str) -> Collected:
    """Lay the rows of partition `number` of all blocks one behind the other.

    The arrays are the workspace's, under names that begin with `use`, valid until the next call.
    """
    slices = [
        (
            block,
            np.ascontiguousarray(block.offsets[:, number]),
            np.ascontiguousarray(block.offsets[:, number + 1]),
        )
        for block in blocks
    ]
    sizes = [int((stops - starts).sum()) for _, starts, stops in slices]
    rows = sum(sizes)
    columns = {}
    for name in blocks[0].columns if blocks else ():
        item = COLUMN_TYPES[name]
        collected = columns[name] = workspace.array(f"{use}.{name}", rows, item)
        filled = 0
        for (block, starts, stops), size in zip(slices, sizes, strict=True):
            target = collected[filled : filled + size]
            partition.collect[item](block.columns[name], starts, stops, target)
            filled += size
    ids = {name: _collect_ids(name, slices) for name in (blocks[0].ids if blocks else ())}
    return Collected(columns, ids, rows)


def _collect_ids(
    name: str, slices: Sequence[tuple[Block, NDArray[np.int64], NDArray[np.int64]]]
) -> BytesView:
    views = []
    for block, starts, stops in slices:
        column = block.ids[name]
        lengths = np.empty(int((stops - starts).sum()), np.int64)
        partition.collect["int64"](column.lengths, starts, stops, lengths)
        offsets = np.empty(lengths.size + 1, np.int64)
        data = np.empty(int(lengths.sum()), np.uint8)
        partition.collect_bytes(
            column.starts, column.lengths, column.data, starts, stops, offsets, data
        )
        views.append(BytesView(offsets, data))
    return joined_bytes(views)


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
