"""The worked examples E1, E2, E5, E6 and E9 by their names, of histories."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

import ordercycle as oc

MONDAY = datetime(2026, 1, 5, 10, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CLICKS = oc.Attribution(qualify=("click",))
#: Of each order of E1, its amount and the channels of the clicks before it.
E1 = {1: (100, ["Email"]), 2: (50, ["Email", "Popup"]), 3: (80, ["SMS", "In-App"])} | {
    4: (40, ["Popup"]),
    5: (30, []),
}


def orders_of(rows, **options):
    """Return a history of rows of customer, order, moment, amount, and the order it refunds."""
    names = ("customer_id", "order_id", "ordered_at", "amount", "refunds")
    columns = oc.Columns(order="order_id", refund_of="refunds", instants=True)
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    return oc.OrderHistory.build(table, columns=columns, **options)


def touches_of(rows):
    """Return a history of rows of customer, moment, channel and kind."""
    names = ("customer_id", "occurred_at", "channel", "kind")
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    return oc.EventHistory.build(table, columns=oc.EventColumns(attributes=("kind", "channel")))


def credited(more=(), model=CLICKS):
    """Return the credits of E1, with more rows of orders."""
    rows = [(order, order, MONDAY + 2 * HOUR, amount, None) for order, (amount, _) in E1.items()]
    touches = [
        (order, MONDAY, channel, "click")
        for order, (_, channels) in E1.items()
        for channel in channels
    ]
    return model.credit(orders_of([*rows, *more]), touches_of(touches))


def masks_of(table):
    """Return orders and revenue of each set of groups."""
    entries = defaultdict(list)
    for row in table.to_pylist():
        entries[row["order"], row["ordered_at"]].append(row)
    found = defaultdict(lambda: [0, 0])
    for rows in entries.values():
        mask = frozenset(row["group"] for row in rows if row["group"])
        found[mask][0] += rows[0]["revenue"] > 0
        found[mask][1] += rows[0]["revenue"]
    return {mask: tuple(values) for mask, values in found.items()}


C, P, I = "campaigns", "personalization", "in_app"  # noqa: E741 - as in the example


def test_e1_unions():
    made = credited()
    assert masks_of(made.to_table()) == {
        frozenset([C]): (1, 100),
        frozenset([C, P]): (1, 50),
        frozenset([C, I]): (1, 80),
        frozenset([P]): (1, 40),
        frozenset(): (1, 30),
    }
    assert made.summary().groups == {C: 3, P: 2, I: 1}
    assert (made.summary().attributed, made.summary().unattributed) == (4, 1)
    assert (made.summary().attributed_revenue, made.summary().revenue) == (270, 300)
    totals = [tuple(row.values()) for row in made.totals().to_pylist()]
    assert [row[1:4] for row in totals] == [
        ("Email", 2, 150),
        ("SMS", 1, 80),
        ("Popup", 2, 90),
        ("In-App", 1, 80),
        (None, 1, 30),
    ]
    assert [row["share"] for row in made.totals("group").to_pylist()] == [
        230 / 300,
        90 / 300,
        80 / 300,
        30 / 300,
    ]
    with pytest.raises(oc.ConfigError, match="by='day' is not an option"):
        made.totals("day")
    values = {
        "Revenue from Campaigns": 230,
        "Orders from Campaigns": 3,
        "Revenue from Personalization": 90,
        "Revenue from In-App": 80,
        "Total CRM Revenue": 270,
        "CRM Orders": 4,
    }
    for metric, value in values.items():
        assert made.windows(metric, [5])["value"].to_pylist() == [value]


def test_e2_refund():
    later = MONDAY + 3 * DAY
    for refund in ((2, 2, later, -50, None), (2, 9, later, -50, 2)):
        made = credited([refund])
        assert made.windows("Total CRM Revenue", [5])["value"].to_pylist() == [220]
        assert made.windows("CRM Orders", [5])["value"].to_pylist() == [4]
        rows = [row for row in made.to_table().to_pylist() if row["revenue"] < 0]
        assert [(row["order"], row["group"], row["revenue"]) for row in rows] == [
            (2, C, -50),
            (2, P, -50),
        ]
        assert {row["ordered_at"] for row in rows} == {later}
    unknown = credited([(2, 9, later, -50, None)])
    assert unknown.windows("Total CRM Revenue", [5])["value"].to_pylist() == [270]
    assert unknown.summary().unknown_refunds == 1


def test_e5_anchors():
    sent, click, order = (datetime(2026, *day, tzinfo=UTC) for day in ((4, 28), (4, 29), (5, 2)))
    touches = touches_of([("ann", sent, "Email", "delivery"), ("ann", click, "Email", "click")])
    table = oc.Attribution().credit(orders_of([("ann", 1, order, 10, None)]), touches).to_table()
    assert table.select(["ordered_at", "touched_at", "age"]).to_pylist() == [
        {"ordered_at": order, "touched_at": click, "age": 3 * DAY}
    ]


def test_e6_shadowing():
    touches = touches_of(
        [("ann", MONDAY, "Email", "click"), ("ann", MONDAY + 2 * DAY, "SMS", "delivery")]
    )
    orders = orders_of([("ann", 1, MONDAY + 3 * DAY - HOUR, 60, None)])
    won = oc.Attribution().credit(orders, touches)
    assert won.to_table()["channel"].to_pylist() == ["Email"]
    assert won.explain(1)["outcome"].to_pylist() == ["won", "window"]
    strict = oc.Attribution(strict=True).credit(orders, touches)
    assert strict.to_table()["channel"].to_pylist() == [None]
    assert strict.explain(1)["outcome"].to_pylist() == ["shadowed", "window"]


def test_e9_filter():
    clicks = [("ann", MONDAY, "Popup", "click"), ("ann", MONDAY + DAY, "Embedded", "click")]
    orders = orders_of([("ann", 1, MONDAY + 2 * DAY, 100, None)])
    table = CLICKS.credit(orders, touches_of(clicks)).to_table()
    assert table["channel"].to_pylist() == ["Embedded"]
    only_popups = touches_of(clicks).where("channel == 'Popup'")
    assert CLICKS.credit(orders, only_popups).to_table()["channel"].to_pylist() == ["Popup"]
