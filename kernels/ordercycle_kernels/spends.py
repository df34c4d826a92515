"""The Gamma-Gamma model of what an order day is worth.

A customer's order days are worth gamma distributed amounts (shape p, rate nu); nu is gamma
distributed over customers (shape q, rate gamma). Of n order days with the mean m::

    ln L = -ln B(p n, q) - ln m - p n ln(1 + gamma / (n m)) - q ln(1 + n m / gamma)

Means are kept as ln m, in steps of 2**-30, and customers with the same n and nearly the same ln m
are one cell that knows how many they are and the sum of their steps: whole numbers, which add up
to the same whatever is added first. What a cell does not know, the spread of ln m within 2**-12,
changes ln L of a customer by less than (p n + q) * 2**-29.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Float64Out,
    Float64s,
    Float64Table,
    Int64Out,
    Int64s,
)
from ordercycle_kernels.elementary import exponential, logarithm, logarithm_of_one_plus
from ordercycle_kernels.gamma_functions import digamma_rise, log_beta, trigamma, trigamma_fall
from ordercycle_kernels.order_counts import add_compensated

#: The log-likelihood, gradient and upper triangle of the Hessian by p, q and ln gamma.
SPEND_SUMS = 10
#: The products of three scores with each other.
SPEND_PRODUCTS = 6
#: Steps of ln m, and those of a cell.
STEPS, STEP_BITS = 2.0**30, np.int64(18)
LEVEL = 1 << 18
#: Stands for means that are not positive, or not finite.
NO_STEP = np.int64(-(2**62))
CHUNK = 16_384

# n = customers, s = cells, c = chunks of cells


class SpendCells(NamedTuple):
    """Customers with as many order days and nearly the same mean, ascending.

    days (with orders whose mean it is), levels (floor of ln m in steps of 2**-12), customers,
    steps (sum of what is beyond the level, in steps of 2**-30): (s,).
    """

    days: Int64s
    levels: Int64s
    customers: Int64s
    steps: Int64s


@kernel
def steps_of_means(means: Float64s, out_steps: Int64Out) -> None:
    """Write ln m in whole steps, or NO_STEP: means, out_steps: (n,)."""
    for row in range(means.size):
        mean = means[row]
        if mean > 0.0 and mean < np.inf:
            out_steps[row] = np.int64(np.floor(logarithm(mean) * STEPS + 0.5))
        else:
            out_steps[row] = NO_STEP


@helper
def log_mean(cells: SpendCells, cell: int) -> float:
    """Return the mean of ln m of a cell."""
    level = float(cells.levels[cell] << STEP_BITS)
    return (level + cells.steps[cell] / cells.customers[cell]) / STEPS


@helper
def fill_sides(
    cells: SpendCells, start: int, stop: int, log_scale: float, scratch: Float64Table
) -> None:
    """Write of some cells of the same days what vector instructions compute: scratch.

    Rows: ln m; x = ln(n m / gamma); ln(1 + e**-|x|); and the smaller and the larger one of
    e**x / (1 + e**x) and 1 less that.
    """
    means, values, extras, lesser, greater = (
        scratch[0], scratch[1], scratch[2], scratch[3], scratch[4],
    )  # fmt: skip
    less = log_scale - logarithm(float(cells.days[start]))
    for place in range(stop - start):
        means[place] = log_mean(cells, start + place)
    for place in range(stop - start):
        value = means[place] - less
        small = exponential(-abs(value))
        values[place], extras[place] = value, logarithm_of_one_plus(small)
        share = 1.0 / (1.0 + small)
        lesser[place], greater[place] = small * share, share


@helper
def end_of_days(cells: SpendCells, cell: int, end: int) -> int:
    """Return the first cell with other days."""
    stop = cell
    while stop < end and cells.days[stop] == cells.days[cell]:
        stop += 1
    return stop


@kernel
def sum_spends(
    cells: SpendCells,
    p: float,
    q: float,
    log_scale: float,
    first_chunk: int,
    scratch: Float64Table,
    out_rows: Float64Table,
) -> None:
    """Write the sums of chunks of cells, from a chunk on.

    log_scale: ln gamma; scratch: (5, CHUNK); out_rows: (c, SPEND_SUMS).
    """
    for row in range(out_rows.shape[0]):
        sums = out_rows[row]
        sums[:] = 0.0
        cell = (first_chunk + row) * CHUNK
        end = min(cell + CHUNK, cells.days.size)
        while cell < end:
            days, stop = cells.days[cell], end_of_days(cells, cell, end)
            fill_sides(cells, cell, stop, log_scale, scratch)
            count = means = above = below = share = rest = curve = 0.0
            for place in range(stop - cell):
                customers = float(cells.customers[cell + place])
                value, extra = scratch[1, place], scratch[2, place]
                lesser, greater = scratch[3, place], scratch[4, place]
                is_above = value >= 0.0
                count += customers
                means += customers * scratch[0, place]
                above += customers * (max(value, 0.0) + extra)
                below += customers * (min(value, 0.0) - extra)
                share += customers * (greater if is_above else lesser)
                rest += customers * (lesser if is_above else greater)
                curve += customers * lesser * greater
            cell = stop
            shape = p * days
            sums[0] += shape * below - q * above - means - count * log_beta(shape, q)
            sums[1] += days * (below + count * digamma_rise(shape, q))
            sums[2] += count * digamma_rise(q, shape) - above
            sums[3] += q * share - shape * rest
            sums[4] -= days * days * count * trigamma_fall(shape, q)
            sums[5] += days * count * trigamma(shape + q)
            sums[6] -= days * rest
            sums[7] -= count * trigamma_fall(q, shape)
            sums[8] += share
            sums[9] -= (shape + q) * curve


@kernel
def sum_spend_products(
    cells: SpendCells,
    p: float,
    q: float,
    log_scale: float,
    first_chunk: int,
    scratch: Float64Table,
    out_rows: Float64Table,
) -> None:
    """Write sums of products of customers' scores by p, q and ln gamma, from a chunk of cells on.

    log_scale: ln gamma; scratch: (5, CHUNK); out_rows: (c, SPEND_PRODUCTS).
    """
    for row in range(out_rows.shape[0]):
        sums = out_rows[row]
        sums[:] = 0.0
        cell = (first_chunk + row) * CHUNK
        end = min(cell + CHUNK, cells.days.size)
        while cell < end:
            days, stop = cells.days[cell], end_of_days(cells, cell, end)
            shape = p * days
            rise_of_shape, rise_of_q = digamma_rise(shape, q), digamma_rise(q, shape)
            fill_sides(cells, cell, stop, log_scale, scratch)
            for place in range(stop - cell):
                customers = float(cells.customers[cell + place])
                value, extra = scratch[1, place], scratch[2, place]
                lesser, greater = scratch[3, place], scratch[4, place]
                log_above, log_below = max(value, 0.0) + extra, min(value, 0.0) - extra
                one = greater if value >= 0.0 else lesser
                other = lesser if value >= 0.0 else greater
                by_p = days * (log_below + rise_of_shape)
                by_q = rise_of_q - log_above
                by_scale = q * one - shape * other
                sums[0] += customers * by_p * by_p
                sums[1] += customers * by_p * by_q
                sums[2] += customers * by_p * by_scale
                sums[3] += customers * by_q * by_q
                sums[4] += customers * by_q * by_scale
                sums[5] += customers * by_scale * by_scale
            cell = stop


@kernel
def expect_spends(
    days: Int64s, means: Float64s, p: float, q: float, scale: float, out: Float64Out
) -> None:
    """Write the expected worth of an order day; means below 0 count as 0.

    days, means (mean of none means nothing), out: (n,).
    """
    for row in range(days.size):
        total = days[row] * max(means[row], 0.0) if days[row] > 0 else 0.0
        out[row] = p * (scale + total) / (p * days[row] + q - 1.0)


@kernel
def sum_spend_moments(cells: SpendCells, out_sums: Float64Table) -> None:
    """Add n, m, n**2, m**2 and n m of customers, with what was lost by rounding.

    out_sums: (2, 5).
    """
    for cell in range(cells.days.size):
        days, mean = float(cells.days[cell]), exponential(log_mean(cells, cell))
        customers = float(cells.customers[cell])
        add_compensated(out_sums, 0, customers * days)
        add_compensated(out_sums, 1, customers * mean)
        add_compensated(out_sums, 2, customers * days * days)
        add_compensated(out_sums, 3, customers * mean * mean)
        add_compensated(out_sums, 4, customers * days * mean)
