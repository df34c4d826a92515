"""Gamma functions, against those of mpmath, over all that floats hold."""

import mpmath
import numpy as np
import pytest

from ordercycle_kernels import gamma_functions

pytestmark = pytest.mark.kernels

RNG = np.random.default_rng(16)
VALUES = np.concatenate(
    [
        10.0 ** RNG.uniform(-300, 300, 200),
        10.0 ** RNG.uniform(-2, 3, 300),
        np.arange(1, 40) / 2,
        1 + RNG.normal(size=50) * 10.0 ** RNG.uniform(-15, -1, 50),
        2 + RNG.normal(size=50) * 10.0 ** RNG.uniform(-15, -1, 50),
    ]
)


def test_log_gammas_have_twelve_digits_also_next_to_their_zeros():
    out = np.full(VALUES.size, 77.0)
    gamma_functions.log_gammas(VALUES, out)
    with mpmath.workdps(40):
        for value, found in zip(VALUES.tolist(), out.tolist(), strict=True):
            wanted = mpmath.loggamma(mpmath.mpf(value))
            assert abs(found - wanted) <= 1e-12 * abs(wanted), value


def test_digammas_have_twelve_digits():
    """Next to its zero, 1.46, as many behind the point: it comes from numbers of about 1 there."""
    out = np.full(VALUES.size, 77.0)
    gamma_functions.digammas(VALUES, out)
    with mpmath.workdps(40):
        for value, found in zip(VALUES.tolist(), out.tolist(), strict=True):
            wanted = mpmath.digamma(mpmath.mpf(value))
            scale = 1 if 1.4 < value < 1.5 else abs(wanted)
            assert abs(found - wanted) <= 1e-12 * scale, value


def test_trigammas_have_twelve_digits():
    values = VALUES[VALUES > 1e-150]  # of smaller ones, no float holds it
    out = np.full(values.size, 77.0)
    gamma_functions.trigammas(values, out)
    with mpmath.workdps(40):
        for value, found in zip(values.tolist(), out.tolist(), strict=True):
            wanted = mpmath.polygamma(1, mpmath.mpf(value))
            assert abs(found - wanted) <= 1e-12 * abs(wanted), value


def test_log_betas_have_twelve_digits():
    """Next to zeros (B is 1 on a curve) as many behind the point."""
    ones = 10.0 ** RNG.uniform(-6, 12, 500)
    others = 10.0 ** RNG.uniform(-6, 12, 500)
    out = np.full(ones.size, 77.0)
    gamma_functions.log_betas(ones, others, out)
    with mpmath.workdps(60):
        for one, other, found in zip(ones.tolist(), others.tolist(), out.tolist(), strict=True):
            x, y = mpmath.mpf(one), mpmath.mpf(other)
            wanted = mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(x + y)
            assert abs(found - wanted) <= 1e-12 * max(abs(wanted), 1), (one, other)


def test_differences_have_eleven_digits():
    """Below 10, where each is the difference of two numbers, as many as those have."""
    values, steps = 10.0 ** RNG.uniform(-2, 12, 400), 10.0 ** RNG.uniform(-2, 12, 400)
    rises, falls = np.full((2, values.size), 77.0)
    gamma_functions.digamma_rises(values, steps, rises)
    gamma_functions.trigamma_falls(values, steps, falls)
    with mpmath.workdps(60):
        for value, step, *both in zip(
            values.tolist(), steps.tolist(), rises.tolist(), falls.tolist(), strict=True
        ):
            for order, found in enumerate(both):
                one = mpmath.polygamma(order, mpmath.mpf(value))
                other = mpmath.polygamma(order, mpmath.mpf(value) + mpmath.mpf(step))
                wanted = one - other if order else other - one
                scale = abs(wanted) if value > 10 else abs(wanted) + abs(one)
                assert abs(found - wanted) <= 1e-11 * scale, (value, step)
