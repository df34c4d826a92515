"""Sums that come out the same whatever was added first.

Integers and decimals are summed exactly in 128 bits, held as a high signed and a low unsigned
word. Floats are summed in the order of the rows with the rounding error of every addition carried
along (Knuth's TwoSum).
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Float64Out, Float64s, Int32s, Int64s, UInt64s, UInt64Table

ONE, SHIFT_63 = np.uint64(1), np.int64(63)
FIRST_DAYS = np.int32(90)
TWO_TO_64 = np.float64(2.0**64)

# n = orders, c = customers; rows of a customer: starts[customer] to stops[customer]


@helper
def add_exactly(total: float, error: float, value: float) -> tuple[float, float]:
    """Return the rounded sum and the error carried so far."""
    rounded = total + value
    share = rounded - total
    return rounded, error + ((total - (rounded - share)) + (value - share))


@helper
def add_wide(
    high: np.int64, low: np.uint64, value_high: np.int64, value_low: np.uint64
) -> tuple[np.int64, np.uint64, bool]:
    """Return the high and low word of a 128-bit sum and whether it left the range."""
    new_low = low + value_low
    new_high = high + value_high + np.int64(new_low < low)
    # The signs of both addends differ from the sum's exactly when it wrapped around.
    wrapped = ((high ^ new_high) & (value_high ^ new_high)) < 0
    return new_high, new_low, wrapped


@helper
def within(high: np.int64, low: np.uint64, bounds: UInt64s) -> bool:
    """Return whether a 128-bit value is in a range.

    bounds: (4,), low and high word of the largest value and of the complement of the smallest.
    """
    side = 0
    if high < 0:
        high, low, side = ~high, ~low, 2
    bound_high = np.int64(bounds[side + 1])
    return high < bound_high or (high == bound_high and low <= bounds[side])


@kernel
def sum_floats(starts: Int64s, stops: Int64s, amounts: Float64s, out_sums: Float64Out) -> int:
    """Sum each customer's amounts.

    starts, stops, out_sums: (c,); amounts: (n,). Returns the first customer whose sum is not
    finite, or -1.
    """
    overflow = -1
    for customer in range(starts.size):
        total, error = 0.0, 0.0
        for row in range(starts[customer], stops[customer]):
            total, error = add_exactly(total, error, amounts[row])
        out_sums[customer] = total + error
        if overflow < 0 and not np.isfinite(out_sums[customer]):
            overflow = customer
    return overflow


@kernel
def sum_with_first_floats(
    starts: Int64s,
    stops: Int64s,
    days: Int32s,
    amounts: Float64s,
    registered: Int32s,
    first_orders: Int32s,
    out_sums: Float64Out,
    out_period_sums: Float64Out,
    out_day_sums: Float64Out,
) -> int:
    """Sum each customer's amounts: all, of the first 90 days from registration, of the first order.

    starts, stops, registered, first_orders (its day, NO_DAY without orders), out_period_sums,
    out_day_sums: (c,); out_sums: (c,), or (0,) where it is not needed; days, amounts: (n,). Returns
    the first customer with a sum that is not finite, or -1.
    """
    overflow = np.int64(-1)
    sums_all = out_sums.size > 0
    for customer in range(np.uint64(starts.size)):
        total, error = 0.0, 0.0
        period_total, period_error = 0.0, 0.0
        day_total, day_error = 0.0, 0.0
        # Unsigned, as signed rows are asked whether they count from the end: 1.9 for 2.3 ns a row.
        row, stop = np.uint64(starts[customer]), np.uint64(stops[customer])
        begin, first = registered[customer], first_orders[customer]
        end = begin + FIRST_DAYS
        # Refunds can come before the registration, which the first order never does.
        while row < stop and days[row] < begin:
            total, error = add_exactly(total, error, amounts[row])
            row += ONE
        while row < stop and days[row] < end:
            total, error = add_exactly(total, error, amounts[row])
            period_total, period_error = add_exactly(period_total, period_error, amounts[row])
            if days[row] == first:
                day_total, day_error = add_exactly(day_total, day_error, amounts[row])
            row += ONE
        while row < stop and days[row] <= first:
            total, error = add_exactly(total, error, amounts[row])
            if days[row] == first:
                day_total, day_error = add_exactly(day_total, day_error, amounts[row])
            row += ONE
        out_period_sums[customer] = period_total + period_error
        out_day_sums[customer] = day_total + day_error
        checked = out_period_sums[customer] + out_day_sums[customer]
        if sums_all:
            while row < stop:
                total, error = add_exactly(total, error, amounts[row])
                row += ONE
            out_sums[customer] = total + error
            checked += out_sums[customer]
        if overflow < 0 and not np.isfinite(checked):
            overflow = np.int64(customer)
    return overflow


@kernel
def sum_integers(
    starts: Int64s,
    stops: Int64s,
    lows: Int64s,
    highs: Int64s,
    bounds: UInt64s,
    out_sums: UInt64Table,
) -> int:
    """Sum each customer's amounts exactly.

    starts, stops: (c,); lows: (n,) and highs: (n,), or (0,) where they fit one word, the words of
    the amounts; bounds: (4,), of the sums, as in `within`; out_sums: (c, 2), low and high word.
    Returns the first customer whose sum is too large, or -1.
    """
    narrow = highs.size == 0
    overflow = -1
    for customer in range(starts.size):
        high, low = np.int64(0), np.uint64(0)
        wrapped = False
        for row in range(starts[customer], stops[customer]):
            above = lows[row] >> SHIFT_63 if narrow else highs[row]
            high, low, wrap = add_wide(high, low, above, np.uint64(lows[row]))
            wrapped |= wrap
        out_sums[customer, 0], out_sums[customer, 1] = low, np.uint64(high)
        if overflow < 0 and (wrapped or not within(high, low, bounds)):
            overflow = customer
    return overflow


@kernel
def sum_with_first_integers(
    starts: Int64s,
    stops: Int64s,
    days: Int32s,
    lows: Int64s,
    highs: Int64s,
    registered: Int32s,
    first_orders: Int32s,
    bounds: UInt64s,
    out_sums: UInt64Table,
    out_period_sums: UInt64Table,
    out_day_sums: UInt64Table,
) -> int:
    """Sum amounts exactly: all, of the first 90 days from registration, of the first order's day.

    starts, stops, registered, first_orders (its day, NO_DAY without orders): (c,); days, lows:
    (n,); highs: (n,), or (0,) where amounts fit one word; bounds: (4,), of the sums, as in
    `within`; out_sums: (c, 2), or (0, 2) where it is not needed; out_period_sums, out_day_sums: (c,
    2), low and high word. Returns the first customer with a sum that is too large, or -1.
    """
    narrow = highs.size == 0
    overflow = -1
    sums_all = out_sums.shape[0] > 0
    for customer in range(starts.size):
        high, low = np.int64(0), np.uint64(0)
        period_high, period_low = np.int64(0), np.uint64(0)
        day_high, day_low = np.int64(0), np.uint64(0)
        begin, first = registered[customer], first_orders[customer]
        end = begin + FIRST_DAYS
        wrapped = False
        for row in range(starts[customer], stops[customer]):
            above = lows[row] >> SHIFT_63 if narrow else highs[row]
            word, day = np.uint64(lows[row]), days[row]
            if sums_all:
                high, low, wrap = add_wide(high, low, above, word)
                wrapped |= wrap
            if begin <= day < end:
                period_high, period_low, wrap = add_wide(period_high, period_low, above, word)
                wrapped |= wrap
            if day == first:
                day_high, day_low, wrap = add_wide(day_high, day_low, above, word)
                wrapped |= wrap
        out_period_sums[customer, 0] = period_low
        out_period_sums[customer, 1] = np.uint64(period_high)
        out_day_sums[customer, 0], out_day_sums[customer, 1] = day_low, np.uint64(day_high)
        fits = within(period_high, period_low, bounds) and within(day_high, day_low, bounds)
        if sums_all:
            out_sums[customer, 0], out_sums[customer, 1] = low, np.uint64(high)
            fits &= within(high, low, bounds)
        if overflow < 0 and (wrapped or not fits):
            overflow = customer
    return overflow


@kernel
def average_integers(
    sums: UInt64Table, unit: float, counts: Int64s, out_averages: Float64Out
) -> None:
    """Divide exact sums by counts: sums: (c, 2) low and high word; unit: 10**scale.

    counts, out_averages: (c,); an average over nothing is 0.
    """
    for customer in range(counts.size):
        out_averages[customer] = 0.0
        if counts[customer] > 0:
            low, high = sums[customer, 0], np.int64(sums[customer, 1])
            negative = high < 0
            if negative:
                low = ~low + np.uint64(1)
                high = ~high + np.int64(low == np.uint64(0))
            magnitude = np.float64(high) * TWO_TO_64 + np.float64(low)
            average = magnitude / unit / np.float64(counts[customer])
            out_averages[customer] = -average if negative else average


@kernel
def average_floats(sums: Float64s, counts: Int64s, out_averages: Float64Out) -> None:
    """Divide sums by counts: sums, counts, out_averages: (c,); an average over nothing is 0."""
    for customer in range(counts.size):
        out_averages[customer] = 0.0
        if counts[customer] > 0:
            out_averages[customer] = sums[customer] / np.float64(counts[customer])
