"""The Gamma-Gamma likelihood and what it expects, against the formulas in many digits."""

import math

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from support.derivatives import derivatives

from ordercycle_kernels import spends
from ordercycle_kernels._types import as_input

pytestmark = pytest.mark.kernels

#: Days with orders, ln of their mean in steps, customers.
CELLS = [(1, -3 * 2**30, 2), (1, 2**31 + 77, 5), (2, 3 * 2**30, 1), (40, 7 * 2**29 + 1, 3)]
#: p, q, gamma: usual ones, small, large, and near both limits.
PARAMETERS = [
    (6.25, 3.74, 15.4),
    (0.05, 1.01, 1e-3),
    (300.0, 70.0, 5.0),
    (2.0, 2.0**40, 2.0**44),
    (2.0**40, 3.0, 2.0**-36),
]


def cells():
    columns = [], [], [], []
    for days, step, customers in CELLS:
        level, beyond = divmod(step, spends.LEVEL)
        row = days, level, customers, beyond * customers
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return spends.SpendCells(*(as_input(np.array(column)) for column in columns))


def log_likelihood(p, q, scale, days, log_mean):
    total, shape = days * mpmath.exp(log_mean), p * days
    return (
        mpmath.loggamma(shape + q)
        - mpmath.loggamma(shape)
        - mpmath.loggamma(q)
        + q * mpmath.log(scale)
        + shape * mpmath.log(total)
        - log_mean
        - (shape + q) * mpmath.log(total + scale)
    )


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_sums_of_spends(parameters):
    p, q, scale = parameters
    rows = np.full((1, spends.SPEND_SUMS), 77.0)
    scratch = np.full((5, spends.CHUNK), 77.0)
    spends.sum_spends(cells(), p, q, math.log(scale), 0, scratch, rows)

    def function(p, q, log_scale):
        return sum(
            customers * log_likelihood(p, q, mpmath.exp(log_scale), days, mpf(step) / 2**30)
            for days, step, customers in CELLS
        )

    with mpmath.workdps(80):
        log_scale = mpf(math.log(scale))
        wanted = derivatives(function, (p, q, log_scale))
        scales = [p, q, 1]
        scales = [1, *scales, *(scales[i] * scales[j] for i in range(3) for j in range(i, 3))]
        for found, one, unit in zip(rows[0].tolist(), wanted, scales, strict=True):
            # As large as p n or q, of which a hundred days are.
            assert abs((found - one) * unit) <= 1e-12 * (abs(one * unit) + 3e3)


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_products_of_scores(parameters):
    p, q, scale = parameters
    rows = np.full((1, spends.SPEND_PRODUCTS), 77.0)
    scratch = np.full((5, spends.CHUNK), 77.0)
    spends.sum_spend_products(cells(), p, q, math.log(scale), 0, scratch, rows)
    with mpmath.workdps(80):
        log_scale = mpf(math.log(scale))
        wanted = [mpf(0)] * spends.SPEND_PRODUCTS
        pairs = [(i, j) for i in range(3) for j in range(i, 3)]
        for days, step, customers in CELLS:

            def function(p, q, log_scale, days=days, step=step):
                return log_likelihood(p, q, mpmath.exp(log_scale), days, mpf(step) / 2**30)

            score = derivatives(function, (p, q, log_scale))[1:4]
            products = (customers * score[i] * score[j] for i, j in pairs)
            wanted = [one + more for one, more in zip(wanted, products, strict=True)]
        scales = [p, q, 1]
        for found, one, (i, j) in zip(rows[0].tolist(), wanted, pairs, strict=True):
            unit = scales[i] * scales[j]
            assert abs((found - one) * unit) <= 1e-10 * (abs(one * unit) + 3e3)


def test_steps_of_means():
    means = np.array([1.0, math.e, 2.0**0.5, 0.0, -1.0, math.nan, math.inf, 5e-324])
    out = np.full(means.size, 77)
    spends.steps_of_means(means, out)
    none = int(spends.NO_STEP)
    logs = [0.0, 1.0, math.log(2) / 2, None, None, None, None, math.log(5e-324)]
    assert out.tolist() == [none if log is None else round(log * 2**30) for log in logs]


def test_expected_spends():
    days, means = np.array([0, 3, 3, 1]), np.array([math.nan, 20.0, -20.0, 0.0])
    out = np.full(4, 77.0)
    spends.expect_spends(days, means, 6.0, 4.0, 15.0, out)
    assert out.tolist() == [30.0, 6 * 75 / 21, 90 / 21, 10.0]


def test_moments_of_spends():
    sums = np.zeros((2, 5))
    spends.sum_spend_moments(cells(), sums)
    rows = [(n, math.exp(step / 2**30), customers) for n, step, customers in CELLS]
    wanted = [
        math.fsum(customers * n**i * m**j for n, m, customers in rows)
        for i, j in ((1, 0), (0, 1), (2, 0), (0, 2), (1, 1))
    ]
    assert np.allclose(sums[0] + sums[1], wanted, rtol=1e-14, atol=0)
