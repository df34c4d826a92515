"""Collapse order lines into orders.

The lines of an order are the rows of one customer with one order key: the order falls on the
earliest day, its amount is the sum. Lines come sorted by (order, amount), so that the sum of
floats does not depend on the order of the input.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels.sums import add_exactly, add_wide, magnitude_within

SHIFT_63 = np.int64(63)

# n = lines, m = orders, c = customers


@kernel("(int64[], int32[], int64[], int32[], int64[:], int64[:], int32[:]) -> int64")
def find_orders(offsets, rows, orders, days, out_offsets, out_line_offsets, out_days):
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


@kernel("(int64[], int32[], float64[], float64[:]) -> int64")
def sum_float_lines(line_offsets, rows, amounts, out_amounts):
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


@kernel("(int64[], int32[], int64[], int64[], uint64[], int64[:], int64[:]) -> int64")
def sum_integer_lines(line_offsets, rows, lows, highs, limit, out_lows, out_highs):
    """Sum the lines of each order exactly; return the first order that is too large, or -1.

    line_offsets: (m + 1,) into rows; lows, highs: words by row, highs empty where amounts fit
    one word; limit: (2,), low and high word of the largest magnitude; out_lows, out_highs: (m,).
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
        if overflow < 0 and (
            wrapped or not magnitude_within(high, low, np.int64(limit[1]), limit[0])
        ):
            overflow = order
    return overflow


@kernel("(int64[], boolean[], int64[:], int32[:]) -> void")
def drop_orders(offsets, dropped, out_offsets, out_orders):
    """List the orders that stay: offsets, out_offsets: (c + 1,); dropped: (m,)."""
    kept = 0
    out_offsets[0] = 0
    for customer in range(offsets.size - 1):
        for order in range(offsets[customer], offsets[customer + 1]):
            if not dropped[order]:
                out_orders[kept] = order
                kept += 1
        out_offsets[customer + 1] = kept
