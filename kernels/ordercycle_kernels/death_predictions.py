"""What customers of Pareto/NBD, and of the NBD, will order.

Of a customer who is alive, the rate of orders is gamma distributed (r + x, alpha + T), and the
rate of leaving is (s, beta + T). Integrals are over v = ln(1 + u / (alpha + T)), or that of beta.
"""

from __future__ import annotations

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Float64Out,
    Float64s,
    Float64Table,
    Int32s,
    Int64s,
)
from ordercycle_kernels.deaths import NODES
from ordercycle_kernels.elementary import (
    exponential,
    exponential_less_one,
    logarithm_of_one_plus,
)
from ordercycle_kernels.order_counts import MOST_ODDS
from ordercycle_kernels.quadrature import GAUSS, end_of_panel, gauss_node

#: Panels are as wide as all that is before them.
GROWTH = 2.0
#: Days of a block of integrals.
BLOCK = 1024
#: Differences from 0 by which nothing can be divided.
TINY = 1e-300

# n = customers, m = pairs of orders and age, x = most orders + 1, d = most days + 1, p = panels


@kernel
def fill_integrals(
    r: float,
    s: float,
    orders: Int64s,
    firsts: Int64s,
    day_growths: Float64s,
    growths: Float64s,
    weights: Float64s,
    out_integrals: Float64Table,
) -> None:
    """Write the integrals of some x from each day on to the end of its block, relative to the day.

    Blocks make a day's integral the same however many days there are.

    Growths are those of ln(alpha + d), then of ln(beta + d): of days to the next one, of nodes
    from their day on.

    orders: (m,); firsts: (d,); day_growths: (2 * d,); growths: (2 * p * NODES,); weights:
    (p * NODES,); out_integrals: (x, d).
    """
    last, nodes = firsts.size - 1, weights.size
    for x in orders:
        shape = r + x
        row = out_integrals[x]
        row[last] = 0.0
        for day in range(last - 1, -1, -1):
            total = 0.0
            if (day + 1) % BLOCK != 0:
                log = shape * day_growths[day] + s * day_growths[last + 1 + day]
                total = exponential(-log) * row[day + 1]
            for node in range(firsts[day] * NODES, firsts[day + 1] * NODES):
                log = shape * growths[node] + s * growths[nodes + node]
                total += exponential(-log) * weights[node]
            row[day] = total


@kernel
def alive_of_deaths(
    frequency: Int64s,
    recency_days: Int32s,
    age_days: Int32s,
    order_logs: Float64s,
    death_logs: Float64s,
    integrals: Float64Table,
    r: float,
    s: float,
    out_alive: Float64Out,
) -> None:
    """Write the probability that customers have not left.

    frequency, recency_days, age_days, out_alive: (n,); order_logs, death_logs: (d,); integrals:
    (x, d).
    """
    for row in range(frequency.size):
        orders, recency, age = frequency[row], recency_days[row], age_days[row]
        shape, order_log, death_log = r + orders, order_logs[recency], death_logs[recency]
        log = shape * (order_logs[age] - order_log) + s * (death_logs[age] - death_log)
        out_alive[row] = min(log, MOST_ODDS)
    # What is looked up has no vector instructions; the exponentials do.
    for row in range(frequency.size):
        out_alive[row] = exponential(out_alive[row])
    for row in range(frequency.size):
        orders, recency, age = frequency[row], recency_days[row], age_days[row]
        integral = integrals[orders, recency]
        shape, order_log, death_log = r + orders, order_logs[recency], death_logs[recency]
        for day in range((recency // BLOCK + 1) * BLOCK, age + 1, BLOCK):
            log = shape * (order_logs[day] - order_log) + s * (death_logs[day] - death_log)
            integral += exponential(-log) * integrals[orders, day]
        # s / (beta + u) in one, as both may be very large. Nothing is left of a last day before
        # which all is: rounding may take it below 0.
        odds = s * (out_alive[row] * integral - integrals[orders, age])
        out_alive[row] = 1.0 / (1.0 + max(odds, 0.0)) if recency < age else 1.0


@kernel
def fill_presence(
    s: float,
    beta: float,
    horizon: float,
    discount: float,
    ages: Int64s,
    out_presence: Float64Table,
) -> None:
    """Write expected days that customers stay within a horizon, and the same discounted.

    ages (to write): (m,); out_presence: (d, 2).
    """
    for age in ages:
        scale = beta + age
        end = logarithm_of_one_plus(horizon / scale)
        above = 1.0 - s
        if abs(above * end) < TINY:
            stay = scale * end
        else:
            stay = scale * exponential_less_one(above * end) / above
        out_presence[age, 0] = out_presence[age, 1] = stay
        if discount > 0.0:
            total = start = 0.0
            first = 1.0 / (1.0 + abs(above) + discount * scale)
            while start < end:
                stop = end_of_panel(start, first, GROWTH, end)
                half, middle = 0.5 * (stop - start), 0.5 * (stop + start)
                for node in range(GAUSS):
                    side, weight = gauss_node(node)
                    place = middle + half * side
                    time = scale * exponential_less_one(place)
                    total += half * weight * exponential(above * place - discount * time)
                start = stop
            out_presence[age, 1] = scale * total


@kernel
def expect_death_pairs(
    parameters: Float64s, horizon: float, orders: Int64s, ages: Int64s, out: Float64Out
) -> None:
    """Write E(orders (orders - 1)) in a horizon, of who is alive.

    That is the mean square of the rate times that of the days until the customer leaves, which is
    twice the integral of u times the probability to stay so long.

    parameters: (4,); orders, ages, out: (m,).
    """
    r, alpha, s, beta = parameters
    for pair in range(orders.size):
        shape, scale = r + orders[pair], alpha + ages[pair]
        stay = beta + ages[pair]
        end = logarithm_of_one_plus(horizon / stay)
        first = 1.0 / (1.0 + s)
        total = start = 0.0
        while start < end:
            stop = end_of_panel(start, first, GROWTH, end)
            half, middle = 0.5 * (stop - start), 0.5 * (stop + start)
            for node in range(GAUSS):
                side, weight = gauss_node(node)
                place = middle + half * side
                time = stay * exponential_less_one(place)
                total += half * weight * time * exponential((1.0 - s) * place)
            start = stop
        # One factor at a time: shapes and scales may be very large together.
        out[pair] = 2.0 * (shape / scale) * ((shape + 1.0) / scale) * (stay * total)


@kernel
def expect_pairs(
    r: float, alpha: float, horizon: float, orders: Int64s, ages: Int64s, out: Float64Out
) -> None:
    """Write the same for the NBD, where nobody leaves: orders, ages, out: (m,)."""
    for pair in range(orders.size):
        shape, scale = r + orders[pair], alpha + ages[pair]
        out[pair] = (shape / scale * horizon) * ((shape + 1.0) / scale * horizon)


@helper
def chance_of_order(shape: float, scale: float, s: float, beta: float, horizon: float) -> float:
    """Return the probability of an order before leaving and the horizon; rates by shape / scale."""
    end = logarithm_of_one_plus(horizon / scale)
    ratio = scale / beta
    total = start = 0.0
    first = 1.0 / (shape + (1.0 + s) * max(ratio, 1.0 / (1.0 + s)))
    while start < end:
        stop = end_of_panel(start, first, GROWTH, end)
        half, middle = 0.5 * (stop - start), 0.5 * (stop + start)
        for node in range(GAUSS):
            side, weight = gauss_node(node)
            place = middle + half * side
            log = logarithm_of_one_plus(ratio * exponential_less_one(place))
            total += half * weight * exponential(-shape * place - s * log)
        start = stop
    return shape * total


@kernel
def expect_death_orders(
    parameters: Float64s,
    horizon: float,
    orders: Int64s,
    ages: Int64s,
    presence: Float64Table,
    out: Float64Table,
) -> None:
    """Write P(an order in the horizon), E(orders) and E(discounted orders) of who is alive.

    parameters: (4,); orders, ages: (m,); presence: (d, 2); out: (3, m).
    """
    r, alpha, s, beta = parameters
    for pair in range(orders.size):
        shape, scale = r + orders[pair], alpha + ages[pair]
        out[0, pair] = chance_of_order(shape, scale, s, beta + ages[pair], horizon)
        out[1, pair] = shape / scale * presence[ages[pair], 0]
        out[2, pair] = shape / scale * presence[ages[pair], 1]


@kernel
def expect_orders(
    r: float,
    alpha: float,
    horizon: float,
    discount: float,
    orders: Int64s,
    ages: Int64s,
    out: Float64Table,
) -> None:
    """Write the same for the NBD, where nobody leaves: orders, ages: (m,); out: (3, m)."""
    present = horizon
    if discount > 0.0:
        present = -exponential_less_one(-discount * horizon) / discount
    for pair in range(orders.size):
        shape, scale = r + orders[pair], alpha + ages[pair]
        log = logarithm_of_one_plus(horizon / scale)
        out[0, pair] = -exponential_less_one(-shape * log)
        out[1, pair] = shape / scale * horizon
        out[2, pair] = shape / scale * present
