"""Floats as integers, against plain Python."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import whole_numbers

pytestmark = pytest.mark.kernels


@given(
    st.lists(st.floats() | st.integers(-(2**54), 2**54).map(float)),
    st.sampled_from([2.0**11, 2.0**24, 2.0**53]),
)
def test_floats_become_the_integers_that_they_are(floats, limit):
    out, counts = np.full(len(floats), -1, np.int64), np.empty(2, np.int64)
    whole_numbers.integers_of_floats(np.array(floats, np.float64), limit, out, counts)
    whole = [abs(one) < limit and one == int(one) for one in floats]
    assert out.tolist() == [
        int(one) if is_one else 0 for one, is_one in zip(floats, whole, strict=True)
    ]
    missing = sum(map(math.isnan, floats))
    assert counts.tolist() == [missing, len(floats) - sum(whole) - missing]
