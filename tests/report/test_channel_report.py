"""Channels, messages, loyalty and subscribers against the oracle, over generated shops."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.channel_report import (
    CAMPAIGNS,
    Question,
    campaign_values,
    of_campaigns,
    of_condition,
    of_loyalty,
    subscribers,
)
from support.channel_shops import form_of, report_of, shops
from support.touches import models

import ordercycle as oc
from ordercycle._report.sources import View

pytestmark = [
    pytest.mark.filterwarnings("ignore:no touch has "),
    pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning"),
]

KINDS = ("int", "decimal", "wide", "float")
FEW = settings(max_examples=8)
PERIODS = {
    ("2026-02", "2026-02"): (date(2026, 2, 1), date(2026, 2, 28)),
    ("2026-02", "2026-03"): (date(2026, 2, 1), date(2026, 3, 31)),
    ("2026-03", "2026-05"): (date(2026, 3, 1), date(2026, 5, 31)),
}
GRAINS = [("channel", "Email"), ("channel", "(none)"), ("mailing_type", "bulk")]
GRAINS += [("mailing_type", "(none)"), ("form_type", "popup")]


def rounded(value):
    return None if value is None else float(value)


def read(table, name="metric"):
    found = {}
    for row in table.to_pylist():
        found.setdefault(row["segment"], {})[row[name]] = row["value"]
    return found


def differing(found, wanted):
    return {
        name: (found.get(name), rounded(value))
        for name, value in wanted.items()
        if found.get(name, "absent") != rounded(value)
    }


def questions(made, period, **asked):
    names = (*made.segments, "All Customers")
    until = PERIODS[period][1]
    return [Question(name, *PERIODS[period], as_of=until, **asked) for name in names]


@FEW
@given(st.data(), st.sampled_from(KINDS), st.sampled_from(list(PERIODS)))
def test_every_metric(data, kind, period):
    shop = data.draw(shops(kind))
    made = report_of(shop, kind, period, brand="brand", as_of=PERIODS[period][1])
    brand = data.draw(st.sampled_from([None, *made.brands]))
    target = data.draw(st.sampled_from(["Orders", "Paid"]))
    found = read(made.comparison(brand=brand, target=target))
    for asked in questions(made, period, brand=brand, paid=target == "Paid"):
        wanted = of_campaigns(shop, asked) | {"Subscribers": subscribers(shop, asked)}
        loyalty = of_loyalty(shop, asked)
        if target == "Paid":  # loyalty is about all orders, whatever the target action
            loyalty = dict.fromkeys(loyalty, None) | {
                name: loyalty[name] for name in ("Loyalty Program Members",)
            }
        assert differing(found[asked.segment], wanted | loyalty) == {}
    if target == "Orders":
        for by, value in GRAINS:
            names = [name for grain, name in GRAINS if grain == by]
            rows = made.channels(by=by, brand=brand).to_pylist()
            for asked in questions(made, period, brand=brand, grain=(by, value)):
                own = {
                    row["metric"]: row["value"]
                    for row in rows
                    if (row["segment"], row["channel"]) == (asked.segment, value)
                }
                if not own:  # touches of no such channel
                    assert value in names
                    continue
                wanted = of_campaigns(shop, asked) | {"Subscribers": subscribers(shop, asked)}
                wanted = {name: one for name, one in wanted.items() if name in own}
                assert differing(own, wanted) == {}


CONDITIONS = {
    "channel == 'Email'": lambda touch: touch.channel == "Email",
    "type == 'bulk'": lambda touch: touch.campaign == "spring",
    "form == 'popup' or campaign == 'Autumn'": lambda touch: (
        form_of(touch) == "popup" or touch.campaign == "Autumn"
    ),
}
OWN = ("revenue", "orders", "buyers", "deliveries", "recipients")


def own_metrics():
    return [
        oc.Metric(f"{name} where {where}", name, where=where, unit="orders")
        for where in CONDITIONS
        for name in OWN
    ] + [oc.Metric("buyers", "buyers", unit="customers")]


@FEW
@given(st.data(), st.sampled_from(KINDS), st.sampled_from(list(PERIODS)), st.booleans())
def test_campaigns_and_metrics_of_ones_own(data, kind, period, paid):
    shop = data.draw(shops(kind, models(options=("clock",))))
    target = "Paid" if paid else "Orders"
    made = report_of(shop, kind, period, metrics=own_metrics(), as_of=PERIODS[period][1])
    found = read(made.comparison(target=target))
    for asked in questions(made, period, paid=paid):
        own = found[asked.segment]
        for where, holds in CONDITIONS.items():
            wanted = of_condition(shop, asked, holds)
            assert differing(own, {f"{name} where {where}": wanted[name] for name in OWN}) == {}
        buyers = of_condition(shop, asked, None)["buyers"]
        assert own["buyers"] == buyers
    if CAMPAIGNS not in shop.model.groups:
        return
    everyone, *lists = reversed(questions(made, period, paid=paid))
    until = PERIODS[period][1]
    values = campaign_values(shop, everyone, until)
    ranked = sorted(
        (name for name, one in values.items() if one.revenue),
        key=lambda name: (-float(values[name].revenue), name),
    )
    table = made.top_campaigns(campaigns=2, segments=1, target=target).to_pylist()
    assert [row["campaign"] for row in table if row["segment"] == "All Customers"] == ranked[:2]
    for row in table:
        asked = next(one for one in (everyone, *lists) if one.segment == row["segment"])
        of_row = campaign_values(shop, asked, until)[row["campaign"]]
        assert row["value"] == float(of_row.revenue)
        assert row["anchor"] == "send"


@settings(max_examples=4)
@given(st.data(), st.sampled_from(KINDS))
def test_the_same_bits_for_any_number_of_threads(data, kind):
    shop = data.draw(shops(kind))
    period = ("2026-02", "2026-03")
    one, many = (
        report_of(shop, kind, period, threads=threads, brand="brand") for threads in (1, 2)
    )
    assert one.comparison().equals(many.comparison())
    assert one.metadata == many.metadata
    if one.segments:
        assert one.channels().equals(many.channels())
    if CAMPAIGNS in shop.model.groups:
        add_up(one, has_groups=shop.model.compete != "channel")


def add_up(report, *, has_groups):
    """Brands add up to all orders, and channels to their group but where each has a winner."""
    figures = report._numbers.figures
    months = figures.plan.months
    won = ("orders from campaigns", "revenue from campaigns")
    for name in (*won, "revenue", "orders", "member revenue"):
        views = [View(brand, "Orders") for brand in report.brands]
        parts = [figures.quantity(name, months, view) for view in views]
        assert total(parts) == figures.quantity(name, months)
    for name in won if has_groups else ():
        grains = report._numbers.grains("channel")
        parts = [figures.quantity(name, months, None, grain) for grain in grains]
        if parts:  # there are touches
            assert total(parts) == figures.quantity(name, months)


def total(parts):
    return list(map(sum, zip(*parts, strict=True)))
