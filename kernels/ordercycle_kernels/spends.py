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
def sides(value: float) -> tuple[float, float, float, float]:
    """Return ln(1 + e**x) and -ln(1 + e**-x), and e**x / (1 + e**x) and 1 less that."""
    small = exponential(-abs(value))
    extra = logarithm_of_one_plus(small)
    share = 1.0 / (1.0 + small)
    if value >= 0.0:
        return value + extra, -extra, share, small * share
    return extra, value - extra, small * share, share


@kernel
def sum_spends(
    cells: SpendCells,
    p: float,
    q: float,
    log_scale: float,
    first_chunk: int,
    out_rows: Float64Table,
) -> None:
    """Write the sums of chunks of cells, from a chunk on.

    log_scale: ln gamma; out_rows: (c, SPEND_SUMS).
    """
    for row in range(out_rows.shape[0]):
        sums = out_rows[row]
        sums[:] = 0.0
        cell = (first_chunk + row) * CHUNK
        end = min(cell + CHUNK, cells.days.size)
        while cell < end:
            days = cells.days[cell]
            log_days = logarithm(float(days))
            count = means = above = below = share = rest = curve = 0.0
            while cell < end and cells.days[cell] == days:
                customers = float(cells.customers[cell])
                mean = log_mean(cells, cell)
                value = log_days + mean - log_scale
                log_above, log_below, one, other = sides(value)
                count += customers
                means += customers * mean
                above += customers * log_above
                below += customers * log_below
                share += customers * one
                rest += customers * other
                curve += customers * one * other
                cell += 1
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
    out_rows: Float64Table,
) -> None:
    """Write sums of products of customers' scores by p, q and ln gamma, from a chunk of cells on.

    log_scale: ln gamma; out_rows: (c, SPEND_PRODUCTS).
    """
    for row in range(out_rows.shape[0]):
        sums = out_rows[row]
        sums[:] = 0.0
        cell = (first_chunk + row) * CHUNK
        end = min(cell + CHUNK, cells.days.size)
        while cell < end:
            days = cells.days[cell]
            log_days, shape = logarithm(float(days)), p * days
            rise_of_shape, rise_of_q = digamma_rise(shape, q), digamma_rise(q, shape)
            while cell < end and cells.days[cell] == days:
                customers = float(cells.customers[cell])
                value = log_days + log_mean(cells, cell) - log_scale
                log_above, log_below, one, other = sides(value)
                by_p = days * (log_below + rise_of_shape)
                by_q = rise_of_q - log_above
                by_scale = q * one - shape * other
                sums[0] += customers * by_p * by_p
                sums[1] += customers * by_p * by_q
                sums[2] += customers * by_p * by_scale
                sums[3] += customers * by_q * by_q
                sums[4] += customers * by_q * by_scale
                sums[5] += customers * by_scale * by_scale
                cell += 1


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
