"""What customers add to the cells of a report: one per segment and month, in one walk.

Between two events, an order or a change of segment, nothing about a customer changes. So a cell
holds differences to the month before, and costs nothing for the months without events: the state
at the end of a month is the sum of its cells and those of all months before. What a customer has
ordered so far moves along from segment to segment; all sums are exact, so that what moves out is
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
from ordercycle_kernels.exact_sums import (
    CHUNK_BITS,
    CHUNK_MASK,
    Pieces,
    pieces_of_float,
    pieces_of_word,
    pieces_of_words,
)
from ordercycle_kernels.sums import FIRST_DAYS
from ordercycle_kernels.timeline import OPEN

# The whole numbers of a cell. Of the month (orders and revenue are differences as well: what was
# ordered so far changes by them, and by what moves in or out):
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
    """Customers and their orders.

    visible (from when on they exist, NO_DAY for never), registered: (c,); offsets: (c + 1,); days,
    lows, signs (negative for what may be no order): (n,); highs: (n,), or (0,) where one word, the
    low one, holds an amount.
    """

    visible: Int32s
    registered: Int32s
    offsets: Int64s
    days: Int32s
    lows: Int64s
    highs: Int64s
    signs: Int64s


class Track(NamedTuple):
    """Where customers are when, one interval after the other.

    offsets: (c + 1,); codes, starts, stops (exclusive): (m,), those of a customer ascending and
    without overlaps; rows: (k,), the row of each of k codes.
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
def add(cell: int, field: int, amount: int, out_cells: Int64Table) -> None:
    """Add to a field of a cell."""
    # An index that may be negative, and then counts from the end, costs an eighth of all the time.
    out_cells[np.uint64(cell), np.uint64(field)] += amount


@inlined
def add_amount(
    cell: int, field: int, chunk: int, pieces: Pieces, is_wide: bool, out_cells: Int64Table
) -> None:
    """Add the pieces of an amount to a sum of a cell, from a chunk on."""
    place = field + SUMS * chunk
    add(cell, place, pieces[0], out_cells)
    add(cell, place + SUMS, pieces[1], out_cells)
    add(cell, place + 2 * SUMS, pieces[2], out_cells)
    if is_wide:
        add(cell, place + 3 * SUMS, pieces[3], out_cells)


@inlined
def add_to_sum(chunk: int, pieces: Pieces, is_wide: bool, out_sum: Int64Out) -> None:
    """Add the pieces of an amount to a customer's sum, from a chunk on."""
    place = np.uint64(chunk)
    out_sum[place] += pieces[0]
    out_sum[place + np.uint64(1)] += pieces[1]
    out_sum[place + np.uint64(2)] += pieces[2]
    if is_wide:
        out_sum[place + np.uint64(3)] += pieces[3]


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
    add(cell, MOVED_ORDERS, times * orders, out_cells)
    add(cell, BUYERS, times, out_cells)
    add(cell, REPEAT_BUYERS, times * (orders > 1), out_cells)
    add(cell, FIRST_ORDER_DAYS, times * first, out_cells)
    add(cell, WAITING_DAYS, times * (first - registered), out_cells)
    add(cell, LIFETIME_DAYS, times * (last - first), out_cells)


@inlined
def add_sum(
    sums: Int64s, low: int, high: int, cell: int, field: int, out_cells: Int64Table
) -> None:
    """Add the chunks low to high of a sum to a cell."""
    for chunk in range(low, high + 1):
        add(cell, field + SUMS * chunk, sums[np.uint64(chunk)], out_cells)


@inlined
def move_sum(
    sums: Int64s, low: int, high: int, left: int, cell: int, field: int, out_cells: Int64Table
) -> None:
    """Take the chunks low to high of a sum out of one cell and put them into another."""
    for chunk in range(low, high + 1):
        amount = sums[np.uint64(chunk)]
        add(left, field + SUMS * chunk, -amount, out_cells)
        add(cell, field + SUMS * chunk, amount, out_cells)


@inlined
def amount_at(
    people: Customers, order: int, are_floats: bool, is_wide: bool
) -> tuple[np.int64, np.int64, Pieces]:
    """Return the first and the last chunk of an amount that are written always, and its pieces."""
    if are_floats:
        chunk, pieces = pieces_of_float(people.lows[order])
        return chunk, chunk + 2, pieces
    if is_wide:
        chunk, pieces = pieces_of_words(people.lows[order], people.highs[order])
        return chunk, np.int64(3), pieces
    chunk, pieces = pieces_of_word(people.lows[order])
    return chunk, np.int64(1), pieces


@inlined
def column_at(columns: Int32s, day: int) -> np.int64:
    """Return the column of a day, counted from the first one of the months: 0 before it."""
    return np.int64(columns[day]) if day >= 0 else np.int64(0)


@inlined
def stretch_at(
    track: Track, interval: int, begin: int, no_segment: np.int64
) -> tuple[np.int64, np.int64]:
    """Return the row from a day on, and until when: in an interval, or in the gap before it."""
    start = np.int64(track.starts[interval])
    if start > begin:
        return no_segment, start
    return track.rows[track.codes[interval]], np.int64(track.stops[interval])


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

    everyone: also customers without an interval; first_day: of the first month; columns: (d,), the
    column of each day from then to the end of the last month; out_cells: (r * t, width). Returns
    how many times 2**32 a chunk can have grown by.

    A refund from before its customer exists counts on the day on which the customer comes.
    """
    after = np.int64(first_day + columns.size)
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
        for used in range(low, high + 1):
            total[used] = 0
            first_total[used] = 0
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
            new_row, end = no_segment, np.int64(OPEN)
            if interval < last_interval:
                new_row, end = stretch_at(track, interval, begin, no_segment)
            end = min(end, after)
            if new_row != row:
                column = column_at(columns, begin - first_day)
                is_over = column > last_column
                month = max(row, np.int64(0)) * column_count + last_column
                add(month, RETURNING, returning & is_over, out_cells)
                returning &= not is_over
                cell = new_row * column_count + column
                add(cell, CUSTOMERS, 1, out_cells)
                if row == NO_ROW:
                    add(cell, ENTERED, 1, out_cells)
                else:
                    left = row * column_count + column
                    add(left, CUSTOMERS, -1, out_cells)
                    if orders > 0:
                        add_buyer(left, -1, orders, first, last, registered, out_cells)
                        add_buyer(cell, 1, orders, first, last, registered, out_cells)
                        move_sum(first_total, low, high, left, cell, FIRST_REVENUE, out_cells)
                    move_sum(total, low, high, left, cell, MOVED_REVENUE, out_cells)
                    growth += since_carry + 1
                row = new_row
            while order < last_order and people.days[order] < end:
                day = np.int64(people.days[order])
                column = column_at(columns, max(day, begin) - first_day)
                cell = row * column_count + column
                chunk, top, pieces = amount_at(people, order, are_floats, is_wide)
                low, high = min(low, chunk), max(high, top)
                add_amount(cell, REVENUE, chunk, pieces, is_wide, out_cells)
                add_to_sum(chunk, pieces, is_wide, total)
                if registered <= day < registered + FIRST_DAYS:
                    add_to_sum(chunk, pieces, is_wide, first_total)
                    if orders > 0:
                        add_amount(cell, FIRST_REVENUE, chunk, pieces, is_wide, out_cells)
                if not (net_refunds and people.signs[order] < 0):
                    add(cell, ORDERS, 1, out_cells)
                    if orders == 0:
                        first, first_column = day, column
                        add(cell, BUYERS, 1, out_cells)
                        add(cell, FIRST_ORDER_DAYS, day, out_cells)
                        add(cell, WAITING_DAYS, day - registered, out_cells)
                        # What was refunded in the first days before counts from now on.
                        add_sum(first_total, low, high, cell, FIRST_REVENUE, out_cells)
                        growth += since_carry + 1
                    else:
                        add(cell, REPEAT_BUYERS, orders == 1, out_cells)
                        add(cell, LIFETIME_DAYS, day - last, out_cells)
                    last = day
                    orders += 1
                    is_over = column > last_column
                    month = row * column_count + last_column
                    add(month, RETURNING, returning & is_over, out_cells)
                    returning = column > first_column
                    add(cell, MONTHLY_BUYERS_OF_ALL, is_over | (orders == 1), out_cells)
                    last_column = column
                    stamp = customer * column_count + column
                    add(cell, MONTHLY_BUYERS, bought_in[row] != stamp, out_cells)
                    bought_in[row] = stamp
                since_carry += 1
                if since_carry == CARRY_EVERY:
                    first_high = carry_window(first_total, low, high)
                    high = max(first_high, carry_window(total, low, high))
                    since_carry = 0
                growth += 1
                order += 1
            begin = end
        add(row * column_count + last_column, RETURNING, returning, out_cells)
    return growth
