"""Raw rows of a stream to the events of each customer."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from oracle.calendar import local_day
from oracle.conditions import Compared, Listed, Read, parts
from oracle.errors import ConfigError, DataError
from oracle.history import named
from oracle.instants import instant
from oracle.money import checked
from oracle.rules import Truth

Value = bool | int | float | Decimal | str | bytes | date
Fields = Mapping[str, Value | None]
#: Per attribute: the row of each of its values, as the columns of the catalogue.
Lookups = Mapping[str, Mapping[Value, Fields]]
Test = Callable[[Read], Truth]


class EventRow(NamedTuple):
    """One row of an event table, as given: all but customer, time and id by name."""

    customer: Hashable | None
    time: date | datetime | None
    fields: Fields = MappingProxyType({})
    id: Hashable | None = None


@dataclass(frozen=True)
class Fieldnames:
    """What events have besides their time, as declared; orders have an amount before all else."""

    amount: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """All of them, in the order in which events are compared."""
        return self.amount + self.attributes + self.keys + self.values


@dataclass(frozen=True)
class Reading:
    """How rows are read: the options of the library's build.

    kept: what stands for an id or a key. The library keeps eight bytes of each, integers as they
    are and a hash of others; by default they are kept whole, so that text sorts by its bytes.
    """

    timezone: str = "UTC"
    anonymous: str = "drop"
    day_instants: bool = False
    times_without_zone: str | None = None
    only: Test | None = None
    kept: Callable[[Hashable], Hashable] = lambda value: value

    def id(self, value: Hashable | None) -> Hashable | None:
        """Return what is kept of an id or a key; an empty one is none."""
        return None if named(value) is None else self.kept(value)

    def day(self, time: date | datetime | None) -> date:
        """Return the business day of a time: where it has no zone, the day that is written."""
        return local_day(time, self.timezone, self.times_without_zone)

    def instant(self, time: date | datetime) -> datetime | None:
        """Return the instant of a time; None for a day that has none."""
        return instant(time, self.timezone, self.times_without_zone, days=self.day_instants)


@dataclass(frozen=True)
class Event:
    """What happened to a customer. Refunds, and later days of an order, are no events to count."""

    day: date
    instant: datetime | None
    fields: Fields
    id: Hashable | None = None
    is_counted: bool = True


@dataclass(frozen=True)
class Stream:
    """The events of each customer in their order, and what was counted on the way."""

    names: Fieldnames
    customers: dict[Hashable, list[Event]]
    lookups: Lookups = field(default_factory=dict)
    rows: int = 0
    anonymous: int = 0
    left_out: int = 0
    repeated: int = 0

    def events(self) -> list[Event]:
        """Return the events of all customers."""
        return [event for events in self.customers.values() for event in events]

    def read(self, event: Event) -> Read:
        """Return what reads the fields of an event, those of lookups as ``attribute.column``."""
        return lambda name: self._value(event, name)

    def _value(self, event: Event, name: str) -> Value | None:
        if name in event.fields:
            return event.fields[name]
        attribute, _, column = name.partition(".")
        row = self.lookups[attribute].get(event.fields[attribute])
        return None if row is None else row[column]

    def where(self, condition: Test) -> "Stream":
        """Return the view of the events for which a condition is true.

        >>> rows = [EventRow("ann", date(2024, 1, day), {"kind": kind}) for day, kind in
        ...         [(1, "open"), (2, None), (3, "click")]]
        >>> stream = build(rows, Fieldnames(attributes=("kind",)))
        >>> is_click = Compared("kind", "==", "click")
        >>> [event.day.day for event in stream.where(is_click).events()]
        [3]
        >>> unlike_click = Compared("kind", "!=", "click")  # unknown where the kind is
        >>> [event.day.day for event in stream.where(unlike_click).events()]
        [1]
        """
        kept = {
            name: [event for event in events if condition(self.read(event)) is True]
            for name, events in self.customers.items()
        }
        return replace(self, customers={name: events for name, events in kept.items() if events})

    def with_lookups(self, lookups: Mapping[str, Iterable[Fields]]) -> "Stream":
        """Return the stream with other catalogues for the attributes that are named."""
        return replace(self, lookups={**self.lookups, **catalogues(lookups, self.names)})

    def summary(self) -> dict[str, object]:
        """Return what the library's summary counts, but for the bytes.

        Unmatched are the different values of an attribute that its catalogue does not have.

        >>> rows = [
        ...     EventRow("ann", date(2024, 1, 5), {"product": "tea", "points": 3}),
        ...     EventRow("ann", date(2024, 1, 4), {"product": "tee", "points": None}),
        ...     EventRow(None, None),
        ... ]
        >>> names = Fieldnames(attributes=("product",), values=("points",))
        >>> stream = build(rows, names, lookups={"product": [{"product": "tea", "leaf": True}]})
        >>> for name, count in stream.summary().items():
        ...     print(name, count)
        rows 3
        events 2
        customers 1
        repeated 0
        anonymous 1
        left_out 0
        nulls {'points': 1}
        unmatched {'product': 1}
        first_day 2024-01-04
        last_day 2024-01-05
        """
        events = self.events()
        days = [event.day for event in events]
        found = {name: {event.fields[name] for event in events} for name in self.lookups}
        return {
            "rows": self.rows,
            "events": len(events),
            "customers": len(self.customers),
            "repeated": self.repeated,
            "anonymous": self.anonymous,
            "left_out": self.left_out,
            "nulls": {
                name: sum(event.fields[name] is None for event in events)
                for name in self.names.values
            },
            "unmatched": {
                name: len(found[name] - {None} - rows.keys()) for name, rows in self.lookups.items()
            },
            "first_day": min(days, default=None),
            "last_day": max(days, default=None),
        }

    def values_of(self, name: str) -> set[Value]:
        """Return what a field may be compared with: an attribute's values, or a catalogue's."""
        if name in self.names.all:
            return {event.fields[name] for event in self.events()} - {None}
        attribute, _, column = name.partition(".")
        return {row[column] for row in self.lookups[attribute].values()} - {None}

    def unknown_texts(self, condition: Test) -> list[tuple[str, str]]:
        """Return the texts that ``==`` and ``in`` compare with a field that never has them.

        >>> rows = [EventRow("ann", date(2024, 1, 1), {"kind": "click"})]
        >>> stream = build(rows, Fieldnames(attributes=("kind",)))
        >>> stream.unknown_texts(Listed("kind", ("click", "klick")))
        [('kind', 'klick')]
        >>> stream.unknown_texts(Compared("kind", "!=", "klick"))
        []
        >>> build([], stream.names).unknown_texts(Compared("kind", "==", "klick"))
        []
        """
        if not self.events():
            return []
        unknown = []
        for part in parts(condition):
            match part:
                case Compared(name, "==", value):
                    values: Sequence[Value] = (value,)
                case Listed(name, values):
                    pass
                case _:
                    continue
            unknown += [
                (name, value)
                for value in values
                if isinstance(value, str) and value not in self.values_of(name)
            ]
        return unknown


def place(value: Value | None) -> tuple[bool, object]:
    """Return what a value is sorted by: null first, text by its bytes.

    >>> sorted(["\\U00010000", None, "\\uffff", "B", "a"], key=place)
    [None, 'B', 'a', '\\uffff', '\\U00010000']
    >>> sorted([True, None, False], key=place), sorted([0.5, -1, None], key=place)
    ([None, False, True], [None, -1, 0.5])
    """
    return value is not None, value.encode() if isinstance(value, str) else value


def order_of(names: Fieldnames) -> Callable[[Event], tuple]:
    """Return the key that events of a customer are sorted by."""

    def key(event: Event) -> tuple:
        moment = event.day if event.instant is None else event.instant
        fields = [place(event.fields[name]) for name in names.all]
        return (moment, *fields, place(event.id))

    return key


def build(
    rows: Iterable[EventRow],
    names: Fieldnames = Fieldnames(),
    reading: Reading = Reading(),
    lookups: Mapping[str, Iterable[Fields]] | None = None,
) -> Stream:
    """Group raw rows by customer.

    >>> at = datetime(2024, 1, 5, 12)
    >>> rows = [
    ...     EventRow("bob", at, {"kind": "open", "points": 2}, id=7),
    ...     EventRow("ann", at, {"kind": "open", "points": 2}, id=7),
    ...     EventRow("ann", at, {"kind": "click", "points": None}, id=8),
    ...     EventRow("ann", at, {"kind": None, "points": 9}),
    ...     EventRow("ann", at, {"kind": None, "points": 9}),
    ...     EventRow("ann", at.replace(hour=11), {"kind": "open", "points": 2}, id=9),
    ...     EventRow("ann", at, {"kind": "delivery", "points": 1}, id=9),
    ...     EventRow("", at, {"kind": "open", "points": 2}),
    ... ]
    >>> stream = build(rows, Fieldnames(attributes=("kind",), values=("points",)))
    >>> for name, events in sorted(stream.customers.items()):
    ...     for event in events:
    ...         print(name, event.instant.hour, event.fields["kind"], event.id)
    ann 11 open 9
    ann 12 None None
    ann 12 None None
    ann 12 click 8
    ann 12 open 7
    bob 12 open 7
    >>> stream.repeated, stream.anonymous
    (1, 1)

    Keys of text sort by what is kept of them:

    >>> rows = [EventRow("ann", at, {"order": order}) for order in ("a1", "b1")]
    >>> reading = Reading(kept={"a1": 9, "b1": 2}.get)
    >>> found = build(rows, Fieldnames(keys=("order",)), reading)
    >>> [event.fields["order"] for event in found.events()]
    [2, 9]
    """
    rows = [row._replace(customer=named(row.customer)) for row in rows]
    looked_at = rows
    if reading.only is not None:
        looked_at = [row for row in rows if reading.only(row.fields.get) is True]
    mine = [row for row in looked_at if row.customer is not None]
    if reading.anonymous == "error" and len(mine) < len(looked_at):
        raise DataError("a row without a customer")
    found: dict[Hashable, list[Event]] = {}
    for row in mine:
        found.setdefault(row.customer, []).append(_event(row, names, reading))
    customers = {name: _once(events, names) for name, events in found.items()}
    return Stream(
        names,
        customers,
        catalogues(lookups or {}, names),
        rows=len(rows),
        anonymous=len(looked_at) - len(mine),
        left_out=len(rows) - len(looked_at),
        repeated=len(mine) - sum(map(len, customers.values())),
    )


def _event(row: EventRow, names: Fieldnames, reading: Reading) -> Event:
    fields = {name: row.fields[name] for name in names.all}
    for name in names.keys:
        fields[name] = reading.id(fields[name])
    for name in names.values:
        if fields[name] is not None:
            checked(fields[name])
    return Event(reading.day(row.time), reading.instant(row.time), fields, reading.id(row.id))


def _once(events: list[Event], names: Fieldnames) -> list[Event]:
    """Return events in their order; of those with one id the first."""
    kept = []
    seen = set()
    for event in sorted(events, key=order_of(names)):
        if event.id is None or event.id not in seen:
            kept.append(event)
        seen.add(event.id)
    return kept


def catalogues(lookups: Mapping[str, Iterable[Fields]], names: Fieldnames) -> Lookups:
    """Return catalogues by attribute and value.

    >>> names = Fieldnames(attributes=("product",))
    >>> catalogues({"product": [{"product": 5, "leaf": True}]}, names)
    {'product': {5: {'product': 5, 'leaf': True}}}
    >>> catalogues({"product": [{"product": 5}, {"product": 5}]}, names)
    Traceback (most recent call last):
    oracle.errors.DataError: product has several rows for 5
    >>> catalogues({"points": []}, names)
    Traceback (most recent call last):
    oracle.errors.ConfigError: points is no attribute
    """
    found: dict[str, dict[Value, Fields]] = {}
    for attribute, rows in lookups.items():
        if attribute not in names.attributes:
            raise ConfigError(f"{attribute} is no attribute")
        by_value = found.setdefault(attribute, {})
        for row in rows:
            value = row[attribute]
            if value is None:
                raise DataError(f"{attribute} is missing in its catalogue")
            if value in by_value:
                raise DataError(f"{attribute} has several rows for {value}")
            by_value[value] = row
    return found
