"""The worked examples of reports with channels and loyalty, by their names, and bad input."""

from datetime import UTC, date, datetime, timedelta
from json import loads

import numpy as np
import pyarrow as pa
import pytest

import ordercycle as oc
from ordercycle._dashboard.cohorts import cohorts_of
from ordercycle._months import Months, Period
from ordercycle._report.page_content import Look
from ordercycle._report.segment_report import content_of_report
from ordercycle_kernels import messages

pytestmark = pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
WHO, SIDES = ("members", "non-members"), ("numerator", "denominator")
EVENTS = ("customer_id", "occurred_at", "kind", "channel", "campaign")


def table(names, rows):
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def at(month, day, hour=12):
    return datetime(2026, month, day, hour, tzinfo=UTC)


def orders_of(rows):
    names = ("customer_id", "order_id", "ordered_at", "amount")
    columns = oc.Columns(order="order_id", instants=True)
    return oc.OrderHistory.build(table(names, rows), columns=columns)


def touches_of(rows, **options):
    columns = oc.EventColumns(attributes=("kind", "channel", "campaign"))
    return oc.EventHistory.build(table(EVENTS, rows), columns=columns, **options)


def lists_of(rows):
    names = ("customer_id", "segment", "valid_from", "valid_to")
    return oc.Membership.from_table(table(names, rows))


def everybody(orders):
    return oc.Lifecycle().membership(orders)


def value(report, metric, segment="All Customers", **options):
    rows = report.comparison([metric], **options).to_pylist()
    return next(row["value"] for row in rows if row["segment"] == segment)


@pytest.mark.parametrize(("strangers", "said"), [(1, "1 touch is"), (2, "2 touches are")])
def test_touches_of_people_whom_the_orders_do_not_know_are_noted(strangers, said):
    orders = orders_of([("ann", 1, at(1, 1), 1)])
    who = ["ann", "zoe", "yan"][: 1 + strangers]
    touches = touches_of([(one, at(1, 10), "delivery", "Email", "news") for one in who])
    credited = oc.Attribution().credit(orders, touches)
    report = oc.SegmentReport.build(
        orders, everybody(orders), period=("2026-01", "2026-01"), compare=None, credited=credited,
        as_of="2026-01-31",
    )  # fmt: skip
    assert value(report, "Deliveries") == 1
    noted = [one for one in report.metadata["notes"] if "does not have" in one]
    assert [one.split(" of customers")[0] for one in noted] == [said]


def test_an_order_of_two_brands_and_states_is_one_order():
    names = ("customer_id", "order_id", "ordered_at", "amount", "brand", "status")
    rows = [
        ("ann", 1, at(1, 5), 20, "north", "open"),
        ("ann", 1, at(1, 9), 5, "south", "paid"),  # what came later of the same order
        ("bob", 2, at(1, 7), 30, "south", "paid"),
    ]
    columns = oc.Columns(order="order_id", instants=True, attributes=("brand", "status"))
    orders = oc.OrderHistory.build(table(names, rows), columns=columns)
    touches = touches_of([(one, at(1, 4), "click", "Email", "news") for one in ("ann", "bob")])
    credited = oc.Attribution(window="30d", windows={}).credit(orders, touches)
    report = oc.SegmentReport.build(
        orders, everybody(orders), period=("2026-01", "2026-01"), compare=None, credited=credited,
        as_of="2026-01-31", brand="brand", targets={"All": None, "Paid": "status == 'paid'"},
    )  # fmt: skip
    for metric in ("Orders", "CRM Orders"):
        found = [value(report, metric, brand=brand) for brand in (None, "north", "south")]
        assert found == [2, 1, 1], metric
        assert value(report, metric, target="Paid") == 1, metric
    assert [value(report, "Revenue", brand=brand) for brand in ("north", "south")] == [20, 35]


def test_e3_recipients():
    months = {"ann": (1, 1, 2), "bob": (1, 3), "dan": (2,)}
    rows = [
        (who, at(month, 10 + place), "delivery", "Email", "news")
        for who, own in months.items()
        for place, month in enumerate(own)
    ]
    rows.append(("bob", at(3, 20), "delivery", "SMS", "news"))
    rows += [(who, at(3, 25), "delivery", "SMS", "code") for who in ("bob", "cat")]
    names = ("ann", "bob", "cat", "dan")
    bought = [(who, place, at(1, 1), 1) for place, who in enumerate(names)]
    orders = orders_of([*bought, ("dan", 9, at(2, 12), 210)])
    touches = touches_of([*rows, ("dan", at(2, 11), "click", "Email", "news")])
    model = oc.Attribution(window="2d", windows={}, exclude="campaign == 'code'")
    credited = model.credit(orders, touches)
    report = oc.SegmentReport.build(
        orders, everybody(orders), period=("2026-01", "2026-03"), compare=None, credited=credited,
        as_of="2026-03-31",
    )  # fmt: skip
    assert value(report, "Recipients") == 1
    assert value(report, "Reach") == 3
    assert value(report, "Deliveries") == 7
    assert value(report, "Delivered Campaigns per Recipient") == 7 / 5
    assert value(report, "Revenue per Recipient from Campaigns") == 210 / 3
    assert report.audit("Recipients").to_table()["customer_id"].to_pylist() == ["bob"]
    monthly = report.dynamics("Deliveries", ("2026-01", "2026-03")).to_pylist()
    assert [row["value"] for row in monthly if row["segment"] == "All Customers"] == [3, 2, 2]
    reach = report.channels("All Customers", ["Reach"]).to_pylist()
    assert [(row["channel"], row["value"]) for row in reach] == [("Email", 3), ("SMS", 1)]
    monthly = report.dynamics("Recipients", ("2026-01", "2026-03")).to_pylist()
    assert [row["value"] for row in monthly if row["segment"] == "All Customers"] == [2, 2, 1]
    found = oc.reach(touches.where("campaign == 'news'"))
    assert found.between("2026-02", "2026-03") == found.between("2026-01", "2026-03") == 3
    pairs = [tuple(row.values()) for row in found.to_table().to_pylist()]
    first, second, third = (date(2026, month, 1) for month in (1, 2, 3))
    assert pairs == [(None, first, 2), (None, second, 1), (first, second, 1), (first, third, 1)]


def test_e4_conversion():
    def shop(key):
        # Customer 0 has 1 of 6 orders from campaigns, and 20 of 200 deliveries.
        rows = [(who, at(3, 2 + place)) for who in range(10) for place in range(20)]
        touches = [(who, when, "delivery", "Email", "news") for who, when in rows]
        touches += [(who, at(3, 22), "click", "Email", "news") for who in range(6)]
        bought = [(who, who, at(3, 23), 10) for who in range(6)]
        bought += [(who, 10 + who, at(3, 1), 5) for who in range(10)]
        orders, stream = orders_of(bought), touches_of(touches)
        return (orders, stream) if key is None else (
            orders.forget([0], key=key), stream.forget([0], key=key)
        )  # fmt: skip

    def reported(key):
        orders, touches = shop(key)
        members = pa.table({"customer_id": [1], "channel": ["Email"], "topic": ["news"]})
        return oc.SegmentReport.build(
            orders, everybody(orders), period="2026-03", compare=None, as_of="2026-03-31",
            credited=oc.Attribution().credit(orders, touches), subscriptions=members,
            metrics=[oc.Metric("Orders per Customer", "orders", "customers", unit="orders")],
        )  # fmt: skip

    whole, left = reported(None), reported(bytes(32))
    rate = "Campaign Conversion to Goal"
    assert (value(whole, rate), value(left, rate)) == (6 / 200, 5 / 180)
    kept = (
        "Orders from Campaigns", "Revenue from Campaigns", "Deliveries", "Revenue", "Orders",
        "Revenue (all time)", "Orders (all time)", "Average Order Value", "Subscribers (snapshot)",
    )  # fmt: skip
    assert [value(left, name) for name in kept] == [value(whole, name) for name in kept]
    assert value(left, "Orders from Campaigns") == 6
    for name in ("Customers", "Recipients", "Reach", "New Customer Registrations"):
        assert (value(whole, name), value(left, name)) == (10, 9)
    assert value(left, "First-Order Conversion (all time)") == 1
    assert value(left, "Repeat-Order Conversion (all time)") == 5 / 9
    assert value(left, "Share of Repeat Orders (all time)") == 5 / 14
    assert value(left, "Orders per Customer (all time)") == value(left, "Orders per Customer")
    assert value(left, "Orders per Customer") == 14 / 9
    assert value(left, "Delivered Campaigns per Recipient") == 20
    audit = left.audit(rate)
    assert (audit.total(), audit.total("denominator")) == (5, 180)
    assert 0 not in audit.to_table("denominator")["customer_id"].to_pylist()
    assert (audit.to_table().num_rows, audit.to_table("denominator").num_rows) == (5, 180)
    assert left.audit("Orders from Campaigns").to_table().num_rows == 6
    [email] = left.channels("All Customers", [rate]).to_pylist()
    assert email["value"] == 5 / 180


def test_e5_anchors():
    touches = touches_of(
        [(1, at(4, 28), "delivery", "Email", "back"), (1, at(4, 29), "click", "Email", "back")]
    )
    lists = lists_of(
        [
            (1, "Churned", date(2026, 1, 1), date(2026, 5, 2)),
            (1, "Active", date(2026, 5, 2), None),
        ]
    )
    customers = pa.table({"customer_id": [1], "registered_at": [date(2026, 1, 1)]})
    orders = oc.OrderHistory.build(
        table(("customer_id", "order_id", "ordered_at", "amount"), [(1, 1, at(5, 2), 100)]),
        customers,
        columns=oc.Columns(order="order_id", instants=True),
    )
    credited = oc.Attribution().credit(orders, touches)
    april, may = (
        oc.SegmentReport.build(orders, lists, period=month, compare=None, credited=credited)
        for month in ("2026-04", "2026-05")
    )
    assert value(april, "Revenue from Campaigns", "Churned") == 0
    assert value(may, "Revenue from Campaigns", "Active") == 100
    rows = [tuple(row.values()) for row in april.top_campaigns().to_pylist()]
    assert rows == [
        ("back", "All Customers", 100.0, "send", True),
        ("back", "Churned", 100.0, "send", True),
    ]
    assert may.top_campaigns().num_rows == 0


def loyal(orders, joined, ledger=()):
    """Return the report of January to March with ann as a member from a day on."""
    members = pa.table(
        {
            "customer_id": ["ann"],
            "valid_from": [joined],
            "valid_to": pa.array([None], pa.date32()),
        }
    )
    points = oc.EventHistory.build(
        pa.table(
            {
                "customer_id": pa.array(["ann"] * len(ledger), pa.string()),
                "occurred_at": pa.array([when for when, _, _ in ledger], pa.timestamp("us", "UTC")),
                "kind": pa.array([kind for _, kind, _ in ledger], pa.string()),
                "points": pa.array([number for _, _, number in ledger], pa.int64()),
            }
        ),
        columns=oc.EventColumns(attributes=("kind",), values=("points",)),
    )
    return oc.SegmentReport.build(
        orders, everybody(orders), period=("2026-01", "2026-03"), compare=None, as_of="2026-03-31",
        loyalty=oc.Loyalty(members=members, points=points),
    )  # fmt: skip


def test_e7_uplift():
    amounts = {"ann": (60, 30, 30), "bob": (20, 20, 30, 30)}
    rows = [(who, at(3, 15), one) for who, own in amounts.items() for one in own]
    orders = orders_of([(who, place, day, one) for place, (who, day, one) in enumerate(rows)])
    report = loyal(orders, date(2026, 3, 10))
    members, others = (value(report, f"Average Order Value ({who})") for who in WHO)
    assert (members, others) == (40, 25)
    assert value(report, "Average Order Value Uplift") == 15
    assert value(report, "Average Order Value Uplift") / others == 0.6
    assert value(report, "Loyalty Program Members") == 1
    parts = [report.audit("Average Order Value Uplift", months="2026-03").total(of) for of in SIDES]
    assert parts[0] / parts[1] == 15
    # The order of 5 March is a non-member's: who joined on the 10th was none then.
    early = orders_of([("ann", 0, at(3, 5), 1000), ("ann", 1, at(3, 15), 60)])
    report = loyal(early, date(2026, 3, 10))
    assert [value(report, f"Revenue ({who})") for who in WHO] == [60, 1000]
    assert [value(report, f"Orders ({who})") for who in WHO] == [1, 1]


def test_e8_redemption():
    ledger = [
        (at(1, 11), "awarded", 100),
        (at(2, 11), "awarded", 50),
        (at(2, 12), "redeemed", 30),
        (at(3, 11), "expired", 70),
        (at(3, 12), "awarded", 40),
        (at(3, 13), "redeemed", 20),
    ]
    report = loyal(orders_of([("ann", 1, at(1, 5), 10)]), date(2026, 1, 1), ledger)
    assert value(report, "Points Awarded") == 190
    assert value(report, "Points Redeemed") == 50
    assert value(report, "Redemption Rate") == 50 / 190
    listed = report.audit("Points Redeemed").to_table()["value"].to_pylist()
    assert listed == [30, 20]
    monthly = report.dynamics("Redemption Rate", ("2026-01", "2026-03")).to_pylist()
    rates = [row["value"] for row in monthly if row["segment"] == "All Customers"]
    assert rates == [0, 30 / 50, 20 / 40]


def test_e9_filter():
    orders = orders_of([("ann", 1, at(3, 11), 100)])
    touches = touches_of(
        [("ann", at(3, 9), "click", "Popup", None), ("ann", at(3, 10), "click", "Embedded", None)]
    )
    popups = oc.Metric("Popup revenue", "revenue", where="channel == 'Popup'", unit="currency")

    def popup_revenue(stream):
        credited = oc.Attribution().credit(orders, stream)
        report = oc.SegmentReport.build(
            orders, everybody(orders), period="2026-03", compare=None, as_of="2026-03-31",
            credited=credited, metrics=[popups],
        )  # fmt: skip
        return value(report, "Popup revenue")

    assert popup_revenue(touches) == 0  # the later touch has won: metrics filter after that
    assert popup_revenue(touches.where("channel == 'Popup'")) == 100


def test_forgotten_customers_of_a_plain_report():
    orders = orders_of([(who, who, at(1 + who % 3, 5), 10 * who) for who in range(1, 10)])
    others = orders_of([(who, who, at(1 + who % 3, 5), 10 * who) for who in range(1, 8)])

    def tables(history):
        report = oc.SegmentReport.build(
            history, everybody(history), period="2026-03", compare="previous_period",
            as_of="2026-03-20",
        )  # fmt: skip
        content = content_of_report(report, Look(), Months.of(("2026-01", "2026-03"), "months"))
        rows = report.comparison().to_pylist()
        return content, {(row["metric"], row["segment"]): row for row in rows}

    def paged(content, metric):
        shown = next(one for one in content.metrics if one.name == metric)
        cells, derived = content.slices[0].cells[""], content.numbers.derived
        terms = [
            one for name in (*shown.above, *shown.below) for one in derived.get(name, [(1, [name])])
        ]
        return [(sign, [cells[one].tolist() for one in names]) for sign, names in terms]

    (_, whole), (rest_page, rest) = tables(orders), tables(others)
    page, left = tables(orders.forget([8, 9], key=bytes(32)))
    sums = {
        "Revenue", "Orders", "Average Order Value", "Revenue (all time)", "Orders (all time)",
        "Share of Revenue (all time)", "Share of Orders (all time)",
        "Average Order Value (all time)",
    }  # fmt: skip
    assert left
    for (name, segment), row in left.items():
        expected = whole if name in sums else rest
        assert row == expected[name, segment], (name, segment)
    for name in ("Customers", "Orders per Buyer (all time)", "First-Order Conversion (all time)"):
        assert paged(page, name) == paged(rest_page, name)
    cells = page.slices[0].cells[""]
    assert np.array_equal(cells["customers"], rest_page.slices[0].cells[""]["customers"])
    for terms in page.numbers.derived.values():
        names = {name for _, several in terms for name in several}
        assert names <= {*cells, "last day"}


def test_bad_input():
    orders = orders_of([(1, 1, at(1, 5), 10)])
    with pytest.raises(oc.ConfigError, match="credited"):
        oc.SegmentReport.build(orders, everybody(orders), period="2026-01", credited=orders)
    other = oc.Attribution().credit(
        orders_of([(1, 1, at(1, 5), 10)]), touches_of([(1, at(1, 4), "click", "Email", "x")])
    )
    with pytest.raises(oc.ConfigError, match="another history"):
        oc.SegmentReport.build(orders, everybody(orders), period="2026-01", credited=other)
    with pytest.raises(oc.ColumnError, match="no such attribute"):
        oc.SegmentReport.build(orders, everybody(orders), period="2026-01", brand="shop")
    with pytest.raises(oc.ConfigError, match="about touches"):
        oc.SegmentReport.build(
            orders, everybody(orders), period="2026-01",
            metrics=[oc.Metric("x", "deliveries", unit="messages")],
        )  # fmt: skip
    points = oc.EventHistory.build(
        pa.table({"customer_id": [1], "occurred_at": [at(1, 5)], "points": [5]}),
        columns=oc.EventColumns(values=("points",)),
    )
    with pytest.raises(oc.ColumnError, match="no attribute 'kind'"):
        oc.Loyalty(members=lists_of([(1, "m", date(2026, 1, 1), date(2026, 2, 1))]), points=points)
    plain = oc.SegmentReport.build(orders, everybody(orders), period="2026-01", as_of="2026-01-31")
    with pytest.raises(oc.ConfigError, match="needs more than orders"):
        plain.comparison(["Total CRM Revenue"])
    with pytest.raises(oc.ConfigError, match="knows no channel"):
        plain.channels()
    snapshot = pa.table({"customer_id": [1], "channel": ["Email"], "topic": ["news"]})
    log = pa.table({"segment": ["Promising"], "changed_on": [date(2026, 1, 9)], "note": ["n"]})
    found = oc.SegmentReport.build(
        orders, everybody(orders), period="2026-01", as_of="2026-01-31", subscriptions=snapshot,
        changes=log,
    )  # fmt: skip
    assert value(found, "Subscribers (snapshot)") == 1
    with pytest.raises(oc.ConfigError, match="only the present is known"):
        found.comparison(["Subscribers"])
    assert found.changes().to_pylist()[0]["of"] == "period"
    assert "Promising changed on 2026-01-09: n" in repr(found)
    marked = [{"segment": "Promising", "changed_on": "2026-01-09", "note": "n", "of": "period"}]
    assert loads(found.comparison().schema.metadata[b"changes"]) == marked
    assert found.metadata["changes"] == marked


def named_none():
    """Orders of the brands "north", "(none)" and null, won by channels and campaigns so called."""
    names = ("north", "(none)", None)
    amounts = [channel * brand for channel in (1, 2, 3) for brand in (1, 10, 100)]
    rows = [(who, who, at(3, 10), amounts[who], names[who % 3]) for who in range(9)]
    columns = oc.Columns(order="order_id", instants=True, attributes=("brand",))
    orders = oc.OrderHistory.build(
        table(("customer_id", "order_id", "ordered_at", "amount", "brand"), rows), columns=columns
    )
    channels = ("(none)", "Email", None)
    touches = touches_of(
        (who, at(3, 5 + after), kind, channels[who // 3], names[who % 3])
        for who in range(9)
        for after, kind in enumerate(("delivery", "click"))
    )
    return orders, touches


def test_values_called_none():
    orders, touches = named_none()
    groups = {"campaigns": ["(none)"], "in_app": ["Email"]}
    credited = oc.Attribution(groups=groups).credit(orders, touches)
    report = oc.SegmentReport.build(
        orders, everybody(orders), period="2026-03", compare=None, as_of="2026-03-31",
        credited=credited, brand="brand",
    )  # fmt: skip
    assert report.brands == ("north", "(none)")
    assert [value(report, "Revenue", brand=one) for one in report.brands] == [6, 660]
    assert [value(report, "Revenue from Campaigns", brand=one) for one in report.brands] == [1, 110]
    rows = report.channels("All Customers", ["Revenue from Campaigns", "Deliveries"]).to_pylist()
    assert [(row["channel"], row["metric"], row["value"]) for row in rows] == [
        ("Email", "Revenue from Campaigns", 0),
        ("Email", "Deliveries", 0),
        ("(none)", "Revenue from Campaigns", 111),
        ("(none)", "Deliveries", 3),
    ]
    best = report.top_campaigns(segments=1).to_pylist()
    listed = [(row["campaign"], row["value"]) for row in best if row["segment"] == "All Customers"]
    assert listed == [("(none)", 10), ("north", 1)]
    for block, cells in report._numbers.figures.counted.blocks.items():
        assert sorted(cells.plan.keys.values()) == list(range(len(cells.plan.keys))), block


def test_a_condition_called_as_a_group():
    orders, touches = named_none()
    groups = {"channel == 'Email'": ["(none)"], "in_app": ["Email"]}
    credited = oc.Attribution(groups=groups).credit(orders, touches)
    own = oc.Metric("Own", "revenue", where="channel == 'Email'", unit="currency")
    built = {"period": "2026-03", "compare": None, "as_of": "2026-03-31"}
    report = oc.SegmentReport.build(
        orders, everybody(orders), credited=credited, metrics=[own], **built
    )
    assert value(report, "Own") == value(report, "Revenue from In-App") == 222
    assert value(report, "Revenue from channel == 'Email'") == 111
    all_groups = oc.Attribution(groups={"any group": ["Email"]}).credit(orders, touches)
    with pytest.raises(oc.ConfigError, match="stands for all groups"):
        oc.SegmentReport.build(orders, everybody(orders), credited=all_groups, **built)


def test_a_renamed_target():
    orders, _ = named_none()
    built = {"period": "2026-03", "compare": None, "as_of": "2026-03-31"}
    plain = oc.SegmentReport.build(orders, everybody(orders), **built)
    report = oc.SegmentReport.build(orders, everybody(orders), targets={"All": None}, **built)
    assert report.targets == ("All",)
    assert report.comparison() == plain.comparison()
    assert report.dynamics("Revenue") == plain.dynamics("Revenue")
    content = content_of_report(report, Look(), Months.of("2026-03", "months"))
    assert content.slices[0].target == "All"
    assert repr(report).endswith("Orders are those of the target action All")
    assert report.metadata["targets"] == {"All": None}
    assert report.metadata["memberships"][0]["segments"] == list(report.segments)


def test_points_that_are_unclear():
    orders = orders_of([("ann", 1, at(3, 1), 10)])
    members = pa.table(
        {"customer_id": ["ann"], "valid_from": [date(2026, 1, 1)], "valid_to": [date(2027, 1, 1)]}
    )

    def reported(kinds, numbers, who=None):
        points = oc.EventHistory.build(
            pa.table(
                {
                    "customer_id": who or ["ann"] * len(kinds),
                    "occurred_at": [at(3, 11 + place) for place in range(len(kinds))],
                    "kind": pa.array(kinds, pa.string()),
                    "points": pa.array(numbers, pa.int64()),
                }
            ),
            columns=oc.EventColumns(attributes=("kind",), values=("points",)),
        )
        return oc.SegmentReport.build(
            orders, everybody(orders), period="2026-03", compare=None, as_of="2026-03-31",
            loyalty=oc.Loyalty(members=members, points=points),
        )  # fmt: skip

    report = reported(["awarded", None, "redeemed", "awarded"], [50, 7, None, 5])
    assert value(report, "Points Awarded") == 55
    notes = report.metadata["notes"]
    assert notes == ["2 events of points without a kind or a number: counted nowhere"]
    others = reported(["bonus", "awarded"], [1, 2], who=["ann", "zoe"]).metadata["notes"]
    assert others == [
        "1 event of points of people who are no members on that day: counted nowhere",
        "points of kinds that are not known count nowhere: 'bonus'",
    ]
    with pytest.raises(oc.DataError, match="'ann' on 2026-03-12 are less than 0"):
        reported(["awarded", "redeemed"], [50, -30])


def test_campaigns_without_deliveries_are_open():
    orders = orders_of([("ann", 1, at(3, 30), 10)])
    credited = oc.Attribution().credit(
        orders, touches_of([("ann", at(3, 29), "click", "Email", "news")])
    )
    report = oc.SegmentReport.build(
        orders, everybody(orders), period="2026-03", compare=None, as_of="2026-03-31",
        credited=credited,
    )  # fmt: skip
    assert all(row["open"] for row in report.top_campaigns().to_pylist())


def test_rates_as_of_a_day():
    """What comes after the day marks no message: the rate stays what it was on that day."""
    orders = orders_of([("ann", 1, at(2, 1), 10), ("bob", 2, at(3, 31), 10)])
    sent = [("ann", at(2, 8)), ("ann", at(3, 8)), ("bob", at(3, 9)), ("bob", at(3, 30))]
    rows = [(who, when, "delivery", "Email", f"n{when.day}") for who, when in sent]
    rows += [
        ("ann", at(2, 20), "open", "Email", "n8"),  # of February's, before all days asked for
        ("bob", at(3, 10), "open", "Email", "n9"),
        ("ann", at(3, 11), "click", "Email", "n8"),
    ]
    known = touches_of([one for one in rows if one[1] <= at(3, 10, 23)])
    later = touches_of(rows)

    def rates(touches, **asked):
        report = oc.SegmentReport.build(
            orders, everybody(orders), period="2026-03", compare="previous_period",
            credited=oc.Attribution().credit(orders, touches), **asked,
        )  # fmt: skip
        found = report.comparison(["Open Rate", "Click Rate"]).to_pylist()[-2:]
        email = report.channels("All Customers", ["Open Rate", "Click Rate"]).to_pylist()
        numbers = [(row["value"], row["previous"]) for row in found]
        assert [(row["value"], row["previous"]) for row in email] == numbers
        for name, (one, _) in zip(("Open Rate", "Click Rate"), numbers, strict=True):
            assert report.audit(name).total() == one * report.audit(name).total("denominator")
        return numbers

    assert rates(later, as_of="2026-03-10") == rates(known, as_of="2026-03-10")
    assert rates(later, as_of="2026-03-10") == [(1 / 2, 1), (0, 0)]
    assert rates(later, as_of="2026-03-11") == [(1 / 2, 1), (1 / 2, 0)]
    assert rates(later) == [(1 / 3, 1), (1 / 3, 0)]


def test_notes_of_streams():
    """What counts as nothing is said, and of many names a few."""
    orders = orders_of([("ann", 1, at(3, 10), 10)])
    rows = [("ann", at(3, 9), "delivered", f"Radio {one}", f"c{one}") for one in reversed(range(7))]
    rows += [("ann", at(3, 9), "click", "Email", "known")]
    campaigns = pa.table({"campaign": ["known"], "sent_at": [date(2026, 3, 1)]})
    touches = touches_of(rows, lookups={"campaign": campaigns})
    credited = oc.Attribution(groups={"campaigns": ("Email",)}).credit(orders, touches)
    report = oc.SegmentReport.build(
        orders, everybody(orders), period="2026-03", compare=None, as_of="2026-03-31",
        credited=credited,
    )  # fmt: skip
    notes = report.metadata["notes"]
    few = ", ".join(f"'Radio {one}'" for one in range(5))
    assert notes == [
        f"7 touches are of channels in no group ({few}, ...), and never win",
        "no touch is of the kind 'delivery', and 'delivered' is none",
        "7 campaigns have no row in the lookup ('c0', 'c1', 'c2', 'c3', 'c4', ...)",
    ]
    assert f"7 touches of channels in no group ({few}, ...)" in repr(credited)


def test_shares_of_ones_own():
    orders, touches = named_none()
    credited = oc.Attribution(groups={"campaigns": ["(none)"], "in_app": ["Email"]}).credit(
        orders, touches
    )
    own = oc.Metric("Own", "revenue", "revenue", where="channel == 'Email'", unit="share")
    report = oc.SegmentReport.build(
        orders, everybody(orders), period="2026-03", compare=None, as_of="2026-03-31",
        credited=credited, metrics=[own],
    )  # fmt: skip
    assert value(report, "Own") == 222 / 666
    taken = oc.Metric("Revenue from Signage", "revenue", unit="currency")
    signs = oc.Attribution(groups={"Signage": ["Email"]})
    with pytest.raises(oc.ConfigError, match="there is a metric of that name"):
        oc.SegmentReport.build(
            orders, everybody(orders), period="2026-03", metrics=[taken],
            credited=signs.credit(orders, touches),
        )  # fmt: skip
    with pytest.raises(oc.ConfigError, match="customers are not"):
        oc.Metric("Own", "customers", where="channel == 'Email'", unit="share")
    for metrics in (own, "Own"):
        with pytest.raises(oc.ConfigError, match="no list of metrics"):
            oc.SegmentReport.build(orders, everybody(orders), period="2026-03", metrics=metrics)


def test_the_last_touch_is_said():
    orders = orders_of([("ann", day, at(3, 5) - timedelta(days=day), 10) for day in range(100)])
    credited = oc.Attribution().credit(
        orders, touches_of([("ann", at(3, 9), "click", "Email", "news")])
    )
    with pytest.warns(oc.OrdercycleWarning, match="the last touch is of 2026-03-09"):
        oc.SegmentReport.build(orders, everybody(orders), period="2026-03", credited=credited)
    topics = pa.table(
        {"customer_id": ["ann"], "channel": ["Email"], "topic": pa.array([None], pa.string())}
    )
    with pytest.raises(oc.DataError, match="topic is null"):
        oc.SegmentReport.build(orders, everybody(orders), period="2026-03", subscriptions=topics)


def test_metrics_say_what_they_need():
    orders = orders_of([(1, 1, at(1, 5), 10)])
    members = pa.table(
        {"customer_id": [1], "valid_from": [date(2026, 1, 1)], "valid_to": [date(2027, 1, 1)]}
    )
    built = {"period": "2026-01", "as_of": "2026-01-31"}
    plain = oc.SegmentReport.build(orders, everybody(orders), **built)
    with_members = oc.SegmentReport.build(
        orders, everybody(orders), loyalty=oc.Loyalty(members=members), **built
    )
    for report, name, needed in (
        (plain, "Reach", "credited"),
        (plain, "Recipients", "credited"),
        (plain, "Open Rate", "credited"),
        (plain, "Loyalty Program Members", "loyalty"),
        (plain, "Subscribers", "subscriptions"),
        (with_members, "Points Awarded", "points"),
        (with_members, "Total Discount Amount", "discount"),
    ):
        with pytest.raises(oc.ConfigError, match="needs more than orders") as raised:
            report.comparison([name])
        assert needed in str(raised.value)


def test_forgotten_customers_are_in_no_arm_and_no_cohort():
    """Lift and cohorts are about customers: of who is forgotten, nobody is left to be one."""
    rows = [(who, who, at(1 + who % 2, 5), 10 * who) for who in range(1, 9)]
    arms = lists_of([(who, "held", date(2026, 1, 1), None) for who in (1, 2, 3)])
    clicks = touches_of([(4, at(1, 4), "click", "Email", "news")])
    key = bytes(32)

    def measured(orders, touches):
        credited = oc.Attribution().credit(orders, touches)
        lift = oc.HoldoutLift.build(credited, arms, control="held", period=("2026-02", "2026-03"))
        whole = Period.whole(Months.of(("2026-01", "2026-03"), "months"))
        return lift.to_table().drop_columns("attributed_revenue"), cohorts_of(orders, whole)

    everyone = orders_of(rows)
    lift, cohorts = measured(everyone, clicks)
    left_lift, left = measured(everyone.forget([8], key=key), clicks.forget([8], key=key))
    rest_lift, rest = measured(orders_of(rows[:-1]), clicks)
    assert (left_lift, left) == (rest_lift, rest)
    assert (lift, cohorts) != (rest_lift, rest)
    assert len(rows) == sum(cohorts.sizes) == sum(left.sizes) + 1


def test_customers_with_one_touch_that_wins(monkeypatch):
    compiled = messages.link_messages
    checked = {name: one._interpreted for name, one in compiled.items()}  # with checks of bounds
    monkeypatch.setattr(messages, "link_messages", checked)
    who = range(40)
    orders = orders_of([(one, one, at(2, 3), 10) for one in who])
    rows = [
        (one, at(2, 2), "delivery" if one % 3 == 0 else "click", "Email", "news", one)
        for one in who
    ]
    columns = oc.EventColumns(attributes=("kind", "channel", "campaign"), keys=("message",))
    touches = oc.EventHistory.build(table((*EVENTS, "message"), rows), columns=columns)
    credited = oc.Attribution(qualify=("delivery", "click")).credit(orders, touches)
    report = oc.SegmentReport.build(
        orders, everybody(orders), period="2026-02", compare=None, credited=credited
    )
    assert (value(report, "Deliveries"), value(report, "Orders from Campaigns")) == (14, 40)
