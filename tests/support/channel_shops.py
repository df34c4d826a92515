"""Hypothesis strategies: shops with orders, touches, members and subscribers, and their reports."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from hypothesis import strategies as st
from oracle.attribution import Entry, Model, Touch
from oracle.channel_report import Customer, Points, Shop, Stay, Subscription
from support.crediting import (
    ORDERS,
    TOUCHES,
    attribution,
    distinct,
    order_table,
    touch_table,
    visit_table,
)
from support.touches import BRANDS, DAY, Person, amounts, models, people

import ordercycle as oc

SEGMENTS = ("first list", "second list")
TYPES = {"spring": "bulk", "Autumn": "automated"}
SENT_ON = {"spring": date(2026, 2, 20)}
FORMS = ("popup", None, "widget")
OPENED = ("open", "unsubscribe")
POINT_KINDS = ["awarded", "redeemed", "expired", "reversed_award", "reversed_redemption", None]
TOPICS = [("Email", "a"), ("Email", "b"), ("SMS", "a")]
#: Of customers who are not in the table of customers.
UNLISTED = "unlisted"
TARGETS = {"Orders": None, "Paid": "status == 'paid'"}
OF_ORDERS = replace(ORDERS, attributes=("brand", "status"), values=("discount",))
OF_TOUCHES = replace(TOUCHES, attributes=(*TOUCHES.attributes, "form"))
OF_POINTS = oc.EventColumns(attributes=("kind",), values=("points",))
#: Touches are of ten days: so they lie in one month, or in two.
SHIFTS = [timedelta(0), -5 * DAY, -5 * DAY, 26 * DAY]


def is_paid(entry: Entry) -> bool:
    """Return whether a row is paid: of the rows of one order, some may be."""
    return (entry.id + entry.at.day) % 2 == 0


def form_of(touch: Touch) -> str | None:
    return FORMS[(touch.message or 0) % len(FORMS)]


def days() -> st.SearchStrategy[date]:
    """Draw days around those of orders and touches."""
    return st.integers(0, 60).map(lambda behind: date(2026, 2, 15) + timedelta(days=behind))


@st.composite
def stays(draw, name: str) -> list[Stay]:
    """Draw stays of a name that do not overlap."""
    bounds = sorted(draw(st.lists(days(), max_size=3, unique=True)))
    stops = [*bounds[1::2], None]
    return [Stay(*pair, name) for pair in zip(bounds[::2], stops, strict=False)]


def moved(person: Person, shift: timedelta) -> Person:
    return Person(
        [one._replace(at=one.at + shift) for one in person.entries],
        [one._replace(at=one.at + shift) for one in person.touches],
        [one + shift for one in person.visits],
    )


@st.composite
def customers(draw, kind: str) -> Customer:
    person = moved(draw(people(kind=kind)), draw(st.sampled_from(SHIFTS)))
    more = [
        one._replace(kind=draw(st.sampled_from(["delivery", *OPENED])), at=one.at + later * DAY)
        for one in person.touches[:4]
        for later in draw(st.lists(st.sampled_from([0, 3, 20, 31]), max_size=2))
    ]
    touches = sorted((*person.touches, *more), key=lambda one: one.at)
    both = st.tuples(days(), st.none() | st.integers(1, 40))
    subscriptions = [
        Subscription(
            channel,
            topic,
            *(
                Stay(start, None if size is None else start + timedelta(days=size))
                for start, size in draw(st.tuples(both, both))
            ),
        )
        for channel, topic in draw(
            st.lists(
                st.tuples(st.sampled_from(["Email", "SMS"]), st.sampled_from("ab")), max_size=3
            )
        )
    ]
    points = draw(
        st.lists(
            st.builds(Points, days(), st.sampled_from(POINT_KINDS), st.integers(0, 100)), max_size=4
        )
    )
    return Customer(
        person.entries,
        touches,
        person.visits,
        [stay for name in SEGMENTS for stay in draw(stays(name))],
        draw(stays("members")),
        points,
        subscriptions,
    )


@st.composite
def with_later_days(draw, entries: list[Entry], kind: str) -> list[Entry]:
    """Draw further days of orders, of any brand, at instants of their own."""
    orders = [one for one in entries if one.is_order]
    found = list(entries)
    for number, order in enumerate(
        draw(st.lists(st.sampled_from(orders), max_size=2)) if orders else ()
    ):
        days = draw(st.sampled_from([1, 2, 20]))
        at = order.at + days * DAY + timedelta(microseconds=100 + number)
        if (order.id, at.date()) not in {(one.id, one.at.date()) for one in found}:
            brand = draw(st.sampled_from(BRANDS))
            found.append(Entry(at, draw(amounts(kind)), order.id, brand, is_order=False))
    return sorted(found, key=lambda one: one.at)


@st.composite
def shops(draw, kind: str = "int", model: st.SearchStrategy[Model] | None = None) -> Shop:
    kind = "float of reports" if kind == "float" else kind
    found = draw(st.lists(customers(kind), max_size=4))
    people_of = distinct([Person(one.entries, one.touches, one.visits) for one in found])
    return Shop(
        [
            replace(
                one,
                entries=draw(with_later_days(person.entries, kind)),
                touches=person.touches,
            )
            for one, person in zip(found, people_of, strict=True)
        ],
        draw(models() if model is None else model),
        TYPES,
        SENT_ON,
        form_of,
        lambda entry: None if entry.id % 3 == 0 else entry.id % 7,
        is_paid,
    )


def orders_of(shop: Shop, kind: str, listed: pa.Table | None = None, **options) -> oc.OrderHistory:
    """Return the orders; listed: the customers, None for all, of one day."""
    listed = everyone(shop) if listed is None else listed
    return oc.OrderHistory.build(rows_of_orders(shop, kind), listed, columns=OF_ORDERS, **options)


def everyone(shop: Shop) -> pa.Table:
    return listing([date(2026, 1, 1)] * len(shop.customers))


def rows_of_orders(shop: Shop, kind: str) -> pa.Table:
    persons = [Person(one.entries, one.touches, one.visits) for one in shop.customers]
    entries = [entry for one in shop.customers for entry in one.entries]
    paid = ["paid" if shop.is_paid(one) else "open" for one in entries]
    discounts = [shop.discount_of(one) for one in entries]
    table = order_table(persons, kind)
    table = table.append_column("status", pa.array(paid, pa.string()))
    return table.append_column("discount", pa.array(discounts, pa.int64()))


def listing(registered: Sequence[date | str | None]) -> pa.Table:
    """Return a table of customers: days, None for none, UNLISTED for who is left out."""
    there = [one for one in enumerate(registered) if one[1] != UNLISTED]
    return pa.table(
        {
            "customer_id": pa.array([number for number, _ in there], pa.int64()),
            "registered_at": pa.array([day for _, day in there], pa.date32()),
        }
    )


def credited_of(shop: Shop, orders: oc.OrderHistory, **options) -> oc.Credited:
    touches = oc.EventHistory.build(
        rows_of_touches(shop), columns=OF_TOUCHES, lookups=campaigns(), **options
    )
    visits = oc.EventHistory.build(rows_of_visits(shop), **options)
    return attribution(shop.model).credit(orders, touches, visits)


def rows_of_touches(shop: Shop) -> pa.Table:
    persons = [Person(one.entries, one.touches, one.visits) for one in shop.customers]
    forms = [form_of(touch) for one in persons for touch in one.touches]
    return touch_table(persons).append_column("form", pa.array(forms, pa.string()))


def rows_of_visits(shop: Shop) -> pa.Table:
    return visit_table([Person(one.entries, one.touches, one.visits) for one in shop.customers])


def campaigns() -> dict[str, pa.Table]:
    """Return the lookup of touches."""
    sent = pa.array([SENT_ON.get(name) for name in TYPES], pa.date32())
    columns = {"campaign": list(TYPES), "type": list(TYPES.values()), "sent_at": sent}
    return {"campaign": pa.table(columns)}


def interval_table(rows: list[tuple[int, Stay]]) -> pa.Table:
    return pa.table(
        {
            "customer_id": pa.array([number for number, _ in rows], pa.int64()),
            "segment": pa.DictionaryArray.from_arrays(
                pa.array([SEGMENTS.index(one.name) for _, one in rows], pa.int8()),
                pa.array(SEGMENTS),
            )
            if all(one.name in SEGMENTS for _, one in rows)
            else pa.array([one.name for _, one in rows]),
            "valid_from": pa.array([one.start for _, one in rows], pa.date32()),
            "valid_to": pa.array([one.stop for _, one in rows], pa.date32()),
        }
    )


def membership_of(shop: Shop) -> oc.Membership:
    rows = [(number, one) for number, own in enumerate(shop.customers) for one in own.stays]
    return oc.Membership.from_table(interval_table(rows))


def loyalty_of(shop: Shop) -> oc.Loyalty:
    points = oc.EventHistory.build(rows_of_points(shop), columns=OF_POINTS)
    return oc.Loyalty(members=members_of(shop), points=points, discount="discount")


def members_of(shop: Shop) -> pa.Table:
    everyone = list(enumerate(shop.customers))
    members = [(number, one) for number, own in everyone for one in own.memberships]
    return interval_table(members).drop_columns(["segment"])


def rows_of_points(shop: Shop) -> pa.Table:
    rows = [(number, one) for number, own in enumerate(shop.customers) for one in own.points]
    noon = [datetime(*one.day.timetuple()[:3], 12, tzinfo=UTC) for _, one in rows]
    return pa.table(
        {
            "customer_id": pa.array([number for number, _ in rows], pa.int64()),
            "occurred_at": pa.array(noon, pa.timestamp("us", "UTC")),
            "kind": pa.array([one.kind for _, one in rows], pa.string()),
            "points": pa.array([one.points for _, one in rows], pa.int64()),
        }
    )


def subscriptions_of(shop: Shop) -> pa.Table:
    rows = [(number, one) for number, own in enumerate(shop.customers) for one in own.subscriptions]

    def dates(values):
        return pa.array(list(values), pa.date32())

    return pa.table(
        {
            "customer_id": pa.array([number for number, _ in rows], pa.int64()),
            "channel": pa.array([one.channel for _, one in rows], pa.string()),
            "topic": pa.array([one.topic for _, one in rows], pa.string()),
            "valid_from": dates(one.subscribed.start for _, one in rows),
            "valid_to": dates(one.subscribed.stop for _, one in rows),
            "contact_from": dates(one.contact.start for _, one in rows),
            "contact_to": dates(one.contact.stop for _, one in rows),
        }
    )


def report_of(shop: Shop, kind: str, period, threads: int | None = None, orders=None, **options):
    """Return the report of a shop, with all that it knows."""
    orders = orders_of(shop, kind, threads=threads) if orders is None else orders
    return oc.SegmentReport.build(
        orders,
        membership_of(shop),
        period=period,
        compare=None,
        credited=credited_of(shop, orders, threads=threads),
        subscriptions=subscriptions_of(shop),
        loyalty=loyalty_of(shop),
        targets=TARGETS,
        **options,
    )
