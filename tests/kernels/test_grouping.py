"""Grouping against dictionaries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.placing import placed

from ordercycle_kernels import grouping
from ordercycle_kernels.calendar import NO_DAY

pytestmark = pytest.mark.kernels

# Few distinct values, of which some share their top bits, and the hash that marks empty slots.
hashes = st.lists(
    st.sampled_from([0, 1, 2, 2**60, 2**60 + 1, 2**63, 2**64 - 1, 2**64 - 2])
    | st.integers(0, 2**64 - 1),
    max_size=60,
)


def grouped(values, slots):
    """Return the rows of each slot, checked against the rows of each value."""
    by_slot, by_value = {}, {}
    for row, (value, slot) in enumerate(zip(values, slots, strict=True)):
        by_slot.setdefault(int(slot), []).append(row)
        by_value.setdefault(value, []).append(row)
    assert sorted(by_slot.values()) == sorted(by_value.values())
    return by_slot


@given(hashes)
def test_rows_of_a_hash_share_a_slot(values):
    # What an earlier partition left in the table does no harm, not even the same hashes.
    table, sizes = np.resize(np.array([*values, 1], np.uint64), 256), np.zeros(256, np.int32)
    slots = np.empty(len(values), np.int32)
    found = grouping.find_slots(np.array(values, np.uint64), 0, table, sizes, slots)
    assert found == len(set(values))
    by_slot = grouped(values, slots)
    assert {slot: int(sizes[slot]) for slot in np.flatnonzero(sizes)} == {
        slot: len(rows) for slot, rows in by_slot.items()
    }
    ordered, taken = np.empty(found, np.uint64), np.empty(found, np.int32)
    grouping.order_customers(table, sizes, ordered, taken)
    assert ordered.tolist() == sorted(set(values))
    assert [values[by_slot[slot][0]] for slot in taken.tolist()] == ordered.tolist()


def test_a_table_that_is_too_small_says_so():
    values = np.arange(10, dtype=np.uint64) << np.uint64(50)
    table, sizes = np.zeros(32, np.uint64), np.zeros(32, np.int32)
    assert grouping.find_slots(values, 0, table, sizes, np.empty(10, np.int32)) == -1
    one = np.array([1], np.int32)
    starts, data = np.arange(10, dtype=np.int64), np.arange(10, dtype=np.uint8)
    firsts, sizes = np.zeros(32, np.int32), np.zeros(32, np.int32)
    found = grouping.find_slots_of_bytes(
        values, starts, one, data, 0, firsts, sizes, np.empty(10, np.int32)
    )
    assert found == grouping.TABLE_FULL


ids = st.lists(
    st.sampled_from(
        [b"", b"a", b"b", b"aa", b"ab", b"ba", b"\xff", b"a\x00", b"a word and x", b"a word and y"]
    ),
    max_size=50,
)


@given(ids, st.integers(1, 3))
def test_ids_with_the_same_hash_are_kept_apart(values, distinct_hashes):
    """The hash is made to collide on purpose: only the bytes tell who is who."""
    collided = [len(value) % distinct_hashes for value in values]
    ids = placed(values)
    firsts, sizes = np.zeros(64, np.int32), np.zeros(64, np.int32)
    slots = np.empty(len(values), np.int32)
    array = np.array(collided, np.uint64)
    found = grouping.find_slots_of_bytes(array, *ids, 0, firsts, sizes, slots)
    assert found == len(set(values))
    by_slot = grouped(values, slots)
    assert all(firsts[slot] == rows[0] for slot, rows in by_slot.items())
    taken = np.empty(found, np.int32)
    grouping.order_customers_of_bytes(array, *ids, firsts, sizes, taken)
    in_order = [values[firsts[slot]] for slot in taken]
    assert in_order == sorted(set(values), key=lambda value: (len(value) % distinct_hashes, value))


@given(st.lists(st.integers(0, 7), max_size=30))
def test_first_rows_are_noted(slots):
    firsts = np.full(8, -1, np.int32)
    grouping.note_first_rows(np.array(slots, np.int32), firsts)
    assert firsts.tolist() == [slots.index(slot) if slot in slots else -1 for slot in range(8)]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(-5, 20)), max_size=40), st.data())
def test_rows_are_listed_by_customer_and_day(rows, data):
    slots = np.array([slot for slot, _ in rows], np.int32)
    days = np.array([day for _, day in rows], np.int32)
    by_day = np.empty(len(rows), np.int32)
    grouping.order_rows_by_day(days, -5, np.zeros(26, np.int64), by_day)
    assert by_day.tolist() == sorted(range(len(rows)), key=lambda row: days[row])
    listed = np.array(data.draw(st.lists(st.integers(0, 1), min_size=8, max_size=8)), np.int32)
    sizes = np.bincount(slots, minlength=8).astype(np.int32) + listed
    taken = data.draw(st.permutations(np.flatnonzero(sizes).tolist()))
    offsets = np.empty(len(taken) + 1, np.int64)
    grouping.place_customers(np.array(taken, np.int32), listed, sizes, offsets)
    out, cursors = np.full(len(rows), -1, np.int32), sizes.copy()
    grouping.order_rows_by_customer(by_day, slots[by_day], cursors, out)
    expected = [
        [row for row in sorted(range(len(rows)), key=lambda r: days[r]) if slots[row] == slot]
        for slot in taken
    ]
    assert offsets.tolist() == np.cumsum([0] + [len(part) for part in expected]).tolist()
    assert out.tolist() == [row for part in expected for row in part]
    ascend = days.tolist() == sorted(days.tolist())
    assert grouping.days_ascend(days) == ascend
    # Rows whose days ascend need no other order.
    cursors = sizes.copy()
    grouping.list_rows_by_customer(slots[by_day], cursors, out)
    assert by_day[out].tolist() == [row for part in expected for row in part]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=12))
def test_the_first_row_registers_a_customer(rows):
    registered = np.full(6, NO_DAY, np.int32)
    listed = np.zeros(6, np.int32)
    repeated = grouping.register_customers(
        np.array([slot for slot, _ in rows], np.int32),
        np.array([day for _, day in rows], np.int32),
        registered,
        listed,
    )
    first = {}
    for row, (slot, day) in enumerate(rows):
        first.setdefault(slot, (row, day))
    assert repeated == len(rows) - len(first)
    assert registered.tolist() == [first.get(slot, (0, NO_DAY))[1] for slot in range(6)]
    assert listed.tolist() == [first[slot][0] + 1 if slot in first else 0 for slot in range(6)]
