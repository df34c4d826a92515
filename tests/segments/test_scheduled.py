"""Memberships that are recalculated on a schedule."""

from datetime import date, timedelta
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import membership as oracle
from support.memberships import intervals_of

import ordercycle as oc
from ordercycle._membership.scheduled import SCHEDULES

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


@settings(max_examples=12)
@given(
    rows_of,
    st.sampled_from(list(SCHEDULES)),
    st.none() | st.integers(20, 70),
    st.none() | st.integers(20, 70),
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
    expected = oracle.of_all((day, segments_on(day)) for day in oracle.days_between(first, last))
    assert intervals_of(membership) == expected


@settings(max_examples=25)
@given(
    rows_of,
    st.sampled_from(["week", "month"]),
    st.none() | st.integers(1, 50),
    st.sampled_from([None, "orders > 1", pc.field("revenue") > 10]),
    st.sampled_from(["sum", "average"]),
)
def test_scores_are_fitted_anew_each_time(rows, every, window_days, where, monetary):
    history = history_of(rows)
    rfm = oc.Rfm(bins=3, where=where, monetary=monetary)
    first, last = (pick(day for _, day, _ in rows) for pick in (min, max))
    last += 40
    end = FIRST + timedelta(last)
    membership = rfm.membership(history, end=end, every=every, window_days=window_days)
    assert membership.segments == rfm.segments
    days = last_days(every, FIRST - timedelta(40), end)

    @cache
    def segments_as_of(day):
        profile = history.profile(day, window_days)
        try:
            assigned = rfm.fit(profile).assign(profile)
        except oc.DataError:  # nobody to fit to
            return {}
        pairs = zip(*(assigned[name].to_pylist() for name in ("customer_id", "rfm")), strict=True)
        return {name: segment for name, segment in pairs if segment is not None}

    segments = {
        day: segments_as_of(max(one for one in days if one <= day))
        for day in oracle.days_between(FIRST + timedelta(first), end)
    }
    assert intervals_of(membership) == oracle.of_all(segments.items())


def test_cuts_by_hand_stay():
    history = history_of([(1, 0, 10), (2, 3, 500), (2, 5, 10)])
    cuts = {"recency": [30], "frequency": [1], "monetary": [100]}
    rfm = oc.Rfm(bins=2, map={"Best": "2 2 2", "Rest": "* *"}, cuts=cuts)
    intervals = intervals_of(rfm.membership(history, end="2025-02-28"))
    january, february = date(2025, 1, 31), date(2025, 2, 28)
    assert intervals == {
        1: [oracle.Interval("Rest", january, None)],
        2: [oracle.Interval("Best", january, february), oracle.Interval("Rest", february, None)],
    }


def test_some_cuts_by_hand_stay_and_the_others_are_fitted_again():
    history = history_of([(1, 0, 10), (2, 3, 500), (3, 40, 30), (2, 50, 10)])
    given = oc.Rfm(bins=2, map={"Best": "2 2 2", "Rest": "* *"}, cuts={"recency": [30]})
    expected = {}
    for day in ("2025-01-31", "2025-02-28"):
        profile = history.profile(day)
        table = given.fit(profile).assign(profile)
        expected[day] = dict(zip(table["customer_id"].to_pylist(), table["rfm"].to_pylist(),
                                 strict=True))  # fmt: skip
    for scheme in (given, given.fit(history.profile("2025-01-31"))):
        membership = scheme.membership(history, end="2025-03-01")
        for customer, intervals in intervals_of(membership).items():
            for day, segments in expected.items():
                held = [
                    one.segment for one in intervals if one.valid_from <= date.fromisoformat(day)
                ]
                assert (held or [None])[-1] == segments.get(customer)


def test_scores_may_read_other_schemes():
    history = history_of([(1, 0, 10), (2, 3, 500), (2, 5, 10), (2, 60, 10)])
    rfm = oc.Rfm(where=pc.field("lifecycle") == "Active")
    membership = rfm.membership(history, end="2025-03-31", schemes=[oc.Lifecycle()])
    assert set(intervals_of(membership)) == {2}
    rules = oc.Rules({"Best": "rfm == 'Champions'"})
    tiers = rules.membership(history, end="2025-03-31", schemes=[oc.Rfm()])
    assert tiers.segments == ("Best", "Other")
    assert set(intervals_of(tiers)) == {1, 2}


def as_rules(scheme: oc.Lifecycle) -> oc.Rules:
    """Return rules that give everybody the segment that a scheme gave before."""
    *names, last = scheme.segments
    return oc.Rules({name: pc.field(scheme.name) == name for name in names}, default=last)


def test_recalculated_every_day_it_is_the_exact_membership():
    history = history_of([(1, 0, 10), (2, 3, 10), (1, 40, 10), (2, 50, -5), (3, 59, -1)])
    lifecycle = oc.Lifecycle(new_days=3, active_days=10, churned_days=30)
    daily = as_rules(lifecycle).membership(
        history, FIRST, "2025-04-15", every="day", schemes=[lifecycle]
    )
    exact = lifecycle.membership(history, FIRST, "2025-04-15")
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


def test_what_makes_no_sense_is_reported_at_once():
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
