"""The nine lifecycle segments."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import Int8Out, Int32s, Int64Out, Int64s

# Codes in the order in which reports show the segments.
NEW_NO_ORDERS, NEW_ONE_ORDER, NEW_MORE_ORDERS = np.int8(0), np.int8(1), np.int8(2)
PROMISING, ACTIVE, LOYAL = np.int8(3), np.int8(4), np.int8(5)
AT_RISK, CHURNED, INACTIVE = np.int8(6), np.int8(7), np.int8(8)
#: The code of a next segment that never comes.
NEVER = np.int8(-1)

# c = customers


@kernel
def lifecycle_codes(
    since_registration: Int32s,
    since_last_order: Int32s,
    orders: Int64s,
    thresholds: Int32s,
    out_codes: Int8Out,
) -> None:
    """Write each customer's segment.

    since_registration, since_last_order (any value without orders), orders, out_codes: (c,);
    thresholds: (3,), new_days, active_days, churned_days.
    """
    new_days, active_days, churned_days = thresholds[0], thresholds[1], thresholds[2]
    for customer in range(orders.size):
        # Within a group the codes follow the number of orders.
        if since_registration[customer] <= new_days:
            code = NEW_NO_ORDERS + min(orders[customer], 2)
        elif orders[customer] == 0:
            code = INACTIVE
        elif since_last_order[customer] <= active_days:
            code = PROMISING + min(orders[customer] - 1, 2)
        elif since_last_order[customer] <= churned_days:
            code = AT_RISK
        else:
            code = CHURNED
        out_codes[customer] = code


@kernel
def next_lifecycle_codes(
    since_registration: Int32s,
    since_last_order: Int32s,
    orders: Int64s,
    thresholds: Int32s,
    out_codes: Int8Out,
    out_days: Int64Out,
) -> None:
    """Write each customer's next segment without orders, and the days until then.

    since_registration, since_last_order, orders: (c,) and thresholds: (3,), as `lifecycle_codes`
    takes them; out_codes, out_days: (c,), NEVER and 0 where none comes. Only two things change by
    waiting: a newcomer grows old, and the last order passes a threshold.
    """
    new_days = np.int64(thresholds[0])
    active_days, churned_days = np.int64(thresholds[1]), np.int64(thresholds[2])
    for customer in range(orders.size):
        waiting = new_days + 1 - since_registration[customer]
        since_order = np.int64(since_last_order[customer])
        code, days = NEVER, np.int64(0)
        if waiting > 0:
            days = waiting
            since_order += waiting
            if orders[customer] == 0:
                code = INACTIVE
            elif since_order <= active_days:
                code = PROMISING + min(orders[customer] - 1, 2)
            else:
                code = AT_RISK if since_order <= churned_days else CHURNED
        elif orders[customer] > 0 and since_order <= active_days:
            code, days = AT_RISK, active_days + 1 - since_order
        elif orders[customer] > 0 and since_order <= churned_days:
            code, days = CHURNED, churned_days + 1 - since_order
        out_codes[customer] = code
        out_days[customer] = days
