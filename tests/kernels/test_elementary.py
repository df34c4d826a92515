"""Exponentials and logarithms, against those of mpmath, over all that floats hold."""

import math

import mpmath
import numpy as np
import pytest

from ordercycle_kernels import elementary

pytestmark = pytest.mark.kernels

RNG = np.random.default_rng(16)
NEAR_ZERO = RNG.normal(size=300) * 10.0 ** RNG.uniform(-300, -0.5, 300)
WIDE = RNG.uniform(-708, 709, 300)
POSITIVE = 10.0 ** RNG.uniform(-307, 308, 300)


def check(kernel, exact, values):
    out = np.full(values.size, 77.0)
    kernel(values, out)
    with mpmath.workdps(40):
        for value, found in zip(values.tolist(), out.tolist(), strict=True):
            wanted = exact(mpmath.mpf(value))
            assert abs(found - wanted) <= 1e-15 * abs(wanted), value


def test_exponentials_have_fifteen_digits():
    check(elementary.exponentials, mpmath.exp, np.concatenate([NEAR_ZERO, WIDE]))


def test_exponentials_less_one_have_fifteen_digits():
    steps = RNG.uniform(-2, 2, 300)  # across where the series ends
    values = np.concatenate([NEAR_ZERO, WIDE, steps])
    check(elementary.exponentials_less_one, mpmath.expm1, values)


def test_logarithms_have_fifteen_digits():
    near_one = 1 + RNG.normal(size=300) * 10.0 ** RNG.uniform(-16, -1, 300)
    values = np.concatenate([POSITIVE, near_one, [5e-324, 1e-310, 1.7e308]])
    check(elementary.logarithms, mpmath.log, values)


def test_logarithms_of_one_plus_have_fifteen_digits():
    below = -RNG.uniform(0, 1, 300)
    values = np.concatenate([NEAR_ZERO, POSITIVE, below])
    check(elementary.logarithms_of_one_plus, mpmath.log1p, values)


def test_what_no_float_holds_is_zero_or_infinite():
    out = np.full(5, 77.0)
    elementary.exponentials(np.array([-math.inf, -1e9, 0.0, 1e9, math.inf]), out)
    assert out.tolist() == [0.0, 0.0, 1.0, math.inf, math.inf]
    elementary.exponentials_less_one(np.array([-math.inf, -1e9, 0.0, 1e9, math.inf]), out)
    assert out.tolist() == [-1.0, -1.0, 0.0, math.inf, math.inf]
    elementary.logarithms(np.array([0.0, 1.0, math.inf, 2.0, 0.5]), out)
    assert out.tolist() == [-math.inf, 0.0, math.inf, math.log(2), -math.log(2)]
    elementary.logarithms_of_one_plus(np.array([0.0, 1.0, math.inf, -0.5, -0.0]), out)
    assert out.tolist() == [0.0, math.log(2), math.inf, -math.log(2), 0.0]
