"""Merging arriving orders against sorting all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import merging
from ordercycle_kernels._types import as_input

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


def merged(there, arriving, *, are_floats=False):
    """Merge rows of (customer, day, word); return them without their customers."""
    columns = []
    for rows in (there, arriving):
        days, words = (
            np.array([row[column] for row in rows], kind)
            for column, kind in ((1, np.int32), (2, np.float64 if are_floats else np.int64))
        )
        columns.append(merging.Orders(as_input(days), as_input(words.view(np.int64))))
    size = len(there) + len(arriving)
    days, words = np.empty(size, np.int32), np.empty(size, np.int64)
    offsets, arriving_offsets = offsets_of(there), offsets_of(arriving)
    merging.merge_orders(
        offsets[:-1], offsets[1:], columns[0], arriving_offsets, columns[1], are_floats,
        days, words,
    )  # fmt: skip
    return list(
        zip(
            days.tolist(),
            words.view(words.dtype if not are_floats else np.float64).tolist(),
            strict=True,
        )
    )


@given(orders, orders)
def test_orders_are_merged(there, arriving):
    assert merged(there, arriving) == [row[1:] for row in sorted(there + arriving)]


floats = st.floats(allow_nan=False).map(lambda value: value + 0.0)
float_order = st.tuples(
    st.integers(0, 2), st.integers(0, 1), floats | st.sampled_from([-1.5, -2.5, 0.0, 2.5])
)


@given(*[st.lists(float_order, max_size=20).map(sorted)] * 2)
def test_floats_are_merged_by_value(there, arriving):
    found = merged(there, arriving, are_floats=True)
    assert found == [row[1:] for row in sorted(there + arriving)]


@given(
    st.lists(st.integers(0, 3), max_size=6),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), unique_by=lambda row: row[0]),
)
def test_offsets_are_merged(sizes, arriving):
    """Customers there have even numbers, so that odd ones are new."""
    lists = {2 * number: size for number, size in enumerate(sizes)}
    arriving = sorted(arriving)
    found = np.array([number in lists for number, _ in arriving], np.bool_)
    positions = np.array([-(-number // 2) for number, _ in arriving], np.int64)
    positions = np.minimum(positions, len(sizes))
    for number, size in arriving:
        lists[number] = lists.get(number, 0) + size
    offsets, more = (
        np.cumsum([0, *parts]).astype(np.int64) for parts in (sizes, [size for _, size in arriving])
    )
    out = np.empty(len(lists) + 1, np.int64)
    merging.merge_offsets(offsets, more, positions, found, out)
    assert out.tolist() == np.cumsum([0, *(lists[number] for number in sorted(lists))]).tolist()


wide_amounts = st.integers(-(2**127), 2**127 - 1) | st.integers(-2, 2)
order_keys = st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 1)


def places_of(there, arriving, *, are_floats=False, are_wide=False, have_keys=True):
    """Find the places of rows of (amount, key) of one day among others."""
    columns = []
    for rows in (there, arriving):
        amounts_of = [row[0] for row in rows]
        highs = [amount >> 64 for amount in amounts_of] if are_wide else []
        if are_floats:
            lows = np.array(amounts_of, np.float64).view(np.int64)
        else:
            lows = np.array([one & (2**64 - 1) for one in amounts_of], np.uint64).view(np.int64)
        keys = np.array([row[1] for row in rows] if have_keys else [], np.int64).view(np.uint64)
        columns.append(
            merging.DaysOfOrders(
                as_input(lows), as_input(np.array(highs, np.int64)), as_input(keys)
            )
        )
    starts, stops = np.zeros(len(arriving), np.int64), np.full(len(arriving), len(there))
    places = np.empty(len(arriving), np.int64)
    merging.find_days_of_orders(starts, stops, *columns, are_floats, places)
    return places.tolist()


def places_expected(there, arriving):
    return [sum(other <= row for other in there) + place for place, row in enumerate(arriving)]


@given(*[st.lists(st.tuples(wide_amounts, order_keys), max_size=20).map(sorted)] * 2)
def test_days_of_orders_find_their_places(there, arriving):
    assert places_of(there, arriving, are_wide=True) == places_expected(there, arriving)


@given(*[st.lists(st.tuples(amounts, order_keys), max_size=20).map(sorted)] * 2)
def test_days_of_orders_of_one_word_find_their_places(there, arriving):
    assert places_of(there, arriving) == places_expected(there, arriving)


@given(*[st.lists(st.tuples(floats, order_keys), max_size=20).map(sorted)] * 2)
def test_days_of_orders_in_floats_find_their_places(there, arriving):
    assert places_of(there, arriving, are_floats=True) == places_expected(there, arriving)


@given(*[st.lists(st.tuples(wide_amounts), max_size=20).map(sorted)] * 2)
def test_wide_amounts_without_keys_find_their_places(there, arriving):
    found = places_of(there, arriving, are_wide=True, have_keys=False)
    assert found == places_expected(there, arriving)


@pytest.mark.parametrize("item", ["uint8", "uint16", "uint32", "uint64"])
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
