"""Likelihoods of how many orders customers placed, and when the last: NBD, BG/NBD and MBG/NBD.

A customer is known by x, the days with orders after the first, by t, days from the first to the
last, and by T, days from the first to the day of the profile. While alive, orders come at a rate
that is gamma distributed over customers (shape r, rate alpha); after an order, also after the
first in MBG/NBD, a customer leaves with a probability that is beta distributed (a, b)::

    ln L = A + ln(1 + e**D)
    A = sum over i < x of ln((r + i) / alpha) - (r + x) ln(1 + T / alpha)
        - sum over i < x + f of ln(1 + a / (b + i))
    D = ln a - ln(b + x - 1 + f) + (r + x) (ln(1 + T / alpha) - ln(1 + t / alpha))

with f = 1 where the first order may be the last, and 0 otherwise (then there is no D at x = 0).
Written like this, no digits cancel, however large the parameters are: their limits (one rate, one
probability for all) are reached by very large ones.

Sums are the log-likelihood, its 4 first derivatives and its 10 second ones, by parameters.
"""

from __future__ import annotations

from typing import NamedTuple

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Float64Out,
    Float64s,
    Float64Table,
    Int32s,
    Int64Out,
    Int64s,
)
from ordercycle_kernels.elementary import (
    exponential,
    logarithm,
    logarithm_of_one_plus,
    positive_part,
)

#: The log-likelihood, gradient and upper triangle of the Hessian of four parameters.
SUMS = 15
#: Log-odds of having left beyond this are certainty, to the smallest float.
MOST_ODDS = 700.0
#: The products of four scores with each other.
PRODUCTS = 10
#: Stands for f where there is no leaving at all.
NOBODY_LEAVES = -1
#: Where second derivatives by the first and second, the first and third parameter ... stand.
R_R, R_AL, R_A, R_B, AL_AL, AL_A, AL_B, A_A, A_B, B_B = range(5, 15)
#: Customers who are predicted at a time: what is known of them stays near.
ROWS = 1024
#: Cells whose sums are one row: rows are added in their order, whoever computed them.
CHUNK = 16_384

# n = cells, c = chunks of them, x = most orders + 1, d = most days + 1


class Cells(NamedTuple):
    """Customers with the same numbers, ascending by them in this order.

    frequency (days with orders after the first), recency_days (from the first order to the
    last), age_days (from the first order to the day of the profile), customers: (n,).
    """

    frequency: Int64s
    recency_days: Int32s
    age_days: Int32s
    customers: Int64s


class DropoutTables(NamedTuple):
    """What depends on days or on orders alone: of `fill_day_tables` and `fill_dropout_tables`.

    day_logs, day_rates: (d,); odds, last_rates: (x,).
    """

    day_logs: Float64s
    day_rates: Float64s
    odds: Float64s
    last_rates: Float64s


@helper
def add_compensated(sums: Float64Table, place: int, value: float) -> None:
    """Add a value to a sum, sums[0], and what is lost by rounding to sums[1]."""
    before = sums[0, place]
    total = before + value
    share = total - before
    sums[0, place] = total
    sums[1, place] += (before - (total - share)) + (value - share)


@helper
def positive_parts(values: Float64Out, out_firsts: Float64Out, out_seconds: Float64Out) -> None:
    """Put ln(1 + e**x) in place of x, and its two derivatives beside it, by vector instructions.

    values: (m,); out_firsts, out_seconds: (m,) or more.
    """
    firsts, seconds = out_firsts[: values.size], out_seconds[: values.size]
    for place in range(values.size):
        total, first, second = positive_part(values[place])
        values[place], firsts[place], seconds[place] = total, first, second


@helper
def fill_log_odds(
    cells: Cells,
    tables: DropoutTables,
    r: float,
    start: int,
    stop: int,
    out_odds: Float64Out,
    out_logs: Float64Out,
) -> None:
    """Write D of some cells, and ln(1 + T / alpha) - ln(1 + t / alpha) in it."""
    for place in range(stop - start):
        orders, recency = cells.frequency[start + place], cells.recency_days[start + place]
        log = tables.day_logs[cells.age_days[start + place]] - tables.day_logs[recency]
        out_logs[place] = log
        out_odds[place] = tables.odds[orders] + (r + orders) * log


@kernel
def count_margins(cells: Cells, out_by_orders: Int64Out, out_by_age: Int64Out) -> None:
    """Add customers by x, and by T customers and their orders after the first.

    out_by_orders (zero on entry): (x,); out_by_age (zero on entry, pairs): (2 * d,).
    """
    for cell in range(cells.frequency.size):
        orders, age = cells.frequency[cell], cells.age_days[cell]
        customers = cells.customers[cell]
        out_by_orders[orders] += customers
        out_by_age[2 * age] += customers
        out_by_age[2 * age + 1] += customers * orders


@kernel
def add_chunks(rows: Float64Table, sums: Float64Table) -> None:
    """Add rows in their order: rows: (c, k); sums (with what was lost by rounding): (2, k)."""
    for row in range(rows.shape[0]):
        for place in range(rows.shape[1]):
            add_compensated(sums, place, rows[row, place])


@kernel
def sum_products(weights: Float64s, values: Float64s, out_sum: Float64Table) -> None:
    """Add products in their order, with what is lost by rounding: out_sum: (2, 1).

    weights, values: (n,).
    """
    out_sum[:] = 0.0
    for place in range(weights.size):
        add_compensated(out_sum, 0, weights[place] * values[place])


@kernel
def fill_day_tables(alpha: float, out_logs: Float64Out, out_rates: Float64Out) -> None:
    """Write ln(1 + d / alpha) and 1 / (alpha + d) of every day: out_logs, out_rates: (d,)."""
    for day in range(out_logs.size):
        out_logs[day] = logarithm_of_one_plus(day / alpha)
        out_rates[day] = 1.0 / (alpha + day)


@kernel
def fill_dropout_tables(
    a: float, b: float, is_first: int, out_odds: Float64Out, out_rates: Float64Out
) -> None:
    """Write ln(a / (b + x - 1 + f)) and 1 / (b + x - 1 + f): out_odds, out_rates: (x,).

    is_first: f, 1 where customers may leave after their first order. Entries of x = 0 mean
    nothing without.
    """
    for orders in range(1 - is_first, out_odds.size):
        rate = 1.0 / (b + (orders - 1 + is_first))
        out_odds[orders] = logarithm(a * rate)
        out_rates[orders] = rate


@kernel
def sum_counts(
    r: float, alpha: float, by_orders: Int64s, by_age: Int64s, out_sums: Float64Table
) -> None:
    """Add the terms of A that tell of order rates.

    by_orders: (x,); by_age (customers and orders): (2 * d,); out_sums: (2, SUMS).
    """
    logs = rates = squares = 0.0
    for orders in range(by_orders.size):
        customers = float(by_orders[orders])
        if customers > 0.0:
            add_compensated(out_sums, 0, customers * logs)
            add_compensated(out_sums, 1, customers * rates)
            add_compensated(out_sums, R_R, -customers * squares)
            add_compensated(out_sums, 2, -customers * orders / alpha)
            add_compensated(out_sums, AL_AL, customers * orders / (alpha * alpha))
        rate = 1.0 / (r + orders)
        logs += logarithm((r + orders) / alpha)
        rates += rate
        squares += rate * rate
    for age in range(by_age.size // 2):
        customers, orders_of_all = float(by_age[2 * age]), float(by_age[2 * age + 1])
        if customers > 0.0:
            shape = r * customers + orders_of_all
            log = logarithm_of_one_plus(age / alpha)
            slope = age / (alpha * (alpha + age))
            add_compensated(out_sums, 0, -shape * log)
            add_compensated(out_sums, 1, -customers * log)
            add_compensated(out_sums, 2, shape * slope)
            add_compensated(out_sums, R_AL, customers * slope)
            add_compensated(out_sums, AL_AL, -shape * slope * (1.0 / alpha + 1.0 / (alpha + age)))


@kernel
def sum_survivals(
    a: float, b: float, is_first: int, by_orders: Int64s, out_sums: Float64Table
) -> None:
    """Add the terms of A that tell of customers who stayed.

    by_orders: (x,); out_sums: (2, SUMS).
    """
    logs = by_a = by_b = by_a_a = by_b_b = 0.0
    for orders in range(by_orders.size):
        if orders > 0 or is_first == 1:
            stayed = b + (orders - 1 + is_first)
            all_of_them = a + stayed
            one, other = 1.0 / stayed, 1.0 / all_of_them
            logs += logarithm_of_one_plus(a * one)
            by_a += other
            by_b += a * one * other
            by_a_a += other * other
            by_b_b += a * one * other * (one + other)
        customers = float(by_orders[orders])
        if customers > 0.0:
            add_compensated(out_sums, 0, -customers * logs)
            add_compensated(out_sums, 3, -customers * by_a)
            add_compensated(out_sums, 4, customers * by_b)
            add_compensated(out_sums, A_A, customers * by_a_a)
            add_compensated(out_sums, A_B, customers * by_a_a)
            add_compensated(out_sums, B_B, -customers * by_b_b)


@kernel
def sum_dropouts(
    cells: Cells,
    tables: DropoutTables,
    r: float,
    a: float,
    is_first: int,
    first_chunk: int,
    scratch: Float64Table,
    out_rows: Float64Table,
) -> None:
    """Write the sums of ln(1 + e**D) of chunks of cells, from a chunk on.

    scratch: (4, CHUNK); out_rows: (c, SUMS).
    """
    values, firsts, seconds, logs = scratch[0], scratch[1], scratch[2], scratch[3]
    for row in range(out_rows.shape[0]):
        out_rows[row] = 0.0
        first_cell = cell = (first_chunk + row) * CHUNK
        end = min(cell + CHUNK, cells.frequency.size)
        fill_log_odds(cells, tables, r, cell, end, values, logs)
        positive_parts(values[: end - cell], firsts, seconds)
        while cell < end:
            orders = cells.frequency[cell]
            stop = cell + 1
            while stop < end and cells.frequency[stop] == orders:
                stop += 1
            if orders == 0 and is_first == 0:
                cell = stop
                continue
            shape, last = r + orders, tables.last_rates[orders]
            total = s = s_l = s_u = s_uu = v = v_l = v_u = v_ll = v_lu = v_uu = 0.0
            for place in range(cell, stop):
                recency, age = cells.recency_days[place], cells.age_days[place]
                old, new = tables.day_rates[recency], tables.day_rates[age]
                slope, log = new - old, logs[place - first_cell]
                customers = float(cells.customers[place])
                first = customers * firsts[place - first_cell]
                second = customers * seconds[place - first_cell]
                total += customers * values[place - first_cell]
                s += first
                s_l += first * log
                s_u += first * slope
                s_uu += first * slope * (old + new)
                v += second
                v_l += second * log
                v_u += second * slope
                v_ll += second * log * log
                v_lu += second * log * slope
                v_uu += second * slope * slope
            sums = out_rows[row]
            sums[0] += total
            sums[1] += s_l
            sums[2] += shape * s_u
            sums[3] += s / a
            sums[4] -= last * s
            sums[R_R] += v_ll
            sums[R_AL] += s_u + shape * v_lu
            sums[R_A] += v_l / a
            sums[R_B] -= last * v_l
            sums[AL_AL] += shape * (shape * v_uu - s_uu)
            sums[AL_A] += shape * v_u / a
            sums[AL_B] -= shape * v_u * last
            sums[A_A] += (v - s) / (a * a)
            sums[A_B] -= v * last / a
            sums[B_B] += (s + v) * last * last
            cell = stop


@kernel
def alive_of_dropouts(
    frequency: Int64s,
    recency_days: Int32s,
    age_days: Int32s,
    tables: DropoutTables,
    r: float,
    is_first: int,
    out_alive: Float64Out,
) -> None:
    """Write the probability that customers have not left.

    frequency, recency_days, age_days, out_alive: (n,).
    """
    for row in range(frequency.size):
        orders = frequency[row]
        log = tables.day_logs[age_days[row]] - tables.day_logs[recency_days[row]]
        odds = tables.odds[orders] + (r + orders) * log
        never_left = orders == 0 and is_first == 0
        out_alive[row] = -MOST_ODDS if never_left else min(odds, MOST_ODDS)
    # What is looked up above has no vector instructions; the exponentials do.
    for row in range(frequency.size):
        out_alive[row] = 1.0 / (1.0 + exponential(out_alive[row]))


@kernel
def fill_score_tables(
    r: float, a: float, b: float, is_first: int, out_scores: Float64Table
) -> None:
    """Write the derivatives of the terms of A that depend on x alone, by r, a and b.

    is_first: f, or NOBODY_LEAVES; out_scores: (3, x).
    """
    by_r = by_a = by_b = 0.0
    for orders in range(out_scores.shape[1]):
        if is_first != NOBODY_LEAVES and (orders > 0 or is_first == 1):
            stayed = b + (orders - 1 + is_first)
            by_a -= 1.0 / (a + stayed)
            by_b += a / (stayed * (a + stayed))
        out_scores[0, orders], out_scores[1, orders], out_scores[2, orders] = by_r, by_a, by_b
        by_r += 1.0 / (r + orders)


@kernel
def sum_score_products(
    cells: Cells,
    tables: DropoutTables,
    scores: Float64Table,
    parameters: Float64s,
    is_first: int,
    first_chunk: int,
    scratch: Float64Table,
    out_rows: Float64Table,
) -> None:
    """Write sums of products of customers' scores, from a chunk of cells on.

    A score is a derivative of a customer's log-likelihood by the logarithm of a parameter; products
    are those of the upper triangle.

    scores: (3, x); parameters: (4,); is_first: f, or NOBODY_LEAVES; scratch: (4, CHUNK);
    out_rows: (c, PRODUCTS).
    """
    r, alpha, a, b = parameters
    values, lefts, logs = scratch[0], scratch[1], scratch[3]
    for row in range(out_rows.shape[0]):
        sums = out_rows[row]
        sums[:] = 0.0
        start = (first_chunk + row) * CHUNK
        stop = min(start + CHUNK, cells.frequency.size)
        fill_log_odds(cells, tables, r, start, stop, values, logs)
        positive_parts(values[: stop - start], lefts, scratch[2])
        for cell in range(start, stop):
            orders, age = cells.frequency[cell], cells.age_days[cell]
            shape = r + orders
            by_r = scores[0, orders] - tables.day_logs[age]
            by_alpha = (r * age / alpha - orders) * tables.day_rates[age]
            by_a, by_b = scores[1, orders], scores[2, orders]
            if is_first == 1 or (is_first == 0 and orders > 0):
                recency, left = cells.recency_days[cell], lefts[cell - start]
                slope = tables.day_rates[age] - tables.day_rates[recency]
                by_r += left * logs[cell - start]
                by_alpha += left * shape * slope
                by_a += left / a
                by_b -= left * tables.last_rates[orders]
            by_r, by_alpha, by_a, by_b = r * by_r, alpha * by_alpha, a * by_a, b * by_b
            customers = float(cells.customers[cell])
            sums[0] += customers * by_r * by_r
            sums[1] += customers * by_r * by_alpha
            sums[2] += customers * by_r * by_a
            sums[3] += customers * by_r * by_b
            sums[4] += customers * by_alpha * by_alpha
            sums[5] += customers * by_alpha * by_a
            sums[6] += customers * by_alpha * by_b
            sums[7] += customers * by_a * by_a
            sums[8] += customers * by_a * by_b
            sums[9] += customers * by_b * by_b
