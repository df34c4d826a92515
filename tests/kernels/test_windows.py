"""Orders within windows, and exact sums of products, against plain Python."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import windows
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.exact_sums import FLOAT_CHUNKS, INTEGER_CHUNKS

pytestmark = pytest.mark.kernels

shops = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 20), st.integers(-50, 50)), max_size=8),
        st.one_of(st.integers(-3, 22), st.just(int(NO_DAY))),
    ),
    max_size=6,
)


@given(shops, st.integers(1, 12), st.booleans())
def test_orders_in_windows(shop, width, net):
    orders = [sorted(some) for some, _ in shop]
    offsets = np.cumsum([0, *map(len, orders)]).astype(np.int64)
    days = np.array([day for some in orders for day, _ in some], np.int32)
    amounts = np.array([amount for some in orders for _, amount in some], np.int64)
    starts = np.array([start for _, start in shop], np.int32)
    counts = np.empty(starts.size, np.int32)
    begins, ends = np.empty((2, starts.size), np.int64)
    windows.rows_in_windows(offsets, days, amounts, net, starts, width, counts, begins, ends)
    sums, floats = np.empty(starts.size, np.int64), np.empty(starts.size)
    none = np.empty(0, np.int64)
    assert windows.sum_integer_rows(begins, ends, amounts, none, sums) == windows.NONE_BAD
    windows.sum_float_rows(begins, ends, amounts.astype(float), floats)
    for place, (some, start) in enumerate(zip(orders, starts.tolist(), strict=True)):
        within = [
            amount for day, amount in some if start != NO_DAY and start < day <= start + width
        ]
        assert counts[place] == sum(amount >= 0 or not net for amount in within)
        assert sums[place] == floats[place] == sum(within)


def test_sums_of_rows_beyond_64_bits_are_noticed():
    begins, ends = np.array([0, 1, 1, 2]), np.array([1, 2, 3, 4])
    lows = np.array([2**63 - 1, 1, 2**63 - 1, -(2**63)], np.int64)
    out = np.empty(4, np.int64)
    none = np.empty(0, np.int64)
    assert windows.sum_integer_rows(begins, ends, lows, none, out) == 2
    assert windows.sum_integer_rows(begins[:2], ends[:2], lows, none, out[:2]) == -1
    highs = lows >> 63
    assert windows.sum_integer_rows(begins[:2], ends[:2], lows, highs, out[:2]) == -1
    highs = np.array([0, 7, 0, -1])
    assert windows.sum_integer_rows(begins, ends, lows, highs, out) == 1


def total(chunks):
    return sum(int(chunk) << (32 * place) for place, chunk in enumerate(chunks))


words = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(st.integers(-1, 2), words, words), max_size=20))
def test_sums_of_products_of_integers_are_exact(rows):
    cells, ones, others = (np.array([row[k] for row in rows], np.int64) for k in range(3))
    sums = np.zeros((3, INTEGER_CHUNKS), np.int64)
    windows.add_integer_products(cells.astype(np.int32), ones, others, sums)
    for cell in range(3):
        expected = sum(one * other for at, one, other in rows if at == cell)
        assert total(sums[cell]) == expected


floats = st.floats(-1e100, 1e100).filter(lambda value: value == 0 or abs(value) > 1e-100)


@given(st.lists(st.tuples(st.integers(-1, 2), floats, floats), max_size=20))
def test_sums_of_products_of_floats_are_exact(rows):
    cells = np.array([row[0] for row in rows], np.int32)
    ones, others = (np.array([row[k] for row in rows], np.float64) for k in (1, 2))
    sums = np.zeros((3, FLOAT_CHUNKS), np.int64)
    windows.add_float_products(cells, ones, others, sums)
    for cell in range(3):
        expected = sum(
            (Fraction(one) * Fraction(other) for at, one, other in rows if at == cell), Fraction(0)
        )
        assert Fraction(total(sums[cell]), 2**1074) == expected
