"""Partitioning against sorting rows by the top bits of their hash."""

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
    offsets = np.full((1 << bits) + 1, 99, np.int64)
    targets = np.empty(len(values), np.int32)
    partition.partition_rows(
        np.array(values, np.uint64), np.array(kept or [], np.bool_), 64 - bits, offsets, targets
    )
    rows = [row for row in range(len(values)) if not kept or kept[row]]
    by_partition = sorted(rows, key=lambda row: values[row] >> (64 - bits))
    expected = [-1] * len(values)
    for place, row in enumerate(by_partition):
        expected[row] = place
    assert targets.tolist() == expected
    numbers = [values[row] >> (64 - bits) for row in by_partition]
    assert offsets.tolist() == [
        sum(number < partition_number for number in numbers)
        for partition_number in range((1 << bits) + 1)
    ]


@pytest.mark.parametrize("item", ["int32", "int64", "uint64"])
@given(data=st.data())
def test_columns_are_moved(item, data):
    values = np.array(data.draw(st.lists(st.integers(0, 2**31 - 1), min_size=1)), item)
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
    cuts = sorted(data.draw(st.lists(st.integers(0, values.size), min_size=2, max_size=8)))
    starts, stops = np.array(cuts[:-1:2], np.int64), np.array(cuts[1::2], np.int64)
    starts = starts[: stops.size]
    slices = [values[start:stop].tolist() for start, stop in zip(starts, stops, strict=True)]
    collected = np.zeros(sum(map(len, slices)), item)
    partition.collect[item](values, starts, stops, collected)
    assert collected.tolist() == [value for part in slices for value in part]


@given(st.lists(st.binary(max_size=12), min_size=1), st.data())
def test_bytes_are_scattered_and_collected(values, data):
    order = data.draw(st.permutations(range(len(values))))
    offsets = np.cumsum([0] + [len(value) for value in values], dtype=np.int64)
    source = np.frombuffer(b"".join(values), np.uint8)
    placed = [values[order.index(place)] for place in range(len(values))]
    starts = np.cumsum([0] + [len(value) for value in placed], dtype=np.int64)[:-1]
    out = np.zeros(source.size, np.uint8)
    partition.scatter_bytes(offsets, source, np.array(order, np.int32), starts, out)
    assert out.tobytes() == b"".join(placed)
    middle = data.draw(st.integers(0, len(values)))
    run_starts, run_stops = (
        np.array([middle, 0], np.int64),
        np.array([len(values), middle], np.int64),
    )
    collected_offsets = np.empty(len(values) + 1, np.int64)
    collected = np.zeros(source.size, np.uint8)
    partition.collect_bytes(
        starts, np.array([len(value) for value in placed], np.int64), out,
        run_starts, run_stops, collected_offsets, collected,
    )  # fmt: skip
    rotated = placed[middle:] + placed[:middle]
    assert collected.tobytes() == b"".join(rotated)
    assert collected_offsets.tolist() == np.cumsum([0] + [len(v) for v in rotated]).tolist()
