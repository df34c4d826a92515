"""Ordering against Python's sorted."""

import itertools
import struct

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


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), keys), max_size=9), min_size=1))
def test_amounts_of_a_day_are_sorted(customers):
    customers = [sorted(rows, key=lambda row: row[0]) for rows in customers]
    days = np.array([day for rows in customers for day, _ in rows], np.int32)
    values = np.array([key for rows in customers for _, key in rows], np.int64)
    ordering.order_amounts_of_a_day(
        offsets_of(customers), days, values, np.empty_like(values), np.empty(256, np.int64)
    )
    expected = [key for rows in customers for _, key in sorted(rows)]
    assert values.tolist() == expected


@settings(max_examples=20)
@given(st.integers(30, 700), st.randoms(use_true_random=False), st.booleans())
def test_long_days_are_sorted_too(rows, random, narrow):
    limit = 300 if narrow else 2**63 - 1
    values = np.array([random.randint(-limit, limit) for _ in range(rows)], np.int64)
    days = np.array(sorted(random.randint(0, 1) for _ in range(rows)), np.int32)
    expected = [key for _, key in sorted(zip(days.tolist(), values.tolist(), strict=True))]
    ordering.order_amounts_of_a_day(
        np.array([0, rows], np.int64), days, values, np.empty(rows, np.int64),
        np.empty(256, np.int64),
    )  # fmt: skip
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
    array = np.array(values, np.float64)
    out = np.empty(array.size, np.int64)
    refused = amounts.keys_of_floats(array.view(np.int64), out)
    finite = [row for row in range(array.size) if np.isfinite(array[row])]
    assert refused == array.size - len(finite)
    by_key = sorted(finite, key=lambda row: out[row])
    assert [values[row] for row in by_key] == sorted(values[row] for row in finite)
    assert all((out[row] < 0) == (values[row] < 0) for row in finite)
    amounts.floats_of_keys(out)
    for row in finite:
        # Minus zero comes back as zero: it is no refund.
        expected = values[row] + 0.0
        assert struct.pack("<d", out.view(np.float64)[row]) == struct.pack("<d", expected)
