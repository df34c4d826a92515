"""Memberships and transitions on a cluster against one machine, row by row."""

import re

import dask as configured
import pyarrow as pa
import pytest
from support.cluster_streams import TOUCHED, streams, values
from support.dask_shops import computed, framed, local
from support.shops import COLUMNS, tables

import ordercycle as oc
from ordercycle.engines import dask

SPAN = {"start": "2024-03-01", "end": "2025-03-31"}
DAYS = ("2024-01-31", "2025-03-31")
CUTS = {"recency": [30, 90], "frequency": [1, 4], "monetary": [50, 200]}
NAMES = {"Best": "3 3", "Rest": "* *"}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with configured.config.set(scheduler="sync"):
        yield


def rows_of(table):
    return sorted(map(repr, values(table).to_pylist()))


def cadence_of(history):
    return oc.Cadence().fit(history.profile(DAYS[1]))


@pytest.mark.parametrize(
    ("make", "partitions", "kind", "asked"),
    [
        (lambda _: oc.Lifecycle(), 1, pa.int64(), {}),
        (lambda _: oc.Lifecycle(), 7, pa.string(), SPAN),
        (cadence_of, 3, pa.int64(), {"end": SPAN["end"]}),
        (
            lambda _: oc.Rules({"Best": "rfm == 'Best' and revenue > 900", "Old": "orders > 9"}),
            7,
            pa.int64(),
            {"every": "month", "schemes": [oc.Rfm(bins=3, map=NAMES, cuts=CUTS)], **SPAN},
        ),
        (lambda _: oc.Rfm(bins=3, map=NAMES, cuts=CUTS), 3, pa.string(), SPAN),
        (lambda _: oc.Rfm(bins=3, map=NAMES), 3, pa.int64(), SPAN),
        (
            lambda _: oc.Rules({"Best": "rfm == 'Best'"}),
            7,
            pa.string(),
            {"every": "month", "schemes": [oc.Rfm(bins=3, map=NAMES, where="orders > 1")], **SPAN},
        ),
        (lambda _: oc.Rfm(bins=3, map=NAMES), 7, pa.int64(), {"window_days": 200, **SPAN}),
    ],
    ids=[
        "all days",
        "some days",
        "cadence",
        "rules after scores",
        "scores",
        "scores of each month",
        "rules after scores of each month",
        "scores of a window of each month",
    ],
)
def test_intervals(make, partitions, kind, asked):
    orders, customers = tables(kind)
    history = local(orders, customers)
    scheme = make(history)
    found = dask.membership(
        framed(orders, 5),
        scheme,
        framed(customers, 2),
        columns=COLUMNS,
        partitions=partitions,
        **asked,
    )
    expected = scheme.membership(history, **asked).to_table()
    table = computed(found)
    assert table.column_names == expected.column_names
    assert table.num_rows > 200
    assert rows_of(table) == rows_of(expected)


@pytest.mark.parametrize("partitions", [1, 7])
def test_intervals_of_rules_with_features(partitions):
    shop = streams()
    rules = oc.Rules({"Clicks": "count(touches, kind == 'click', last=90) > 2"})
    asked = {"start": "2025-06-30", "end": "2026-03-31", "every": "month"}
    given = {"streams": {"touches": framed(shop.touches, 3)}, "partitions": partitions}
    columns = {"orders": shop.columns, "touches": TOUCHED}
    orders = framed(shop.orders, 2)
    found = dask.membership(orders, rules, columns=columns, **asked, **given)
    expected = rules.membership(shop.history, streams={"touches": shop.events}, **asked)
    assert rows_of(computed(found)) == rows_of(expected.to_table())
    typo = oc.Rules({"Clicks": "count(touches, kind == 'clikc') > 2"})
    there = dask.membership(orders, typo, columns=columns, **asked, **given)
    with pytest.raises(oc.ConfigError, match="clikc"):
        there.compute()


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_scores_of_each_month_after_features(partitions):
    """Fitted to those whom rules with features of streams let in."""
    shop = streams()
    reached = oc.Rules(
        {"Clicks": "count(touches, kind == 'click', last=300) > 1"}, column="reached"
    )
    scores = oc.Rfm(bins=2, map={"Best": "2 2", "Rest": "* *"}, where="reached == 'Clicks'")
    asked = {"start": "2025-06-30", "end": "2025-12-31", "every": "month", "window_days": 400}
    orders, given = framed(shop.orders, 2), {"streams": {"touches": framed(shop.touches, 3)}}
    columns = {"orders": shop.columns, "touches": TOUCHED}
    found = dask.membership(
        orders, scores, schemes=[reached], columns=columns, partitions=partitions, **asked, **given
    )
    here = {"streams": {"touches": shop.events}, "schemes": [reached]}
    expected = scores.membership(shop.history, **asked, **here).to_table()
    assert rows_of(computed(found)) == rows_of(expected)
    assert expected.num_rows > 10


@pytest.mark.parametrize(
    ("scheme", "asked", "says"),
    [
        (oc.Rfm(), {}, "first and the last order"),
        (oc.Cadence(), {}, "is not fitted"),
        (oc.Rules({"Big": "revenue > 9"}), {"start": "2025-01-01"}, "first and the last order"),
        (oc.Lifecycle(), {"every": "day"}, "every= means nothing for Lifecycle"),
        ("lifecycle", {}, "is no scheme"),
        (oc.Rules({"Clicks": "count(touches) > 2"}), SPAN, "touches"),
    ],
    ids=str,
)
def test_what_has_no_intervals(scheme, asked, says):
    orders, _ = tables(rows=10)
    with pytest.raises(oc.ConfigError, match=re.escape(says)):
        dask.membership(framed(orders, 1), scheme, columns=COLUMNS, **asked)


@pytest.mark.parametrize(
    ("partitions", "kind"), [(1, pa.int64()), (3, pa.string()), (7, pa.int64())], ids=str
)
@pytest.mark.parametrize("scheme", [oc.Lifecycle(), oc.Rfm(bins=3, map=NAMES, cuts=CUTS)], ids=str)
def test_who_moved(scheme, partitions, kind):
    """Who came in between is nowhere before, and who has no scores is in no segment."""
    orders, customers = tables(kind)
    profiles = [local(orders, customers).profile(day) for day in DAYS]
    here = [scheme.assign(one) for one in profiles]
    there = [dask.assign(framed(one, 4), scheme) for one in profiles]
    there[0] = there[0].astype({scheme.name: "string[pyarrow]"})  # of whatever type names are
    found = dask.transitions(*there, scheme.name, partitions=partitions)
    moved = oc.transitions(*here, scheme.name)
    table = computed(found)
    assert table.column_names == moved.column_names
    assert rows_of(table) == rows_of(moved)
    counts = dask.transition_matrix(*there, scheme.name, partitions=partitions)
    expected = oc.transition_matrix(*here, scheme.name)
    assert counts.schema.equals(expected.schema)
    assert rows_of(counts) == rows_of(expected)
    names = [name or "~" for name in counts["from_segment"].to_pylist()]
    assert names == sorted(names)
    assert None in counts["from_segment"].to_pylist()


def test_who_will_move():
    orders, customers = tables()
    profile = local(orders, customers).profile(DAYS[1])
    lifecycle = oc.Lifecycle()
    for given in (profile, lifecycle.assign(profile)):
        found = computed(dask.next_transition(framed(given, 3), lifecycle))
        expected = lifecycle.next_transition(given)
        assert found.column_names == expected.column_names
        assert rows_of(found) == rows_of(expected)
    with pytest.raises(oc.ConfigError, match="time alone changes no segment"):
        dask.next_transition(framed(profile, 1), oc.Rules({"Big": "revenue > 9"}))


def test_what_cannot_be_compared():
    one = pa.table({"customer_id": [1, 2], "tier": ["Gold", "Basic"]})
    twice = pa.table({"customer_id": [1, 1], "tier": ["Gold", "Basic"]})
    texts = pa.table({"customer_id": ["1"], "tier": ["Gold"]})
    here, other = framed(one, 1), framed(twice, 2)
    with pytest.raises(oc.ColumnError, match="no single column 'lifecycle'"):
        dask.transitions(here, here)
    with pytest.raises(oc.ColumnError, match="no ids in common"):
        dask.transition_matrix(here, framed(texts, 1), "tier")
    with pytest.raises(oc.ConfigError, match="no option 'memory_limits'"):
        dask.transitions(here, here, "tier", memory_limits=1)
    for ask in (lambda: dask.transitions(here, other, "tier").compute(),
                lambda: dask.transition_matrix(here, other, "tier")):  # fmt: skip
        with pytest.raises(oc.DataError, match="is there already"):
            ask()


def tiers(names, first=0):
    """Return customers of whom each has a tier of its own."""
    ids = range(first, first + names)
    return pa.table({"customer_id": ids, "tier": [f"tier {one}" for one in ids]})


@pytest.mark.parametrize("partitions", [1, 3, 7])
@pytest.mark.parametrize("ask", [dask.transitions, dask.transition_matrix])
def test_more_names_than_segments_in_whichever_partitions(ask, partitions):
    """What tables have together counts, as on one machine, though no partition has many names."""
    pairs = [
        (tiers(200), tiers(3), "before: tier brings the names to 200, and 127 is the most"),
        (tiers(3), tiers(128, 50), "after: tier brings the names to 131, and 127 is the most"),
    ]
    for before, after, says in pairs:
        with pytest.raises(oc.ColumnError, match=says):
            oc.transitions(before, after, "tier")
        found = (framed(before, 2), framed(after, 3))
        with pytest.raises(oc.ColumnError, match=says):
            computed(ask(*found, "tier", partitions=partitions))
    most = tiers(127), tiers(127).slice(0, 0)
    expected = oc.transitions(*most, "tier")
    assert expected.num_rows == 127
    found = dask.transitions(*(framed(one, 2) for one in most), "tier", partitions=partitions)
    assert rows_of(computed(found)) == rows_of(expected)
