"""Runs against lists of rows."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import hashing, runs

pytestmark = pytest.mark.kernels

few_ids = st.lists(st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]), max_size=60)
run_lengths = st.lists(st.integers(1, 40), max_size=12)


def hash_of(number):
    out = np.empty(1, np.uint64)
    hashing.hash_integers(np.array([number], np.int64), out)
    return int(out[0])


@given(few_ids, st.data())
def test_runs_are_found(ids, data):
    kept = data.draw(st.none() | st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    rows = [(number if not kept or kept[row] else None) for row, number in enumerate(ids)]
    expected, first = [], 0
    for number, group in groupby(rows):
        length = len(list(group))
        if number is not None:
            expected.append((first, length, hash_of(number)))
        first += length
    out = tuple(np.empty(len(ids), dtype) for dtype in (np.int32, np.int32, np.uint64))
    array, mask = np.array(ids, np.int64), np.array(kept or [], np.bool_)
    found = runs.find_runs(array, mask, *out)
    assert found == len(expected)
    assert list(zip(*(part[:found].tolist() for part in out), strict=True)) == expected
    assert runs.count_runs(array) == len(list(groupby(ids)))


@given(
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(1, 40)), max_size=40),
    st.integers(0, 5),
    st.integers(0, 40),
)
def test_runs_are_laid_out_by_partition(values, bits, cut):
    """Two morsels of a block: each is counted, then placed behind the one before."""
    partitions, shift = range(1 << bits), 64 - bits
    morsels = [arrays(values[:cut]), arrays(values[cut:])]
    counts = np.full((2, 2, len(partitions)), 99, np.int64)
    for morsel, (its_runs, its_rows) in zip(morsels, counts, strict=True):
        runs.count_partitions_of_runs(*morsel, shift, its_runs, its_rows)
    numbers = [hashed >> shift for hashed, _ in values]
    for partition in partitions:
        lengths = [values[place][1] for place in range(len(values)) if numbers[place] == partition]
        assert counts[:, :, partition].sum(axis=0).tolist() == [len(lengths), sum(lengths)]
    cursors, row_cursors = (np.cumsum(total) - total for total in counts.sum(axis=0))
    laid_out = np.empty(len(values), np.uint64), np.empty(len(values), np.int32)
    targets = [np.empty(morsel[0].size, np.int64) for morsel in morsels]
    for morsel, out in zip(morsels, targets, strict=True):
        runs.place_runs(*morsel, shift, cursors, row_cursors, *laid_out, out)
    order = sorted(range(len(values)), key=lambda place: numbers[place])
    in_order = [values[place] for place in order]
    assert list(zip(*(part.tolist() for part in laid_out), strict=True)) == in_order
    expected, filled = [0] * len(values), 0
    for place in order:
        expected[place] = filled
        filled += values[place][1]
    assert np.concatenate(targets).tolist() == expected


def arrays(values):
    hashes = np.array([hashed for hashed, _ in values], np.uint64)
    return hashes, np.array([length for _, length in values], np.int32)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=30), st.data())
def test_rows_of_slots_are_counted_and_placed(values, data):
    slots = np.array([slot for slot, _ in values], np.int32)
    lengths = np.array([length for _, length in values], np.int32)
    listed = np.array(data.draw(st.lists(st.integers(0, 1), min_size=6, max_size=6)), np.int32)
    sizes = np.bincount(slots, minlength=6).astype(np.int32) + listed
    runs.count_rows_of_slots(slots, lengths, sizes)
    rows = [sum(length for other, length in values if other == slot) for slot in range(6)]
    assert (sizes - listed).tolist() == rows
    cursors = (np.cumsum(rows) - rows).astype(np.int32)
    expected = []
    for place, (slot, _) in enumerate(values):
        before = sum(length for other, length in values[:place] if other == slot)
        expected.append(sum(rows[:slot]) + before)
    firsts, targets = np.empty(len(values), np.int32), np.empty(len(values), np.int64)
    runs.place_rows_of_slots(slots, lengths, cursors, firsts, targets)
    assert targets.tolist() == expected
    assert firsts.tolist() == [int(lengths[:place].sum()) for place in range(len(values))]
    assert cursors.tolist() == np.cumsum(rows).tolist()


@pytest.mark.parametrize("item", ["uint8", "uint16", "uint32", "uint64"])
@given(lengths=run_lengths, data=st.data())
def test_runs_are_copied(item, lengths, data):
    values = (np.arange(1, sum(lengths) + 3) % 251).astype(item)
    firsts = np.cumsum([1, *lengths])[:-1].astype(np.int32)  # a row before and one after are left
    order = data.draw(st.permutations(range(len(lengths))))
    targets, filled = np.zeros(len(lengths), np.int64), 1
    for run in order:
        targets[run] = filled
        filled += lengths[run]
    out = np.zeros(values.size, item)
    runs.copy_runs[item](values, firsts, np.array(lengths, np.int32), targets, out)
    parts = [values[firsts[run] : firsts[run] + lengths[run]] for run in order]
    assert out.tolist() == [0, *(int(value) for part in parts for value in part), 0]


days = st.integers(-(2**15), 2**17)
customers = st.lists(
    st.lists(days, max_size=runs.SHORT_ROWS)
    | st.lists(st.integers(0, 3), max_size=runs.SHORT_ROWS)
    | st.lists(days, max_size=80).map(sorted),
    max_size=8,
)


@given(customers, st.none() | st.lists(days, min_size=runs.SHORT_ROWS + 1, max_size=50))
def test_short_customers_are_sorted_and_long_ones_reported(groups, long):
    if long is not None:
        groups = [*groups, long]
    offsets = np.cumsum([0] + [len(group) for group in groups], dtype=np.int64)
    unsorted = np.array([day for group in groups for day in group], np.int32)
    words = np.arange(unsorted.size, dtype=np.int64)
    found = unsorted.copy()
    left = runs.order_short_customers(offsets, found, words)
    if long is not None and long != sorted(long):
        assert left == len(groups) - 1
        return
    assert left == -1
    assert found.tolist() == [day for group in groups for day in sorted(group)]
    expected = []
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        expected += sorted(range(start, stop), key=lambda row: unsorted[row])
    assert words.tolist() == expected
