"""Marks of events, against conditions that are looked at one after the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.marked import words

from ordercycle_kernels import marks

pytestmark = pytest.mark.kernels

ALL = 2**64 - 1


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(98, 112), max_size=20),
    st.lists(words, min_size=1, max_size=10),
)
def test_marks_of_days(days, by_day):
    found = np.zeros(len(days), np.uint64)
    marks.mark_days(np.array(days, np.int32), 100, np.array(by_day, np.uint64), found)
    places = [min(max(day - 100, 0), len(by_day) - 1) for day in days]
    assert found.tolist() == [by_day[place] for place in places]


@pytest.mark.parametrize("item", ["uint8", "uint16", "uint32"])
@given(data=st.data())
def test_marks_of_codes(item, data):
    by_code = data.draw(st.lists(words, min_size=1, max_size=10))
    codes = data.draw(st.lists(st.integers(0, len(by_code) - 1), max_size=20))
    found = np.array([code * 3 + 1 for code in codes], np.uint64)
    before = found.tolist()
    marks.mark_codes[item](np.array(codes, item), np.array(by_code, np.uint64), found)
    assert found.tolist() == [
        mark & by_code[code] for mark, code in zip(before, codes, strict=True)
    ]


@given(st.lists(st.tuples(words, st.booleans()), max_size=20), words)
def test_marks_of_truths(rows, kept):
    found = np.array([mark for mark, _ in rows], np.uint64)
    marks.mark_truths(np.array([truth for _, truth in rows], bool), np.uint64(kept), found)
    assert found.tolist() == [mark & (ALL if truth else kept) for mark, truth in rows]


@given(
    st.lists(words, max_size=20), st.lists(st.integers(0, 63), min_size=1, max_size=64, unique=True)
)
def test_events_of_each_selection(given_marks, shifts):
    found = np.full(len(shifts), 77, np.int64)
    marks.count_marks(np.array(given_marks, np.uint64), np.array(shifts, np.uint64), found)
    assert found.tolist() == [sum(mark >> shift & 1 for mark in given_marks) for shift in shifts]
