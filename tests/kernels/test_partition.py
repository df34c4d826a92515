"""Partitioning against sorting rows by the top bits of their hash."""

from collections import Counter
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import partition

pytestmark = pytest.mark.kernels

hashes = st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**63, 2**64 - 1]))


@given(hashes, st.integers(0, 6), st.data())
def test_rows_lie_by_partition_in_their_order(values, bits, data):
    kept = data.draw(
        st.none() | st.lists(st.booleans(), min_size=len(values), max_size=len(values))
    )
    array, mask = np.array(values, np.uint64), np.array(kept or [], np.bool_)
    rows = [row for row in range(len(values)) if not kept or kept[row]]
    numbers = [values[row] >> (64 - bits) for row in rows]
    counts = np.full(1 << bits, 99, np.int64)
    partition.count_partitions(array, mask, 64 - bits, counts)
    assert counts.tolist() == [numbers.count(number) for number in range(1 << bits)]
    ends = np.cumsum(counts)
    cursors, targets = ends - counts, np.empty(len(values), np.int32)
    partition.place_rows(array, mask, 64 - bits, cursors, targets)
    expected = [-1] * len(values)
    for place, row in enumerate(sorted(rows, key=lambda row: values[row] >> (64 - bits))):
        expected[row] = place
    assert targets.tolist() == expected
    assert cursors.tolist() == ends.tolist()


@given(hashes, st.integers(1, 9) | st.integers(1, 2**16))
def test_rows_lie_by_target_in_their_order(values, targets):
    ends, rows = np.full(targets, 99, np.int64), np.empty(len(values), np.int32)
    partition.order_by_target(np.array(values, np.uint64), targets, ends, rows)
    numbers = [value % 2**32 * targets // 2**32 for value in values]
    assert rows.tolist() == sorted(range(len(values)), key=lambda row: numbers[row])
    expected = Counter(numbers)
    assert np.flatnonzero(np.diff(ends, prepend=0)).tolist() == sorted(expected)
    assert ends.tolist() == list(accumulate(expected[target] for target in range(targets)))


@pytest.mark.parametrize("item", ["uint8", "uint16", "uint32", "uint64"])
@given(data=st.data())
def test_columns_are_moved(item, data):
    most = np.iinfo(item).max
    values = np.array(data.draw(st.lists(st.integers(0, int(most)), min_size=1)), item)
    order = data.draw(st.permutations(range(values.size)))
    dropped = data.draw(st.sets(st.sampled_from(range(values.size))))
    targets = np.array(
        [-1 if row in dropped else order[row] for row in range(values.size)], np.int32
    )
    out = np.zeros(values.size, item)
    partition.scatter[item](values, targets, out)
    expected = [0] * values.size
    for row, target in enumerate(targets):
        if target >= 0:
            expected[target] = int(values[row])
    assert out.tolist() == expected
    partition.gather[item](values, np.array(order, np.int32), out)
    assert out.tolist() == [int(values[row]) for row in order]
    cuts = sorted(data.draw(st.lists(st.integers(0, values.size), min_size=1, max_size=4)))
    offsets = np.array([0, *cuts, values.size], np.int64)
    sizes = np.diff(offsets)
    places = data.draw(st.permutations(range(sizes.size)))
    begins = np.array([sum(sizes[p] for p in range(sizes.size) if places[p] < places[q])
                       for q in range(sizes.size)], np.int64)  # fmt: skip
    partition.deposit[item](values, offsets, begins, out)
    in_place = sorted(range(sizes.size), key=lambda p: places[p])
    assert out.tolist() == [
        int(value) for p in in_place for value in values[offsets[p] : offsets[p + 1]]
    ]


@pytest.mark.parametrize("item", ["uint8", "uint16", "uint32"])
@given(places=st.lists(st.integers(0, 255), min_size=1), data=st.data())
def test_codes_become_places_in_the_order_of_rows(item, places, data):
    codes = data.draw(st.lists(st.sampled_from(range(len(places))), min_size=1))
    rows = data.draw(st.lists(st.sampled_from(range(len(codes)))))
    out = np.zeros(len(rows), item)
    partition.gather_places[item](
        np.array(codes, np.uint32), np.array(rows, np.int32), np.array(places, item), out
    )
    assert out.tolist() == [places[codes[row]] for row in rows]


@given(st.lists(st.tuples(*[st.integers(0, 2**64 - 1)] * 3), min_size=1), st.data())
def test_three_columns_are_moved_in_one_piece(rows, data):
    order = data.draw(st.permutations(range(len(rows))))
    is_dropped = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    targets = np.array([-1 if out else to for out, to in zip(is_dropped, order, strict=True)], "i4")
    columns = [np.array([row[place] for row in rows], np.uint64) for place in range(3)]
    records = np.zeros(3 * len(rows), np.uint64)
    partition.scatter_three(*columns, targets, records)
    laid_out = [(0, 0, 0)] * len(rows)
    for row, target in enumerate(targets):
        if target >= 0:
            laid_out[target] = rows[row]
    assert records.tolist() == [word for row in laid_out for word in row]
    cut = data.draw(st.integers(0, len(rows)))
    offsets, begins = np.array([0, cut, len(rows)]), np.array([len(rows) - cut + 1, 0])
    out = [np.zeros(len(rows) + 1, np.uint64) for _ in range(3)]
    partition.deposit_three(records, offsets, begins, *out)
    expected = [*laid_out[cut:], (0, 0, 0), *laid_out[:cut]]
    assert list(zip(*(each.tolist() for each in out), strict=True)) == expected
