"""Why a customer is in a segment, against memberships and profiles of everybody."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.histories import built, is_refused, tables
from support.layouts import Layout
from support.own_schemes import Spenders
from support.strategies import cases

import ordercycle as oc
from ordercycle._days import date_of, day_number
from ordercycle._history.look_ups import customer_only
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._segments.other_days import OneCustomer

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]
END = date(2026, 6, 30)


def history_of(case) -> oc.OrderHistory:
    return built(case, *tables(case, Layout(3)))


def check_profiles_before(history, as_of, back, window_days):
    """Compare the profiles of each customer as of days before with those of these days."""
    grouped, day = grouped_orders(history), day_number(as_of, "as_of")
    for customer in history.profile(as_of)["customer_id"].to_pylist():
        alone = customer_only(grouped, customer)
        (batch,) = alone.scan(lambda _, batch, __: batch)
        known = [days for days in sorted(back) if day - days >= batch.visible[0]]
        if not known:
            continue
        there = OneCustomer(alone, day, 0, window_days, lambda *_: [])
        found = there.profiles(day - np.array(known))
        for row, days in zip(found.to_pylist(), known, strict=True):
            earlier = OrderHistory(alone).profile(date_of(day - days), window_days)
            assert [row] == earlier.to_pylist()


@settings(max_examples=60, suppress_health_check=SLOW)
@given(cases(), st.sets(st.integers(1, 300), min_size=1, max_size=3))
def test_profiles_of_days_before_are_those_of_these_days(case, back):
    """A customer whose orders all come later is, as of a day, what one was earlier."""
    assume(not is_refused(case))
    check_profiles_before(history_of(case), case.as_of, back, case.window_days)


def test_days_before_the_last_day_that_is_accepted():
    days = [date(2198, 10, 1), date(2199, 6, 14)]
    orders = pa.table({"customer_id": [1, 1], "ordered_at": days, "amount": [5, 6]})
    history = oc.OrderHistory.build(orders, columns=oc.Columns(registered=None))
    check_profiles_before(history, date(2199, 12, 31), {1, 201, 300}, None)


@settings(max_examples=40, suppress_health_check=SLOW)
@given(cases(), st.booleans())
def test_exact_schemes_say_what_memberships_and_transitions_say(case, is_cadence):
    assume(not is_refused(case))
    history = history_of(case)
    profile = history.profile(case.as_of)
    scheme = oc.Lifecycle(new_days=3, active_days=20, churned_days=40)
    if is_cadence:
        assume(pc.any(pc.greater(profile["orders"], 1)).as_py())
        scheme = oc.Cadence(just_ordered_days=2).fit(profile)
    there = scheme.membership(history, end=case.as_of).to_table().to_pylist()
    intervals = {row["customer_id"]: row for row in there if row["valid_to"] is None}
    following = scheme.next_transition(scheme.assign(profile))
    for row in following.to_pylist():
        found = scheme.explain(history, row["customer_id"], case.as_of)
        assert found.segment == row[scheme.name]
        assert (found.next_segment, found.until) == (row["next_segment"], row["next_segment_on"])
        if found.segment is not None:
            assert found.since == intervals[row["customer_id"]]["valid_from"]
        else:  # of a cadence that has no order yet
            assert found.since == row["registered_on"]


def shop(people: int = 30, orders: int = 300) -> pa.Table:
    random = np.random.default_rng(9)
    days = random.integers(0, 200, orders)
    return pa.table(
        {
            "customer_id": [f"c{one}" for one in random.integers(0, people, orders)],
            "ordered_at": [END - timedelta(int(day)) for day in days],
            "amount": random.integers(-20, 90, orders).astype(float),
        }
    )


@pytest.fixture(scope="module")
def history():
    return oc.OrderHistory.build(shop())


@pytest.fixture(scope="module")
def rfm(history):
    return oc.Rfm().fit(history.profile(END))


def test_recalculated_schemes_are_as_of_each_day_what_their_numbers_make_of_it(history, rfm):
    rules = oc.Rules({"Best": "rfm == 'Champions' and revenue > 100", "Two": "orders >= 2"})
    scored = rfm.assign(history.profile(END)).to_pylist()
    every, ahead = {}, {}
    for days in range(-130, 201):
        table = rules.assign(rfm.assign(history.profile(END - timedelta(days))))
        found = ahead if days < 0 else every
        for row in table.select(["customer_id", "rfm", "tier"]).to_pylist():
            found.setdefault(row["customer_id"], []).append((row["rfm"], row["tier"]))
    for row in scored:
        names = every[row["customer_id"]]
        by_rfm = rfm.explain(history, row["customer_id"], END)
        by_rules = rules.explain(history, row["customer_id"], END, schemes=[rfm])
        for place, found in enumerate((by_rfm, by_rules)):
            segments = [name[place] for name in names]
            same = next((at for at, one in enumerate(segments) if one != segments[0]), len(names))
            assert found.segment == segments[0]
            assert found.since == END - timedelta(same - 1)
            later = [name[place] for name in reversed(ahead[row["customer_id"]])]
            at = next((at for at, one in enumerate(later) if one != segments[0]), None)
            expected = (None, None) if at is None else (END + timedelta(at + 1), later[at])
            if found.until is None or found.until <= END + timedelta(130):
                assert (found.until, found.next_segment) == expected
            else:
                assert expected == (None, None)
            assert "with the numbers that it has now" in found.since_means
        assert by_rfm.numbers == {
            name: row[name]
            for name in (
                "days_since_last_order", "recency_score", "orders", "frequency_score",
                "revenue", "monetary_score",
            )
        }  # fmt: skip
        if by_rules.segment == "Two":
            assert (by_rules.rule, by_rules.numbers) == ("orders >= 2", {"orders": row["orders"]})
        elif by_rules.segment == "Other":
            assert by_rules.rule == "no rule holds"
            assert set(by_rules.numbers) == {"rfm", "revenue", "orders"}


def test_why_nobody_scores_a_customer(history):
    fitted = oc.Rfm(where="orders > 3", bins=3).fit(history.profile(END))
    rows = history.profile(END).to_pylist()
    few = next(row["customer_id"] for row in rows if row["orders"] <= 3)
    found = fitted.explain(history, few, END)
    assert (found.segment, found.rule) == (None, "left out, as it does not hold that orders > 3")
    windowed = oc.Rfm(bins=3).fit(history.profile(END, 300))
    late = max(rows, key=lambda row: row["days_since_last_order"])
    assert late["days_since_last_order"] > 10
    found = windowed.explain(history, late["customer_id"], END, window_days=10)
    assert (found.segment, found.rule) == (None, "scores are of those who have orders")
    assert found.since == END - timedelta(late["days_since_last_order"] - 10)
    others = oc.Rfm(bins=3, recency="last_gap").fit(history.profile(END))
    once = oc.OrderHistory.build(shop().slice(0, 1))
    found = others.explain(once, once.profile(END)["customer_id"][0].as_py(), END)
    assert found.rule == "scores are of those who have last_gap, revenue and a orders above 0"


def test_the_rhythm_that_a_group_follows_from_is_shown(history):
    cadence = oc.Cadence().fit(history.profile(END))
    seen = set()
    for row in cadence.assign(history.profile(END)).to_pylist():
        found = cadence.explain(history, row["customer_id"], END)
        seen.add(found.segment)
        if found.segment is None:
            assert found.rule == "no orders"
            continue
        mean, deviation = (found.numbers[f"expected_{name}"] for name in ("gap", "deviation"))
        silent = row["days_since_last_order"]
        lapsed = (silent > mean + deviation) + (silent > mean + 2 * deviation)
        band = 0 if silent <= 30 else 1 + lapsed
        assert found.segment == cadence.segments[band]
    assert len(seen) > 2


def test_rules_over_streams_show_what_they_found(history, tmp_path):
    visits = pa.table(
        {
            "customer_id": ["c1", "c1", "c2", "zoe"],
            "occurred_at": [END - timedelta(days) for days in (3, 50, 200, 1)],
            "page": ["tea", "coffee", "tea", "tea"],
        }
    )
    columns = oc.EventColumns(attributes=("page",))
    streams = {"visits": oc.EventHistory.build(visits, columns=columns).save(tmp_path / "visits")}
    rules = oc.Rules(
        {"Tea": "has(visits, page == 'tea', last=90) and orders > 0", "Seen": "visits > 0"},
        features={"visits": "count(visits)"},
    )
    table = rules.assign(history.profile(END), streams=streams, as_of=END)
    for row in table.to_pylist():
        found = rules.explain(history, row["customer_id"], END, streams=streams)
        assert found.segment == row["tier"]
        assert found.since is not None
    found = rules.explain(history, "c1", END, streams=streams)
    assert (found.since, found.until, found.next_segment) == (
        END - timedelta(3), END + timedelta(87), "Seen",
    )  # fmt: skip
    written = "has(visits, page == 'tea', last=90)"
    orders = next(row["orders"] for row in table.to_pylist() if row["customer_id"] == "c1")
    assert found.numbers == {written: True, "orders": orders}
    assert rules.explain(history, "c2", END, streams=streams).numbers == {"visits": 1}
    with pytest.raises(oc.ConfigError, match="'visits'"):
        rules.explain(history, "c1", END)
    with pytest.raises(oc.ConfigError, match="streams"):
        oc.Lifecycle().explain(history, "c1", END, streams=streams)


def test_own_schemes_show_the_columns_that_they_read(history):
    rows = Spenders().assign(history.profile(END)).to_pylist()
    found = Spenders().explain(history, rows[0]["customer_id"], END)
    assert found.segment == rows[0]["spenders"]
    assert found.numbers == {"revenue": rows[0]["revenue"]}
    assert found.rule == "Spenders decides by these columns"


def test_kept_in_a_folder_and_appended_to(history, tmp_path):
    table = shop()
    saved = oc.OrderHistory.build(table.slice(0, 200)).save(tmp_path).append(table.slice(200))
    for row in history.profile(END).to_pylist():
        found = oc.Lifecycle().explain(saved, row["customer_id"], END).to_dict()
        assert found == oc.Lifecycle().explain(history, row["customer_id"], END).to_dict()


def test_who_is_not_there(history):
    for wrong, says in (("C1", "did you mean 'c1'"), ("nobody", "is no customer"), (7, "numbers")):
        with pytest.raises(oc.ConfigError, match=says):
            oc.Lifecycle().explain(history, wrong, END)
    with pytest.raises(oc.ConfigError, match="is not fitted"):
        oc.Cadence().explain(history, "c1", END)
    found = oc.Lifecycle().explain(history, "c1", "2001-01-01")
    assert (found.segment, found.rule, found.since) == (None, "not there yet on this day", None)
    assert found.since_means == "the customer is not there yet"
    assert "since" not in repr(found)
    assert repr(found).startswith("Customer 'c1' as of 2001-01-01: in no segment of 'lifecycle'")


def test_exact_schemes_look_at_no_days_one_by_one(history, monkeypatch):
    """However long ago the last order was: since when follows from the orders."""

    def walked(*_):
        pytest.fail("the days before were profiled")

    monkeypatch.setattr(OneCustomer, "unchanged_since", walked)
    cadence = oc.Cadence().fit(history.profile(END))
    late = date(2190, 1, 1)
    for scheme in (oc.Lifecycle(), cadence):
        there = scheme.membership(history, end=late).to_table().to_pylist()
        since = {row["customer_id"]: row["valid_from"] for row in there if not row["valid_to"]}
        for customer in ("c1", "c2"):
            assert scheme.explain(history, customer, late).since == since[customer]


def test_explanations_are_read_in_terminals_and_notebooks(history, rfm):
    found = oc.Lifecycle().explain(history, "c1", END)
    lines = repr(found).splitlines()
    assert lines[0] == f"Customer 'c1' as of 2026-06-30: {found.segment!r} of 'lifecycle'"
    assert any(line.split() == ["since", str(found.since)] for line in lines)
    assert set(found.to_dict()) >= {"segment", "since", "rule", "numbers", "until"}
    assert found._repr_html_().count("<tr>") == len(lines) - 1
    assert "by the numbers that the scheme has now" in repr(rfm.explain(history, "c1", END))
    rules = oc.Rules({"<b>": "orders > 0 and revenue < 1e9"})
    assert "&lt;b&gt;" in rules.explain(history, "c1", END)._repr_html_()
