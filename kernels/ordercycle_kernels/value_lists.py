"""The value lists: who is Top, Active, At risk or Lost, and of a high value."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import BoolOut, Bools, Float64s, Int8Out

#: Codes of the lists, the best first; nobody's is that of customers without orders.
TOP, ACTIVE, AT_RISK, LOST, NOBODY = 0, 1, 2, 3, -1

# n = customers


@kernel
def value_list_codes(
    has_orders: Bools,
    active: Float64s,
    value: Float64s,
    hi: float,
    lo: float,
    cut: float,
    out_codes: Int8Out,
) -> None:
    """Write the list of each customer.

    has_orders, active (the probability to order), value (that is expected), out_codes: (n,); hi,
    lo: from which probabilities on customers are Active and At risk; cut: from which value on
    those who are Active are Top.
    """
    for row in range(active.size):
        likely = active[row] >= hi
        code = LOST - np.int64(active[row] >= lo)
        code = ACTIVE - np.int64(value[row] >= cut) if likely else code
        out_codes[row] = code if has_orders[row] else NOBODY


@kernel
def high_values(
    value: Float64s, revenue: Float64s, cut: float, top_clv: float, out_high: BoolOut
) -> None:
    """Write whether the value or the revenue of customers is high: value, revenue, out_high: (n,).

    cut: from which value on; top_clv: from which revenue on.
    """
    for row in range(value.size):
        out_high[row] = value[row] >= cut or revenue[row] >= top_clv
