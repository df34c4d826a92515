"""Sums at the edge of their types: exact where they fit, refused where they do not."""

from datetime import date

import pyarrow as pa
import pytest
from oracle.money import total
from support.strategies import (
    exact_decimal,
)

import ordercycle as oc

LARGEST = 2**63 - 1


def one_customer(amounts: list, kind: pa.DataType, order: list | None = None) -> oc.OrderHistory:
    """Build a history of one customer who placed orders on one day."""
    table = pa.table(
        {
            "customer_id": [1] * len(amounts),
            "ordered_at": pa.array([date(2024, 1, 1)] * len(amounts)),
            "amount": pa.array(amounts, kind),
            "order_id": order or list(range(len(amounts))),
        }
    )
    columns = oc.Columns(order="order_id" if order else None)
    return oc.OrderHistory.build(table, columns=columns, threads=1)


@pytest.mark.parametrize(
    ("amounts", "kind"),
    [
        ([LARGEST, LARGEST, -LARGEST, -1, -5], pa.int64()),
        ([LARGEST], pa.uint64()),
        ([-(2**63)], pa.int64()),
        ([exact_decimal(10**38 - 1, 2), exact_decimal(-(10**38) + 2, 2)], pa.decimal128(38, 2)),
        ([exact_decimal(10**38 - 1, 0)], pa.decimal128(38, 0)),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("collapse", [False, True])
def test_sums_that_fit_are_exact_whatever_happens_on_the_way(amounts, kind, reverse, collapse):
    given = amounts[::-1] if reverse else amounts
    history = one_customer(given, kind, [7] * len(given) if collapse else None)
    (row,) = history.profile("2024-01-01").to_pylist()
    assert row["revenue"] == total(amounts)
    assert type(row["revenue"]) is type(amounts[0])


@pytest.mark.parametrize(
    ("amounts", "kind"),
    [
        ([LARGEST, 1], pa.int64()),
        ([-(2**63), -1], pa.int64()),
        ([LARGEST + 1], pa.uint64()),
        ([2**64 - 1, 2**64 - 1], pa.uint64()),
        ([exact_decimal(10**38 - 1, 0), exact_decimal(1, 0)], pa.decimal128(38, 0)),
        ([exact_decimal(-(10**38) + 1, 9), exact_decimal(-1, 9)], pa.decimal128(38, 9)),
        ([exact_decimal(10**38 - 1, 9)] * 40, pa.decimal128(38, 9)),
    ],
)
@pytest.mark.parametrize("collapse", [False, True])
def test_sums_that_do_not_fit_are_refused(amounts, kind, collapse):
    with pytest.raises(oc.DataError, match="amount"):
        one_customer(amounts, kind, [7] * len(amounts) if collapse else None).profile("2024-01-01")
