"""Collapse order lines into what each order adds up to on each of its days.

The lines of an order are the rows of one customer with one order key. They come sorted by
(order, day, amount), so that the sum of floats does not depend on the order of the input. An order
counts once, on the first day whose sum is not negative: its later days are further days, which
change revenue and nothing else.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    BoolOut,
    Bools,
    Float64Out,
    Float64s,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    UInt64s,
)
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.sums import add_exactly, add_wide, within

SHIFT_63 = np.int64(63)
#: What may be wrong about the totals of orders.
DIFFERENT, NONE = 0, 2

# n = lines, m = days of orders, c = customers


@kernel
def span_days(offsets: Int64s, rows: Int32s, orders: Int64s, days: Int32s) -> bool:
    """Return whether an order has lines of several days.

    offsets: (c + 1,) into rows: (n,), sorted by order within a customer; orders, days: (n,), by
    row.
    """
    for customer in range(offsets.size - 1):
        for line in range(offsets[customer] + 1, offsets[customer + 1]):
            row, before = rows[line], rows[line - 1]
            if orders[row] == orders[before] and days[row] != days[before]:
                return True
    return False


@kernel
def find_order_days(
    offsets: Int64s,
    rows: Int32s,
    orders: Int64s,
    days: Int32s,
    out_offsets: Int64Out,
    out_line_offsets: Int64Out,
    out_days: Int32Out,
) -> int:
    """Find the lines of each day of an order.

    offsets: (c + 1,) into rows: (n,), sorted by order and day within a customer; orders, days:
    (n,), by row; out_offsets: (c + 1,), each customer's days of orders; out_line_offsets: (n + 1,),
    the lines of each in rows, and out_days: (n,), of which m are written. Returns m.
    """
    found = 0
    out_offsets[0] = 0
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        for line in range(start, stop):
            row = rows[line]
            if (
                line == start
                or orders[row] != orders[rows[line - 1]]
                or days[row] != out_days[found - 1]
            ):
                out_line_offsets[found] = line
                out_days[found] = days[row]
                found += 1
        out_offsets[customer + 1] = found
    out_line_offsets[found] = rows.size
    return found


@kernel
def take_totals(
    line_offsets: Int64s,
    rows: Int32s,
    lows: Int64s,
    highs: Int64s,
    missing: Int32s,
    out_lows: Int64Out,
    out_highs: Int64Out,
    out_wrong: Int64Out,
) -> None:
    """Take the total of each day of an order, which stands on every line, or is missing there.

    line_offsets: (m + 1,) into rows: (n,); lows: (n,) and highs: (n,), or (0,) where amounts fit
    one word, by row; missing: (n,), by row, 1 where there is no amount; out_lows: (m,); out_highs:
    (m,), or (0,) as highs; out_wrong: (4,), how many days have DIFFERENT totals or NONE, and behind
    each number the first such day, or -1.
    """
    narrow = highs.size == 0
    out_wrong[DIFFERENT], out_wrong[DIFFERENT + 1] = 0, -1
    out_wrong[NONE], out_wrong[NONE + 1] = 0, -1
    for day in range(line_offsets.size - 1):
        low, high = np.int64(0), np.int64(0)
        is_known, is_one = False, True
        for line in range(line_offsets[day], line_offsets[day + 1]):
            row = rows[line]
            if missing[row] != 0:
                continue
            above = np.int64(0) if narrow else highs[row]
            if is_known and (lows[row] != low or above != high):
                is_one = False
            low, high, is_known = lows[row], above, True
        out_lows[day] = low
        out_highs[day] = high
        if not is_known or not is_one:
            kind = DIFFERENT if is_known else NONE
            if out_wrong[kind] == 0:
                out_wrong[kind + 1] = day
            out_wrong[kind] += 1


@kernel
def mark_further_days(
    offsets: Int64s, rows: Int32s, orders: Int64s, signs: Int64s, out_further: BoolOut
) -> int:
    """Mark the days of orders that count on an earlier day; return how many orders have several.

    offsets: (c + 1,) into rows; rows: (m,), sorted by order and day within a customer; orders,
    signs (negative where a day's sum is), out_further: (m,), by row. Negative sums are refunds of
    their day and never marked.
    """
    split = 0
    for customer in range(offsets.size - 1):
        is_counted = False
        days = 0
        for place in range(offsets[customer], offsets[customer + 1]):
            row = rows[place]
            if place == offsets[customer] or orders[row] != orders[rows[place - 1]]:
                is_counted = False
                days = 0
            days += 1
            split += days == 2
            is_order = signs[row] >= 0
            out_further[row] = is_order and is_counted
            is_counted = is_counted or is_order
    return split


@kernel
def merge_days(
    offsets: Int64s, days: Int32s, signs: Int64s, net_refunds: bool, further: BoolOut
) -> int:
    """Let one order of a day stand for all; return how many others were marked.

    offsets: (c + 1,); days, signs: (m,), sorted by day and amount within a customer, a negative
    sign marks a refund where refunds are net; further: (m,), what is no order already, added to.
    """
    marked = 0
    for customer in range(offsets.size - 1):
        taken = NO_DAY
        for row in range(offsets[customer], offsets[customer + 1]):
            if further[row] or (net_refunds and signs[row] < 0):
                continue
            if days[row] == taken:
                further[row] = True
                marked += 1
            taken = days[row]
    return marked


@kernel
def sum_float_lines(
    line_offsets: Int64s, rows: Int32s, amounts: Float64s, out_amounts: Float64Out
) -> int:
    """Sum the lines of each day of an order; return the first whose sum is not finite, or -1.

    line_offsets: (m + 1,) into rows: (n,); amounts: (n,), by row; out_amounts: (m,).
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
    """Sum the lines of each day of an order exactly; return the first that is too large, or -1.

    line_offsets: (m + 1,) into rows: (n,); lows: (n,) and highs: (n,), or (0,) where amounts fit
    one word, by row; bounds: (4,), of the sums, as in `within`; out_lows: (m,); out_highs: (m,), or
    (0,) as highs.
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


@helper
def speaks(signs: Int64s, missing: Int32s, row: int, day_sign: int) -> bool:
    """Return whether a line says what its order is like that day: one of its sign, or no amount."""
    if missing.size > 0 and missing[row] != 0:
        return True
    return (signs[row] < 0) == (day_sign < 0)


@kernel
def choose_lines(
    line_offsets: Int64s,
    rows: Int32s,
    signs: Int64s,
    missing: Int32s,
    day_signs: Int64s,
    instants: Int64s,
    out_rows: Int32Out,
) -> None:
    """Choose the line of each day of an order that says what it is like: the earliest of its sign.

    line_offsets: (m + 1,) into rows: (n,); signs: (n,), by row, negative where the amount is;
    missing: (n,), or (0,) where all have an amount, by row, 1 where there is none; day_signs: (m,),
    negative where the sum is; instants: (n,), or (0,) without any, by row: then the first;
    out_rows: (m,).
    """
    for day in range(day_signs.size):
        chosen = np.int32(-1)
        for line in range(line_offsets[day], line_offsets[day + 1]):
            row = rows[line]
            if speaks(signs, missing, row, day_signs[day]) and (
                chosen < 0 or (instants.size > 0 and instants[row] < instants[chosen])
            ):
                chosen = row
        out_rows[day] = chosen


@kernel
def find_values(
    line_offsets: Int64s,
    rows: Int32s,
    signs: Int64s,
    missing: Int32s,
    day_signs: Int64s,
    known: Bools,
    values: Int64s,
    out_rows: Int32Out,
    out_marks: BoolOut,
) -> int:
    """Find the line that has the value of each day of an order; return how many have several.

    line_offsets: (m + 1,) into rows: (n,); signs: (n,), by row, negative where the amount is;
    missing: (n,), or (0,) where all have an amount, by row, 1 where there is none; day_signs: (m,),
    negative where the sum is; known: (n,), by row, false where a line is null, which says nothing;
    values: (n,), by row; out_rows: (m,), the first of the sum's sign that is not null, or one that
    is where all are; out_marks: (m,), whether lines have different values.
    """
    marked = 0
    for day in range(day_signs.size):
        found = np.int32(-1)
        agree = True
        for line in range(line_offsets[day], line_offsets[day + 1]):
            row = rows[line]
            if not speaks(signs, missing, row, day_signs[day]):
                continue
            if found < 0 or not known[found]:
                found = row
            elif known[row]:
                agree &= values[row] == values[found]
        out_rows[day] = found
        out_marks[day] = not agree
        marked += not agree
    return marked
