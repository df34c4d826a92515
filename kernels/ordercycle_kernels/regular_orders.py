"""Likelihood and predictions of MBG/CNBD-k, whose orders come more regularly than at random.

A gap between orders is k stages long, each exponential with the customer's rate: Erlang's
distribution, of which k = 1 is that of MBG/NBD. Rates and leaving are as there::

    ln L = A + ln(S + e**D)
    A = sum over i < k x of ln((r + i) / alpha) - (r + k x) ln(1 + T / alpha)
        - sum over i < x + 1 of ln(1 + a / (b + i))
    D = ln a - ln(b + x) + (r + k x) (ln(1 + T / alpha) - ln(1 + t / alpha))
    S = sum over j < k of (r + k x)_j / j! ((T - t) / (alpha + T))**j

(M. Platzer and T. Reutterer, "Ticking away the moments", 2016). The terms of S are the chances
that a customer who stays is j stages into the next gap; given j, the rate is gamma distributed
(r + k x + j, alpha + T), and the stages of a horizon are negative binomial: predictions are sums
over them, without an approximation.
"""

from __future__ import annotations

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Float64Out, Float64s, Float64Table, Int32s, Int64s
from ordercycle_kernels.elementary import (
    exponential,
    exponential_less_one,
    logarithm,
    logarithm_of_one_plus,
    positive_part,
)
from ordercycle_kernels.order_counts import (
    A_A,
    A_B,
    AL_A,
    AL_AL,
    AL_B,
    B_B,
    CHUNK,
    MOST_ODDS,
    R_A,
    R_AL,
    R_B,
    R_R,
    Cells,
    DropoutTables,
)
from ordercycle_kernels.quadrature import GAUSS, end_of_panel, gauss_node

#: What is left out of a sum over stages, relative to it; and above what weights are made smaller,
#: by a power of two, so that nothing is rounded.
TINY, HUGE, LESS = 1e-17, 1e250, 2.0**-800
#: How panels of an integral grow.
GROWTH = 1.5

# n = customers or cells, m = pairs of orders and age, c = chunks of cells, k = stages of a gap,
# x = most orders + 1, y = most stages + 1, d = most days + 1, t = pairs there are places for


@helper
def into_gap(
    shape: float, gap: float, rate: float, stages: int
) -> tuple[float, float, float, float, float, float]:
    """Return S and, as shares of it, its derivatives by r and alpha, once and twice.

    gap: T - t; rate: 1 / (alpha + T).
    """
    share = gap * rate
    term = total = 1.0
    rise = squares = 0.0
    by_r = by_al = by_r_r = by_r_al = by_al_al = 0.0
    for stage in range(1, stages):
        one = 1.0 / (shape + (stage - 1))
        rise += one
        squares += one * one
        term *= (shape + (stage - 1)) / stage * share
        total += term
        by_r += term * rise
        by_al -= term * stage
        by_r_r += term * (rise * rise - squares)
        by_r_al -= term * stage * rise
        by_al_al += term * stage * (stage + 1)
    weight = 1.0 / total
    by_al, by_r_al, by_al_al = by_al * rate, by_r_al * rate, by_al_al * rate * rate
    return (
        total,
        by_r * weight,
        by_al * weight,
        by_r_r * weight,
        by_r_al * weight,
        by_al_al * weight,
    )


@kernel
def sum_regular_dropouts(
    cells: Cells,
    tables: DropoutTables,
    stages: int,
    r: float,
    a: float,
    first_chunk: int,
    out_rows: Float64Table,
) -> None:
    """Write the sums of ln(S + e**D) of chunks of cells, from a chunk on: out_rows: (c, SUMS)."""
    for row in range(out_rows.shape[0]):
        sums = out_rows[row]
        sums[:] = 0.0
        start = (first_chunk + row) * CHUNK
        for cell in range(start, min(start + CHUNK, cells.frequency.size)):
            orders = cells.frequency[cell]
            recency, age = cells.recency_days[cell], cells.age_days[cell]
            customers = float(cells.customers[cell])
            shape, last = r + stages * orders, tables.last_rates[orders]
            old, new = tables.day_rates[recency], tables.day_rates[age]
            log, slope = tables.day_logs[age] - tables.day_logs[recency], new - old
            there, g_r, g_al, g_r_r, g_r_al, g_al_al = into_gap(
                shape, float(age - recency), new, stages
            )
            stay = logarithm(there)
            total, left, both = positive_part(tables.odds[orders] + shape * log - stay)
            # Derivatives of S once are those of ln S; twice, those of ln S less their squares.
            stayed, left, both = customers * (1.0 - left), customers * left, customers * both
            d_r, d_al = log - g_r, shape * slope - g_al
            sums[0] += customers * (stay + total)
            sums[1] += left * log + stayed * g_r
            sums[2] += left * shape * slope + stayed * g_al
            sums[3] += left / a
            sums[4] -= left * last
            sums[R_R] += stayed * (g_r_r - g_r * g_r) + both * d_r * d_r
            sums[R_AL] += left * slope + stayed * (g_r_al - g_r * g_al) + both * d_r * d_al
            sums[R_A] += both * d_r / a
            sums[R_B] -= both * d_r * last
            sums[AL_AL] += (
                stayed * (g_al_al - g_al * g_al)
                - left * shape * slope * (old + new)
                + both * d_al * d_al
            )
            sums[AL_A] += both * d_al / a
            sums[AL_B] -= both * d_al * last
            sums[A_A] += (both - left) / (a * a)
            sums[A_B] -= both * last / a
            sums[B_B] += (left + both) * last * last


@kernel
def sum_regular_products(
    cells: Cells,
    tables: DropoutTables,
    scores: Float64Table,
    by_stages: Float64s,
    parameters: Float64s,
    stages: int,
    first_chunk: int,
    out_rows: Float64Table,
) -> None:
    """Write sums of products of customers' scores, as `sum_score_products`.

    scores: (3, x), of which the first is not read; by_stages (the first, by stages): (y,);
    parameters: (4,); out_rows: (c, PRODUCTS).
    """
    r, alpha, a, b = parameters
    for row in range(out_rows.shape[0]):
        sums = out_rows[row]
        sums[:] = 0.0
        start = (first_chunk + row) * CHUNK
        for cell in range(start, min(start + CHUNK, cells.frequency.size)):
            orders = cells.frequency[cell]
            recency, age = cells.recency_days[cell], cells.age_days[cell]
            all_stages = stages * orders
            shape, new = r + all_stages, tables.day_rates[age]
            log, slope = tables.day_logs[age] - tables.day_logs[recency], new
            slope -= tables.day_rates[recency]
            there, g_r, g_al, _, _, _ = into_gap(shape, float(age - recency), new, stages)
            odds = tables.odds[orders] + shape * log - logarithm(there)
            left = positive_part(odds)[1]
            by_r = by_stages[all_stages] - tables.day_logs[age]
            by_r += left * log + (1.0 - left) * g_r
            by_al = (r * age / alpha - all_stages) * new
            by_al += left * shape * slope + (1.0 - left) * g_al
            by_a = scores[1, orders] + left / a
            by_b = scores[2, orders] - left * tables.last_rates[orders]
            by_r, by_al, by_a, by_b = r * by_r, alpha * by_al, a * by_a, b * by_b
            customers = float(cells.customers[cell])
            sums[0] += customers * by_r * by_r
            sums[1] += customers * by_r * by_al
            sums[2] += customers * by_r * by_a
            sums[3] += customers * by_r * by_b
            sums[4] += customers * by_al * by_al
            sums[5] += customers * by_al * by_a
            sums[6] += customers * by_al * by_b
            sums[7] += customers * by_a * by_a
            sums[8] += customers * by_a * by_b
            sums[9] += customers * by_b * by_b


@helper
def orders_of_stages(
    shape: float, span: float, stages: int, done: int, leave: float, stay: float
) -> tuple[float, float]:
    """Return E(orders) and E(orders (orders - 1)) of who is alive and so many stages into a gap.

    span: the horizon against alpha + T; leave, stay: the beta distribution of the probability to
    leave. Weights of stages are relative to that of none, and get smaller together where they
    would leave the floats.
    """
    share = span / (1.0 + span)
    weight = total = survival = 1.0
    value = pairs = reached = reached_pairs = count = 0.0
    left, stage = stages - done, 0
    while True:
        growth = share * (shape + stage) / (stage + 1.0)
        weight *= growth
        stage += 1
        left -= 1
        if left == 0:
            left = stages
            reached_pairs += 2.0 * count * survival
            reached += survival
            survival *= (stay + count) / (leave + stay + count)
            count += 1.0
        total += weight
        value += weight * reached
        pairs += weight * reached_pairs
        if weight > HUGE:
            weight, total = weight * LESS, total * LESS
            value, pairs = value * LESS, pairs * LESS
        left_out = weight * (1.0 + count) * (1.0 + count)
        if growth < 1.0 and left_out <= TINY * (1.0 - max(growth, share)) * value:
            return value / total, pairs / total


@kernel
def expect_regular_orders(
    parameters: Float64s,
    stages: int,
    first: int,
    horizon: float,
    orders: Int64s,
    ages: Int64s,
    out_expected: Float64Table,
    out_pairs: Float64Table,
) -> None:
    """Write E(orders) and E(orders (orders - 1)) in a horizon, of who is alive.

    first: 1 where the first order may be the last, else 0.

    parameters: (4,); orders, ages: (m,); out_expected, out_pairs (by the stages that are over):
    (stages, m).
    """
    r, alpha, a, b = parameters
    for pair in range(orders.size):
        span = horizon / (alpha + ages[pair])
        stay = b + orders[pair] + first
        for done in range(stages):
            shape = r + stages * orders[pair] + done
            expected, pairs = orders_of_stages(shape, span, stages, done, a, stay)
            out_expected[done, pair], out_pairs[done, pair] = expected, pairs


@kernel
def discount_regular_orders(
    parameters: Float64s,
    stages: int,
    horizon: float,
    discount: float,
    orders: Int64s,
    ages: Int64s,
    expected: Float64Table,
    out_discounted: Float64Table,
) -> None:
    """Write E(orders in the horizon) of who is alive, each discounted to its start.

    By parts: what is expected until the end, discounted from there, and the interest on what is
    expected until each time before.

    parameters: (4,); orders, ages: (m,); expected, out_discounted: (stages, m).
    """
    r, alpha, a, b = parameters
    for pair in range(orders.size):
        scale = alpha + ages[pair]
        end = logarithm_of_one_plus(horizon / scale)
        stay = b + orders[pair] + 1
        for done in range(stages):
            shape = r + stages * orders[pair] + done
            total = start = 0.0
            widest = 1.0 / (shape + 1.0)
            while widest * discount * scale > 1.0:
                widest /= GROWTH
            while start < end:
                stop = end_of_panel(start, widest, GROWTH, end)
                half, middle = 0.5 * (stop - start), 0.5 * (stop + start)
                for node in range(GAUSS):
                    side, weight = gauss_node(node)
                    place = middle + half * side
                    span = exponential_less_one(place)
                    until, _ = orders_of_stages(shape, span, stages, done, a, stay)
                    total += half * weight * until * exponential(place - discount * scale * span)
                start = stop
            at_end = exponential(-discount * horizon) * expected[done, pair]
            out_discounted[done, pair] = at_end + discount * scale * total


@kernel
def predict_regular_orders(
    frequency: Int64s,
    recency_days: Int32s,
    age_days: Int32s,
    tables: DropoutTables,
    parameters: Float64s,
    stages: int,
    horizon: float,
    pairs: Float64Table,
    out: Float64Table,
) -> None:
    """Write P(alive), P(active), E(orders) and E(discounted orders) of customers.

    A pair, at x * d + T, has expected orders by the stages that are over, then discounted ones.

    frequency, recency_days, age_days: (n,); parameters: (4,); pairs: (t, 2 * stages); out: (4, n).
    """
    r, days = parameters[0], tables.day_rates.size
    for row in range(frequency.size):
        orders, recency, age = frequency[row], recency_days[row], age_days[row]
        shape, rate = r + stages * orders, tables.day_rates[age]
        gap, place = float(age - recency), orders * days + age
        share = gap * rate
        later = (gap + horizon) * rate / (1.0 + horizon * rate)
        term = total = one = all_later = 1.0
        expected, discounted = pairs[place, 0], pairs[place, stages]
        for stage in range(1, stages):
            rise = (shape + (stage - 1)) / stage
            term, one = term * rise * share, one * rise * later
            total += term
            all_later += one
            expected += term * pairs[place, stage]
            discounted += term * pairs[place, stages + stage]
        log = tables.day_logs[age] - tables.day_logs[recency]
        odds = tables.odds[orders] + shape * log - logarithm(total)
        alive = 1.0 / (1.0 + exponential(min(odds, MOST_ODDS)))
        silent = exponential(-shape * logarithm_of_one_plus(horizon * rate)) * all_later / total
        out[0, row], out[1, row] = alive, alive * max(0.0, 1.0 - silent)
        out[2, row] = alive * expected / total
        out[3, row] = alive * discounted / total


@kernel
def mix_stages(
    frequency: Int64s,
    recency_days: Int32s,
    age_days: Int32s,
    alpha: float,
    r: float,
    values: Float64Table,
    out: Float64Out,
) -> None:
    """Write means of what depends on how many stages are over.

    frequency, recency_days, age_days, out: (n,); values: (k, n).
    """
    stages = values.shape[0]
    for row in range(frequency.size):
        shape = r + stages * frequency[row]
        share = (age_days[row] - recency_days[row]) / (alpha + age_days[row])
        term = total = 1.0
        mean = values[0, row]
        for stage in range(1, stages):
            term *= (shape + (stage - 1)) / stage * share
            total += term
            mean += term * values[stage, row]
        out[row] = mean / total
