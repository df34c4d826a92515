"""Collapse order lines into orders.

The lines of an order are the rows of one customer with one order key: the order falls on the
earliest day, its amount is the sum. Lines come sorted by (order, amount), so that the sum of
floats does not depend on the order of the input.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import (
    Float64Out,
    Float64s,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    UInt64s,
)
from ordercycle_kernels.sums import add_exactly, add_wide, within

SHIFT_63 = np.int64(63)

# n = lines, m = orders, c = customers


@kernel
def find_orders(
    offsets: Int64s,
    rows: Int32s,
    orders: Int64s,
    days: Int32s,
    out_offsets: Int64Out,
    out_line_offsets: Int64Out,
    out_days: Int32Out,
) -> int:
    """Find each order's lines and day.

    offsets: (c + 1,) into rows; rows: (n,), sorted by order within a customer; orders, days: by
    row; out_offsets: (c + 1,), each customer's orders; out_line_offsets: (m + 1,), each order's
    lines in rows; out_days: (m,). Returns m.
    """
    found = 0
    out_offsets[0] = 0
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        for line in range(start, stop):
            row = rows[line]
            if line > start and orders[row] == orders[rows[line - 1]]:
                out_days[found - 1] = min(out_days[found - 1], days[row])
            else:
                out_line_offsets[found] = line
                out_days[found] = days[row]
                found += 1
        out_offsets[customer + 1] = found
    out_line_offsets[found] = rows.size
    return found


@kernel
def sum_float_lines(
    line_offsets: Int64s, rows: Int32s, amounts: Float64s, out_amounts: Float64Out
) -> int:
    """Sum the lines of each order; return the first order whose sum is not finite, or -1.

    line_offsets: (m + 1,) into rows; amounts: by row; out_amounts: (m,).
    """
    overflow = -1
    for order in range(line_offsets.size - 1):
        total, error = 0.0, 0.0
        for line in range(line_offsets[order], line_offsets[order + 1]):
            total, error = add_exactly(total, error, amounts[rows[line]])
        out_amounts[order] = total + error
        if overflow < 0 and not np.isfinite(out_amounts[order]):
            overflow = order
    return overflow


@kernel
def sum_integer_lines(
    line_offsets: Int64s,
    rows: Int32s,
    lows: Int64s,
    highs: Int64s,
    bounds: UInt64s,
    out_lows: Int64Out,
    out_highs: Int64Out,
) -> int:
    """Sum the lines of each order exactly; return the first order that is too large, or -1.

    line_offsets: (m + 1,) into rows; lows, highs: words by row, highs empty where amounts fit
    one word; bounds: (4,), of the sums, as in `within`; out_lows, out_highs: (m,).
    """
    narrow = highs.size == 0
    overflow = -1
    for order in range(line_offsets.size - 1):
        high, low = np.int64(0), np.uint64(0)
        wrapped = False
        for line in range(line_offsets[order], line_offsets[order + 1]):
            row = rows[line]
            above = lows[row] >> SHIFT_63 if narrow else highs[row]
            high, low, wrap = add_wide(high, low, above, np.uint64(lows[row]))
            wrapped |= wrap
        out_lows[order] = np.int64(low)
        out_highs[order] = high
        if overflow < 0 and (wrapped or not within(high, low, bounds)):
            overflow = order
    return overflow
