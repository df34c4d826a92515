"""Rows of events by customer and instant, where a hash is one customer: partitions at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.blocks import HASH, Block
from ordercycle._ingest.event_times import PER_DAY
from ordercycle._ingest.payload import INSTANT
from ordercycle._workspace import Workspace
from ordercycle_kernels import event_sorting as kernels

#: Rows of the partitions that are worked on together: few enough that what is asked of them next
#: is still in the cache, many enough that Python's share is nothing.
STRETCH_ROWS = 2**17


class Stretch(NamedTuple):
    """Rows of neighbouring partitions: in columns, between some begins and ends."""

    columns: Mapping[str, NDArray[Any]]
    begins: NDArray[np.int64]  # (partitions,)
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, block: Block, partitions: range) -> Stretch:
        """Return some partitions of a block, whose rows are views."""
        rows, here = block.rows, slice(partitions.start, partitions.stop)
        items = rows.slice_of(partitions)
        columns = {name: values[items] for name, values in rows.columns.items()}
        return cls(columns, rows.begins[here] - items.start, rows.ends[here] - items.start)

    @classmethod
    def of_rows(cls, columns: Mapping[str, NDArray[Any]], size: int) -> Stretch:
        """Return the rows of one partition."""
        return cls(columns, np.zeros(1, np.int64), np.array([size], np.int64))

    @property
    def size(self) -> int:
        """The number of rows."""
        return int((self.ends - self.begins).sum())

    def cut(self) -> Iterator[tuple[Stretch, slice]]:
        """Yield parts that stay in the cache, and where their rows are among those of all."""
        bounds = np.concatenate([[0], np.cumsum(self.ends - self.begins)])
        first = 0
        for last in range(1, bounds.size):
            if last + 1 == bounds.size or bounds[last + 1] - bounds[first] > STRETCH_ROWS:
                part = self._replace(begins=self.begins[first:last], ends=self.ends[first:last])
                yield part, slice(int(bounds[first]), int(bounds[last]))
                first = last


class Timeline(NamedTuple):
    """Customers by ascending hash, and their rows by instant; arrays of rows are lent."""

    hashes: NDArray[np.uint64]  # (c,)
    offsets: NDArray[np.int64]  # (c + 1,)
    order: NDArray[np.int32]  # (n,) rows of the stretch
    begins: NDArray[np.bool_] | None  # (n,) where customer or instant change; None: everywhere


def stretches(blocks: Sequence[Block], partitions: range) -> list[range]:
    """Cut partitions into ranges to work on at once: of several blocks, each by itself."""
    if len(blocks) != 1:
        return [range(number, number + 1) for number in partitions]
    found, rows = [], 0
    start = partitions.start
    for number in partitions:
        size = int(blocks[0].sizes[number])
        if start < number and rows + size > STRETCH_ROWS:
            found.append(range(start, number))
            start, rows = number, 0
        rows += size
    return [*found, range(start, partitions.stop)]


def order_by_instant(
    stretch: Stretch,
    partition_bits: int,
    days: tuple[int, int],
    out_instants: NDArray[np.int64],
    workspace: Workspace,
) -> Timeline:
    """Order rows whose days are in a range.

    out_instants: (n,), their instants in this order: perhaps in the memory of those of the rows.
    """
    array, size = workspace.array, stretch.size
    largest = int((stretch.ends - stretch.begins).max(initial=0))
    first = (days[0] - 1) * PER_DAY  # no zone is a day ahead or behind
    span = (days[1] - days[0] + 3) * PER_DAY
    order = array("events.order", size, np.int32)
    hashes = array("events.hashes", size, np.uint64)
    ends = array("events.ends", size, np.int64)
    tied = np.zeros(1, np.int64)
    found = kernels.order_events(
        stretch.columns[HASH],
        stretch.columns[INSTANT],
        stretch.begins,
        stretch.ends,
        partition_bits,
        first,
        max(0, span.bit_length() - int(kernels.DIGIT_BITS)),
        array("events.counters", int(kernels.COUNTERS), np.uint32),
        array("events.keys", largest, np.uint64),
        array("events.spare", largest, np.uint64),
        array("events.instants", largest, np.int64),
        order,
        out_instants,
        hashes,
        ends,
        tied,
    )
    begins = None
    if tied[0]:
        begins = array("begins", size, np.bool_)
        kernels.begin_instants(ends[:found], out_instants, begins)
    return Timeline(hashes[:found].copy(), np.concatenate([[0], ends[:found]]), order, begins)
