"""From blocks to customers with their events: grouped, in their total order, each event once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._events.event_batches import CustomerEvents
from ordercycle._grouping.customer_tables import Ids, find_by_bytes, find_by_hash, plain_ids
from ordercycle._grouping.day_order import rows_by_customer_and_day
from ordercycle._grouping.details import Columns, Details
from ordercycle._grouping.event_writer import EventWriter
from ordercycle._grouping.instant_order import Stretch, order_by_instant, stretches
from ordercycle._grouping.total_order import TotalOrder
from ordercycle._ingest.blocks import CUSTOMER_IDS, Block, PartitionRows, collect, load
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.event_layout import EventColumns, EventLayout
from ordercycle._ingest.payload import DAY, INSTANT
from ordercycle._workspace import Workspace
from ordercycle_kernels import grouping
from ordercycle_kernels.partition import as_moved, gather


class GroupedEvents(NamedTuple):
    """A batch of customers with their events, and how many came again."""

    customers: CustomerEvents
    repeated: int


class _Found(NamedTuple):
    """Customers of some rows, and the rows of these: as they lie in the layout."""

    ids: Ids
    offsets: NDArray[np.int64]  # (c + 1,)
    order: NDArray[np.int32]  # (n,)
    stretch: Stretch
    layout: EventLayout


@dataclass(frozen=True)
class EventGrouper:
    """Groups partitions: everything that is the same for all of them."""

    blocks: Sequence[Block]
    partition_bits: int
    layout: EventLayout
    ids: IdReader
    customer_column: str
    order: TotalOrder
    writer: EventWriter
    days: tuple[int, int]  # first and last day of all events
    workspace: Workspace

    def room(self, rows: int) -> Columns:
        """Return memory for so many events.

        At once for all: many small arrays would cost several times as much to touch first.
        """
        return {DAY: np.empty(rows, np.int32), **self.writer.details.room(rows)}

    def batch(self, partitions: range, room: Columns) -> GroupedEvents:
        """Group a range of partitions into room for their rows."""
        blocks = load(self.blocks, partitions, self.workspace, "events")
        rows = room[DAY].size
        ids: list[Ids] = []
        offsets = [np.zeros(1, np.int64)]
        filled = 0
        for stretch in stretches(blocks, partitions):
            for found in self._write(blocks, stretch, room, filled):
                ids.append(found.ids)
                offsets.append(found.offsets[1:] + filled)
                filled += found.order.size
        columns = {name: _without_rest(out, filled) for name, out in room.items()}
        days = columns.pop(DAY)
        customers = CustomerEvents(
            self._plain_ids(ids),
            np.concatenate(offsets),
            days,
            Details.of(columns, self.order.payload),
        )
        return GroupedEvents(customers, rows - filled)

    def _plain_ids(self, parts: Sequence[Ids]) -> pa.Array:
        return plain_ids(parts, self.ids, self.customer_column) if parts else self.ids.nobody()

    def _write(
        self, blocks: Sequence[Block], partitions: range, room: Columns, filled: int
    ) -> Iterator[_Found]:
        """Write the events of neighbouring partitions behind those that fill the room."""
        if self.layout.days is not None and self.ids.is_integer:
            stretch = self._stretch(blocks, partitions)
            out = {name: values[filled : filled + stretch.size] for name, values in room.items()}
            found = self._by_instant(stretch, out) if stretch.size else None
            if found is not None:
                yield found
                return
        for number in partitions:
            here = self._collected(blocks, number)
            if here.size:
                found = self._by_day(here)
                out = {
                    name: values[filled : filled + found.order.size]
                    for name, values in room.items()
                }
                self.writer.write(found.stretch, found.layout, found.order, out)
                filled += found.order.size
                yield found

    def _stretch(self, blocks: Sequence[Block], partitions: range) -> Stretch:
        """Return the rows of neighbouring partitions: of several blocks, there is one of these."""
        if len(blocks) == 1:
            return Stretch.of(blocks[0], partitions)
        rows = self._collected(blocks, partitions.start)
        return Stretch.of_rows(rows.columns, rows.size)

    def _collected(self, blocks: Sequence[Block], number: int) -> PartitionRows:
        """Return the rows of a partition, all in one layout."""
        layouts = {self.layout.of_columns(block.rows.columns).codes.bits for block in blocks}
        if len(layouts) < 2:
            return collect(blocks, number, self.workspace, "events")
        parts = [block.part(number) for block in blocks]
        widened = [replace(part, columns=self.layout.widen(part.columns)) for part in parts]
        return PartitionRows.joined(widened, self.workspace, "events")

    def _by_instant(self, stretch: Stretch, out: Columns) -> _Found | None:
        """Write customers whose hash is their identity; None where the general way is better."""
        columns, layout = stretch.columns, self.layout.of_columns(stretch.columns)
        if layout.days is None:
            return None
        found = order_by_instant(
            stretch, self.partition_bits, self.days, out[INSTANT], self.workspace
        )
        if found is None:
            return None
        every = EventColumns(columns, layout)
        if found.begins is not None:
            scratch = self.workspace.array("tied", stretch.size, np.int32)
            self.order.order_instants(every, found.order, found.begins, scratch)
        offsets, order = self.order.once(every, found.offsets, found.order, self.workspace)
        if order.size < stretch.size:
            out = {name: values[: order.size] for name, values in out.items()}
            gather["uint64"](as_moved(columns[INSTANT]), order, as_moved(out[INSTANT]))
        layout.days.of_instants(out[INSTANT], out[DAY])
        self.writer.write(stretch, layout, order, out, are_there={DAY, INSTANT})
        return _Found(found.hashes, offsets, order, stretch, layout)

    def _by_day(self, rows: PartitionRows) -> _Found:
        """Find a partition's customers, and bring their rows in order."""
        layout = self.layout.of_columns(rows.columns)
        columns = dict(rows.columns)
        every = EventColumns(columns, layout)
        columns[DAY] = every[DAY]
        if self.ids.is_integer:
            found = find_by_hash(rows.hashes, self.partition_bits, self.workspace)
        else:
            ids = rows.ids[CUSTOMER_IDS]
            found = find_by_bytes(rows.hashes, ids, self.partition_bits, self.workspace)
        lists = self.workspace.zeros("lists", found.sizes.size, np.int32)
        offsets = np.empty(found.taken.size + 1, np.int64)
        grouping.place_customers(found.taken, lists, found.sizes, offsets)
        order = rows_by_customer_and_day(
            replace(rows, columns=columns), self.days, found.slots, found.sizes, self.workspace
        )
        begins = self.workspace.array("begins", rows.size, np.bool_)
        scratch = self.workspace.array("tied", rows.size, np.int32)
        self.order.order_days(every, offsets, order, begins, scratch)
        offsets, order = self.order.once(every, offsets, order, self.workspace)
        return _Found(found.ids, offsets, order, Stretch.of_rows(columns, rows.size), layout)


def _without_rest(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the first values; where they are few, without the memory of the rest."""
    return values[:size].copy() if 2 * size < values.size else values[:size]
