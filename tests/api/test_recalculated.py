"""Memberships that are recalculated on a schedule."""

from datetime import date, timedelta
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import membership as oracle

import ordercycle as oc
from ordercycle.membership.scheduled import SCHEDULES

FIRST = date(2025, 1, 1)

rows_of = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 60), st.integers(-20, 40)), min_size=1, max_size=30
)


def history_of(rows: list[tuple]) -> oc.OrderHistory:
    """Return a history of (customer, days after FIRST, amount)."""
    orders = pa.table(
        {
            "customer_id": pa.array([customer for customer, _, _ in rows], pa.int64()),
            "ordered_at": pa.array([FIRST + timedelta(day) for _, day, _ in rows], pa.date32()),
            "amount": pa.array([amount for _, _, amount in rows], pa.int64()),
        }
    )
    return oc.OrderHistory.build(orders, threads=1)


def last_days(every: str, first: date, last: date) -> list[date]:
    """Return the days whose next day begins a day, a week or a month."""
    return [
        day
        for day in oracle.days_between(first, last)
        if every == "day"
        or (every == "week" and (day + timedelta(1)).isoweekday() == 1)
        or (every == "month" and (day + timedelta(1)).day == 1)
    ]


@settings(max_examples=20)
@given(
    rows_of,
    st.sampled_from(list(SCHEDULES)),
    st.none() | st.integers(-20, 70),
    st.none() | st.integers(-20, 70),
)
def test_a_recalculation_holds_until_the_next(rows, every, start, end):
    history = history_of(rows)
    if None not in (start, end):
        start, end = sorted((start, end))
    lifecycle = oc.Lifecycle(new_days=5, active_days=9, churned_days=20)
    days = [FIRST + timedelta(day) for _, day, _ in rows]
    first = min(days) if start is None else FIRST + timedelta(start)
    last = max(days) if end is None else FIRST + timedelta(end)
    recalculations = last_days(every, first - timedelta(40), last)

    @cache
    def segments_as_of(day):
        assigned = lifecycle.assign(history.profile(day))
        names = assigned["lifecycle"].to_pylist()
        return dict(zip(assigned["customer_id"].to_pylist(), names, strict=True))

    def segments_on(day):
        return segments_as_of(max(one for one in recalculations if one <= day))

    membership = as_rules(lifecycle).membership(
        history,
        None if start is None else first,
        None if end is None else last,
        every=every,
        schemes=[lifecycle],
    )
    found: dict = {}
    for row in membership.to_table().to_pylist():
        interval = oracle.Interval(row["segment"], row["valid_from"], row["valid_to"])
        found.setdefault(row["customer_id"], []).append(interval)
    expected = oracle.of_all((day, segments_on(day)) for day in oracle.days_between(first, last))
    assert found == expected


def as_rules(scheme: oc.Lifecycle) -> oc.Rules:
    """Return rules that give everybody the segment that a scheme gave before."""
    *names, last = scheme.segments
    return oc.Rules({name: pc.field(scheme.name) == name for name in names}, default=last)


def test_recalculated_every_day_it_is_the_exact_membership():
    history = history_of([(1, 0, 10), (2, 3, 10), (1, 40, 10), (2, 50, -5), (3, 59, -1)])
    lifecycle = oc.Lifecycle(new_days=3, active_days=10, churned_days=30)
    daily = as_rules(lifecycle).membership(
        history, FIRST, "2025-06-30", every="day", schemes=[lifecycle]
    )
    exact = lifecycle.membership(history, FIRST, "2025-06-30")
    assert daily.segments == exact.segments
    assert daily.to_table().equals(exact.to_table())


def test_a_window_forgets_what_lies_before_it():
    history = history_of([(1, 0, 10), (1, 40, 10)])
    rules = oc.Rules({"Two orders": "orders > 1", "One order": "orders == 1"}, default="None")
    membership = rules.membership(history, end="2025-03-05", every="day", window_days=41)
    intervals = [tuple(row.values())[1:] for row in membership.to_table().to_pylist()]
    assert intervals == [
        ("One order", FIRST, FIRST + timedelta(40)),
        ("Two orders", FIRST + timedelta(40), FIRST + timedelta(41)),
        ("One order", FIRST + timedelta(41), None),
    ]


def test_without_orders_there_is_nothing_to_recalculate():
    orders = pa.table({"customer_id": [1], "ordered_at": [FIRST], "amount": [5]})
    rules = oc.Rules({"Buyer": "orders > 0"})
    nobody = oc.OrderHistory.build(orders.slice(0, 0))
    assert rules.membership(nobody).to_table().num_rows == 0
    later = rules.membership(oc.OrderHistory.build(orders), "2025-02-01")
    assert later.to_table().num_rows == 0


def test_what_makes_no_sense_is_told_at_once():
    history = history_of([(1, 0, 10)])
    rules = oc.Rules({"Buyer": "orders > 0"})
    with pytest.raises(oc.ConfigError, match=r"every='weekly' .* \(did you mean 'week'\?\)"):
        rules.membership(history, every="weekly")
    with pytest.raises(oc.ConfigError, match="window_days=0"):
        rules.membership(history, FIRST, FIRST, every="day", window_days=0)
    with pytest.raises(oc.ColumnError, match="'lifecycle'"):
        oc.Rules({"Lost": "lifecycle == 'Churned'"}).membership(history, end="2025-02-01")
    with pytest.raises(oc.ConfigError, match="not fitted"):
        rules.membership(history, end="2025-02-01", schemes=[oc.Cadence()])
    with pytest.raises(oc.ConfigError, match="is after end"):
        rules.membership(history, "2025-02-01", "2025-01-01")
