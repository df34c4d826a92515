"""Small shops and their segment reports."""

from datetime import date

import numpy as np
import pyarrow as pa

import ordercycle as oc
from ordercycle._history.order_history import grouped_orders
from ordercycle._months import Period
from ordercycle._report.report_spec import Plan

PERIOD = ("2025-10", "2025-12")


def orders_of(rows: list[tuple], amount: pa.DataType | None = None) -> pa.Table:
    names = ("customer_id", "ordered_at", "amount")
    kinds = (None, pa.date32(), amount)
    columns = zip(*rows, strict=True)
    return pa.table(
        {
            name: pa.array(column, kind)
            for name, kind, column in zip(names, kinds, columns, strict=True)
        }
    )


def shop() -> pa.Table:
    return orders_of(
        [
            ("ann", date(2024, 12, 3), 20.0),
            ("ann", date(2025, 10, 15), 30.0),
            ("bob", date(2025, 11, 5), 12.5),
            ("bob", date(2025, 11, 6), -2.5),
            ("cat", date(2025, 12, 31), 7.0),
        ]
    )


def report_of(orders: pa.Table, **options) -> oc.SegmentReport:
    history = oc.OrderHistory.build(orders)
    membership = oc.Lifecycle().membership(history)
    return oc.SegmentReport.build(history, membership, **{"period": PERIOD, **options})


def values_of(report: oc.SegmentReport, metric: str) -> dict[str, float | None]:
    table = report.comparison([metric])
    return dict(zip(table["segment"].to_pylist(), table["value"].to_pylist(), strict=True))


def random_orders(seed: int, size: int, kind: str) -> pa.Table:
    random = np.random.default_rng(seed)
    days = np.datetime64("2023-01-01") + random.integers(0, 1090, size)
    exponents = random.integers(-40, 40, size)
    amounts: pa.Array = pa.array((random.random(size) - 0.1) * 2.0**exponents)
    if kind != "float":
        units = pa.array(random.integers(-(10**12), 10**13, size))
        amounts = units if kind == "integer" else units.cast(pa.decimal128(38, 0))
    return pa.table(
        {"customer_id": random.integers(0, size // 8, size), "ordered_at": days, "amount": amounts}
    )


def lists_of(names: list[str]) -> oc.Membership:
    rows = len(names)
    return oc.Membership.from_table(
        pa.table(
            {
                "customer_id": ["ann"] * rows,
                "segment": names,
                "valid_from": [date(2025, 1, 1)] * rows,
                "valid_to": pa.array([None] * rows, pa.date32()),
            }
        )
    )


def planned(orders: pa.Table, period: Period, **options):
    history = oc.OrderHistory.build(orders, **options)
    membership = oc.Lifecycle().membership(history)
    plan = Plan.of(membership, period=period, segments=None, kind=grouped_orders(history).spec)
    return history, membership, plan
