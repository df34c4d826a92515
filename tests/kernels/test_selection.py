"""Digits are counted as Python counts them, and ranks found as sorting finds them."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle._segments.order_statistics import KeyType, Search, exact_decimal
from ordercycle_kernels import selection as kernels

pytestmark = pytest.mark.kernels

MASK = 2**16 - 1
wide = st.integers(-(2**127), 2**127 - 1) | st.integers(-3, 3) | st.integers(-(2**66), 2**66)
shifts = st.sampled_from([0, 16, 32, 48])
wide_shifts = shifts | st.sampled_from([64, 80, 96, 112])


def expected(places, kept, shift, prefixes):
    counts = np.zeros((len(prefixes), kernels.DIGITS), np.int64)
    for place, counted in zip(places, kept, strict=True):
        above = place >> (shift + 16)
        if counted and above in prefixes:
            counts[prefixes.index(above), place >> shift & MASK] += 1
    return counts


@st.composite
def questions(draw, values, bits, at):
    """Return values, which count, a shift, and the prefixes of some of them among others."""
    drawn = draw(st.lists(st.tuples(values, st.booleans()), max_size=12))
    shift = draw(at)
    places = [value + (1 << (bits - 1)) for value, _ in drawn]
    some = draw(st.lists(st.sampled_from(places), max_size=4)) if places else []
    others = draw(st.lists(st.integers(0, 2**bits - 1), max_size=2))
    prefixes = sorted({place >> (shift + 16) for place in some + others})
    return drawn, places, shift, prefixes


@given(questions(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3), 64, shifts))
def test_digits_of_words(question):
    drawn, places, shift, prefixes = question
    kept = [counted for _, counted in drawn]
    counts = np.zeros((len(prefixes), kernels.DIGITS), np.int64)
    kernels.count_digits(
        np.array([value for value, _ in drawn], np.int64), np.array(kept, np.bool_), -(2**63),
        shift, np.array(prefixes, np.uint64), counts,
    )  # fmt: skip
    assert (counts == expected(places, kept, shift, prefixes)).all()


@given(questions(wide, 128, wide_shifts))
def test_digits_of_two_words(question):
    drawn, places, shift, prefixes = question
    kept = [counted for _, counted in drawn]
    words = [value >> at & (2**64 - 1) for value, _ in drawn for at in (0, 64)]
    counts = np.zeros((len(prefixes), kernels.DIGITS), np.int64)
    kernels.count_digits_wide(
        np.array(words, np.uint64), np.array(kept, np.bool_), shift,
        np.array([prefix & (2**64 - 1) for prefix in prefixes], np.uint64),
        np.array([prefix >> 64 for prefix in prefixes], np.uint64), counts,
    )  # fmt: skip
    assert (counts == expected(places, kept, shift, prefixes)).all()


@pytest.mark.parametrize("item", ["int32", "int64"])
@given(data=st.data())
def test_small_numbers_are_counted_as_they_are(item, data):
    bound = 2 ** (int(item[3:]) - 1)
    near = st.sampled_from([-1, 0, 1, 65_533, 65_534, 65_535])
    drawn = data.draw(st.lists(st.tuples(near | st.integers(-bound, bound - 1), st.booleans())))
    counts = np.zeros((1, kernels.DIGITS), np.int64)
    kept = np.array([counted for _, counted in drawn], np.bool_)
    kernels.count_small[item](np.array([value for value, _ in drawn], item), kept, counts)
    expected_counts = np.zeros(kernels.DIGITS, np.int64)
    for value, counted in drawn:
        expected_counts[0 if value < 0 else min(value + 1, kernels.DIGITS - 1)] += counted
    assert (counts[0] == expected_counts).all()


VALUES = {
    pa.int32(): st.integers(-(2**31), 2**31 - 1) | st.integers(0, 9),
    pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 9).map(float),
    pa.decimal128(38, 2): st.integers(-(10**38) + 1, 10**38 - 1).map(lambda v: exact_decimal(v, 2)),
    pa.decimal128(9, 0): st.integers(0, 9).map(Decimal),
}


@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
def test_values_of_ranks(kind, data):
    values = data.draw(st.lists(VALUES[kind], min_size=1, max_size=9))
    ranks = data.draw(st.lists(st.integers(0, len(values) - 1), min_size=1, max_size=6))
    array, kept = pa.array(values, kind), np.ones(len(values), np.bool_)
    search = Search.of(KeyType.of(kind), ranks)
    while not search.is_over:
        counts = np.zeros((len(search.prefixes), kernels.DIGITS), np.int64)
        search.count(array, kept, counts)
        slots, digits = np.nonzero(counts)
        search = search.then(slots, digits, counts[slots, digits])
    found = search.values()
    assert found == [sorted(values)[rank] for rank in ranks]
    assert not any(str(value) == "-0.0" for value in found)
