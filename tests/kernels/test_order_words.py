"""Orders as words against sorting them in plain Python."""

import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ordercycle_kernels import hashing, order_words, ordering
from ordercycle_kernels.calendar import NO_DAY

pytestmark = pytest.mark.kernels

WORD = 2**64
EVERY_ROW = np.zeros(0, np.bool_)


def int_of(hashed):
    """Return the integer that has this hash."""
    out = np.empty(1, np.int64)
    hashing.integers_of_hashes(np.array([hashed], np.uint64), out)
    return int(out[0])


@st.composite
def orders(draw):
    """Draw partition bits, and orders as (hash, day, amount): hashes often differ in few bits."""
    bits = draw(st.integers(1, 6))
    tops, lows = draw(st.integers(0, 2**64 - 1)), draw(st.integers(0, 63))
    near = st.integers(0, 5).map(lambda low: tops ^ (low << lows) % WORD)
    hashes = draw(st.lists(near | st.integers(0, 2**64 - 1), min_size=1, max_size=8))
    first = draw(st.sampled_from([-25567, -1, 0, 1, 84005 - 2**bits + 1]))
    amounts = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1)
    rows = st.tuples(st.sampled_from(hashes), st.integers(first, first + 2**bits - 1), amounts)
    return bits, first, draw(st.lists(rows, max_size=60))


def laid_out(rows, bits, kept=EVERY_ROW):
    """Return words and amounts of rows by partition, and where each partition begins and ends."""
    ids = np.array([int_of(hashed) for hashed, _, _ in rows], np.int64)
    days = np.array([day for _, day, _ in rows], np.int32)
    amounts = np.array([amount for _, _, amount in rows], np.int64)
    hashes, counts = np.empty(hashing.ROWS_AT_A_TIME, np.uint64), np.full(1 << bits, 9, np.int64)
    order_words.count_integers(ids, kept, bits, hashes, counts)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    cursors, pairs = (2 * offsets[:-1]).astype(np.uint32), np.empty(2 * ids.size, np.uint64)
    order_words.pair_up(ids, days, amounts, kept, bits, hashes, cursors, pairs)
    assert cursors.tolist() == (2 * offsets[1:]).tolist()
    # Every partition has room for one row more, as where there is to be room for others.
    begins = offsets[:-1] + np.arange(1 << bits)
    words, moved = (
        np.zeros(offsets[-1] + (1 << bits), np.uint64),
        np.zeros(offsets[-1] + (1 << bits), np.int64),
    )
    order_words.deposit_pairs(pairs, offsets, begins, words, moved)
    return words, moved, begins, begins + counts


@given(orders(), st.data())
def test_words_lie_by_partition_and_come_back(drawn, data):
    bits, first, rows = drawn
    kept = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)) | st.none())
    mask = EVERY_ROW if kept is None else np.array(kept, np.bool_)
    words, amounts, begins, ends = laid_out(rows, bits, mask)
    those = [row for place, row in enumerate(rows) if kept is None or kept[place]]
    for number in range(1 << bits):
        here = slice(begins[number], ends[number])
        size = here.stop - here.start
        hashes, days = np.empty(size, np.uint64), np.empty(size, np.int32)
        order_words.columns_of_words(words[here], bits, number, first, hashes, days)
        found = list(zip(hashes.tolist(), days.tolist(), amounts[here].tolist(), strict=True))
        assert found == [row for row in those if row[0] >> (64 - bits) == number]


@given(orders(), st.integers(0, 9), st.data())
def test_rows_of_two_blocks_are_gathered_by_partition(drawn, cut, data):
    bits, _, rows = drawn
    blocks = [laid_out(part, bits) for part in (rows[:cut], rows[cut:])]
    start = data.draw(st.integers(0, (1 << bits) - 1))
    here = slice(start, data.draw(st.integers(start + 1, 1 << bits)))
    sizes = sum(ends[here] - begins[here] for _, _, begins, ends in blocks)
    places = np.cumsum(sizes) - sizes
    begins = places.copy()
    words, amounts = np.empty(sizes.sum(), np.uint64), np.empty(sizes.sum(), np.int64)
    for block_words, block_amounts, block_begins, block_ends in blocks:
        order_words.gather_partitions(
            block_words, block_amounts, block_begins[here], block_ends[here], places, words, amounts
        )
    assert places.tolist() == (begins + sizes).tolist()
    for number, (begin, end) in enumerate(zip(begins, places, strict=True), start):
        expected = [
            pair
            for block_words, block_amounts, firsts, ends in blocks
            for pair in zip(
                block_words[firsts[number] : ends[number]].tolist(),
                block_amounts[firsts[number] : ends[number]].tolist(),
                strict=True,
            )
        ]
        assert list(zip(words[begin:end].tolist(), amounts[begin:end].tolist(), strict=True)) == (
            expected
        )


def as_float(word):
    return struct.unpack("<d", struct.pack("<q", word))[0]


def grouped(rows, bits, first, *, are_floats, bucket_bits=3, numbers=None):
    """Return what the kernel makes of rows: customers' hashes, offsets, days and amounts."""
    words, amounts, begins, ends = laid_out(rows, bits)
    numbers = numbers or range(1 << bits)
    here = slice(numbers.start, numbers.stop)
    begins, ends = begins[here], ends[here]
    size, most = int((ends - begins).sum()), int((ends - begins).max())
    customers, offsets = np.empty(size, np.uint64), np.empty(size + 1, np.int64)
    # In place: days in the first half of the memory of words.
    start = int(begins[0])
    days, in_place = words[start:].view(np.int32)[:size], amounts[start : start + size]
    found = order_words.group_words(
        words,
        amounts,
        begins,
        ends,
        bits,
        numbers.start,
        first,
        are_floats,
        np.empty(max(1 << bits, ordering.DIGITS * ordering.RADIX), np.uint32),
        np.empty(1 << bucket_bits, np.uint32),
        np.empty(2 * most, np.uint64),
        np.empty(2 * most, np.uint64),
        days,
        in_place,
        customers,
        offsets,
    )
    return (
        customers[:found].tolist(),
        offsets[: found + 1].tolist(),
        days.tolist(),
        in_place.tolist(),
    )


def expected_of(rows, key):
    """Return the same in plain Python; key: that amounts order by."""
    ordered = sorted(rows, key=lambda row: (row[0], row[1], key(row[2])))
    customers = sorted({hashed for hashed, _, _ in rows})
    sizes = [sum(row[0] == hashed for row in rows) for hashed in customers]
    offsets = [sum(sizes[:number]) for number in range(len(sizes) + 1)]
    return customers, offsets, [row[1] for row in ordered], [row[2] for row in ordered]


@given(orders(), st.integers(1, 8))
@example((1, 0, []), 1)
def test_words_are_grouped_as_sorted(drawn, bucket_bits):
    bits, first, rows = drawn
    found = grouped(rows, bits, first, are_floats=False, bucket_bits=bucket_bits)
    assert found == expected_of(rows, lambda amount: amount)


@given(orders(), st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4))
def test_floats_are_ordered_as_numbers(drawn, floats):
    bits, first, rows = drawn
    words = [struct.unpack("<q", struct.pack("<d", one + 0.0))[0] for one in floats]
    rows = [(hashed, day, words[amount % len(words)]) for hashed, day, amount in rows]
    found = grouped(rows, bits, first, are_floats=True)
    assert found == expected_of(rows, as_float)


@given(orders(), st.data())
def test_some_partitions_are_grouped_by_themselves(drawn, data):
    bits, first, rows = drawn
    start = data.draw(st.integers(0, (1 << bits) - 1))
    numbers = range(start, data.draw(st.integers(start + 1, 1 << bits)))
    found = grouped(rows, bits, first, are_floats=False, numbers=numbers)
    assert found == expected_of(
        [row for row in rows if row[0] >> (64 - bits) in numbers], lambda amount: amount
    )


@pytest.mark.parametrize("customers", [1, 9, 40, 700])
@pytest.mark.parametrize("are_floats", [False, True])
def test_hashes_that_share_a_bucket_and_amounts_of_one_day(customers, are_floats):
    """More than are taken apart one after the other, and more amounts than are inserted."""
    random = np.random.default_rng(customers)
    hashes = [(5 << 60) + int(low) * 3 for low in random.permutation(customers)]
    rows = [
        (hashes[int(who)], int(day), int(word))
        for who, day, word in zip(
            random.integers(0, customers, 2000),
            random.integers(0, 2, 2000) - 1,
            np.round(random.normal(0, 9, 2000)).view(np.int64) if are_floats
            else random.integers(-50, 50, 2000),
            strict=True,
        )
    ]  # fmt: skip
    rows = [(who, day, 0 if word == -(2**63) else word) for who, day, word in rows]
    found = grouped(rows, 4, -1, are_floats=are_floats)
    assert found == expected_of(rows, as_float if are_floats else lambda amount: amount)


@given(st.sets(st.integers(0, 20)), st.sets(st.integers(0, 20)), st.data())
def test_listed_customers_are_put_among_the_others(own, others, data):
    own, others = sorted(own), sorted(others)
    sizes = [data.draw(st.integers(1, 3)) for _ in own]
    days = [data.draw(st.integers(-5, 5)) for _ in others]
    most = len(own) + len(others)
    hashes, offsets = np.empty(most, np.uint64), np.empty(most + 1, np.int64)
    given_days, listed = np.full(most, NO_DAY, np.int32), np.zeros(most, np.bool_)
    size = order_words.list_customers(
        np.array(own, np.uint64),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.array(others, np.uint64),
        np.array(days, np.int32),
        hashes,
        offsets,
        given_days,
        listed,
    )
    everyone = sorted({*own, *others})
    number = dict(zip(own, sizes, strict=True))
    assert hashes[:size].tolist() == everyone
    assert np.diff(offsets[: size + 1]).tolist() == [number.get(one, 0) for one in everyone]
    assert offsets[0] == 0
    assert listed[:size].tolist() == [one in others for one in everyone]
    registered = dict(zip(others, days, strict=True))
    assert given_days[:size].tolist() == [registered.get(one, NO_DAY) for one in everyone]
