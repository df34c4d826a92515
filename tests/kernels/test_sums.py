"""Sums against fractions and Python's integers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import lines, sums

pytestmark = pytest.mark.kernels

amounts = st.floats(-1e300, 1e300)
wide = st.integers(-(2**127), 2**127 - 1) | st.integers(-1000, 1000)
LIMIT_38 = 10**38 - 1
DECIMALS = (-LIMIT_38, LIMIT_38)
INT64S = (-(2**63), 2**63 - 1)
customers_of = st.lists(st.lists(st.tuples(st.integers(0, 200), amounts), max_size=12), min_size=1)


def words(values):
    lows = np.array([value % 2**64 for value in values], np.uint64).view(np.int64)
    highs = np.array([value >> 64 for value in values], np.int64)
    return lows, highs


def bounds(smallest, largest):
    return np.array([largest % 2**64, largest >> 64, ~smallest % 2**64, ~smallest >> 64], np.uint64)


def starts_and_stops(groups):
    offsets = np.cumsum([0] + [len(group) for group in groups], dtype=np.int64)
    return offsets[:-1], offsets[1:]


def in_first_days(day, registered):
    return registered <= day < registered + 90


@given(customers_of, st.integers(0, 200))
def test_float_sums_are_exact_to_the_last_bits(customers, registered):
    customers = [sorted(rows, key=lambda row: row[0]) for rows in customers]
    starts, stops = starts_and_stops(customers)
    rows = [row for part in customers for row in part]
    out, out_first = np.empty(len(customers)), np.empty(len(customers))
    overflow = sums.sum_floats(
        starts, stops, np.array([day for day, _ in rows], np.int32),
        np.array([amount for _, amount in rows], np.float64),
        np.full(len(customers), registered, np.int32), out, out_first,
    )  # fmt: skip
    assert overflow == -1
    for customer, part in enumerate(customers):
        for total, terms in (
            (out[customer], [amount for _, amount in part]),
            (out_first[customer], [a for day, a in part if in_first_days(day, registered)]),
        ):
            exact = sum(map(Fraction, terms), Fraction(0))
            bound = 1e-15 * abs(float(exact)) + 1e-30 * math.fsum(map(abs, terms))
            assert abs(Fraction(float(total)) - exact) <= Fraction(bound)


def test_a_float_sum_that_overflows_names_the_customer():
    out, out_first = np.empty(2), np.empty(2)
    starts, stops = np.array([0, 1], np.int64), np.array([1, 3], np.int64)
    days, registered = np.zeros(3, np.int32), np.zeros(2, np.int32)
    huge = np.array([1.0, 1.7e308, 1.7e308])
    assert sums.sum_floats(starts, stops, days, huge, registered, out, out_first) == 1


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 200), wide), max_size=6), min_size=1),
    st.integers(0, 200),
    st.sampled_from([DECIMALS, INT64S]),
)
def test_integer_sums_are_exact_or_refused(customers, registered, limits):
    starts, stops = starts_and_stops(customers)
    rows = [row for part in customers for row in part]
    lows, highs = words([value for _, value in rows])
    out = np.empty((len(customers), 2), np.uint64)
    out_first = np.empty((len(customers), 2), np.uint64)
    overflow = sums.sum_integers(
        starts, stops, np.array([day for day, _ in rows], np.int32), lows, highs,
        np.full(len(customers), registered, np.int32), bounds(*limits), out, out_first,
    )  # fmt: skip
    refused = []
    for customer, part in enumerate(customers):
        terms = [value for _, value in part]
        first = [value for day, value in part if in_first_days(day, registered)]
        partial = [sum(terms[:stop]) for stop in range(len(terms) + 1)]
        partial += [sum(first[:stop]) for stop in range(len(first) + 1)]
        wrapped = any(not -(2**127) <= value < 2**127 for value in partial)
        fits = all(limits[0] <= sum(part) <= limits[1] for part in (terms, first))
        if wrapped or not fits:
            refused.append(customer)
            continue
        low, high = words([sum(terms), sum(first)])
        assert out[customer].tolist() == [low.view(np.uint64)[0], highs_of(high[0])]
        assert out_first[customer].tolist() == [low.view(np.uint64)[1], highs_of(high[1])]
    assert overflow == (refused[0] if refused else -1)


def highs_of(word):
    return int(word) % 2**64


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5))
def test_one_word_amounts_need_no_high_words(values):
    starts, stops = np.array([0], np.int64), np.array([len(values)], np.int64)
    out, out_first = np.empty((1, 2), np.uint64), np.empty((1, 2), np.uint64)
    sums.sum_integers(
        starts, stops, np.zeros(len(values), np.int32), np.array(values, np.int64),
        np.zeros(0, np.int64), np.zeros(1, np.int32), bounds(*DECIMALS), out, out_first,
    )  # fmt: skip
    total = sum(values)
    assert out.tolist() == [[total % 2**64, (total >> 64) % 2**64]]
    assert out.tolist() == out_first.tolist()


@given(st.lists(st.tuples(st.integers(-LIMIT_38, LIMIT_38), st.integers(0, 50)), min_size=1))
def test_averages_of_integers(rows):
    totals = [total for total, _ in rows]
    lows, highs = words(totals)
    table = np.column_stack([lows.view(np.uint64), highs.view(np.uint64)])
    counts = np.array([count for _, count in rows], np.int64)
    out = np.empty(len(rows))
    sums.average_integers(table, 100.0, counts, out)
    for average, (total, count) in zip(out.tolist(), rows, strict=True):
        exact = float(Fraction(total, 100 * count)) if count else 0.0
        assert average == pytest.approx(exact, rel=1e-15, abs=0.0)


@given(st.lists(st.tuples(amounts, st.integers(0, 50)), min_size=1))
def test_averages_of_floats(rows):
    out = np.empty(len(rows))
    sums.average_floats(
        np.array([total for total, _ in rows]), np.array([n for _, n in rows], np.int64), out
    )
    assert out.tolist() == [total / count if count else 0.0 for total, count in rows]


orders_of = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(-50, 50)), max_size=9),
    min_size=1,
)


@given(orders_of)
def test_lines_collapse_into_orders(customers):
    customers = [sorted(rows) for rows in customers]
    flat = [row for part in customers for row in part]
    count = len(flat)
    offsets = np.cumsum([0] + [len(part) for part in customers], dtype=np.int64)
    out_offsets = np.empty(len(customers) + 1, np.int64)
    line_offsets, days = np.empty(count + 1, np.int64), np.empty(count, np.int32)
    # Rows lie backwards, so that a row and its place are not the same.
    rows = np.arange(count, dtype=np.int32)[::-1].copy()
    backwards = flat[::-1]
    found = lines.find_orders(
        offsets, rows, np.array([order for order, _, _ in backwards], np.int64),
        np.array([day for _, day, _ in backwards], np.int32), out_offsets, line_offsets, days,
    )  # fmt: skip
    expected = []
    for part in customers:
        for order in sorted({order for order, _, _ in part}):
            mine = [row for row in part if row[0] == order]
            expected.append((min(day for _, day, _ in mine), sum(amount for _, _, amount in mine)))
    assert days[:found].tolist() == [day for day, _ in expected]
    assert (
        out_offsets.tolist()
        == np.cumsum([0] + [len({order for order, _, _ in part}) for part in customers]).tolist()
    )
    amounts_by_row = np.array([amount for _, _, amount in backwards], np.int64)
    lows, highs = np.empty(found, np.int64), np.empty(found, np.int64)
    overflow = lines.sum_integer_lines(
        line_offsets[: found + 1], rows, amounts_by_row, np.zeros(0, np.int64),
        bounds(*INT64S), lows, highs,
    )  # fmt: skip
    assert overflow == -1
    assert lows.tolist() == [amount for _, amount in expected]
    totals = np.empty(found)
    assert (
        lines.sum_float_lines(
            line_offsets[: found + 1], rows, amounts_by_row.astype(np.float64), totals
        )
        == -1
    )
    assert totals.tolist() == [float(amount) for _, amount in expected]


def test_lines_that_add_up_to_too_much_name_the_order():
    line_offsets = np.array([0, 1, 3], np.int64)
    rows = np.arange(3, dtype=np.int32)
    lows, highs = np.empty(2, np.int64), np.empty(2, np.int64)
    none = np.zeros(0, np.int64)
    values = np.array([1, 2**62, 2**62], np.int64)
    limit = bounds(*INT64S)
    assert lines.sum_integer_lines(line_offsets, rows, values, none, limit, lows, highs) == 1
    huge = np.array([1.0, 1.7e308, 1.7e308])
    assert lines.sum_float_lines(line_offsets, rows, huge, np.empty(2)) == 1
