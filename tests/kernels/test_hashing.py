"""Hashing against arithmetic on Python integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.placing import placed

from ordercycle_kernels import hashing

pytestmark = pytest.mark.kernels

WORD = 2**64
HASH_OF_A_UUID = 0x8ADC37C51F201D50
words = st.integers(-(2**63), 2**63 - 1)


def scratch():
    return np.empty(hashing.ROWS_AT_A_TIME, np.uint64)


def splitmix64(word):
    """Return output number one of SplitMix64 seeded with `word`."""
    z = (word + 0x9E3779B97F4A7C15) % WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
    return z ^ (z >> 31)


def hash_of_bytes(value):
    state = splitmix64(len(value))
    for start in range(0, len(value), 8):
        state = splitmix64(state ^ int.from_bytes(value[start : start + 8], "little"))
    return state


def test_splitmix64_reproduces_the_reference_sequence_of_seed_1234567():
    # The first outputs that the generator's reference implementation gives for this seed.
    seed, step = 1234567, 0x9E3779B97F4A7C15
    states = np.array([seed, (seed + step) % WORD], np.uint64).view(np.int64)
    out = np.empty(2, np.uint64)
    hashing.hash_integers(states, out)
    assert out.tolist() == [6457827717110365317, 3203168211198807973]


@given(st.lists(words))
def test_integers_are_hashed_and_recovered(ids):
    hashes, back = np.empty(len(ids), np.uint64), np.empty(len(ids), np.int64)
    hashing.hash_integers(np.array(ids, np.int64), hashes)
    assert hashes.tolist() == [splitmix64(value % WORD) for value in ids]
    hashing.integers_of_hashes(hashes, back)
    assert back.tolist() == ids


@given(st.lists(st.binary(max_size=40)), st.binary(max_size=5), st.data())
def test_bytes_are_hashed(values, before, data):
    starts, lengths, memory = placed(values, before)
    out = np.empty(len(values), np.uint64)
    hashing.hash_bytes(starts, lengths, memory, out)
    assert out.tolist() == [hash_of_bytes(value) for value in values]
    order = np.array(data.draw(st.permutations(range(len(values)))), np.int64)
    hashing.hash_bytes(starts[order], lengths[order], memory, out)
    assert out.tolist() == [hash_of_bytes(values[row]) for row in order]


@pytest.mark.parametrize("size", range(41))
@given(data=st.data())
def test_bytes_of_one_length_have_the_same_hashes(size, data):
    values = data.draw(st.lists(st.binary(min_size=size, max_size=size), max_size=5))
    # More rows than are hashed at a time.
    values = values * data.draw(st.sampled_from([1, 1, 1, 200]))
    starts, _, memory = placed(values, b"???")
    out = np.empty(len(values), np.uint64)
    hashing.hash_equally_long(starts, size, memory, scratch(), out)
    assert out.tolist() == [hash_of_bytes(value) for value in values]


def test_the_hash_of_bytes_is_what_saved_files_rely_on():
    value = b"01234567-89ab-4cde-8f01-23456789abcd"
    starts, _, memory = placed([value])
    out = np.empty(1, np.uint64)
    hashing.hash_equally_long(starts, len(value), memory, scratch(), out)
    assert out.tolist() == [hash_of_bytes(value)] == [HASH_OF_A_UUID]
