"""The total order of a customer's events, and repeated ones, against plain Python."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordercycle_kernels import event_order

pytestmark = pytest.mark.kernels

keys = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2)
rows = st.tuples(st.integers(0, 2), keys, st.integers(-1, 1))


def offsets_of(groups):
    return np.cumsum([0] + [len(group) for group in groups], dtype=np.int64)


def ordered(customers):
    """Return the rows by customer, ordered by day and then by two keys, and what is left tied."""
    flat = [row for group in customers for row in group]
    columns = [np.array([row[place] for row in flat], np.int64) for place in range(3)]
    days = columns[0].astype(np.int32)
    offsets = offsets_of(customers)
    by_day = [
        row
        for start, stop in itertools.pairwise(offsets)
        for row in sorted(range(start, stop), key=lambda row: days[row])
    ]
    order = np.array(by_day, np.int32)
    begins = np.empty(order.size, np.bool_)
    tied = [event_order.begin_days(offsets, days, order, begins)]
    tied += [
        event_order.break_ties(column, order, begins, np.empty_like(order))
        for column in columns[1:]
    ]
    return [flat[row] for row in order], order, tied


def pairs_alike(customers, places):
    """Count rows that come right behind one with the same first values."""
    found = 0
    for group in customers:
        cut = sorted(row[:places] for row in group)
        found += sum(one == other for one, other in itertools.pairwise(cut))
    return found


@given(st.lists(st.lists(rows, max_size=9), min_size=1))
def test_rows_of_a_day_are_ordered_key_by_key(customers):
    found, order, tied = ordered(customers)
    assert found == [row for group in customers for row in sorted(group)]
    assert sorted(order.tolist()) == list(range(order.size))
    assert tied == [pairs_alike(customers, places) for places in (1, 2, 3)]


@settings(max_examples=20)
@given(st.integers(30, 400), st.integers(0, 3), st.randoms(use_true_random=False))
def test_many_rows_of_a_day_are_ordered_too(number, spread, random):
    group = [(0, random.randint(-spread, spread), random.randint(-9, 9)) for _ in range(number)]
    found, order, _ = ordered([[], group, []])
    expected = sorted(range(number), key=lambda row: (group[row], row))
    assert found == sorted(group)
    assert order.tolist() == expected  # what is equal stays in the order in which it came


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.integers(0, 3), st.integers(2**64 - 3, 2**64 - 1))),
        min_size=1,
    ),
    st.randoms(use_true_random=False),
)
def test_the_first_event_of_an_id_is_kept(customers, random):
    flat = [one for group in customers for one in group]
    ids = np.array([0 if one is None else one for one in flat], np.uint64)
    has_id = np.array([one is not None for one in flat], np.bool_)
    rows = []
    for start, group in zip(offsets_of(customers).tolist(), customers, strict=False):
        rows += random.sample(range(start, start + len(group)), len(group))
    size = 1 << max(1, (2 * len(flat) - 1).bit_length()) if flat else 2
    kept = np.empty(len(flat), np.bool_)
    repeats = event_order.mark_repeats(
        offsets_of(customers), np.array(rows, np.int32), ids, has_id, np.zeros(size, np.int32), kept
    )
    expected = []
    for start, group in zip(offsets_of(customers).tolist(), customers, strict=False):
        seen = set()
        for row in rows[start : start + len(group)]:
            expected.append(flat[row] is None or flat[row] not in seen)
            seen.add(flat[row])
    assert kept.tolist() == expected
    assert repeats == expected.count(False)
