"""Profiles that cannot be made: a sum of money that its type does not hold."""

import pyarrow as pa
import pytest

import ordercycle as oc


@pytest.mark.parametrize(
    ("kind", "amount"),
    [(pa.int64(), 2**62), (pa.decimal128(38, 0), 10**38 - 1)],
)
def test_a_sum_beyond_its_type_names_the_customer(kind, amount):
    """As it is printed on a terminal: an id may hold what moves the cursor."""
    hostile = "\x1b[2J\u202eann"
    orders = pa.table(
        {
            "customer_id": ["bob", hostile, hostile],
            "ordered_at": pa.array([19_000, 19_001, 19_002], pa.date32()),
            "amount": pa.array([1, amount, amount], kind),
        }
    )
    history = oc.OrderHistory.build(orders)
    with pytest.raises(oc.DataError, match=r"revenue of customer .*ann' exceeds") as raised:
        history.profile(as_of="2025-01-01")
    assert "\x1b" not in str(raised.value)
    assert "\u202e" not in str(raised.value)
    assert raised.value.column == "revenue"
    assert history.profile(as_of="2022-01-09").num_rows == 2
