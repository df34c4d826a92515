"""What customers add to the summary of a history."""

from __future__ import annotations

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import Bools, Int32s, Int64Out, Int64s
from ordercycle_kernels.calendar import NO_DAY

#: Rows of the counts.
CUSTOMERS, ORDERS, UNLISTED, UNDATED = range(4)
COUNTS = 4

# c = customers, n = their orders


@kernel
def are_in_order(offsets: Int64s, days: Int32s) -> bool:
    """Return whether the orders of every customer ascend by day: offsets: (c + 1,); days: (n,)."""
    in_order = True
    for customer in range(offsets.size - 1):
        for order in range(offsets[customer] + 1, offsets[customer + 1]):
            in_order &= days[order - 1] <= days[order]
    return in_order


@kernel
def count_customers(
    offsets: Int64s, given: Int32s, listed: Bools, drop_unlisted: bool, out_counts: Int64Out
) -> None:
    """Count the customers of the population, their orders, and what is unusual about them.

    offsets: (c + 1,); given, listed: (c,); out_counts: (4,), customers who are not hidden, their
    orders, customers with orders who are not listed, and listed ones without any date.
    Hidden are those who are not listed, all of them or only those without orders.
    """
    out_counts[:] = 0
    for customer in range(listed.size):
        orders = offsets[customer + 1] - offsets[customer]
        if not listed[customer]:
            out_counts[UNLISTED] += orders > 0
            if drop_unlisted or orders == 0:
                continue
        out_counts[CUSTOMERS] += 1
        out_counts[ORDERS] += orders
        out_counts[UNDATED] += orders == 0 and given[customer] == NO_DAY
