"""Facts of a report, against what is written out fact by fact."""

from collections import Counter, defaultdict
from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cells import SparseCells

from ordercycle_kernels import report_facts as kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.cube import NO_ROW, Track
from ordercycle_kernels.exact_sums import CHUNK_BITS, FLOAT_CHUNKS, INTEGER_CHUNKS

pytestmark = pytest.mark.kernels
#: The row of the report of each of three segments; the last is not wanted.
ROWS = [1, 0, NO_ROW]
intervals = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 8), st.integers(0, 2)), max_size=4
)


def array(values, dtype):
    return as_input(np.array(values, dtype))


def offsets_of(lists):
    return array(np.cumsum([0, *map(len, lists)]), np.int64)


def apart(rows):
    """Return intervals (start, stop, code), each of which starts when the one before is over."""
    found, behind = [], 0
    for start, length, code in sorted(rows):
        found.append((max(start, behind), max(start, behind) + length, code))
        behind = found[-1][1]
    return found


def columns_of(customers):
    rows = [row for own in customers for row in own]
    starts, stops, codes = zip(*rows, strict=True) if rows else ((), (), ())
    return (
        offsets_of(customers),
        array(codes, np.int16),
        array(starts, np.int32),
        array(stops, np.int32),
    )


def row_on(own, day):
    return next((ROWS[code] for start, stop, code in own if start <= day < stop), NO_ROW)


@given(st.lists(st.tuples(intervals, st.lists(st.integers(0, 30), max_size=5)), max_size=3))
def test_rows(customers):
    tracks = [apart(rows) for rows, _ in customers]
    days = [own for _, own in customers]
    found = np.full(sum(map(len, days)), 77)
    kernels.rows_at(
        Track(*columns_of(tracks), array(ROWS, np.int64)),
        offsets_of(days),
        np.array([day for own in days for day in own], np.int32),
        found,
    )
    assert found.tolist() == [
        row_on(own, day) for own, its in zip(tracks, days, strict=True) for day in its
    ]


@given(st.lists(st.tuples(intervals, intervals), max_size=3))
def test_rows_and_states_at_once(customers):
    tracks = [apart(rows) for rows, _ in customers]
    states = [apart(rows) for _, rows in customers]
    given_track = Track(*columns_of(tracks), array(ROWS, np.int64))
    given_states = kernels.States(*columns_of(states))
    count, places, starts, stops = 0, *np.full((3, 0), 0)
    for _ in range(2):  # once to know how many there are
        places = np.full(count, 77)
        starts, stops = np.full((2, count), 77, np.int32)
        count = kernels.meet_states(given_track, given_states, 2, places, starts, stops)
    days = Counter(
        (place, day)
        for place, start, stop in zip(
            *(one.tolist() for one in (places, starts, stops)), strict=True
        )
        for day in range(start, stop)
    )
    wanted = Counter(
        (code * 2 + row_on(track, day), day)
        for track, own in zip(tracks, states, strict=True)
        for start, stop, code in own
        for day in range(start, stop)
        if row_on(track, day) != NO_ROW
    )
    assert days == wanted


FIRST_DAY, ROW_COUNT = 3, 3
#: The column of each day: three before the months, and three in each of them.
COLUMNS = np.repeat([1, 2, 3, 4], 3).astype(np.int32)
GRID = kernels.Grid(
    as_input(COLUMNS), array([FIRST_DAY, ROW_COUNT, int(COLUMNS[-1]) + 1], np.int64)
)


def column_on(day):
    if day < FIRST_DAY:
        return 0
    return int(COLUMNS[day - FIRST_DAY]) if day - FIRST_DAY < COLUMNS.size else None


def rows_on(own, day, everyone):
    row = row_on(own, day)
    return [*([] if row == NO_ROW else [row]), *([ROW_COUNT - 1] if everyone else [])]


def pairs_of(own, its, everyone):
    """Return the codes of what is counted of a customer: place, month before, month."""
    places = defaultdict(set)
    for day, its_keys, *_ in its:
        for key, row in product(its_keys, rows_on(own, day, everyone)):
            if key >= 0 and (column_on(day) or 0) > 0:
                places[key * ROW_COUNT + row].add(column_on(day))
    return Counter(
        (place * 5 + earlier) * 5 + month
        for place, months in places.items()
        for earlier, month in zip([0, *sorted(months)], sorted(months), strict=False)
    )


facts = st.lists(
    st.tuples(
        st.integers(0, 16),
        st.tuples(*[st.integers(kernels.NOWHERE, 2)] * 2),
        st.integers(-3, 3),
        st.integers(-(2**62), 2**62),
        st.integers(-(2**62), 2**62),
        st.booleans(),
    ),
    max_size=6,
).map(sorted)


@given(
    st.lists(st.tuples(intervals, facts), max_size=3),
    st.sampled_from(["counts", "words", "wide", "floats"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_facts_add_up(customers, kind, are_less, everyone, is_direct):
    tracks = [apart(rows) for rows, _ in customers]
    rows = [fact for _, own in customers for fact in own]
    lows = np.array([row[3] for row in rows], np.int64)
    highs = np.array([row[4] for row in rows], np.int64)
    amounts = [int(low) for low in lows]
    if kind == "wide":
        pairs = zip(highs.tolist(), lows.tolist(), strict=True)
        amounts = [(high << 64) + (low & (2**64 - 1)) for high, low in pairs]
    if kind == "floats":
        floats = np.round(lows / 3)
        amounts = [int(one) << 1074 for one in floats]
        lows = floats.view(np.int64)
    if kind == "counts":
        amounts = [0] * len(rows)
    chunks = FLOAT_CHUNKS if kind == "floats" else INTEGER_CHUNKS
    nothing = np.zeros(0, np.int64)
    given_facts = kernels.FactRows(
        offsets_of([own for _, own in customers]),
        array([row[0] for row in rows], np.int32),
        array([row[2] for row in rows], np.int64),
        as_input(nothing if kind == "counts" else lows),
        as_input(highs if kind == "wide" else nothing),
        array([row[5] for row in rows if are_less], bool),
    )
    keys = np.array([row[1] for row in rows], np.int64).reshape(-1, 2).T.copy()
    track = Track(*columns_of(tracks), array(ROWS, np.int64))
    cells = SparseCells(3 * ROW_COUNT * 5, 1 + (0 if kind == "counts" else chunks), is_direct)
    cells.fill(
        lambda start, there: kernels.add_facts_at(
            given_facts, keys, track, GRID, everyone, start, there
        ),
        len(rows),
    )
    wanted = defaultdict(lambda: [0, 0])
    behind = iter(zip(rows, amounts, strict=True))
    for track, (_, own) in zip(tracks, customers, strict=True):
        for _ in own:
            (day, its_keys, count, _, _, is_less), amount = next(behind)
            for key, row in product(its_keys, rows_on(track, day, everyone)):
                if key >= 0 and column_on(day) is not None:
                    one = wanted[(key * ROW_COUNT + row) * 5 + column_on(day)]
                    one[0] += count
                    one[1] += -amount if are_less and is_less else amount
    found = {
        code: [
            row[0],
            sum(int(one) << chunk * int(CHUNK_BITS) for chunk, one in enumerate(row[1:])),
        ]
        for code, row in cells.read().items()
    }
    assert {code: one for code, one in found.items() if any(one)} == {
        code: one for code, one in wanted.items() if any(one)
    }


@given(
    st.lists(st.tuples(intervals, facts), max_size=4),
    st.integers(0, 4),
    st.booleans(),
    st.booleans(),
)
def test_customers_by_pairs_of_months(customers, cut, everyone, is_direct):
    stamps = np.zeros(3 * ROW_COUNT, np.int64)
    cells = SparseCells(3 * ROW_COUNT * 25, 1, is_direct)
    wanted = Counter()
    for before, some in ((0, customers[:cut]), (len(customers[:cut]), customers[cut:])):
        tracks = [apart(rows) for rows, _ in some]
        rows = [fact for _, own in some for fact in own]
        nothing = array([], np.int64)
        given_facts = kernels.FactRows(
            offsets_of([own for _, own in some]),
            array([row[0] for row in rows], np.int32),
            array([1] * len(rows), np.int64),
            nothing,
            nothing,
            array([], bool),
        )
        keys = np.array([row[1] for row in rows], np.int64).reshape(-1, 2).T.copy()
        track = Track(*columns_of(tracks), array(ROWS, np.int64))
        add = partial(kernels.add_pairs_at, given_facts, keys, track, GRID, everyone, before)
        cells.fill(lambda start, there, add=add: add(start, stamps, there), len(rows))
        for own, (_, its) in zip(tracks, some, strict=True):
            wanted += pairs_of(own, its, everyone)
    found = {code: row[0] for code, row in cells.read().items() if code // 5 % 5 < code % 5}
    assert {code: one for code, one in found.items() if one} == wanted


@given(
    st.lists(
        st.lists(st.tuples(st.integers(kernels.NOWHERE, 2), st.integers(-1, 4)), max_size=8),
        max_size=4,
    ),
    st.integers(0, 4),
)
def test_pairs_of_months(customers, cut):
    customers = [sorted(own, key=lambda fact: fact[1]) for own in customers]
    owners, latest, pairs = (
        np.zeros(3, np.int64),
        np.zeros(3, np.int64),
        np.zeros((3, 10), np.int64),
    )
    for before, own in ((0, customers[:cut]), (len(customers[:cut]), customers[cut:])):
        flat = [fact for one in own for fact in one]
        kernels.count_pairs(
            offsets_of(own),
            np.array([cell for cell, _ in flat], np.int64),
            np.array([month for _, month in flat], np.int32),
            before,
            owners,
            latest,
            pairs,
        )
    wanted = np.zeros((3, 10), np.int64)
    for own in customers:
        for cell in range(3):
            months = sorted({month for one, month in own if one == cell and month > 0})
            for earlier, month in zip([0, *months], months, strict=False):
                wanted[cell, month * (month - 1) // 2 + earlier] += 1
    assert pairs.tolist() == wanted.tolist()
