"""The likelihood of Pareto/NBD, against the published closed form in many digits."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from oracle.value_models import from_then_on, log_likelihood_of_pareto
from support.derivatives import derivatives

from ordercycle_kernels import deaths, order_counts
from ordercycle_kernels._types import as_input

pytestmark = pytest.mark.kernels

#: x, t, T, customers, ascending.
CELLS = [
    (0, 0, 0, 3),
    (0, 0, 60, 7),
    (1, 1, 1, 1),
    (1, 40, 55, 5),
    (30, 31, 39, 2),
    (30, 50, 52, 1),
]
MOST_ORDERS, DAYS = 30, 61
#: r, alpha, s, beta: usual ones, small, s and beta near their limit, and r and alpha; with the
#: places of those by which derivatives are taken (beta and alpha stay as they are in limits).
PARAMETERS = [
    ((0.55, 74.0, 0.61, 81.6), (0, 1, 2, 3)),
    ((0.1, 0.02, 0.3, 0.005), (0, 1, 2, 3)),
    ((0.7, 20.0, 2.0**44, 2.0**50), (0, 1, 2)),
    ((2.0**46, 2.0**50, 0.4, 300.0), (0, 2, 3)),
]
PAIRS = [(i, j) for i in range(4) for j in range(i, 4)]


def cells():
    columns = zip(*CELLS, strict=True)
    kinds = (np.int64, np.int32, np.int32, np.int64)
    arrays = (np.array(one, kind) for one, kind in zip(columns, kinds, strict=True))
    return order_counts.Cells(*map(as_input, arrays))


def setup(parameters):
    _, alpha, _, beta = parameters
    firsts = np.full(DAYS, 77)
    deaths.count_panels(np.array(parameters), firsts)
    of_days = np.zeros((4, DAYS))
    order_counts.fill_day_tables(alpha, *of_days[:2])
    order_counts.fill_day_tables(beta, *of_days[2:])
    nodes = int(firsts[-1]) * deaths.NODES
    of_nodes, factors = np.full((3, nodes), 77.0), np.full(nodes * deaths.MOMENTS, 77.0)
    deaths.fill_panels(np.array(parameters), firsts, of_nodes[0], of_nodes[1], of_nodes[2], factors)
    tables = deaths.DeathTables(*map(as_input, (*of_days, *of_nodes, factors)))
    room = np.full((5, deaths.CHUNK), 77.0)
    scratch = np.zeros(nodes), np.zeros(DAYS * deaths.MOMENTS), room
    return firsts, tables, scratch


@pytest.mark.parametrize("parameters", [(0.55, 74, 0.61, 81.6), (2, 9, 0.3, 5), (0.3, 5, 2, 9)])
def test_the_closed_form_is_the_integral(parameters):
    r, alpha, s, beta = map(mpf, parameters)
    exact = mpmath.quad(lambda u: (alpha + u) ** -(r + 3) * (beta + u) ** -(s + 1), [7, 50])
    found = from_then_on(r, alpha, s, beta, 3, 7) - from_then_on(r, alpha, s, beta, 3, 50)
    assert abs(found - exact) < 1e-13 * exact


@pytest.mark.parametrize(("parameters", "varied"), PARAMETERS)
def test_sums_of_pareto_nbd(parameters, varied):
    r, alpha, s, beta = parameters
    by_orders, by_age = np.zeros(MOST_ORDERS + 1, np.int64), np.zeros(2 * DAYS, np.int64)
    order_counts.count_margins(cells(), by_orders, by_age)
    firsts, tables, scratch = setup(parameters)
    rows, sums = np.full((1, order_counts.SUMS), 77.0), np.zeros((2, order_counts.SUMS))
    order_counts.sum_counts(r, alpha, by_orders, by_age, sums)
    deaths.sum_lives(s, beta, by_age, sums)
    deaths.sum_deaths(cells(), tables, firsts, np.array(parameters), 0, *scratch, rows)
    order_counts.add_chunks(rows, sums)

    def function(*given):
        return sum(n * log_likelihood_of_pareto(*given, x, t, age) for x, t, age, n in CELLS)

    with mpmath.workdps(80):
        value, *wanted = derivatives(function, parameters)
        found, *rest = (sums[0] + sums[1]).tolist()
        assert abs(found - value) <= 1e-12 * abs(value)
        scaled = zip(rest, wanted, [(i,) for i in range(4)] + PAIRS, strict=True)
        for one, exact, places in scaled:
            scale = mpmath.fprod(parameters[place] for place in places)
            if set(places) <= set(varied):
                assert abs((one - exact) * scale) <= 1e-11 * (abs(exact * scale) + 200), places


@pytest.mark.parametrize(("parameters", "varied"), PARAMETERS)
def test_products_of_scores(parameters, varied):
    r, *_ = parameters
    firsts, tables, scratch = setup(parameters)
    scores, rows = np.zeros((3, MOST_ORDERS + 1)), np.full((1, order_counts.PRODUCTS), 77.0)
    order_counts.fill_score_tables(r, 1.0, 1.0, order_counts.NOBODY_LEAVES, scores)
    given = np.array(parameters)
    deaths.sum_death_products(cells(), tables, scores[0], firsts, given, 0, *scratch, rows)
    with mpmath.workdps(80):
        wanted = [mpf(0)] * order_counts.PRODUCTS
        for x, t, age, customers in CELLS:

            def value(*given, x=x, t=t, age=age):
                return log_likelihood_of_pareto(*given, x, t, age)

            gradient = derivatives(value, parameters)[1:5]
            score = [one * at for one, at in zip(gradient, parameters, strict=True)]
            products = (customers * score[i] * score[j] for i, j in PAIRS)
            wanted = [one + more for one, more in zip(wanted, products, strict=True)]
        for found, exact, places in zip(rows[0].tolist(), wanted, PAIRS, strict=True):
            if set(places) <= set(varied):
                assert abs(found - exact) <= 1e-11 * (abs(exact) + 200), places
