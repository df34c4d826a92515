"""The rows of a partition by customer and day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.blocks import PartitionRows
from ordercycle._ingest.payload import DAY
from ordercycle._workspace import Workspace
from ordercycle_kernels import grouping
from ordercycle_kernels.partition import gather


def rows_by_customer_and_day(
    rows: PartitionRows,
    span: tuple[int, int],
    slots: NDArray[np.int32],
    cursors: NDArray[np.int32],
    workspace: Workspace,
) -> NDArray[np.int32]:
    """List rows by customer, a customer's by day, those of a day in their order.

    span: the first and the last day there are; slots: (n,), by row; cursors: (s,), where each
    slot's rows start, moved to their end. What is returned is the workspace's.
    """
    by_customer = workspace.array("by_customer", rows.size, np.int32)
    if rows.size == 0:
        return by_customer
    days = rows.columns[DAY]
    if grouping.days_ascend(days):
        # As in exports by time: building 20 M orders took 39 ns of CPU time each instead of 43.
        grouping.list_rows_by_customer(slots, cursors, by_customer)
        return by_customer
    first, last = span
    by_day = workspace.array("by_day", days.size, np.int32)
    histogram = workspace.zeros("days", last - first + 1, np.int64)
    grouping.order_rows_by_day(days, first, histogram, by_day)
    # Gathered first: looked up one by one, the slots of a customer with most of the rows
    # would make every step wait for the one before.
    slots_by_day = workspace.array("slots_by_day", days.size, np.int32)
    gather["uint32"](slots.view(np.uint32), by_day, slots_by_day.view(np.uint32))
    grouping.order_rows_by_customer(by_day, slots_by_day, cursors, by_customer)
    return by_customer
