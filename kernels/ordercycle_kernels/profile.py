"""What a customer's order days say as of a day."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Float64Out,
    Float64Table,
    Int32Out,
    Int32s,
    Int32Table,
    Int64Out,
    Int64s,
    Int64Table,
)
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.median import (
    HALF,
    LANES,
    NARROW,
    WIDE,
    fill_lane,
    middle_sum,
    sort_lanes,
)

# n = orders and refunds, sorted by (customer, day); c = customers
# rows of a customer: starts[customer] to stops[customer]

# Rows of the 2-D outputs, one per column of the profile.
ORDERS, ORDER_DAYS, GAP_SQUARE_SUM = 0, 1, 2
FIRST_ORDER, LAST_ORDER, GAP_MIN, GAP_MAX, LAST_GAP = 0, 1, 2, 3, 4
SINCE_REGISTRATION, SINCE_LAST_ORDER, TO_FIRST_ORDER, LIFETIME, NEXT_EXPECTED = 0, 1, 2, 3, 4
BETWEEN_ORDERS, GAP_STD, MISSED_CYCLES = 0, 1, 2
COUNT_ROWS, DAY_ROWS, DURATION_ROWS, RATIO_ROWS = 3, 5, 5, 3

NO_GAP_YET = np.int32(2**31 - 1)


@kernel
def orders_within(
    offsets: Int64s, days: Int32s, after: int, until: int, out_starts: Int64Out, out_stops: Int64Out
) -> None:
    """Find each customer's rows of the days (after, until].

    offsets: (c + 1,); days: (n,); out_starts, out_stops: (c,).
    """
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        while start < stop and days[start] <= after:
            start += 1
        while stop > start and days[stop - 1] > until:
            stop -= 1
        out_starts[customer] = start
        out_stops[customer] = stop


@kernel
def registration_days(
    starts: Int64s,
    stops: Int64s,
    days: Int32s,
    signs: Int64s,
    net_refunds: bool,
    given: Int32s,
    out_registered: Int32Out,
    out_visible: Int32Out,
) -> None:
    """Write the effective registration, and the day from which a customer is in profiles.

    starts, stops: (c,); days, signs: (n,), a negative sign marks a refund where refunds are net;
    given, out_registered, out_visible: (c,), NO_DAY where there is none. The registration is the
    given day or the first order, whichever is earlier, or without either the first refund. Until
    the first order, a customer without a given day is visible from the first refund on.
    """
    for customer in range(starts.size):
        start, stop = starts[customer], stops[customer]
        registered = given[customer]
        first = start
        while first < stop and net_refunds and signs[first] < 0:
            first += 1
        if first < stop:
            registered = days[first] if registered == NO_DAY else min(registered, days[first])
        elif registered == NO_DAY and start < stop:
            registered = days[start]
        out_registered[customer] = registered
        out_visible[customer] = registered
        if given[customer] == NO_DAY and start < first:
            out_visible[customer] = days[start]


@helper
def write_medians(
    lanes: Int32Table, waiting: Int64s, count: int, orders: Int64s, out_gap_medians: Float64Out
) -> None:
    """Write the medians of customers whose gaps are in lanes.

    lanes: (NARROW, LANES), unsorted; waiting: (LANES,), the customer of each, `count` of them
    taken; orders, out_gap_medians: (c,).
    """
    sort_lanes(lanes)
    for lane in range(count):
        customer = waiting[lane]
        gaps = orders[customer] - 1
        middle = np.int64(lanes[(gaps - 1) // 2, lane]) + np.int64(lanes[gaps // 2, lane])
        out_gap_medians[customer] = 0.5 * middle


@kernel
def order_rhythm(
    starts: Int64s,
    stops: Int64s,
    days: Int32s,
    signs: Int64s,
    net_refunds: bool,
    gaps: Int32Out,
    out_counts: Int64Table,
    out_days: Int32Table,
    out_gap_medians: Float64Out,
) -> None:
    """Write what follows from a customer's order days alone.

    starts, stops, out_gap_medians: (c,); days, signs: (n,), a negative sign marks a refund where
    refunds are net; gaps: scratch, room for the longest customer;
    out_counts: (COUNT_ROWS, c); out_days: (DAY_ROWS, c). What is undefined is 0.
    """
    keys = np.empty(WIDE, np.int32)
    ranked = np.empty(WIDE, np.int32)
    histogram = np.empty(HALF, np.int64)
    # Customers with few gaps wait until all lanes are taken.
    lanes = np.empty((NARROW, LANES), np.int32)
    waiting = np.empty(LANES, np.int64)
    waiting_count = 0
    for customer in range(starts.size):
        orders = 0
        order_days = 0
        square_sum = np.int64(0)
        shortest, longest, gap = NO_GAP_YET, np.int32(0), np.int32(0)
        first, last = np.int32(0), np.int32(0)
        for order in range(starts[customer], stops[customer]):
            if net_refunds and signs[order] < 0:
                continue
            day = days[order]
            if orders == 0:
                first = day
                order_days = 1
            else:
                gap = np.int32(day - last)
                gaps[orders - 1] = gap
                shortest = min(shortest, gap)
                longest = max(longest, gap)
                square_sum += np.int64(gap) * np.int64(gap)
                order_days += gap > 0
            last = day
            orders += 1
        out_counts[ORDERS, customer] = orders
        out_counts[ORDER_DAYS, customer] = order_days
        out_counts[GAP_SQUARE_SUM, customer] = square_sum
        out_days[FIRST_ORDER, customer] = first
        out_days[LAST_ORDER, customer] = last
        out_days[GAP_MIN, customer] = shortest if orders > 1 else np.int32(0)
        out_days[GAP_MAX, customer] = longest
        out_days[LAST_GAP, customer] = gap
        if orders - 1 > NARROW:
            out_gap_medians[customer] = 0.5 * middle_sum(gaps, orders - 1, keys, ranked, histogram)
        elif orders > 1:
            fill_lane(gaps, orders - 1, lanes, waiting_count)
            waiting[waiting_count] = customer
            waiting_count += 1
            if waiting_count == LANES:
                write_medians(lanes, waiting, waiting_count, out_counts[ORDERS], out_gap_medians)
                waiting_count = 0
        else:
            out_gap_medians[customer] = 0.0
    write_medians(lanes, waiting, waiting_count, out_counts[ORDERS], out_gap_medians)


@kernel
def durations(
    as_of: int,
    registered: Int32s,
    counts: Int64Table,
    days: Int32Table,
    out_durations: Int32Table,
    out_ratios: Float64Table,
) -> None:
    """Write the durations as of a day and the ratios that follow from them.

    registered: (c,); counts, days: the outputs of order_rhythm; out_durations:
    (DURATION_ROWS, c) days; out_ratios: (RATIO_ROWS, c). What is undefined is 0.
    """
    for customer in range(registered.size):
        orders = counts[ORDERS, customer]
        first = np.int64(days[FIRST_ORDER, customer])
        last = np.int64(days[LAST_ORDER, customer])
        out_durations[SINCE_REGISTRATION, customer] = as_of - registered[customer]
        since_last, to_first, lifetime, expected = 0, 0, 0, 0
        between, spread, missed = 0.0, 0.0, 0.0
        if orders > 0:
            since_last = as_of - last
            to_first = first - registered[customer]
            lifetime = last - first
        if orders > 1:
            gaps = orders - 1
            between = lifetime / gaps
            expected = last + (lifetime + gaps - 1) // gaps
            if lifetime > 0:
                missed = (since_last * gaps) / lifetime
        if orders > 2:
            # The variance's numerator is an integer: nothing cancels.
            squares = np.float64(gaps * counts[GAP_SQUARE_SUM, customer] - lifetime * lifetime)
            spread = np.sqrt(squares / np.float64(gaps * (gaps - 1)))
        out_durations[SINCE_LAST_ORDER, customer] = since_last
        out_durations[TO_FIRST_ORDER, customer] = to_first
        out_durations[LIFETIME, customer] = lifetime
        out_durations[NEXT_EXPECTED, customer] = expected
        out_ratios[BETWEEN_ORDERS, customer] = between
        out_ratios[GAP_STD, customer] = spread
        out_ratios[MISSED_CYCLES, customer] = missed
