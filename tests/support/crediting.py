"""Customers with orders and touches as histories, and what the oracle credits, as rows."""

from dataclasses import replace

import pyarrow as pa
from oracle.attribution import MICROSECOND, Credit, Entry, Model, credit
from support.touches import Person

import ordercycle as oc
from ordercycle._attribution.attribution import Attribution

TYPES = {
    "int": pa.int64(),
    "decimal": pa.decimal128(10, 2),
    "wide": pa.decimal128(35, 2),
    "float": pa.float64(),
}
ORDERS = oc.Columns(order="order_id", refund_of="refunds", attributes=("brand",), instants=True)
TOUCHES = oc.EventColumns(
    id="event_id",
    attributes=("kind", "channel", "campaign", "brand", "machine"),
    keys=("message",),
)
#: Ids of orders of one customer after those of another.
IDS_PER_CUSTOMER = 100


def attribution(model: Model, **options) -> Attribution:
    """Return the library's model of the oracle's."""
    return Attribution(
        model=model.model,
        window=model.window,
        windows=model.windows,
        qualify=model.qualify,
        groups=model.groups,
        compete=model.compete,
        exclude="machine",
        brand="brand" if model.brand else None,
        clock=model.clock,
        reuse=model.reuse,
        tiers=model.tiers,
        half_life=model.half_life,
        most_touches=model.most_touches,
        strict=model.strict,
        **options,
    )


def texts_first(value: str | None) -> tuple[bool, bytes]:
    """Return a key by which nulls come first, and texts by their bytes."""
    return value is not None, (value or "").encode()


def distinct(customers: list[Person]) -> list[Person]:
    """Return customers whose orders have ids of their own, and whose touches are in their order.

    Rows of one order on one day are one: a refund that would be of its order's day has an id of its
    own, and says what it refunds.
    """
    return [_distinct(number, one) for number, one in enumerate(customers)]


def apart(entries: list[Entry]) -> list[Entry]:
    """Return entries of which none is like another in all but ids: a microsecond makes it later."""
    found: list[Entry] = []
    for entry in entries:
        later = entry
        while any(later[:2] == one[:2] and later.brand == one.brand for one in found):
            later = later._replace(at=later.at + MICROSECOND)
        found.append(later)
    return found


def _distinct(number: int, person: Person) -> Person:
    first = number * IDS_PER_CUSTOMER
    days: set[tuple[int, object]] = set()
    entries = []
    person = replace(person, entries=apart(person.entries))
    orders = [entry for entry in person.entries if entry.is_order]
    places = {id(entry): first + place for place, entry in enumerate(orders)}
    renamed = {entry.id: places[id(entry)] for entry in orders}
    days |= {(places[id(entry)], entry.at.date()) for entry in orders}
    for place, entry in enumerate(person.entries):
        if entry.is_order:
            entries.append(entry._replace(id=places[id(entry)]))
            continue
        whose = renamed.get(entry.id) if entry.refund_of is None else None
        refunded = None if entry.refund_of is None else renamed.get(entry.refund_of, -1)
        if whose is None or (whose, entry.at.date()) in days:
            entries.append(
                entry._replace(
                    id=first + 50 + place, refund_of=whose if whose is not None else refunded
                )
            )
        else:
            days.add((whose, entry.at.date()))
            entries.append(entry._replace(id=whose, refund_of=None))
    entries.sort(key=lambda entry: (entry.at, entry.amount, texts_first(entry.brand), entry.id))
    touches = sorted(
        (
            touch._replace(id=place if touch.id is not None else None)
            for place, touch in enumerate(person.touches)
        ),
        key=lambda touch: (
            touch.at,
            texts_first(touch.kind),
            texts_first(touch.channel),
            texts_first(touch.campaign),
            texts_first(touch.brand),
            touch.is_excluded,
            touch.message is not None,
            touch.message or 0,
            touch.id is not None,
            touch.id or 0,
        ),
    )
    return replace(
        person,
        entries=entries,
        touches=[touch._replace(place=place) for place, touch in enumerate(touches)],
    )


def order_table(customers: list[Person], kind: str) -> pa.Table:
    """Return the rows of all orders and refunds."""
    rows = [(number, entry) for number, one in enumerate(customers) for entry in one.entries]
    return pa.table(
        {
            "customer_id": pa.array([number for number, _ in rows], pa.int64()),
            "order_id": pa.array([entry.id for _, entry in rows], pa.int64()),
            "ordered_at": pa.array([entry.at for _, entry in rows], pa.timestamp("us", "UTC")),
            "amount": pa.array([entry.amount for _, entry in rows], TYPES[kind]),
            "brand": pa.array([entry.brand for _, entry in rows], pa.string()),
            "refunds": pa.array([entry.refund_of for _, entry in rows], pa.int64()),
        }
    )


def touch_table(customers: list[Person]) -> pa.Table:
    """Return the rows of all touches."""
    rows = [(number, touch) for number, one in enumerate(customers) for touch in one.touches]
    texts = {
        name: pa.array([getattr(touch, name) for _, touch in rows], pa.string())
        for name in ("kind", "channel", "campaign", "brand")
    }
    return pa.table(
        {
            "customer_id": pa.array([number for number, _ in rows], pa.int64()),
            "occurred_at": pa.array([touch.at for _, touch in rows], pa.timestamp("us", "UTC")),
            "event_id": pa.array([touch.id for _, touch in rows], pa.int64()),
            **texts,
            "machine": pa.array([touch.is_excluded for _, touch in rows], pa.bool_()),
            "message": pa.array([touch.message for _, touch in rows], pa.int64()),
        }
    )


def visit_table(customers: list[Person]) -> pa.Table:
    """Return the rows of all visits."""
    rows = [(number, visit) for number, one in enumerate(customers) for visit in one.visits]
    return pa.table(
        {
            "customer_id": pa.array([number for number, _ in rows], pa.int64()),
            "occurred_at": pa.array([visit for _, visit in rows], pa.timestamp("us", "UTC")),
        }
    )


def histories(customers: list[Person], kind: str = "int", threads: int | None = None):
    """Return the orders, touches and visits of customers, grouped."""
    return (
        oc.OrderHistory.build(order_table(customers, kind), columns=ORDERS, threads=threads),
        oc.EventHistory.build(touch_table(customers), columns=TOUCHES, threads=threads),
        oc.EventHistory.build(visit_table(customers), threads=threads),
    )


def row_of(number: int, person: Person, one: Credit) -> tuple:
    """Return a credit of the oracle as a row of the table."""
    entry: Entry = person.entries[one.entry]
    order = entry if one.order is None else person.entries[one.order]
    touch = None if one.touch is None else person.touches[one.touch]
    of_touch = (None,) * 6
    if touch is not None:
        age = entry.at - touch.at
        of_touch = (touch.channel, touch.campaign, touch.kind, touch.id, touch.at, age)
    share = None if one.share is None else float(one.share)
    return (number, order.id, entry.at, one.group, *of_touch, share, one.revenue)


def wanted_rows(model: Model, customers: list[Person]) -> dict[int, list[tuple]]:
    """Return the rows that the oracle has for each customer, in order."""
    return {
        number: [
            row_of(number, person, one)
            for one in credit(model, person.entries, person.touches, person.visits)
        ]
        for number, person in enumerate(customers)
        if person.entries
    }


COLUMNS = (
    "customer_id",
    "order",
    "ordered_at",
    "group",
    "channel",
    "campaign",
    "kind",
    "event",
    "touched_at",
    "age",
    "credit",
    "revenue",
)


def found_rows(table: pa.Table) -> dict[int, list[tuple]]:
    """Return the rows of each customer of a table of credits, in order."""
    found: dict[int, list[tuple]] = {}
    for row in table.to_pylist():
        values = tuple(row[name] for name in COLUMNS)
        found.setdefault(row["customer_id"], []).append(values)
    return found
