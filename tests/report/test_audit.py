"""Audits: rows add up to every number of a report, exactly."""

from datetime import date
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.channel_shops import UNLISTED, listing, orders_of, report_of, shops

import ordercycle as oc
from ordercycle._report.quantities import GRAINS

pytestmark = [
    pytest.mark.filterwarnings("ignore:no touch has "),
    pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning"),
]
KINDS = ("int", "decimal", "wide", "float")
PERIODS = [("2026-02", "2026-02"), ("2026-02", "2026-03"), ("2026-03", "2026-05")]
WHERE = "channel == 'Email'"
OWN = [
    oc.Metric("Buyers", "buyers", unit="customers"),
    oc.Metric("Email buyers", "buyers", where=WHERE, unit="customers"),
    oc.Metric("Email share", "revenue", "revenue", where=WHERE, unit="share"),
    oc.Metric("Email reach", "recipients", "deliveries", where=WHERE, unit="share"),
]


def added_up(audit, of):
    """Return what the rows of a side add up to."""
    table = audit.to_table(of)
    assert table.column("customer_id").null_count == 0
    times = table["times"].to_pylist() if "times" in table.column_names else [1] * table.num_rows
    rows = zip(table["value"].to_pylist(), times, strict=True)
    return sum((Fraction(value) * count for value, count in rows), Fraction(0)) / audit.unit(of)


def check(audit, value):
    above = added_up(audit, "numerator")
    assert above == audit.total()
    assert audit.value == value
    if audit.sides == ("numerator",):
        assert value == float(above)
        return
    below = added_up(audit, "denominator")
    assert below == audit.total("denominator")
    assert value == (float(above / below) if below else None)


def check_row(report, row, segment, **asked):
    if row["value"] is None and not is_counted(report, row["metric"], asked):
        with pytest.raises(oc.ConfigError, match="is not counted for this"):
            report.audit(row["metric"], segment, **asked)
    else:
        check(report.audit(row["metric"], segment, **asked), row["value"])


def is_counted(report, name, asked):
    """Whether a metric is counted for a brand and target action: loyalty knows none."""
    numbers = report._numbers
    metric, view = numbers.catalogue.metric(name), numbers.view(asked["brand"], asked["target"])
    months = numbers.as_of.period.months
    parts = [numbers.figures.amounts(part, months, view, None) for part in metric.parts]
    return None not in parts


def asked_for(draw, report):
    """Draw a segment, months and a view."""
    segment = draw(st.sampled_from([None, *report.segments]))
    brand = draw(st.sampled_from([None, *report.brands]))
    return segment, {"brand": brand, "target": draw(st.sampled_from(report.targets))}


def of_segment(table, segment):
    name = "All Customers" if segment is None else segment
    return [row for row in table.to_pylist() if row["segment"] == name]


@settings(max_examples=6)
@given(st.data(), st.sampled_from(KINDS), st.sampled_from(PERIODS))
def test_rows_add_up_to_every_number(data, kind, period):
    shop = data.draw(shops(kind))
    report = report_of(
        shop, kind, period, brand="brand", metrics=OWN,
        as_of=data.draw(st.sampled_from([None, f"{period[1]}-17"])),
    )  # fmt: skip
    segment, view = asked_for(data.draw, report)
    for row in of_segment(report.comparison(**view), segment):
        check_row(report, row, segment, **view)
    for by in GRAINS:
        try:
            table = report.channels(segment, by=by, **view)
        except oc.ConfigError:  # touches of no channel
            continue
        rows = of_segment(table, segment)
        for row in data.draw(st.lists(st.sampled_from(rows), max_size=8)) if rows else ():
            check_row(report, row, segment, **{by: row["channel"]}, **view)
    for metric in ("Revenue from Campaigns", "Open Rate", "Reach"):
        if metric in {one.name for one in report._numbers.catalogue.metrics}:
            for row in of_segment(report.top_campaigns(metric, segments=9, **view), segment):
                check_row(
                    report, row | {"metric": metric}, segment, campaign=row["campaign"], **view
                )


@settings(max_examples=3)
@given(st.data(), st.sampled_from(KINDS))
def test_other_months_and_forgotten_customers(data, kind):
    shop = data.draw(shops(kind))
    report = report_of(shop, kind, ("2026-03", "2026-03"), brand="brand")
    metrics = ("Revenue", "Reach", "Recipients", "Days Since Last Order", "Subscribers")
    for metric in (*metrics, "Orders per Buyer per Month", "Loyalty Program Members"):
        for row in of_segment(report.dynamics(metric, ("2026-02", "2026-03")), None):
            check(report.audit(metric, months=f"{row['month']:%Y-%m}"), row["value"])
    both = report.audit("Reach", months=("2026-02", "2026-03"))
    assert both.value == len(set(both.to_table()["customer_id"].to_pylist()))


@settings(max_examples=4)
@given(
    st.data(),
    st.sampled_from(KINDS),
    st.lists(st.sampled_from([None, UNLISTED, date(2026, 3, 5)]), min_size=4, max_size=4),
    st.sampled_from(["add", "drop"]),
    st.sampled_from(["net", "drop", "count"]),
)
def test_customers_without_a_day_or_not_listed(data, kind, registered, unknown, refunds):
    shop = data.draw(shops(kind))
    listed = listing(registered[: len(shop.customers)])
    orders = orders_of(shop, kind, listed, unknown=unknown, refunds=refunds)
    report = report_of(shop, kind, ("2026-02", "2026-03"), orders=orders, brand="brand")
    segment, view = asked_for(data.draw, report)
    for row in of_segment(report.comparison(**view), segment):
        check_row(report, row, segment, **view)


def small():
    table = pa.table(
        {
            "customer_id": ["ann", "ann", "bob", "cat"],
            "order_id": [1, 2, 3, 4],
            "ordered_at": pa.array([20_500, 20_510, 20_512, 20_400], pa.date32()),
            "amount": [10, 20, 40, 80],
        }
    )
    orders = oc.OrderHistory.build(table, columns=oc.Columns(order="order_id"))
    return orders, oc.Lifecycle().membership(orders)


def test_an_audit_of_orders():
    orders, membership = small()
    report = oc.SegmentReport.build(orders, membership, period="2026-02", as_of="2026-02-28")
    audit = report.audit("Average Order Value", months="2026-02")
    rows = audit.to_table().sort_by("order").to_pylist()
    assert [(row["customer_id"], row["order"], row["value"]) for row in rows] == [
        ("ann", 1, 10),
        ("ann", 2, 20),
        ("bob", 3, 40),
    ]
    assert audit.to_table("denominator")["value"].to_pylist() == [1, 1, 1]
    assert repr(audit).startswith("Audit(Average Order Value, All Customers, 2026-02: 23.33")
    share = report.audit("Share of Orders (all time)", "Promising")
    assert share.to_table("denominator").num_rows == 4
    before = report.audit("Revenue", of="previous")
    assert (before.period, before.value, before.to_table().num_rows) == ("2025-02", 0, 0)
    times = report.audit("Missed Purchase Cycles").to_table()
    assert times.column_names == ["customer_id", "day", "value"]  # ann alone has bought twice


def test_refunds_from_before_their_customer_count_when_the_customer_comes():
    rows = {
        "customer_id": ["ann", "ann"],
        "ordered_at": [date(2026, 2, 10), date(2026, 3, 20)],
        "amount": [-5, 20],
    }
    listed = pa.table({"customer_id": ["ann"], "registered_at": [date(2026, 3, 5)]})
    orders = oc.OrderHistory.build(pa.table(rows), listed)
    membership = oc.Lifecycle().membership(orders)
    report = oc.SegmentReport.build(orders, membership, period="2026-03", as_of="2026-03-31")
    audit = report.audit("Revenue")
    check(audit, 15)
    found = [(row["day"], row["value"]) for row in audit.to_table().to_pylist()]
    assert found == [(date(2026, 3, 5), -5), (date(2026, 3, 20), 20)]


def test_bad_questions():
    orders, membership = small()
    report = oc.SegmentReport.build(
        orders, membership, period="2026-02", as_of="2026-02-28", compare=None
    )
    for given_, said in (
        ({"metric": "Revenues"}, "no metric"),
        ({"metric": "Revenue", "segment": "Loyl"}, "no segment"),
        ({"metric": "Revenue", "of": "previous"}, "compared with nothing"),
        ({"metric": "Revenue", "of": "next"}, "'next'"),
        ({"metric": "Revenue", "of": "previous", "months": "2026-01"}, "compared with nothing"),
        ({"metric": "Revenue", "channel": "Email"}, "not counted by channel"),
        ({"metric": "Revenue", "campaign": "x"}, "not counted by campaign"),
        ({"metric": "Revenue", "channel": "Email", "campaign": "x"}, "together"),
        ({"metric": "Revenue", "brand": "x"}, "no such brand"),
    ):
        with pytest.raises(oc.ConfigError, match=said):
            report.audit(**given_)
    with pytest.raises(oc.ConfigError, match="has no denominator"):
        report.audit("Revenue").to_table("denominator")
    report._numbers.scan = None  # as of reports that an engine has made
    with pytest.raises(oc.ConfigError, match="another engine"):
        report.audit("Revenue")
