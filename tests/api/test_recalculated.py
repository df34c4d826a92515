"""Memberships that are recalculated on a schedule."""

from datetime import date, timedelta
from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import membership as oracle

import ordercycle as oc
from ordercycle.days import date_of
from ordercycle.membership.scheduled import SCHEDULES
from ordercycle.segments.recalculated import codes_of, nowhere, recalculated

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

    membership = recalculated(
        history,
        lifecycle.segments,
        lambda _day: codes_of(lifecycle),
        start=None if start is None else first,
        end=None if end is None else last,
        every=every,
        window_days=None,
    )
    found: dict = {}
    for row in membership.to_table().to_pylist():
        interval = oracle.Interval(row["segment"], row["valid_from"], row["valid_to"])
        found.setdefault(row["customer_id"], []).append(interval)
    expected = oracle.of_all((day, segments_on(day)) for day in oracle.days_between(first, last))
    assert found == expected


def test_recalculated_every_day_it_is_the_exact_membership():
    history = history_of([(1, 0, 10), (2, 3, 10), (1, 40, 10), (2, 50, -5), (3, 59, -1)])
    lifecycle = oc.Lifecycle(new_days=3, active_days=10, churned_days=30)
    daily = recalculated(
        history, lifecycle.segments, lambda _day: codes_of(lifecycle),
        start=FIRST, end="2025-06-30", every="day", window_days=None,
    )  # fmt: skip
    exact = lifecycle.membership(history, FIRST, "2025-06-30")
    assert daily.to_table().equals(exact.to_table())


def test_who_is_nowhere_for_a_while_has_a_gap():
    history = history_of([(1, 0, 10)])
    lifecycle = oc.Lifecycle()
    (gone,) = last_days("month", date(2025, 2, 1), date(2025, 2, 28))
    membership = recalculated(
        history,
        lifecycle.segments,
        lambda day: nowhere if date_of(day) == gone else codes_of(lifecycle),
        start=None,
        end="2025-04-30",
        every="month",
        window_days=None,
    )
    intervals = [tuple(row.values())[2:] for row in membership.to_table().to_pylist()]
    assert intervals == [(date(2025, 1, 31), gone), (date(2025, 3, 31), None)]


def test_schedules_are_checked():
    history = history_of([(1, 0, 10)])
    with pytest.raises(oc.ConfigError, match=r"every='weekly' .* \(did you mean 'week'\?\)"):
        recalculated(
            history, (), lambda _: nowhere, start=None, end=None, every="weekly", window_days=None
        )
    with pytest.raises(oc.ConfigError, match="window_days=0"):
        recalculated(
            history, (), lambda _: nowhere, start=FIRST, end=FIRST, every="day", window_days=0
        )
