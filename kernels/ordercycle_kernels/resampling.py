"""Weights of a bootstrap: how often each customer of a cell is drawn, by a hash, not a generator.

Every customer is drawn a Poisson number of times, so a cell of w customers has a Poisson number
with the mean w. It follows from a hash of the cell and of what tells one draw from another: the
same on every machine, in any order, wherever the cell is counted.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Float64Out, Float64s, Int32Out, Int64Out, Int64s
from ordercycle_kernels.elementary import exponential, logarithm
from ordercycle_kernels.gamma_functions import log_gamma
from ordercycle_kernels.hashing import mix
from ordercycle_kernels.order_counts import Cells

#: Upper bits of a hash that make a float, and a step of those floats.
SHIFT_11, STEP = np.uint64(11), 2.0**-53

# n = cells, k = those of which a draw has customers, p = means


@helper
def poisson(mean: float, first: float, chance: float) -> int:
    """Return the Poisson number that a chance between 0 and 1 stands for; mean: a whole number.

    first: the probability of the mean itself. Numbers next to the mean come first, those further
    away on both sides in turn.
    """
    low = high = int(mean)
    below = above = first
    left = chance - first
    while left >= 0.0:
        high += 1
        above *= mean / high
        left -= above
        if left < 0.0:
            return high
        if low > 0:
            below *= low / mean
            low -= 1
            left -= below
            if left < 0.0:
                return low
        if above < STEP * first and (low == 0 or below < STEP * first):
            break
    return int(mean)


@helper
def chance_of_mean(mean: float) -> float:
    """Return the probability that a Poisson number is its mean, a whole number."""
    return exponential(mean * logarithm(mean) - mean - log_gamma(mean + 1.0))


@kernel
def fill_chances_of_means(out_chances: Float64Out) -> None:
    """Write the probabilities that Poisson numbers are their means, 1 and more; 0 stands for none.

    out_chances: (p,).
    """
    out_chances[0] = 1.0
    for mean in range(1, out_chances.size):
        out_chances[mean] = chance_of_mean(float(mean))


@kernel
def draw_customers(
    cells: Cells, chances: Float64s, seed: int, draw: int, out_customers: Int64Out
) -> int:
    """Write how many customers of each cell a draw has; return of how many cells it has some.

    chances (of means): (p,); out_customers: (n,).
    """
    start = mix(mix(np.uint64(seed)) ^ np.uint64(draw))
    orders, recency = np.int64(-1), np.int64(-1)
    of_orders = of_recency = start
    there = 0
    for cell in range(cells.frequency.size):
        # Cells are in order: most have the orders and the recency of the one before.
        if cells.frequency[cell] != orders:
            orders, recency = cells.frequency[cell], np.int64(-1)
            of_orders = mix(start ^ np.uint64(orders))
        if cells.recency_days[cell] != recency:
            recency = np.int64(cells.recency_days[cell])
            of_recency = mix(of_orders ^ np.uint64(recency))
        word = mix(of_recency ^ np.uint64(cells.age_days[cell]))
        chance = (float(word >> SHIFT_11) + 0.5) * STEP
        customers = cells.customers[cell]
        mean = float(customers)
        first = chances[customers] if customers < chances.size else chance_of_mean(mean)
        drawn = poisson(mean, first, chance)
        out_customers[cell] = drawn
        there += drawn > 0
    return there


@kernel
def keep_cells(
    cells: Cells,
    customers: Int64s,
    out_frequency: Int64Out,
    out_recency: Int32Out,
    out_age: Int32Out,
    out_customers: Int64Out,
) -> None:
    """Write the cells of which a draw has customers.

    customers (of the draw): (n,); out_frequency, out_recency, out_age, out_customers: (k,).
    """
    filled = 0
    for cell in range(customers.size):
        if customers[cell] > 0:
            out_frequency[filled] = cells.frequency[cell]
            out_recency[filled] = cells.recency_days[cell]
            out_age[filled] = cells.age_days[cell]
            out_customers[filled] = customers[cell]
            filled += 1
