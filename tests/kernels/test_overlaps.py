"""Segments that have a customer at the same time, against every pair of intervals."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import overlaps as kernels

pytestmark = pytest.mark.kernels


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(1, 9)), max_size=8))
def test_overlaps(rows):
    rows.sort(key=lambda row: row[1])
    codes, starts, lengths = zip(*rows, strict=True) if rows else ((), (), ())
    overlaps = np.zeros((3, 3), np.int64)
    row_of = [0, 2, 1, 2]  # the second and the last are not wanted, and share a row
    kernels.mark_overlaps(
        np.array([0, 0, len(rows)], np.int64),
        np.array(codes, np.int16),
        np.array(starts, np.int32),
        np.array(starts, np.int32) + np.array(lengths, np.int32),
        np.array(row_of, np.int64),
        overlaps,
    )
    pairs = {
        (row_of[one[0]], row_of[other[0]])
        for place, one in enumerate(rows)
        for rank, other in enumerate(rows)
        if place != rank and one[1] < other[1] + other[2] and other[1] < one[1] + one[2]
    }
    assert pairs == set(zip(*(found.tolist() for found in np.nonzero(overlaps)), strict=True))


intervals_of = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=5)


@given(st.lists(intervals_of, min_size=1, max_size=6))
def test_how_many_intervals_overlap_the_one_before(customers):
    customers = [sorted(rows) for rows in customers]
    offsets = np.cumsum([0, *map(len, customers)], dtype=np.int64)
    starts = np.array([start for rows in customers for start, _ in rows], np.int32)
    stops = np.array([start + length for rows in customers for start, length in rows], np.int32)
    expected = sum(
        later[0] < sum(earlier) for rows in customers for earlier, later in pairwise(rows)
    )
    assert kernels.count_overlaps(offsets, starts, stops) == expected
