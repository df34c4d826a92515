"""From blocks to customers with their events: grouped, in their total order, each event once.

The order of a customer's events is total: by instant (or day), then attributes, keys and values as
they are declared, nulls first, then id. So nothing is left of the order in which rows came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._events.event_batches import CustomerEvents, events_of, known_in
from ordercycle._grouping.customer_tables import Ids, find_by_bytes, find_by_hash, plain_ids
from ordercycle._ingest.attributes import codes_type
from ordercycle._ingest.blocks import CUSTOMER_IDS, Block, PartitionRows, collect, load
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.event_reader import EventPayload
from ordercycle._ingest.table_readers import DAY, INSTANT
from ordercycle._workspace import Workspace
from ordercycle_kernels import event_order, grouping
from ordercycle_kernels.partition import as_moved, gather, gather_places

SIGN = np.int64(-(2**63))


@dataclass(frozen=True)
class EventOrder:
    """How the events of a customer are ordered, given their columns in the order of rows.

    ranks: of each attribute, the place of each code's value; values, keys, event_id: who read them.
    """

    payload: EventPayload
    ranks: Mapping[str, NDArray[np.uint32]]
    keys: Mapping[str, IdReader]
    values: Mapping[str, AmountReader]
    event_id: IdReader | None

    def keys_of(self, columns: Mapping[str, NDArray[Any]]) -> Iterator[NDArray[np.int64]]:
        """Yield what rows of one day are ordered by, one after the other: (n,) each."""
        payload = self.payload
        if payload.has_instants:
            yield columns[INSTANT]
        for name, column in payload.codes.items():
            yield self.ranks[name][columns[column]].astype(np.int64)
        for name, column in payload.keys.items():
            yield self._known(columns, name)
            yield _ordered_words(columns[column], self.keys[name])
        for name, (low, high) in payload.values.items():
            yield self._known(columns, name)
            if high is not None:
                yield columns[high]
                yield columns[low] ^ SIGN  # the low word of two has no sign
            elif self.values[name].is_float:
                bits = columns[low]
                yield np.where(bits < 0, bits ^ np.int64(2**63 - 1), bits)
            else:
                yield columns[low]
        if payload.event_id is not None and self.event_id is not None:
            yield self._known(columns, payload.id_column)
            yield _ordered_words(columns[payload.event_id], self.event_id)

    def _known(self, columns: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.int64]:
        """Return 0 for nulls, which come first, and 1 for all else."""
        return known_in(columns, self.payload, name).astype(np.int64)

    def order_days(
        self,
        columns: Mapping[str, NDArray[Any]],
        offsets: NDArray[np.int64],
        order: NDArray[np.int32],
        begins: NDArray[np.bool_],
        scratch: NDArray[np.int32],
    ) -> None:
        """Order the rows of a customer's day, by one key after the other while any are tied.

        offsets: (c + 1,) into order, (n,), rows by customer and day; begins, scratch: (n,).
        """
        tied = event_order.begin_days(offsets, columns[DAY], order, begins)
        if tied:
            for keys in self.keys_of(columns):
                tied = event_order.break_ties(keys, order, begins, scratch)
                if not tied:
                    break

    def once(
        self,
        columns: Mapping[str, NDArray[Any]],
        offsets: NDArray[np.int64],
        order: NDArray[np.int32],
        workspace: Workspace | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Leave out what came again: return offsets and rows of each event's first."""
        column, size = self.payload.event_id, order.size
        if column is None or size < 2:
            return offsets, order
        slots = 1 << (2 * size - 1).bit_length()
        if workspace is None:
            table, kept = np.zeros(slots, np.int32), np.empty(size, np.bool_)
        else:
            table = workspace.zeros("event ids", slots, np.int32)
            kept = workspace.array("kept events", size, np.bool_)
        known = known_in(columns, self.payload, self.payload.id_column)
        if not event_order.mark_repeats(offsets, order, columns[column], known, table, kept):
            return offsets, order
        before = np.concatenate([[0], np.cumsum(kept)])
        return before[offsets], order[kept]


def _ordered_words(words: NDArray[np.uint64], reader: IdReader) -> NDArray[np.int64]:
    """Return keys as integers of the same order: those without a sign, and hashes, are shifted."""
    if reader.is_integer and pa.types.is_signed_integer(reader.plain):
        return words.view(np.int64)
    return words.view(np.int64) ^ SIGN


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
    order: EventOrder
    codes: Mapping[str, NDArray[np.uint32]]  # of each attribute, those that are kept, by code
    days: tuple[int, int]  # first and last day of all events
    workspace: Workspace

    def batch(self, partitions: range) -> GroupedEvents:
        """Group a range of partitions."""
        blocks = load(self.blocks, partitions, self.workspace, "events")
        rows = sum(int(block.sizes[partitions.start : partitions.stop].sum()) for block in blocks)
        # At once for all: many small arrays would cost several times as much to touch first.
        columns = {name: np.empty(rows, kind) for name, kind in self._types.items()}
        ids: list[Ids] = []
        offsets = [np.zeros(1, np.int64)]
        filled = 0
        for number in partitions:
            here = collect(blocks, number, self.workspace, "events")
            if here.size:
                found, ends, order = self._group(here)
                part = slice(filled, filled + order.size)
                self._gather(here, order, {name: out[part] for name, out in columns.items()})
                ids.append(found)
                offsets.append(ends[1:] + filled)
                filled += order.size
        columns = {name: _without_rest(out, filled) for name, out in columns.items()}
        payload = self.order.payload
        return GroupedEvents(
            events_of(self._plain_ids(ids), np.concatenate(offsets), columns, payload),
            rows - filled,
        )

    @property
    def _types(self) -> dict[str, Any]:
        """The columns of a batch; of codes, as narrow as the values are few."""
        types: dict[str, Any] = dict(self.order.payload.types)
        for name, column in self.order.payload.codes.items():
            types[column] = codes_type(self.codes[name].size - 1)
        return types

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
        order = self._by_customer(rows, found.slots, found.sizes)
        begins = self.workspace.array("begins", rows.size, np.bool_)
        scratch = self.workspace.array("tied", rows.size, np.int32)
        self.order.order_days(rows.columns, offsets, order, begins, scratch)
        return (found.ids, *self.order.once(rows.columns, offsets, order, self.workspace))

    def _by_customer(
        self, rows: PartitionRows, slots: NDArray[np.int32], cursors: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """List the rows by customer and day."""
        by_customer = self.workspace.array("by_customer", rows.size, np.int32)
        by_day = self.workspace.array("by_day", rows.size, np.int32)
        first, last = self.days
        histogram = self.workspace.zeros("days", last - first + 1, np.int64)
        grouping.order_rows_by_day(rows.columns[DAY], first, histogram, by_day)
        slots_by_day = self.workspace.array("slots_by_day", rows.size, np.int32)
        gather["uint32"](slots.view(np.uint32), by_day, slots_by_day.view(np.uint32))
        grouping.order_rows_by_customer(by_day, slots_by_day, cursors, by_customer)
        return by_customer

    def _gather(
        self, rows: PartitionRows, order: NDArray[np.int32], out: Mapping[str, NDArray[Any]]
    ) -> None:
        """Write the columns in the order of the events; codes as they are kept."""
        attributes = {column: name for name, column in self.order.payload.codes.items()}
        for name, column in out.items():
            values = as_moved(rows.columns[name])
            if name in attributes:
                kept = self.codes[attributes[name]].astype(column.dtype, copy=False)
                gather_places[column.dtype.name](values, order, kept, column)
            else:
                moved = as_moved(column)
                gather[moved.dtype.name](values, order, moved)


def _without_rest(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the first values; where they are few, without the memory of the rest."""
    return values[:size].copy() if 2 * size < values.size else values[:size]
