"""Counting customers against plain lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import population
from ordercycle_kernels.calendar import NO_DAY

pytestmark = pytest.mark.kernels


@given(st.lists(st.lists(st.integers(-2, 2), max_size=4)))
def test_orders_in_order_are_distinguished(customers):
    found = population.are_in_order(
        np.cumsum([0, *map(len, customers)]).astype(np.int64),
        np.array([day for days in customers for day in days], np.int32),
    )
    assert found == all(days == sorted(days) for days in customers)


customer = st.tuples(st.integers(0, 3), st.sampled_from([int(NO_DAY), 0, 9]), st.booleans())


@given(st.lists(customer), st.booleans())
def test_customers_are_counted(customers, drop_unlisted):
    counts = np.full(population.COUNTS, -1, np.int64)
    population.count_customers(
        np.cumsum([0, *(orders for orders, _, _ in customers)]).astype(np.int64),
        np.array([day for _, day, _ in customers], np.int32),
        np.array([listed for _, _, listed in customers], np.bool_),
        drop_unlisted,
        counts,
    )
    shown = [one for one in customers if one[2] or (one[0] and not drop_unlisted)]
    assert counts.tolist() == [
        len(shown),
        sum(orders for orders, _, _ in shown),
        sum(1 for orders, _, listed in customers if orders and not listed),
        sum(1 for orders, day, _ in shown if not orders and day == NO_DAY),
    ]
