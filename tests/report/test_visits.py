"""Contact Collection Rate: visits by people who are no customers yet, against dull Python."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ordercycle as oc

pytestmark = pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
RATE, EVERYBODY = "Contact Collection Rate", "All Customers"
FIRST, LAST = date(2026, 1, 1), date(2026, 2, 28)
CHANNELS, CAMPAIGNS, BRANDS = ("Search", "Email", None), ("spring", None), ("north", None)
NEVER = date(9999, 1, 1)


class Event(NamedTuple):
    who: str
    at: datetime
    kind: str
    channel: str | None = "Search"
    campaign: str | None = None
    brand: str | None = None
    visit: int | None = None
    machine: bool = False


def at(month, day, hour=12):
    return datetime(2026, month, day, hour, tzinfo=UTC)


def report_of(events, registered, as_of, **options):
    """Return the report of a shop with a customer who ordered long before, and those registered."""
    columns = oc.Columns(order="order_id", instants=True, attributes=("brand",))
    orders = oc.OrderHistory.build(
        pa.table(
            {
                "customer_id": ["old"],
                "order_id": [1],
                "ordered_at": [datetime(2025, 1, 1, tzinfo=UTC)],
                "amount": [10],
                "brand": ["north"],
            }
        ),
        pa.table(
            {
                "customer_id": ["old", *registered],
                "registered_at": pa.array([date(2025, 1, 1), *registered.values()], pa.date32()),
            }
        ),
        columns=columns,
    )
    names = ("customer_id", "occurred_at", *Event._fields[2:])
    columns_of = zip(*events, strict=True) if events else [[] for _ in names]
    kinds = dict.fromkeys(names, pa.string())
    kinds |= {"occurred_at": pa.timestamp("us", "UTC"), "visit": pa.int64(), "machine": pa.bool_()}
    touches = oc.EventHistory.build(
        pa.table(
            {
                name: pa.array(list(column), kinds[name])
                for name, column in zip(names, columns_of, strict=True)
            }
        ),
        columns=oc.EventColumns(
            attributes=("kind", "channel", "campaign", "brand", "machine"), keys=("visit",)
        ),
    )
    return oc.SegmentReport.build(
        orders, oc.Lifecycle().membership(orders), period=("2026-01", "2026-02"), compare=None,
        as_of=as_of, credited=oc.Attribution(exclude="machine").credit(orders, touches),
        brand="brand", **options,
    )  # fmt: skip


def value(table, segment=EVERYBODY):
    return next(row["value"] for row in table.to_pylist() if row["segment"] == segment)


def test_visits_that_leave_a_contact():
    events = [
        Event("v1", at(1, 5), "visit"),
        Event("v1", at(1, 5, 13), "submit"),
        Event("v2", at(1, 6), "visit", "Email"),
        Event("v3", at(2, 6), "visit"),
        # Comes on the 10th: the visit in which the form is sent counts, that of the evening not.
        Event("new", at(1, 10, 9), "visit"),
        Event("new", at(1, 10, 10), "submit"),
        Event("new", at(1, 10, 20), "visit"),
        Event("old", at(1, 7), "visit"),
        Event("old", at(1, 7, 13), "submit"),
        Event("v4", at(1, 8), "visit", machine=True),
    ]
    report = report_of(events, {"new": date(2026, 1, 10)}, "2026-02-28")
    assert value(report.comparison([RATE])) == 2 / 4
    segments = {row["segment"]: row["value"] for row in report.comparison([RATE]).to_pylist()}
    assert set(segments.values()) == {2 / 4, None}
    channels = report.channels(EVERYBODY, [RATE]).to_pylist()
    assert [(row["channel"], row["value"]) for row in channels] == [("Email", 0), ("Search", 2 / 3)]
    months = report.dynamics(RATE, ("2026-01", "2026-02")).to_pylist()
    assert [row["value"] for row in months if row["segment"] == EVERYBODY] == [2 / 3, 0]
    audit = report.audit(RATE)
    assert sorted(audit.to_table()["customer_id"].to_pylist()) == ["new", "v1"]
    assert audit.to_table("denominator").num_rows == 4
    assert report.audit(RATE, "Churned").to_table("denominator").num_rows == 0
    [note] = [one for one in report.metadata["notes"] if "does not have" in one]
    assert "count in Contact Collection Rate alone" in note


def moments():
    """Draw few moments, so that some are one."""
    return st.builds(
        lambda day, hour: datetime(2026, 1, 20, tzinfo=UTC) + timedelta(days=day, hours=hour),
        st.integers(0, 30), st.sampled_from([8, 9]),
    )  # fmt: skip


def events():
    return st.lists(
        st.builds(
            Event, st.sampled_from(["old", "a", "b"]), moments(),
            st.sampled_from(["visit", "visit", "submit", "click"]), st.sampled_from(CHANNELS),
            st.sampled_from(CAMPAIGNS), st.sampled_from(BRANDS), st.none() | st.integers(1, 3),
            st.sampled_from([False, False, False, True]),
        ),
        max_size=10,
    )  # fmt: skip


def visits_of(given, came, as_of):
    """Return the visits without a customer, and whether each ended in a submit."""
    there = [one for one in given if not one.machine and one.at.date() <= as_of]
    visits = [one for one in there if one.kind == "visit"]
    ended = set()
    for submit in (one for one in there if one.kind == "submit"):
        own = [one for one in enumerate(visits) if one[1].who == submit.who]
        same = {n for n, one in own if submit.visit is not None and one.visit == submit.visit}
        before = [(one.at, n) for n, one in own if one.at <= submit.at]
        ended |= same or ({max(before)[1]} if before else set())
    found = []
    for number, one in enumerate(visits):
        comes = came.get(one.who, NEVER)
        later = any(
            other.kind == "submit"
            and other.who == one.who
            and other.at.date() == comes
            and other.at >= one.at
            for other in there
        )
        if one.at.date() < comes or (one.at.date() == comes and later):
            found.append((one, number in ended))
    return found


@settings(max_examples=25)
@given(st.data(), events(), st.none() | st.integers(0, 30))
def test_against_the_oracle(data, given_, registered):
    # Of one visitor and moment, which visit is the last is said by what else is known of them.
    keyed = {(one.who, one.at): one for one in given_ if one.kind == "visit"}
    given_ = [*keyed.values(), *(one for one in given_ if one.kind != "visit")]
    as_of = data.draw(st.sampled_from([LAST, date(2026, 2, 5)]))
    comes = {} if registered is None else {"a": date(2026, 1, 20) + timedelta(days=registered)}
    report = report_of(given_, comes, as_of)
    those = visits_of(given_, {"old": date(2025, 1, 1), **comes}, as_of)

    def rate(kept):
        own = [ended for one, ended in those if kept(one)]
        return float(Fraction(sum(own), len(own))) if own else None

    assert value(report.comparison([RATE])) == rate(lambda _: True)
    if not given_:
        return
    for row in report.channels(EVERYBODY, [RATE]).to_pylist():
        name = None if row["channel"] == "(none)" else row["channel"]
        assert row["value"] == rate(lambda one, name=name: one.channel == name)
    if any(one.brand for one in given_):
        assert value(report.comparison([RATE], brand="north")) == rate(
            lambda one: one.brand == "north"
        )
    months = report.dynamics(RATE, ("2026-01", "2026-02")).to_pylist()
    for row in (one for one in months if one["segment"] == EVERYBODY):
        assert row["value"] == rate(lambda one, row=row: one.at.month == row["month"].month)
    audit = report.audit(RATE)
    for side, kept in (("numerator", True), ("denominator", False)):
        rows = [(row["customer_id"], row["day"]) for row in audit.to_table(side).to_pylist()]
        wanted = [(one.who, one.at.date()) for one, ended in those if ended or not kept]
        assert sorted(rows) == sorted(wanted)
        assert audit.total(side) == len(wanted)
