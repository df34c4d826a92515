"""Order lines of one partition collapsed into orders."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle.grouping.amount_words import (
    DECIMAL_BOUNDS,
    INT64_BOUNDS,
    NO_WORDS,
    AmountWords,
    keys_of,
)
from ordercycle.ingest.readers import AmountReader
from ordercycle_kernels import lines, ordering


class PartitionOrders(NamedTuple):
    """Orders of c customers: offsets (c + 1,), days and amounts (n,)."""

    offsets: NDArray[np.int64]
    days: NDArray[np.int32]
    words: AmountWords

    def keep(self, kept: NDArray[np.bool_]) -> PartitionOrders:
        """Leave orders out; customers stay, perhaps without orders."""
        before = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])
        return PartitionOrders(before[self.offsets], self.days[kept], self.words.take(kept))


class SumOverflowError(ArithmeticError):
    """The lines of an order add up to more than their type holds: which customer."""

    def __init__(self, customer: int) -> None:
        super().__init__(customer)
        self.customer = customer


def collapse_lines(
    offsets: NDArray[np.int64],
    rows: NDArray[np.int32],
    days: NDArray[np.int32],
    order_keys: NDArray[np.int64],
    words: AmountWords,
    reader: AmountReader,
) -> tuple[PartitionOrders, NDArray[np.int32]]:
    """Collapse the rows of one order into one: the earliest day, the sum of the amounts.

    offsets: (c + 1,) into rows; days, order_keys, words: by row. Returns the orders, by order key
    within a customer, and a row of each.

    Raises
    ------
    SumOverflowError
        Where the lines of an order add up to too much.
    """
    scratch = np.empty_like(rows)
    ordering.order_rows_by_pair(offsets, order_keys, keys_of(words, reader), rows, scratch)
    order_offsets = np.empty_like(offsets)
    line_offsets = np.empty(rows.size + 1, np.int64)
    order_days = np.empty(rows.size, np.int32)
    found = lines.find_orders(
        offsets, rows, order_keys, days, order_offsets, line_offsets, order_days
    )
    sums, overflow = _sum_lines(line_offsets[: found + 1], rows, words, reader)
    if overflow >= 0:
        raise SumOverflowError(int(np.searchsorted(order_offsets, overflow, side="right")) - 1)
    firsts = rows[line_offsets[:found]]
    return PartitionOrders(order_offsets, order_days[:found], sums), firsts


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


def sort_orders(orders: PartitionOrders, reader: AmountReader) -> PartitionOrders:
    """Sort each customer's orders by (day, amount)."""
    rows = np.arange(orders.days.size, dtype=np.int32)
    ordering.order_rows_by_pair(
        orders.offsets,
        orders.days.astype(np.int64),
        keys_of(orders.words, reader),
        rows,
        np.empty_like(rows),
    )
    return PartitionOrders(orders.offsets, orders.days[rows], orders.words.take(rows))
