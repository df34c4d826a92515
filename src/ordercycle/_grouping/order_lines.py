"""Order lines of one partition added up: by order and day."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._grouping.amount_words import (
    DECIMAL_BOUNDS,
    INT64_BOUNDS,
    NO_WORDS,
    AmountWords,
    keys_of,
)
from ordercycle._grouping.details import Columns, taken_ids
from ordercycle._grouping.grouping_tally import Counted, GroupingTally
from ordercycle._ingest.column_readers import AmountReader
from ordercycle_kernels import lines, ordering


class PartitionOrders(NamedTuple):
    """Orders of c customers: offsets (c + 1,), days and amounts (n,).

    Where an order column is named, an entry is what an order adds up to on one day, and keys (n,)
    say of which order. further: (n,), entries that are no order though they are no refund, None
    where there are none: days after the one on which their order counts. columns: what orders have
    beside these, by the names of a block, and ids, as large_binary, where they are kept; of rows
    that are in their final order only.
    """

    offsets: NDArray[np.int64]
    days: NDArray[np.int32]
    words: AmountWords
    keys: NDArray[np.uint64] | None = None
    further: NDArray[np.bool_] | None = None
    columns: Columns | None = None
    ids: pa.Array | None = None

    def keep(self, kept: NDArray[np.bool_]) -> PartitionOrders:
        """Leave entries out; customers stay, perhaps without entries."""
        before = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])
        return self._taken(before[self.offsets], kept)

    def sorted_by_day(self, reader: AmountReader) -> PartitionOrders:
        """Return each customer's entries by (day, amount), equal ones in the order they have."""
        rows = np.arange(self.days.size, dtype=np.int32)
        ordering.order_rows_by_pair(
            self.offsets,
            self.days.astype(np.int64),
            keys_of(self.words, reader),
            rows,
            np.empty_like(rows),
        )
        return self._taken(self.offsets, rows)

    def once_a_day(self, *, net_refunds: bool) -> PartitionOrders:
        """Let one order of a day stand for all of them; the entries are sorted by (day, amount)."""
        further = merged_days(
            self.offsets, self.days, self.words.signs, self.further, net_refunds=net_refunds
        )
        return self._replace(further=further)

    def order_signs(self, *, net_refunds: bool) -> OrderSigns:
        """Return which entries are no orders."""
        return order_signs(self.words, self.further, net_refunds=net_refunds)

    def _taken(self, offsets: NDArray[np.int64], rows: NDArray[Any]) -> PartitionOrders:
        return PartitionOrders(
            offsets,
            self.days[rows],
            self.words.take(rows),
            None if self.keys is None else self.keys[rows],
            None if self.further is None else self.further[rows],
            self.columns and {name: values[rows] for name, values in self.columns.items()},
            None if self.ids is None else taken_ids(self.ids, rows),
        )


class OrderLines(NamedTuple):
    """The lines of each day of m orders: offsets (m + 1,) into rows (n,)."""

    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]


class OrderSigns(NamedTuple):
    """Which of n entries are no orders."""

    words: NDArray[np.int64]  # (n,) negative where that is so, if `matter`
    matter: bool  # False: all entries are orders


def order_signs(
    words: AmountWords,
    further: NDArray[np.bool_] | None,
    *,
    net_refunds: bool,
    has_refunds: bool = True,
) -> OrderSigns:
    """Return which entries are no orders: refunds, unless they count, and further days."""
    if further is None:
        return OrderSigns(words.signs, net_refunds and has_refunds)
    is_none = further | (words.signs < 0) if net_refunds else further
    return OrderSigns(-is_none.astype(np.int64), matter=True)


def further_days(
    offsets: NDArray[np.int64],
    days: NDArray[np.int32] | None,
    orders: NDArray[np.int64],
    signs: NDArray[np.int64],
) -> tuple[NDArray[np.bool_] | None, int]:
    """Mark the entries of later days of orders; return how many orders have several days, too.

    offsets: (c + 1,); days, orders, signs: (n,). The entries are sorted by order and day already
    where no days are given.
    """
    rows = np.arange(orders.size, dtype=np.int32)
    if days is not None:
        ordering.order_rows_by_pair(
            offsets, orders, days.astype(np.int64), rows, np.empty_like(rows)
        )
    further = np.empty(orders.size, np.bool_)
    split = lines.mark_further_days(offsets, rows, orders, signs, further)
    return (further if split and further.any() else None), split


def merged_days(
    offsets: NDArray[np.int64],
    days: NDArray[np.int32],
    signs: NDArray[np.int64],
    further: NDArray[np.bool_] | None,
    *,
    net_refunds: bool,
) -> NDArray[np.bool_] | None:
    """Mark all orders of a day but one, beside those marked already."""
    marked = np.zeros(days.size, np.bool_) if further is None else further.copy()
    return marked if lines.merge_days(offsets, days, signs, net_refunds, marked) else further


def entries_marked(
    offsets: NDArray[np.int64],
    days: NDArray[np.int32],
    signs: NDArray[np.int64],
    keys: NDArray[np.uint64] | None,
    *,
    once_a_day: bool,
    net_refunds: bool,
) -> NDArray[np.bool_] | None:
    """Mark the entries that are no orders though they are no refunds; None without any.

    offsets: (c + 1,); days, signs, keys: (n,), by day within a customer; keys: where orders may
    have several days.
    """
    marked = None
    if keys is not None:
        marked, _ = further_days(offsets, days, keys.view(np.int64), signs)
    if once_a_day:
        marked = merged_days(offsets, days, signs, marked, net_refunds=net_refunds)
    return marked


class SumOverflowError(ArithmeticError):
    """The lines of an order add up to more than their type holds: which customer."""

    def __init__(self, customer: int) -> None:
        super().__init__(customer)
        self.customer = customer


def collapse_lines(
    offsets: NDArray[np.int64],
    rows: NDArray[np.int32],
    days: NDArray[np.int32],
    order_keys: NDArray[np.uint64],
    order_numbers: NDArray[np.int64],
    words: AmountWords,
    reader: AmountReader,
    missing: NDArray[np.int32] | None = None,
) -> tuple[PartitionOrders, GroupingTally, OrderLines]:
    """Add the rows of each order up by day, or take the total that stands on all of them.

    Returns what orders are on each of their days, by order and day within a customer, what was
    found, with the places of customers as examples, and the lines of each day.

    offsets: (c + 1,) into rows; days, order_keys (kept of each order), order_numbers (the same for
    the same order, and only then), words: by row. missing: by row, 1 without an amount, where
    amounts are totals; else None.

    Raises
    ------
    SumOverflowError
        Where the lines of an order add up to too much.
    """
    scratch = np.empty_like(rows)
    ordering.order_rows_by_pair(offsets, order_numbers, keys_of(words, reader), rows, scratch)
    if lines.span_days(offsets, rows, order_numbers, days):
        # Rows that are equal so far keep their order: by amount, within a day.
        by_day = days.astype(np.int64)
        ordering.order_rows_by_pair(offsets, order_numbers, by_day, rows, scratch)
    order_offsets = np.empty_like(offsets)
    line_offsets = np.empty(rows.size + 1, np.int64)
    order_days = np.empty(rows.size, np.int32)
    found = lines.find_order_days(
        offsets, rows, order_numbers, days, order_offsets, line_offsets, order_days
    )
    line_offsets = line_offsets[: found + 1]
    wrong, overflow = np.zeros(4, np.int64), -1
    if missing is None:
        sums, overflow = _sum_lines(line_offsets, rows, words, reader)
    else:
        sums = _totals(line_offsets, rows, words, missing, wrong)
    if overflow >= 0:
        raise SumOverflowError(int(np.searchsorted(order_offsets, overflow, side="right")) - 1)
    firsts = rows[line_offsets[:found]]
    further, split = further_days(order_offsets, None, order_numbers[firsts], sums.signs)
    orders = PartitionOrders(order_offsets, order_days[:found], sums, order_keys[firsts], further)
    customers = np.searchsorted(order_offsets, wrong[1::2], side="right") - 1
    different, without = map(Counted, wrong[::2].tolist(), customers.tolist())
    tally = GroupingTally(split=split, different=different, missing=without)
    return orders, tally, OrderLines(line_offsets, rows)


def sums_of_lines(
    of: OrderLines, words: AmountWords, reader: AmountReader
) -> tuple[AmountWords, int]:
    """Add up numbers by day of an order; return the first day whose sum is too large, or -1, too.

    words: by row. Floats are added in their order, so that nothing depends on that of the rows.
    """
    rows = of.rows
    if reader.is_float:
        keys = keys_of(words, reader)
        rows = rows.copy()
        ordering.order_rows_by_pair(of.offsets, keys, keys, rows, np.empty_like(rows))
    return _sum_lines(of.offsets, rows, words, reader)


def _totals(
    line_offsets: NDArray[np.int64],
    rows: NDArray[np.int32],
    words: AmountWords,
    missing: NDArray[np.int32],
    out_wrong: NDArray[np.int64],
) -> AmountWords:
    lows, highs = np.empty((2, line_offsets.size - 1), np.int64)
    lines.take_totals(
        line_offsets, rows, words.lows.view(np.int64), words.highs, missing, lows, highs, out_wrong
    )
    return AmountWords(lows.view(words.lows.dtype), highs if words.highs.size else NO_WORDS)


def _sum_lines(
    line_offsets: NDArray[np.int64],
    rows: NDArray[np.int32],
    words: AmountWords,
    reader: AmountReader,
) -> tuple[AmountWords, int]:
    found = line_offsets.size - 1
    if reader.is_float:
        sums = np.empty(found, np.float64)
        overflow = lines.sum_float_lines(line_offsets, rows, words.lows, sums)
        return AmountWords(sums, NO_WORDS), overflow
    bounds = DECIMAL_BOUNDS if reader.is_wide else INT64_BOUNDS
    lows, highs = np.empty(found, np.int64), np.empty(found, np.int64)
    overflow = lines.sum_integer_lines(
        line_offsets, rows, words.lows, words.highs, bounds, lows, highs
    )
    return AmountWords(lows, highs if reader.is_wide else NO_WORDS), overflow
