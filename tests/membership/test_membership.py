"""Lifecycle memberships against profiles, against a walk over the days, and on real orders."""

from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from oracle import history as oracle_history
from oracle import membership as oracle
from oracle.lifecycle import Thresholds
from support.histories import built, is_refused, tables
from support.strategies import FIRST_DAY, LAST_DAY, Case, cases, layouts

import ordercycle as oc
from ordercycle._segments.cadence_fit import CadenceAccount

FIRST = date(2025, 1, 1)
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]

thresholds_of = st.builds(
    lambda new, active, more: Thresholds(new, active, active + more),
    st.integers(0, 40),
    st.integers(0, 60),
    st.integers(1, 60),
)


def lifecycle_with(thresholds: Thresholds) -> oc.Lifecycle:
    return oc.Lifecycle(
        new_days=thresholds.new_days,
        active_days=thresholds.active_days,
        churned_days=thresholds.churned_days,
    )


def intervals_of(table: pa.Table) -> dict:
    """Return the intervals per customer, as the oracle does."""
    table.validate(full=True)
    found: dict = {}
    for row in table.to_pylist():
        interval = oracle.Interval(row["segment"], row["valid_from"], row["valid_to"])
        found.setdefault(row["customer_id"], []).append(interval)
    return found


def on_day(intervals: dict, day: date) -> dict:
    """Return the segment of each customer on a day."""
    return {
        name: interval.segment
        for name, some in intervals.items()
        for interval in some
        if interval.valid_from <= day and (interval.valid_to is None or day < interval.valid_to)
    }


def from_lists(membership: oc.Membership) -> dict:
    """Return the intervals per customer from `to_batches`."""
    found = {}
    for batch in membership.to_batches():
        batch.validate(full=True)
        for row in batch.to_pylist():
            assert row["customer_id"] not in found
            found[row["customer_id"]] = [oracle.Interval(**item) for item in row["memberships"]]
    return found


def orders_of(rows: list[tuple]) -> pa.Table:
    """Return an order table of (customer, day or time, amount)."""
    ids, times, amounts = zip(*rows, strict=True) if rows else ([], [], [])
    times = pa.array(times) if times else pa.array([], pa.date32())
    return pa.table({"customer_id": list(ids), "ordered_at": times, "amount": list(amounts)})


@settings(max_examples=25, suppress_health_check=SLOW)
@given(cases(), layouts(), thresholds_of, st.data())
def test_every_day_is_as_the_walk_over_the_days_has_it(case: Case, layout, thresholds, data):
    """Every type of id and time, every zone and policy."""
    assume(not is_refused(case))
    orders, customers = tables(case, layout)
    history = oracle_history.build(case.order_rows(), case.customer_rows(), case.policies)
    days = [customer.registered_on for customer in history.customers.values()]
    days += [order.day for order in history.entries()]
    known = sorted(day for day in days if day is not None) or [case.as_of]
    first = max(FIRST_DAY, known[0] - timedelta(3))
    last = min(LAST_DAY, known[-1] + timedelta(180))
    first, last = sorted(data.draw(st.dates(first, last)) for _ in range(2))
    membership = lifecycle_with(thresholds).membership(built(case, orders, customers), first, last)
    expected = oracle.lifecycle(history, thresholds, first, last)
    assert intervals_of(membership.to_table()) == expected
    assert from_lists(membership) == expected


rows_of = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 60), st.integers(-20, 40)), max_size=30
)
registrations = st.dictionaries(st.integers(0, 6), st.none() | st.integers(0, 60))
policies = st.fixed_dictionaries(
    {
        "refunds": st.sampled_from(["net", "drop", "count"]),
        "unknown": st.sampled_from(["add", "drop"]),
    }
)


def history_of(rows: list[tuple], registered: dict, **options) -> oc.OrderHistory:
    """Return a history of (customer, days after FIRST, amount), and when customers registered."""
    orders = pa.table(
        {
            "customer_id": pa.array([customer for customer, _, _ in rows], pa.int64()),
            "ordered_at": pa.array([FIRST + timedelta(day) for _, day, _ in rows], pa.date32()),
            "amount": pa.array([amount for _, _, amount in rows], pa.int64()),
        }
    )
    days = [None if day is None else FIRST + timedelta(day) for day in registered.values()]
    customers = pa.table(
        {
            "customer_id": pa.array(list(registered), pa.int64()),
            "registered_at": pa.array(days, pa.date32()),
        }
    )
    return oc.OrderHistory.build(orders, customers, threads=1, **options)


def check_days(scheme: oc.Lifecycle | oc.Cadence, history: oc.OrderHistory) -> None:
    """Compare a membership with the profile as of some days, and the segments assigned to it."""
    intervals = intervals_of(scheme.membership(history).to_table())
    for number in range(-2, 190, 3):
        day = FIRST + timedelta(number)
        assigned = scheme.assign(history.profile(day))
        ids, segments = (assigned[name].to_pylist() for name in ("customer_id", scheme.name))
        expected = {
            name: segment
            for name, segment in zip(ids, segments, strict=True)
            if segment is not None
        }
        assert on_day(intervals, day) == expected


@settings(max_examples=15)
@given(rows_of, registrations, thresholds_of, policies)
def test_every_day_is_the_profile_as_of_the_day_assigned(rows, registered, thresholds, options):
    check_days(lifecycle_with(thresholds), history_of(rows, registered, **options))


@settings(max_examples=15)
@given(rows_of, registrations, policies, st.integers(0, 12), st.sampled_from([0, 1, 3.5]))
def test_every_day_of_a_cadence_too(rows, registered, options, just_ordered_days, prior_gaps):
    history = history_of(rows, registered, **options)
    account = CadenceAccount(as_of=None, repeat_customers=1, gaps=3, gap_sum=40, gap_square_sum=700)
    for scope in ("personal", "population"):
        cadence = oc.Cadence(
            prior_gaps=prior_gaps,
            just_ordered_days=just_ordered_days,
            scope=scope,
            account=account,
        )
        check_days(cadence, history)


@settings(max_examples=30)
@given(rows_of, registrations, thresholds_of, policies, st.integers(-3, 63))
def test_as_of_an_end_what_comes_later_is_not_known(rows, registered, thresholds, options, end):
    lifecycle = lifecycle_with(thresholds)
    seen = [row for row in rows if row[1] <= end]
    known, all_there_is = (
        lifecycle.membership(history_of(some, registered, **options), end=FIRST + timedelta(end))
        for some in (seen, rows)
    )
    assert all_there_is.to_table().equals(known.to_table())


def test_the_first_worked_example():
    """First order December 3, 16:00: the membership counts from December 3, 00:00."""
    orders = orders_of([("ann", datetime.fromisoformat("2025-12-03 16:00"), 20.0)])
    table = oc.Lifecycle().membership(oc.OrderHistory.build(orders)).to_table()
    first = table.to_pylist()[0]
    assert (first["segment"], first["valid_from"]) == ("New – 1 order", date(2025, 12, 3))


def test_the_second_worked_example():
    """A churned customer orders December 15, 10:00, and is Active from 00:00 that day."""
    times = map(datetime.fromisoformat, ["2024-06-01 09:00", "2025-12-15 10:00"])
    orders = orders_of([("ann", time, 20.0) for time in times])
    history = oc.OrderHistory.build(orders)
    intervals = intervals_of(oc.Lifecycle().membership(history).to_table())
    assert on_day(intervals, date(2025, 12, 14)) == {"ann": "Churned"}
    assert on_day(intervals, date(2025, 12, 15)) == {"ann": "Active"}


def test_days_are_those_of_the_business_time_zone():
    """Half past eleven at night in New York is the next day in UTC; summer time ends between."""
    instants = map(datetime.fromisoformat, ["2025-11-02 03:30Z", "2025-11-03 04:30Z"])
    times = pa.array(list(instants), pa.timestamp("us", "UTC"))
    orders = pa.table({"customer_id": [1, 2], "ordered_at": times, "amount": [1.0, 1.0]})
    history = oc.OrderHistory.build(orders, timezone="America/New_York")
    table = oc.Lifecycle().membership(history).to_table()
    first = {name: some[0].valid_from for name, some in intervals_of(table).items()}
    assert first == {1: date(2025, 11, 1), 2: date(2025, 11, 2)}


def test_the_last_and_the_first_day_there_are():
    orders = orders_of([(1, FIRST_DAY, 5), (1, LAST_DAY, 5), (2, LAST_DAY, 5)])
    history = oc.OrderHistory.build(orders)
    found = intervals_of(oc.Lifecycle().membership(history).to_table())
    assert found[1][0] == oracle.Interval("New – 1 order", FIRST_DAY, FIRST_DAY + timedelta(31))
    assert found[1][-1] == oracle.Interval("Active", LAST_DAY, None)
    assert found[2] == [oracle.Interval("New – 1 order", LAST_DAY, None)]


def test_nobody_and_nothing():
    history = oc.OrderHistory.build(orders_of([]))
    membership = oc.Lifecycle().membership(history)
    assert membership.to_table().num_rows == 0
    assert from_lists(membership) == {}
    later = oc.OrderHistory.build(orders_of([(1, FIRST, 5)]))
    assert oc.Lifecycle().membership(later, end="2024-12-31").to_table().num_rows == 0


def test_what_makes_no_sense_is_refused():
    history = oc.OrderHistory.build(orders_of([(1, FIRST, 5)]))
    with pytest.raises(oc.ConfigError, match=r"start='2025-03-01' is after end='2025-02-28'"):
        oc.Lifecycle().membership(history, "2025-03-01", "2025-02-28")
    with pytest.raises(oc.ConfigError, match="an instant, not a day"):
        oc.Lifecycle().membership(history, datetime.fromisoformat("2025-03-01"))
    with pytest.raises(oc.ConfigError, match="takes an OrderHistory, not a Table"):
        oc.Lifecycle().membership(orders_of([(1, FIRST, 5)]))
    with pytest.raises(oc.ConfigError, match="is not fitted"):
        oc.Cadence().membership(history)


def test_a_membership_says_until_when_it_is_known():
    history = oc.OrderHistory.build(orders_of([(1, FIRST, 5)]))
    assert oc.Lifecycle().membership(history).known_until is None
    known = oc.Lifecycle().membership(history, end="2025-03-31")
    assert known.known_until == date(2025, 3, 31)
    assert repr(known).endswith("'Inactive (no orders)'; known until 2025-03-31)")
    rules = oc.Rules({"Buyer": "orders > 0"})
    assert repr(rules.membership(history)) == "Membership('Buyer', 'Other'; known until 2025-01-01)"
    imported = oc.Membership.from_table(known.to_table())
    assert (imported.known_from, imported.known_until) == (None, None)
    assert oc.Lifecycle().membership(history).known_from is None
    assert oc.Lifecycle().membership(history, start="2025-02-01").known_from == date(2025, 2, 1)
    assert rules.membership(history).known_from == FIRST
