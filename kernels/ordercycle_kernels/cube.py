"""What customers add to the cells of a report: one per segment and month, in one walk.

Between two events, an order or a change of segment, nothing about a customer changes. So a cell
holds differences to the month before, and costs nothing for the months without events: the state
at the end of a month is the sum of its cells and those of all months before. What a customer has
ordered so far moves along when she changes segment; all sums are exact, so that what moves out is
what came in, to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordercycle_kernels._jit import inlined, kernel
from ordercycle_kernels._types import (
    Int16s,
    Int32s,
    Int64Out,
    Int64s,
    Int64Table,
)
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.exact_sums import CHUNK_BITS, CHUNK_MASK, pieces_of_float, pieces_of_word
from ordercycle_kernels.sums import FIRST_DAYS

# The whole numbers of a cell. Of the month:
ENTERED, ORDERS, MONTHLY_BUYERS, MONTHLY_BUYERS_OF_ALL, RETURNING = 0, 1, 2, 3, 4
# Differences to the month before, of those who are in the segment at the end of the month:
CUSTOMERS, MOVED_ORDERS, BUYERS, REPEAT_BUYERS = 5, 6, 7, 8
FIRST_ORDER_DAYS, WAITING_DAYS, LIFETIME_DAYS = 9, 10, 11
WHOLE_NUMBERS = 12
# The sums of money behind them, chunk by chunk: of the month, and differences to the month before.
REVENUE, MOVED_REVENUE, FIRST_REVENUE = 12, 13, 14
SUMS = 3

#: A customer's sums are carried after so many additions, so that moving them stays cheap to bound.
CARRY_EVERY = 512
NO_ROW = -1

# c = customers, n = their orders and refunds, sorted by (customer, day), m = intervals,
# r = rows of the report, the last one for whoever is in none of its segments,
# t = columns: the months, and before them one for all that lies before
# cells: (r * t, width), row by row; width = WHOLE_NUMBERS + SUMS * chunks


class Customers(NamedTuple):
    """Customers and their orders: visible, registered: (c,); offsets: (c + 1,); the others (n,).

    highs is empty where amounts fit one word.
    """

    visible: Int32s
    registered: Int32s
    offsets: Int64s
    days: Int32s
    lows: Int64s
    highs: Int64s


class Track(NamedTuple):
    """Where customers are when, one interval after the other.

    offsets: (c + 1,); codes, starts, stops (exclusive): (m,), those of a customer ascending and
    without overlaps; rows: the row of each code.
    """

    offsets: Int64s
    codes: Int16s
    starts: Int32s
    stops: Int32s
    rows: Int64s


@inlined
def carry_window(out_sum: Int64Out, low: int, high: int) -> int:
    """Carry within the chunks low to high; return the new high, one more where that is needed."""
    for chunk in range(low, high):
        carried = out_sum[chunk] >> CHUNK_BITS
        out_sum[chunk] &= CHUNK_MASK
        out_sum[chunk + 1] += carried
    top = out_sum[high]
    if top > CHUNK_MASK or top < -CHUNK_MASK:
        out_sum[high + 1] += top >> CHUNK_BITS
        out_sum[high] &= CHUNK_MASK
        high += 1
    return high


@inlined
def add_buyer(
    cell: int,
    times: int,
    orders: int,
    first: int,
    last: int,
    registered: int,
    out_cells: Int64Table,
) -> None:
    """Add the counts of a buyer to a cell, or take them out: times is 1 or -1."""
    out_cells[cell, MOVED_ORDERS] += times * orders
    out_cells[cell, BUYERS] += times
    out_cells[cell, REPEAT_BUYERS] += times * (orders > 1)
    out_cells[cell, FIRST_ORDER_DAYS] += times * first
    out_cells[cell, WAITING_DAYS] += times * (first - registered)
    out_cells[cell, LIFETIME_DAYS] += times * (last - first)


@inlined
def move_sum(
    sums: Int64s, low: int, high: int, left: int, cell: int, field: int, out_cells: Int64Table
) -> None:
    """Take the chunks low to high of a sum out of one cell and put them into another."""
    for chunk in range(low, high + 1):
        place = field + SUMS * chunk
        out_cells[left, place] -= sums[chunk]
        out_cells[cell, place] += sums[chunk]


@kernel
def add_to_cells(
    people: Customers,
    track: Track,
    are_floats: bool,
    net_refunds: bool,
    everyone: bool,
    first_day: int,
    columns: Int32s,
    out_cells: Int64Table,
) -> int:
    """Add what customers did and were, in each segment and month.

    everyone: also customers without an interval; first_day: of the first month; columns: the column
    of each day from then to the end of the last month; out_cells: (r * t, width). Returns how many
    times 2**32 a chunk can have grown by.

    A refund before the customer exists counts from the day on which she does.
    """
    after = first_day + columns.size
    column_count = np.int64(columns[columns.size - 1]) + 1
    row_count = out_cells.shape[0] // column_count
    no_segment = np.int64(row_count - 1)
    chunks = (out_cells.shape[1] - WHOLE_NUMBERS) // SUMS
    is_wide = people.highs.size > 0
    total = np.zeros(chunks, np.int64)
    first_total = np.zeros(chunks, np.int64)
    low, high = 0, -1
    # In which customer's month a row had a buyer last.
    bought_in = np.full(row_count, -1, np.int64)
    growth = 0
    for customer in range(people.visible.size):
        entered = np.int64(people.visible[customer])
        if entered == NO_DAY or entered >= after:
            continue
        registered = np.int64(people.registered[customer])
        order, last_order = people.offsets[customer], people.offsets[customer + 1]
        interval, last_interval = track.offsets[customer], track.offsets[customer + 1]
        if interval == last_interval and not everyone:
            continue
        for chunk in range(low, high + 1):
            total[chunk] = 0
            first_total[chunk] = 0
        low, high = chunks, -1
        since_carry = 0
        orders = 0
        first, last = np.int64(0), np.int64(0)
        first_column, last_column = np.int64(0), np.int64(0)
        # Whether the customer ordered in the last column and before it, and it is not over yet.
        returning = False
        row = np.int64(NO_ROW)
        begin = entered
        while begin < after:
            while interval < last_interval and track.stops[interval] <= begin:
                interval += 1
            new_row, end = no_segment, np.int64(after)
            if interval < last_interval:
                if track.starts[interval] <= begin:
                    new_row = track.rows[track.codes[interval]]
                    end = min(end, np.int64(track.stops[interval]))
                else:
                    end = min(end, np.int64(track.starts[interval]))
            if new_row != row:
                column = np.int64(columns[begin - first_day]) if begin >= first_day else 0
                is_over = column > last_column
                out_cells[max(row, np.int64(0)) * column_count + last_column, RETURNING] += (
                    returning & is_over
                )
                returning &= not is_over
                cell = new_row * column_count + column
                out_cells[cell, CUSTOMERS] += 1
                if row == NO_ROW:
                    out_cells[cell, ENTERED] += 1
                else:
                    left = row * column_count + column
                    out_cells[left, CUSTOMERS] -= 1
                    if orders > 0:
                        add_buyer(left, -1, orders, first, last, registered, out_cells)
                        add_buyer(cell, 1, orders, first, last, registered, out_cells)
                        move_sum(first_total, low, high, left, cell, FIRST_REVENUE, out_cells)
                    move_sum(total, low, high, left, cell, MOVED_REVENUE, out_cells)
                    growth += since_carry + 1
                row = new_row
            while order < last_order and people.days[order] < end:
                day = np.int64(people.days[order])
                place = max(day, begin) - first_day
                column = np.int64(columns[place]) if place >= 0 else 0
                cell = row * column_count + column
                word = people.lows[order]
                sign = word
                chunk, piece_3 = np.int64(0), np.int64(0)
                piece_2 = np.int64(0)
                if are_floats:
                    chunk, piece_0, piece_1, piece_2 = pieces_of_float(word)
                    high = max(high, chunk + 2)
                elif is_wide:
                    sign = people.highs[order]
                    piece_0, piece_1 = pieces_of_word(word)
                    piece_1 &= CHUNK_MASK
                    piece_2, piece_3 = pieces_of_word(sign)
                    high = max(high, 3)
                else:
                    piece_0, piece_1 = pieces_of_word(word)
                    high = max(high, 1)
                low = min(low, chunk)
                at = REVENUE + SUMS * chunk
                out_cells[cell, at] += piece_0
                out_cells[cell, at + SUMS] += piece_1
                out_cells[cell, at + 2 * SUMS] += piece_2
                total[chunk] += piece_0
                total[chunk + 1] += piece_1
                total[chunk + 2] += piece_2
                if is_wide:
                    out_cells[cell, at + 3 * SUMS] += piece_3
                    total[chunk + 3] += piece_3
                in_first_days = registered <= day < registered + FIRST_DAYS
                is_order = not (net_refunds and sign < 0)
                if in_first_days:
                    first_total[chunk] += piece_0
                    first_total[chunk + 1] += piece_1
                    first_total[chunk + 2] += piece_2
                    if is_wide:
                        first_total[chunk + 3] += piece_3
                    if orders > 0:
                        at = FIRST_REVENUE + SUMS * chunk
                        out_cells[cell, at] += piece_0
                        out_cells[cell, at + SUMS] += piece_1
                        out_cells[cell, at + 2 * SUMS] += piece_2
                        if is_wide:
                            out_cells[cell, at + 3 * SUMS] += piece_3
                if is_order:
                    out_cells[cell, ORDERS] += 1
                    if orders == 0:
                        first, first_column = day, column
                        out_cells[cell, BUYERS] += 1
                        out_cells[cell, FIRST_ORDER_DAYS] += day
                        out_cells[cell, WAITING_DAYS] += day - registered
                        for chunk in range(low, high + 1):
                            out_cells[cell, FIRST_REVENUE + SUMS * chunk] += first_total[chunk]
                        growth += since_carry + 1
                    else:
                        out_cells[cell, REPEAT_BUYERS] += orders == 1
                        out_cells[cell, LIFETIME_DAYS] += day - last
                    last = day
                    orders += 1
                    is_over = column > last_column
                    out_cells[row * column_count + last_column, RETURNING] += returning & is_over
                    returning = column > first_column
                    out_cells[cell, MONTHLY_BUYERS_OF_ALL] += is_over | (orders == 1)
                    last_column = column
                    month = customer * column_count + column
                    out_cells[cell, MONTHLY_BUYERS] += bought_in[row] != month
                    bought_in[row] = month
                since_carry += 1
                if since_carry == CARRY_EVERY:
                    first_high = carry_window(first_total, low, high)
                    high = max(first_high, carry_window(total, low, high))
                    since_carry = 0
                growth += 1
                order += 1
            begin = end
        out_cells[row * column_count + last_column, RETURNING] += returning
    return growth


@kernel
def mark_overlaps(
    offsets: Int64s, codes: Int16s, starts: Int32s, stops: Int32s, out_overlaps: Int64Table
) -> None:
    """Mark which segments have a customer at the same time.

    offsets: (c + 1,); codes, starts, stops: (m,), those of a customer in ascending order of starts;
    out_overlaps: (codes, codes), 0 beforehand.
    """
    for customer in range(offsets.size - 1):
        first = offsets[customer]
        reached = np.int64(NO_DAY)
        for interval in range(first, offsets[customer + 1]):
            start = starts[interval]
            if start < reached:
                for earlier in range(first, interval):
                    if stops[earlier] > start:
                        out_overlaps[codes[earlier], codes[interval]] = 1
                        out_overlaps[codes[interval], codes[earlier]] = 1
            reached = max(reached, np.int64(stops[interval]))
