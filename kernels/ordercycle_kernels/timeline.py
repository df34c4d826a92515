"""When customers change segment: at registration, at orders, and when a threshold expires."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Float64s, Int16Out, Int32Out, Int32s, Int64Out, Int64s
from ordercycle_kernels.cadence import (
    ACTIVE,
    JUST_ORDERED,
    LOST,
    SLIPPING_AWAY,
    silent_days,
)
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.lifecycle import (
    AT_RISK,
    CHURNED,
    INACTIVE,
    NEW_NO_ORDERS,
    PROMISING,
)

# n = orders and refunds, sorted by (customer, day); c = customers; m = intervals,
# room = as many as there can be

#: Where an interval stops that is still open: after every day.
OPEN = np.int32(2**31 - 1)

#: At most so many intervals of lifecycle segments: per order Loyal, At-risk and Churned, and per
#: customer the three of newcomers and Inactive.
LIFECYCLE_PER_ORDER, LIFECYCLE_PER_CUSTOMER = 3, 4
#: Of cadence groups, per order.
CADENCE_PER_ORDER = 4


@helper
def put(
    code: int,
    start: int,
    begin: int,
    place: int,
    out_codes: Int16Out,
    out_starts: Int32Out,
) -> int:
    """Write where a segment starts, behind a customer's others; return the place behind it.

    begin: the customer's first place. One that starts on the same day is replaced, and the same
    segment goes on.
    """
    if place > begin and out_starts[place - 1] == start:
        place -= 1
    if place > begin and out_codes[place - 1] == code:
        return place
    out_codes[place] = code
    out_starts[place] = start
    return place + 1


@kernel
def lifecycle_intervals(
    offsets: Int64s,
    days: Int32s,
    signs: Int64s,
    net_refunds: bool,
    registered: Int32s,
    visible: Int32s,
    thresholds: Int32s,
    span: Int64s,
    out_offsets: Int64Out,
    out_codes: Int16Out,
    out_starts: Int32Out,
) -> None:
    """Write the days on which customers come into lifecycle segments, and into which.

    offsets: (c + 1,); days, signs: (n,), a negative sign marks a refund where refunds are net;
    registered, visible: (c,), as `profile.registration_days` writes them; thresholds: (3,),
    new_days, active_days, churned_days; span: (2,), the first and the last day, what is later is
    not known yet; out_offsets: (c + 1,); out_codes, out_starts: (room,), for as many as there can
    be.
    """
    first_day, last_day = span[0], span[1]
    new_days, active_days = np.int64(thresholds[0]), np.int64(thresholds[1])
    churned_days = np.int64(thresholds[2])
    place = 0
    out_offsets[0] = 0
    for customer in range(offsets.size - 1):
        begin = place
        orders = 0
        # Until the first order, what makes a customer visible stands for the registration.
        changed = np.int64(visible[customer])
        last_order = changed
        aged = changed + new_days + 1
        order, stop = offsets[customer], offsets[customer + 1]
        is_over = changed == NO_DAY or changed > last_day
        while not is_over:
            while order < stop and net_refunds and signs[order] < 0:
                order += 1
            is_over = order == stop or days[order] > last_day
            day = last_day + 1 if is_over else np.int64(days[order])
            order += 1
            if not is_over and orders > 2 and day - last_order <= active_days:
                last_order = day  # nothing changes but when it would expire
                continue
            # The segments from the last change to this day, those of no length among them.
            if changed < min(aged, day):
                newcomer = NEW_NO_ORDERS + min(orders, 2)
                place = put(newcomer, max(changed, first_day), begin, place, out_codes, out_starts)
            start = max(changed, aged)
            if start < day:
                grown = INACTIVE if orders == 0 else PROMISING + min(orders - 1, 2)
                place = put(grown, max(start, first_day), begin, place, out_codes, out_starts)
            if orders > 0:
                start = max(last_order + active_days + 1, aged)
                if start < day:
                    place = put(AT_RISK, max(start, first_day), begin, place, out_codes, out_starts)
                start = max(last_order + churned_days + 1, aged)
                if start < day:
                    place = put(CHURNED, max(start, first_day), begin, place, out_codes, out_starts)
            orders += 1
            changed, last_order = day, day
            aged = np.int64(registered[customer]) + new_days + 1
        out_offsets[customer + 1] = place


@kernel
def cadence_intervals(
    offsets: Int64s,
    days: Int32s,
    signs: Int64s,
    net_refunds: bool,
    visible: Int32s,
    just_ordered_days: int,
    rhythm: Float64s,
    span: Int64s,
    out_offsets: Int64Out,
    out_codes: Int16Out,
    out_starts: Int32Out,
) -> None:
    """Write the days on which customers come into cadence groups, and into which.

    offsets: (c + 1,); days, signs: (n,), as `lifecycle_intervals` takes them; visible: (c,), NO_DAY
    for customers who are never there; rhythm: (4,), as `cadence.silent_limits` takes it; span:
    (2,), the first and the last day; out_offsets: (c + 1,); out_codes, out_starts: (room,), for as
    many as there can be.
    """
    first_day, last_day = span[0], span[1]
    place = 0
    out_offsets[0] = 0
    for customer in range(offsets.size - 1):
        begin = place
        orders = 0
        gap_sum, gap_square_sum = np.int64(0), np.int64(0)
        changed, last_order = np.int64(0), np.int64(0)
        order, stop = offsets[customer], offsets[customer + 1]
        is_over = visible[customer] == NO_DAY
        while not is_over:
            while order < stop and net_refunds and signs[order] < 0:
                order += 1
            is_over = order == stop or days[order] > last_day
            day = last_day + 1 if is_over else np.int64(days[order])
            order += 1
            gap = day - last_order
            if orders > 0 and (is_over or gap > just_ordered_days):
                # The groups from the last change to this day, those of no length among them.
                start = max(changed, first_day)
                place = put(JUST_ORDERED, start, begin, place, out_codes, out_starts)
                active_days, slipping_days = silent_days(orders, gap_sum, gap_square_sum, rhythm)
                start = last_order + just_ordered_days + 1
                if start < day:
                    start = max(start, first_day)
                    place = put(ACTIVE, start, begin, place, out_codes, out_starts)
                start = last_order + max(just_ordered_days, active_days) + 1
                if start < day:
                    start = max(start, first_day)
                    place = put(SLIPPING_AWAY, start, begin, place, out_codes, out_starts)
                start = last_order + max(just_ordered_days, slipping_days) + 1
                if start < day:
                    start = max(start, first_day)
                    place = put(LOST, start, begin, place, out_codes, out_starts)
                changed = day
            if orders > 0:
                gap_sum += gap
                gap_square_sum += gap * gap
            else:
                changed = day
            last_order = day
            orders += 1
        out_offsets[customer + 1] = place


@kernel
def close_intervals(offsets: Int64s, starts: Int32s, out_stops: Int32Out) -> None:
    """Write where intervals stop: where the customer's next one starts, the last one nowhere.

    offsets: (c + 1,); starts, out_stops: (m,).
    """
    for interval in range(out_stops.size - 1):
        out_stops[interval] = starts[interval + 1]
    for customer in range(offsets.size - 1):
        if offsets[customer + 1] > offsets[customer]:
            out_stops[offsets[customer + 1] - 1] = OPEN
