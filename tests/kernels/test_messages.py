"""Deliveries and what became of them, against what is written out touch by touch."""

from collections import Counter
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cells import SparseCells

from ordercycle_kernels import messages as kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.cube import NO_ROW, Track
from ordercycle_kernels.report_facts import Grid

pytestmark = pytest.mark.kernels
MARKS = [0, kernels.DELIVERED, kernels.OPENED, kernels.CLICKED, kernels.UNSUBSCRIBED]
CHANNELS, BRANDS, COLUMNS, ROWS = 2, 2, 4, 3
FIRST_DAY = 2


class Touch(NamedTuple):
    instant: int
    kind: int
    channel: int
    campaign: int
    brand: int
    message: int | None
    is_excluded: bool
    is_wanted: bool


touches = st.builds(
    Touch,
    st.integers(0, 9),
    st.sampled_from([1, 1, 2, 3, 4, 0]),
    st.integers(0, CHANNELS - 1),
    st.integers(0, 2),
    st.integers(0, BRANDS - 1),
    st.none() | st.integers(0, 2),
    st.sampled_from([False, False, True]),
    st.booleans(),
)
customers = st.lists(
    st.lists(touches, max_size=8).map(lambda own: sorted(own, key=lambda one: one.instant)),
    max_size=3,
)


def array(values, dtype):
    return as_input(np.array(values, dtype))


def offsets_of(lists):
    return np.cumsum([0, *map(len, lists)])


def meaning(touch):
    return 0 if touch.is_excluded else MARKS[touch.kind]


def delivery_of(own, touch):
    """Return the place of the delivery that a touch is about, None where there is none."""
    before = [
        place
        for place, one in enumerate(own)
        if meaning(one) == kernels.DELIVERED and one.instant <= touch.instant
    ]
    same = [one for one in before if None is not own[one].message == touch.message]
    alike = [
        one for one in before if touch.campaign and own[one][2:4] == (touch.channel, touch.campaign)
    ]
    return max(same or alike, default=None)


def linked(batches, linking, before, has_campaigns, has_messages):
    """Return the deliveries that a kernel lists, how many, and those of wanted touches."""
    flat = [one for own in batches for one in own]
    ends = offsets_of(batches)
    known = [one.message is not None for one in flat if has_messages]
    messages = [one.message or 0 for one in flat if has_messages]
    rows = kernels.TouchRows(
        array(ends[:-1], np.int64),
        array(ends[1:], np.int64),
        array([one.instant for one in flat], np.int64),
        array([one.instant // 2 for one in flat], np.int32),
        array(messages, np.uint64),
        array(known, bool),
        array([one.is_excluded for one in flat], bool),
        array([one.is_wanted for one in flat], bool),
    )
    codes = kernels.TouchCodes(
        array([one.kind for one in flat], np.uint8),
        array([one.channel for one in flat], np.uint8),
        array([one.campaign for one in flat if has_campaigns], np.uint8),
        array([one.brand for one in flat], np.uint8),
    )
    size = len(flat)
    sent = kernels.Sent(
        np.zeros(len(batches) + 1, np.int64),
        *np.full((2, size), 77),
        np.full(size, 77, np.int32),
        np.full(size, 77, np.uint8),
    )
    classes = np.repeat(np.array(MARKS, np.int8), CHANNELS)
    found = np.full(size, 77)
    count = kernels.link_messages["uint8"](
        rows, codes, classes, CHANNELS, BRANDS, before, linking, sent, found
    )
    return sent, count, found


@given(customers, st.integers(0, 3), st.booleans(), st.booleans())
def test_deliveries_and_what_is_about_them(people, cut, has_campaigns, has_messages):
    if not has_campaigns:
        people = [[one._replace(campaign=0) for one in own] for own in people]
    if not has_messages:
        people = [[one._replace(message=None) for one in own] for own in people]
    linking = kernels.Linking(np.zeros(3 * CHANNELS, np.int64), *np.zeros((2, 16), np.int64))
    before = 0
    for batches in (people[:cut], people[cut:]):
        sent, count, found = linked(batches, linking, before, has_campaigns, has_messages)
        before += count
        begin, wanted, asked = 0, [], {}
        for own in batches:
            marks = {place: 0 for place, one in enumerate(own) if meaning(one) == kernels.DELIVERED}
            for place, one in enumerate(own):
                about = delivery_of(own, one)
                if about is not None and meaning(one) > kernels.DELIVERED:
                    marks[about] |= meaning(one)
                if one.is_wanted:
                    asked[begin + place] = -1 if about is None else begin + about
            wanted.append([(begin + place, own[place], mark) for place, mark in marks.items()])
            begin += len(own)
        assert sent.offsets.tolist() == offsets_of(wanted).tolist()
        flat = [one for its in wanted for one in its]
        assert count == len(flat)
        assert sent.rows[:count].tolist() == [row for row, _, _ in flat]
        assert sent.marks[:count].tolist() == [mark for _, _, mark in flat]
        assert sent.days[:count].tolist() == [one.instant // 2 for _, one, _ in flat]
        assert sent.leaves[:count].tolist() == [
            (one.campaign * CHANNELS + one.channel) * BRANDS + one.brand for _, one, _ in flat
        ]
        assert {row: found[row] for row in asked} == asked


sent_messages = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 7)), max_size=6
        ).map(sorted),
        st.none() | st.tuples(st.integers(0, 8), st.integers(1, 9), st.integers(0, 1)),
    ),
    max_size=4,
)
#: The keys of two leaves, and how much further those of each brand are.
LEAF_KEYS, BRAND_KEYS = [[0, 1], [0, -1]], [-1, 2]


@given(sent_messages, st.booleans(), st.booleans())
def test_messages_are_counted_by_leaf_and_customers_by_key(people, everyone, is_direct):
    flat = [one for own, _ in people for one in own]
    count = len(flat)
    sent = kernels.Sent(
        offsets_of([own for own, _ in people]),
        np.arange(count),
        np.array([leaf for _, leaf, _ in flat], np.int64),
        np.array([day for day, _, _ in flat], np.int32),
        np.array([mark * 2 for _, _, mark in flat], np.uint8),
    )
    stays = [[] if stay is None else [stay] for _, stay in people]
    track = Track(
        as_input(offsets_of(stays)),
        array([own[0][2] for own in stays if own], np.int16),
        array([own[0][0] for own in stays if own], np.int32),
        array([sum(own[0][:2]) for own in stays if own], np.int32),
        array([1, NO_ROW], np.int64),
    )
    grid = Grid(array([1, 1, 2, 2, 3, 3], np.int32), array([FIRST_DAY, ROWS, COLUMNS], np.int64))
    stamps = np.zeros(4 * ROWS, np.int64)
    counts = SparseCells(4 * 2 * ROWS * COLUMNS, kernels.COUNTS, is_direct)
    pairs = SparseCells(4 * ROWS * COLUMNS**2, 1, is_direct)
    count_messages = partial(
        kernels.count_messages, sent, np.array(LEAF_KEYS, np.int32), array(BRAND_KEYS, np.int64),
        track, grid, everyone, 5,
    )  # fmt: skip
    start = -1
    while start < count:
        start = count_messages(max(start, 0), stamps, counts.cells, pairs.cells)
        if not is_direct:
            counts.grow(1)
            pairs.grow(8)
    wanted, reached = Counter(), {}
    for number, (own, stay) in enumerate(people):
        for day, leaf, mark in own:
            column = 0 if day < FIRST_DAY else (day - FIRST_DAY) // 2 + 1
            is_there = stay is not None and stay[0] <= day < sum(stay[:2]) and stay[2] == 0
            if column >= COLUMNS or not (is_there or everyone):
                continue
            row = (1 if is_there else ROWS - 1) + (0 if everyone else ROWS)
            code = (leaf * 2 * ROWS + row) * COLUMNS + column
            wanted[code, 0] += 1
            for place in range(3):
                wanted[code, place + 1] += mark >> place & 1
            keys = [key for key in LEAF_KEYS[leaf // BRANDS] if key >= 0]
            if BRAND_KEYS[leaf % BRANDS] > 0:
                keys += [key + BRAND_KEYS[leaf % BRANDS] for key in keys]
            rows = [*([1] if is_there else []), *([ROWS - 1] if everyone else [])]
            for key in keys if column else []:
                for one in rows:
                    reached.setdefault((number, key * ROWS + one), set()).add(column)
    found = Counter(
        {
            (code, place): one
            for code, row in counts.read().items()
            for place, one in enumerate(row)
            if one
        }
    )
    assert found == +wanted
    by_pair = Counter(
        (place * COLUMNS + earlier) * COLUMNS + month
        for (_, place), months in reached.items()
        for earlier, month in zip([0, *sorted(months)], sorted(months), strict=False)
    )
    new = {
        code: row[0]
        for code, row in pairs.read().items()
        if row[0] and code // COLUMNS % COLUMNS < code % COLUMNS
    }
    assert new == by_pair
