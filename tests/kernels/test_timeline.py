"""The membership kernels against a walk over the days."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import cadence
from oracle import membership as oracle
from oracle.lifecycle import RULES, Thresholds, segment

from ordercycle_kernels import profile, timeline
from ordercycle_kernels.calendar import NO_DAY

pytestmark = pytest.mark.kernels

SEGMENTS = list(RULES)

days_of = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([-1, 1, 1])), max_size=12)
given_days = st.just(int(NO_DAY)) | st.integers(-10, 50)
customers_with_days = st.lists(st.tuples(given_days, days_of), max_size=5)
spans = st.tuples(st.integers(-15, 90), st.integers(-15, 90)).map(sorted)
thresholds_of = st.builds(
    lambda new, active, more: Thresholds(new, active, active + more),
    st.integers(0, 20),
    st.integers(0, 15),
    st.integers(1, 15),
)


def arrays(customers):
    rows = [sorted(rows, key=lambda row: row[0]) for _, rows in customers]
    offsets = np.cumsum([0] + [len(some) for some in rows], dtype=np.int64)
    days = np.array([day for some in rows for day, _ in some], np.int32)
    signs = np.array([sign for some in rows for _, sign in some], np.int64)
    return offsets, days, signs


def registrations(customers, offsets, days, signs, *, net_refunds):
    given_on = np.array([day for day, _ in customers], np.int32)
    registered, visible = np.empty_like(given_on), np.empty_like(given_on)
    profile.registration_days(
        offsets[:-1], offsets[1:], days, signs, net_refunds, given_on, registered, visible
    )
    return registered, visible


def intervals_of(offsets, codes, starts, stops, names):
    """Return the intervals of each customer as the oracle does."""
    return [
        [
            oracle.Interval(
                names[codes[place]],
                starts[place],
                None if stops[place] == timeline.OPEN else stops[place],
            )
            for place in range(start, stop)
        ]
        for start, stop in pairwise(offsets)
    ]


def walked(given_on, rows, first, last, *, net_refunds, segment_on):
    """Return a customer's intervals; segment_on(registered, order days, day) names the segment."""

    def on(day):
        seen = [(at, sign) for at, sign in rows if at <= day]
        ordered = sorted(at for at, sign in seen if sign > 0 or not net_refunds)
        listed = [given_on] if NO_DAY < given_on <= day else []
        refunded = [] if given_on != NO_DAY else [at for at, _ in seen]
        registered = min(listed + ordered, default=min(refunded, default=None))
        return None if registered is None else segment_on(registered, ordered, day)

    return oracle.joined((day, on(day)) for day in range(first, last + 1))


@given(customers_with_days, st.booleans(), thresholds_of, spans)
def test_lifecycle_intervals(customers, net_refunds, thresholds, span):
    offsets, days, signs = arrays(customers)
    registered, visible = registrations(customers, offsets, days, signs, net_refunds=net_refunds)
    most = timeline.LIFECYCLE_PER_ORDER * days.size
    most += timeline.LIFECYCLE_PER_CUSTOMER * len(customers)
    out_offsets = np.empty(len(customers) + 1, np.int64)
    codes, starts = np.empty(most, np.int16), np.empty(most, np.int32)
    limits = (thresholds.new_days, thresholds.active_days, thresholds.churned_days)
    timeline.lifecycle_intervals(
        offsets, days, signs, net_refunds, registered, visible, np.array(limits, np.int32),
        np.array(span, np.int64), out_offsets, codes, starts,
    )  # fmt: skip
    stops = np.empty(out_offsets[-1], np.int32)
    timeline.close_intervals(out_offsets, starts[: stops.size], stops)

    def segment_on(registered, ordered, day):
        since_last = day - ordered[-1] if ordered else None
        row = {
            "days_since_registration": day - registered,
            "orders": len(ordered),
            "days_since_last_order": since_last,
        }
        return segment(row, thresholds)

    found = intervals_of(out_offsets, codes, starts, stops, SEGMENTS)
    for (given_on, rows), intervals in zip(customers, found, strict=True):
        expected = walked(given_on, rows, *span, net_refunds=net_refunds, segment_on=segment_on)
        assert intervals == expected


@given(
    customers_with_days,
    st.booleans(),
    st.fractions(0, 20),
    st.fractions(0, 60),
    st.sampled_from([0, 1, 2.5]),
    st.integers(0, 8),
    st.sampled_from(["personal", "population"]),
    spans,
)
def test_cadence_intervals(
    customers, net_refunds, mean, variance, prior_gaps, just_ordered_days, scope, span
):
    offsets, days, signs = arrays(customers)
    _, visible = registrations(customers, offsets, days, signs, net_refunds=net_refunds)
    most = timeline.CADENCE_PER_ORDER * days.size
    out_offsets = np.empty(len(customers) + 1, np.int64)
    codes, starts = np.empty(most, np.int16), np.empty(most, np.int32)
    rhythm = np.array([mean, variance, prior_gaps, scope == "personal"], np.float64)
    timeline.cadence_intervals(
        offsets, days, signs, net_refunds, visible, just_ordered_days, rhythm,
        np.array(span, np.int64), out_offsets, codes, starts,
    )  # fmt: skip
    stops = np.empty(out_offsets[-1], np.int32)
    timeline.close_intervals(out_offsets, starts[: stops.size], stops)
    everyone = cadence.Rhythm(Fraction(float(mean)), Fraction(float(variance)))

    def segment_on(_, ordered, day):
        gaps = [later - earlier for earlier, later in pairwise(ordered)]
        since_last = day - ordered[-1] if ordered else None
        return cadence.group(
            {"days_since_last_order": since_last},
            gaps, everyone, Fraction(prior_gaps), just_ordered_days, scope,
        )  # fmt: skip

    names = ["Just ordered", "Active", "Slipping away", "Lost"]
    found = intervals_of(out_offsets, codes, starts, stops, names)
    for (given_on, rows), intervals in zip(customers, found, strict=True):
        expected = walked(given_on, rows, *span, net_refunds=net_refunds, segment_on=segment_on)
        assert intervals == expected


def test_customers_who_are_never_there_are_in_no_segment():
    offsets, day = np.array([0, 1], np.int64), np.array([100], np.int32)
    signs, never = np.ones(1, np.int64), np.array([NO_DAY])
    span = np.array([0, 1000], np.int64)
    net_refunds = False
    out_offsets = np.empty(2, np.int64)
    codes, starts = np.empty(7, np.int16), np.empty(7, np.int32)
    timeline.lifecycle_intervals(
        offsets, day, signs, net_refunds, day, never, np.array([30, 120, 255], np.int32), span,
        out_offsets, codes, starts,
    )  # fmt: skip
    assert out_offsets.tolist() == [0, 0]
    timeline.cadence_intervals(
        offsets, day, signs, net_refunds, never, 30, np.array([50.0, 9.0, 1.0, 1.0]), span,
        out_offsets, codes, starts,
    )  # fmt: skip
    assert out_offsets.tolist() == [0, 0]


def test_thresholds_beyond_all_days_never_expire():
    forever = 2**31 - 1
    offsets, day = np.array([0, 1], np.int64), np.array([84_005], np.int32)
    codes, starts = np.empty(7, np.int16), np.empty(7, np.int32)
    net_refunds = True
    out_offsets = np.empty(2, np.int64)
    timeline.lifecycle_intervals(
        offsets, day, np.ones(1, np.int64), net_refunds, day, day,
        np.array([forever, forever - 1, forever], np.int32), np.array([-25_567, 84_005]),
        out_offsets, codes, starts,
    )  # fmt: skip
    assert out_offsets.tolist() == [0, 1]
    assert (codes[0], starts[0]) == (1, 84_005)
