"""The next segment of each customer, against walking the days."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import transitions as oracle
from oracle.lifecycle import Thresholds, segment
from support.histories import built, is_refused, tables
from support.layouts import Layout
from support.strategies import cases

import ordercycle as oc


@pytest.fixture(scope="module")
def shop():
    """Return a history of some 400 customers."""
    random = np.random.default_rng(5)
    first, days = date(2025, 1, 1), random.integers(0, 700, 1500).tolist()
    return oc.OrderHistory.build(
        pa.table(
            {
                "customer_id": random.integers(0, 400, 1500),
                "ordered_at": [first + timedelta(day) for day in days],
                "amount": np.ones(1500),
            }
        )
    )


@given(cases(max_rows=20), st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(41, 60)))
@settings(max_examples=40)
def test_the_next_segment_is_that_of_walking_the_days(case, days):
    if is_refused(case):
        return
    scheme = oc.Lifecycle(new_days=days[0], active_days=days[1], churned_days=days[2])
    profile = built(case, *tables(case, Layout(0))).profile(case.as_of)
    found = scheme.next_transition(profile)
    assert found.drop_columns(["next_segment", "next_segment_on"]).equals(profile)
    for row in found.to_pylist():
        expected = oracle.next_transition(
            row, case.as_of, lambda one: segment(one, Thresholds(*days)), 110
        )
        assert (row["next_segment"], row["next_segment_on"]) == (expected or (None, None))


def test_next_segments_come_true(shop):
    scheme = oc.Lifecycle()
    as_of = date(2026, 12, 31)  # nobody orders any more
    found = scheme.next_transition(scheme.assign(shop.profile(as_of)))
    days = pc.unique(found["next_segment_on"].drop_null()).to_pylist()
    assert len(days) > 20
    for day in days[::10]:
        due = found.filter(pc.field("next_segment_on") == day)
        then = dict(zip(*(scheme.assign(shop.profile(day))[name].to_pylist()
                          for name in ("customer_id", "lifecycle")), strict=True))  # fmt: skip
        for row in due.to_pylist():
            assert then[row["customer_id"]] == row["next_segment"] != row["lifecycle"]


def test_a_day_after_the_last_year_is_never(shop):
    patient = oc.Lifecycle(active_days=2**31 - 2, churned_days=2**31 - 1)
    found = patient.next_transition(shop.profile("2026-12-31"))
    assert found["next_segment"].null_count == found["next_segment_on"].null_count == len(found)


def test_the_last_day_there_is_is_a_day():
    last = {"customer_id": [1], "ordered_at": [date(2199, 12, 1)], "amount": [1.0]}
    profile = oc.OrderHistory.build(pa.table(last)).profile("2199-12-01")
    for new_days, day in ((29, date(2199, 12, 31)), (30, None)):
        found = oc.Lifecycle(new_days=new_days).next_transition(profile)
        assert found["next_segment_on"].to_pylist() == [day]


def test_the_next_group_of_a_cadence_comes_true(shop):
    as_of = date(2026, 12, 31)
    profile = shop.profile(as_of)
    scheme = oc.Cadence(just_ordered_days=3).fit(profile)
    found = scheme.next_transition(scheme.assign(profile))
    lost = pc.equal(found["cadence"], "Lost")
    assert lost.equals(found["next_segment"].is_null())
    assert 0 < pc.sum(lost).as_py() < len(found)
    days = pc.unique(found["next_segment_on"].drop_null()).to_pylist()
    assert min(days) > as_of
    for day in days[::10]:
        for before in (0, 1):
            then = scheme.assign(shop.profile(day - timedelta(before)))
            groups = dict(zip(*(then[name].to_pylist() for name in ("customer_id", "cadence")),
                              strict=True))  # fmt: skip
            for row in found.filter(pc.field("next_segment_on") == day).to_pylist():
                expected = row["cadence"] if before else row["next_segment"]
                assert groups[row["customer_id"]] == expected


@pytest.mark.parametrize("name", ["lifecycle", "cadence"])
def test_the_next_segment_is_the_next_interval_of_the_membership(shop, name):
    """A membership without an end goes on as if nothing more were ever bought."""
    as_of = date(2026, 12, 1)  # of the last order
    profile = shop.profile(as_of)
    scheme = oc.Lifecycle() if name == "lifecycle" else oc.Cadence().fit(profile)
    found = scheme.next_transition(profile)
    intervals = scheme.membership(shop).to_table().to_pylist()
    later = {}
    for row in sorted(intervals, key=lambda row: row["valid_from"], reverse=True):
        if row["valid_from"] > as_of:
            later[row["customer_id"]] = (row["segment"], row["valid_from"])
    assert len(later) > 200
    assert later == {
        row["customer_id"]: (row["next_segment"], row["next_segment_on"])
        for row in found.to_pylist()
        if row["next_segment"] is not None
    }


def test_a_cadence_has_to_be_fitted_to_look_ahead(shop):
    with pytest.raises(oc.ConfigError, match="not fitted"):
        oc.Cadence().next_transition(shop.profile("2026-12-31"))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda t: t.drop_columns("registered_on"), oc.ColumnError, "registered_on"),
        (lambda t: t.append_column("next_segment", [["x"] * len(t)]), oc.ColumnError, "already"),
        (
            lambda t: t.set_column(1, "registered_on", [pa.nulls(len(t), pa.date32())]),
            oc.DataError,
            "registered_on is null at row 0",
        ),
    ],
)
def test_a_table_without_its_day_is_refused(shop, change, error, said):
    with pytest.raises(error) as raised:
        oc.Lifecycle().next_transition(change(shop.profile("2026-01-01")))
    assert said in str(raised.value)
