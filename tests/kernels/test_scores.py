"""Scores and codes against the rules, value by value."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import scores as kernels

pytestmark = pytest.mark.kernels

VALUES = {
    "int32": st.integers(-(2**31), 2**31 - 1) | st.integers(0, 5),
    "int64": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5),
    "float64": st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0]),
}


@pytest.mark.parametrize("item", VALUES)
@given(data=st.data())
def test_cuts_below_a_value(item, data):
    values = data.draw(st.lists(VALUES[item], max_size=40))
    cuts = sorted(data.draw(st.lists(VALUES[item], max_size=9)))
    out = np.empty(len(values), np.int8)
    kernels.count_below[item](np.array(values, item), np.array(cuts, item), out)
    assert out.tolist() == [sum(cut < value for cut in cuts) for value in values]


@given(st.data())
def test_cuts_below_a_value_of_two_words(data):
    number = st.integers(-(2**127), 2**127 - 1) | st.integers(-2, 2) | st.integers(-(2**65), 2**65)
    values, cuts = (sorted(data.draw(st.lists(number, max_size=9))) for _ in range(2))
    words = np.array([v >> at & (2**64 - 1) for v in values for at in (0, 64)], np.uint64)
    out = np.empty(len(values), np.int8)
    kernels.count_below_wide(
        words, words.view(np.int64), np.array([cut & (2**64 - 1) for cut in cuts], np.uint64),
        np.array([cut >> 64 for cut in cuts], np.int64), out,
    )  # fmt: skip
    assert out.tolist() == [sum(cut < value for cut in cuts) for value in values]


@pytest.mark.parametrize("bins", range(2, 11))
def test_every_combination_of_scores_has_its_code(bins):
    below = np.array(list(itertools.product(range(bins), repeat=3)), np.int8).T.copy()
    names = np.arange(bins**3).astype(np.int8)  # of which only the place matters
    kept = np.ones(bins**3, np.bool_)
    kept[::7] = False
    codes = np.empty(bins**3, np.int8)
    r, f, m = (row.copy() for row in below)
    kernels.rfm_codes(kept, bins, names, r, f, m, codes)
    for row, (recency, frequency, monetary) in enumerate(below.T.tolist()):
        scores = (bins - recency, frequency + 1, monetary + 1)
        place = ((scores[0] - 1) * bins + frequency) * bins + monetary
        expected = (*scores, int(names[place])) if kept[row] else (-1, -1, -1, -1)
        assert (r[row], f[row], m[row], codes[row]) == expected
