"""Every metric of a small base, worked out on paper from the definitions."""

from datetime import date

import pyarrow as pa
from support.reports import orders_of

import ordercycle as oc

PERIOD = ("2025-01", "2025-03")
ORDERS = [
    ("ann", date(2025, 1, 11), 10.0),
    ("ann", date(2025, 2, 10), 20.0),
    ("ann", date(2025, 2, 20), 30.0),
    ("ann", date(2025, 3, 5), -5.0),
    ("bob", date(2025, 1, 5), -3.0),  # a refund before the first order, and registered nowhere
    ("bob", date(2025, 2, 28), 7.0),
    ("bob", date(2025, 3, 31), 9.0),  # the last day of the period
    ("dan", date(2024, 6, 1), 100.0),
    ("dan", date(2025, 3, 1), 50.0),
    ("eve", date(2024, 3, 30), 1.0),  # the 90th day, counted from her registration
    ("eve", date(2024, 3, 31), 2.0),
]
REGISTERED = {
    "ann": date(2025, 1, 1),
    "cat": date(2025, 2, 15),  # never orders
    "eve": date(2024, 1, 1),
    "nil": None,  # never heard of: nowhere
}
#: Of Active, bob and dan; of Churned, eve; of everybody.
BY_HAND = {
    "Revenue": (79, 0, 118),
    "Orders": (3, 0, 6),
    "Average Order Value": (79 / 3, None, 118 / 6),
    "Orders per Buyer per Month": (3 / 3, None, 6 / 5),
    "Revenue (all time)": (163, 3, 221),
    "Share of Revenue (all time)": (163 / 221, 3 / 221, 1),
    "Orders (all time)": (4, 2, 9),
    "Share of Orders (all time)": (4 / 9, 2 / 9, 1),
    "Average Order Value (all time)": (163 / 4, 3 / 2, 221 / 9),
    "Orders per Customer (all time)": (4 / 2, 2 / 1, 9 / 5),
    "Orders per Buyer (all time)": (4 / 2, 2 / 1, 9 / 4),
    "Revenue per Customer (all time)": (163 / 2, 3 / 1, 221 / 5),
    "Revenue per Buyer (90 days)": ((16 + 100) / 2, 1, (55 + 16 + 100 + 1) / 4),
    "First-Order Conversion (all time)": (1, 1, 4 / 5),
    "Time to First Order": (0, 89, (10 + 0 + 0 + 89) / 4),
    "Repeat-Order Conversion (all time)": (1, 1, 4 / 5),
    "Share of Repeat Orders (all time)": (2 / 4, 1 / 2, 5 / 9),
    "Returning Customer Rate (last month)": (1, 0, 2 / 5),
    "Time Between Orders": ((31 + 273) / 2, 1, (40 + 31 + 273 + 1) / 5),
    "Days Since Last Order": ((0 + 30) / 2, 365, (39 + 0 + 30 + 365) / 4),
    "Missed Purchase Cycles": (15 / 152, 365, 108.5 / 69),
    "Customer Lifetime": ((31 + 273) / 2, 1, (40 + 31 + 273 + 1) / 4),
    "Customers": (2, 1, 5),
    "Customer Share": (2 / 5, 1 / 5, 1),
    "New Customer Registrations": (0, 0, 3),
}


def test_every_metric_is_what_one_finds_on_paper():
    customers = pa.table({"customer_id": [*REGISTERED], "registered_at": [*REGISTERED.values()]})
    history = oc.OrderHistory.build(orders_of(ORDERS), customers)
    found = oc.SegmentReport.build(
        history,
        oc.Lifecycle().membership(history),
        period=PERIOD,
        compare=None,
        segments=["Active", "Churned"],
    )
    values: dict[str, list] = {}
    for row in found.comparison().to_pylist():
        values.setdefault(row["metric"], []).append(row["value"])
    assert values.keys() == BY_HAND.keys()
    for metric, expected in BY_HAND.items():
        assert values[metric] == [*expected], metric
