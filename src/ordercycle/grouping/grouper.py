"""From blocks to customers: each partition's rows grouped, ordered, and joined to batches.

A partition is grouped by the kernels in one thread's scratch memory; a batch is a range of
partitions whose customers are written one behind the other. Where a batch ends depends on the
number of rows only, so that threads, chunks and the kind of source leave no trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle.errors import DataError
from ordercycle.grouping.amount_words import NO_WORDS, AmountWords, ranked
from ordercycle.grouping.batches import CustomerBatch, OrderKeys, OrderRoom
from ordercycle.grouping.customer_tables import (
    FoundCustomers,
    Ids,
    find_by_bytes,
    find_by_hash,
    numbers_of_bytes,
    the_only_customer,
)
from ordercycle.grouping.hot_customers import LAST_HASH, Stretch
from ordercycle.grouping.order_lines import (
    PartitionOrders,
    SumOverflowError,
    collapse_lines,
    sort_orders,
)
from ordercycle.grouping.streak_orders import StreakPlaces, copy_orders, rows_by_customer
from ordercycle.ingest.blocks import (
    AMOUNT,
    AMOUNT_HIGH,
    COLUMN_TYPES,
    CUSTOMER_IDS,
    DAY,
    HASH,
    ORDER,
    ORDER_IDS,
    ROW,
    Block,
    Collected,
    collect,
)
from ordercycle.ingest.id_bytes import joined_ids
from ordercycle.ingest.problems import Problems, Trouble
from ordercycle.ingest.readers import AmountReader, IdReader
from ordercycle.workspace import Workspace
from ordercycle_kernels import amounts, grouping, hashing, ordering, streaks
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.partition import gather
from ordercycle_kernels.profile import registration_days


class _Partition(NamedTuple):
    """The customers of one partition, as in CustomerBatch; their orders are in the room."""

    ids: Ids
    given: NDArray[np.int32]
    listed: NDArray[np.bool_]
    registered: NDArray[np.int32]
    visible: NDArray[np.int32]
    offsets: NDArray[np.int64]
    order_keys: OrderKeys | None
    negative: int
    dropped_refunds: int


class GroupedBatch(NamedTuple):
    """A batch of customers, and how many refunds were dropped on the way."""

    customers: CustomerBatch
    dropped_refunds: int


@dataclass(frozen=True)
class Grouper:
    """Groups partitions: everything that is the same for all of them."""

    orders: Sequence[Block]
    customers: Sequence[Block] | None
    partition_bits: int
    ids: IdReader
    amount: AmountReader
    has_lines: bool
    refunds: str
    unknown: str
    days: tuple[int, int]  # first and last day of all orders
    amount_column: str
    customer_column: str
    customer_problems: Problems
    workspace: Workspace
    divided: Mapping[int, Sequence[Stretch]]  # partitions with hot customers

    def room(self, rows: int) -> OrderRoom:
        """Return memory for the orders of so many rows.

        That of the rows themselves where they are one block: grouped, a partition takes as much
        room as before, and fresh memory costs as much as the work.
        """
        if len(self.orders) == 1:
            columns = self.orders[0].columns
        else:
            columns = {name: np.empty(rows, COLUMN_TYPES[name]) for name in self._kept_columns}
        return OrderRoom(columns[DAY], self._amounts(columns))

    def scratch_room(self, rows: int) -> OrderRoom:
        """Return memory of the thread for the orders of so many rows, until it asks again."""
        columns = {
            name: self.workspace.array(f"room.{name}", rows, COLUMN_TYPES[name])
            for name in self._kept_columns
        }
        return OrderRoom(columns[DAY], self._amounts(columns))

    @property
    def _kept_columns(self) -> tuple[str, ...]:
        return (DAY, AMOUNT, AMOUNT_HIGH) if self.amount.is_wide else (DAY, AMOUNT)

    def batch(self, partitions: range, room: OrderRoom) -> GroupedBatch | None:
        """Group a range of partitions into `room` for their rows, and join their customers.

        Returns None where a customer is listed twice: then there is nothing to go on with.
        """
        grouped = []
        filled = 0
        for number in partitions:
            for listed, stretch in self._stretches(number):
                part = self._group(listed, stretch, room.part(slice(filled, None)))
                if part is None:
                    return None
                grouped.append(part)
                filled += int(part.offsets[-1])
        days, words = room.part(slice(filled))
        if 2 * filled < room.days.size:
            # Lines became orders, or customers were left out: give the rest back.
            days, words = days.copy(), AmountWords(words.lows.copy(), words.highs.copy())
        negative = sum(part.negative for part in grouped)
        registered = np.concatenate([part.registered for part in grouped])
        visible = registered
        if (negative and self.refunds == "net") or self.unknown == "drop":
            visible = np.concatenate([part.visible for part in grouped])
        keys = [part.order_keys for part in grouped if part.order_keys is not None]
        customers = CustomerBatch(
            ids=self._joined_ids([part.ids for part in grouped]),
            given=np.concatenate([part.given for part in grouped]),
            listed=np.concatenate([part.listed for part in grouped]),
            registered=registered,
            visible=visible,
            offsets=_joined_offsets([part.offsets for part in grouped]),
            days=days,
            words=words,
            negative=negative,
            order_keys=OrderKeys(
                _joined_offsets([part.offsets for part in keys]),
                np.concatenate([part.keys for part in keys]),
            )
            if keys
            else None,
        )
        return GroupedBatch(customers, sum(part.dropped_refunds for part in grouped))

    def _stretches(self, number: int) -> Iterator[tuple[Collected, Stretch]]:
        """Yield a partition's stretches, each with the listed customers between its hashes."""
        listed = collect(self.customers or (), number, self.workspace, "listed")
        if number not in self.divided:
            rows = collect(self.orders, number, self.workspace, "orders")
            yield listed, Stretch(rows, 0, LAST_HASH)
            return
        hashes = listed.columns.get(HASH)
        for stretch in self.divided[number]:
            here = listed
            if hashes is not None:
                between = (hashes >= np.uint64(stretch.first)) & (hashes <= np.uint64(stretch.last))
                columns = {name: values[between] for name, values in listed.columns.items()}
                here = Collected(columns, {}, columns[HASH].size)
            yield here, stretch

    def _group(self, listed: Collected, stretch: Stretch, room: OrderRoom) -> _Partition | None:
        """Group the rows of a stretch and write its orders to the beginning of the room."""
        rows = stretch.rows
        if stretch.is_one_customer:
            found = the_only_customer(stretch.first, listed.rows, rows.rows)
        else:
            found = self._find_customers(listed, rows)
            if rows.streaks is not None:
                slots = found.slots[listed.rows :]
                streaks.count_rows_of_slots(slots, rows.streaks.lengths, found.sizes)
        lists = self.workspace.zeros("lists", found.sizes.size, np.int32)
        given = np.full(found.taken.size, NO_DAY, np.int32)
        is_listed = np.zeros(found.taken.size, np.bool_)
        if listed.rows:
            days = self.workspace.array("given", found.sizes.size, np.int32)
            days.fill(NO_DAY)
            if self._register(listed, found.slots[: listed.rows], days, lists):
                return None  # the build ends with an error that counts the repeated rows
            given, is_listed = days[found.taken], lists[found.taken] > 0
        offsets = np.empty(found.taken.size + 1, np.int64)
        grouping.place_customers(found.taken, lists, found.sizes, offsets)
        orders, keys = self._ordered(stretch, found, listed.rows, offsets, room)
        dropped = 0
        if keys is not None:
            if self.refunds == "drop":
                kept = orders.words.signs >= 0
                dropped = kept.size - int(np.count_nonzero(kept))
                orders = orders.keep(kept)
            orders = sort_orders(orders, self.amount)
        if orders.days.size and orders.days.ctypes.data != room.days.ctypes.data:
            room.fill(orders)
        registered, visible = np.empty_like(given), np.empty_like(given)
        registration_days(
            orders.offsets[:-1],
            orders.offsets[1:],
            orders.days,
            orders.words.signs,
            self.refunds == "net",
            given,
            registered,
            visible,
        )
        if self.unknown == "drop":
            visible[~is_listed] = NO_DAY
        return _Partition(
            ids=found.ids,
            given=given,
            listed=is_listed,
            registered=registered,
            visible=visible,
            offsets=orders.offsets,
            order_keys=keys,
            negative=amounts.count_negative(orders.words.signs),  # while they are in the cache
            dropped_refunds=dropped,
        )

    def _ordered(
        self,
        stretch: Stretch,
        found: FoundCustomers,
        listed: int,
        offsets: NDArray[np.int64],
        room: OrderRoom,
    ) -> tuple[PartitionOrders, OrderKeys | None]:
        """Return the orders by customer, day and amount; those of lines by order, with keys."""
        rows = stretch.rows
        if stretch.is_one_customer:
            whole = PartitionOrders(offsets, rows.columns[DAY], self._amounts(rows.columns))
            return whole, None
        slots = found.slots[listed:]
        by_customer = None
        if rows.streaks is not None:
            places = StreakPlaces(slots, rows.streaks.lengths, found.sizes, offsets)
            if self.has_lines:
                by_customer = rows_by_customer(places, self.workspace)
            elif not self.amount.is_wide:
                part, floats = room.part(slice(rows.rows)), self.amount.is_float
                if copy_orders(rows.columns, places, part, self.workspace, are_floats=floats):
                    return PartitionOrders(offsets, *part), None
                found.sizes[found.taken] = offsets[:-1]
            slots = np.repeat(slots, places.lengths)
        if by_customer is None:
            by_customer = self._rows_by_customer(rows, slots, found.sizes)
        if self.has_lines:
            orders, firsts = self._collapse(found.ids, offsets, by_customer, rows)
            keys = rows.columns[ORDER][firsts] if rows.rows else np.zeros(0, np.uint64)
            return orders, OrderKeys(orders.offsets, keys)
        return self._write_orders(offsets, by_customer, rows, room), None

    def _find_customers(self, listed: Collected, rows: Collected) -> FoundCustomers:
        """Find the customers of all rows or streaks: those of the customers table come first."""
        parts = [part for part in (listed, rows) if part.rows]
        hashes = np.zeros(0, np.uint64)
        if len(parts) == 1:
            hashes = parts[0].hashes
        elif parts:
            hashes = np.concatenate([part.hashes for part in parts])
        if self.ids.is_integer:
            return find_by_hash(hashes, self.partition_bits, self.workspace)
        ids = joined_ids([part.ids[CUSTOMER_IDS] for part in parts])
        return find_by_bytes(hashes, ids, self.partition_bits, self.workspace)

    def _register(
        self,
        listed: Collected,
        slots: NDArray[np.int32],
        given: NDArray[np.int32],
        lists: NDArray[np.int32],
    ) -> int:
        """Note which customers are listed and since when; return how many rows repeat one."""
        repeated = grouping.register_customers(slots, listed.columns[DAY], given, lists)
        if repeated:
            _, firsts = np.unique(slots, return_index=True)
            again = np.ones(slots.size, np.bool_)
            again[firsts] = False
            self.customer_problems.add_count(
                Trouble(
                    self.customer_column, "is there a second time", "keep one row per customer"
                ),
                int(listed.columns[ROW][again].min()),
                repeated,
            )
        return repeated

    def _rows_by_customer(
        self, rows: Collected, slots: NDArray[np.int32], cursors: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """List the rows by customer and day."""
        by_day = self.workspace.array("by_day", rows.rows, np.int32)
        by_customer = self.workspace.array("by_customer", rows.rows, np.int32)
        if rows.rows:
            first, last = self.days
            histogram = self.workspace.zeros("days", last - first + 1, np.int64)
            grouping.order_rows_by_day(rows.columns[DAY], first, histogram, by_day)
            # Gathered first: looked up one by one, the slots of a customer with most of the rows
            # would make every step wait for the one before.
            slots_by_day = self.workspace.array("slots_by_day", rows.rows, np.int32)
            gather["int32"](slots, by_day, slots_by_day)
            grouping.order_rows_by_customer(by_day, slots_by_day, cursors, by_customer)
        return by_customer

    def _amounts(self, columns: dict[str, NDArray[Any]]) -> AmountWords:
        """Return the amounts of rows as a history has them."""
        lows = columns[AMOUNT]
        if self.amount.is_float:
            lows = lows.view(np.float64)
        return AmountWords(lows, columns.get(AMOUNT_HIGH, NO_WORDS))

    def _write_orders(
        self,
        offsets: NDArray[np.int64],
        by_customer: NDArray[np.int32],
        rows: Collected,
        room: OrderRoom,
    ) -> PartitionOrders:
        """Write the rows' days and amounts, those of a day sorted by amount.

        The room may be the rows' own memory: what is gathered is copied first. That is no loss:
        gathered from outside the cache, amounts would take twice as long.
        """
        size = by_customer.size
        days, words = room.part(slice(size))
        if size == 0:
            return PartitionOrders(offsets, days, words)
        unordered = self.workspace.array("unordered_days", size, np.int32)
        unordered[:] = rows.columns[DAY]
        gather["int32"](unordered, by_customer, days)
        scratch = self.workspace.array("scratch", size, np.int64)
        histogram = self.workspace.array("radix", int(ordering.DIGITS * ordering.RADIX), np.int64)
        if self.amount.is_wide:
            ranks, of_ranks = ranked(self._amounts(rows.columns))
            keys = ranks[by_customer]
            are_floats = False
            ordering.order_amounts_of_a_day(offsets, days, keys, are_floats, scratch, histogram)
            words.lows[:], words.highs[:] = of_ranks.take(keys)
        else:
            bits = words.lows.view(np.int64)
            scratch[:] = rows.columns[AMOUNT]
            gather["int64"](scratch, by_customer, bits)
            ordering.order_amounts_of_a_day(
                offsets, days, bits, self.amount.is_float, scratch, histogram
            )
        return PartitionOrders(offsets, days, words)

    def _collapse(
        self,
        ids: Ids,
        offsets: NDArray[np.int64],
        by_customer: NDArray[np.int32],
        rows: Collected,
    ) -> tuple[PartitionOrders, NDArray[np.int32]]:
        if rows.rows == 0:
            nothing = AmountWords(np.zeros(0, np.int64), NO_WORDS)
            return PartitionOrders(offsets, np.zeros(0, np.int32), nothing), by_customer
        order_keys = rows.columns[ORDER].view(np.int64)
        if ORDER_IDS in rows.ids:
            order_keys = numbers_of_bytes(rows.columns[ORDER], rows.ids[ORDER_IDS], self.workspace)
        days = rows.columns[DAY]
        try:
            return collapse_lines(
                offsets, by_customer, days, order_keys, self._amounts(rows.columns), self.amount
            )
        except SumOverflowError as overflow:
            example = self._joined_ids([ids])[overflow.customer]
            raise DataError(
                f"orders: {self.amount_column} adds up to more than {self.amount.produced} holds "
                f"in an order of {self.customer_column} {example}; "
                f"{self.amount.remedy_for_overflow}"
            ) from None

    def _joined_ids(self, parts: list[Any]) -> pa.Array:
        if not self.ids.is_integer:
            return self.ids.plain_of_binary(pa.concat_arrays(parts))
        hashes = np.concatenate(parts)
        integers = hashes.view(np.int64)
        hashing.integers_of_hashes(hashes, integers)  # in place: each on its own
        return pa.array(integers.astype(self.ids.plain.to_pandas_dtype(), copy=False))


def _joined_offsets(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    offsets = np.zeros(sum(part.size - 1 for part in parts) + 1, np.int64)
    filled = 0
    for part in parts:
        end = filled + part.size - 1
        np.add(part[1:], offsets[filled], out=offsets[filled + 1 : end + 1])
        filled = end
    return offsets
