"""Reports of memberships of every kind."""

import warnings
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import ordercycle as oc

FIRST = date(2025, 1, 1)
PERIOD = ("2025-03", "2025-05")


@pytest.fixture(scope="module")
def history() -> oc.OrderHistory:
    """Return three hundred orders of forty customers in half a year."""
    days = [FIRST + timedelta(days=(number * 37) % 180) for number in range(300)]
    return oc.OrderHistory.build(
        pa.table(
            {
                "customer_id": [(number * 7) % 40 + number % 3 for number in range(300)],
                "ordered_at": days,
                "amount": [float(number % 50) for number in range(300)],
            }
        )
    )


def values(report: oc.SegmentReport, metric: str) -> dict:
    table = report.comparison([metric])
    return dict(zip(table["segment"].to_pylist(), table["value"].to_pylist(), strict=True))


def on_last_day(assigned: pa.Table, name: str, segments: tuple[str, ...]) -> dict:
    """Return how many customers of a profile are in each segment, and how many there are."""
    found = pc.value_counts(assigned[name].cast(pa.string())).to_pylist()
    counts = {count["values"]: count["counts"] for count in found}
    return {name: counts.get(name, 0) for name in segments} | {"All Customers": assigned.num_rows}


@pytest.mark.parametrize("every", ["day", "week", "month"])
def test_customers_are_where_the_profile_of_the_last_recalculation_has_them(history, every):
    last = {"day": "2025-05-31", "week": "2025-05-25", "month": "2025-05-31"}[every]
    rfm = oc.Rfm()
    membership = rfm.membership(history, "2025-03-01", "2025-06-30", every=every)
    report = oc.SegmentReport.build(history, membership, period=PERIOD, compare=None)
    profile = history.profile(last)
    expected = on_last_day(rfm.fit(profile).assign(profile), "rfm", rfm.segments)
    expected["All Customers"] = history.profile("2025-05-31").num_rows
    assert values(report, "Customers") == expected


def test_a_cadence_and_a_list_beside_it(history):
    cadence = oc.Cadence(just_ordered_days=5).fit(history.profile("2025-06-30"))
    vip = pa.table(
        {
            "customer_id": [1, 2, 3],
            "segment": ["VIP"] * 3,
            "valid_from": [FIRST] * 3,
            "valid_to": [None, None, date(2025, 4, 1)],
        }
    )
    memberships = [cadence.membership(history), oc.Membership.from_table(vip)]
    report = oc.SegmentReport.build(history, memberships, period=PERIOD, compare=None)
    expected = on_last_day(
        cadence.assign(history.profile("2025-05-31")), "cadence", cadence.segments
    )
    assert values(report, "Customers") == expected | {"VIP": 2}


def test_customers_whom_the_history_does_not_have_are_reported(history):
    unknown = pa.table(
        {
            "customer_id": [1, -1, -2],
            "segment": ["VIP"] * 3,
            "valid_from": [FIRST] * 3,
            "valid_to": pa.nulls(3),
        }
    )
    membership = oc.Membership.from_table(unknown)
    with pytest.warns(oc.OrdercycleWarning, match="2 intervals are of customers whom the history"):
        report = oc.SegmentReport.build(history, membership, period=PERIOD, compare=None)
    assert values(report, "Customers")["VIP"] == 1


def test_orders_after_what_a_membership_knows_are_reported(history):
    known = oc.Lifecycle().membership(history, end="2025-04-30")
    with pytest.warns(
        oc.OrdercycleWarning, match="known until 2025-04-30 .* has orders until 2025-05-31"
    ):
        oc.SegmentReport.build(history, known, period=PERIOD, compare=None)
    later = oc.Lifecycle().membership(history, end="2025-05-31")
    oc.SegmentReport.build(history, later, period=PERIOD, compare=None)


@pytest.mark.parametrize(
    ("period", "compare", "messages"),
    [
        (PERIOD, None, ["has orders from 2025-03-01"]),
        (("2025-05", "2025-05"), "previous_period", ["period 2025-04 has orders from 2025-04-01"]),
        (("2025-05", "2025-05"), None, []),
        (("2025-05", "2025-05"), "previous_year", []),
    ],
)
def test_orders_before_what_a_membership_knows_are_reported(history, period, compare, messages):
    known = oc.Lifecycle().membership(history, start="2025-04-15")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        oc.SegmentReport.build(history, known, period=period, compare=compare)
    for one, what in zip(caught, messages, strict=True):
        assert "known from 2025-04-15" in str(one.message)
        assert what in str(one.message)


@pytest.mark.parametrize("scheme", [oc.Lifecycle(), oc.Rfm(), oc.Rules({"Big": "revenue > 10"})])
def test_a_membership_of_another_history_is_refused(history, scheme):
    other = oc.OrderHistory.build(
        pa.table({"customer_id": [1], "ordered_at": [FIRST], "amount": [-1.0]}), refunds="count"
    )
    with pytest.raises(oc.ConfigError, match="belongs to another history"):
        oc.SegmentReport.build(history, scheme.membership(other), period=PERIOD)
