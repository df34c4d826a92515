"""Reports of several streams on a cluster against one machine, bit for bit."""

import re
import warnings
from datetime import date
from functools import partial
from itertools import product
from types import SimpleNamespace

import dask as configured
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
from support.cluster_streams import streams
from support.crediting import attribution
from support.dask_shops import framed

import ordercycle as oc
from ordercycle._report.quantities import GRAINS
from ordercycle.engines import dask

NOBODY = SimpleNamespace(customers=[])
KINDS = ("int", "decimal", "wide", "float")
PARTITIONS = (1, 3, 7)
OF_SCORES = {"Best": "3 3", "Rest": "* *"}
COARSE = oc.Rfm(bins=2, map={"Best": "2 2", "Rest": "* *"})
OWN = [
    oc.Metric("Emails", "deliveries", where="channel == 'Email'", unit="messages"),
    oc.Metric("Emailed", "recipients", where="type == 'bulk'", unit="customers"),
    oc.Metric("Popup revenue", "revenue", where="form == 'popup'", unit="currency"),
    oc.Metric("Buyers", "buyers", unit="customers"),
]


def told(make):
    """Return a report, and what it warns of."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", oc.OrdercycleWarning)
        made = make()
    return made, {str(one.message) for one in warned}


def on_one_machine(shop, kind, scheme, **asked):
    history = orders_of(shop, kind)
    return oc.SegmentReport.build(
        history,
        scheme(history),
        credited=credited_of(shop, history),
        subscriptions=subscriptions_of(shop),
        loyalty=loyalty_of(shop),
        **asked,
    )


def on_a_cluster(shop, kind, scheme, partitions, **asked):
    with configured.config.set(scheduler="sync"):
        return dask.segment_report(
            framed(rows_of_orders(shop, kind), 2),
            scheme,
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


def tables_of(report):
    """Yield everything that a report can be asked for, each under a name."""
    yield "said of it", (report.segments, report.period, report.previous, report.as_of)
    for brand, target in product((None, *report.brands), report.targets):
        view = {"brand": brand, "target": target}
        yield f"{view}", report.comparison(**view)
        for by in GRAINS:
            yield f"{by} {view}", answer(partial(report.channels, by=by, **view))
        for metric in ("Revenue from Campaigns", "Delivered"):
            yield f"{metric} {view}", answer(partial(report.top_campaigns, metric, **view))


def answer(ask):
    try:
        return ask()
    except oc.ConfigError as error:
        return str(error)


#: A shop takes a second to report twice: smaller ones are not looked for.
@settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.data(),
    st.sampled_from(KINDS),
    st.sampled_from(PARTITIONS),
    st.sampled_from([None, date(2026, 3, 20)]),
)
def test_equal_to_one_machine(data, kind, partitions, as_of):
    shop = data.draw(shops(kind))
    asked = {
        "period": ("2026-02", "2026-03"),
        "compare": "previous_period",
        "brand": "brand",
        "targets": TARGETS,
        "metrics": OWN,
        "as_of": as_of,
    }
    lifecycle = oc.Lifecycle()
    here, said_here = told(lambda: on_one_machine(shop, kind, lifecycle.membership, **asked))
    there, said = told(lambda: on_a_cluster(shop, kind, lifecycle, partitions, **asked))
    expected = dict(tables_of(here))
    for name, found in tables_of(there):
        one = expected.pop(name)
        assert found.equals(one) if hasattr(found, "equals") else found == one, name
    assert not expected
    assert said == said_here


@pytest.mark.parametrize("partitions", PARTITIONS)
@pytest.mark.parametrize("as_of", [None, "2025-12-31"])
def test_several_schemes_beside_each_other(as_of, partitions):
    """In a row or by names of their own; also those of one kind that are fitted again."""
    shop = streams()
    orders, history = framed(shop.orders, 2), shop.history
    asked = {"period": ("2025-11", "2025-12"), "as_of": as_of}
    schemes = {"stage": oc.Lifecycle(), "fine": oc.Rfm(bins=3, map=OF_SCORES), "coarse": COARSE}
    start, end = "2024-11-01", "2025-12-31"

    def of_period(scheme):
        return scheme.membership(history, *((start, end) if scheme.recalculates else ()))

    some = [schemes["stage"], oc.Rules({"Big": "revenue >= 300"})]
    for asked_for, memberships in (
        (schemes, {name: of_period(one) for name, one in schemes.items()}),
        (some, [of_period(one) for one in some]),
    ):
        here, said_here = told(partial(oc.SegmentReport.build, history, memberships, **asked))
        with configured.config.set(scheduler="sync"):
            how = {"columns": shop.columns, "partitions": partitions}
            there, said = told(partial(dask.segment_report, orders, asked_for, **how, **asked))
        assert said == said_here
        assert len(there.segments) > 6
        for name, one in tables_of(here):
            found = dict(tables_of(there))[name]
            assert found.equals(one) if hasattr(found, "equals") else found == one, name


@pytest.mark.parametrize(
    ("schemes", "says"),
    [
        ([], "scheme=[] is empty"),
        ([oc.Lifecycle(), oc.Lifecycle()], "several schemes have a segment 'New"),
        ({"one": oc.Lifecycle(), "two": 2}, "scheme=2 is no scheme"),
        ([oc.Rules({"Big": "revenue > 9"}), oc.Cadence()], "is not fitted"),
    ],
    ids=str,
)
def test_what_cannot_be_beside_each_other(schemes, says):
    shop = streams()
    with pytest.raises(oc.ConfigError, match=re.escape(says)):
        dask.segment_report(framed(shop.orders, 1), schemes, columns=shop.columns, period="2025-12")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"visits": "subscriptions"}, "visits= is about touches, and there are none"),
        (
            {"loyalty": oc.Loyalty(members=members_of(NOBODY))},
            "loyalty= is a Loyalty, whose members and points",
        ),
        ({"loyalty": {"points": "subscriptions"}}, "loyalty= has no members"),
        ({"loyalty": {"members": "subscriptions", "point": None}}, "there is no 'point'"),
        ({"subscriptions": "orders"}, "there is no column 'channel'"),
        ({"brand": "brnad"}, "have no such attribute (did you mean 'brand'"),
        ({"touches": "orders"}, "the touches have no attribute 'kind'"),
        ({"targets": {"Paid": "stats == 'paid'"}}, "did you mean 'status'"),
        ({"period": "2026-13"}, "2026-13"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_at_once(asked, says):
    """No row is read for it."""
    tables = {
        "orders": framed(rows_of_orders(NOBODY, "int"), 1),
        "subscriptions": framed(subscriptions_of(NOBODY), 1),
    }

    def frame(given):
        return tables.get(given, given) if isinstance(given, str) else given

    wanted = {"period": "2026-02"} | {
        name: {key: frame(one) for key, one in given.items()}
        if isinstance(given, dict)
        else frame(given)
        for name, given in asked.items()
    }
    columns = {"orders": OF_ORDERS}
    if "touches" in wanted:
        columns["touches"] = oc.EventColumns(time="ordered_at")
    with pytest.raises((oc.ConfigError, oc.ColumnError), match=re.escape(says)):
        dask.segment_report(tables["orders"], oc.Lifecycle(), columns=columns, **wanted)
