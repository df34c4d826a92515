"""The gaps that lifecycle thresholds are fitted from, against lists of days."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import gaps as kernels
from ordercycle_kernels.calendar import NO_DAY

pytestmark = pytest.mark.kernels

rows_of = st.lists(
    st.tuples(st.integers(-25_567, 84_005) | st.integers(0, 20), st.sampled_from([-1, 1, 1])),
    max_size=12,
)


@given(st.lists(rows_of, max_size=6), st.booleans(), st.integers(1, 8), st.integers(1, 30))
def test_gaps_are_counted_in_the_table_or_beyond_it(customers, net_refunds, most_gaps, most_days):
    customers = [sorted(rows, key=lambda row: row[0]) for rows in customers]
    offsets = np.cumsum([0] + [len(rows) for rows in customers], dtype=np.int64)
    flat = [row for rows in customers for row in rows]
    days = np.array([day for day, _ in flat], np.int32)
    signs = np.array([sign for _, sign in flat], np.int64)
    table = np.zeros((most_gaps, most_days), np.int64)
    cells = np.empty(days.size, np.int64)
    firsts = np.empty(len(customers), np.int32)
    filled = kernels.count_gaps(
        offsets[:-1], offsets[1:], days, signs, net_refunds, table, cells, firsts
    )
    found = Counter({(int(g), int(d)): int(table[g, d]) for g, d in np.argwhere(table)})
    found += Counter(divmod(cell, 2**18) for cell in cells[:filled].tolist())
    expected, expected_firsts = Counter(), []
    for rows in customers:
        ordered = [day for day, sign in rows if sign > 0 or not net_refunds]
        gaps = [later - earlier for earlier, later in pairwise(ordered)]
        expected += Counter((len(gaps), gap) for gap in gaps)
        expected_firsts.append(ordered[0] if ordered else int(NO_DAY))
    assert found == expected
    assert firsts.tolist() == expected_firsts
