"""Weights of a bootstrap: how often each customer of a cell is drawn, by a hash, not a generator.

Every customer is drawn a Poisson number of times, so a cell of w customers has a Poisson number
with the mean w. It follows from a hash of the cell and of what tells one draw from another: the
same on every machine, in any order, wherever the cell is counted.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Int64Out
from ordercycle_kernels.elementary import exponential, logarithm
from ordercycle_kernels.gamma_functions import log_gamma
from ordercycle_kernels.hashing import mix
from ordercycle_kernels.order_counts import Cells

#: Upper bits of a hash that make a float, and a step of those floats.
SHIFT_11, STEP = np.uint64(11), 2.0**-53

# n = cells


@helper
def poisson(mean: float, chance: float) -> int:
    """Return the Poisson number that a chance between 0 and 1 stands for; mean: a whole number.

    Numbers next to the mean come first, those further away on both sides in turn.
    """
    low = high = int(mean)
    first = exponential(mean * logarithm(mean) - mean - log_gamma(mean + 1.0))
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


@kernel
def draw_customers(cells: Cells, seed: int, draw: int, out_customers: Int64Out) -> None:
    """Write how many customers of each cell a draw has: out_customers: (n,)."""
    start = mix(mix(np.uint64(seed)) ^ np.uint64(draw))
    for cell in range(cells.frequency.size):
        word = mix(start ^ np.uint64(cells.frequency[cell]))
        word = mix(word ^ np.uint64(cells.recency_days[cell]))
        word = mix(word ^ np.uint64(cells.age_days[cell]))
        chance = (float(word >> SHIFT_11) + 0.5) * STEP
        out_customers[cell] = poisson(float(cells.customers[cell]), chance)
