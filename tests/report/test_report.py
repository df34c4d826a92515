"""The segment report: what can be chosen, and what is refused."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from support.reports import PERIOD, lists_of, orders_of, planned, report_of, shop, values_of

import ordercycle as oc
from ordercycle._months import Months, Period
from ordercycle._report.as_of import AsOf, Known
from ordercycle._report.cube import count
from ordercycle._report.report_numbers import ReportNumbers
from ordercycle._report.report_spec import listed


@pytest.mark.parametrize(
    ("time", "days_left"),
    [
        (datetime(2025, 12, 3, 16), 28),  # noqa: DTZ001 - local time
        (datetime(2025, 12, 3, 23, 30, tzinfo=UTC), 27),  # December 4 in Madrid
    ],
)
def test_a_first_order_counts_from_its_own_day(time, days_left):
    """The definitions' first example: an order of December 3, 16:00."""
    orders = pa.table({"customer_id": [1], "ordered_at": [time], "amount": [40]})
    history = oc.OrderHistory.build(orders, timezone="Europe/Madrid", times_without_zone="local")
    found = oc.SegmentReport.build(
        history, oc.Lifecycle().membership(history), period="2025-12", compare=None
    )
    for metric, value in (("Revenue", 40.0), ("New Customer Registrations", 1.0)):
        assert values_of(found, metric) == {
            **dict.fromkeys(found.segments, 0.0), "New – 1 order": value, "All Customers": value
        }  # fmt: skip
    assert values_of(found, "Days Since Last Order")["New – 1 order"] == days_left


def test_an_order_of_a_churned_customer_belongs_to_active():
    """The definitions' second example: a churned customer orders on December 15."""
    orders = orders_of([("ann", date(2025, 1, 1), 10.0), ("ann", date(2025, 12, 15), 25.0)])
    found = report_of(orders, compare="previous_period")
    assert values_of(found, "Revenue") == {
        **dict.fromkeys(found.segments, 0.0), "Active": 25.0, "All Customers": 25.0
    }  # fmt: skip
    before = found.dynamics("Customers", ("2025-11", "2025-12")).to_pylist()
    where = [(row["segment"], row["month"].month) for row in before if row["value"]]
    assert where == [("Active", 12), ("Churned", 11), ("All Customers", 11), ("All Customers", 12)]


def test_one_month_may_stand_alone_and_nothing_need_be_compared():
    found = report_of(shop(), period="2025-11", compare=None)
    assert (found.period, found.previous) == ("2025-11", None)
    assert values_of(found, "Revenue")["All Customers"] == 10.0
    table = found.comparison()
    for name in ("previous", "change", "change_ratio"):
        assert table[name].null_count == len(table)


def test_prior_periods():
    assert report_of(shop()).previous == "2024-10 to 2024-12"
    assert report_of(shop(), compare="previous_period").previous == "2025-07 to 2025-09"
    across = report_of(shop(), period=("2025-01", "2025-02"), compare="previous_period")
    assert across.previous == "2024-11 to 2024-12"


def test_segments_are_chosen_and_ordered():
    found = report_of(shop(), segments=["Churned", "Active"])
    assert found.segments == ("Churned", "Active")
    rows = found.comparison(["Customers", "Revenue"]).to_pylist()
    assert [(row["segment"], row["metric"]) for row in rows] == [
        (name, metric)
        for name in ("Churned", "Active", "All Customers")
        for metric in ("Customers", "Revenue")
    ]
    assert values_of(found, "Revenue")["All Customers"] == 47.0


def test_without_segments_a_report_is_about_everybody():
    found = report_of(shop(), segments=[])
    assert values_of(found, "Revenue") == {"All Customers": 47.0}
    assert repr(found).count("\n") == 2


def test_a_membership_of_nobody():
    history = oc.OrderHistory.build(shop())
    kinds = {"customer_id": pa.string(), "segment": pa.string()}
    days = {"valid_from": pa.date32(), "valid_to": pa.date32()}
    nobody = pa.schema(kinds | days).empty_table()
    found = oc.SegmentReport.build(history, oc.Membership.from_table(nobody), period=PERIOD)
    assert values_of(found, "Orders") == {"All Customers": 3.0}


def test_several_memberships_in_one_report():
    history = oc.OrderHistory.build(shop())
    lists = oc.Membership.from_table(
        pa.table(
            {
                "customer_id": ["ann", "ann", "bob", "dan"],
                "segment": ["VIP", "Newsletter", "Newsletter", "VIP"],
                "valid_from": [date(2025, 1, 1), date(2025, 10, 1), date(2025, 11, 6), None],
                "valid_to": pa.array([None, date(2025, 11, 1), None, None], pa.date32()),
            }
        ).filter(pa.array([True, True, True, False]))
    )
    lifecycle = oc.Lifecycle().membership(history)
    found = oc.SegmentReport.build(history, [lifecycle, lists], period=PERIOD)
    assert found.segments == (*lifecycle.segments, *lists.segments)
    revenue = values_of(found, "Revenue")
    assert (revenue["VIP"], revenue["Newsletter"], revenue["All Customers"]) == (30.0, 27.5, 47.0)
    assert values_of(found, "Customers")["Newsletter"] == 1.0
    named = oc.SegmentReport.build(
        history, {"old": lifecycle, "new": oc.Lifecycle(new_days=5).membership(history)},
        period=PERIOD, segments=["old: New – 1 order", "new: New – 1 order"],
    )  # fmt: skip
    customers = values_of(named, "Customers")
    assert customers == {
        "old: New – 1 order": 1.0,
        "new: New – 1 order": 1.0,
        "All Customers": 3.0,
    }


def test_a_refund_from_before_its_customer_counts_when_the_customer_comes():
    orders = orders_of([("ann", date(2025, 9, 30), -5.0), ("ann", date(2025, 11, 20), 30.0)])
    customers = pa.table({"customer_id": ["ann"], "registered_at": [date(2025, 10, 2)]})
    history = oc.OrderHistory.build(orders, customers)
    membership = oc.Lifecycle().membership(history)
    found = oc.SegmentReport.build(history, membership, period="2025-10", compare=None)
    assert values_of(found, "Revenue")["New – no orders"] == -5.0
    assert values_of(found, "Revenue (all time)")["All Customers"] == -5.0
    assert values_of(found, "New Customer Registrations")["New – no orders"] == 1.0
    by_month = found.dynamics("Revenue", ("2025-08", "2025-12")).slice(9 * 5)
    assert by_month["value"].to_pylist() == [0.0, 0.0, -5.0, 30.0, 0.0]


def test_months_beyond_those_counted_are_counted_when_they_are_asked_for():
    found = report_of(shop(), compare=None)
    table = found.dynamics("Customers", ("2023-01", "2027-01"))
    ends = table.filter(pa.array([name == "Churned" for name in table["segment"].to_pylist()]))
    assert ends["value"].to_pylist()[-1] == 3.0
    assert found.dynamics("Customers")["month"][0].as_py() == date(2024, 12, 1)


def test_the_last_day_of_the_history_may_be_in_the_middle_of_a_month():
    orders = shop().filter(pa.array([True, True, True, True, False]))
    found = report_of(orders, compare=None)
    days = values_of(found, "Days Since Last Order")["All Customers"]
    last = date(2025, 12, 31)
    assert days == ((last - date(2025, 10, 15)) + (last - date(2025, 11, 5))) / timedelta(days=2)


def test_listed_memberships_keep_their_order():
    history = oc.OrderHistory.build(shop())
    first, second = oc.Lifecycle().membership(history), lists_of(["VIP"])
    assert listed(first) == [first]
    assert listed({"a": first, "b": second}) == listed((first, second)) == [first, second]


@pytest.mark.parametrize(
    ("period", "says"),
    [
        ("2025-13", "'2025-13' is no month"),
        ("2025", "'2025' is no month"),
        (("2025-10", "12"), "'12' is no month"),
        (("2025-12", "2025-10"), "ends before it begins"),
        (("2025-10",), "no range of months"),
        (("2025-10", "2025-11", "2025-12"), "no range of months"),
        (date(2025, 10, 1), "no range of months"),
        (None, "no range of months"),
        ((2025, 2026), "2025 is no month"),
        ("1899-12", "outside the years 1900 to 2199"),
        ("2025-10-01", "is no month"),
        ("２０２５-10", "is no month"),
    ],
)
def test_months_that_make_no_sense(period, says):
    with pytest.raises(oc.ConfigError, match=says):
        report_of(shop(), period=period)


def test_no_metrics_are_a_table_without_rows():
    found = report_of(shop()).comparison([])
    assert found.num_rows == 0
    assert found.schema == report_of(shop()).comparison().schema


def test_unknown_names_are_refused_with_a_hint():
    with pytest.raises(oc.ConfigError, match="did you mean 'previous_year'"):
        report_of(shop(), compare="previous_yaer")
    with pytest.raises(oc.ConfigError, match="did you mean 'Churned'"):
        report_of(shop(), segments=["Churnd"])
    with pytest.raises(oc.ConfigError, match="twice"):
        report_of(shop(), segments=["Churned", "Churned"])
    with pytest.raises(oc.ConfigError, match=r"\['Churned'\]"):
        report_of(shop(), segments="Churned")
    found = report_of(shop())
    with pytest.raises(oc.ConfigError, match="did you mean 'Revenue'"):
        found.dynamics("Revenu")
    with pytest.raises(oc.ConfigError, match="export's name of 'Revenue'"):
        found.comparison(["TotalRevenue"])
    with pytest.raises(oc.ConfigError, match=r"\['Revenue'\]"):
        found.comparison("Revenue")
    with pytest.raises(oc.ConfigError, match="choose from"):
        found.to_csv("report.csv", mode="pivot")
    with pytest.raises(oc.ConfigError, match="choose dynamics"):
        found.to_csv("report.csv", metric="Revenue")


def test_thirty_segments_and_no_more():
    history = oc.OrderHistory.build(shop())
    names = [f"list {number:02}" for number in range(31)]
    with pytest.raises(oc.ConfigError, match="30 segments at most and these are 31"):
        oc.SegmentReport.build(history, lists_of(names), period=PERIOD)
    found = oc.SegmentReport.build(history, lists_of(names), period=PERIOD, segments=names[1:])
    revenue = values_of(found, "Revenue")
    assert revenue == {**dict.fromkeys(names[1:], 30.0), "All Customers": 47.0}


def test_memberships_that_make_no_sense():
    history = oc.OrderHistory.build(shop())
    lifecycle = oc.Lifecycle().membership(history)
    with pytest.raises(oc.ConfigError, match="several memberships have a segment"):
        oc.SegmentReport.build(history, [lifecycle, lifecycle], period=PERIOD)
    with pytest.raises(oc.ConfigError, match="at least one membership"):
        oc.SegmentReport.build(history, [], period=PERIOD)
    with pytest.raises(oc.ConfigError, match=r"scheme.membership\(history\)"):
        oc.SegmentReport.build(history, [oc.Lifecycle()], period=PERIOD)
    for none in (oc.Lifecycle(), None, 5, "lifecycle"):
        with pytest.raises(oc.ConfigError, match=r"scheme.membership\(history\)"):
            oc.SegmentReport.build(history, none, period=PERIOD)
    with pytest.raises(oc.ConfigError, match="takes an OrderHistory, not a Table"):
        oc.SegmentReport.build(shop(), lifecycle, period=PERIOD)
    with pytest.raises(oc.ConfigError, match="row for everybody"):
        oc.SegmentReport.build(history, lists_of(["All Customers"]), period=PERIOD)


@pytest.mark.parametrize("period", ["2024-11", "2026-01"])
def test_a_period_without_the_history_is_empty_and_says_so(period):
    with pytest.warns(oc.OrdercycleWarning, match="from 2024-12-03 to 2025-12-31"):
        found = report_of(shop(), period=period, compare=None)
    assert set(values_of(found, "Orders").values()) == {0.0}
    assert set(values_of(found, "Average Order Value").values()) == {None}
    assert values_of(found, "Customers")["All Customers"] == (3.0 if period == "2026-01" else 0.0)


def test_a_history_without_orders():
    nothing = orders_of([("ann", date(2025, 1, 1), 1.0)]).slice(0, 0)
    with pytest.warns(oc.OrdercycleWarning, match="the history has none at all"):
        found = report_of(nothing)
    table = found.comparison()
    assert set(table["value"].to_pylist()) == {0.0, None}
    assert "All Customers" in repr(found)
    assert found.dynamics("Revenue").num_rows == 10 * 3


def test_a_report_of_a_cube_knows_its_months_only():
    months = Months.of(PERIOD, "months")
    history, membership, plan = planned(shop(), Period.whole(months))
    as_of = AsOf.chosen(months, None, None, Known.of(history))
    found = oc.SegmentReport(ReportNumbers([count(history, [membership], plan)], as_of))
    assert values_of(found, "Orders")["All Customers"] == 3.0
    with pytest.raises(oc.ConfigError, match="knows 2025-10 to 2025-12 only"):
        found.dynamics("Revenue", ("2025-09", "2025-12"))


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.decimal32(9, 2), pa.decimal128(38, 4), pa.decimal128(5, -2)]
)
def test_money_of_every_exact_type(kind):
    number = int if kind == pa.int64() else Decimal
    amounts = pa.array([number(amount) for amount in (1_200, -300, 700)], kind)
    names, days = ["ann", "ann", "bob"], [date(2025, 10, day) for day in (1, 2, 3)]
    found = report_of(
        pa.table({"customer_id": names, "ordered_at": days, "amount": amounts}),
        compare=None,
        as_of="2025-12-31",
    )
    assert values_of(found, "Revenue")["All Customers"] == 1_600.0
    assert values_of(found, "Average Order Value")["All Customers"] == 800.0
    assert values_of(found, "Share of Revenue (all time)")["Promising"] == 1.0


def test_averages_beyond_a_float_are_an_error():
    rows = [(name, date(2025, 10, 1), 1.5e308) for name in ("ann", "bob")]
    found = report_of(orders_of(rows), compare=None, as_of="2025-12-31")
    assert values_of(found, "Average Order Value")["All Customers"] == 1.5e308
    with pytest.raises(oc.DataError, match="Revenue is larger than a float64 holds"):
        found.comparison(["Revenue"])
