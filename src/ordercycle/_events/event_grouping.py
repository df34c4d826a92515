"""From blocks to customers with their events: grouped, in their total order, each event once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
from ordercycle._ingest.blocks import CUSTOMER_IDS, HASH, Block, PartitionRows, collect, load
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.event_layout import EventColumns, EventLayout
from ordercycle._ingest.event_times import InstantDays
from ordercycle._ingest.payload import DAY, INSTANT
from ordercycle._ingest.spill import SpilledSection
from ordercycle._workspace import Workspace
from ordercycle_kernels import grouping
from ordercycle_kernels.partition import as_moved, gather

#: Bytes of a hash.
HASH_BYTES = 8


class GroupedEvents(NamedTuple):
    """A batch of customers with their events, and how many came again."""

    customers: CustomerEvents
    repeated: int


class _Found(NamedTuple):
    """Customers of some rows, and where the events of each begin, and those of the last end."""

    ids: Ids
    offsets: NDArray[np.int64]  # (c + 1,)
    size: int  # how many events they have


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
        """Return memory for so many events, but for what takes that of their rows.

        At once for all: many small arrays would cost several times as much to touch first.
        """
        there = {INSTANT, *self._narrow} if self._is_in_place else set()
        types = {name: kind for name, kind in self._types.items() if name not in there}
        return {name: np.empty(rows, kind) for name, kind in types.items()}

    @property
    def _types(self) -> dict[str, Any]:
        """The columns that are kept, and their types."""
        return {DAY: "int32", **self.writer.details.types}

    @property
    def _is_by_instant(self) -> bool:
        """Whether rows have a hash that is their customer, and an instant that tells the day."""
        return self.layout.days is not None and self.ids.is_integer

    @property
    def _is_in_place(self) -> bool:
        """Whether events can take the memory of their rows, as these are all of one block."""
        is_one = len(self.blocks) == 1 and not isinstance(self.blocks[0].rows, SpilledSection)
        return is_one and self._is_by_instant and self.order.payload.event_id is None

    @cached_property
    def _narrow(self) -> dict[str, np.dtype[Any]]:
        """Days and codes that together take the memory of hashes: none, where some were left."""
        names = (DAY, *self.order.payload.codes.values())
        kinds = {name: np.dtype(self._types[name]) for name in names}
        found, taken = {}, 0
        for name, kind in sorted(kinds.items(), key=lambda one: -one[1].itemsize):
            if taken + kind.itemsize <= HASH_BYTES:
                found[name] = kind
                taken += kind.itemsize
        return found if taken >= HASH_BYTES - 1 else {}

    def _in_place(self, partitions: range) -> Columns:
        """Return the memory of rows for what takes it: each column of neighbouring partitions."""
        section, here = self.blocks[0].rows, slice(partitions.start, partitions.stop)
        rows = int(self.blocks[0].sizes[here].sum())
        begin = int(section.begins[partitions.start])
        found = {INSTANT: section.columns[INSTANT][begin : begin + rows]}
        bytes_of = section.columns[HASH][begin : begin + rows].view(np.uint8)
        taken = 0
        for name, kind in self._narrow.items():
            size = rows * kind.itemsize
            found[name] = bytes_of[taken : taken + size].view(kind)
            taken += size
        return found

    def batch(self, partitions: range, room: Columns, rows: int) -> GroupedEvents:
        """Group a range of partitions into room for their rows, which are so many."""
        blocks = load(self.blocks, partitions, self.workspace, "events")
        stretched = stretches(blocks, partitions)
        if self._is_in_place:  # all are ordered before anything is written
            room, stretched = {**room, **self._in_place(partitions)}, [partitions]
        ids: list[Ids] = []
        offsets = [np.zeros(1, np.int64)]
        filled = 0
        for stretch in stretched:
            for found in self._write(blocks, stretch, room, filled):
                ids.append(found.ids)
                offsets.append(found.offsets[1:] + filled)
                filled += found.size
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
        if self._is_by_instant and self.layout.days is not None:
            stretch = self._stretch(blocks, partitions)
            if stretch.size:
                out = rows_of(room, slice(filled, filled + stretch.size))
                yield self._by_instant(stretch, out, self.layout.days)
            return
        for number in partitions:
            here = self._collected(blocks, number)
            if here.size:
                found = self._by_day(here, rows_of(room, slice(filled, filled + here.size)))
                filled += found.size
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

    def _by_instant(self, stretch: Stretch, out: Columns, days: InstantDays) -> _Found:
        """Write customers whose hash is their identity."""
        columns, layout = stretch.columns, self.layout.of_columns(stretch.columns)
        found = order_by_instant(
            stretch, self.partition_bits, self.days, out[INSTANT], self.workspace
        )
        every = EventColumns(columns, layout)
        if found.begins is not None:
            scratch = self.workspace.array("tied", stretch.size, np.int32)
            self.order.order_instants(every, found.order, found.begins, scratch)
        offsets, order = self.order.once(every, found.offsets, found.order, self.workspace)
        parts = stretch.cut()
        if order.size < stretch.size:  # some came again
            parts = iter([(stretch, slice(order.size))])
            out = rows_of(out, slice(order.size))
            gather["uint64"](as_moved(columns[INSTANT]), order, as_moved(out[INSTANT]))
        days.of_instants(out[INSTANT], out[DAY])
        for part, rows in parts:
            here = rows_of(out, rows)
            self.writer.write(part, layout, order[rows], here, are_there={DAY, INSTANT})
        return _Found(found.hashes, offsets, order.size)

    def _by_day(self, rows: PartitionRows, out: Columns) -> _Found:
        """Write the customers of a partition, whoever they are."""
        layout = self.layout.of_columns(rows.columns)
        columns = dict(rows.columns)
        every = EventColumns(columns, layout)
        columns[DAY] = every[DAY]
        rows = replace(rows, columns=columns)
        if self.ids.is_integer:
            found = find_by_hash(rows.hashes, self.partition_bits, self.workspace)
        else:
            ids = rows.ids[CUSTOMER_IDS]
            found = find_by_bytes(rows.hashes, ids, self.partition_bits, self.workspace)
        lists = self.workspace.zeros("lists", found.sizes.size, np.int32)
        offsets = np.empty(found.taken.size + 1, np.int64)
        grouping.place_customers(found.taken, lists, found.sizes, offsets)
        order = rows_by_customer_and_day(rows, self.days, found.slots, found.sizes, self.workspace)
        begins = self.workspace.array("begins", rows.size, np.bool_)
        scratch = self.workspace.array("tied", rows.size, np.int32)
        self.order.order_days(every, offsets, order, begins, scratch)
        offsets, order = self.order.once(every, offsets, order, self.workspace)
        stretch = Stretch.of_rows(columns, rows.size)
        self.writer.write(stretch, layout, order, rows_of(out, slice(order.size)))
        return _Found(found.ids, offsets, order.size)


def rows_of(columns: Columns, rows: slice) -> dict[str, NDArray[Any]]:
    """Return some rows of columns, as views."""
    return {name: values[rows] for name, values in columns.items()}


def _without_rest(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the first values; where they are few, without the memory of the rest."""
    return values[:size].copy() if 2 * size < values.size else values[:size]
