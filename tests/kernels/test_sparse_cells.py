"""Cells by code, against a dictionary of them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cells import SparseCells

from ordercycle_kernels import sparse_cells as kernels

pytestmark = pytest.mark.kernels
CODES = 40


@given(
    st.lists(
        st.lists(st.tuples(st.integers(-1, CODES - 1), st.integers(-3, 3)), max_size=30), max_size=4
    ),
    st.booleans(),
    st.sampled_from([1, 2**40 + 7]),
)
def test_cells_add_up(rounds, is_direct, far):
    scale = 1 if is_direct else far
    cells = SparseCells(CODES, 2, is_direct)
    wanted = Counter()
    for rows in rounds:
        if not is_direct:
            cells.grow(len(rows))
        codes = np.array([max(code * scale, -1) for code, _ in rows], np.int64)
        values = np.array([(value, 2 * value) for _, value in rows], np.int64).reshape(-1, 2)
        kernels.add_cells(codes, values, cells.cells)
        for code, value in rows:
            if code >= 0:
                wanted[code * scale] += value
    found = cells.read()
    assert {code: one for code, one in found.items() if any(one)} == {
        code: [value, 2 * value] for code, value in wanted.items() if value
    }
    assert set(wanted) <= set(found)
