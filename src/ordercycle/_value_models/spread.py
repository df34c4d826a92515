"""How much what customers do varies around what is expected of them.

Of a customer who is alive, orders in the horizon have a second moment that follows as the first
does; what is spent on them varies with them, and from order to order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import ConfigError
from ordercycle._value_models.forms import stages_of
from ordercycle._value_models.transactions import TransactionFit
from ordercycle_kernels.death_predictions import expect_death_pairs, expect_pairs
from ordercycle_kernels.elementary import exponentials
from ordercycle_kernels.order_counts import sum_products
from ordercycle_kernels.regular_orders import expect_regular_orders, mix_stages

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Days = NDArray[np.int32]

#: Deviations from 0 beyond which nothing is left of a normal distribution.
FARTHEST = 8.0
#: Terms of sums over stages, a few nanoseconds each: as many in all, and of each pair of orders and
#: age on top, where about `TAIL` times the horizon against alpha + T are the tail.
MOST_STAGES, MOST_STAGES_OF_A_PAIR, TAIL = 5e9, 1e6, 40.0
ROOT_TWO_PI = math.sqrt(2 * math.pi)
#: Terms of a series, and halvings of an interval.
MOST_TERMS, HALVINGS = 130, 55


def variances_of_orders(
    fit: TransactionFit,
    frequency: Integers,
    recency: Days,
    age: Days,
    horizon_days: int,
) -> Floats:
    """Return the variance of each customer's days with orders in the horizon: (n,).

    Raises
    ------
    ConfigError
        Parameters by hand expect so many orders that they cannot be summed.
    """
    found = fit.predict(frequency, recency, age, horizon_days)
    pairs = _pairs_of_alive(fit, frequency, recency, age, float(horizon_days)) * found.p_alive
    expected = found.expected_orders
    return np.asarray(np.maximum(pairs + expected - expected * expected, 0.0))


def _pairs_of_alive(
    fit: TransactionFit, frequency: Integers, recency: Days, age: Days, horizon: float
) -> Floats:
    """Return E(orders (orders - 1)) of customers, given that they are alive: (n,)."""
    naturals = fit.form.naturals_of([estimate for estimate, _ in fit.parameters.values()])
    days = int(age.max(initial=0)) + 1
    places, which = np.unique(frequency * days + age, return_inverse=True)
    orders, ages = np.divmod(places, days)
    model = fit.form.likelihood
    if model in ("nbd", "pareto_nbd"):
        pairs = np.empty(orders.size)
        if model == "nbd":
            expect_pairs(naturals[0], naturals[1], horizon, orders, ages, pairs)
        else:
            expect_death_pairs(np.array(naturals), horizon, orders, ages, pairs)
        return np.asarray(pairs[which])
    stages, may_leave_at_first = stages_of(model), int(model != "bg_nbd")
    r, alpha = naturals[:2]
    terms = (r + stages * orders + TAIL) * (horizon / (alpha + ages))
    if terms.sum() > MOST_STAGES + orders.size * MOST_STAGES_OF_A_PAIR:
        raise ConfigError(
            f"with r = {r:g} and alpha = {alpha:g}, sums over the orders of {horizon:g} days take "
            "too long",
            remedy="pass parameters with about one day with orders a day at most, r / alpha",
        )
    both = np.empty((2, stages, orders.size))
    given = np.array(naturals)
    expect_regular_orders(given, stages, may_leave_at_first, horizon, orders, ages, *both)
    if stages == 1:
        return np.asarray(both[1, 0, which])
    mixed = np.empty(frequency.size)
    values = np.ascontiguousarray(both[1][:, which])
    mix_stages(frequency, recency, age, alpha, r, values, mixed)
    return mixed


def total_of(customers: Floats, values: Floats) -> float:
    """Return the sum of values of cells of so many customers, without what rounding loses."""
    found = np.empty((2, 1))
    sum_products(customers, np.ascontiguousarray(values), found)
    return float(found[0, 0] + found[1, 0])


def mixed_quantiles(
    centres: Floats, deviation: float, shares: Sequence[float]
) -> tuple[float, ...]:
    """Return quantiles of a mixture of normal distributions, each as likely: (d,) centres."""
    if not deviation > 0.0:
        return tuple(float(one) for one in np.quantile(centres, shares))
    found = []
    for share in shares:
        low = float(centres.min()) - FARTHEST * deviation
        high = float(centres.max()) + FARTHEST * deviation
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            below = math.fsum(_normal_shares((middle - centres) / deviation)) / centres.size
            low, high = (middle, high) if below < share else (low, middle)
        found.append((low + high) / 2)
    return tuple(found)


def _normal_shares(deviations: Floats) -> Floats:
    """Return the probabilities of a normal distribution up to so many deviations: (d,).

    By a series without cancellation, and exponentials that are the same on every machine.
    """
    far = np.minimum(np.abs(deviations), FARTHEST)
    square = far * far
    densities = np.empty(far.size)
    exponentials(-0.5 * square, densities)
    term = total = far
    for place in range(1, MOST_TERMS):
        term = term * square / (2 * place + 1)
        total = total + term
    half = densities * total / ROOT_TWO_PI
    return np.asarray(np.where(deviations >= 0.0, 0.5 + half, 0.5 - half))
