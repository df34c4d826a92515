"""From blocks to customers with their events: grouped, in their total order, each event once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._events.event_batches import CustomerEvents
from ordercycle._grouping.customer_tables import Ids, find_by_bytes, find_by_hash, plain_ids
from ordercycle._grouping.day_order import rows_by_customer_and_day
from ordercycle._grouping.details import Details, DetailWriter
from ordercycle._grouping.total_order import TotalOrder
from ordercycle._ingest.blocks import CUSTOMER_IDS, Block, PartitionRows, collect, load
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.payload import DAY
from ordercycle._workspace import Workspace
from ordercycle_kernels import grouping
from ordercycle_kernels.partition import as_moved, gather


class GroupedEvents(NamedTuple):
    """A batch of customers with their events, and how many came again."""

    customers: CustomerEvents
    repeated: int


@dataclass(frozen=True)
class EventGrouper:
    """Groups partitions: everything that is the same for all of them."""

    blocks: Sequence[Block]
    partition_bits: int
    ids: IdReader
    customer_column: str
    order: TotalOrder
    writer: DetailWriter
    days: tuple[int, int]  # first and last day of all events
    workspace: Workspace

    def batch(self, partitions: range) -> GroupedEvents:
        """Group a range of partitions."""
        blocks = load(self.blocks, partitions, self.workspace, "events")
        rows = sum(int(block.sizes[partitions.start : partitions.stop].sum()) for block in blocks)
        # At once for all: many small arrays would cost several times as much to touch first.
        days, columns = np.empty(rows, np.int32), self.writer.room(rows)
        ids: list[Ids] = []
        offsets = [np.zeros(1, np.int64)]
        filled = 0
        for number in partitions:
            here = collect(blocks, number, self.workspace, "events")
            if here.size:
                found, ends, order = self._group(here)
                part = slice(filled, filled + order.size)
                gather["uint32"](as_moved(here.columns[DAY]), order, as_moved(days[part]))
                out = {name: values[part] for name, values in columns.items()}
                self.writer.write(here.columns, order, out)
                ids.append(found)
                offsets.append(ends[1:] + filled)
                filled += order.size
        columns = {name: _without_rest(out, filled) for name, out in columns.items()}
        customers = CustomerEvents(
            self._plain_ids(ids),
            np.concatenate(offsets),
            _without_rest(days, filled),
            Details.of(columns, self.order.payload),
        )
        return GroupedEvents(customers, rows - filled)

    def _plain_ids(self, parts: Sequence[Ids]) -> pa.Array:
        return plain_ids(parts, self.ids, self.customer_column) if parts else self.ids.nobody()

    def _group(self, rows: PartitionRows) -> tuple[Ids, NDArray[np.int64], NDArray[np.int32]]:
        """Return a partition's customers, where their events begin, and the rows of these."""
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
        self.order.order_days(rows.columns, offsets, order, begins, scratch)
        return (found.ids, *self.order.once(rows.columns, offsets, order, self.workspace))


def _without_rest(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the first values; where they are few, without the memory of the rest."""
    return values[:size].copy() if 2 * size < values.size else values[:size]
