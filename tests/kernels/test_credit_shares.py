"""What touches are credited with, against exact fractions."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.attribution import MICROSECOND, decayed, orders_of, power, split
from support.touches import people

from ordercycle_kernels import credit_shares

pytestmark = pytest.mark.kernels
POWERS = np.array(
    [power(step, digit) for digit in (1, 2, 3) for step in range(credit_shares.STEPS)], np.int64
)
LIMIT = 2**127


def columns(paths):
    """Return the length of the path of each touch, and its place there."""
    lengths = [len(path) for path in paths for _ in path]
    places = [place for path in paths for place in range(len(path))]
    return np.array(lengths, np.int32), np.array(places, np.int32)


@given(
    st.lists(st.lists(st.integers(0, 10**17) | st.integers(0, 99), min_size=1, max_size=5)),
    st.sampled_from([1, 7, 2**40, 604_800_000_000]),
)
def test_weights_of_time_decay(paths, half_life):
    paths = [sorted(path) for path in paths]
    lengths, places = columns(paths)
    instants = np.array([one for path in paths for one in path], np.int64)
    weights = np.full(instants.size, 77)
    credit_shares.decay_weights(lengths, places, instants, half_life, POWERS, weights)
    half = timedelta(microseconds=half_life)
    wanted = [decayed((path[-1] - one) * MICROSECOND, half) for path in paths for one in path]
    assert weights.tolist() == wanted


@given(st.lists(people(), max_size=4))
def test_refunds_belong_to_orders(customers):
    entries = [entry for one in customers for entry in one.entries]
    ends = np.cumsum([0, *(len(one.entries) for one in customers)])
    wanted_of = [entry.id if entry.refund_of is None else entry.refund_of for entry in entries]
    table = np.zeros(64, np.int64)
    found = np.full(len(entries), 77)
    unknown = credit_shares.link_orders(
        ends,
        np.array([entry.is_order for entry in entries], bool),
        np.array([0 if entry.id is None else entry.id for entry in entries], np.uint64),
        np.array([0 if one is None else one for one in wanted_of], np.uint64),
        np.array([one is not None for one in wanted_of], bool),
        table,
        found,
    )
    wanted = []
    for begin, one in zip(ends.tolist(), customers, strict=False):
        orders = orders_of(one.entries)
        wanted += [credit_shares.NO_ORDER if row is None else begin + row for row in orders]
    assert found.tolist() == wanted
    assert unknown == wanted.count(credit_shares.NO_ORDER)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 5))), st.sampled_from([0, 1, 99]))
def test_rows_of_entries(drawn, room):
    offsets = np.cumsum([0, *(touches for touches, _ in drawn)])
    orders = [min(order, len(drawn) - 1) for _, order in drawn]
    entries, touches = np.full((2, room), 77)
    count = credit_shares.list_credits(offsets, np.array(orders, np.int64), entries, touches)
    wanted = []
    for entry, order in enumerate(orders):
        own = range(offsets[order], offsets[order + 1]) if order >= 0 else []
        wanted += [(entry, touch) for touch in own] or [(entry, credit_shares.NO_ORDER)]
    assert count == len(wanted)
    assert list(zip(entries.tolist(), touches.tolist(), strict=True))[:count] == wanted[:room]


WEIGHTS = st.lists(st.integers(0, 2**31) | st.integers(1, 3), min_size=1, max_size=6).map(
    lambda weights: [*weights[:-1], max(1, weights[-1])]
)


def money(low, high):
    return st.lists(
        st.tuples(st.integers(low, high) | st.integers(-99, 99), WEIGHTS), min_size=1, max_size=4
    )


@given(money(-LIMIT, LIMIT - 1))
def test_wide_amounts_are_divided(rows):
    lows = np.array([amount & (2**64 - 1) for amount, _ in rows], np.uint64).view(np.int64)
    highs = np.array([amount >> 64 for amount, _ in rows], np.int64)
    check_division(rows, lows, highs)


@given(money(-(2**63), 2**63 - 1))
def test_amounts_of_a_word_are_divided(rows):
    check_division(rows, np.array([amount for amount, _ in rows], np.int64), np.zeros(0, np.int64))


def check_division(rows, lows, highs):
    lengths, _ = columns([weights for _, weights in rows])
    entries = np.repeat(np.arange(len(rows)), [len(weights) for _, weights in rows])
    weights = np.array([one for _, weights in rows for one in weights], np.int64)
    parts, part_highs = np.full(weights.size, 77), np.full(weights.size if highs.size else 0, 77)
    credit_shares.split_integers(entries, lengths, weights, lows, highs, parts, part_highs)
    found = parts.tolist()
    if highs.size:
        found = [
            (high << 64) + low
            for low, high in zip(parts.view(np.uint64).tolist(), part_highs.tolist(), strict=True)
        ]
    assert found == [part for amount, weights in rows for part in split(amount, weights)]


@given(
    st.lists(
        st.tuples(
            st.floats(-1e300, 1e300) | st.sampled_from([0.1, 1.0, 5e-324, 3e-310, 99.99]), WEIGHTS
        ),
        min_size=1,
        max_size=4,
    )
)
def test_floats_are_divided(rows):
    lengths, _ = columns([weights for _, weights in rows])
    entries = np.repeat(np.arange(len(rows)), [len(weights) for _, weights in rows])
    weights = np.array([one for _, weights in rows for one in weights], np.int64)
    parts = np.full(weights.size, np.nan)
    amounts = np.array([amount for amount, _ in rows])
    credit_shares.split_floats(entries, lengths, weights, amounts, parts)
    wanted = [part for amount, weights in rows for part in split(amount, weights)]
    assert parts.tolist() == wanted
