"""Sums that come out the same whatever was added first.

Integers and decimals are summed exactly in 128 bits, held as a high signed and a low unsigned
word. Floats are summed in the order of the rows with the rounding error of every addition carried
along (Knuth's TwoSum).
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Float64Out, Float64s, Int32s, Int64s, UInt64s, UInt64Table

SHIFT_63 = np.int64(63)
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
    """Say whether a 128-bit value is in a range.

    bounds: (4,), low and high word of the largest value and of the complement of the smallest.
    """
    side = 0
    if high < 0:
        high, low, side = ~high, ~low, 2
    bound_high = np.int64(bounds[side + 1])
    return high < bound_high or (high == bound_high and low <= bounds[side])


@kernel
def sum_floats(
    starts: Int64s,
    stops: Int64s,
    days: Int32s,
    amounts: Float64s,
    registered: Int32s,
    out_sums: Float64Out,
    out_first_sums: Float64Out,
) -> int:
    """Sum each customer's amounts, and those of the first 90 days from registration.

    starts, stops, registered, out_sums, out_first_sums: (c,); days, amounts: (n,). Returns the
    first customer whose sum is not finite, or -1.
    """
    overflow = -1
    for customer in range(starts.size):
        total, error = 0.0, 0.0
        first_total, first_error = 0.0, 0.0
        order, stop = starts[customer], stops[customer]
        begin = registered[customer]
        end = begin + FIRST_DAYS
        # Refunds can come before the registration; mostly, the first days come first.
        while order < stop and days[order] < begin:
            total, error = add_exactly(total, error, amounts[order])
            order += 1
        while order < stop and days[order] < end:
            total, error = add_exactly(total, error, amounts[order])
            first_total, first_error = add_exactly(first_total, first_error, amounts[order])
            order += 1
        while order < stop:
            total, error = add_exactly(total, error, amounts[order])
            order += 1
        out_sums[customer] = total + error
        out_first_sums[customer] = first_total + first_error
        if overflow < 0 and not np.isfinite(out_sums[customer] + out_first_sums[customer]):
            overflow = customer
    return overflow


@kernel
def sum_integers(
    starts: Int64s,
    stops: Int64s,
    days: Int32s,
    lows: Int64s,
    highs: Int64s,
    registered: Int32s,
    bounds: UInt64s,
    out_sums: UInt64Table,
    out_first_sums: UInt64Table,
) -> int:
    """Sum each customer's amounts exactly, and those of the first 90 days from registration.

    lows, highs: (n,), the words of the amounts, highs empty where they fit one word;
    bounds: (4,), of the sums, as in `within`; out_sums, out_first_sums:
    (c, 2), low and high word. Returns the first customer whose sum is too large, or -1.
    """
    narrow = highs.size == 0
    overflow = -1
    for customer in range(starts.size):
        high, low = np.int64(0), np.uint64(0)
        first_high, first_low = np.int64(0), np.uint64(0)
        begin = registered[customer]
        end = begin + FIRST_DAYS
        wrapped = False
        for order in range(starts[customer], stops[customer]):
            word = np.uint64(lows[order])
            above = lows[order] >> SHIFT_63 if narrow else highs[order]
            high, low, wrap = add_wide(high, low, above, word)
            wrapped |= wrap
            if begin <= days[order] < end:
                first_high, first_low, wrap = add_wide(first_high, first_low, above, word)
                wrapped |= wrap
        out_sums[customer, 0], out_sums[customer, 1] = low, np.uint64(high)
        out_first_sums[customer, 0], out_first_sums[customer, 1] = first_low, np.uint64(first_high)
        fits = within(high, low, bounds) and within(first_high, first_low, bounds)
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
    """Divide sums by counts: (c,) each; an average over nothing is 0."""
    for customer in range(counts.size):
        out_averages[customer] = 0.0
        if counts[customer] > 0:
            out_averages[customer] = sums[customer] / np.float64(counts[customer])
