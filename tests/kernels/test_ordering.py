"""Ordering against Python's sorted."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordercycle_kernels import amounts, ordering

pytestmark = pytest.mark.kernels

keys = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5)
floats = st.floats(allow_nan=True, allow_infinity=True)


def offsets_of(groups):
    return np.cumsum([0] + [len(group) for group in groups], dtype=np.int64)


def order_days(offsets, days, values, *, floats):
    words = values.view(np.int64)
    ordering.order_amounts_of_a_day(
        offsets, days, words, floats, np.empty_like(words), np.empty(8 * 256, np.int64)
    )


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), keys), max_size=9), min_size=1))
def test_amounts_of_a_day_are_sorted(customers):
    customers = [sorted(rows, key=lambda row: row[0]) for rows in customers]
    days = np.array([day for rows in customers for day, _ in rows], np.int32)
    values = np.array([key for rows in customers for _, key in rows], np.int64)
    order_days(offsets_of(customers), days, values, floats=False)
    expected = [key for rows in customers for _, key in sorted(rows)]
    assert values.tolist() == expected


@settings(max_examples=20)
@given(st.integers(30, 700), st.randoms(use_true_random=False), st.booleans(), st.booleans())
def test_long_days_are_sorted_too(rows, random, narrow, floats):
    limit = 300 if narrow else 2**62
    values = np.array([random.randint(-limit, limit) for _ in range(rows)], np.int64)
    if floats:
        values = values.astype(np.float64)
    days = np.array(sorted(random.randint(0, 1) for _ in range(rows)), np.int32)
    expected = [key for _, key in sorted(zip(days.tolist(), values.tolist(), strict=True))]
    order_days(np.array([0, rows], np.int64), days, values, floats=floats)
    assert values.tolist() == expected


@given(st.lists(st.lists(st.tuples(st.integers(-2, 2), keys), max_size=80), min_size=1))
def test_rows_are_sorted_by_two_keys(customers):
    firsts = [first for rows in customers for first, _ in rows]
    seconds = [second for rows in customers for _, second in rows]
    offsets = offsets_of(customers)
    rows = np.arange(len(firsts), dtype=np.int32)
    ordering.order_rows_by_pair(
        offsets, np.array(firsts, np.int64), np.array(seconds, np.int64), rows, np.empty_like(rows)
    )
    expected = []
    for start, stop in itertools.pairwise(offsets):
        expected += sorted(range(start, stop), key=lambda row: (firsts[row], seconds[row]))
    assert rows.tolist() == expected


@given(st.lists(floats))
def test_float_keys_order_like_the_floats(values):
    array = np.array(values, np.float64) + 0.0
    counts = np.empty(2, np.int64)
    amounts.check_floats(np.array(values, np.float64).view(np.int64), counts)
    finite = [row for row in range(array.size) if math.isfinite(values[row])]
    minus_zeros = sum(value == 0 and math.copysign(1, value) < 0 for value in values)
    assert counts.tolist() == [array.size - len(finite), minus_zeros]
    out = np.empty(array.size, np.int64)
    amounts.keys_of_floats(array.view(np.int64), out)
    by_key = sorted(finite, key=lambda row: out[row])
    assert [values[row] for row in by_key] == sorted(values[row] for row in finite)
    assert all((out[row] < 0) == (values[row] < 0) for row in finite)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_negative_words_are_counted(values):
    assert amounts.count_negative(np.array(values, np.int64)) == sum(word < 0 for word in values)
