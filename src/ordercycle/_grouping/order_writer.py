"""The rows of one partition as orders, by customer, day and amount; lines are added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import DataError, printable
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords, ranked
from ordercycle._grouping.batches import DroppedDays, OrderRoom
from ordercycle._grouping.customer_tables import (
    FoundCustomers,
    Ids,
    numbers_of_bytes,
    plain_ids,
)
from ordercycle._grouping.day_order import rows_by_customer_and_day
from ordercycle._grouping.detailed_orders import DetailedOrders, ValueOverflowError
from ordercycle._grouping.grouping_tally import ByColumn, Counted, GroupingTally
from ordercycle._grouping.heavy_hitters import HashRange
from ordercycle._grouping.order_lines import (
    OrderLines,
    PartitionOrders,
    SumOverflowError,
    collapse_lines,
)
from ordercycle._grouping.run_orders import RunPlaces, copy_orders, rows_by_customer
from ordercycle._ingest.blocks import ORDER_IDS, PartitionRows, RunRows
from ordercycle._ingest.payload import DAY
from ordercycle._ingest.table_readers import AMOUNT, AMOUNT_HIGH, MISSING, ORDER
from ordercycle._spec import HistorySpec
from ordercycle._workspace import Workspace
from ordercycle_kernels import hashing, ordering
from ordercycle_kernels.partition import as_moved, gather


class Written(NamedTuple):
    """The orders of a partition by customer, day and amount, and what was found on the way."""

    orders: PartitionOrders
    found: GroupingTally = GroupingTally()
    dropped: DroppedDays | None = None


@dataclass(frozen=True)
class OrderWriter:
    """Writes rows as the orders of their customers: what is the same for all partitions."""

    spec: HistorySpec
    has_dropped: bool  # whether refunds that are dropped are gone already
    days: tuple[int, int]  # first and last day of all orders
    workspace: Workspace
    detailed: DetailedOrders | None  # who writes orders with more than a day and an amount

    def amounts(self, columns: Mapping[str, NDArray[Any]]) -> AmountWords:
        """Return the amounts of rows as a history has them."""
        lows = columns[AMOUNT]
        if self.spec.amount.is_float:
            lows = lows.view(np.float64)
        return AmountWords(lows, columns.get(AMOUNT_HIGH, NO_WORDS))

    def write(
        self,
        hash_range: HashRange,
        found: FoundCustomers,
        listed: int,
        offsets: NDArray[np.int64],
        room: OrderRoom,
    ) -> Written:
        """Return the orders by customer, day and amount."""
        if self.spec.has_lines:
            written = self._write_lines(hash_range.rows, found, listed, offsets, room)
        else:
            written = self._write_rows(hash_range, found, listed, offsets, room)
        return self.merged_days(written)

    def merged_days(self, written: Written) -> Written:
        """Let one order of a day stand for all of them, where that was asked for."""
        if self.spec.once_a_day:
            once = written.orders.once_a_day(net_refunds=self.spec.net_refunds)
            written = written._replace(orders=once)
        return written

    def _write_rows(
        self,
        hash_range: HashRange,
        found: FoundCustomers,
        listed: int,
        offsets: NDArray[np.int64],
        room: OrderRoom,
    ) -> Written:
        """Return every row as an order."""
        orders = self._sorted_rows(hash_range, found, listed, offsets, room)
        if self.spec.policies.refunds != "drop" or self.has_dropped:
            return Written(orders)
        kept = orders.words.signs >= 0
        dropped = kept.size - int(np.count_nonzero(kept))
        return Written(orders.keep(kept), GroupingTally(dropped_refunds=dropped))

    def _sorted_rows(
        self,
        hash_range: HashRange,
        found: FoundCustomers,
        listed: int,
        offsets: NDArray[np.int64],
        room: OrderRoom,
    ) -> PartitionOrders:
        rows = hash_range.rows
        if hash_range.is_one_customer:
            return PartitionOrders(offsets, rows.columns[DAY], self.amounts(rows.columns))
        slots = found.slots[listed:]
        if isinstance(rows, RunRows):
            places = RunPlaces(slots, rows.runs.lengths, found.sizes, offsets)
            if not self.spec.amount.is_wide:
                part, floats = room.part(slice(rows.size)), self.spec.amount.is_float
                if copy_orders(rows.columns, places, part, self.workspace, are_floats=floats):
                    return PartitionOrders(offsets, part.days, part.words)
                found.sizes[found.taken] = offsets[:-1]
            slots = np.repeat(slots, places.lengths)
        by_customer = rows_by_customer_and_day(rows, self.days, slots, found.sizes, self.workspace)
        if self.detailed is not None:
            return self.detailed.write(rows.columns, offsets, by_customer, room)
        return self._write_orders(offsets, by_customer, rows, room)

    def _write_lines(
        self,
        rows: PartitionRows,
        found: FoundCustomers,
        listed: int,
        offsets: NDArray[np.int64],
        room: OrderRoom,
    ) -> Written:
        """Return what orders add up to on each of their days."""
        slots = found.slots[listed:]
        if isinstance(rows, RunRows):
            places = RunPlaces(slots, rows.runs.lengths, found.sizes, offsets)
            by_customer = rows_by_customer(places, self.workspace)
        else:
            by_customer = rows_by_customer_and_day(
                rows, self.days, slots, found.sizes, self.workspace
            )
        added, counted, of = self._collapse(found.ids, offsets, by_customer, rows)
        counted = counted.with_ids(lambda: self._plain_ids(found.ids))
        dropped, kept = None, None
        if self.spec.policies.refunds == "drop":
            refunds = added.words.signs < 0
            dropped, kept = DroppedDays.of(added, refunds), ~refunds
            counted = counted._replace(dropped_refunds=dropped.days.size)
        if self.detailed is not None and rows.size:
            orders, contradictions = self._write_details(added, of, rows, room, kept)
            counted = counted._replace(contradictions=contradictions)
            return Written(orders, counted, dropped)
        orders = added if kept is None else added.keep(kept)
        return Written(orders.sorted_by_day(self.spec.amount), counted, dropped)

    def _write_details(
        self,
        added: PartitionOrders,
        of: OrderLines,
        rows: PartitionRows,
        room: OrderRoom,
        kept: NDArray[np.bool_] | None,
    ) -> tuple[PartitionOrders, ByColumn]:
        """Write what orders add up to with all that they have; return contradictions, too."""
        if self.detailed is None:
            raise AssertionError("unreachable: orders without details are written without them")
        try:
            orders, found = self.detailed.write_lines(added, of, rows, room, kept)
        except ValueOverflowError as overflow:
            reader = self.detailed.details.values[overflow.column]
            raise DataError(
                f"orders: {overflow.column} adds up to more than {reader.produced} holds on a day "
                f"of order {printable(self._order_id(rows, overflow.row))}",
                remedy=reader.remedy_for_overflow,
                column=overflow.column,
            ) from None
        return orders, tuple(
            (one.column, Counted(one.number, self._order_id(rows, one.row))) for one in found
        )

    def _order_id(self, rows: PartitionRows, row: int) -> str:
        """Return the order id of a row, as text."""
        if ORDER_IDS in rows.ids:
            _, data = rows.ids[ORDER_IDS].taken(np.array([row], np.int32))
            return repr(data.tobytes().decode(errors="backslashreplace"))
        number = np.empty(1, np.int64)
        hashing.integers_of_hashes(rows.columns[ORDER][row : row + 1], number)
        return str(number[0])

    def _write_orders(
        self,
        offsets: NDArray[np.int64],
        by_customer: NDArray[np.int32],
        rows: PartitionRows,
        room: OrderRoom,
    ) -> PartitionOrders:
        """Write the rows' days and amounts, those of a day sorted by amount.

        The room may be the rows' own memory: what is gathered is copied first. That is no loss:
        gathered from outside the cache, amounts would take twice as long.
        """
        size = by_customer.size
        days, words, _ = room.part(slice(size))
        if size == 0:
            return PartitionOrders(offsets, days, words)
        unordered = self.workspace.array("unordered_days", size, np.int32)
        unordered[:] = rows.columns[DAY]
        _gather(unordered, by_customer, days)
        scratch = self.workspace.array("scratch", size, np.int64)
        histogram = self.workspace.array("radix", int(ordering.DIGITS * ordering.RADIX), np.int64)
        if self.spec.amount.is_wide:
            ranks, of_ranks = ranked(self.amounts(rows.columns))
            keys = ranks[by_customer]
            are_floats = False
            ordering.order_amounts_of_a_day(offsets, days, keys, are_floats, scratch, histogram)
            words.lows[:], words.highs[:] = of_ranks.take(keys)
        else:
            bits = words.lows.view(np.int64)
            scratch[:] = rows.columns[AMOUNT]
            _gather(scratch, by_customer, bits)
            ordering.order_amounts_of_a_day(
                offsets, days, bits, self.spec.amount.is_float, scratch, histogram
            )
        return PartitionOrders(offsets, days, words)

    def _collapse(
        self,
        ids: Ids,
        offsets: NDArray[np.int64],
        by_customer: NDArray[np.int32],
        rows: PartitionRows,
    ) -> tuple[PartitionOrders, GroupingTally, OrderLines]:
        if rows.size == 0:
            no_keys = np.zeros(0, np.uint64)
            nothing = self.amounts({AMOUNT: np.zeros(0, np.int64)})
            orders = PartitionOrders(offsets, np.zeros(0, np.int32), nothing, no_keys)
            return orders, GroupingTally(), OrderLines(np.zeros(1, np.int64), by_customer)
        keys = rows.columns[ORDER]
        numbers = keys.view(np.int64)
        if ORDER_IDS in rows.ids:
            numbers = numbers_of_bytes(keys, rows.ids[ORDER_IDS], self.workspace)
        amounts = self.amounts(rows.columns)
        try:
            return collapse_lines(
                offsets,
                by_customer,
                rows.columns[DAY],
                keys,
                numbers,
                amounts,
                self.spec.amount,
                rows.columns[MISSING] if self.spec.policies.amount_per == "order" else None,
            )
        except SumOverflowError as overflow:
            columns, amount = self.spec.columns, self.spec.amount
            example = self._plain_ids(ids)[overflow.customer]
            raise DataError(
                f"orders: {columns.amount} adds up to more than {amount.produced} holds "
                f"on a day of an order of {columns.customer} {example}",
                remedy=amount.remedy_for_overflow,
                column=columns.amount,
            ) from None

    def _plain_ids(self, ids: Ids) -> pa.Array:
        return plain_ids([ids], self.spec.ids, self.spec.columns.customer)


def _gather(values: NDArray[Any], rows: NDArray[np.int32], out: NDArray[Any]) -> None:
    moved = as_moved(values)
    gather[moved.dtype.name](moved, rows, as_moved(out))
