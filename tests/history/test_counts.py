"""What a history says of the rows that do not count, and errors as data."""

from datetime import date

import pyarrow as pa
import pytest

import ordercycle as oc

DAY = date(2025, 3, 1)


def table(**columns):
    rows = len(next(iter(columns.values())))
    usual = {"customer_id": [1] * rows, "ordered_at": [DAY] * rows, "amount": [1.0] * rows}
    return pa.table(usual | columns)


@pytest.mark.parametrize(
    ("ids", "amounts", "said"),
    [
        ([1], [1.0], "(1 customer, 1 order, 2025-03-01 to 2025-03-01, 0.0 MB)"),
        (
            [1, 2, None, 2],
            [1.0, 2.0, 3.0, -1.0],
            "(2 customers, 2 orders, 2025-03-01 to 2025-03-01, 1 anonymous row, 1 refund, 0.0 MB)",
        ),
        ([None, None], [1.0, 2.0], "(0 customers, 0 orders, 2 anonymous rows, 0.0 MB)"),
    ],
)
def test_a_history_names_what_it_left_out(ids, amounts, said):
    rows = table(customer_id=pa.array(ids, pa.int64()), amount=amounts)
    assert repr(oc.OrderHistory.build(rows)) == f"OrderHistory{said}"


def test_unlisted_and_undated_customers_are_named():
    listed = pa.table({"customer_id": [1, 5], "registered_at": pa.array([DAY, None])})
    history = oc.OrderHistory.build(table(customer_id=[1, 2, 3]), listed)
    assert "2 unknown customers, 1 customer without any date" in repr(history)


def test_an_error_of_values_is_data_and_shows_the_first():
    rows = table(amount=[1.0, float("inf"), float("nan")])
    with pytest.raises(oc.DataError) as caught:
        oc.OrderHistory.build(rows)
    error = caught.value
    assert (error.column, error.row, error.count) == ("amount", 1, 2)
    assert error.what == "orders: amount is NaN or infinite (inf) at row 1 (2 such rows)"
    assert error.remedy == "drop or fix them, or map them before the call"
    with pytest.raises(oc.DataError, match=r"outside the years 1900 to 2199 \(1066-10-14\)"):
        oc.OrderHistory.build(table(ordered_at=[date(1066, 10, 14)]))
