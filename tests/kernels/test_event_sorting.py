"""Events by customer and instant against sorting them in plain Python."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ordercycle_kernels import event_sorting

pytestmark = pytest.mark.kernels


@st.composite
def partitions(draw):
    """Draw partition bits, first instant, shift and rows of partitions as (hash, instant).

    Hashes often differ in few bits, and instants are often the same.
    """
    bits = draw(st.integers(0, 4))
    near = st.integers(0, 3) | st.integers(0, 2 ** (64 - bits) - 1)
    shift = draw(st.integers(0, 40))
    first = draw(st.sampled_from([-(2**53), -1, 0]))
    late = st.integers(0, 3) | st.integers(0, 2048 * 2**shift - 1)
    found = []
    for number in range(draw(st.integers(1, 3)) if bits > 1 else 1):
        hashes = draw(st.lists(near, min_size=1, max_size=4))
        rows = st.tuples(st.sampled_from(hashes), late)
        top = number << (64 - bits)
        found.append([(top | low, first + time) for low, time in draw(st.lists(rows, max_size=30))])
    return bits, first, shift, found


def ordered(bits, first, shift, parts):
    """Return what is tied, the order, hashes and instants: a row is behind each part."""
    begins = np.cumsum([0] + [len(part) + 1 for part in parts])[:-1]
    ends = begins + [len(part) for part in parts]
    rows = [row for part in parts for row in (*part, (7, 7))]
    hashes = np.array([hashed for hashed, _ in rows], np.uint64)
    instants = np.array([instant for _, instant in rows], np.int64)
    size, largest = sum(map(len, parts)), max(map(len, parts))
    counters = np.full(event_sorting.COUNTERS, 9, np.uint32)
    keys, spare = (np.empty(largest, np.uint64) for _ in range(2))
    order, out_hashes, out_instants = (np.empty(size, kind) for kind in ("i4", "u8", "i8"))
    tied = event_sorting.order_events(
        hashes, instants, begins, ends, bits, first, shift, counters, keys, spare,
        order, out_hashes, out_instants,
    )  # fmt: skip
    return tied, order.tolist(), out_hashes, out_instants


@given(partitions())
@example((0, 0, 0, [[(2**64 - 1, 2047), (0, 0), (0, 2047), (2**64 - 1, 0)]]))
def test_rows_are_listed_by_hash_and_instant(case):
    parts = case[-1]
    rows = [row for part in parts for row in (*part, (7, 7))]
    tied, order, hashes, instants = ordered(*case)
    expected = [row for part in parts for row in sorted(part)]
    assert [rows[row] for row in order] == expected
    assert list(zip(hashes.tolist(), instants.tolist(), strict=True)) == expected
    assert len(set(order)) == len(expected)
    alike = [one == other for one, other in itertools.pairwise(expected)]
    assert tied == sum(alike)
    begins = np.empty(len(expected), np.bool_)
    event_sorting.begin_instants(hashes, instants, begins)
    assert begins.tolist() == [True, *(not same for same in alike)][: len(expected)]
    customers, offsets = np.empty(len(expected), np.uint64), np.empty(len(expected) + 1, np.int64)
    found = event_sorting.list_hashes(hashes, customers, offsets)
    groups = [(key, len(list(group))) for key, group in itertools.groupby(hashes.tolist())]
    assert customers[:found].tolist() == [key for key, _ in groups]
    assert np.diff(offsets[: found + 1]).tolist() == [size for _, size in groups]
    assert offsets[0] == 0


@settings(max_examples=20)
@given(st.integers(1, 400), st.sampled_from([0, 30]), st.randoms(use_true_random=False))
def test_it_is_done_or_given_up_where_no_digit_tells_rows_apart(size, shift, random):
    part = [(random.randint(0, 3), random.randint(0, 99)) for _ in range(size)]
    tied, order, hashes, _ = ordered(0, 0, shift, [part])
    if tied == event_sorting.NOT_SORTED:
        assert size > event_sorting.MOST_MOVES
    else:
        assert [part[row] for row in order] == sorted(part)
        assert hashes.tolist() == sorted(hashed for hashed, _ in part)
    if size <= event_sorting.MOST_MOVES:
        assert tied != event_sorting.NOT_SORTED


def test_rows_that_collide_are_given_up():
    part = [(row % 2, 4000 - row) for row in range(4000)]
    assert ordered(0, 0, 30, [part])[0] == event_sorting.NOT_SORTED
