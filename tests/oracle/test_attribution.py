"""The worked examples E1 to E9, by their names, and what holds for all data."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.attribution import (
    Entry,
    Model,
    Touch,
    added,
    credit,
    decayed,
    outcome,
    split,
)
from oracle.channels import average, by_groups, crm, pair_counts, reach, redemption_rate

MONDAY = datetime(2026, 1, 5, 10, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
C, P, I = "campaigns", "personalization", "in_app"  # noqa: E741 - as in the examples
E1 = Model(qualify=("click",))


def e1():
    """Five customers with an order each, two hours after what they clicked."""
    clicks = {1: ["Email"], 2: ["Email", "Popup"], 3: ["SMS", "In-App"], 4: ["Popup"], 5: []}
    amounts = {1: 100, 2: 50, 3: 80, 4: 40, 5: 30}
    for number, channels in clicks.items():
        yield (
            [Entry(MONDAY + 2 * HOUR, amounts[number], number)],
            [Touch(MONDAY, channel, place=place) for place, channel in enumerate(channels)],
        )


def in_all(customers, model=E1):
    """Return entries and credited of several customers, numbered one after the other."""
    entries, credited = [], []
    for own, touches in customers:
        credited += [
            one._replace(entry=one.entry + len(entries)) for one in credit(model, own, touches)
        ]
        entries += own
    return entries, credited


def test_e1_unions():
    entries, credited = in_all(e1())
    groups, masks = by_groups(entries, credited)
    assert groups == {C: (3, 230), P: (2, 90), I: (1, 80)}
    assert sum(one.orders for one in groups.values()) == 6  # more than there are
    assert crm(masks) == (4, 270)
    assert crm(masks).revenue / sum(entry.amount for entry in entries) == Fraction(9, 10)
    assert crm(masks).revenue / crm(masks).orders == Fraction("67.5")
    expected = {(C,): 100, (C, P): 50, (C, I): 80, (P,): 40, (): 30}
    assert {names: one.revenue for names, one in masks.items()} == {
        frozenset(names): revenue for names, revenue in expected.items()
    }


def test_e2_refund():
    customers = list(e1())
    own, touches = customers[1]
    refund = Entry(MONDAY + 3 * DAY, -50, own[0].id, is_order=False)
    customers[1] = ([*own, refund], touches)
    entries, credited = in_all(customers)
    _, masks = by_groups(entries, credited)
    assert crm(masks) == (4, 220)
    assert sum(entry.amount for entry in entries) == 250
    unknown = Entry(MONDAY + 3 * DAY, -50, is_order=False)
    customers[1] = ([*own, unknown], touches)
    _, masks = by_groups(*in_all(customers))
    assert crm(masks) == (4, 270)  # 108 % of 250


def test_e3_recipients():
    january, february, march = 1, 2, 3
    deliveries = [
        *[("ann", january, "Email")] * 2,
        ("ann", february, "Email"),
        ("bob", january, "Email"),
        ("bob", march, "Email"),
        ("bob", march, "SMS"),
        ("dan", february, "Email"),
    ]
    pairs = pair_counts((who, month) for who, month, _ in deliveries)
    assert pairs == {(None, 1): 2, (1, 2): 1, (None, 2): 1, (1, 3): 1}
    recipients = [reach(pairs, month, month) for month in (january, february, march)]
    assert recipients == [2, 2, 1]
    assert reach(pairs, february, march) == reach(pairs, january, march) == 3
    by_channel = [
        reach(pair_counts((who, month) for who, month, one in deliveries if one == channel), 1, 3)
        for channel in ("Email", "SMS")
    ]
    assert by_channel == [3, 1]
    assert Fraction(len(deliveries), sum(recipients)) == Fraction("1.4")
    assert Fraction(210, reach(pairs, 1, 3)) == 70


def test_e4_conversion():
    orders = {"deleted": 1, "others": 5}
    deliveries = {"deleted": 20, "others": 180}
    conversion = Fraction(orders["others"], deliveries["others"])
    assert round(float(conversion), 4) == 0.0278
    assert round(sum(orders.values()) / sum(deliveries.values()), 4) == 0.03
    assert sum(orders.values()) == 6


def test_e5_anchors():
    sent, click, order = (datetime(2026, *day, tzinfo=UTC) for day in ((4, 28), (4, 29), (5, 2)))
    segments = [("Churned", datetime(2026, 1, 1, tzinfo=UTC)), ("Active", order)]

    def segment(moment):
        return [name for name, since in segments if since <= moment][-1]

    touches = [Touch(sent, "Email", "delivery", "spring"), Touch(click, "Email", "click", "spring")]
    (won,) = credit(Model(), [Entry(order, 10)], touches)
    assert touches[won.touch].at == click
    assert (order.month, segment(order)) == (5, "Active")
    assert (sent.month, segment(sent)) == (4, "Churned")


def test_e6_shadowing():
    model = Model(windows={("SMS", "delivery"): 12 * HOUR})
    touches = [Touch(MONDAY, "Email"), Touch(MONDAY + 2 * DAY, "SMS", "delivery", place=1)]
    order = Entry(MONDAY + 3 * DAY - HOUR, 60)
    assert [one.touch for one in credit(model, [order], touches)] == [0]
    strict = Model(windows=model.windows, strict=True)
    assert [one.touch for one in credit(strict, [order], touches)] == [None]
    assert outcome(model, order, touches[1], touches) == "window"


def test_e7_uplift():
    members, others = average([60, 30, 30]), average([20, 20, 30, 30])
    assert (members, others, members - others) == (40, 25, 15)
    assert (members - others) / others == Fraction(3, 5)


def test_e8_redemption():
    points = [
        ("awarded", 100),
        ("awarded", 50),
        ("redeemed", 30),
        ("expired", 70),
        ("awarded", 40),
        ("redeemed", 20),
    ]
    assert round(float(redemption_rate(points)), 3) == 0.263
    signs = {"awarded": 1, "redeemed": -1, "expired": -1}
    assert sum(signs[kind] * number for kind, number in points) == 70


def test_e9_filter():
    touches = [Touch(MONDAY, "Popup"), Touch(MONDAY + DAY, "Embedded", place=1)]
    order = [Entry(MONDAY + 2 * DAY, 100)]
    won = credit(Model(), order, touches)
    after = sum(one.revenue for one in won if touches[one.touch].channel == "Popup")
    before = sum(one.revenue for one in credit(Model(), order, touches[:1]))
    assert (after, before) == (0, 100)


@given(
    st.one_of(
        st.integers(-(10**6), 10**6),
        st.integers(-(2**63), 2**63 - 1),
        st.decimals(-(10**12), 10**12, places=2),
        st.floats(-1e12, 1e12, allow_subnormal=False),
    ),
    st.lists(st.integers(1, 2**31), min_size=1, max_size=9),
)
def test_parts_add_up(amount, weights):
    parts = split(amount, weights)
    together = added(parts) if isinstance(amount, float) else sum(parts)
    assert together == amount
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        exact = Fraction(amount) * weight / whole
        one = Fraction("0.01") if isinstance(amount, Decimal) else 1
        assert (
            abs(Fraction(part) - exact)
            < (abs(amount) * 1e-12 if isinstance(amount, float) else one)
            or not amount
        )


@pytest.mark.parametrize("days", [0, 0.001, 1, 3.3, 7, 10, 29.9, 90])
def test_decay_is_as_near_as_a_billionth(days):
    exact = 2**31 * 2 ** (-days / 7)
    assert decayed(timedelta(days=days), timedelta(days=7)) == pytest.approx(exact, abs=4)
