"""Purchases and spends are packed, sorted and counted as Python does it."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import purchase_cells as kernels
from ordercycle_kernels.exact_sums import FLOAT_CHUNKS
from ordercycle_kernels.spends import NO_STEP

pytestmark = pytest.mark.kernels

NONE = np.zeros(0, np.int64)
days = st.integers(0, 5) | st.integers(0, 2**17 - 1)
keys = st.integers(0, 3) | st.integers(0, 2**51 - 1) | st.sampled_from([2**17, 2**34, 2**50])


@st.composite
def purchases(draw):
    """Return x + 1, t_x and days since the last order, of customers with and without orders."""
    rows = []
    for _ in range(draw(st.integers(0, 8))):
        recency, since = draw(days), draw(st.integers(0, 40))
        since = min(since, int(kernels.MOST_DAYS) - recency)
        repeats = draw(st.integers(1, recency)) if recency else 0
        rows.append((repeats + 1, recency, since) if draw(st.booleans()) else (0, -1, -7))
    return rows


def columns(rows, *kinds):
    return [np.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]


@given(purchases())
def test_purchases_are_packed(rows):
    out = np.empty(len(rows), np.int64)
    filled = kernels.purchase_keys(*columns(rows, np.int64, np.int32, np.int32), out)
    expected = [((x - 1) << 34) | (t << 17) | (t + since) for x, t, since in rows if x]
    assert out[:filled].tolist() == expected


@pytest.mark.parametrize(
    "row",
    [(-1, 0, 0), (3, 1, 0), (1, 5, 0), (2, 0, 4), (2, 5, -1), (2, -3, 0), (2, 2**17 - 1, 1)],
)
def test_rows_that_no_orders_can_have_are_named(row):
    rows = [(1, 0, 3), row]
    out = np.empty(2, np.int64)
    assert kernels.purchase_keys(*columns(rows, np.int64, np.int32, np.int32), out) == -2


amounts = st.integers(-(2**63), 2**63 - 1) | st.integers(-500, 500)
wide = st.integers(-(2**127), 2**127 - 1) | amounts


def words(values, size):
    flat = [(value >> (64 * place)) & (2**64 - 1) for value in values for place in range(size)]
    return np.array(flat, np.uint64)


@pytest.mark.parametrize("size", [1, 2])
@given(st.data())
def test_means_of_integers(size, data):
    money = amounts if size == 1 else wide
    rows = data.draw(st.lists(st.tuples(st.integers(0, 5), money, money), max_size=6))
    repeats_only = data.draw(st.booleans())
    counts = np.array([row[0] for row in rows], np.int64)
    revenue, first = (words([row[place] for row in rows], size) for place in (1, 2))
    out = np.empty(len(rows))
    kernels.mean_spends_of_words(counts, revenue, first, size, 100.0, repeats_only, out)
    for (count, total, less), found in zip(rows, out.tolist(), strict=True):
        own = count - repeats_only
        if own <= 0:
            assert math.isnan(found)
            continue
        exact = Fraction(total - (less if repeats_only else 0), 100 * own)
        # Where the difference itself has no 128 bits, it is that of two floats.
        wrong = abs(exact) * Fraction(1, 2**51)
        if abs(total - less) >= 2**127:
            wrong += Fraction(abs(total) + abs(less), 2**50)
        assert abs(Fraction(found) - exact) <= wrong


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), max_size=6),
    st.booleans(),
)
def test_means_of_floats(rows, repeats_only):
    out = np.empty(len(rows))
    kernels.mean_spends(*columns(rows, np.int64, np.float64, np.float64), repeats_only, out)
    for (count, total, less), found in zip(rows, out.tolist(), strict=True):
        own = count - repeats_only
        if own <= 0:
            assert math.isnan(found)
        else:
            assert found == (total - less if repeats_only else total) / own


@given(
    st.lists(
        st.tuples(st.integers(1, 2**17 - 1), st.none() | st.integers(-800 * 2**30, 700 * 2**30)),
        max_size=8,
    ),
    st.booleans(),
)
def test_spends_are_packed(rows, repeats_only):
    steps = np.array([int(NO_STEP) if step is None else step for _, step in rows], np.int64)
    counts = np.array([count for count, _ in rows], np.int64)
    out_keys, out_below = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    filled = kernels.spend_keys(counts, steps, repeats_only, out_keys, out_below)
    expected = [
        ((count - repeats_only) * 2**23 + step // 2**18 + 2**22, step % 2**18)
        for count, step in rows
        if step is not None
    ]
    assert list(zip(out_keys[:filled].tolist(), out_below[:filled].tolist(), strict=True)) == (
        expected
    )


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 10**5), st.integers(0, 10**6)), max_size=9)
)
def test_ratios_of_gaps_are_added_up(rows):
    found = kernels.sum_gap_ratios(*columns(rows, np.int64, np.int32, np.int64))
    expected = sum(
        int(squares / float(life * life) * 2**32) for count, life, squares in rows if count > 2
    )
    assert found == expected


@given(st.lists(keys, max_size=40), st.booleans())
def test_keys_are_sorted_with_what_is_below_them(values, carries):
    ordered = np.array(values, np.int64)
    below = np.arange(len(values), dtype=np.int64) if carries else NONE
    others = np.empty_like(ordered), np.empty_like(below)
    if kernels.sort_keys(ordered, below, *others):
        ordered, below = others
    assert ordered.tolist() == sorted(values)
    if carries:  # equal keys stay in their order
        assert below.tolist() == sorted(range(len(values)), key=values.__getitem__)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=12), st.booleans())
def test_sorted_keys_are_counted(rows, has_sums):
    rows = sorted(rows)
    ordered, below = columns(rows, np.int64, np.int64)
    below = below if has_sums else NONE
    cells, counts, sums = np.empty_like(ordered), np.empty_like(ordered), np.empty_like(below)
    filled = kernels.count_keys(ordered, below, cells, counts, sums)
    expected = Counter(key for key, _ in rows)
    assert dict(zip(cells[:filled].tolist(), counts[:filled].tolist(), strict=True)) == expected
    assert cells[:filled].tolist() == sorted(expected)
    if has_sums:
        totals = {key: sum(value for one, value in rows if one == key) for key in expected}
        assert dict(zip(cells[:filled].tolist(), sums[:filled].tolist(), strict=True)) == totals


tables = st.dictionaries(st.integers(-3, 6), st.integers(-2, 2).filter(bool), max_size=6)


@given(tables, tables)
def test_tables_are_merged(one, other):
    arrays = [
        np.array(values, np.int64)
        for table in (one, other)
        for values in (sorted(table), [table[key] for key in sorted(table)])
    ]
    size = len(one) + len(other)
    cells, counts = np.empty(size, np.int64), np.empty(size, np.int64)
    filled = kernels.merge_cells(*arrays, cells, counts)
    total = {key: one.get(key, 0) + other.get(key, 0) for key in {*one, *other}}
    expected = {key: count for key, count in sorted(total.items()) if count}
    found = dict(zip(cells[:filled].tolist(), counts[:filled].tolist(), strict=True))
    assert list(found.items()) == list(expected.items())


@given(
    st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.booleans()), max_size=9)
)
def test_floats_are_added_up_without_rounding(rows):
    chunks = np.zeros(FLOAT_CHUNKS, np.int64)
    values, kept = columns(rows, np.float64, np.bool_)
    kernels.add_floats(values, kept, chunks)
    found = sum(value << (32 * place) for place, value in enumerate(chunks.tolist()))
    assert Fraction(found, 2**1074) == sum(Fraction(value) for value, is_kept in rows if is_kept)
