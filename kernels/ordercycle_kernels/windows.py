"""What customers ordered within a window of days of their own, and sums over customers by cell.

Products of two values are summed without rounding: of floats as the float nearest to the product
and what it lacks (Dekker 1971), of integers by their halves, into the chunks of `exact_sums`.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Float64Out,
    Float64s,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    Int64Table,
)
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.exact_sums import (
    CHUNK_BITS,
    CHUNK_MASK,
    pieces_of_float,
)

#: Splits a float into halves of 26 bits.
SPLITTER = 134217729.0
NONE_BAD = -1

# n = orders and refunds, sorted by (customer, day); c = customers; s = cells;
# f = chunks of floats, i = chunks of integers


@kernel
def rows_in_windows(
    offsets: Int64s,
    days: Int32s,
    signs: Int64s,
    net_refunds: bool,
    starts: Int32s,
    width: int,
    out_orders: Int32Out,
    out_begins: Int64Out,
    out_ends: Int64Out,
) -> None:
    """Find the rows of the days start + 1 to start + width, and count the orders among them.

    offsets: (c + 1,); days, signs: (n,), a negative sign marks what is no order where refunds are
    net; starts: (c,), NO_DAY for none; out_orders, out_begins, out_ends: (c,).
    """
    for customer in range(starts.size):
        row, stop = offsets[customer], offsets[customer + 1]
        orders = np.int32(0)
        begin = end = row
        start = np.int64(starts[customer])
        if start != NO_DAY:
            low, high = row, stop
            while low < high:
                middle = (low + high) >> 1
                if days[middle] <= start:
                    low = middle + 1
                else:
                    high = middle
            begin = end = low
            while end < stop and days[end] <= start + width:
                if not (net_refunds and signs[end] < 0):
                    orders += np.int32(1)
                end += 1
        out_orders[customer] = orders
        out_begins[customer] = begin
        out_ends[customer] = end


@kernel
def sum_float_rows(begins: Int64s, ends: Int64s, amounts: Float64s, out_values: Float64Out) -> None:
    """Add the amounts of ranges of rows up, with compensation for what rounding leaves.

    begins, ends, out_values: (c,); amounts: (n,).
    """
    for customer in range(begins.size):
        total = rest = 0.0
        for row in range(begins[customer], ends[customer]):
            amount = amounts[row]
            added = total + amount
            if abs(total) >= abs(amount):
                rest += (total - added) + amount
            else:
                rest += (amount - added) + total
            total = added
        out_values[customer] = total + rest


@kernel
def sum_integer_rows(
    begins: Int64s, ends: Int64s, lows: Int64s, highs: Int64s, out_values: Int64Out
) -> int:
    """Add the amounts of ranges of rows up; return the first range that is beyond 64 bits, or -1.

    begins, ends, out_values: (c,); lows: (n,); highs: (n,), or (0,) where amounts have one word.
    """
    bad = NONE_BAD
    for customer in range(begins.size):
        total = np.int64(0)
        for row in range(begins[customer], ends[customer]):
            word = lows[row]
            added = total + word
            beyond = (word >= 0) == (total >= 0) and (added >= 0) != (total >= 0)
            if beyond or (highs.size > 0 and highs[row] != word >> 63):
                if bad == NONE_BAD:
                    bad = customer
                break
            total = added
        out_values[customer] = total
    return bad


@helper
def add_float(value: float, row: int, out_sums: Int64Table) -> None:
    """Add a finite float to a row of sums."""
    if value != 0.0:
        first, pieces = pieces_of_float(np.float64(value).view(np.int64))
        for place in range(3):
            out_sums[row, first + place] += pieces[place]


@kernel
def add_float_products(
    cells: Int32s, ones: Float64s, others: Float64s, out_sums: Int64Table
) -> None:
    """Add the product of each customer's two values to the sum of a cell.

    cells: (c,), negative for none; ones, others: (c,), whose products neither over- nor underflow;
    out_sums: (s, f).
    """
    for customer in range(cells.size):
        one, other = ones[customer], others[customer]
        if cells[customer] < 0 or one == 0.0 or other == 0.0:
            continue
        product = one * other
        split = SPLITTER * one
        one_high = split - (split - one)
        one_low = one - one_high
        split = SPLITTER * other
        other_high = split - (split - other)
        other_low = other - other_high
        lack = one_low * other_low - (
            ((product - one_high * other_high) - one_low * other_high) - one_high * other_low
        )
        add_float(product, cells[customer], out_sums)
        add_float(lack, cells[customer], out_sums)


@kernel
def add_integer_products(cells: Int32s, ones: Int64s, others: Int64s, out_sums: Int64Table) -> None:
    """Add the product of each customer's two values to the sum of a cell.

    cells: (c,), negative for none; ones, others: (c,); out_sums: (s, i).
    """
    for customer in range(cells.size):
        cell = cells[customer]
        one, other = ones[customer], others[customer]
        if cell < 0 or one == 0 or other == 0:
            continue
        # The upper half has the sign; products of halves stay within 64 bits.
        one_low, one_high = one & CHUNK_MASK, one >> CHUNK_BITS
        other_low, other_high = other & CHUNK_MASK, other >> CHUNK_BITS
        lowest = np.uint64(one_low) * np.uint64(other_low)
        out_sums[cell, 0] += np.int64(lowest & np.uint64(CHUNK_MASK))
        out_sums[cell, 1] += np.int64(lowest >> np.uint64(CHUNK_BITS))
        for product in (one_low * other_high, one_high * other_low):
            out_sums[cell, 1] += product & CHUNK_MASK
            out_sums[cell, 2] += product >> CHUNK_BITS
        highest = one_high * other_high
        out_sums[cell, 2] += highest & CHUNK_MASK
        out_sums[cell, 3] += highest >> CHUNK_BITS
