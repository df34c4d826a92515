"""Tables of orders by ids, and what they count."""

from datetime import date

import pyarrow as pa
import pytest

import ordercycle as oc

DAY = date(2025, 3, 1)
BY_ORDER = oc.Columns(order="order_id", registered=None)
UNLISTED = oc.Columns(registered=None)


def order_table(ids, **columns):
    rows = len(ids)
    return pa.table(
        {"customer_id": ids, "ordered_at": [DAY] * rows, "amount": [1.0] * rows, **columns}
    )


def built(orders, customers=None, columns=UNLISTED, **options):
    return oc.OrderHistory.build(orders, customers, columns=columns, **options)


def counts(history):
    """Return how many orders each customer has."""
    rows = history.profile(DAY).select(["customer_id", "orders"]).to_pylist()
    found = {row["customer_id"]: row["orders"] for row in rows}
    assert len(found) == len(rows)
    return found


def refused(orders, error, match, **options):
    with pytest.raises(error, match=match) as caught:
        built(orders, **options)
    return caught.value
