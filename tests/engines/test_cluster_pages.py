"""Dashboards on a cluster against one machine: the same bytes of page."""

import datetime as dt
import re
import sys

import dask as configured
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.channel_shops import (
    OF_ORDERS,
    OF_TOUCHES,
    TARGETS,
    campaigns,
    credited_of,
    everyone,
    loyalty_of,
    members_of,
    orders_of,
    rows_of_orders,
    rows_of_points,
    rows_of_touches,
    rows_of_visits,
    shops,
    subscriptions_of,
)
from support.cluster_streams import MODELS, TOUCHED, streams
from support.crediting import attribution
from support.dask_shops import COLUMNS, framed, local
from support.shops import tables

import ordercycle as oc
from ordercycle.engines import dask

KINDS = ("int", "decimal", "wide", "float")
PARTITIONS = (1, 3, 7)
SCHEMES = [oc.Lifecycle(), oc.Rules({"Known": "lifecycle == 'Active'"}), oc.Rfm(bins=3)]


def page_of(make):
    """Return the page, or what an error says."""
    try:
        with configured.config.set(scheduler="sync"):
            return make()._page
    except oc.ConfigError as error:
        return str(error)


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
@settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.data(),
    st.sampled_from(KINDS),
    st.sampled_from(PARTITIONS),
    st.sampled_from([{}, {"months": ("2026-02", "2026-03"), "as_of": "2026-03-20"}]),
    st.sampled_from([0, 3]),
)
def test_pages_of_streams(data, kind, partitions, when, least):
    shop = data.draw(shops(kind))
    asked = {"brand": "brand", "targets": TARGETS, "min_customers": least, **when}
    history = orders_of(shop, kind)
    here = page_of(
        lambda: oc.Dashboard.build(
            history,
            SCHEMES[:1],
            credited=credited_of(shop, history),
            subscriptions=subscriptions_of(shop),
            loyalty=loyalty_of(shop),
            **asked,
        )
    )
    there = page_of(
        lambda: dask.dashboard(
            framed(rows_of_orders(shop, kind), 2),
            SCHEMES[:1],
            framed(everyone(shop), 1),
            touches=framed(rows_of_touches(shop), 3),
            visits=framed(rows_of_visits(shop), 1),
            model=attribution(shop.model),
            subscriptions=framed(subscriptions_of(shop), 2),
            loyalty={
                "members": framed(members_of(shop), 2),
                "points": framed(rows_of_points(shop), 2),
                "discount": "discount",
            },
            columns={"orders": OF_ORDERS, "touches": OF_TOUCHES},
            lookups={"touches": campaigns()},
            partitions=partitions,
            **asked,
        )
    )
    assert there == here


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
@pytest.mark.parametrize(
    ("partitions", "options"),
    [(1, {}), (3, {"as_of": "2025-02-10", "min_customers": 6}), (7, {"months": "2025-01"})],
    ids=str,
)
def test_pages_of_schemes_that_are_fitted_again(partitions, options):
    orders, customers = tables(rows=900, people=120)
    schemes = [*SCHEMES, oc.Cadence()]
    expected = oc.Dashboard.build(local(orders, customers), schemes, **options)
    with configured.config.set(scheduler="sync"):
        found = dask.dashboard(
            framed(orders, 3),
            schemes,
            framed(customers, 2),
            columns=COLUMNS,
            partitions=partitions,
            **options,
        )
    assert found._page == expected._page
    shown = found._shown
    assert shown.grid.names[0][2] == "Champions"
    is_long = "months" not in options
    assert (shown.moves is not None) == (shown.cohorts is not None) == is_long
    assert shown.is_partial == ("as_of" in options)
    assert ("lifecycle: Other" in found.report.segments) == ("min_customers" in options)
    assert found.report.segments == expected.report.segments


BY_LIFECYCLE = "lifecycle == 'Loyal' or lifecycle == 'Active'"
BY_RHYTHM = "cadence != 'Lost'"


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
@pytest.mark.parametrize(
    "schemes",
    [
        [oc.Lifecycle(), oc.Rfm(bins=3, where=BY_LIFECYCLE)],
        [oc.Cadence(), oc.Rfm(bins=3, where=BY_RHYTHM)],
        [
            oc.Lifecycle(),
            oc.Rfm(
                bins=2,
                map={"All": "* *"},
                where=BY_LIFECYCLE,
                cuts={"recency": [30], "frequency": [2], "monetary": [50]},
            ),
        ],
    ],
    ids=["exact before", "fitted before", "cuts by hand"],
)
def test_the_grid_is_of_those_whom_earlier_schemes_say(schemes):
    orders, customers = tables(rows=900, people=120)
    history = local(orders, customers)
    as_of = "2025-02-10"
    profile = history.profile(as_of)
    for given_one in schemes:
        scheme = given_one
        if scheme.refits:
            scheme = scheme.fit(profile)
        elif not scheme.is_fitted:  # once, to all orders
            scheme = scheme.fit(history.profile(history.summary().last_day))
        profile = scheme.assign(profile)
    scored = len(profile) - profile["rfm"].null_count
    assert 0 < scored < len(profile)
    expected = oc.Dashboard.build(history, schemes, as_of=as_of)
    shown = expected._shown.grid.values["Customers"]
    assert sum(value or 0 for row in shown for value in row) == scored
    with configured.config.set(scheduler="sync"):
        found = dask.dashboard(
            framed(orders, 3),
            schemes,
            framed(customers, 2),
            columns=COLUMNS,
            partitions=3,
            as_of=as_of,
        )
    assert found._page == expected._page


def without_numbers(page):
    """Return a page without those of its pictures' clips, which go on from page to page."""
    return re.sub(r"\bclip[0-9]+", "clip", page)


@pytest.mark.parametrize(
    ("partitions", "schemes", "least"), [(3, [oc.Lifecycle()], 0), (7, [], 0), (1, [], 5)], ids=str
)
def test_pages_of_tables_and_journeys(partitions, schemes, least):
    """Of a list that has people whom nobody knows, whichever partitions there are."""
    orders, customers = tables(rows=900, people=120)
    history = local(orders, customers)
    ids = history.profile("2025-02-10")["customer_id"].slice(0, 40).to_pylist()
    listed = pa.table(
        {
            "customer_id": [*ids, 1, 2, 3],
            "segment": ["VIP", "Basic", "VIP"] * 14 + ["Few"],
            "valid_from": [dt.date(2024, 3, 1)] * 43,
            "valid_to": pa.array([None, dt.date(2024, 12, 1)] * 21 + [None], pa.date32()),
        }
    )
    lists = {"lists": oc.Membership.from_table(listed)}
    journey = oc.Journey(
        "win-back",
        oc.enters("At-risk", of="lifecycle"),
        [{"name": "hello", "action": "mail/hello"}],
        arms={"control": 20, "treatment": 80},
    )
    asked = {"memberships": lists, "as_of": "2025-02-10", "min_customers": least}
    run = journey.replay(
        history,
        memberships={"lifecycle": oc.Lifecycle().membership(history)},
        as_of="2025-02-10",
    )
    with pytest.warns(oc.OrdercycleWarning, match="3 intervals are of customers whom"):
        expected = oc.Dashboard.build(history, schemes, journeys=[run], **asked)
    there = framed(orders, 3), framed(customers, 2)
    how = {"partitions": partitions}
    with configured.config.set(scheduler="sync"):
        replayed = dask.journey(
            there[0],
            journey,
            there[1],
            memberships={"lifecycle": oc.Lifecycle()},
            as_of="2025-02-10",
            columns={"orders": COLUMNS},
            **how,
        )
        with pytest.warns(oc.OrdercycleWarning, match="3 intervals are of customers whom"):
            found = dask.dashboard(
                there[0],
                schemes,
                there[1],
                columns=COLUMNS,
                journeys=[replayed],
                **asked,
                **how,
            )
    assert without_numbers(found._page) == without_numbers(expected._page)
    assert found._shown.journeys == expected._shown.journeys
    assert (found._shown.moves is not None) == bool(schemes)


def no_partition(_):
    raise AssertionError


@pytest.mark.parametrize(
    ("given", "is_whole", "error", "says"),
    [
        ({"currency": "euro"}, True, oc.ConfigError, "currency='euro'"),
        ({"min_customers": 2.5}, True, oc.ConfigError, "min_customers=2.5 is no number"),
        ({"experiments": [7]}, True, oc.ConfigError, "experiments= are no results by name"),
        ({}, False, ImportError, r"ordercycle\[page\]"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_before_journeys_are_computed(
    given, is_whole, error, says, monkeypatch
):
    orders, _ = tables(rows=90, people=60)
    lazy = framed(orders, 2)
    journey = oc.Journey(
        "win-back",
        oc.enters("At-risk", of="lifecycle"),
        [{"name": "hello", "action": "mail/hello"}],
        arms={"control": 20, "treatment": 80},
    )
    run = dask.journey(
        lazy.map_partitions(no_partition, meta=lazy._meta),
        journey,
        memberships={"lifecycle": oc.Lifecycle()},
        as_of="2025-02-10",
        columns={"orders": COLUMNS},
        partitions=2,
    )
    if not is_whole:
        monkeypatch.setitem(sys.modules, "vl_convert", None)
    with configured.config.set(scheduler="sync"), pytest.raises(error, match=says):
        dask.dashboard(lazy, [oc.Lifecycle()], columns=COLUMNS, journeys=[run], **given)


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
def test_pages_of_customers_without_orders_have_no_grid():
    orders, customers = tables(rows=90, people=60)
    nothing = orders.slice(0, 0)
    expected = oc.Dashboard.build(local(nothing, customers), [oc.Rfm()])
    assert expected._shown.grid is None
    with configured.config.set(scheduler="sync"):
        found = dask.dashboard(
            framed(nothing, 1), [oc.Rfm()], framed(customers, 2), columns=COLUMNS, partitions=3
        )
    assert found._page == expected._page


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
@pytest.mark.parametrize(("partitions", "least"), [(1, 30), (3, 0), (7, 30)])
def test_pages_of_schemes_that_read_streams(partitions, least):
    """Also scores after rules with features, and touches of the report that are others."""
    shop, [model, _] = streams(), MODELS
    clicks = "count(touches, kind == 'click', last=300) > 1"
    reached = oc.Rules({"Clicks": clicks, "Big": "sum(orders.amount, last=300) > 200"})
    map_ = {"Best": "2 2", "Rest": "* *"}
    schemes = [oc.Lifecycle(), reached, oc.Rfm(bins=2, map=map_, where="tier != 'Other'")]
    asked = {"as_of": "2025-12-28", "months": ("2025-11", "2025-12"), "min_customers": least}
    mails = shop.touches.filter(pc.equal(shop.touches["channel"], "Email"))
    of_mails = oc.EventHistory.build(mails, columns=TOUCHED)
    expected = oc.Dashboard.build(
        shop.history,
        schemes,
        streams={"touches": shop.events, "orders": shop.history},
        credited=model.credit(shop.history, of_mails),
        **asked,
    )
    how = {"columns": {"orders": shop.columns, "touches": TOUCHED}, "partitions": partitions}
    orders, touches = framed(shop.orders, 2), framed(shop.touches, 3)
    with configured.config.set(scheduler="sync"):
        found = dask.dashboard(
            orders,
            schemes,
            touches=framed(mails, 2),
            model=model,
            streams={"touches": touches},
            **asked,
            **how,
        )
        assert found._page == expected._page
        assert found._shown.grid is not None
        typo = oc.Rules({"Clicks": "count(touches, kind == 'clikc') > 1"})
        with pytest.raises(oc.ConfigError, match="clikc"):
            dask.dashboard(orders, [typo], streams={"touches": touches}, **asked, **how)


class Median(oc.Scheme):
    """A scheme that is fitted to a whole profile."""

    name = "half"
    segments = ("Upper", "Lower")
    fitted_to = "profile"

    def assign(self, table, *, threads=None):  # noqa: ARG002
        raise AssertionError


@pytest.mark.parametrize(
    ("schemes", "says"),
    [
        ([], "schemes= and memberships= are empty"),
        (["lifecycle"], "schemes= has a str, which is no scheme"),
        ([oc.Lifecycle(), oc.Lifecycle()], "two memberships are called 'lifecycle'"),
        ([oc.Rules({"Read": "count(touches) > 2"})], "touches"),
        ([Median()], "is fitted to a whole profile, which no partition has"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_at_once(schemes, says):
    with pytest.raises(oc.ConfigError, match=says):
        dask.dashboard(framed(tables(rows=90, people=60)[0], 1), schemes, columns=COLUMNS)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"memberships": {"VIP": oc.Lifecycle()}}, "memberships=: 'VIP' is a Lifecycle"),
        ({"journeys": [oc.Lifecycle()]}, "journeys= are no runs of journeys"),
        ({"journeys": 7}, "journeys= are no runs of journeys"),
    ],
    ids=str,
)
def test_what_a_page_cannot_show(given, says):
    orders, _ = tables(rows=90, people=60)
    with pytest.raises(oc.ConfigError, match=says):
        dask.dashboard(framed(orders, 1), [oc.Lifecycle()], columns=COLUMNS, **given)
