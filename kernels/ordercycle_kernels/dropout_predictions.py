"""What customers of BG/NBD and MBG/NBD will order, given that they have not left.

A customer with x orders after the first who is alive has a probability p to leave after an order
that is beta distributed (a, b + x + f), f = 1 where the first order may be the last, and a rate
of orders that is gamma distributed (r + x, alpha + T). Averages over p are sums over nodes: those
of the trapezoidal rule after a change of variables under which the density falls faster than any
power on both sides, so that each node more adds as many digits as the one before.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, inlined, kernel
from ordercycle_kernels._types import Float64Out, Float64s, Float64Table, Int64s
from ordercycle_kernels.elementary import (
    exponential,
    exponential_less_one,
    logarithm_of_one_plus,
)
from ordercycle_kernels.quadrature import GAUSS, end_of_panel, gauss_node
from ordercycle_kernels.regular_orders import orders_of_stages

#: Nodes for the probability to leave.
NODES = 256
#: Densities are left out where they are e**-FAR of the highest.
FAR = 44.0
#: Smaller probabilities to leave are this one: no horizon tells them from 0.
SMALLEST = 1e-290
SEARCH_STEP = 0.0625
#: Terms of a series, its points (those of one side), and how panels grow.
TERMS, GROWTH = 16, 1.5
CHEBYSHEV_NODES = (
    0.99518472667219689,
    0.95694033573220886,
    0.88192126434835503,
    0.77301045336273696,
    0.6343932841636455,
    0.47139673682599765,
    0.29028467725446237,
    0.098017140329560602,
)

#: Sums over orders are taken where they have fewer terms than this, their tail about so many times
#: the horizon against alpha + T.
MOST_STAGES, TAIL = 250.0, 40.0

# m = pairs of orders and age, x = most orders + 1, q = panels of a series


@inlined
def log_density(offset: float, a: float, b: float) -> float:
    """Return ln of the beta density of the log-odds, from its mode on, relative to there."""
    if offset > 0.0:
        share = b / (a + b)
        return -b * offset - (a + b) * logarithm_of_one_plus(share * exponential_less_one(-offset))
    share = a / (a + b)
    return a * offset - (a + b) * logarithm_of_one_plus(share * exponential_less_one(offset))


@inlined
def beta_share(offset: float, a: float, b: float) -> float:
    """Return the probability whose log-odds are so far from the mode, ln(a / b)."""
    if offset > 0.0:
        return a / (a + b) / (1.0 + b / (a + b) * exponential_less_one(-offset))
    power = exponential(offset)
    return a * power / (a + b) / (1.0 + a / (a + b) * exponential_less_one(offset))


@helper
def end_of_density(direction: float, scale: float, a: float, b: float) -> float:
    """Return how far the nodes reach in a direction, +1 or -1."""
    place = SEARCH_STEP
    while True:
        power = exponential(place)
        offset = direction * scale * 0.5 * (power - 1.0 / power)
        if log_density(offset, a, b) + place < -FAR:
            return place
        place += SEARCH_STEP


@kernel
def fill_beta_nodes(
    a: float, b: float, orders: Int64s, out_nodes: Float64Table, out_weights: Float64Table
) -> None:
    """Write probabilities to leave and their weights, which add up to 1.

    b: with f added; orders: (m,), rows to write; out_nodes, out_weights: (x, NODES).
    """
    for x in orders:
        stay = b + x
        scale = min(1.0, np.sqrt((a + stay) / (a * stay)))
        low = -end_of_density(-1.0, scale, a, stay)
        high = end_of_density(1.0, scale, a, stay)
        total = 0.0
        for node in range(NODES):
            place = low + (high - low) * node / (NODES - 1)
            power = exponential(place)
            offset = scale * 0.5 * (power - 1.0 / power)
            weight = exponential(log_density(offset, a, stay)) * (power + 1.0 / power)
            out_nodes[x, node] = max(beta_share(offset, a, stay), SMALLEST)
            out_weights[x, node] = weight
            total += weight
        for node in range(NODES):
            out_weights[x, node] /= total


@helper
def sum_of(values: Float64s) -> float:
    """Return a sum in an order that four additions can share."""
    one = two = three = four = 0.0
    for place in range(0, values.size - 3, 4):
        one += values[place]
        two += values[place + 1]
        three += values[place + 2]
        four += values[place + 3]
    return (one + two) + (three + four)


@kernel
def expect_dropout_orders(
    parameters: Float64s,
    horizon: float,
    orders: Int64s,
    ages: Int64s,
    nodes: Float64Table,
    weights: Float64Table,
    scratch: Float64Out,
    out_active: Float64Out,
    out_expected: Float64Out,
) -> None:
    """Write P(an order in the horizon) and E(orders in it) of customers who are alive.

    Where few orders are possible, these are added up, which is faster than nodes.

    parameters (b with f added): (4,); orders, ages: (m,); nodes, weights: (x, NODES); scratch:
    (NODES,); out_active, out_expected: (m,).
    """
    r, alpha, a, b = parameters
    for pair in range(orders.size):
        x = orders[pair]
        shape, span = r + x, horizon / (alpha + ages[pair])
        out_active[pair] = -exponential_less_one(-shape * logarithm_of_one_plus(span))
        if (shape + TAIL) * span < MOST_STAGES:
            expected, _ = orders_of_stages(shape, span, 1, 0, a, b + x)
            out_expected[pair] = expected
            continue
        for node in range(NODES):
            leave = nodes[x, node]
            log = logarithm_of_one_plus(leave * span)
            scratch[node] = -weights[x, node] * exponential_less_one(-shape * log) / leave
        out_expected[pair] = sum_of(scratch)


@kernel
def fill_rates(
    r: float,
    orders: Int64s,
    nodes: Float64Table,
    weights: Float64Table,
    scratch: Float64Out,
    out_series: Float64Table,
) -> None:
    """Write the rate of orders of who is alive, after a time, as series of Chebyshev.

    It is (r + x) / (alpha + T) times the mean of (1 + p (e**v - 1))**-(r + x + 1) over p, with v =
    ln(1 + u / (alpha + T)), and each of some panels of v has a series: the same for every T.

    orders: (m,); nodes, weights: (x, NODES); scratch: (NODES,); out_series: (x, q * TERMS).
    """
    for x in orders:
        shape = r + x + 1.0
        start = 0.0
        for panel in range(out_series.shape[1] // TERMS):
            stop = end_of_panel(start, 1.0 / shape, GROWTH, np.inf)
            half, middle = 0.5 * (stop - start), 0.5 * (stop + start)
            series = out_series[x, panel * TERMS : (panel + 1) * TERMS]
            series[:] = 0.0
            for point in range(TERMS):
                side = CHEBYSHEV_NODES[min(point, TERMS - 1 - point)]
                side = side if point < TERMS // 2 else -side
                growth = exponential_less_one(middle + half * side)
                for node in range(NODES):
                    log = logarithm_of_one_plus(nodes[x, node] * growth)
                    scratch[node] = weights[x, node] * exponential(-shape * log)
                value = sum_of(scratch) * (2.0 / TERMS)
                before, now = 1.0, side
                series[0] += 0.5 * value
                for term in range(1, TERMS):
                    series[term] += value * now
                    before, now = now, 2.0 * side * now - before
            start = stop


@kernel
def discount_dropout_orders(
    r: float,
    alpha: float,
    horizon: float,
    discount: float,
    orders: Int64s,
    ages: Int64s,
    series: Float64Table,
    out_discounted: Float64Out,
) -> None:
    """Write E(orders in the horizon) of who is alive, each discounted to its start.

    orders, ages, out_discounted: (m,); series: (x, q * TERMS).
    """
    for pair in range(orders.size):
        x = orders[pair]
        scale = alpha + ages[pair]
        end = logarithm_of_one_plus(horizon / scale)
        # Panels of the series, of which the first is cut where the discount needs it.
        widest = 1.0 / (r + x + 1.0)
        first = widest
        while first * discount * scale > 1.0:
            first /= GROWTH
        total = start = low = 0.0
        panel, high = 0, end_of_panel(0.0, widest, GROWTH, np.inf)
        while start < end:
            if start >= high:
                panel += 1
                low, high = high, end_of_panel(high, widest, GROWTH, np.inf)
            stop = min(end_of_panel(start, first, GROWTH, end), high)
            half, middle = 0.5 * (stop - start), 0.5 * (stop + start)
            terms = series[x, panel * TERMS : (panel + 1) * TERMS]
            for node in range(GAUSS):
                side, weight = gauss_node(node)
                place = middle + half * side
                where = (2.0 * place - low - high) / (high - low)
                one = two = 0.0
                for term in range(TERMS - 1, 0, -1):
                    one, two = terms[term] + 2.0 * where * one - two, one
                rate = terms[0] + where * one - two
                time = scale * exponential_less_one(place)
                total += half * weight * rate * exponential(place - discount * time)
            start = stop
        out_discounted[pair] = (r + x) * total
