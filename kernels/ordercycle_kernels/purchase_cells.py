"""Customers by repeat purchases, recency and age, and by mean spend: packed, sorted and counted.

A cell of purchases is x << 34 | t_x << 17 | T: days with a repeat order, days from the first order
to the last, days from the first to the day of the profile. A cell of spends is n << 23 | the level
of the logarithm of the mean, from the lowest on; what is beyond the level is added up.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Bools,
    Float64Out,
    Float64s,
    Int32s,
    Int64Out,
    Int64s,
    UInt64s,
)
from ordercycle_kernels.exact_sums import pieces_of_float
from ordercycle_kernels.spends import NO_STEP, STEP_BITS

#: Days of 300 years, and repeat orders on each of them, take 17 bits.
DAY_BITS = 17
MOST_DAYS = np.int64(2**DAY_BITS - 1)
RECENCY_SHIFT, REPEAT_SHIFT = np.int64(DAY_BITS), np.int64(2 * DAY_BITS)
#: Levels of the logarithm of a mean, which begin below 0, take 23 bits.
LEVEL_BITS = 23
LEVEL_SHIFT, LEVEL_OFFSET = np.int64(LEVEL_BITS), np.int64(2 ** (LEVEL_BITS - 1))
STEP_MASK = np.int64(2 ** int(STEP_BITS) - 1)
TWO_TO_64 = 2.0**64
#: One ratio of squared gaps is so many units of the sum of ratios.
RATIO_UNITS = 2.0**32

#: Digits by which keys are sorted, lowest first. Their bounds are those of the fields of cells, so
#: that the higher digits of days are mostly zero, and digits that all keys share are left out.
STARTS = (0, 11, 17, 28, 34, 45)
BITS = (11, 6, 11, 6, 11, 19)
BUCKETS = 2**19

# n = rows of a profile, k = keys of those of its customers that count, m = cells


@kernel
def purchase_keys(
    order_days: Int64s, lifetimes: Int32s, since_last: Int32s, out_keys: Int64Out
) -> int:
    """Pack the purchases of customers with orders; return how many there are.

    order_days, lifetimes, since_last (any values without orders), out_keys: (n,). Where no orders
    can have a row's numbers: -1 - row.
    """
    filled = 0
    for row in range(order_days.size):
        days = order_days[row]
        if days == 0:
            continue
        recency = np.int64(lifetimes[row])
        age = recency + np.int64(since_last[row])
        repeats = days - 1
        is_once = repeats == 0
        if repeats < 0 or recency < repeats or age < recency or age > MOST_DAYS:
            return -1 - row
        if is_once and recency > 0:
            return -1 - row
        out_keys[filled] = repeats << REPEAT_SHIFT | recency << RECENCY_SHIFT | age
        filled += 1
    return filled


@kernel
def mean_spends(
    order_days: Int64s,
    revenue: Float64s,
    first_day: Float64s,
    repeats_only: bool,
    out_means: Float64Out,
) -> None:
    """Divide revenue by the days that it comes from; NaN where there are none.

    order_days, revenue, first_day (of the first day), out_means: (n,); repeats_only: without the
    first day.
    """
    for row in range(order_days.size):
        days, total = order_days[row], revenue[row]
        if repeats_only:
            days, total = days - 1, total - first_day[row]
        out_means[row] = total / np.float64(days) if days > 0 else np.nan


@helper
def float_of_words(high: np.int64, low: np.uint64) -> float:
    """Return an integer of two words as a float."""
    upper = np.uint64(high)
    if high >= 0:
        return np.float64(upper) * TWO_TO_64 + np.float64(low)
    low = ~low + np.uint64(1)
    upper = ~upper + np.uint64(np.int64(low == np.uint64(0)))
    return -(np.float64(upper) * TWO_TO_64 + np.float64(low))


@kernel
def mean_spends_of_words(
    order_days: Int64s,
    revenue: UInt64s,
    first_day: UInt64s,
    words: int,
    unit: float,
    repeats_only: bool,
    out_means: Float64Out,
) -> None:
    """Divide revenue in integers as `mean_spends`; the difference is exact.

    order_days, out_means: (n,); revenue, first_day: (w,), words (1 or 2) of each row, the low one
    first; unit: how much of an integer is 1.
    """
    for row in range(order_days.size):
        days, place = order_days[row] - np.int64(repeats_only), row * words
        if days <= 0:
            out_means[row] = np.nan
            continue
        low = revenue[place]
        high = np.int64(revenue[place + words - 1]) if words > 1 else np.int64(low) >> 63
        if not repeats_only:
            out_means[row] = float_of_words(high, low) / unit / np.float64(days)
            continue
        less = first_day[place]
        less_high = np.int64(first_day[place + words - 1]) if words > 1 else np.int64(less) >> 63
        left = low - less
        left_high = np.int64(
            np.uint64(high) - np.uint64(less_high) - np.uint64(np.int64(low < less))
        )
        if ((high ^ less_high) & (high ^ left_high)) < 0:  # beyond 128 bits
            total = float_of_words(high, low) - float_of_words(less_high, less)
        else:
            total = float_of_words(left_high, left)
        out_means[row] = total / unit / np.float64(days)


@kernel
def spend_keys(
    order_days: Int64s,
    steps: Int64s,
    repeats_only: bool,
    out_keys: Int64Out,
    out_below: Int64Out,
) -> int:
    """Pack the spends that have a logarithm, and what is below the level of each.

    order_days, steps (of the logarithm of the mean, NO_STEP for none), out_keys, out_below: (n,);
    repeats_only: without the first day. Return how many there are.
    """
    filled = 0
    less = np.int64(repeats_only)
    for row in range(order_days.size):
        if steps[row] != NO_STEP:
            level = (steps[row] >> STEP_BITS) + LEVEL_OFFSET
            out_keys[filled] = (order_days[row] - less) << LEVEL_SHIFT | level
            out_below[filled] = steps[row] & STEP_MASK
            filled += 1
    return filled


@kernel
def sum_gap_ratios(order_days: Int64s, lifetimes: Int32s, squares: Int64s) -> int:
    """Add up the squared gaps between order days against the squared lifetime.

    order_days, lifetimes, squares (any values under three order days): (n,). Return the sum over
    customers with two gaps or more, in RATIO_UNITS.
    """
    total = np.int64(0)
    for row in range(order_days.size):
        if order_days[row] > 2:
            lifetime = np.float64(lifetimes[row])
            ratio = np.float64(squares[row]) / (lifetime * lifetime)
            total += np.int64(ratio * RATIO_UNITS)
    return total


@kernel
def sort_keys(
    out_keys: Int64Out, out_below: Int64Out, out_other_keys: Int64Out, out_other_below: Int64Out
) -> bool:
    """Sort keys, digit by digit; return whether they end up in the other array.

    out_keys, out_other_keys: (k,); out_below, out_other_below: (b,), moved with the keys, or (0,).
    """
    size, carries = out_keys.size, out_below.size > 0
    if size == 0:
        return False
    used, common = np.int64(0), out_keys[0]
    for place in range(size):
        used |= out_keys[place] ^ common
    counts = np.empty(BUCKETS, np.int64)
    is_other = False
    for digit in range(len(STARTS)):
        start, mask = np.int64(STARTS[digit]), np.int64((1 << BITS[digit]) - 1)
        varying = (used >> start) & mask
        if varying == 0:
            continue
        # Only so many buckets as the digit's varying bits reach.
        buckets = 1
        while buckets <= varying:
            buckets *= 2
        mask = np.int64(buckets - 1)
        counts[:buckets] = 0
        if is_other:
            keys, below, to_keys, to_below = out_other_keys, out_other_below, out_keys, out_below
        else:
            keys, below, to_keys, to_below = out_keys, out_below, out_other_keys, out_other_below
        for place in range(size):
            counts[(keys[place] >> start) & mask] += 1
        before = np.int64(0)
        for bucket in range(buckets):
            here = counts[bucket]
            counts[bucket] = before
            before += here
        for place in range(size):
            key = keys[place]
            bucket = (key >> start) & mask
            target = counts[bucket]
            counts[bucket] = target + 1
            to_keys[target] = key
            if carries:
                to_below[target] = below[place]
        is_other = not is_other
    return is_other


@kernel
def count_keys(
    keys: Int64s, below: Int64s, out_cells: Int64Out, out_counts: Int64Out, out_sums: Int64Out
) -> int:
    """Count equal keys of sorted ones, and add up what is below them; return how many cells.

    keys, out_cells, out_counts: (k,); below, out_sums: (b,), b = k, or (0,) for no sums.
    """
    cells = -1
    sums = below.size > 0
    for place in range(keys.size):
        if cells < 0 or keys[place] != out_cells[cells]:
            cells += 1
            out_cells[cells] = keys[place]
            out_counts[cells] = 0
            if sums:
                out_sums[cells] = 0
        out_counts[cells] += 1
        if sums:
            out_sums[cells] += below[place]
    return cells + 1


@kernel
def merge_cells(
    cells: Int64s,
    counts: Int64s,
    other_cells: Int64s,
    other_counts: Int64s,
    out_cells: Int64Out,
    out_counts: Int64Out,
) -> int:
    """Add two tables of ascending cells up; return how many cells the sum has.

    cells, counts: (m,); other_cells, other_counts: (o,); out_cells, out_counts: (s,), s = m + o.
    """
    one, other, filled = 0, 0, 0
    while one < cells.size or other < other_cells.size:
        if other == other_cells.size or (one < cells.size and cells[one] < other_cells[other]):
            out_cells[filled], out_counts[filled] = cells[one], counts[one]
            one += 1
        elif one == cells.size or other_cells[other] < cells[one]:
            out_cells[filled], out_counts[filled] = other_cells[other], other_counts[other]
            other += 1
        else:
            out_cells[filled] = cells[one]
            out_counts[filled] = counts[one] + other_counts[other]
            one, other = one + 1, other + 1
        filled += out_counts[filled] != 0
    return filled


@kernel
def add_floats(values: Float64s, kept: Bools, out_chunks: Int64Out) -> None:
    """Add up finite floats without rounding, into the chunks of `exact_sums`.

    values, kept (whether a row counts): (n,); out_chunks: (FLOAT_CHUNKS,), added to.
    """
    bits = values.view(np.int64)
    for row in range(values.size):
        if kept[row]:
            chunk, pieces = pieces_of_float(bits[row])
            out_chunks[chunk] += pieces[0]
            out_chunks[chunk + 1] += pieces[1]
            out_chunks[chunk + 2] += pieces[2]
