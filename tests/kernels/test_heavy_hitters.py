"""Taking a heavy hitter out of a partition against lists of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import heavy_hitters

pytestmark = pytest.mark.kernels

FIRST_DAY, DAYS = -3, 7
HITTER = 2**63 + 5
rows = st.lists(
    st.tuples(
        st.just(HITTER) | st.sampled_from([0, HITTER - 1, HITTER + 1, 2**64 - 1]),
        st.integers(FIRST_DAY, FIRST_DAY + DAYS - 1),
        st.integers(-(2**63), 2**63 - 1),
    )
)


@given(rows, st.integers(0, 20))
def test_rows_are_counted_and_moved_around_a_heavy_hitter(values, cut):
    chunks = [values[:cut], values[cut:]]
    below = [row for row in values if row[0] < HITTER]
    above = [row for row in values if row[0] > HITTER]
    by_day = sorted((row[1:] for row in values if row[0] == HITTER), key=lambda row: row[0])
    counted = [count(chunk) for chunk in chunks]
    for chunk, (around, days) in zip(chunks, counted, strict=True):
        assert around.tolist() == [
            sum(row[0] < HITTER for row in chunk),
            sum(row[0] > HITTER for row in chunk),
        ]
        assert days.tolist() == [
            sum(row[:2] == (HITTER, FIRST_DAY + day) for row in chunk) for day in range(DAYS)
        ]
    others = len(below) + len(above)
    out = np.empty(others, np.uint64), np.empty(others, np.int32), np.empty(others, np.int64)
    sides = np.array([0, len(below)])
    begins = np.concatenate([[0], np.cumsum(sum(days for _, days in counted))])
    cursors, laid_out = begins[:-1].copy(), np.empty(len(by_day), np.int64)
    for chunk in chunks:
        columns = arrays(chunk)
        heavy_hitters.move_around(*columns, np.uint64(HITTER), sides, *out)
        heavy_hitters.lay_out_by_day(*columns, np.uint64(HITTER), FIRST_DAY, cursors, laid_out)
    assert list(zip(*(column.tolist() for column in out), strict=True)) == below + above
    assert sides.tolist() == [len(below), others]
    assert laid_out.tolist() == [amount for _, amount in by_day]
    assert cursors.tolist() == begins[1:].tolist()
    repeated = np.empty(len(by_day), np.int32)
    heavy_hitters.repeat_days(begins + 11, FIRST_DAY, repeated)
    assert repeated.tolist() == [day for day, _ in by_day]


def count(chunk):
    around, days = np.zeros(2, np.int64), np.zeros(DAYS, np.int64)
    hashes, order_days, _ = arrays(chunk)
    heavy_hitters.count_around(hashes, order_days, np.uint64(HITTER), FIRST_DAY, around, days)
    return around, days


def arrays(chunk):
    return (
        np.array([row[0] for row in chunk], np.uint64),
        np.array([row[1] for row in chunk], np.int32),
        np.array([row[2] for row in chunk], np.int64),
    )
