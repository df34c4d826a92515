"""Predictions of Pareto/NBD and the NBD, against integrals in many digits."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from ordercycle_kernels import death_predictions, deaths, order_counts

pytestmark = pytest.mark.kernels

DAYS = 41
#: x, t, T: within a block of days, from its ends, and across several.
CUSTOMERS = [
    (0, 0, 0),
    (0, 0, 40),
    (3, 10, 40),
    (3, 39, 40),
    (12, 20, 20),
    (12, 20, 38),
    (0, 0, 2100),
    (3, 1000, 1024),
    (3, 1023, 2048),
    (12, 1024, 2047),
]
ALL_DAYS = 3 * death_predictions.BLOCK + 1
#: r, alpha, s, beta.
PARAMETERS = [(0.55, 74.0, 0.61, 81.6), (0.1, 0.02, 1.0, 0.005), (3.0, 20.0, 2.0**44, 2.0**50)]
#: Days, and discount of a day.
HORIZONS = [(1.0, 0.0), (365.0, 3e-4), (36_525.0, 0.01)]


@pytest.mark.parametrize(
    "parameters",
    [PARAMETERS[0], *(pytest.param(one, marks=pytest.mark.long) for one in PARAMETERS[1:])],
)
def test_probabilities_to_be_alive(parameters):
    r, alpha, s, beta = parameters
    firsts = np.zeros(ALL_DAYS, np.int64)
    deaths.count_panels(np.array(parameters), firsts)
    nodes = int(firsts[-1]) * deaths.NODES
    growths, weights, logs = np.zeros((2, nodes)), np.zeros(nodes), np.zeros((4, ALL_DAYS))
    factors = np.zeros(0)
    deaths.fill_panels(np.array(parameters), firsts, growths[0], growths[1], weights, factors)
    order_counts.fill_day_tables(alpha, logs[0], logs[1])
    order_counts.fill_day_tables(beta, logs[2], logs[3])
    day_growths = np.append(np.diff(logs[::2], axis=1), np.zeros((2, 1)), axis=1).ravel()
    integrals = np.zeros((13, ALL_DAYS))
    orders = np.array([0, 3, 12])
    death_predictions.fill_integrals(
        r, s, orders, firsts, day_growths, growths.ravel(), weights, integrals
    )
    columns = zip(*CUSTOMERS, strict=True)
    kinds = (np.int64, np.int32, np.int32)
    x, t, age = (np.array(one, kind) for one, kind in zip(columns, kinds, strict=True))
    out = np.full(x.size, 77.0)
    death_predictions.alive_of_deaths(x, t, age, logs[0], logs[2], integrals, r, s, out)
    with mpmath.workdps(30):
        r, alpha, s, beta = map(mpf, parameters)
        for found, (x, t, age) in zip(out.tolist(), CUSTOMERS, strict=True):
            points = [t, *(t + mpf(2) ** k for k in range(-20, 12) if t + 2.0**k < age), age]

            def density(u, x=x, age=age):
                logs = mpmath.log1p((age - u) / (alpha + u)), mpmath.log1p((age - u) / (beta + u))
                return s / (beta + u) * mpmath.exp((r + x) * logs[0] + s * logs[1])

            odds = mpmath.quad(density, points) if t < age else mpf(0)
            assert abs(found * (1 + odds) - 1) <= 1e-11


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("parameters", PARAMETERS)
def test_orders_of_the_living(parameters, horizon):
    r, alpha, s, beta = parameters
    days, discount = horizon
    orders, ages = np.array([0, 3, 12]), np.array([0, 40, 38])
    presence, out = np.zeros((DAYS, 2)), np.full((3, 3), 77.0)
    death_predictions.fill_presence(s, beta, days, discount, ages, presence)
    given = np.array(parameters)
    death_predictions.expect_death_orders(given, days, orders, ages, presence, out)
    with mpmath.workdps(25):
        r, alpha, s, beta = map(mpf, parameters)
        points = [0, *(mpf(2) ** k for k in range(-9, 16) if 2.0**k < days), days]
        for pair, (x, age) in enumerate(zip(orders.tolist(), ages.tolist(), strict=True)):

            def stays(u, age=age):
                return mpmath.exp(-s * mpmath.log1p(u / (beta + age)))

            def waits(u, x=x, age=age):
                return mpmath.exp(-(r + x + 1) * mpmath.log1p(u / (alpha + age)))

            rate = (r + x) / (alpha + age)
            wanted = [
                rate * mpmath.quad(lambda u: stays(u) * waits(u), points),
                rate * mpmath.quad(stays, points),
                rate * mpmath.quad(lambda u: stays(u) * mpmath.exp(-discount * u), points),
            ]
            for found, exact in zip(out[:, pair].tolist(), wanted, strict=True):
                assert abs(found - exact) <= 1e-10 * exact


@pytest.mark.parametrize("horizon", HORIZONS)
def test_orders_where_nobody_leaves(horizon):
    days, discount = horizon
    orders, ages, out = np.array([0, 7]), np.array([3, 30]), np.full((3, 2), 77.0)
    death_predictions.expect_orders(0.4, 90.0, days, discount, orders, ages, out)
    with mpmath.workdps(25):
        present = -mpmath.expm1(-mpf(discount) * days) / discount if discount else mpf(days)
        for pair, (x, age) in enumerate(zip(orders.tolist(), ages.tolist(), strict=True)):
            shape, scale = mpf(0.4) + x, mpf(90) + age
            none = (1 + days / scale) ** -shape
            wanted = [1 - none, shape / scale * days, shape / scale * present]
            for found, exact in zip(out[:, pair].tolist(), wanted, strict=True):
                assert abs(found - exact) <= 1e-13 * exact


@pytest.mark.parametrize(
    ("r", "alpha", "s", "beta"),
    [(0.55, 74.0, 0.6, 82.0), (3.0, 5.0, 1.0, 400.0), (0.1, 900.0, 7.0, 3.0)],
)
def test_second_moments_of_orders(r, alpha, s, beta):
    orders, ages = np.array([0, 3, 90]), np.array([0, 40, 700])
    found, stays = np.full((2, 3), 77.0)
    for horizon in (1.0, 365.0, 36_525.0):
        death_predictions.expect_death_pairs(
            np.array([r, alpha, s, beta]), horizon, orders, ages, found
        )
        death_predictions.expect_pairs(r, alpha, horizon, orders, ages, stays)
        with mpmath.workdps(30):
            for place, (x, age) in enumerate(zip(orders.tolist(), ages.tolist(), strict=True)):
                square = (mpmath.mpf(r) + x) * (r + x + 1) / (mpmath.mpf(alpha) + age) ** 2
                assert abs(stays[place] - square * horizon**2) <= 1e-13 * stays[place]
                scale = mpmath.mpf(beta) + age
                steps = [0, *(horizon * mpmath.mpf(10) ** -power for power in range(4, -1, -1))]
                days = mpmath.quad(lambda u, at=scale: u * (1 + u / at) ** -s, steps)
                assert abs(found[place] - 2 * square * days) <= 1e-11 * found[place]
