"""How many gaps of each length customers have, by their number of gaps."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import Int32Out, Int32s, Int64Out, Int64s, Int64Table
from ordercycle_kernels.calendar import NO_DAY

#: Bits of a gap in a cell; the number of gaps is above them. Gaps are below 2**18 days.
GAP_BITS = np.int64(18)

# n = orders and refunds, sorted by (customer, day); c = customers
# rows of a customer: starts[customer] to stops[customer]


@kernel
def count_gaps(
    starts: Int64s,
    stops: Int64s,
    days: Int32s,
    signs: Int64s,
    net_refunds: bool,
    out_table: Int64Table,
    out_cells: Int64Out,
    out_first_days: Int32Out,
) -> int:
    """Count each gap in the cell (number of its customer's gaps, days).

    starts, stops: (c,); days, signs: (n,), a negative sign marks a refund where refunds are net;
    out_table: (numbers, lengths), counts, added to; a gap beyond its shape goes to out_cells: (n,),
    as gaps << GAP_BITS | days. Return how many did. out_first_days: (c,), NO_DAY without orders.
    """
    filled = 0
    for customer in range(starts.size):
        start, stop = starts[customer], stops[customer]
        orders = stop - start
        if net_refunds:
            for order in range(start, stop):
                orders -= signs[order] < 0
        last = NO_DAY
        out_first_days[customer] = NO_DAY
        for order in range(start, stop):
            if net_refunds and signs[order] < 0:
                continue
            day = days[order]
            if last == NO_DAY:
                out_first_days[customer] = day
            else:
                gap = np.int64(day) - np.int64(last)
                if orders - 1 < out_table.shape[0] and gap < out_table.shape[1]:
                    out_table[orders - 1, gap] += 1
                else:
                    out_cells[filled] = (orders - 1) << GAP_BITS | gap
                    filled += 1
            last = day
    return filled
