"""Touches that lead to orders, against the rules written out one order and touch at a time."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.attribution import (
    MICROSECOND,
    long_paths,
    path_lengths,
    place_among,
    sort_key,
    window_start,
)
from support.touches import BRANDS, CAMPAIGNS, CHANNELS, KINDS, models, people

from ordercycle_kernels import touch_paths
from ordercycle_kernels._types import as_input

pytestmark = pytest.mark.kernels
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ITEMS = ("uint8", "uint16", "uint32")


def microseconds(moment):
    return (moment - EPOCH) // MICROSECOND


def words(values, dtype=np.int64):
    return as_input(np.array(values, dtype))


def offsets_of(lists):
    return words(np.cumsum([0, *map(len, lists)]))


def class_of(model, touch):
    """Return what tells classes of touches apart: all those of a competition come together."""
    tier = place_among(model.tiers, touch)
    return (
        str(model.competition(touch)),
        model.window_of(touch) // MICROSECOND,
        len(model.tiers) if tier is None else tier,
    )


def arranged(model, customers):
    """Return the arrays of a case, and the touches that may win, in their order."""
    qualified = [
        sorted(filter(model.takes_part, one.touches), key=lambda touch: sort_key(model, touch))
        for one in customers
    ]
    classes = sorted({class_of(model, touch) for own in qualified for touch in own})
    competitions = sorted({one[0] for one in classes})
    brands = len(BRANDS) if model.brand else 1

    def code(touch):
        brand = BRANDS.index(touch.brand) if model.brand else 0
        return classes.index(class_of(model, touch)) * brands + brand

    flat = [(one, touch) for one, own in zip(customers, qualified, strict=True) for touch in own]
    entries = [entry for one in customers for entry in one.entries]
    visits = [one.visits for one in customers]
    ends = offsets_of(visits)
    return (
        touch_paths.Entries(
            offsets_of([one.entries for one in customers]),
            words([microseconds(entry.at) for entry in entries]),
            words([entry.is_order for entry in entries], bool),
            words([BRANDS.index(entry.brand) for entry in entries] if model.brand else []),
        ),
        touch_paths.Touches(
            offsets_of(qualified),
            words([microseconds(touch.at) for _, touch in flat]),
            words([microseconds(window_start(model, touch, one.touches)) for one, touch in flat]),
            words([code(touch) for _, touch in flat]),
        ),
        touch_paths.Visits(
            as_input(ends[:-1].copy()),
            as_input(ends[1:].copy()),
            words([microseconds(visit) for own in visits for visit in own]),
        ),
        touch_paths.Rules(
            words([one[1] for one in classes]),
            words([one[2] for one in classes]),
            offsets_of([[one for one in classes if one[0] == name] for name in competitions]),
        ),
        qualified,
        brands,
    )


@given(models(), st.lists(people(), max_size=3), st.booleans())
def test_touches_of_orders(model, customers, is_short_of_room):
    entries, touches, visits, rules, qualified, brands = arranged(model, customers)
    is_last = model.model == "last_touch"
    room = 1 if is_short_of_room else 999
    heads = np.full(rules.windows.size * brands, touch_paths.NO_TOUCH)
    offsets = np.full(entries.instants.size + 1, 77)
    found, counts = np.full(room, 77), np.full(2, 77)
    touch_paths.follow_touches(
        entries,
        touches,
        visits,
        rules,
        1 if is_last else model.most_touches,
        is_last,
        model.strict,
        model.reuse,
        heads,
        np.empty(brands, np.int64),
        np.empty(touches.instants.size, np.int64),
        offsets,
        found,
        counts,
    )
    wanted, begin, lengths = [], 0, []
    longer = 0
    for one, own in zip(customers, qualified, strict=True):
        paths = {}
        for order, _, rows in path_lengths(model, one.entries, one.touches, one.visits):
            kept = [one.touches[row] for row in rows][-1 if is_last else -model.most_touches :]
            paths.setdefault(order, []).append(kept)
        for order in range(len(one.entries)):
            those = sorted(paths.get(order, []), key=lambda path: str(model.competition(path[0])))
            wanted += [begin + own.index(touch) for path in those for touch in path]
            lengths.append(sum(map(len, those)))
        longer += long_paths(model, one.entries, one.touches, one.visits)
        begin += len(own)
    assert offsets.tolist() == np.cumsum([0, *lengths]).tolist()
    assert found[: len(wanted)].tolist() == wanted[:room]
    assert counts[0] == len(wanted)
    assert is_last or counts[1] == longer
    assert (heads == touch_paths.NO_TOUCH).all()


@given(st.lists(people(), max_size=3), st.sampled_from(ITEMS), st.booleans(), st.data())
def test_touches_that_may_win(customers, item, has_excluded, data):
    touches = [touch for one in customers for touch in one.touches]
    ends = np.cumsum([0, *(len(one.touches) for one in customers)])
    classes = data.draw(
        st.lists(
            st.integers(-1, 3),
            min_size=len(KINDS) * len(CHANNELS),
            max_size=len(KINDS) * len(CHANNELS),
        )
    )
    offsets = np.full(len(customers) + 1, 77)
    room = data.draw(st.sampled_from([1, 3, len(touches) + 1]))
    rows, found = np.full((2, room), 77)
    count = touch_paths.select_touches[item](
        ends[:-1],
        ends[1:],
        np.array([KINDS.index(touch.kind) for touch in touches], item),
        np.array([CHANNELS.index(touch.channel) for touch in touches], item),
        len(CHANNELS),
        np.array(classes, np.int32),
        np.array([touch.is_excluded for touch in touches if has_excluded], bool),
        offsets,
        rows,
        found,
    )
    wanted, sizes = [], [0]
    for row, touch in enumerate(touches):
        one = classes[KINDS.index(touch.kind) * len(CHANNELS) + CHANNELS.index(touch.channel)]
        if one >= 0 and not (has_excluded and touch.is_excluded):
            wanted.append((row, one))
    sizes = [sum(row < end for row, _ in wanted) for end in ends]
    assert offsets.tolist() == sizes
    assert count == len(wanted)
    if count < room:
        assert list(zip(rows[:count].tolist(), found[:count].tolist(), strict=True)) == wanted


CLICKS = st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=12)


@given(st.lists(CLICKS, max_size=3), st.integers(2, 4), st.integers(0, 9), st.booleans())
def test_clicks_in_bursts(customers, count, width, is_marked):
    customers = [sorted(own) for own in customers]
    touches = [one for own in customers for one in own]
    ends = np.cumsum([0, *map(len, customers)])
    marks = np.full(len(touches), is_marked)
    touch_paths.mark_bursts(
        ends[:-1],
        ends[1:],
        np.array([at for at, _ in touches], np.int64),
        np.array([is_click for _, is_click in touches], np.bool_),
        count,
        width,
        np.empty(count, np.int64),
        marks,
    )
    wanted = []
    for own in customers:
        clicks = [at for at, is_click in own if is_click]
        bursts = [
            (first, first + width)
            for first in clicks
            if sum(first <= at < first + width for at in clicks) >= count
        ]
        wanted += [
            is_marked or (is_click and any(first <= at < end for first, end in bursts))
            for at, is_click in own
        ]
    assert marks.tolist() == wanted


@given(st.lists(st.lists(st.integers(0, 3)), max_size=4))
def test_touches_of_one_instant(customers):
    customers = [sorted(own) for own in customers]
    instants = np.array([one for own in customers for one in own], np.int64)
    rows, stretches = np.full(instants.size, 77), np.full(instants.size, 77)
    count = touch_paths.tied_touches(offsets_of(customers), instants, rows, stretches)
    wanted, begin, stretch = [], 0, 0
    for own in customers:
        for instant in sorted(set(own)):
            those = [begin + row for row, one in enumerate(own) if one == instant]
            if len(those) > 1:
                wanted += [(row, stretch) for row in those]
                stretch += 1
        begin += len(own)
    found = zip(rows[:count].tolist(), stretches[:count].tolist(), strict=True)
    assert list(found) == wanted


@given(models(), st.lists(people(), max_size=3), st.booleans())
def test_windows_start_with_deliveries(model, customers, has_messages):
    touches = [touch for one in customers for touch in one.touches]
    if not has_messages:
        touches = [touch._replace(message=None) for touch in touches]
    ends = np.cumsum([0, *(len(one.touches) for one in customers)])
    rows = [row for row, touch in enumerate(touches) if model.takes_part(touch)]
    offsets = np.array([sum(row < end for row in rows) for end in ends])
    found = np.full(len(rows), 77)
    instants = [microseconds(touch.at) for touch in touches]
    unknown = touch_paths.delivery_rows(
        ends[:-1],
        ends[1:],
        np.array(instants, np.int64),
        np.array([touch.kind == "delivery" and not touch.is_excluded for touch in touches], bool),
        np.array([touch.message or 0 for touch in touches if has_messages], np.uint64),
        np.array([touch.message is not None for touch in touches if has_messages], bool),
        np.array(
            [
                0
                if touch.campaign is None
                else 1
                + CAMPAIGNS.index(touch.campaign) * len(CHANNELS)
                + CHANNELS.index(touch.channel)
                for touch in touches
            ],
            np.int64,
        ),
        offsets,
        np.array(rows, np.int64),
        np.zeros(64, np.int64),
        np.zeros(len(CAMPAIGNS) * len(CHANNELS) + 1, np.int64),
        found,
    )
    starts = [
        instants[row if delivery == touch_paths.NO_TOUCH else delivery]
        for row, delivery in zip(rows, found.tolist(), strict=True)
    ]
    clock = type(model)(clock="delivery")
    wanted, missing = [], 0
    for row in rows:
        customer = int(np.searchsorted(ends, row, side="right")) - 1
        own = touches[ends[customer] : ends[customer + 1]]
        start = window_start(clock, touches[row], own)
        wanted.append(microseconds(start))
        others = [one for one in own if one.kind == "delivery" and not one.is_excluded]
        same = [
            one
            for one in others
            if one.at <= touches[row].at
            and (
                (one.message is not None and one.message == touches[row].message)
                or (
                    one.campaign is not None
                    and one.campaign == touches[row].campaign
                    and one.channel == touches[row].channel
                )
            )
        ]
        missing += not same
    assert starts == wanted
    assert unknown == missing


@given(st.lists(st.lists(st.integers(0, 2)), max_size=4))
def test_lengths_of_paths(orders):
    orders = [sorted(own) for own in orders]
    competitions = np.array([one for own in orders for one in own], np.int32)
    lengths, places = np.full((2, competitions.size), 77, np.int32)
    touch_paths.count_paths(offsets_of(orders), competitions, lengths, places)
    wanted = [
        (own.count(one), row - own.index(one)) for own in orders for row, one in enumerate(own)
    ]
    assert list(zip(lengths.tolist(), places.tolist(), strict=True)) == wanted
