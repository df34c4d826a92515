"""The cells of reports, and exact sums, against sets of days and fractions."""

import struct
from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordercycle_kernels import cube, exact_sums
from ordercycle_kernels._types import as_input
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.timeline import OPEN

pytestmark = pytest.mark.kernels

FIRST_DAY, MONTH_DAYS, MONTHS = 100, 10, 4  # months of ten days are months enough
AFTER = FIRST_DAY + MONTH_DAYS * MONTHS
SEGMENTS, NO_SEGMENT = 2, 2
FLOATS, WIDE, NARROW = "floats", "wide", "narrow"
CHUNKS = {FLOATS: exact_sums.FLOAT_CHUNKS, WIDE: exact_sums.INTEGER_CHUNKS}
CHUNKS[NARROW] = CHUNKS[WIDE]

days = st.integers(FIRST_DAY - 120, AFTER + 20)
amounts_of = {
    FLOATS: st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0),
    WIDE: st.integers(-(2**126), 2**126),
    NARROW: st.integers(-(2**63), 2**63 - 1),
}


def column_of(day):
    """Return the month of a day, counted from 1; 0 before the first."""
    return 0 if day < FIRST_DAY else 1 + (day - FIRST_DAY) // MONTH_DAYS


def exact(amount):
    return Fraction(amount) * (2**1074 if isinstance(amount, float) else 1)


def total_of(chunks):
    return sum(int(chunk) << 32 * place for place, chunk in enumerate(chunks))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_pieces_of_a_float(value):
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    chunk, pieces = exact_sums.pieces_of_float(np.int64(bits))
    assert chunk >= 0
    assert chunk + len(pieces) < exact_sums.FLOAT_CHUNKS
    assert all(abs(int(piece)) < 2**32 for piece in pieces)
    assert total_of(pieces) << 32 * int(chunk) == exact(value)


@given(st.integers(-(2**127), 2**127 - 1))
def test_the_pieces_of_words(value):
    high, low = value >> 64, (value & (2**64 - 1)) - (2**64 if value & 2**63 else 0)
    chunk, pieces = exact_sums.pieces_of_words(np.int64(low), np.int64(high))
    assert (chunk, total_of(pieces)) == (0, value)
    chunk, pieces = exact_sums.pieces_of_word(np.int64(low))
    assert (chunk, total_of(pieces)) == (0, low)


@given(st.lists(st.lists(st.integers(-(2**62), 2**62), min_size=3, max_size=3), min_size=1))
def test_carrying_changes_no_sum(rows):
    sums = np.array(rows, np.int64)
    exact_sums.carry_sums(sums)
    for row, given_row in zip(sums.tolist(), rows, strict=True):
        assert total_of(row) == total_of(given_row)
        assert all(0 <= chunk < 2**32 for chunk in row[:-1])


@given(st.lists(st.integers(-(2**60), 2**60), min_size=1, max_size=3))
def test_carrying_a_window(chunks):
    sums = np.array([*chunks, 0], np.int64)
    high = cube.carry_window(sums, 0, len(chunks) - 1)
    assert total_of(sums) == total_of(chunks)
    assert not sums[high + 1 :].any()
    assert (abs(sums) < 2**33).all()


@st.composite
def cases(draw):
    """Draw customers: when they came, were registered and ordered, and where they were."""
    kind = draw(st.sampled_from([FLOATS, WIDE, NARROW]))
    customers = []
    for _ in range(draw(st.integers(1, 4))):
        rows = draw(st.lists(st.tuples(days, amounts_of[kind]), max_size=8))
        rows.sort()
        orders = [day for day, amount in rows if amount >= 0]
        registered = min([draw(days), *orders])
        seen_first = min([registered, *(day for day, _ in rows)])
        came = draw(st.sampled_from([registered, seen_first, int(NO_DAY)]))
        edges = sorted(draw(st.lists(days, max_size=6, unique=True)))
        stops = [*edges[1:], int(OPEN)][: len(edges)]
        kept = draw(st.lists(st.booleans(), min_size=len(edges), max_size=len(edges)))
        code = st.integers(0, SEGMENTS)  # the last one is not among the report's
        intervals = [
            (draw(code), start, stop)
            for start, stop, keep in zip(edges, stops, kept, strict=True)
            if keep
        ]
        customers.append((came, registered, rows, intervals))
    return kind, customers


def arrays(kind, customers):
    came, registered, rows, intervals = zip(*customers, strict=True)
    amounts = [amount for of_customer in rows for _, amount in of_customer]
    highs = []
    if kind == FLOATS:
        lows = np.array(amounts, np.float64).view(np.int64)
    else:
        lows = np.array([amount & (2**64 - 1) for amount in amounts], np.uint64).view(np.int64)
    if kind == WIDE:
        highs = [amount >> 64 for amount in amounts]
    flat = [interval for of_customer in intervals for interval in of_customer]
    codes, starts, stops = zip(*flat, strict=True) if flat else ((), (), ())
    people = cube.Customers(
        as_input(np.array(came, np.int32)),
        as_input(np.array(registered, np.int32)),
        as_input(np.cumsum([0, *map(len, rows)], dtype=np.int64)),
        as_input(np.array([day for one in rows for day, _ in one], np.int32)),
        as_input(lows),
        as_input(np.array(highs, np.int64)),
        as_input(np.array(highs, np.int64) if kind == WIDE else lows),
    )
    track = cube.Track(
        as_input(np.cumsum([0, *map(len, intervals)], dtype=np.int64)),
        as_input(np.array(codes, np.int16)),
        as_input(np.array(starts, np.int32)),
        as_input(np.array(stops, np.int32)),
        as_input(np.arange(SEGMENTS + 1)),
    )
    return people, track


def walked(case, *, net_refunds, everyone):
    kind, customers = case
    people, track = arrays(kind, customers)
    columns = np.repeat(np.arange(1, MONTHS + 1, dtype=np.int32), MONTH_DAYS)
    width = cube.WHOLE_NUMBERS + cube.SUMS * CHUNKS[kind]
    cells = np.zeros(((SEGMENTS + 1) * (MONTHS + 1), width), np.int64)
    cube.add_to_cells(
        people, track, kind == FLOATS, net_refunds, everyone, FIRST_DAY, columns, cells
    )
    return cells.reshape(SEGMENTS + 1, MONTHS + 1, width)


def row_on(intervals, day):
    return next((code for code, start, stop in intervals if start <= day < stop), NO_SEGMENT)


def expected_at_the_end(customers, net_refunds, everyone, column):
    """Return what is so far of each row at the end of a month: counts, then sums of money."""
    end = FIRST_DAY + column * MONTH_DAYS
    found = [[0] * 9 for _ in range(SEGMENTS + 1)]
    for came, registered, rows, intervals in customers:
        if came == NO_DAY or came >= end or not (intervals or everyone):
            continue
        seen = [(day, amount) for day, amount in rows if day < end]
        orders = [day for day, amount in seen if amount >= 0 or not net_refunds]
        state = found[row_on(intervals, end - 1)]
        state[0] += 1
        state[7] += sum(exact(amount) for _, amount in seen)
        if not orders:
            continue
        first, last = orders[0], orders[-1]
        early = [amount for day, amount in seen if registered <= day < registered + 90]
        values = (
            len(orders), 1, len(orders) > 1, first, first - registered, last - first, 0,
            sum(map(exact, early)),
        )  # fmt: skip
        for place, value in enumerate(values, start=1):
            state[place] += value
    return found


SO_FAR = (
    (cube.CUSTOMERS,),
    (cube.ORDERS, cube.MOVED_ORDERS),
    (cube.BUYERS,),
    (cube.REPEAT_BUYERS,),
    (cube.FIRST_ORDER_DAYS,),
    (cube.WAITING_DAYS,),
    (cube.LIFETIME_DAYS,),
)


def money(cells, *fields):
    return sum(total_of(cells[field :: cube.SUMS]) for field in fields)


@given(cases(), st.booleans(), st.booleans())
def test_what_is_so_far(case, net_refunds, everyone):
    net_refunds = net_refunds or any(a < 0 for _, _, rows, _ in case[1] for _, a in rows)
    cells = walked(case, net_refunds=net_refunds, everyone=everyone)
    for column in range(1, MONTHS + 1):
        so_far = cells[:, : column + 1].sum(axis=1)
        wanted = expected_at_the_end(case[1], net_refunds, everyone, column)
        for row in range(SEGMENTS + 1):
            found = [sum(int(so_far[row, field]) for field in fields) for fields in SO_FAR]
            assert found == wanted[row][:7]
            assert money(so_far[row], cube.REVENUE, cube.MOVED_REVENUE) == wanted[row][7]
            assert money(so_far[row], cube.FIRST_REVENUE) == wanted[row][8]


def happened(came, rows, intervals):
    """Return when and where each order or refund counts, as row and column."""
    days = [(max(day, came), amount) for day, amount in rows]
    return [
        ((row_on(intervals, day), column_of(day)), amount) for day, amount in days if day < AFTER
    ]


def in_months(customers):
    """Return what happened in each row and column."""
    found = {name: Counter() for name in ("entered", "revenue", "orders", "returned")}
    buyers, buyers_of_all = Counter(), Counter()
    for came, _, rows, intervals in customers:
        if came == NO_DAY:
            continue
        if came < AFTER:
            found["entered"][row_on(intervals, came), column_of(came)] += 1
        orders = []
        for place, amount in happened(came, rows, intervals):
            found["revenue"][place] += exact(amount)
            if amount >= 0:
                orders.append(place)
        found["orders"].update(orders)
        buyers.update(set(orders))
        # The first order of a month is where the customer is a buyer of the whole base.
        firsts = {column: row for row, column in reversed(orders)}
        buyers_of_all.update((row, column) for column, row in firsts.items())
        for column in sorted(firsts)[1:]:
            last_day = FIRST_DAY + column * MONTH_DAYS - 1
            found["returned"][row_on(intervals, last_day), column] += 1
    return found | {"buyers": buyers, "buyers of all": buyers_of_all}


@given(cases())
def test_what_happens_in_a_month(case):
    cells = walked(case, net_refunds=True, everyone=True)
    found = in_months(case[1])
    for place in product(range(SEGMENTS + 1), range(1, MONTHS + 1)):
        cell = cells[place]
        assert money(cell, cube.REVENUE) == found["revenue"][place]
        for field, name in (
            (cube.ORDERS, "orders"),
            (cube.ENTERED, "entered"),
            (cube.RETURNING, "returned"),
            (cube.MONTHLY_BUYERS, "buyers"),
            (cube.MONTHLY_BUYERS_OF_ALL, "buyers of all"),
        ):
            assert cell[field] == found[name][place], name


@settings(max_examples=10)
@given(st.lists(st.integers(-(2**126), 2**126), min_size=1, max_size=3), st.integers(600, 1300))
def test_a_customer_with_many_orders_who_moves(few, size):
    rows = sorted((FIRST_DAY + place % 25, few[place % len(few)]) for place in range(size))
    moves = [(place % 2, FIRST_DAY + place, FIRST_DAY + place + 1) for place in range(30)]
    case = WIDE, [(FIRST_DAY, FIRST_DAY, rows, moves)]
    cells = walked(case, net_refunds=False, everyone=True).sum(axis=1)
    total = sum(amount for _, amount in rows)
    assert [money(row, cube.REVENUE, cube.MOVED_REVENUE) for row in cells] == [0, 0, total]


def test_who_comes_with_a_refund_is_registered_then():
    refund, order = (FIRST_DAY + 5, -4.0), (FIRST_DAY + 25, 9.0)
    place = [(0, FIRST_DAY, int(OPEN))]
    case = FLOATS, [(refund[0], order[0], [refund, order], place)]
    cells = walked(case, net_refunds=True, everyone=False)[0]
    assert cells[1:, cube.ENTERED].tolist() == [1, 0, 0, 0]
    assert cells[1:, cube.BUYERS].tolist() == [0, 0, 1, 0]
    assert cells[1:, cube.WAITING_DAYS].tolist() == [0, 0, 0, 0]
    revenue = [money(cell, cube.REVENUE) for cell in cells[1:]]
    assert revenue == [exact(-4.0), 0, exact(9.0), 0]
    assert money(cells.sum(axis=0), cube.FIRST_REVENUE) == exact(9.0)
