"""Codes in words against shifting them in plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import code_words

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("item", ["uint8", "uint16", "uint32"])
@given(data=st.data())
def test_codes_come_out_as_they_went_in(item, data):
    bits = data.draw(st.sampled_from([16, 32]))
    values = st.integers(0, 3) | st.integers(0, min(9999, 2**bits - 1))
    of_row = st.lists(values, min_size=64 // bits, max_size=64 // bits)
    rows = data.draw(st.lists(of_row, max_size=20))
    words = np.full(len(rows), 2**64 - 1, np.uint64)
    columns = [np.array([row[place] for row in rows], np.uint32) for place in range(64 // bits)]
    for place, codes in enumerate(columns):
        code_words.put_codes(codes, place * bits, words)
    expected = [sum(code << place * bits for place, code in enumerate(row)) for row in rows]
    assert words.tolist() == expected
    places = np.arange(10_000)[::-1].astype(item)
    for place, codes in enumerate(columns):
        out = np.empty(len(rows), np.uint32)
        code_words.take_codes(words, place * bits, bits, out)
        assert out.tolist() == codes.tolist()
        moved = np.empty(len(rows), item)
        code_words.places_of_codes[item](words, place * bits, bits, places, moved)
        assert moved.tolist() == places[codes].tolist()
        code_words.narrow_codes[item](words, place * bits, moved)
        assert moved.tolist() == [word >> place * bits & np.iinfo(item).max for word in expected]


@pytest.mark.parametrize("item", ["uint8", "uint16", "uint32", "uint64"])
@given(data=st.data())
def test_entries_have_codes(item, data):
    codes = data.draw(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=9))
    most = int(np.iinfo(item).max)
    indices = data.draw(st.lists(st.integers(0, len(codes) - 1) | st.just(most)))
    out = np.empty(len(indices), np.uint32)
    code_words.codes_of_entries[item](np.array(indices, item), np.array(codes, np.uint32), out)
    expected = [codes[min(index, len(codes) - 1)] for index in indices]
    assert out.tolist() == expected
    words = np.full(len(indices), 2**64 - 1, np.uint64)
    for shift in (0, 32):
        entries = np.array(indices, item), np.array(codes, np.uint32)
        code_words.put_entries[item](*entries, shift, words)
    assert words.tolist() == [code << 32 | code for code in expected]


@given(st.lists(st.lists(st.integers(0, 2**64 - 1)), min_size=1), st.data())
def test_words_of_partitions_are_taken_in_an_order(parts, data):
    begins = np.cumsum([0] + [len(part) + 1 for part in parts])[:-1]
    ends = begins + [len(part) for part in parts]
    words = np.array([word for part in parts for word in (*part, 9)], np.uint64)
    rows = [
        row
        for begin, end in zip(begins, ends, strict=True)
        for row in data.draw(st.permutations(range(begin, end)))
    ]
    out = np.empty(len(rows), np.uint64)
    code_words.gather_words(words, begins, ends, np.array(rows, np.int32), out)
    assert out.tolist() == words[rows].tolist()
