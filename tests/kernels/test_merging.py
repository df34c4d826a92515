"""Merging arriving orders against sorting all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import merging

pytestmark = pytest.mark.kernels

amounts = st.integers(-(2**63), 2**63 - 1)
order = st.tuples(st.integers(0, 2), st.integers(-2, 2), st.integers(-3, 3) | amounts)
orders = st.lists(order, max_size=30).map(sorted)
CUSTOMERS = 3


def offsets_of(rows):
    return np.searchsorted([row[0] for row in rows], np.arange(CUSTOMERS + 1)).astype(np.int64)


def days_found(there, arriving):
    offsets = offsets_of(there)
    days = np.array([row[1] for row in there], np.int32)
    starts, stops = (np.empty(len(arriving), np.int64) for _ in range(2))
    merging.find_days(
        offsets[:-1], offsets[1:], days,
        offsets_of(arriving), np.array([row[1] for row in arriving], np.int32), starts, stops,
    )  # fmt: skip
    return starts, stops


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5)), st.lists(st.integers(0, 6)))
def test_hashes_are_found(there, wanted):
    there, wanted = sorted(there), sorted(wanted)
    positions = np.empty(len(wanted), np.int64)
    merging.find_hashes(np.array(there, np.uint64), np.array(wanted, np.uint64), positions)
    assert positions.tolist() == [sum(other < one for other in there) for one in wanted]


@given(orders, orders)
def test_days_are_found(there, arriving):
    starts, stops = days_found(there, arriving)
    for row, start, stop in zip(arriving, starts, stops, strict=True):
        assert start == sum(other[:2] < row[:2] for other in there)
        assert stop == sum(other[:2] <= row[:2] for other in there)


@given(orders, orders)
def test_amounts_are_merged(there, arriving):
    starts, stops = days_found(there, arriving)
    words, more = (np.array([row[2] for row in rows], np.int64) for rows in (there, arriving))
    places = np.empty(len(arriving), np.int64)
    merging.find_amounts(starts, stops, words, more, False, places)  # noqa: FBT003
    merged = np.empty(len(there) + len(arriving), np.int64)
    merging.merge["int64"](words, more, places, merged)
    assert merged.tolist() == [row[2] for row in sorted(there + arriving)]


@given(st.lists(st.floats(allow_nan=False).map(lambda value: value + 0.0), max_size=20), st.data())
def test_floats_are_merged_by_value(values, data):
    there = sorted(values)
    arriving = sorted(data.draw(st.lists(st.sampled_from([*values, -1.5, 0.0, 2.5]))))
    words, more = (np.array(rows, np.float64).view(np.int64) for rows in (there, arriving))
    starts, stops = np.zeros(more.size, np.int64), np.full(more.size, words.size)
    places = np.empty(more.size, np.int64)
    merging.find_amounts(starts, stops, words, more, True, places)  # noqa: FBT003
    merged = np.empty(words.size + more.size, np.int64)
    merging.merge["int64"](words, more, places, merged)
    assert merged.view(np.float64).tolist() == sorted(there + arriving)


@given(st.lists(st.integers(-(2**127), 2**127 - 1)), st.lists(st.integers(-(2**127), 2**127 - 1)))
def test_wide_amounts_find_their_places(there, arriving):
    there, arriving = sorted(there), sorted(arriving)
    words = []
    for rows in (there, arriving):
        lows = np.array([row & (2**64 - 1) for row in rows], np.uint64).view(np.int64)
        words += [lows, np.array([row >> 64 for row in rows], np.int64)]
    starts, stops = np.zeros(len(arriving), np.int64), np.full(len(arriving), len(there))
    places = np.empty(len(arriving), np.int64)
    merging.find_wide_amounts(starts, stops, *words, places)
    expected = [
        sum(other <= row for other in there) + number for number, row in enumerate(arriving)
    ]
    assert places.tolist() == expected


@pytest.mark.parametrize("item", ["int32", "int64", "uint64"])
@given(data=st.data())
def test_columns_are_merged(item, data):
    there = data.draw(st.lists(st.integers(0, 9)))
    arriving = data.draw(st.lists(st.integers(10, 19)))
    size = len(there) + len(arriving)
    places = sorted(data.draw(st.permutations(range(size)))[: len(arriving)])
    expected = list(there)
    for place, value in zip(places, arriving, strict=True):
        expected.insert(place, value)
    out = np.empty(size, item)
    merging.merge[item](
        np.array(there, item), np.array(arriving, item), np.array(places, np.int64), out
    )
    assert out.tolist() == expected
