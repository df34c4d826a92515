"""Sums, smallest values and their words, against integers and fractions of Python."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.marked import arrays, crowd, expected, flat, marked, outputs

from ordercycle_kernels import exact_sums, marked_sums

pytestmark = pytest.mark.kernels

WORD, WIDE = st.integers(-(2**63), 2**63 - 1), st.integers(-(2**127), 2**127 - 1)
integers = st.integers(-9, 9) | WORD
wide_integers = st.integers(-9, 9) | WIDE
floats = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-99999, 99999).map(
    lambda cents: cents / 100
)


def split(values):
    """Return the low and high words of integers, both signed."""
    lows = np.array([value & (2**64 - 1) for value in values], np.uint64).view(np.int64)
    return lows, np.array([value >> 64 for value in values], np.int64)


def total(events):
    return sum(value for *_, value in events)


def sums_of(parts, selections):
    by_selection = parts.reshape(selections, -1, parts.shape[1])
    return [
        [sum(int(value) << 32 * place for place, value in enumerate(sums)) for sums in one.T]
        for one in by_selection
    ]


def wide(case):
    return split([value for events in case[0] for *_, value in events])


@given(marked(integers))
def test_sums_of_words(case):
    offsets, _, marks, shifts = arrays(case)
    parts = np.full((marked_sums.WORD_PARTS * shifts.size, len(case[0])), 77, np.int64)
    marked_sums.sum_words(offsets, flat(case[0], 2, np.int64), marks, shifts, parts)
    assert sums_of(parts, shifts.size) == expected(case, total)
    assert (parts[::2] >= 0).all()
    assert (parts[::2] < 2**32).all()


@pytest.mark.parametrize("selections", [1, 2, 3, 5])
@pytest.mark.parametrize("rare", [True, False])
def test_sums_of_many_events_in_few_selections_and_in_most(rare, selections):
    case = crowd(rare, selections)
    offsets, _, marks, shifts = arrays(case)
    parts = np.full((marked_sums.WORD_PARTS * shifts.size, len(case[0])), 77, np.int64)
    marked_sums.sum_words(offsets, flat(case[0], 2, np.int64), marks, shifts, parts)
    assert sums_of(parts, shifts.size) == expected(case, total)
    sums, errors, inexact = outputs(case, float), outputs(case, float), outputs(case, bool)
    values = flat(case[0], 2, float) / 10
    marked_sums.sum_floats_exactly(offsets, values, marks, shifts, sums, errors, inexact)
    assert not inexact.any()
    wanted = expected(case, lambda events: sum(Fraction(value / 10) for *_, value in events))
    for one, error, exact in zip(sums.flat, errors.flat, np.ravel(wanted), strict=True):
        assert Fraction(one) + Fraction(error) == exact


@given(marked(wide_integers))
def test_sums_of_wide_words(case):
    offsets, _, marks, shifts = arrays(case)
    parts = np.full((marked_sums.WIDE_PARTS * shifts.size, len(case[0])), 77, np.int64)
    marked_sums.sum_wide_words(offsets, *wide(case), marks, shifts, parts)
    assert sums_of(parts, shifts.size) == expected(case, total)


def parts_of(values, count):
    """Return integers in parts, each sum a column."""
    parts = [[value >> 32 * place & 0xFFFFFFFF for value in values] for place in range(count - 1)]
    return np.array([*parts, [value >> 32 * (count - 1) for value in values]], np.int64)


@pytest.mark.parametrize(("count", "bits"), [(2, 94), (4, 158)])
@given(data=st.data())
def test_parts_as_words(count, bits, data):
    values = data.draw(st.lists(st.integers(-9, 9) | st.integers(-(2**bits), 2**bits), min_size=1))
    most = data.draw(st.integers(0, 2**127 - 1))
    low, high = most & (2**64 - 1), most >> 64
    words = np.zeros((len(values), 2), np.uint64)
    bounds = np.array([low, high, low, high], np.uint64)  # of -most - 1 as well
    row = marked_sums.words_of_parts(parts_of(values, count), bounds, words)
    fitting = [-most - 1 <= value <= most for value in values]
    assert row == (-1 if all(fitting) else fitting.index(False))
    for (low, high), value, fits in zip(words.tolist(), values, fitting, strict=True):
        assert not fits or low | high << 64 == value % 2**128


@pytest.mark.parametrize(("count", "bits"), [(2, 94), (4, 158)])
@given(data=st.data())
def test_parts_as_floats(count, bits, data):
    values = data.draw(st.lists(st.integers(-9, 9) | st.integers(-(2**bits), 2**bits), min_size=1))
    sums, errors = np.zeros((2, len(values)))
    inexact = np.zeros(len(values), bool)
    marked_sums.floats_of_parts(parts_of(values, count), sums, errors, inexact)
    for value, one, error, is_inexact in zip(values, sums, errors, inexact, strict=True):
        assert is_inexact or Fraction(one) + Fraction(error) == value
        assert abs(value) > 2**100 or not is_inexact
        assert one == float(value) or is_inexact


@given(marked(floats))
def test_sums_of_floats(case):
    offsets, _, marks, shifts = arrays(case)
    sums, errors = outputs(case, float), outputs(case, float)
    inexact = outputs(case, bool)
    values = flat(case[0], 2, float)
    marked_sums.sum_floats_exactly(offsets, values, marks, shifts, sums, errors, inexact)
    wanted = expected(case, lambda events: sum(Fraction(value) for *_, value in events))
    rows = []
    for place, customer in np.ndindex(sums.shape):
        exact = wanted[place][customer]
        if inexact[place, customer]:
            rows.append((place, customer))
            continue
        assert Fraction(sums[place, customer]) + Fraction(errors[place, customer]) == exact
        assert sums[place, customer] == float(exact)
    starts = np.array([offsets[customer] for _, customer in rows], np.int64)
    stops = np.array([offsets[customer + 1] for _, customer in rows], np.int64)
    chunks = np.zeros((len(rows), exact_sums.FLOAT_CHUNKS), np.int64)
    its_shifts = np.array([case[1][place] for place, _ in rows], np.uint64)
    marked_sums.sum_chunks(starts, stops, values.view(np.int64), marks, its_shifts, chunks)
    for row, (place, customer) in zip(chunks.tolist(), rows, strict=True):
        found = sum(value << 32 * chunk for chunk, value in enumerate(row))
        assert found == wanted[place][customer] * 2**1074


near_floats = st.one_of(
    st.integers(-(10**8), 10**8).map(lambda cents: cents / 100),
    st.floats(2.0**-20, 2.0**20),
    st.sampled_from([0.0, -0.0, 5e-324, -1e-320]),
)


@given(marked(near_floats), st.sampled_from([1.0, 2.0**-1000, 2.0**980]))
def test_sums_of_floats_in_two_parts(case, unit):
    offsets, _, marks, shifts = arrays(case)
    sums, errors = outputs(case, float), outputs(case, float)
    inexact = outputs(case, bool)
    values = flat(case[0], 2, float) * unit
    marked_sums.sum_floats_exactly(offsets, values, marks, shifts, sums, errors, inexact)
    wanted = expected(
        case, lambda events: sum(Fraction(float(value) * unit) for *_, value in events)
    )
    for place, customer in np.ndindex(sums.shape):
        exact = wanted[place][customer]
        if not inexact[place, customer]:
            assert Fraction(sums[place, customer]) + Fraction(errors[place, customer]) == exact
            assert sums[place, customer] == float(exact)


@given(st.integers(-1060, 960), st.integers(0, 110), st.integers(2, 40))
def test_floats_are_cut_where_no_part_of_a_sum_is_rounded(exponent, spread, size):
    large = np.ldexp(1.0 + 2.0**-52, min(exponent + spread, 1000))
    values = np.array([large] * size + [np.ldexp(1.0 + 2.0**-52, exponent)] * size)
    sums, errors = np.full((2, 1, 1), 77.0)
    inexact = np.ones((1, 1), bool)
    marks, offsets = np.ones(2 * size, np.uint64), np.array([0, 2 * size])
    marked_sums.sum_floats_exactly(
        offsets, values, marks, np.zeros(1, np.uint64), sums, errors, inexact
    )
    exact = sum(map(Fraction, values.tolist()))
    if not inexact.any():
        assert Fraction(sums[0, 0]) + Fraction(errors[0, 0]) == exact
    assert spread > 40 or not inexact.any()


def test_money_is_summed_without_chunks():
    """Floats of an everyday kind need no second look."""
    values = np.round(np.random.default_rng(7).gamma(2.0, 40.0, 10_000), 2)
    offsets = np.arange(0, 10_001, 10)
    sums, errors, inexact = np.zeros((1, 1000)), np.zeros((1, 1000)), np.ones((1, 1000), bool)
    marks = np.ones(10_000, np.uint64)
    shifts = np.zeros(1, np.uint64)
    marked_sums.sum_floats_exactly(offsets, values, marks, shifts, sums, errors, inexact)
    assert not inexact.any()


@given(marked(integers))
def test_the_smallest_word(case):
    offsets, _, marks, shifts = arrays(case)
    found = outputs(case, np.int64)
    marked_sums.smallest_words(offsets, flat(case[0], 2, np.int64), marks, shifts, found)
    assert found.tolist() == expected(
        case, lambda events: min((value for *_, value in events), default=2**63 - 1)
    )


@given(marked(wide_integers))
def test_the_smallest_wide_word(case):
    offsets, _, marks, shifts = arrays(case)
    lows, highs = wide(case)
    found, above = outputs(case, np.uint64), outputs(case, np.int64)
    marked_sums.smallest_wide_words(
        offsets, lows.view(np.uint64), highs, marks, shifts, found, above
    )
    wanted = expected(case, lambda events: min((value for *_, value in events), default=2**127 - 1))
    for place, customer in np.ndindex(found.shape):
        value = int(found[place, customer]) | int(above[place, customer]) << 64
        assert value == wanted[place][customer]
