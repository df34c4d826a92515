"""The value lists against plain comparisons."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import value_lists

pytestmark = pytest.mark.kernels

numbers = st.sampled_from([0.0, 0.2, 0.4, 0.5, 1.0, 7.0, -3.0, float("inf")])


@given(st.lists(st.tuples(st.booleans(), numbers, numbers, numbers), max_size=9), numbers)
def test_lists_are_plain_comparisons(rows, top_clv):
    known = np.array([one[0] for one in rows], np.bool_)
    active, value, revenue = (np.array([one[at] for one in rows], float) for at in (1, 2, 3))
    codes, high = np.full(len(rows), 77, np.int8), np.zeros(len(rows), np.bool_)
    value_lists.value_list_codes(known, active, value, 0.5, 0.2, 1.0, codes)
    value_lists.high_values(value, revenue, 1.0, top_clv, high)
    for place, (has_orders, chance, worth, so_far) in enumerate(rows):
        wanted = 3 if chance < 0.2 else 2 if chance < 0.5 else 1 if worth < 1.0 else 0
        assert codes[place] == (wanted if has_orders else -1)
        assert high[place] == (worth >= 1.0 or so_far >= top_clv)
