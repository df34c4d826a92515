"""Sums against fractions and Python's integers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import lines, sums
from ordercycle_kernels.calendar import NO_DAY

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


def places(customers, registered, first_orders):
    rows = [row for part in customers for row in part]
    days = np.array([day for day, _ in rows], np.int32)
    begins = np.full(len(customers), registered, np.int32)
    return rows, days, begins, np.array(first_orders, np.int32)


def first_orders_of(customers, registered, places):
    """Return for each customer a day with a row, from the registration on, or none."""
    found = []
    for part, place in zip(customers, places, strict=False):
        days = [day for day, _ in part if day >= registered]
        found.append(days[place % len(days)] if days else int(NO_DAY))
    return found


places_of = st.lists(st.integers(0, 100), min_size=60, max_size=60)


def close(total, terms):
    exact = sum(map(Fraction, terms), Fraction(0))
    bound = 1e-15 * abs(float(exact)) + 1e-30 * math.fsum(map(abs, terms))
    return abs(Fraction(float(total)) - exact) <= Fraction(bound)


@given(customers_of, st.integers(0, 200), places_of, st.booleans())
def test_float_sums_are_exact_to_the_last_bits(customers, registered, chosen, with_all):
    customers = [sorted(rows, key=lambda row: row[0]) for rows in customers][: len(chosen)]
    starts, stops = starts_and_stops(customers)
    first_orders = first_orders_of(customers, registered, chosen)
    rows, days, begins, firsts = places(customers, registered, first_orders)
    of_rows = np.array([amount for _, amount in rows], np.float64)
    out, both, of_period, of_day = (np.empty(len(customers)) for _ in range(4))
    assert sums.sum_floats(starts, stops, of_rows, out) == -1
    if not with_all:
        both = np.empty(0)
    overflow = sums.sum_with_first_floats(
        starts, stops, days, of_rows, begins, firsts, both, of_period, of_day
    )
    assert overflow == -1
    assert both.tolist() == (out.tolist() if with_all else [])
    for customer, part in enumerate(customers):
        assert close(out[customer], [amount for _, amount in part])
        within = [amount for day, amount in part if in_first_days(day, registered)]
        assert close(of_period[customer], within)
        on_day = [amount for day, amount in part if day == first_orders[customer]]
        assert close(of_day[customer], on_day)


def test_a_float_sum_that_overflows_names_the_customer():
    out, of_day = np.empty(2), np.empty(2)
    starts, stops = np.array([0, 1], np.int64), np.array([1, 3], np.int64)
    days, registered = np.zeros(3, np.int32), np.zeros(2, np.int32)
    huge = np.array([1.0, 1.7e308, 1.7e308])
    assert sums.sum_floats(starts, stops, huge, out) == 1
    none, today, never = np.empty(0), registered, np.full(2, NO_DAY)
    early = np.full(2, -200, np.int32)  # all is later than the first 90 days then
    for all_sums, begins, firsts in (
        (out, early, never),
        (none, early, today),
        (none, today, never),
    ):
        found = sums.sum_with_first_floats(
            starts, stops, days, huge, begins, firsts, all_sums, np.empty(2), of_day
        )
        assert found == 1


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 200), wide), max_size=6), min_size=1, max_size=60),
    st.integers(0, 200),
    st.sampled_from([DECIMALS, INT64S]),
    places_of,
    st.booleans(),
)
def test_integer_sums_are_exact_or_refused(customers, registered, limits, chosen, with_all):
    customers = [sorted(rows, key=lambda row: row[0]) for rows in customers]
    starts, stops = starts_and_stops(customers)
    first_orders = first_orders_of(customers, registered, chosen)
    rows, days, begins, firsts = places(customers, registered, first_orders)
    lows, highs = words([value for _, value in rows])
    shape = (len(customers), 2)
    out, both, of_period, of_day = (np.empty(shape, np.uint64) for _ in range(4))
    if not with_all:
        both = np.empty((0, 2), np.uint64)
    of_all = sums.sum_integers(starts, stops, lows, highs, bounds(*limits), out)
    of_first = sums.sum_with_first_integers(
        starts, stops, days, lows, highs, begins, firsts, bounds(*limits), both, of_period, of_day
    )  # fmt: skip
    refused, refused_first = [], []
    for customer, part in enumerate(customers):
        within = [value for day, value in part if in_first_days(day, registered)]
        on_day = [value for day, value in part if day == first_orders[customer]]
        whole = [value for _, value in part]
        if not checked_sum(out[customer], whole, limits):
            refused.append(customer)
        fits = [
            not with_all or checked_sum(both[customer], whole, limits),
            checked_sum(of_period[customer], within, limits),
            checked_sum(of_day[customer], on_day, limits),
        ]
        if not all(fits):
            refused_first.append(customer)
    assert of_all == min(refused, default=-1)
    assert of_first == min(refused_first, default=-1)


def checked_sum(found, terms, limits):
    """Return whether a sum fits its type; where it does, it has to be right."""
    partial = [sum(terms[:stop]) for stop in range(len(terms) + 1)]
    if not all(-(2**127) <= value < 2**127 for value in partial):
        return False
    if not limits[0] <= partial[-1] <= limits[1]:
        return False
    assert found.tolist() == [partial[-1] % 2**64, (partial[-1] >> 64) % 2**64]
    return True


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5))
def test_one_word_amounts_need_no_high_words(values):
    starts, stops = np.array([0], np.int64), np.array([len(values)], np.int64)
    lows, highs = np.array(values, np.int64), np.zeros(0, np.int64)
    day, limits = np.zeros(1, np.int32), bounds(*DECIMALS)
    out, both, of_period, of_day = (np.empty((1, 2), np.uint64) for _ in range(4))
    sums.sum_integers(starts, stops, lows, highs, limits, out)
    days = np.zeros(len(values), np.int32)
    sums.sum_with_first_integers(
        starts, stops, days, lows, highs, day, day, limits, both, of_period, of_day
    )
    total = sum(values)
    assert out.tolist() == [[total % 2**64, (total >> 64) % 2**64]]
    assert out.tolist() == both.tolist() == of_period.tolist() == of_day.tolist()


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
def test_lines_add_up_by_order_and_day(customers):
    customers = [sorted(rows) for rows in customers]
    flat = [row for part in customers for row in part]
    count = len(flat)
    offsets = np.cumsum([0] + [len(part) for part in customers], dtype=np.int64)
    out_offsets = np.empty(len(customers) + 1, np.int64)
    line_offsets, days = np.empty(count + 1, np.int64), np.empty(count, np.int32)
    # Rows lie backwards, so that a row and its place are not the same.
    rows = np.arange(count, dtype=np.int32)[::-1].copy()
    backwards = flat[::-1]
    orders = np.array([order for order, _, _ in backwards], np.int64)
    days_by_row = np.array([day for _, day, _ in backwards], np.int32)
    days_of = [
        [(order, day) for order, day in sorted({row[:2] for row in part})] for part in customers
    ]
    assert lines.span_days(offsets, rows, orders, days_by_row) == any(
        len({order for order, _ in part}) < len(part) for part in days_of
    )
    found = lines.find_order_days(
        offsets, rows, orders, days_by_row, out_offsets, line_offsets, days
    )
    expected = [
        (key[1], sum(row[2] for row in part if row[:2] == key))
        for part, keys in zip(customers, days_of, strict=True)
        for key in keys
    ]
    assert days[:found].tolist() == [day for day, _ in expected]
    assert out_offsets.tolist() == np.cumsum([0, *map(len, days_of)]).tolist()
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


@given(orders_of, st.booleans(), st.booleans())
def test_an_order_counts_on_its_first_day_that_is_no_refund(customers, net_refunds, once_a_day):
    customers = [sorted({row[:2]: row for row in rows}.values()) for rows in customers]
    flat = [(*row, place) for place, part in enumerate(customers) for row in part]
    # As in a history: by day and amount. The rows are listed by order and day.
    entries = sorted(flat, key=lambda row: (row[3], row[1], row[2], row[0]))
    offsets = np.cumsum([0, *map(len, customers)], dtype=np.int64)
    rows = np.array([entries.index(row) for row in flat], np.int32)
    orders, days, signs = (
        np.array([row[column] for row in entries], np.int64) for column in range(3)
    )
    further = np.empty(len(flat), np.bool_)
    split = lines.mark_further_days(offsets, rows, orders, signs, further)
    assert split == sum(
        sum(row[0] == order for row in part) > 1
        for part in customers
        for order in {row[0] for row in part}
    )
    counted = {
        (place, order): min(day for other, day, amount in part if other == order and amount >= 0)
        for place, part in enumerate(customers)
        for order in {row[0] for row in part if row[2] >= 0}
    }
    expected = [
        amount >= 0 and counted[place, order] != day for order, day, amount, place in entries
    ]
    assert further.tolist() == expected
    if once_a_day:
        taken = set()
        for row, (_, day, amount, place) in enumerate(entries):
            if not expected[row] and (amount >= 0 or not net_refunds):
                expected[row] = (place, day) in taken
                taken.add((place, day))
        before = sum(further.tolist())
        marked = lines.merge_days(offsets, days.astype(np.int32), signs, net_refunds, further)
        assert further.tolist() == expected
        assert marked == sum(expected) - before


@given(
    st.lists(
        st.lists(st.sampled_from([None, 5, 5, 5, 2**64 + 5, -1]), min_size=1, max_size=4),
        max_size=6,
    ),
    st.booleans(),
)
def test_totals_stand_on_every_line(days, are_wide):
    flat = [total for day in days for total in day]
    rows = np.arange(len(flat), dtype=np.int32)[::-1].copy()
    known = [0 if total is None else total for total in reversed(flat)]
    known = [total & 2**64 - 1 for total in known]
    lows = np.array(known, np.uint64).view(np.int64)
    highs = np.array([(total or 0) >> 64 for total in reversed(flat)] if are_wide else [], np.int64)
    missing = np.array([total is None for total in reversed(flat)], np.int32)
    out_lows, out_highs = np.empty((2, len(days)), np.int64)
    wrong = np.empty(4, np.int64)
    line_offsets = np.cumsum([0, *map(len, days)], dtype=np.int64)
    lines.take_totals(line_offsets, rows, lows, highs, missing, out_lows, out_highs, wrong)
    totals = [
        {(total if are_wide else total & 2**64 - 1) for total in day if total is not None}
        for day in days
    ]
    different = [place for place, day in enumerate(totals) if len(day) > 1]
    without = [place for place, day in enumerate(totals) if not day]
    assert wrong.tolist() == [
        len(different), min(different, default=-1), len(without), min(without, default=-1)
    ]  # fmt: skip
    for place, day in enumerate(totals):
        if len(day) == 1:
            (total,) = day
            assert int(out_lows[place]) & 2**64 - 1 == total & 2**64 - 1
            assert out_highs[place] == (total >> 64 if are_wide else 0)


said = st.tuples(
    st.integers(-2, 2),  # the amount
    st.booleans(),  # whether it is missing
    st.integers(0, 3),  # the instant
    st.sampled_from([None, None, 0, 1]),  # what the line says
)


@given(st.lists(st.lists(said, min_size=1, max_size=5), max_size=5), st.booleans(), st.booleans())
def test_an_order_is_like_its_lines_of_the_same_sign(days, may_miss, has_instants):
    days = [
        [(amount, may_miss and missing, *rest) for amount, missing, *rest in day] for day in days
    ]
    # Of the sum's sign, there is a line at least.
    sums_of_days = [sum(amount for amount, *_ in day) for day in days]
    flat = [line for day in days for line in day]
    rows = np.arange(len(flat), dtype=np.int32)[::-1].copy()
    by_row = flat[::-1]
    line_offsets = np.cumsum([0, *map(len, days)], dtype=np.int64)
    signs, instants = (np.array([line[column] for line in by_row], np.int64) for column in (0, 2))
    known = np.array([line[3] is not None for line in by_row], np.bool_)
    # Where there is no value, the word may be any.
    values = np.array([line[0] if line[3] is None else line[3] for line in by_row], np.int64)
    missing = np.array([line[1] for line in by_row], np.int32)
    of_lines = (
        line_offsets,
        rows,
        signs,
        missing if may_miss else missing[:0],
        np.array(sums_of_days, np.int64),
    )
    chosen = np.empty(len(days), np.int32)
    lines.choose_lines(*of_lines, instants if has_instants else instants[:0], chosen)
    speaking = [
        [line for line in day if line[1] or (line[0] < 0) == (total < 0)]
        for day, total in zip(days, sums_of_days, strict=True)
    ]
    expected = [
        min(of_day, key=lambda line: line[2]) if has_instants else of_day[0] for of_day in speaking
    ]
    assert [by_row[row] for row in chosen] == expected
    marks = np.empty(len(days), np.bool_)
    marked = lines.find_values(*of_lines, known, values, chosen, marks)
    said_of_days = [[line[3] for line in of_day if line[3] is not None] for of_day in speaking]
    assert [by_row[row][3] for row in chosen] == [next(iter(said), None) for said in said_of_days]
    # A line of another sign is never the one, null or not.
    assert all(by_row[row] in of_day for row, of_day in zip(chosen, speaking, strict=True))
    assert marks.tolist() == [len(set(said)) > 1 for said in said_of_days]
    assert marked == sum(marks.tolist())
