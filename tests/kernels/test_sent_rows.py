"""Rows that differ, against plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import sent_rows as kernels

pytestmark = pytest.mark.kernels

words = st.integers(0, 2)


@given(
    width=st.integers(1, 3),
    tables=st.tuples(*2 * [st.lists(st.tuples(words, words, words), min_size=1, max_size=5)]),
    data=st.data(),
)
def test_changed_rows(width, tables, data):
    before, after = tables
    one = st.integers(-1, len(before) - 1)
    pairs = data.draw(st.lists(st.tuples(one, st.integers(-1, len(after) - 1), st.booleans())))
    rows = [np.array([pair[side] for pair in pairs], np.int32) for side in (0, 1)]
    changed = np.array([marked for *_, marked in pairs], np.bool_)
    flat = [np.array([row[:width] for row in table], np.uint64).reshape(-1) for table in tables]
    kernels.mark_changed(*rows, *flat, width, changed)
    right = [
        marked or (b >= 0 and a >= 0 and before[b][:width] != after[a][:width])
        for b, a, marked in pairs
    ]
    assert changed.tolist() == right
