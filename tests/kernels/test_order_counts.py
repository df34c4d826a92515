"""Likelihoods of order counts, against the formulas of the papers in many digits."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from oracle.value_models import alive_and_left
from support.derivatives import derivatives

from ordercycle_kernels import order_counts
from ordercycle_kernels._types import as_input

pytestmark = pytest.mark.kernels

#: x, t, T, customers, ascending.
CELLS = [
    (0, 0, 0, 3),
    (0, 0, 9, 2),
    (0, 0, 400, 7),
    (1, 1, 1, 1),
    (1, 40, 90, 5),
    (2, 30, 31, 1),
    (9, 200, 700, 2),
    (60, 300, 365, 1),
]
#: r, alpha, a, b: usual ones, small, large, and near a limit.
PARAMETERS = [
    (0.24, 30.9, 0.79, 2.4),
    (1.7, 3.2, 0.05, 0.06),
    (20.0, 4000.0, 60.0, 900.0),
    (0.5, 77.0, 2.0**40, 2.0**41),
]


def cells():
    columns = zip(*CELLS, strict=True)
    kinds = (np.int64, np.int32, np.int32, np.int64)
    arrays = (np.array(one, kind) for one, kind in zip(columns, kinds, strict=True))
    return order_counts.Cells(*map(as_input, arrays))


def margins():
    found = cells()
    by_orders, by_age = np.zeros(61, np.int64), np.zeros(2 * 701, np.int64)
    order_counts.count_margins(found, by_orders, by_age)
    return by_orders, by_age


def exact(parameters, f):
    """Return the log-likelihood of all customers."""
    total = mpf(0)
    for x, t, age, customers in CELLS:
        total += customers * mpmath.log(sum(alive_and_left(*parameters, x, t, age, f)))
    return total


def tables(parameters, f):
    _, alpha, a, b = parameters
    logs, rates, odds, last = np.zeros(701), np.zeros(701), np.zeros(61), np.zeros(61)
    order_counts.fill_day_tables(alpha, logs, rates)
    order_counts.fill_dropout_tables(a, b, f, odds, last)
    return order_counts.DropoutTables(*map(as_input, (logs, rates, odds, last)))


def close(found, wanted, terms):
    """Compare with what rounding leaves of sums whose terms are so large."""
    return abs(found - wanted) <= 1e-12 * (abs(wanted) + terms)


def check_sums(found, function, parameters):
    with mpmath.workdps(80):
        wanted = derivatives(function, parameters)
        scales = [1.0, *parameters]
        scales += [parameters[i] * parameters[j] for i in range(4) for j in range(i, 4)]
        # In logarithms of the parameters, each is about as large as the counts of orders.
        for place, (one, other, scale) in enumerate(zip(found, wanted, scales, strict=True)):
            assert close(one * scale, other * scale, 200), place


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_sums_of_the_nbd(parameters):
    sums = np.zeros((2, order_counts.SUMS))
    order_counts.sum_counts(*parameters[:2], *margins(), sums)

    def function(r, alpha, a, b):  # noqa: ARG001 - nobody leaves
        return sum(
            n * mpmath.log(mpmath.gammaprod([r + x], [r]) * alpha**r * (alpha + age) ** -(r + x))
            for x, _, age, n in CELLS
        )

    check_sums(sums[0] + sums[1], function, parameters)


@pytest.mark.parametrize("f", [0, 1])
@pytest.mark.parametrize("parameters", PARAMETERS)
def test_sums_of_bg_and_mbg(parameters, f):
    r, alpha, a, b = parameters
    rows, sums = np.full((1, order_counts.SUMS), 77.0), np.zeros((2, order_counts.SUMS))
    by_orders, by_age = margins()
    order_counts.sum_counts(r, alpha, by_orders, by_age, sums)
    order_counts.sum_survivals(a, b, f, by_orders, sums)
    scratch = np.full((4, order_counts.CHUNK), 77.0)
    order_counts.sum_dropouts(cells(), tables(parameters, f), r, a, f, 0, scratch, rows)
    order_counts.add_chunks(rows, sums)
    check_sums(sums[0] + sums[1], lambda *given: exact(given, f), parameters)


@pytest.mark.parametrize("f", [0, 1])
@pytest.mark.parametrize("parameters", PARAMETERS)
def test_probabilities_to_be_alive(parameters, f):
    frequency, recency, age, _ = cells()
    out = np.full(frequency.size, 77.0)
    order_counts.alive_of_dropouts(
        frequency, recency, age, tables(parameters, f), parameters[0], f, out
    )
    with mpmath.workdps(60):
        for found, (x, t, days, _) in zip(out.tolist(), CELLS, strict=True):
            alive, left = alive_and_left(*map(mpf, parameters), x, t, days, f)
            assert abs(found - alive / (alive + left)) <= 1e-12 * found


def test_chunks_are_added_in_their_order_with_what_rounding_loses():
    rows = np.array([[1.0], [1e16], [1.0], [-1e16]])
    sums = np.zeros((2, 1))
    order_counts.add_chunks(rows, sums)
    assert float(sums[0, 0] + sums[1, 0]) == 2.0


def test_products_are_added_in_their_order_with_what_rounding_loses():
    out = np.full((2, 1), 77.0)
    order_counts.sum_products(np.array([1.0, 2.0, 1.0]), np.array([1e16, 0.5, -1e16]), out)
    assert float(out[0, 0] + out[1, 0]) == 1.0


@pytest.mark.parametrize("f", [0, 1, order_counts.NOBODY_LEAVES])
@pytest.mark.parametrize("parameters", PARAMETERS)
def test_products_of_scores(parameters, f):
    r, _, a, b = parameters
    scores, rows = np.full((3, 61), 77.0), np.full((1, order_counts.PRODUCTS), 77.0)
    order_counts.fill_score_tables(r, a, b, f, scores)
    room = np.full((4, order_counts.CHUNK), 77.0)
    order_counts.sum_score_products(
        cells(), tables(parameters, max(f, 0)), scores, np.array(parameters), f, 0, room, rows
    )
    with mpmath.workdps(80):
        wanted = [mpf(0)] * 10
        pairs = [(i, j) for i in range(4) for j in range(i, 4)]
        for x, t, age, customers in CELLS:

            def value(*at, x=x, t=t, age=age):
                if f == order_counts.NOBODY_LEAVES:
                    return mpmath.log(alive_and_left(*at[:2], mpf(1), mpf(1), x, t, age, -x)[0])
                return mpmath.log(sum(alive_and_left(*at, x, t, age, f)))

            gradient = derivatives(value, parameters)[1:5]
            score = [one * at for one, at in zip(gradient, parameters, strict=True)]
            wanted = [
                w + customers * score[i] * score[j] for w, (i, j) in zip(wanted, pairs, strict=True)
            ]
        for found, one in zip(rows[0].tolist(), wanted, strict=True):
            assert close(found, one, 200)
