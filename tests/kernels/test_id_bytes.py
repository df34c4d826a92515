"""Ids of several bytes against Python's bytes."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.placing import placed

from ordercycle_kernels import id_bytes

pytestmark = pytest.mark.kernels

# Lengths around one word and two, and values that differ in a single byte.
sizes = st.sampled_from([0, 1, 7, 8, 9, 12, 13, 15, 16, 17, 36])
values = sizes.flatmap(
    lambda size: (
        st.binary(min_size=size, max_size=size)
        | st.sampled_from([bytes(size), bytes(max(0, size - 1)) + b"\1"[: size > 0]])
    )
)
ids = st.lists(values, max_size=12)
#: Ids with perhaps some missing, which are not looked at.
known_ids = ids.flatmap(
    lambda found: st.tuples(
        st.just(found),
        st.just([]) | st.lists(st.booleans(), min_size=len(found), max_size=len(found)),
    )
)


def check_found(values, known, length, found):
    """Compare what was found with the values that are known; the others lie on one of these."""
    present = [value for value, is_known in zip(values, known, strict=True) if is_known]
    same_length = len(set(map(len, present))) < 2
    expected = (len(present[0]) if present else 0) if same_length else id_bytes.LENGTHS_DIFFER
    assert length == expected
    for value, is_known, id_found in zip(values, known, found, strict=True):
        assert id_found == value if is_known else id_found in (present or [b""])


@pytest.mark.parametrize("item", ["int32", "int64"])
@given(drawn=known_ids, before=st.binary(max_size=3))
def test_ids_between_offsets_are_found(item, drawn, before):
    values, known = drawn
    offsets = np.cumsum([len(before)] + [len(value) for value in values]).astype(item)
    memory = before + b"".join(values)
    starts, lengths = np.empty(len(values), np.int64), np.empty(len(values), np.int32)
    mask = np.array(known, np.bool_)
    length = id_bytes.find_between[item](offsets, mask, len(memory), starts, lengths)
    found = [memory[start:][:size] for start, size in zip(starts, lengths, strict=True)]
    check_found(values, known or [True] * len(values), length, found)


def test_an_id_that_is_too_long_says_so():
    starts, lengths = np.empty(2, np.int64), np.empty(2, np.int32)
    nothing = np.zeros(0, np.bool_)
    item = "int64"
    offsets = np.array([0, 5, 5 + 2**31], np.int64)
    size = 2**32
    found = id_bytes.find_between[item](offsets, nothing, size, starts, lengths)
    assert found == id_bytes.TOO_LONG
    offsets[2] -= 1
    length = id_bytes.find_between[item](offsets, nothing, size, starts, lengths)
    assert (length, lengths.tolist()) == (id_bytes.LENGTHS_DIFFER, [5, 2**31 - 1])


@given(known_ids)
def test_ids_given_as_views_are_found(drawn):
    values, known = drawn
    array = pa.array(values, pa.binary_view())
    _, own, *others = array.buffers()
    views = np.frombuffer(own, np.int32, count=4 * len(values)) if values else np.zeros(0, np.int32)
    views = views.copy()
    for row, is_known in enumerate(known):
        if not is_known:
            views[4 * row : 4 * row + 4] = 77  # a buffer that does not exist
    memory, begins = views.tobytes(), [0]
    for buffer in others:
        begins.append(len(memory))
        memory += buffer.to_pybytes()
    starts, lengths = np.empty(len(values), np.int64), np.empty(len(values), np.int32)
    mask = np.array(known, np.bool_)
    buffers = np.array([buffer.size for buffer in others], np.int64)
    begins = np.array(begins, np.int64)
    length = id_bytes.find_views(views, mask, begins, buffers, starts, lengths)
    found = [memory[start:][:size] for start, size in zip(starts, lengths, strict=True)]
    check_found(values, known or [True] * len(values), length, found)


#: Of three ids in 24 bytes: what is damaged, and whether it is.
OFFSETS = {
    (0, 8, 16, 24): False,
    (3, 3, 3, 3): False,
    (0, 8, 200, 24): True,
    (0, 8, -5, 24): True,
    (-1, 8, 16, 24): True,
    (0, 8, 16, 25): True,
    (9, 8, 16, 24): True,
    (0, 2**31 - 1, 16, 24): True,
    (24, 16, 8, 0): True,
}


@pytest.mark.parametrize("item", ["int32", "int64"])
@pytest.mark.parametrize(("offsets", "damaged"), OFFSETS.items())
def test_offsets_that_leave_the_data_are_seen(item, offsets, damaged):
    starts, lengths = np.empty(3, np.int64), np.empty(3, np.int32)
    array, nothing = np.array(offsets, item), np.zeros(0, np.bool_)
    found = id_bytes.find_between[item](array, nothing, 24, starts, lengths)
    assert (found == id_bytes.OUTSIDE) == damaged


def test_offsets_whose_difference_overflows_are_seen():
    starts, lengths = np.empty(2, np.int64), np.empty(2, np.int32)
    nothing = np.zeros(0, np.bool_)
    for middle in (2**63 - 1, -(2**63), 2**62):
        offsets = np.array([0, middle, 5], np.int64)
        found = id_bytes.find_between["int64"](offsets, nothing, 8, starts, lengths)
        assert found == id_bytes.OUTSIDE


#: Views (length, beginning, buffer, offset) into a buffer of 20 bytes and one of none.
VIEWS = {
    (20, 0, 0, 0): False,
    (13, 0, 0, 7): False,
    (12, 0, 77, 77): False,  # in the view itself
    (13, 0, 0, 8): True,
    (13, 0, 0, -1): True,
    (13, 0, 1, 0): True,
    (13, 0, 2, 0): True,
    (13, 0, -1, 0): True,
    (-1, 0, 0, 0): True,
    (2**31 - 1, 0, 0, 2**31 - 1): True,
}


@pytest.mark.parametrize(("view", "damaged"), VIEWS.items())
def test_views_that_leave_their_buffers_are_seen(view, damaged):
    starts, lengths = np.empty(2, np.int64), np.empty(2, np.int32)
    views = np.array([13, 0, 0, 0, *view], np.int32)
    sizes = np.array([20, 0], np.int64)
    begins = np.array([0, 32, 0], np.int64)
    every = np.zeros(0, np.bool_)
    found = id_bytes.find_views(views, every, begins, sizes, starts, lengths)
    assert (found == id_bytes.OUTSIDE) == damaged
    assert id_bytes.are_views_within(views, every, sizes) == (not damaged)
    # Of a missing id, a view may be anything.
    known = np.array([True, False])
    assert id_bytes.are_views_within(views, known, sizes)
    assert id_bytes.find_views(views, known, begins, sizes, starts, lengths) == 13


def common(lengths):
    """Return lengths as one, where they are."""
    return lengths[:1] if lengths.size and (lengths == lengths[0]).all() else lengths


@given(ids, st.data())
def test_ids_are_copied(values, data):
    starts, lengths, memory = placed(values, b"?", b"!")
    rows = np.array(data.draw(st.permutations(range(len(values)))), np.int64)
    expected = [values[row] for row in rows]
    offsets = np.empty(rows.size + 1, np.int64)
    out = np.zeros(sum(map(len, values)), np.uint8)
    id_bytes.copy_ids(starts[rows], common(lengths[rows]), memory, offsets, out)
    assert out.tobytes() == b"".join(expected)
    assert offsets.tolist() == np.cumsum([0] + [len(value) for value in expected]).tolist()


@given(ids, st.integers(0, 3), st.data())
def test_ids_are_moved_to_their_partitions(values, bits, data):
    hashes = [data.draw(st.integers(0, 2**64 - 1)) for _ in values]
    kept = data.draw(
        st.just([]) | st.lists(st.booleans(), min_size=len(values), max_size=len(values))
    )
    starts, lengths, memory = placed(values, b"?")
    lengths = common(lengths)
    partitions = [[] for _ in range(1 << bits)]
    for row, value in enumerate(values):
        if not kept or kept[row]:
            partitions[hashes[row] >> (64 - bits)].append(value)
    array, mask = np.array(hashes, np.uint64), np.array(kept, np.bool_)
    sizes = np.full(1 << bits, 99, np.int64)
    id_bytes.count_bytes(array, mask, 64 - bits, lengths, sizes)
    assert sizes.tolist() == [len(b"".join(part)) for part in partitions]
    ends = np.cumsum(sizes)
    cursors, out = ends - sizes, np.zeros(sizes.sum(), np.uint8)
    id_bytes.move_ids(array, mask, 64 - bits, starts, lengths, memory, cursors, out)
    assert out.tobytes() == b"".join(b"".join(part) for part in partitions)
    assert cursors.tolist() == ends.tolist()


@given(ids.filter(len), st.data())
def test_ids_are_compared_with_those_of_their_slots(values, data):
    rows = data.draw(st.lists(st.sampled_from(range(len(values))), max_size=20))
    slots = np.array(data.draw(st.permutations(range(len(values)))), np.int32)
    customers = np.argsort(slots).astype(np.int32)
    given_ids = [values[customer] for customer in customers[slots]]
    offsets = np.cumsum([0] + [len(value) for value in given_ids], dtype=np.int64)
    known = np.frombuffer(b"".join(given_ids), np.uint8)
    slot_of = {customer: int(slot) for slot, customer in enumerate(customers)}
    right = np.array([slot_of[row] for row in rows], np.int32)
    starts, lengths, memory = placed([values[row] for row in rows], b"?")
    assert id_bytes.same_ids(right, starts, common(lengths), memory, customers, offsets, known)
    if rows:
        wrong = right.copy()
        wrong[-1] = data.draw(st.sampled_from(range(len(values))))
        assert id_bytes.same_ids(
            wrong, starts, common(lengths), memory, customers, offsets, known
        ) == (values[customers[wrong[-1]]] == values[rows[-1]])


@given(st.integers(8, 41), st.sets(st.integers(0, 2**64 - 1), min_size=1, max_size=4), st.data())
def test_long_ids_are_compared_with_those_of_their_slots(size, numbers, data):
    # Alike but for one word, wherever it is: each is fetched, the last one overlaps.
    at = data.draw(st.integers(0, size - 8))
    values = [bytes(at) + one.to_bytes(8, "big") + bytes(size - 8 - at) for one in sorted(numbers)]
    rows = data.draw(st.lists(st.sampled_from(range(len(values))), max_size=20))
    customers = np.array(data.draw(st.permutations(range(len(values)))), np.int32)
    right = np.argsort(customers).astype(np.int32)[np.array(rows, np.int64)]
    starts, _, memory = placed([values[row] for row in rows], b"?")
    known = np.frombuffer(b"".join(values), np.uint8)
    assert id_bytes.same_long_ids(right, starts, size, memory, customers, known)
    if rows:
        wrong = right.copy()
        place = data.draw(st.sampled_from(range(len(rows))))
        wrong[place] = data.draw(st.sampled_from(range(len(values))))
        expected = customers[wrong[place]] == rows[place]
        assert id_bytes.same_long_ids(wrong, starts, size, memory, customers, known) == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=12))
def test_entries_of_dictionaries_are_the_same_where_their_places_are(rows):
    slots = [slot for slot, _ in rows]
    firsts = [slots.index(slot) if slot in slots else -1 for slot in range(4)]
    starts = np.array([start for _, start in rows], np.int64)
    same = id_bytes.same_places(np.array(slots, np.int32), np.array(firsts, np.int32), starts)
    assert same == (len(set(rows)) == len(set(slots)))
