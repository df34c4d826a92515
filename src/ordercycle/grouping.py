"""From blocks to customers: each partition's rows grouped, ordered, and joined to batches.

A partition is grouped by the kernels in one thread's scratch memory; a batch is a range of
partitions whose customers are written one behind the other. Where a batch ends depends on the
number of rows only, so that threads, chunks and the kind of source leave no trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle.amount_words import NO_WORDS, AmountKeys, AmountWords, ranks_of, words_of
from ordercycle.arrow_views import array_of_bytes
from ordercycle.blocks import (
    AMOUNT,
    AMOUNT_HIGH,
    DAY,
    HASH,
    ORDER,
    ROW,
    Block,
    Collected,
    collect,
    joined_bytes,
)
from ordercycle.errors import DataError
from ordercycle.ingest import CUSTOMER_IDS, ORDER_IDS
from ordercycle.order_lines import (
    PartitionOrders,
    SumOverflowError,
    collapse_lines,
    drop_refunds,
    sort_orders,
)
from ordercycle.problems import Problems, Trouble
from ordercycle.readers import AmountReader, IdReader
from ordercycle.workspace import Workspace
from ordercycle_kernels import grouping, hashing, ordering
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.partition import gather
from ordercycle_kernels.profile import registration_days

#: Slots of a thread's first hash table; it grows as needed and keeps its size for the next.
FIRST_TABLE_BITS = 10
RADIX = 256


@dataclass(frozen=True)
class CustomerBatch:
    """Customers in ascending order of their hash, and their orders sorted by (day, amount)."""

    ids: pa.Array  # (c,) plain: integers, strings or binaries
    registered: NDArray[np.int32]  # (c,) effective registration, NO_DAY where there is none
    offsets: NDArray[np.int64]  # (c + 1,)
    days: NDArray[np.int32]  # (n,) of orders and, unless dropped, refunds
    words: AmountWords  # (n,)
    last_day: int  # the latest of `days`; without any, a day before all others
    dropped_refunds: int
    unknown: pa.Array  # ids of customers that the customers table does not list

    @property
    def nbytes(self) -> int:
        """Bytes held, ids included."""
        arrays = (self.registered, self.offsets, self.days, *self.words)
        return int(self.ids.nbytes) + sum(array.nbytes for array in arrays)


class _Found(NamedTuple):
    """The customers of a partition: `slots` by row, `sizes` by slot, the rest by customer."""

    slots: NDArray[np.int32]
    sizes: NDArray[np.int32]
    taken: NDArray[np.int32]  # slots in ascending order of hash
    ids: NDArray[np.uint64] | pa.Array  # hashes of integers, or large_binary


class _Partition(NamedTuple):
    ids: NDArray[np.uint64] | pa.Array
    registered: NDArray[np.int32]
    offsets: NDArray[np.int64]
    rows: int
    unknown: NDArray[np.uint64] | pa.Array
    dropped_refunds: int


@dataclass(frozen=True)
class Grouper:
    """Groups partitions: everything that is the same for all of them."""

    orders: Sequence[Block]
    customers: Sequence[Block] | None
    partition_bits: int
    ids: IdReader
    amount: AmountReader
    order_ids: IdReader | None
    refunds: str
    unknown: str
    days: tuple[int, int]  # first and last day of all orders
    amount_column: str
    customer_column: str
    customer_problems: Problems
    workspace: Workspace

    def batch(self, partitions: range, rows: int) -> CustomerBatch | None:
        """Group a range of partitions, which have `rows` rows, and join their customers.

        Returns None where a customer is listed twice: then there is nothing to go on with.
        """
        days = np.empty(rows, np.int32)
        lows = np.empty(rows, np.int64)
        highs = np.empty(rows, np.int64) if self.amount.is_wide else NO_WORDS
        grouped = []
        filled = 0
        for number in partitions:
            part = self._group(number, days[filled:], AmountWords(lows[filled:], highs[filled:]))
            if part is None:
                return None
            grouped.append(part)
            filled += part.rows
        if self.customer_problems:
            return None
        words = AmountWords(lows[:filled], highs[:filled])
        if self.amount.is_float:
            words = AmountWords(words.lows.view(np.float64), NO_WORDS)
        offsets = _joined_offsets([part.offsets for part in grouped])
        return CustomerBatch(
            ids=self._joined_ids([part.ids for part in grouped]),
            registered=np.concatenate([part.registered for part in grouped]),
            offsets=offsets,
            days=days[:filled],
            words=words,
            last_day=int(days[:filled].max(initial=NO_DAY)),
            unknown=self._joined_ids([part.unknown for part in grouped]),
            dropped_refunds=sum(part.dropped_refunds for part in grouped),
        )

    def _group(
        self, number: int, out_days: NDArray[np.int32], out: AmountWords
    ) -> _Partition | None:
        listed = collect(self.customers or (), number, self.workspace, "listed")
        orders = collect(self.orders, number, self.workspace, "orders")
        found = self._find_customers(listed, orders)
        ids, taken = found.ids, found.taken
        lists = self.workspace.zeros("lists", found.sizes.size, np.int32)
        registered = self.workspace.array("registered", found.sizes.size, np.int32)
        registered.fill(NO_DAY)
        if listed.rows and self._register(listed, found.slots[: listed.rows], registered, lists):
            return None  # the build ends with an error that counts the repeated rows
        is_listed = lists[taken] > 0
        unknown = _select(ids, ~is_listed) if self.customers is not None else ids[:0]
        if len(unknown) and self.unknown == "drop":
            ids, taken, is_listed = _select(ids, is_listed), taken[is_listed], is_listed[is_listed]
        offsets = np.empty(taken.size + 1, np.int64)
        grouping.place_customers(taken, lists, found.sizes, offsets)
        given = registered[taken]
        slots = found.slots[listed.rows :]
        rows = self._rows_in_order(orders, slots, found.sizes, int(offsets[-1]))
        if self.order_ids is None:
            words = self._write_orders(offsets, rows, orders, out_days, out)
            whole = PartitionOrders(offsets, out_days[: rows.size], words)
            return self._partition(ids, given, whole, unknown, 0)
        try:
            whole = self._collapse(offsets, rows, orders)
        except SumOverflowError as overflow:
            raise self._overflow(ids, overflow.customer) from None
        dropped = 0
        if self.refunds == "drop":
            before = whole.days.size
            whole = drop_refunds(whole)
            dropped = before - whole.days.size
            exists = (np.diff(whole.offsets) > 0) | is_listed
            ids, given = _select(ids, exists), given[exists]
            whole = whole._replace(offsets=np.append(whole.offsets[:-1][exists], whole.offsets[-1]))
        whole = sort_orders(whole, self.amount)
        size = whole.days.size
        out_days[:size] = whole.days
        out.lows[:size] = whole.words.lows.view(np.int64)
        if self.amount.is_wide:
            out.highs[:size] = whole.words.highs
        return self._partition(ids, given, whole, unknown, dropped)

    def _partition(
        self,
        ids: NDArray[np.uint64] | pa.Array,
        given: NDArray[np.int32],
        orders: PartitionOrders,
        unknown: NDArray[np.uint64] | pa.Array,
        dropped_refunds: int,
    ) -> _Partition:
        """Find the effective registration while the orders are still in the cache."""
        registered = np.empty_like(given)
        registration_days(
            orders.offsets,
            orders.days,
            orders.words.signs,
            self.refunds == "net",
            given,
            registered,
        )
        return _Partition(
            ids, registered, orders.offsets, orders.days.size, unknown, dropped_refunds
        )

    def _find_customers(self, listed: Collected, orders: Collected) -> _Found:
        """Find the customers of all rows: those of the customers table come first."""
        hashes = orders.columns[HASH] if orders.rows else np.zeros(0, np.uint64)
        if listed.rows:
            hashes = np.concatenate([listed.columns[HASH], hashes])
        view = None
        if not self.ids.is_integer:
            parts = [part.ids[CUSTOMER_IDS] for part in (listed, orders) if part.rows]
            view = joined_bytes(parts)
        slots = self.workspace.array("slots", hashes.size, np.int32)
        bits = self.workspace.known.get("table_bits", FIRST_TABLE_BITS)
        while True:
            sizes = self.workspace.zeros("sizes", 1 << bits, np.int32)
            if view is None:
                table = self.workspace.zeros("table", 1 << bits, np.uint64)
                customers = grouping.find_slots(hashes, self.partition_bits, table, sizes, slots)
            else:
                firsts = self.workspace.array("firsts", 1 << bits, np.int32)
                customers = grouping.find_slots_of_bytes(
                    hashes, *view, self.partition_bits, firsts, sizes, slots
                )
            if customers != grouping.TABLE_FULL:
                break
            bits += 1
        self.workspace.known["table_bits"] = bits
        taken = np.empty(customers, np.int32)
        if view is None:
            ordered = np.empty(customers, np.uint64)
            grouping.order_customers(table, sizes, ordered, taken)
            return _Found(slots, sizes, taken, ordered)
        grouping.order_customers_of_bytes(hashes, *view, firsts, sizes, taken)
        return _Found(slots, sizes, taken, array_of_bytes(view).take(pa.array(firsts[taken])))

    def _register(
        self,
        listed: Collected,
        slots: NDArray[np.int32],
        registered: NDArray[np.int32],
        lists: NDArray[np.int32],
    ) -> int:
        """Note which customers are listed and since when; return how many rows repeat one."""
        repeated = grouping.register_customers(slots, listed.columns[DAY], registered, lists)
        if repeated:
            _, firsts = np.unique(slots, return_index=True)
            again = np.ones(slots.size, np.bool_)
            again[firsts] = False
            self.customer_problems.add_count(
                Trouble(
                    self.customer_column,
                    "is there a second time",
                    "keep one row per customer",
                ),
                int(listed.columns[ROW][again].min()),
                repeated,
            )
        return repeated

    def _rows_in_order(
        self,
        orders: Collected,
        slots: NDArray[np.int32],
        cursors: NDArray[np.int32],
        kept: int,
    ) -> NDArray[np.int32]:
        """List the rows by customer and day."""
        by_day = self.workspace.array("by_day", orders.rows, np.int32)
        rows = self.workspace.array("rows", kept, np.int32)
        if orders.rows:
            first, last = self.days
            histogram = self.workspace.zeros("days", last - first + 1, np.int64)
            grouping.order_rows_by_day(orders.columns[DAY], first, histogram, by_day)
            grouping.order_rows_by_customer(by_day, slots, cursors, rows)
        return rows

    def _amount_keys(self, orders: Collected) -> AmountKeys:
        if self.amount.is_wide:
            return ranks_of(AmountWords(orders.columns[AMOUNT], orders.columns[AMOUNT_HIGH]))
        return AmountKeys(orders.columns[AMOUNT], None)

    def _write_orders(
        self,
        offsets: NDArray[np.int64],
        rows: NDArray[np.int32],
        orders: Collected,
        out_days: NDArray[np.int32],
        out: AmountWords,
    ) -> AmountWords:
        """Write the rows' days and amounts, those of a day sorted by amount; return these."""
        if rows.size == 0:
            return AmountWords(out.lows[:0], NO_WORDS)
        days, keys = out_days[: rows.size], out.lows[: rows.size]
        unordered = self._amount_keys(orders)
        gather["int32"](orders.columns[DAY], rows, days)
        gather["int64"](unordered.keys, rows, keys)
        scratch = self.workspace.array("scratch", rows.size, np.int64)
        histogram = self.workspace.array("radix", RADIX, np.int64)
        ordering.order_amounts_of_a_day(offsets, days, keys, scratch, histogram)
        words = words_of(AmountKeys(keys, unordered.ranked), self.amount)
        if self.amount.is_wide:
            out.lows[: rows.size] = words.lows
            out.highs[: rows.size] = words.highs
        return words

    def _collapse(
        self, offsets: NDArray[np.int64], rows: NDArray[np.int32], orders: Collected
    ) -> PartitionOrders:
        if rows.size == 0:
            return PartitionOrders(
                offsets, np.zeros(0, np.int32), AmountWords(np.zeros(0, np.int64), NO_WORDS)
            )
        return collapse_lines(
            offsets,
            rows,
            orders.columns[DAY],
            self._order_keys(orders),
            self._amount_keys(orders),
            self.amount,
        )

    def _order_keys(self, orders: Collected) -> NDArray[np.int64]:
        """Return an integer per row that is the same for the same order id, and only then."""
        hashes = orders.columns[ORDER]
        if ORDER_IDS not in orders.ids:
            return hashes.view(np.int64)
        slots = np.empty(hashes.size, np.int32)
        bits = max(1, (2 * hashes.size).bit_length())
        firsts, sizes = np.empty(1 << bits, np.int32), np.zeros(1 << bits, np.int32)
        grouping.find_slots_of_bytes(hashes, *orders.ids[ORDER_IDS], 0, firsts, sizes, slots)
        return slots.astype(np.int64)

    def _joined_ids(self, parts: list[Any]) -> pa.Array:
        if not self.ids.is_integer:
            return self.ids.plain_of_binary(pa.concat_arrays(parts))
        hashes = np.concatenate(parts)
        integers = np.empty(hashes.size, np.int64)
        hashing.integers_of_hashes(hashes, integers)
        return pa.array(integers.astype(self.ids.plain.to_pandas_dtype(), copy=False))

    def _overflow(self, ids: NDArray[np.uint64] | pa.Array, customer: int) -> DataError:
        example = self._joined_ids([ids])[customer]
        return DataError(
            f"orders: {self.amount_column} adds up to more than {self.amount.produced} holds in "
            f"an order of {self.customer_column} {example}; "
            f"cast the column to decimal128(38, 2) or float64"
        )


def _select(ids: NDArray[np.uint64] | pa.Array, keep: NDArray[np.bool_]) -> Any:
    return ids[keep] if isinstance(ids, np.ndarray) else ids.filter(pa.array(keep))


def _joined_offsets(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    sizes = [np.diff(part) for part in parts]
    offsets = np.zeros(sum(size.size for size in sizes) + 1, np.int64)
    np.cumsum(np.concatenate(sizes), out=offsets[1:])
    return offsets
