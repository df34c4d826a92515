"""MBG/CNBD-k against its formulas in many digits, and against MBG/NBD, which it is for k = 1."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from oracle.value_models import regular_alive_and_left, regular_orders
from support.derivatives import derivatives

from ordercycle_kernels import order_counts
from ordercycle_kernels import regular_orders as kernels
from ordercycle_kernels._types import as_input

pytestmark = pytest.mark.kernels

#: x, t, T, customers, ascending.
CELLS = [
    (0, 0, 0, 3),
    (0, 0, 400, 7),
    (1, 1, 1, 1),
    (1, 40, 90, 5),
    (9, 200, 700, 2),
    (60, 300, 365, 1),
]
#: k, r, alpha, a, b: usual ones, small, large, and near a limit.
PARAMETERS = [
    (3, (0.84, 10.2, 0.76, 2.4)),
    (2, (1.7, 3.2, 0.05, 0.06)),
    (12, (20.0, 400.0, 60.0, 900.0)),
    (4, (0.5, 77.0, 2.0**40, 2.0**41)),
]
DAYS, ORDERS = 701, 61


def cells():
    kinds = (np.int64, np.int32, np.int32, np.int64)
    arrays = (
        np.array(one, kind) for one, kind in zip(zip(*CELLS, strict=True), kinds, strict=True)
    )
    return order_counts.Cells(*map(as_input, arrays))


def tables(parameters):
    _, alpha, a, b = parameters
    logs, rates, odds, last = np.zeros(DAYS), np.zeros(DAYS), np.zeros(ORDERS), np.zeros(ORDERS)
    order_counts.fill_day_tables(alpha, logs, rates)
    order_counts.fill_dropout_tables(a, b, 1, odds, last)
    return order_counts.DropoutTables(*map(as_input, (logs, rates, odds, last)))


def log_likelihood(k, x, t, age):
    return lambda *at: mpmath.log(sum(regular_alive_and_left(*at, x, t, age, k)))


@pytest.mark.parametrize(("k", "parameters"), PARAMETERS)
def test_sums_of_the_likelihood(k, parameters):
    r, alpha, a, b = parameters
    by_stages, by_age = np.zeros(k * (ORDERS - 1) + 1, np.int64), np.zeros(2 * DAYS, np.int64)
    by_orders = np.zeros(ORDERS, np.int64)
    order_counts.count_margins(cells(), by_orders, by_age)
    by_stages[::k] = by_orders
    by_age[1::2] *= k
    rows, sums = np.full((1, order_counts.SUMS), 77.0), np.zeros((2, order_counts.SUMS))
    order_counts.sum_counts(r, alpha, by_stages, by_age, sums)
    order_counts.sum_survivals(a, b, 1, by_orders, sums)
    kernels.sum_regular_dropouts(cells(), tables(parameters), k, r, a, 0, rows)
    order_counts.add_chunks(rows, sums)
    with mpmath.workdps(80):
        wanted = derivatives(
            lambda *at: sum(n * log_likelihood(k, x, t, age)(*at) for x, t, age, n in CELLS),
            parameters,
        )
        scales = [1.0, *parameters]
        scales += [parameters[i] * parameters[j] for i in range(4) for j in range(i, 4)]
        for one, other, scale in zip(sums[0] + sums[1], wanted, scales, strict=True):
            # In logarithms of the parameters, each is about as large as the counts of stages.
            assert abs(one * scale - other * scale) <= 1e-12 * (abs(other * scale) + 200 * k)


@pytest.mark.parametrize(("k", "parameters"), PARAMETERS)
def test_products_of_scores(k, parameters):
    r, _, a, b = parameters
    scores, by_stages = np.zeros((3, ORDERS)), np.zeros((3, k * (ORDERS - 1) + 1))
    order_counts.fill_score_tables(r, a, b, 1, scores)
    order_counts.fill_score_tables(r, 1.0, 1.0, order_counts.NOBODY_LEAVES, by_stages)
    rows = np.full((1, order_counts.PRODUCTS), 77.0)
    kernels.sum_regular_products(
        cells(), tables(parameters), scores, by_stages[0], np.array(parameters), k, 0, rows
    )
    wanted = [mpf(0)] * order_counts.PRODUCTS
    with mpmath.workdps(80):
        for x, t, age, customers in CELLS:
            gradient = derivatives(log_likelihood(k, x, t, age), parameters)[1:5]
            score = [one * at for one, at in zip(gradient, parameters, strict=True)]
            products = [score[i] * score[j] for i in range(4) for j in range(i, 4)]
            wanted = [one + customers * two for one, two in zip(wanted, products, strict=True)]
        for found, one in zip(rows[0].tolist(), wanted, strict=True):
            assert abs(found - one) <= 1e-11 * (abs(one) + k)


@pytest.mark.parametrize("horizon", [0.0, 1.0, 90.0, pytest.param(36525.0, marks=pytest.mark.long)])
@pytest.mark.parametrize(("k", "parameters"), PARAMETERS[:3])
def test_predictions(k, parameters, horizon):
    r, alpha = parameters[:2]
    frequency, recency, age, _ = cells()
    orders, ages = frequency.copy(), age.astype(np.int64)
    expected, pairs, discounted = np.full((3, k, orders.size), 77.0)
    given, discount = np.array(parameters), 3e-4
    kernels.expect_regular_orders(given, k, 1, horizon, orders, ages, expected, pairs)
    kernels.discount_regular_orders(given, k, horizon, discount, orders, ages, expected, discounted)
    table = np.zeros((ORDERS * DAYS, 2 * k))
    stored = np.concatenate([expected, discounted])
    for pair, place in enumerate(orders * DAYS + ages):
        table[place] = stored[:, pair]
    out = np.full((4, orders.size), 77.0)
    kernels.predict_regular_orders(
        frequency, recency, age, tables(parameters), given, k, horizon, table, out
    )
    mixed = np.full(orders.size, 77.0)
    kernels.mix_stages(frequency, recency, age, alpha, r, expected, mixed)
    np.testing.assert_allclose(out[0] * mixed, out[2], rtol=1e-13)
    with mpmath.workdps(30):
        for row, (x, t, days, _) in enumerate(CELLS):
            at = list(map(mpf, parameters))
            alive, left = regular_alive_and_left(*at, x, t, days, k)
            chance = alive / (alive + left)
            assert abs(out[0, row] - chance) <= 1e-12 * chance
            later, _ = regular_alive_and_left(*at, x, t, days + mpf(horizon), k)
            assert abs(out[1, row] - chance * (1 - later / alive)) <= 1e-12
            for done in (0, k - 1):
                if not horizon:
                    assert expected[done, row] == discounted[done, row] == 0.0
                if not 0 < horizon < 3 * (alpha + days) or done:
                    continue
                wanted = regular_orders(at, x, days, k, done, mpf(horizon))
                assert abs(expected[done, row] - wanted[0]) <= 1e-12 * (wanted[0] + 1e-12)
                assert abs(pairs[done, row] - wanted[1]) <= 1e-12 * (wanted[1] + wanted[0])


@pytest.mark.parametrize(("k", "parameters"), PARAMETERS[:1])
def test_discounted_orders_are_the_integral_of_what_is_expected(k, parameters):
    orders, ages, horizon, discount = np.array([0, 9]), np.array([5, 700]), 60.0, 1e-3
    expected, pairs, discounted = np.full((3, k, 2), 77.0)
    given = np.array(parameters)
    kernels.expect_regular_orders(given, k, 1, horizon, orders, ages, expected, pairs)
    kernels.discount_regular_orders(given, k, horizon, discount, orders, ages, expected, discounted)
    with mpmath.workdps(20):
        for pair in range(2):
            at = list(map(mpf, parameters)), int(orders[pair]), int(ages[pair]), k, 1

            def until(time, at=at):
                return mpmath.exp(-discount * time) * regular_orders(*at, time)[0]

            steps = [0, 1, 4, 10, 25, 60]
            interest = discount * mpmath.quad(until, steps, maxdegree=3)
            wanted = interest + mpmath.exp(-discount * horizon) * expected[1, pair]
            assert abs(discounted[1, pair] - wanted) <= 1e-10 * wanted


def test_one_stage_is_mbg_nbd():
    parameters = (0.5, 43.0, 0.9, 1.6)
    rows, regular = np.zeros((2, 1, order_counts.SUMS))
    scratch = np.zeros((4, order_counts.CHUNK))
    known = tables(parameters)
    order_counts.sum_dropouts(cells(), known, *parameters[::2], 1, 0, scratch, rows)
    kernels.sum_regular_dropouts(cells(), known, 1, *parameters[::2], 0, regular)
    np.testing.assert_allclose(regular, rows, rtol=1e-12)
