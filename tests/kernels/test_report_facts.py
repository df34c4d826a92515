"""Facts of a report, against what is written out fact by fact."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


facts = st.lists(
    st.tuples(
        st.integers(kernels.NOWHERE, 6),
        st.integers(-3, 3),
        st.integers(-(2**62), 2**62),
        st.integers(-(2**62), 2**62),
        st.booleans(),
    ),
    max_size=12,
)


@given(facts, st.sampled_from(["counts", "words", "wide", "floats"]), st.booleans())
def test_facts_add_up(rows, kind, are_less):
    places = np.array([row[0] for row in rows], np.int64)
    numbers, cells = np.zeros(7, np.int32), np.full(len(rows), 77)
    half = len(rows) // 2
    taken = kernels.take_cells(places[:half], 0, numbers, cells[:half])
    taken = kernels.take_cells(places[half:], taken, numbers, cells[half:])
    assert taken == len(set(places.tolist()) - {kernels.NOWHERE})
    lows = np.array([row[2] for row in rows], np.int64)
    highs = np.array([row[3] for row in rows], np.int64)
    amounts = [int(low) for low in lows]
    if kind == "wide":
        pairs = zip(highs.tolist(), lows.tolist(), strict=True)
        amounts = [(high << 64) + (low & (2**64 - 1)) for high, low in pairs]
    if kind == "floats":
        floats = np.round(lows / 3)
        amounts = [int(one) << 1074 for one in floats]
        lows = floats.view(np.int64)
    chunks = FLOAT_CHUNKS if kind == "floats" else INTEGER_CHUNKS
    table = np.zeros((taken, 1 + (0 if kind == "counts" else chunks)), np.int64)
    nothing = np.zeros(0, np.int64)
    kernels.add_facts(
        cells,
        np.array([row[1] for row in rows], np.int64),
        nothing if kind == "counts" else lows,
        highs if kind == "wide" else nothing,
        np.array([row[4] for row in rows if are_less], bool),
        table,
    )
    wanted = defaultdict(lambda: [0, 0])
    for (place, count, _, _, is_less), amount in zip(rows, amounts, strict=True):
        if place >= 0:
            wanted[place][0] += count
            wanted[place][1] += -amount if are_less and is_less else amount
    for place, (count, amount) in wanted.items():
        found = table[numbers[place] - 1]
        assert found[0] == count
        if kind != "counts":
            total = sum(int(one) << chunk * int(CHUNK_BITS) for chunk, one in enumerate(found[1:]))
            assert total == amount


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
