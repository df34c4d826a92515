"""Predictions of customers who have not left, against the closed forms in many digits."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from ordercycle_kernels import dropout_predictions

pytestmark = pytest.mark.kernels

#: r, alpha, a, b (with f), x, T, horizon: usual ones and all ends of what they can be.
CASES = [
    (0.24, 30.9, 0.79, 2.4, 0, 0, 365),
    (0.24, 30.9, 0.79, 2.4, 3, 272, 36_525),
    (0.52, 43.0, 1.0, 1.6, 7, 900, 1),
    (0.01, 0.5, 0.013, 0.06, 440, 500, 1686),
    (9.0, 5000.0, 30.0, 2.0, 1, 3, 10_000),
    (1.3, 77.0, 900.0, 4000.0, 2, 80, 365),
    (0.7, 20.0, 2.0**50, 2.0**52, 5, 100, 730),
    # Where few orders are possible they are added up; these are not.
    (0.52, 43.0, 1.0, 1.6, 7, 30, 36_525),
    (1.3, 77.0, 900.0, 4000.0, 2, 80, 36_525),
    (0.7, 20.0, 2.0**50, 2.0**52, 5, 100, 36_525),
]


def expected(r, alpha, a, b, x, age, horizon):
    """Return the expected orders by the published form, at a = 1 by its limit."""
    shape, span = r + x, horizon / (alpha + age)
    a += mpf(10) ** -30 * (a == 1)
    if a > 10**6:  # one probability for all, p: orders until a geometric number of them
        p = a / (a + b)
        return (1 - (1 + p * span) ** -shape) / p
    all_of_them = a + b + x - 1
    series = mpmath.hyp2f1(shape, b + x, all_of_them, span / (1 + span))
    return all_of_them / (a - 1) * (1 - (1 + span) ** -shape * series)


@pytest.mark.parametrize("case", CASES)
def test_orders_of_the_living(case):
    r, alpha, a, b, x, age, horizon = case
    nodes, weights = np.zeros((2, x + 1, dropout_predictions.NODES))
    orders, ages = np.array([x]), np.array([age])
    dropout_predictions.fill_beta_nodes(a, b, orders, nodes, weights)
    active, found = np.full((2, 1), 77.0)
    dropout_predictions.expect_dropout_orders(
        np.array([r, alpha, a, b]),
        float(horizon),
        orders,
        ages,
        nodes,
        weights,
        np.zeros(dropout_predictions.NODES),
        active,
        found,
    )
    with mpmath.workdps(60):
        exact = [mpf(one) for one in case]
        wanted = expected(*exact)
        assert abs(found[0] - wanted) <= 1e-12 * wanted
        wanted = 1 - (1 + exact[6] / (exact[1] + age)) ** -(exact[0] + x)
        assert abs(active[0] - wanted) <= 1e-13 * wanted


@pytest.mark.parametrize(
    ("case", "discount"), [(CASES[1], 3e-5), (CASES[2], 0.01), (CASES[5], 3e-4), (CASES[6], 0.01)]
)
def test_discounted_orders_of_the_living(case, discount):
    r, alpha, a, b, x, age, horizon = case
    nodes, weights = np.zeros((2, x + 1, dropout_predictions.NODES))
    orders, ages, scratch = np.array([x]), np.array([age]), np.zeros(dropout_predictions.NODES)
    dropout_predictions.fill_beta_nodes(a, b, orders, nodes, weights)
    series, found = np.zeros((x + 1, 12 * dropout_predictions.TERMS)), np.full(1, 77.0)
    dropout_predictions.fill_rates(r, orders, nodes, weights, scratch, series)
    dropout_predictions.discount_dropout_orders(
        r, alpha, float(horizon), discount, orders, ages, series, found
    )
    with mpmath.workdps(25):
        r, alpha, a, b = map(mpf, case[:4])
        shape, scale = r + x, alpha + age

        def rate(u):
            w = u / scale
            if a > 10**6:
                return shape / scale * (1 + a / (a + b) * w) ** -(shape + 1)
            series = mpmath.hyp2f1(shape + 1, b + x, a + b + x, w / (1 + w))
            return shape / scale * (1 + w) ** -(shape + 1) * series

        points = [0, *(mpf(2) ** k for k in range(-6, 16) if 2.0**k < horizon), horizon]
        wanted = mpmath.quad(lambda u: rate(u) * mpmath.exp(-discount * u), points, maxdegree=4)
        assert abs(found[0] - wanted) <= 1e-10 * wanted
