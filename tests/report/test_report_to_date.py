"""Reports of periods that are not over, or of which only a part is known."""

import csv
import io
import warnings
from datetime import date, timedelta

import pyarrow as pa
import pytest
from support.reports import orders_of, values_of

import ordercycle as oc

LAST = date(2026, 11, 10)


def every_14_days(last: date = LAST, times: int = 30) -> pa.Table:
    """Thirty customers who buy every 14 days, each on a day of her own, the last in November."""
    rows = [
        (f"c{number:02}", last - timedelta(days=number % 14 + 14 * time), 10.0)
        for number in range(30)
        for time in range(times)
    ]
    return orders_of(rows)


@pytest.fixture(scope="module")
def history():
    return oc.OrderHistory.build(every_14_days())


def report_of(history, membership=None, **options):
    membership = oc.Lifecycle().membership(history) if membership is None else membership
    return oc.SegmentReport.build(history, membership, **{"period": "2026-11", **options})


def warned(history, *args, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = report_of(history, *args, **options)
    return found, [str(one.message) for one in caught]


def test_a_month_that_is_not_over_is_reported_to_date(history):
    found, messages = warned(history)
    (text,) = messages
    assert text == (
        "2026-11 is not over, the last order or registration is of 2026-11-10: the report "
        "is as of 2026-11-10 and compared with 2025-11-01 to 2025-11-10; choose a day with as_of="
    )
    assert (found.period, found.previous) == (
        "2026-11-01 to 2026-11-10",
        "2025-11-01 to 2025-11-10",
    )
    assert values_of(found, "Customers")["Loyal"] == 30
    assert round(values_of(found, "Days Since Last Order")["Loyal"], 1) == 6.1
    assert found.as_of == LAST


def test_the_days_of_ten_november_by_hand():
    """Of 30 customers, those who bought 0, 1, 2, ... 13 days ago, five of them 4 to 8 days ago."""
    days_ago = [*range(14), *range(14), 7, 9]
    rows = [
        (f"c{number:02}", LAST - timedelta(days=ago + 14 * time), 10.0)
        for number, ago in enumerate(days_ago)
        for time in range(30)
    ]
    history = oc.OrderHistory.build(orders_of(rows))
    found, messages = warned(history, compare=None)
    assert len(messages) == 1
    assert values_of(found, "Customers")["Loyal"] == 30
    assert values_of(found, "Days Since Last Order")["Loyal"] == 198 / 30  # 6.6


def test_a_chosen_day_needs_no_warning(history):
    chosen, messages = warned(history, as_of="2026-11-10")
    assert messages == []
    found, _ = warned(history)
    assert chosen.comparison().equals(found.comparison())
    earlier = report_of(history, as_of=date(2026, 11, 3))
    assert values_of(earlier, "Orders")["All Customers"] == sum(
        day.as_py() <= date(2026, 11, 3)
        for day in every_14_days()["ordered_at"]
        if day.as_py() >= date(2026, 11, 1)
    )
    to_the_end = report_of(history, as_of="2026-11-30", compare=None)
    assert (to_the_end.period, values_of(to_the_end, "Customers")["Loyal"]) == ("2026-11", 30)
    assert values_of(to_the_end, "Days Since Last Order")["Loyal"] > 26


@pytest.mark.parametrize("day", ["2026-10-31", "2026-12-01", date(2020, 1, 1)])
def test_a_day_outside_the_period_is_refused(history, day):
    with pytest.raises(oc.ConfigError, match=f"as_of='{day}' is no day of the period 2026-11"):
        report_of(history, as_of=day)


@pytest.mark.parametrize("day", ["november", 5])
def test_what_is_no_day_is_refused(history, day):
    with pytest.raises(oc.ConfigError, match="as_of="):
        report_of(history, as_of=day)


def test_a_period_that_is_over_is_reported_to_its_end(history):
    found, messages = warned(history, period=("2026-08", "2026-10"), compare="previous_period")
    assert messages == []
    assert (found.period, found.previous) == ("2026-08 to 2026-10", "2026-05 to 2026-07")


def test_a_quiet_stretch_as_long_as_one_before_ends_nothing():
    """Every 10 days, the last time on 21 November: nine days without orders are nothing new."""
    days = [date(2026, 11, 21) - timedelta(days=10 * time) for time in range(40)]
    orders = orders_of([(f"c{number % 4}", day, 5.0) for number, day in enumerate(days)])
    found, messages = warned(oc.OrderHistory.build(orders), compare=None)
    assert (found.period, messages) == ("2026-11", [])
    one_less = orders.filter(pa.array([day < days[0] for day in orders["ordered_at"].to_pylist()]))
    found, messages = warned(oc.OrderHistory.build(one_less), compare=None)
    assert (found.as_of, len(messages)) == (date(2026, 11, 11), 1)


@pytest.mark.parametrize(("busy", "as_of"), [(81, "2026-11-20"), (80, "2026-11-30")])
def test_quiet_days_are_counted_in_the_ninety_up_to_the_last(busy, as_of):
    """Ten days are missing from November: there have to be as many in a row among the ninety."""
    last = date(2026, 11, 20)
    days = [*(last - timedelta(days=back) for back in range(busy)), last - timedelta(days=300)]
    history = oc.OrderHistory.build(orders_of([("a", day, 5.0) for day in days]))
    found, messages = warned(history, compare=None)
    assert (str(found.as_of), len(messages)) == (as_of, busy - 80)


def test_what_strangers_do_who_are_left_out_is_not_known():
    listed = pa.table(
        {
            "customer_id": [f"c{number:02}" for number in range(30)],
            "registered_at": pa.nulls(30, pa.date32()),
        }
    )
    orders = pa.concat_tables([every_14_days(), orders_of([("who", date(2026, 11, 30), 5.0)])])
    for unknown, as_of in (("drop", LAST), ("add", date(2026, 11, 30))):
        history = oc.OrderHistory.build(orders, listed, unknown=unknown)
        assert warned(history, compare=None)[0].as_of == as_of


def test_a_registration_is_known_too():
    customers = pa.table({"customer_id": ["new"], "registered_at": [date(2026, 11, 29)]})
    with_listed = oc.OrderHistory.build(every_14_days(), customers)
    found, messages = warned(with_listed, compare=None)
    assert (found.period, messages) == ("2026-11", [])


def test_a_membership_that_ends_within_the_period_is_reported_as_of_its_end(history):
    membership = oc.Lifecycle().membership(history, end="2026-11-05")
    found, messages = warned(history, membership, compare=None)
    assert found.as_of == date(2026, 11, 5)
    assert (
        "known until 2026-11-05 and the period 2026-11 has orders until 2026-11-10" in messages[0]
    )
    expected = report_of(history, as_of="2026-11-05", compare=None)
    assert found.comparison().equals(expected.comparison())
    with pytest.raises(oc.ConfigError, match="as_of='2026-11-07' is after 2026-11-05"):
        report_of(history, membership, as_of="2026-11-07")
    assert report_of(history, membership, as_of="2026-11-04").as_of == date(2026, 11, 4)


def test_segments_that_are_held_end_no_report(history):
    """What is recalculated on a schedule holds until somebody looks again."""
    rules = oc.Rules({"Often": "orders > 3"})
    membership = rules.membership(history, every="month", end="2026-11-05")
    found, _ = warned(history, membership, compare=None)
    assert found.as_of == LAST
    chosen, _ = warned(history, membership, compare=None, as_of="2026-11-07")
    assert chosen.as_of == date(2026, 11, 7)


def test_a_prior_period_that_begins_before_the_data_is_named():
    young = oc.OrderHistory.build(every_14_days(date(2026, 11, 30)).slice(0, 800))
    first = young.summary().first_day
    assert first == date(2025, 10, 7)
    _, messages = warned(young, period=("2026-09", "2026-11"))
    (text,) = messages
    assert text == (
        "the prior period 2025-09 to 2025-11 begins before the first order, of 2025-10-07; choose "
        "another with compare="
    )
    _, messages = warned(young, period="2026-11")
    assert messages == []
    _, messages = warned(young, period="2026-09")  # all of the prior one is empty, and looks it
    assert messages == []


def test_dynamics_end_on_the_day(history):
    found, _ = warned(history, compare=None)
    table = found.dynamics("Days Since Last Order", ("2026-10", "2026-11"))
    loyal = [row["value"] for row in table.to_pylist() if row["segment"] == "Loyal"]
    october = report_of(history, period="2026-10", compare=None)
    assert loyal == [
        values_of(october, "Days Since Last Order")["Loyal"],
        values_of(found, "Days Since Last Order")["Loyal"],
    ]
    assert table.schema.metadata == {b"as_of": b"2026-11-10"}


def test_dynamics_end_on_the_day_that_was_chosen(history):
    found = report_of(history, as_of="2026-11-03", compare=None)
    table = found.dynamics("Orders", ("2026-10", "2026-11"))
    november = [row["value"] for row in table.to_pylist() if row["month"] == date(2026, 11, 1)]
    assert november == list(values_of(found, "Orders").values())
    assert table.schema.metadata == {b"as_of": b"2026-11-03"}


def test_later_months_of_dynamics_end_where_they_are_known(history):
    found = report_of(history, period="2026-09", compare=None)
    table = found.dynamics("Customers", ("2026-09", "2026-12"))
    loyal = [row["value"] for row in table.to_pylist() if row["segment"] == "Loyal"]
    assert loyal == [30, 30, 30, 30]
    days = found.dynamics("Days Since Last Order", ("2026-11", "2026-12")).to_pylist()
    by_hand, _ = warned(history, compare=None)
    ago = [row["value"] for row in days if row["segment"] == "Loyal"]
    assert ago[0] == values_of(by_hand, "Days Since Last Order")["Loyal"]
    assert ago[1] == pytest.approx(ago[0] + 51)  # December has no orders: as of its end
    chosen = report_of(history, as_of="2026-11-05", compare=None)
    with pytest.raises(oc.ConfigError, match="month 2026-12 begins after 2026-11-05"):
        chosen.dynamics("Revenue", ("2026-10", "2026-12"))


@pytest.mark.parametrize(
    ("period", "as_of", "shown", "year_before", "just_before"),
    [
        (
            ("2024-01", "2024-03"),
            "2024-02-29",
            "2024-01 to 2024-02",
            "2023-01 to 2023-02",
            "2023-10 to 2023-11",
        ),
        (
            "2024-02",
            "2024-02-28",
            "2024-02-01 to 2024-02-28",
            "2023-02",
            "2024-01-01 to 2024-01-28",
        ),
        (
            "2025-03",
            "2025-03-30",
            "2025-03-01 to 2025-03-30",
            "2024-03-01 to 2024-03-30",
            "2025-02",
        ),
    ],
)
def test_the_prior_period_ends_on_the_same_day_of_its_month(
    period, as_of, shown, year_before, just_before
):
    history = oc.OrderHistory.build(every_14_days(date(2025, 6, 30), times=100))
    for compare, previous in (("previous_year", year_before), ("previous_period", just_before)):
        found = report_of(history, period=period, as_of=as_of, compare=compare)
        assert (found.period, found.previous) == (shown, previous)


def test_the_day_stands_in_everything_that_is_shown(history):
    found, _ = warned(history)
    for text in (repr(found), found._repr_html_()):
        assert "2026-11-01 to 2026-11-10, change from 2025-11-01 to 2025-11-10" in text
    metadata = found.comparison(["Revenue"]).schema.metadata
    assert metadata == {
        b"period": b"2026-11-01 to 2026-11-10",
        b"previous": b"2025-11-01 to 2025-11-10",
    }
    for mode, ends in (("comparison", {"2026-11-10", "2025-11-10"}), ("dynamics", {"2026-11-10"})):
        text = io.StringIO()
        found.to_csv(text, mode=mode)
        rows = list(csv.DictReader(io.StringIO(text.getvalue())))
        assert {row["PeriodEnd"] for row in rows} == ends
    beside = "2026-11-01 to 2026-11-10, beside 2025-11-01 to 2025-11-10"
    assert found.plot("Revenue", mode="comparison").title == f"Revenue, {beside}"
    lines = found.plot("Revenue")
    assert lines.title.endswith("to 2026-11-10")
    assert "open" in {row["end"] for rows in lines.to_dict()["datasets"].values() for row in rows}
