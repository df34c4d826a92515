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
    NETWORKS,
    WIDE,
    WIDEST,
    WIDTHS,
    fill_lane,
    middle_sum,
    sort_lanes,
    sum_lanes,
)

# n = orders and refunds, sorted by (customer, day); c = customers
# rows of a customer: starts[customer] to stops[customer]

# Rows of the 2-D outputs, one per column of the profile.
ORDERS, ORDER_DAYS, GAP_SQUARE_SUM = 0, 1, 2
FIRST_ORDER, LAST_ORDER, GAP_MIN, GAP_MAX, LAST_GAP = 0, 1, 2, 3, 4
SINCE_REGISTRATION, SINCE_LAST_ORDER, TO_FIRST_ORDER, LIFETIME, NEXT_EXPECTED = 0, 1, 2, 3, 4
BETWEEN_ORDERS, GAP_STD, MISSED_CYCLES = 0, 1, 2
COUNT_ROWS, DAY_ROWS, DURATION_ROWS, RATIO_ROWS = 3, 5, 5, 3

#: Before every day.
BEFORE_ALL = -(2**31)
NO_GAP_YET = np.int32(2**31 - 1)


@kernel
def rows_within(
    starts: Int64s,
    stops: Int64s,
    days: Int32s,
    after: int,
    until: int,
    out_starts: Int64Out,
    out_stops: Int64Out,
) -> None:
    """Find those of each customer's rows that are of the days (after, until].

    starts, stops, out_starts, out_stops: (c,); days: (n,).
    """
    for customer in range(starts.size):
        start, stop = starts[customer], stops[customer]
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


@kernel
def first_order_days(
    starts: Int64s, stops: Int64s, days: Int32s, signs: Int64s, net_refunds: bool, out: Int32Out
) -> None:
    """Write the day of each customer's first order, NO_DAY without one.

    starts, stops, out: (c,); days, signs: (n,), a negative sign marks a refund where refunds are
    net.
    """
    for customer in range(starts.size):
        row, stop = starts[customer], stops[customer]
        while row < stop and net_refunds and signs[row] < 0:
            row += 1
        out[customer] = days[row] if row < stop else NO_DAY


@helper
def keep_orders(days: Int32s, signs: Int64s, start: int, stop: int, out_days: Int32Out) -> int:
    """List the days of the rows start to stop that are no refunds; return how many there are."""
    orders = 0
    for row in range(start, stop):
        out_days[orders] = days[row]
        orders += signs[row] >= 0
    return orders


@helper
def write_ends(
    days: Int32s, start: int, stop: int, customer: int, out_counts: Int64Table, out_days: Int32Table
) -> None:
    """Write a customer's number of orders, the first and the last day, and the last gap.

    days[start:stop]: of the customer's orders.
    """
    orders = stop - start
    out_counts[ORDERS, customer] = orders
    out_days[FIRST_ORDER, customer] = days[start] if orders > 0 else np.int32(0)
    out_days[LAST_ORDER, customer] = days[stop - 1] if orders > 0 else np.int32(0)
    out_days[LAST_GAP, customer] = days[stop - 1] - days[stop - 2] if orders > 1 else np.int32(0)


@helper
def write_no_gaps(
    customer: int, out_counts: Int64Table, out_days: Int32Table, out_gap_medians: Float64Out
) -> None:
    """Write the statistics of a customer with one order at most."""
    out_counts[ORDER_DAYS, customer] = out_counts[ORDERS, customer]
    out_counts[GAP_SQUARE_SUM, customer] = 0
    out_days[GAP_MIN, customer] = 0
    out_days[GAP_MAX, customer] = 0
    out_gap_medians[customer] = 0.0


@helper
def write_gaps_of_lanes(
    lanes: Int32Table,
    network: Int64Table,
    waiting: Int64s,
    count: int,
    square_sums: Int64Out,
    positive: Int32Out,
    out_counts: Int64Table,
    out_days: Int32Table,
    out_gap_medians: Float64Out,
) -> None:
    """Write what follows from the gaps of customers in lanes.

    lanes: (w, LANES), as they were filled; network: (pairs, 2), that of this width; waiting:
    (LANES,), the customer of each, `count` of them taken; square_sums, positive: scratch, (LANES,);
    the outputs are those of order_rhythm.
    """
    sum_lanes(lanes, square_sums, positive)
    sort_lanes(lanes, network)
    width = lanes.shape[0]
    for lane in range(count):
        customer = waiting[lane]
        gaps = out_counts[ORDERS, customer] - 1
        first = width - gaps
        middle = np.int64(lanes[first + (gaps - 1) // 2, lane])
        middle += np.int64(lanes[first + gaps // 2, lane])
        out_counts[ORDER_DAYS, customer] = 1 + positive[lane]
        out_counts[GAP_SQUARE_SUM, customer] = square_sums[lane]
        out_days[GAP_MIN, customer] = lanes[first, lane]
        out_days[GAP_MAX, customer] = lanes[width - 1, lane]
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
    refunds are net; gaps (scratch for the longest customer): (longest,);
    out_counts: (COUNT_ROWS, c); out_days: (DAY_ROWS, c). What is undefined is 0.
    """
    keys = np.empty(WIDE, np.int32)
    ranked = np.empty(WIDE, np.int32)
    histogram = np.empty(HALF, np.int64)
    # Customers with few gaps wait until all lanes of their width are taken.
    lanes = (
        np.empty((WIDTHS[0], LANES), np.int32),
        np.empty((WIDTHS[1], LANES), np.int32),
        np.empty((WIDTHS[2], LANES), np.int32),
    )
    waiting = np.empty((len(WIDTHS), LANES), np.int64)
    waiting_counts = np.zeros(len(WIDTHS), np.int64)
    square_sums, positive = np.empty(LANES, np.int64), np.empty(LANES, np.int32)
    for customer in range(starts.size):
        start, stop = starts[customer], stops[customer]
        if net_refunds:
            start, stop = 0, keep_orders(days, signs, start, stop, gaps)
            write_ends(gaps, start, stop, customer, out_counts, out_days)
        else:
            write_ends(days, start, stop, customer, out_counts, out_days)
        orders = stop - start
        if orders < 2:
            write_no_gaps(customer, out_counts, out_days, out_gap_medians)
        elif orders - 1 <= WIDEST:
            width = np.int64(orders - 1 > WIDTHS[0]) + np.int64(orders - 1 > WIDTHS[1])
            lane = waiting_counts[width]
            if net_refunds:
                fill_lane(gaps, start, stop, lanes[width], lane)
            else:
                fill_lane(days, start, stop, lanes[width], lane)
            waiting[width, lane] = customer
            waiting_counts[width] = lane + 1
            if lane + 1 == LANES:
                write_gaps_of_lanes(
                    lanes[width], NETWORKS[width], waiting[width], LANES, square_sums, positive,
                    out_counts, out_days, out_gap_medians,
                )  # fmt: skip
                waiting_counts[width] = 0
        else:
            shortest, longest, order_days, square_sum = NO_GAP_YET, np.int32(0), 1, np.int64(0)
            for order in range(orders - 1):
                row = start + order
                gap = gaps[row + 1] - gaps[row] if net_refunds else days[row + 1] - days[row]
                gaps[order] = gap
                shortest = min(shortest, gap)
                longest = max(longest, gap)
                order_days += gap > 0
                square_sum += np.int64(gap) * np.int64(gap)
            out_counts[ORDER_DAYS, customer] = order_days
            out_counts[GAP_SQUARE_SUM, customer] = square_sum
            out_days[GAP_MIN, customer] = shortest
            out_days[GAP_MAX, customer] = longest
            out_gap_medians[customer] = 0.5 * middle_sum(gaps, orders - 1, keys, ranked, histogram)
    for width in range(len(WIDTHS)):
        write_gaps_of_lanes(
            lanes[width], NETWORKS[width], waiting[width], waiting_counts[width],
            square_sums, positive, out_counts, out_days, out_gap_medians,
        )  # fmt: skip


@kernel
def durations(
    as_of: int,
    registered: Int32s,
    first_orders: Int32s,
    counts: Int64Table,
    days: Int32Table,
    out_durations: Int32Table,
    out_ratios: Float64Table,
) -> None:
    """Write the durations as of a day and the ratios that follow from them.

    registered, first_orders: (c,), the latter the day of the first order of all, NO_DAY without
    one; counts: (COUNT_ROWS, c) and days: (DAY_ROWS, c), as `order_rhythm` writes them, of these
    orders or of the last ones; out_durations: (DURATION_ROWS, c) days; out_ratios: (RATIO_ROWS, c).
    What is undefined is 0.
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
            lifetime = last - first
        if first_orders[customer] != NO_DAY:
            to_first = np.int64(first_orders[customer]) - registered[customer]
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
