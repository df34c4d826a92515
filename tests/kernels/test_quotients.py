"""Quotients of sums, against those of fractions, which Python rounds once."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ordercycle_kernels import exact_sums, quotients

pytestmark = pytest.mark.kernels

finite = st.floats(allow_nan=False, allow_infinity=False)
money = st.integers(-(10**7), 10**7).map(lambda cents: cents / 100)
whole = st.integers(1, 2**31).map(float)


def two_sum(one, other):
    """Return a sum as a float and what is missing, where that is a float too."""
    total = one + other
    if not math.isfinite(total):
        return one, 0.0
    return total, float(Fraction(one) + Fraction(other) - Fraction(total))


def nearest(exact):
    """Return the float nearest to a fraction, infinite beyond them all."""
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


sums = st.one_of(st.tuples(money, money), st.tuples(whole, st.just(0.0)), st.tuples(finite, finite))


@given(st.lists(st.tuples(sums, sums), min_size=1, max_size=5))
@example([((0.1, 0.2), (3.0, 0.0))])
def test_what_is_certain_is_rounded_once(pairs):
    ones, others = ([two_sum(*pair[place]) for pair in pairs] for place in (0, 1))
    numerators, numerator_errors = np.array(ones, float).T.copy()
    denominators, denominator_errors = np.array(others, float).T.copy()
    found, uncertain = np.full(len(pairs), 77.0), np.zeros(len(pairs), bool)
    quotients.divide_sums(
        numerators, numerator_errors, denominators, denominator_errors, found, uncertain
    )
    for row, (one, other) in enumerate(zip(ones, others, strict=True)):
        divisor = sum(map(Fraction, other))
        if not uncertain[row]:
            exact = sum(map(Fraction, one)) / divisor if divisor else Fraction(0)
            assert found[row] == float(exact)


def test_what_is_inexact_stays_uncertain():
    found, uncertain = np.full(2, 77.0), np.array([True, False])
    ones = np.array([1.0, 1.0])
    quotients.divide_sums(ones, ones * 0, ones, ones * 0, found, uncertain)
    assert uncertain.tolist() == [True, False]
    assert found[1] == 1.0


def test_few_means_of_money_are_uncertain():
    rng = np.random.default_rng(3)
    cents = rng.integers(1, 10**6, (20_000, 7))
    totals = [sum(map(Fraction, row)) for row in (cents / 100).tolist()]
    numerators = np.array([float(total) for total in totals])
    errors = np.array(
        [float(total - Fraction(near)) for total, near in zip(totals, numerators, strict=True)]
    )
    for divisor in (1, 2, 3, 4, 6, 7):
        found, uncertain = np.zeros(20_000), np.zeros(20_000, bool)
        counts = np.full(20_000, float(divisor))
        quotients.divide_sums(numerators, errors, counts, counts * 0, found, uncertain)
        assert not uncertain.any()
        assert found[~uncertain].tolist() == [
            float(total / divisor)
            for total, skipped in zip(totals, uncertain, strict=True)
            if not skipped
        ]


@given(st.integers(2**52, 2**53 - 2), st.integers(-2, 2), st.integers(1, 2**20), st.booleans())
def test_quotients_near_the_middle_of_two_floats(whole, beyond, divisor, is_negative):
    exact = Fraction(2 * whole + 1, 2) * divisor + Fraction(beyond, 2**20)
    exact *= -1 if is_negative else 1
    near = float(exact)
    error = float(exact - Fraction(near))
    found, uncertain = np.full(2, 77.0), np.zeros(2, bool)
    quotients.divide_sums(
        np.array([near, -near]), np.array([error, -error]), np.array([1.0, -1.0]) * divisor,
        np.zeros(2), found, uncertain,
    )  # fmt: skip
    nearest = float((Fraction(near) + Fraction(error)) / divisor)
    assert not uncertain.any()
    assert found.tolist() == [nearest, nearest]


@given(st.lists(st.integers(0, 2**53 - 1), min_size=1), st.integers(0, 22))
def test_products_are_exact(counts, scale):
    found, errors = np.full((2, len(counts)), 77.0)
    quotients.multiply_exactly(np.array(counts, float), 10.0**scale, found, errors)
    for count, product, error in zip(counts, found, errors, strict=True):
        assert Fraction(product) + Fraction(error) == count * 10**scale
        assert product == float(count * 10**scale)


def chunks_of(values, size):
    table = [[value >> 32 * place & 0xFFFFFFFF for place in range(size - 1)] for value in values]
    for row, value in zip(table, values, strict=True):
        row.append(value >> 32 * (size - 1))
    return np.array(table, np.int64)


numbers = st.one_of(
    st.integers(-9, 9),
    st.integers(-(2**64), 2**64),
    st.integers(-(2**150), 2**150),
    st.builds(lambda one, shift: one << shift, st.integers(-(2**60), 2**60), st.integers(0, 96)),
)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(numbers, numbers.filter(bool)), min_size=1, max_size=5),
    st.integers(-1200, 1000) | st.sampled_from([0, -1074]),
)
@example([(2**54 + 1, 1), (2**53 + 1, 1), (2**54 - 1, 1), (3, -(2**60))], 0)
@example([(3, 2), (1, 2), (1, 4), (1, 1), (2**53 - 1, 2)], -1074)
@example([(2**54 - 1, 2**54)], 1024)
def test_quotients_of_whole_numbers(pairs, exponent):
    ones, others = zip(*pairs, strict=True)
    found = np.full(len(pairs), 77.0)
    quotients.round_quotients(
        chunks_of(ones, 6), chunks_of(others, 6), exponent, np.zeros(7, np.int64), found
    )
    scale = Fraction(2) ** exponent
    wanted = [nearest(Fraction(one, other) * scale) for one, other in pairs]
    assert found.tolist() == wanted


@given(finite, finite.filter(bool))
def test_quotients_of_sums_of_floats(one, other):
    found = np.full(1, 77.0)
    size = exact_sums.FLOAT_CHUNKS
    chunks = [chunks_of([int(Fraction(value) * 2**1074)], size) for value in (one, other)]
    quotients.round_quotients(*chunks, 0, np.zeros(size + 1, np.int64), found)
    assert found[0] == nearest(Fraction(one) / Fraction(other))
