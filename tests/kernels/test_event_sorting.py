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


def ordered(bits, first, shift, parts, *, in_place=False):
    """Return rows in order, instants, hashes, their ends, ties and places: parts have gaps."""
    begins = np.cumsum([0] + [len(part) + 1 for part in parts])[:-1]
    ends = begins + [len(part) for part in parts]
    rows = [row for part in parts for row in (*part, (7, 7))]
    hashes = np.array([hashed for hashed, _ in rows], np.uint64)
    instants = np.array([instant for _, instant in rows], np.int64)
    size, largest = sum(map(len, parts)), max(map(len, parts))
    counters, tied = np.full(event_sorting.COUNTERS, 9, np.uint32), np.empty(1, np.int64)
    keys, spare, of_part = (np.empty(largest, kind) for kind in ("u8", "u8", "i8"))
    order, out_hashes, out_ends = (np.empty(size, kind) for kind in ("i4", "u8", "i8"))
    out_instants = instants[:size] if in_place else np.empty(size, np.int64)
    found = event_sorting.order_events(
        hashes, instants, begins, ends, bits, first, shift, counters, keys, spare, of_part,
        order, out_instants, out_hashes, out_ends, tied,
    )  # fmt: skip
    in_order = [rows[row] for row in order]
    return in_order, out_instants, out_hashes[:found].tolist(), out_ends[:found], tied[0], order


@given(case=partitions(), in_place=st.booleans())
@example(case=(0, 0, 0, [[(2**64 - 1, 2047), (0, 0), (0, 2047), (2**64 - 1, 0)]]), in_place=True)
def test_rows_are_listed_by_hash_and_instant(case, in_place):
    found, instants, hashes, ends, tied, order = ordered(*case, in_place=in_place)
    expected = [row for part in case[-1] for row in sorted(part)]
    assert found == expected
    assert len(set(order.tolist())) == len(expected)
    assert instants.tolist() == [instant for _, instant in expected]
    groups = [(key, len(list(rows))) for key, rows in itertools.groupby(row[0] for row in expected)]
    assert hashes == [key for key, _ in groups]
    assert np.diff(ends, prepend=0).tolist() == [size for _, size in groups]
    alike = [one == other for one, other in itertools.pairwise(expected)]
    assert tied == sum(alike)
    begins = np.empty(len(expected), np.bool_)
    event_sorting.begin_instants(ends, instants, begins)
    assert begins.tolist() == [True, *(not same for same in alike)][: len(expected)]


@settings(max_examples=20)
@given(st.integers(1, 900), st.sampled_from([0, 30]), st.randoms(use_true_random=False))
def test_rows_are_ordered_where_no_digit_tells_them_apart(size, shift, random):
    part = [(random.randint(0, 3), random.randint(0, 999)) for _ in range(size)]
    found, _, hashes, _, tied, _ = ordered(0, 0, shift, [part])
    assert found == sorted(part)
    assert hashes == sorted({hashed for hashed, _ in part})
    assert tied == sum(one == other for one, other in itertools.pairwise(found))


@pytest.mark.parametrize("shift", [3, 30])
def test_rows_of_a_customer_with_most_of_a_large_partition_are_ordered(shift):
    size = int(event_sorting.MANY_ROWS) + 1
    random = np.random.default_rng(shift)
    hashes = np.where(random.random(size) < 0.5, 7, random.integers(0, 2**62, size))
    instants = random.integers(0, 2048 << shift, size)
    part = list(zip(hashes.tolist(), instants.tolist(), strict=True))
    _, found, _, ends, tied, order = ordered(1, 0, shift, [part])
    expected = np.lexsort([instants, hashes])
    assert (hashes[order] == hashes[expected]).all()
    assert (found == instants[expected]).all()
    same = (np.diff(hashes[expected]) == 0) & (np.diff(found) == 0)
    assert tied == same.sum()
    assert order.size == np.unique(order).size
    assert ends.size == np.unique(hashes).size
