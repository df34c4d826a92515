"""Predictions by pairs of orders and age: few of them, however many customers there are.

A customer who is alive is known by x and T alone: predictions are computed once for each pair that
occurs, and a customer's are those of the pair times the probability to be alive.
"""

from __future__ import annotations

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import (
    Float64Out,
    Float64s,
    Float64Table,
    Int32s,
    Int64Out,
    Int64s,
    UInt8Out,
)

# n = customers, t = pairs there are places for, m = pairs that are new, d = most days + 1,
# w = numbers of a pair


@kernel
def find_new_pairs(
    frequency: Int64s,
    age_days: Int32s,
    days: int,
    known: UInt8Out,
    out_orders: Int64Out,
    out_ages: Int64Out,
) -> int:
    """Mark pairs as known, and write those that were not; return how many.

    frequency, age_days, out_orders, out_ages (of which the first are written): (n,); known (of
    the pair at x * days + T, 0 or 1): (t,).
    """
    found = 0
    for row in range(frequency.size):
        place = frequency[row] * days + age_days[row]
        if known[place] == 0:
            known[place] = 1
            out_orders[found], out_ages[found] = frequency[row], age_days[row]
            found += 1
    return found


@kernel
def store_pairs(
    orders: Int64s, ages: Int64s, days: int, values: Float64Table, out_pairs: Float64Table
) -> None:
    """Put what was computed of pairs where it is looked for.

    orders, ages: (m,); values: (w, m); out_pairs: (t, w).
    """
    for pair in range(orders.size):
        place = orders[pair] * days + ages[pair]
        for column in range(values.shape[0]):
            out_pairs[place, column] = values[column, pair]


@kernel
def predict_from_pairs(
    frequency: Int64s,
    age_days: Int32s,
    alive: Float64s,
    days: int,
    pairs: Float64Table,
    out_active: Float64Out,
    out_expected: Float64Out,
    out_discounted: Float64Out,
) -> None:
    """Write customers' predictions: those of their pairs, times the probability to be alive.

    frequency, age_days, alive, out_active, out_expected, out_discounted: (n,); pairs: (t, 3).
    """
    for row in range(frequency.size):
        place = frequency[row] * days + age_days[row]
        out_active[row] = alive[row] * pairs[place, 0]
        out_expected[row] = alive[row] * pairs[place, 1]
        out_discounted[row] = alive[row] * pairs[place, 2]
