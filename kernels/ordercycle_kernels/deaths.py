"""The likelihood of the Pareto/NBD model, by a recurrence over days that adds positive terms only.

A customer is alive for an exponentially distributed time whose rate is gamma distributed over
customers (shape s, rate beta), and orders as in the NBD meanwhile. Of x, t and T::

    ln L = A + ln(1 + e**D)
    A = sum over i < x of ln((r + i) / alpha) - (r + x) ln(1 + T / alpha) - s ln(1 + T / beta)
    D = ln s + (r + x) ln(alpha + T) + s ln(beta + T) + ln of the integral, from t to T, of
        (alpha + u)**-(r + x) (beta + u)**-(s + 1)

The published form has two hypergeometric functions for the integral, which overflow, lose digits
where they are subtracted, and have derivatives of their own. Here all integrals of one x are
computed at once, from the last day backwards: that from a day on is that of the day, by Gauss'
quadrature, and that of the next day times a factor below 1. Derivatives by the parameters are the
same integral with more factors, ln(alpha + u), 1 / (alpha + u), ln(beta + u), 1 / (beta + u) and
their products: moments of the time of leaving.
"""

from __future__ import annotations

from typing import NamedTuple

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Float64Out,
    Float64s,
    Float64Table,
    Int64Out,
    Int64s,
)
from ordercycle_kernels.elementary import (
    exponential,
    logarithm,
    logarithm_of_one_plus,
)
from ordercycle_kernels.order_counts import CHUNK, Cells, add_compensated, positive_parts

#: Nodes of Gauss and Legendre on a panel, and their weights: those of one side.
NODES = 8
GAUSS_NODES = (
    0.96028985649753623,
    0.79666647741362674,
    0.52553240991632899,
    0.1834346424956498,
)
GAUSS_WEIGHTS = (
    0.10122853629037626,
    0.22238103445337447,
    0.31370664587788729,
    0.36268378337836198,
)
#: A day is cut into panels over which neither alpha + u nor beta + u grows by more than half, and
#: the integrand falls by no more than e**3: eight nodes are exact to 15 digits there.
GROWTH, STEEPEST = 0.5, 3.0
#: Where the integrand has fallen by e**-45, the rest of the day is one panel, of which no digit
#: counts.
FALLEN = 45.0
#: 1, four functions of the time of leaving, and the ten products of two of them; one is unused.
MOMENTS = 16

# n = cells, c = chunks of them, x = most orders + 1, d = most days + 1, p = panels


class DeathTables(NamedTuple):
    """What depends on days alone.

    Of days, ln(1 + d / alpha), 1 / (alpha + d), ln(1 + d / beta) and 1 / (beta + d): order_logs,
    order_rates, death_logs, death_rates: (d,).

    Of nodes u of the day d, by how much order_logs and death_logs grow until then, the weight
    divided by beta + u, and the factors of moments: order_growths, death_growths, weights:
    (p * NODES,); factors: (p * NODES * MOMENTS,).
    """

    order_logs: Float64s
    order_rates: Float64s
    death_logs: Float64s
    death_rates: Float64s
    order_growths: Float64s
    death_growths: Float64s
    weights: Float64s
    factors: Float64s


@helper
def end_of_part(parameters: Float64s, day: int, start: float) -> float:
    """Return where a panel of a day ends that starts there; both are parts of the day, 0 to 1."""
    r, alpha, s, beta = parameters
    fallen = r * logarithm_of_one_plus(start / (alpha + day))
    fallen += (s + 1.0) * logarithm_of_one_plus(start / (beta + day))
    if fallen > FALLEN:
        return 1.0
    # Nobody has ordered on more days than there were.
    steepness = (r + day) / (alpha + day + start) + (s + 1.0) / (beta + day + start)
    widest = GROWTH * (min(alpha, beta) + day + start)
    return min(start + min(widest, STEEPEST / steepness), 1.0)


@kernel
def count_panels(parameters: Float64s, out_firsts: Int64Out) -> None:
    """Write the first panel of each day, and behind the last day how many there are.

    parameters: (4,); out_firsts: (d,).
    """
    out_firsts[0] = 0
    for day in range(out_firsts.size - 1):
        panels, start = 0, 0.0
        while start < 1.0:
            start = end_of_part(parameters, day, start)
            panels += 1
        out_firsts[day + 1] = out_firsts[day] + panels


@kernel
def fill_panels(
    parameters: Float64s,
    firsts: Int64s,
    out_order_growths: Float64Out,
    out_death_growths: Float64Out,
    out_weights: Float64Out,
    out_factors: Float64Out,
) -> None:
    """Write what depends on nodes alone.

    parameters: (4,); firsts (panels of days): (d,); out_order_growths, out_death_growths,
    out_weights: (p * NODES,); out_factors: (p * NODES * MOMENTS,), or (0,) where no moments are
    needed.
    """
    _, alpha, _, beta = parameters
    for day in range(firsts.size - 1):
        start = 0.0
        for panel in range(firsts[day + 1] - firsts[day]):
            stop = end_of_part(parameters, day, start)
            half, middle = 0.5 * (stop - start), 0.5 * (stop + start)
            for node in range(NODES):
                side = node if node < NODES // 2 else NODES - 1 - node
                sign = -1.0 if node < NODES // 2 else 1.0
                part = middle + sign * half * GAUSS_NODES[side]
                time = day + part
                place = (firsts[day] + panel) * NODES + node
                order_rate, death_rate = 1.0 / (alpha + time), 1.0 / (beta + time)
                order_log = logarithm_of_one_plus(time / alpha)
                death_log = logarithm_of_one_plus(time / beta)
                out_order_growths[place] = logarithm_of_one_plus(part / (alpha + day))
                out_death_growths[place] = logarithm_of_one_plus(part / (beta + day))
                out_weights[place] = half * GAUSS_WEIGHTS[side] * death_rate
                if out_factors.size == 0:
                    continue
                factors = out_factors[place * MOMENTS : (place + 1) * MOMENTS]
                factors[0] = 1.0
                factors[1], factors[2] = order_log, order_rate
                factors[3], factors[4] = death_log, death_rate
                factors[5], factors[6] = order_log * order_log, order_log * order_rate
                factors[7], factors[8] = order_log * death_log, order_log * death_rate
                factors[9], factors[10] = order_rate * order_rate, order_rate * death_log
                factors[11], factors[12] = order_rate * death_rate, death_log * death_log
                factors[13], factors[14] = death_log * death_rate, death_rate * death_rate
                factors[15] = 0.0
            start = stop


@kernel
def sum_lives(s: float, beta: float, by_age: Int64s, out_sums: Float64Table) -> None:
    """Add the terms of A that tell of customers who stayed.

    by_age (customers and orders): (2 * d,); out_sums: (2, SUMS).
    """
    for age in range(by_age.size // 2):
        customers = float(by_age[2 * age])
        if customers > 0.0:
            log = logarithm_of_one_plus(age / beta)
            slope = age / (beta * (beta + age))
            add_compensated(out_sums, 0, -customers * s * log)
            add_compensated(out_sums, 3, -customers * log)
            add_compensated(out_sums, 4, customers * s * slope)
            add_compensated(out_sums, 13, customers * slope)
            bend = slope * (1.0 / beta + 1.0 / (beta + age))
            add_compensated(out_sums, 14, -customers * s * bend)


@helper
def fill_moments(
    shape: float,
    s: float,
    first_day: int,
    last_day: int,
    firsts: Int64s,
    tables: DeathTables,
    scratch: Float64Out,
    out_moments: Float64Out,
) -> None:
    """Write the moments of the integral from each day on to the last, relative to its start."""
    low, high = firsts[first_day] * NODES, firsts[last_day] * NODES
    for node in range(low, high):
        log = shape * tables.order_growths[node] + s * tables.death_growths[node]
        scratch[node] = exponential(-log) * tables.weights[node]
    place = last_day * MOMENTS
    out_moments[place : place + MOMENTS] = 0.0
    for day in range(last_day - 1, first_day - 1, -1):
        order_log = tables.order_logs[day + 1] - tables.order_logs[day]
        death_log = tables.death_logs[day + 1] - tables.death_logs[day]
        rest = exponential(-(shape * order_log + s * death_log))
        row = out_moments[day * MOMENTS : (day + 1) * MOMENTS]
        after = out_moments[(day + 1) * MOMENTS : (day + 2) * MOMENTS]
        for moment in range(MOMENTS):
            row[moment] = rest * after[moment]
        for node in range(firsts[day] * NODES, firsts[day + 1] * NODES):
            weight = scratch[node]
            factors = tables.factors[node * MOMENTS : (node + 1) * MOMENTS]
            for moment in range(MOMENTS):
                row[moment] += weight * factors[moment]


@helper
def end_of_run(cells: Cells, cell: int, end: int) -> tuple[int, int]:
    """Return the first cell with other orders, and the last day of those up to there."""
    orders, stop, last_day = cells.frequency[cell], cell, 0
    while stop < end and cells.frequency[stop] == orders:
        last_day = max(last_day, cells.age_days[stop])
        stop += 1
    return stop, last_day


@helper
def fill_death_odds(
    cells: Cells,
    tables: DeathTables,
    k: float,
    s: float,
    moments: Float64s,
    start: int,
    stop: int,
    scratch: Float64Table,
) -> None:
    """Write of some cells of the same orders what vector instructions compute: scratch.

    Rows: ln(1 + e**D), its first and its second derivative, the part of the integral's scale that
    is left at T, and the integral; any numbers where the last order is on the day of the profile.
    """
    values, firsts, seconds, rests, integrals = (
        scratch[0], scratch[1], scratch[2], scratch[3], scratch[4],
    )  # fmt: skip
    for place in range(stop - start):
        recency, age = cells.recency_days[start + place], cells.age_days[start + place]
        log = k * (tables.order_logs[age] - tables.order_logs[recency])
        values[place] = log + s * (tables.death_logs[age] - tables.death_logs[recency])
    for place in range(stop - start):
        rests[place] = exponential(-values[place])
    for place in range(stop - start):
        recency, age = cells.recency_days[start + place], cells.age_days[start + place]
        integral = moments[recency * MOMENTS] - rests[place] * moments[age * MOMENTS]
        integrals[place] = integral if recency < age else 1.0
    for place in range(stop - start):
        values[place] += logarithm(s * integrals[place])
    positive_parts(values[: stop - start], firsts, seconds)


@kernel
def sum_deaths(
    cells: Cells,
    tables: DeathTables,
    firsts: Int64s,
    parameters: Float64s,
    first_chunk: int,
    nodes: Float64Out,
    moments: Float64Out,
    scratch: Float64Table,
    out_rows: Float64Table,
) -> None:
    """Write the sums of ln(1 + e**D) of chunks of cells, from a chunk on.

    firsts (panels of days): (d,); parameters: (4,); nodes (scratch): (p * NODES,); moments
    (scratch): (d * MOMENTS,); scratch: (5, CHUNK); out_rows: (c, SUMS).
    """
    r, s = parameters[0], parameters[2]
    one_s, s_1 = 1.0 / s, s + 1.0
    for row in range(out_rows.shape[0]):
        sums = out_rows[row]
        sums[:] = 0.0
        cell = (first_chunk + row) * CHUNK
        end = min(cell + CHUNK, cells.frequency.size)
        while cell < end:
            k = r + cells.frequency[cell]
            stop, last_day = end_of_run(cells, cell, end)
            first_day = cells.recency_days[cell]
            fill_moments(k, s, first_day, last_day, firsts, tables, nodes, moments)
            fill_death_odds(cells, tables, k, s, moments, cell, stop, scratch)
            for place in range(cell, stop):
                recency, age = cells.recency_days[place], cells.age_days[place]
                if recency == age:
                    continue
                row_of = place - cell
                value, rest = scratch[0, row_of], scratch[3, row_of]
                whole = moments[recency * MOMENTS : (recency + 1) * MOMENTS]
                after = moments[age * MOMENTS : (age + 1) * MOMENTS]
                scale = 1.0 / scratch[4, row_of]
                customers = float(cells.customers[place])
                left, bend = customers * scratch[1, row_of], customers * scratch[2, row_of]
                m_a = scale * (whole[1] - rest * after[1])
                m_i = scale * (whole[2] - rest * after[2])
                m_b = scale * (whole[3] - rest * after[3])
                m_j = scale * (whole[4] - rest * after[4])
                v_aa = scale * (whole[5] - rest * after[5]) - m_a * m_a
                v_ai = scale * (whole[6] - rest * after[6]) - m_a * m_i
                v_ab = scale * (whole[7] - rest * after[7]) - m_a * m_b
                v_aj = scale * (whole[8] - rest * after[8]) - m_a * m_j
                m_ii = scale * (whole[9] - rest * after[9])
                v_ib = scale * (whole[10] - rest * after[10]) - m_i * m_b
                v_ij = scale * (whole[11] - rest * after[11]) - m_i * m_j
                v_bb = scale * (whole[12] - rest * after[12]) - m_b * m_b
                v_bj = scale * (whole[13] - rest * after[13]) - m_b * m_j
                m_jj = scale * (whole[14] - rest * after[14])
                order_rate, death_rate = tables.order_rates[age], tables.death_rates[age]
                d_r = tables.order_logs[age] - m_a
                d_alpha = k * (order_rate - m_i)
                d_s = one_s + tables.death_logs[age] - m_b
                d_beta = s * death_rate - s_1 * m_j
                sums[0] += customers * value
                sums[1] += left * d_r
                sums[2] += left * d_alpha
                sums[3] += left * d_s
                sums[4] += left * d_beta
                sums[5] += left * v_aa + bend * d_r * d_r
                sums[6] += left * (order_rate - m_i + k * v_ai) + bend * d_r * d_alpha
                sums[7] += left * v_ab + bend * d_r * d_s
                sums[8] += left * s_1 * v_aj + bend * d_r * d_beta
                by_alpha = m_ii - order_rate * order_rate + k * (m_ii - m_i * m_i)
                sums[9] += left * k * by_alpha + bend * d_alpha * d_alpha
                sums[10] += left * k * v_ib + bend * d_alpha * d_s
                sums[11] += left * k * s_1 * v_ij + bend * d_alpha * d_beta
                sums[12] += left * (v_bb - one_s * one_s) + bend * d_s * d_s
                sums[13] += left * (death_rate - m_j + s_1 * v_bj) + bend * d_s * d_beta
                by_beta = s_1 * m_jj - s * death_rate * death_rate + s_1 * s_1 * (m_jj - m_j * m_j)
                sums[14] += left * by_beta + bend * d_beta * d_beta
            cell = stop


@kernel
def sum_death_products(
    cells: Cells,
    tables: DeathTables,
    scores: Float64s,
    firsts: Int64s,
    parameters: Float64s,
    first_chunk: int,
    nodes: Float64Out,
    moments: Float64Out,
    scratch: Float64Table,
    out_rows: Float64Table,
) -> None:
    """Write sums of products of customers' scores by logarithms of parameters.

    scores (derivatives of the sum in A by r): (x,); firsts (panels of days): (d,); parameters:
    (4,); nodes (scratch): (p * NODES,); moments (scratch): (d * MOMENTS,); scratch: (5, CHUNK);
    out_rows: (c, PRODUCTS).
    """
    r, alpha, s, beta = parameters
    for row in range(out_rows.shape[0]):
        sums = out_rows[row]
        sums[:] = 0.0
        cell = (first_chunk + row) * CHUNK
        end = min(cell + CHUNK, cells.frequency.size)
        while cell < end:
            orders = cells.frequency[cell]
            k = r + orders
            stop, last_day = end_of_run(cells, cell, end)
            first_day = cells.recency_days[cell]
            fill_moments(k, s, first_day, last_day, firsts, tables, nodes, moments)
            fill_death_odds(cells, tables, k, s, moments, cell, stop, scratch)
            for place in range(cell, stop):
                recency, age = cells.recency_days[place], cells.age_days[place]
                order_log, death_log = tables.order_logs[age], tables.death_logs[age]
                order_rate, death_rate = tables.order_rates[age], tables.death_rates[age]
                by_r = r * (scores[orders] - order_log)
                by_alpha = (r * age - alpha * orders) * order_rate
                by_s = -s * death_log
                by_beta = s * age * death_rate
                if recency < age:
                    left, rest = scratch[1, place - cell], scratch[3, place - cell]
                    whole = moments[recency * MOMENTS : (recency + 1) * MOMENTS]
                    after = moments[age * MOMENTS : (age + 1) * MOMENTS]
                    share = left / scratch[4, place - cell]
                    by_r += r * (left * order_log - share * (whole[1] - rest * after[1]))
                    mean = share * (whole[2] - rest * after[2])
                    by_alpha += alpha * k * (left * order_rate - mean)
                    mean = share * (whole[3] - rest * after[3])
                    by_s += left + s * (left * death_log - mean)
                    mean = share * (whole[4] - rest * after[4])
                    by_beta += beta * (left * s * death_rate - (s + 1.0) * mean)
                customers = float(cells.customers[place])
                sums[0] += customers * by_r * by_r
                sums[1] += customers * by_r * by_alpha
                sums[2] += customers * by_r * by_s
                sums[3] += customers * by_r * by_beta
                sums[4] += customers * by_alpha * by_alpha
                sums[5] += customers * by_alpha * by_s
                sums[6] += customers * by_alpha * by_beta
                sums[7] += customers * by_s * by_s
                sums[8] += customers * by_s * by_beta
                sums[9] += customers * by_beta * by_beta
            cell = stop
