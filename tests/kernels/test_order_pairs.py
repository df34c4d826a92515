"""Tables of predictions by pairs of orders and age, against dictionaries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import order_pairs

pytestmark = pytest.mark.kernels

ORDERS, DAYS = 4, 6
pairs = st.tuples(st.integers(0, ORDERS - 1), st.integers(0, DAYS - 1))
chances = st.floats(0, 1)


@given(st.lists(st.lists(st.tuples(pairs, chances), max_size=9), min_size=1, max_size=3))
def test_customers_have_what_their_pairs_have(batches):
    known, table = np.zeros(ORDERS * DAYS, np.uint8), np.zeros((ORDERS * DAYS, 3))
    met = {}
    for rows in batches:
        frequency = np.array([x for (x, _), _ in rows], np.int64)
        age = np.array([days for (_, days), _ in rows], np.int32)
        alive = np.array([chance for _, chance in rows])
        orders, ages = np.full((2, len(rows)), 77)
        found = order_pairs.find_new_pairs(frequency, age, DAYS, known, orders, ages)
        new = list(zip(orders[:found].tolist(), ages[:found].tolist(), strict=True))
        assert new == list(dict.fromkeys(pair for pair, _ in rows if pair not in met))
        for pair in new:
            met[pair] = [0.1 * len(met), 2.0 * pair[0], 3.0 * pair[1]]
        values = np.array([met[pair] for pair in new]).T.copy().reshape(3, found)
        order_pairs.store_pairs(orders[:found], ages[:found], DAYS, values, table)
        out = np.full((3, len(rows)), 77.0)
        order_pairs.predict_from_pairs(frequency, age, alive, DAYS, table, *out)
        for row, (pair, chance) in enumerate(rows):
            assert out[:, row].tolist() == [chance * one for one in met[pair]]
