"""Orders with rows on several days, and several orders on one day."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

import ordercycle as oc

BY_ID = oc.Columns(order="order_id")


def table(*rows) -> pa.Table:
    """Return order lines of (customer, day, amount, order)."""
    names = ("customer_id", "ordered_at", "amount", "order_id")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    columns["ordered_at"] = [date.fromisoformat(day) for day in columns["ordered_at"]]
    return pa.table(columns)


REFUNDED = table(
    ("ann", "2026-01-10", 100.0, "o1"),
    ("ann", "2026-03-05", -100.0, "o1"),
    ("bob", "2026-01-12", 40.0, "o2"),
)


def revenues(history: oc.OrderHistory, as_of: str) -> dict:
    profile = history.profile(as_of)
    return dict(
        zip(profile["customer_id"].to_pylist(), profile["revenue"].to_pylist(), strict=True)
    )


def of_month(history: oc.OrderHistory, month: str, metric: str) -> float:
    membership = oc.Lifecycle().membership(history)
    report = oc.SegmentReport.build(history, membership, period=month, compare=None)
    return report.comparison([metric])["value"].to_pylist()[-1]


def test_a_refund_with_the_id_of_its_order_changes_no_earlier_profile():
    history = oc.OrderHistory.build(REFUNDED, columns=BY_ID)
    alone = oc.OrderHistory.build(REFUNDED.slice(0, 1), columns=BY_ID)
    assert revenues(history, "2026-01-31") == {"ann": 100.0, "bob": 40.0}
    assert revenues(alone, "2026-01-31") == {"ann": 100.0}
    assert revenues(history, "2026-03-31") == {"ann": 0.0, "bob": 40.0}
    assert of_month(history, "2026-01", "Revenue") == 140.0
    assert of_month(history, "2026-03", "Revenue") == -100.0
    assert of_month(history, "2026-03", "Orders") == 0
    summary = history.summary()
    assert (summary.orders, summary.refunds, summary.split_orders) == (2, 1, 1)
    assert "1 order of several days" in repr(history)


def test_a_later_negative_line_is_a_refund_of_its_day():
    rows = table(("a", "2026-01-01", 50, 1), ("a", "2026-03-05", -50, 1))
    history = oc.OrderHistory.build(rows, columns=BY_ID)
    assert revenues(history, "2026-02-01") == {"a": 50}
    assert of_month(history, "2026-01", "Revenue") == 50


@pytest.mark.parametrize(
    ("refunds", "orders", "revenue", "last"),
    [
        ("net", 2, 40.0, date(2026, 1, 12)),
        ("drop", 2, 140.0, date(2026, 1, 12)),
        ("count", 3, 40.0, date(2026, 3, 5)),
    ],
)
def test_policies_for_refunds_judge_what_a_day_adds_up_to(refunds, orders, revenue, last):
    history = oc.OrderHistory.build(REFUNDED, columns=BY_ID, refunds=refunds)
    profile = history.profile("2026-12-31")
    assert history.summary().orders == orders
    assert history.summary().refunds == 1
    assert sum(profile["revenue"].to_pylist()) == revenue
    assert max(profile["last_order_on"].to_pylist()) == last


def test_a_second_shipment_is_revenue_and_no_order():
    rows = table(
        ("a", "2026-01-01", 30, 1), ("a", "2026-01-04", 12, 1), ("a", "2026-01-11", 5, 2),
        ("a", "2026-01-12", 1, 2),
    )  # fmt: skip
    history = oc.OrderHistory.build(rows, columns=BY_ID)
    (row,) = history.profile("2026-01-31").to_pylist()
    assert (row["orders"], row["order_days"], row["revenue"]) == (2, 2, 48)
    assert (row["last_order_on"], row["last_gap"]) == (date(2026, 1, 11), 10)
    assert row["average_order_value"] == 24.0
    entries = [one for batch in history.to_batches() for one in batch["orders"][0].as_py()]
    assert [entry["is_order"] for entry in entries] == [True, False, True, False]
    assert of_month(history, "2026-01", "Orders") == 2
    assert of_month(history, "2026-01", "Revenue") == 48
    # In a window that begins after the first day, what arrives later is no order either.
    (row,) = history.profile("2026-01-05", window_days=2).to_pylist()
    assert (row["orders"], row["revenue"]) == (0, 12)


def test_an_order_that_begins_with_a_refund_counts_where_it_is_one():
    rows = table(("a", "2026-01-01", -5, 1), ("a", "2026-01-03", 9, 1), ("b", "2026-01-02", -1, 7))
    history = oc.OrderHistory.build(rows, columns=BY_ID)
    early, late = (
        {row["customer_id"]: row for row in history.profile(day).to_pylist()}
        for day in ("2026-01-02", "2026-01-03")
    )
    assert (early["a"]["orders"], early["a"]["registered_on"]) == (0, date(2026, 1, 1))
    assert (late["a"]["orders"], late["a"]["first_order_on"]) == (1, date(2026, 1, 3))
    assert (late["b"]["orders"], late["b"]["revenue"]) == (0, -1)


def test_segments_follow_the_days_on_which_orders_count():
    rows = table(("a", "2026-01-01", 30, 1), ("a", "2026-05-20", 12, 1), ("a", "2026-05-25", -2, 1))
    history = oc.OrderHistory.build(rows, columns=BY_ID)
    membership = oc.Lifecycle().membership(history, end="2026-06-30").to_table()
    found = dict(
        zip(membership["valid_from"].to_pylist(), membership["segment"].to_pylist(), strict=True)
    )
    # Neither the later shipment nor its refund makes the customer active again.
    assert found[date(2026, 5, 2)] == "At-risk"
    assert max(found) == date(2026, 5, 2)


SHOPPING = [date(2026, 1, 1) + timedelta(days=30 * number) for number in range(5)]


def twice_a_day() -> pa.Table:
    days = [day for day in SHOPPING for _ in range(2)]
    return pa.table({"customer_id": [1] * 10, "ordered_at": days, "amount": [5.0, 2.5] * 5})


def test_orders_of_one_day_are_merged_where_they_distort_the_rhythm():
    as_of = SHOPPING[-1] + timedelta(days=28)
    (separate,) = oc.OrderHistory.build(twice_a_day()).profile(as_of).to_pylist()
    (merged,) = oc.OrderHistory.build(twice_a_day(), same_day="merge").profile(as_of).to_pylist()
    assert round(separate["missed_purchase_cycles"], 2) == 2.1
    assert separate["gap_median"] == 0
    assert round(merged["missed_purchase_cycles"], 2) == 0.93
    assert (merged["gap_median"], merged["gap_min"], merged["orders"]) == (30, 30, 5)
    assert merged["next_order_expected_on"] == SHOPPING[-1] + timedelta(days=30)
    assert merged["average_order_value"] == 7.5
    assert merged["revenue"] == separate["revenue"] == 37.5


def test_refunds_stay_refunds_where_orders_of_a_day_are_merged():
    rows = table(
        ("a", "2026-01-01", -5, 1), ("a", "2026-01-01", 7, 2), ("a", "2026-01-01", 9, 3),
        ("a", "2026-01-02", -1, 4), ("a", "2026-01-02", -2, 5),
    )  # fmt: skip
    for columns in (oc.Columns(), BY_ID):
        for refunds, orders, refunded in (("net", 1, 3), ("drop", 1, 3), ("count", 2, 3)):
            history = oc.OrderHistory.build(
                rows, columns=columns, refunds=refunds, same_day="merge"
            )
            assert history.summary().orders == orders
            assert history.summary().refunds == refunded
            (row,) = history.profile("2026-02-01").to_pylist()
            assert row["orders"] == orders
            assert row["revenue"] == (16 if refunds == "drop" else 8)


def test_an_order_that_arrives_on_a_day_that_is_there_merges_with_it(tmp_path):
    orders = twice_a_day()
    whole = oc.OrderHistory.build(orders, same_day="merge")
    parts = [orders.filter(pa.array([row % 2 == part for row in range(10)])) for part in (0, 1)]
    history = oc.OrderHistory.build(parts[0], same_day="merge").save(tmp_path).append(parts[1])
    for found in (history, oc.OrderHistory.open(tmp_path)):
        assert found.profile("2026-12-31").equals(whole.profile("2026-12-31"))
        assert found.summary().orders == 5
        assert [batch.to_pylist() for batch in found.to_batches() if batch.num_rows] == [
            batch.to_pylist() for batch in whole.to_batches() if batch.num_rows
        ]


def test_choices_are_checked():
    with pytest.raises(oc.ConfigError, match=r"same_day='merged' is not an option .*'merge'"):
        oc.OrderHistory.build(REFUNDED, same_day="merged")
