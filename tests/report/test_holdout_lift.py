"""Lift against customers who are held out, beside attributed revenue, against plain Python."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from statistics import mean, variance

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ordercycle as oc
from ordercycle._statistics.distributions import t_p, t_quantile

ORDERS = oc.Columns(order="order_id", instants=True)
TOUCHES = oc.EventColumns(attributes=("kind", "channel"))
START = dt.datetime(2025, 12, 1, 12, tzinfo=dt.UTC)
#: Days of orders, of which months are named: December to March.
DAYS = st.integers(0, 119)
AMOUNTS = {
    "int": (pa.int64(), st.integers(-20, 100)),
    "decimal": (pa.decimal128(10, 2), st.integers(-2000, 9000).map(lambda n: Decimal(n) / 100)),
    "float": (pa.float64(), st.integers(-2000, 9000).map(lambda n: n / 100)),
}
NAMES = ["control", "mail", "loyal"]
MONTHS = ["2026-01", "2026-02", "2026-03"]


def membership(arms):
    """Return a membership of customers by their arms: None for those in no list."""
    rows = [(place, arm) for place, its in enumerate(arms) for arm in its]
    return oc.Membership.from_table(
        pa.table(
            {
                "customer_id": pa.array([place for place, _ in rows], pa.int64()),
                "segment": pa.DictionaryArray.from_arrays(
                    pa.array([NAMES.index(arm) for _, arm in rows], pa.int8()), NAMES
                ),
                "valid_from": pa.array([dt.date(2025, 1, 1)] * len(rows), pa.date32()),
                "valid_to": pa.nulls(len(rows), pa.date32()),
            }
        )
    )


def credited(bought, clicked, kind):
    """Return credits of orders (customer, day, amount), and clicks an hour before some of them."""
    orders = pa.table(
        {
            "customer_id": pa.array([who for who, _, _ in bought], pa.int64()),
            "order_id": pa.array(range(len(bought)), pa.int64()),
            "ordered_at": pa.array(
                [START + dt.timedelta(days=day) for _, day, _ in bought], pa.timestamp("us", "UTC")
            ),
            "amount": pa.array([amount for _, _, amount in bought], kind),
        }
    )
    known = pa.table(
        {
            "customer_id": pa.array(range(20), pa.int64()),
            # The last two register within the period, and are in no arm.
            "registered_at": [dt.date(2025, 6, 1)] * 18 + [dt.date(2026, 2, 2)] * 2,
        }
    )
    clicks = [bought[place] for place in clicked if place < len(bought)]
    touches = pa.table(
        {
            "customer_id": pa.array([who for who, _, _ in clicks], pa.int64()),
            "occurred_at": pa.array(
                [START + dt.timedelta(days=day, hours=-1) for _, day, _ in clicks],
                pa.timestamp("us", "UTC"),
            ),
            "kind": pa.array(["click"] * len(clicks), pa.string()),
            "channel": pa.array(["Email"] * len(clicks), pa.string()),
        }
    )
    return oc.Attribution(window="2h", windows={}).credit(
        oc.OrderHistory.build(orders, known, columns=ORDERS),
        oc.EventHistory.build(touches, columns=TOUCHES),
    )


def month_of(day):
    return f"{(START + dt.timedelta(days=day)):%Y-%m}"


ARMS = st.lists(
    st.sampled_from([["control"], ["mail"], [], ["control", "mail"]]), min_size=18, max_size=18
)


@given(
    st.data(),
    st.sampled_from(sorted(AMOUNTS)),
    ARMS,
    st.lists(st.integers(0, 40), max_size=12),
    st.booleans(),
    st.sampled_from([(0, 2), (1, 2), (0, 0)]),
)
@settings(max_examples=60)
def test_lift_of_any_months(data, kind, arms, clicked, names_treated, span):
    arrow, amounts = AMOUNTS[kind]
    rows = st.tuples(st.integers(0, 17), DAYS, amounts)
    bought = data.draw(st.lists(rows, min_size=2, max_size=40, unique_by=lambda row: row[:2]))
    loyal = data.draw(st.sets(st.integers(0, 17)))
    made = credited(bought, clicked, arrow)
    lift = oc.HoldoutLift.build(
        made,
        membership(arms),
        control="control",
        treated="mail" if names_treated else None,
        period=("2026-01", "2026-03"),
        segments=membership([["loyal"] if place in loyal else [] for place in range(18)]),
    )
    first, last = span
    table = lift.between(MONTHS[first], MONTHS[last])
    if span == (0, 2):
        assert table.equals(lift.to_table())
    months = MONTHS[first : last + 1]
    won = {
        row["order"] for row in made.to_table().to_pylist() if row["group"] and row["credit"] > 0
    }
    assert lift.in_both == sum(len(its) == 2 for its in arms) * names_treated
    for row in table.to_pylist():
        own = range(18)
        if row["segment"] != "All Customers":
            own = [place for place in own if row["segment"] == "loyal" and place in loyal]
        control = [
            place
            for place in own
            if "control" in arms[place] and not (names_treated and "mail" in arms[place])
        ]
        treated = [
            place
            for place in own
            if (arms[place] == ["mail"] if names_treated else "control" not in arms[place])
        ]
        counted = [(who, Fraction(sum_)) for who, day, sum_ in bought if month_of(day) in months]
        spent = {place: sum(amount for who, amount in counted if who == place) for place in own}
        assert (row["customers"], row["control_customers"]) == (len(treated), len(control))
        for name, group in (("", treated), ("control_", control)):
            attributed = sum(
                Fraction(amount)
                for number, (who, day, amount) in enumerate(bought)
                if who in group and month_of(day) in months and number in won
            )
            assert row[f"{name}attributed_revenue"] == pytest.approx(float(attributed))
        values = [[float(spent[place]) for place in group] for group in (treated, control)]
        if min(map(len, values)) < 2:
            assert row["difference"] is row["p"] is row["incremental_revenue"] is None
            continue
        one, other = map(mean, values)
        if not all(map(variance, values)):
            assert row["difference"] == pytest.approx(one - other, rel=1e-6, abs=1e-6)
            assert row["difference_low"] is row["p"] is row["incremental_revenue"] is None
            continue
        parts = [variance(its) / len(its) for its in values]
        error = sqrt(sum(parts))
        degrees = sum(parts) ** 2 / sum(
            part**2 / (len(its) - 1) for part, its in zip(parts, values, strict=True)
        )
        half = t_quantile(0.05, degrees) * error
        wanted = {
            "revenue_per_customer": one,
            "control_revenue_per_customer": other,
            "difference": one - other,
            "difference_low": one - other - half,
            "difference_high": one - other + half,
            "p": t_p((one - other) / error, degrees),
            "incremental_revenue": (one - other) * len(treated),
            "incremental_high": (one - other + half) * len(treated),
        }
        for name, value in wanted.items():
            assert row[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name
        exactly = sum(spent[place] for place in control)
        assert (row["lift"] is None) == (exactly <= 0)
        if exactly > 0:
            assert row["lift"] == pytest.approx((one - other) / other)


BOUGHT = [(place, 40 + place, 10 + place) for place in range(18)]


def build(**options):
    arms = [["control"] if place % 3 else ["mail"] for place in range(18)]
    given = {"control": "control", "period": ("2026-01", "2026-02"), **options}
    made = credited(BOUGHT, range(6), pa.int64())
    return oc.HoldoutLift.build(made, membership(arms), **given)


def test_a_lift_is_shown():
    assert repr(build()).startswith(
        "HoldoutLift(2026-01 to 2026-02: 6 customers, 12 held out, lift"
    )
    assert build(period="2026-01").to_table().num_rows == 1


BAD = [
    ({"control": "controls"}, "did you mean 'control'"),
    ({"control": ()}, "names no segment"),
    ({"treated": ["control", "mail"]}, "treated=.* is among control="),
    ({"period": "January"}, "period"),
    ({"period": ("2020-01", "2026-01")}, "73 months, more than 60"),
    ({"alpha": 5}, "alpha=5 is not between"),
    ({"segments": "loyal"}, "segments.* is a str, no Membership"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_what_cannot_be_compared(options, message):
    with pytest.raises(oc.ConfigError, match=message):
        build(**options)


def test_other_months_and_other_things():
    with pytest.raises(oc.ConfigError, match="not in the period, 2026-01 to 2026-02"):
        build().between("2026-01", "2026-03")
    with pytest.raises(oc.ConfigError, match=r"credited.* is a int, no Credited"):
        oc.HoldoutLift.build(3, membership([]), control="control", period="2026-01")
    made = credited(BOUGHT, (), pa.int64())
    with pytest.raises(oc.ConfigError, match=r"holdout.* is a list, no Membership"):
        oc.HoldoutLift.build(made, [], control="control", period="2026-01")
    several = membership([["loyal", "mail"]])
    with pytest.raises(oc.ConfigError, match=r"customer \d+ in several segments at once"):
        build(segments=several)
    bare = oc.Columns(order="order_id", amount=None, instants=True)
    table = pa.table({"customer_id": [1], "order_id": [1], "ordered_at": [START]})
    touches = {"customer_id": [1], "occurred_at": [START], "kind": ["click"], "channel": ["SMS"]}
    nothing = oc.Attribution().credit(
        oc.OrderHistory.build(table, columns=bare),
        oc.EventHistory.build(pa.table(touches), columns=TOUCHES),
    )
    with pytest.raises(oc.ConfigError, match="no amounts"):
        oc.HoldoutLift.build(nothing, several, control="control", period="2026-01")
