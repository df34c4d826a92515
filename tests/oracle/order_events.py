"""Orders with attributes and instants: entries of a history that conditions may choose among.

The amounts, days and registrations are those of `oracle.history`; here is what is kept beside them.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import NamedTuple

from oracle import history as plain
from oracle.errors import ConfigError, DataError
from oracle.events import Event, Fieldnames, Fields, Stream, Test, Value, catalogues, order_of
from oracle.history import CustomerHistory, CustomerRow, History, Order, OrderRow, Policies, named
from oracle.instants import instant
from oracle.money import Amount, checked, total

AMOUNT = "amount"  # whatever the input calls it


class Line(NamedTuple):
    """One row of an order table, as given, with further fields by name."""

    customer: Hashable | None
    time: date | datetime | None
    amount: Amount | None
    order: Hashable | None = None
    fields: Fields = MappingProxyType({})

    def everything(self) -> tuple:
        """Return all that is read, to be compared."""
        return (*self.plain, *self.fields.values())

    @property
    def plain(self) -> OrderRow:
        """The row without its further fields."""
        return OrderRow(self.customer, self.time, self.amount, self.order)


@dataclass(frozen=True)
class Kept:
    """What is kept of orders beside day and amount: the options of the library's build."""

    attributes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    instants: bool = False
    day_instants: bool = False

    @property
    def names(self) -> Fieldnames:
        """The fields of an entry."""
        return Fieldnames((AMOUNT,), self.attributes, values=self.values)


@dataclass(frozen=True)
class OrderStream(Stream):
    """Orders and refunds as events, and the history that they are of.

    The id of an entry is that of its order.
    """

    history: History | None = None

    def where(self, condition: Test) -> "OrderStream":
        """Return the view of the orders and refunds for which a condition is true.

        Customers and registrations stay those of the whole history.

        >>> lines = [
        ...     Line("ann", date(2024, 1, 1), 10, "A1", {"brand": "north"}),
        ...     Line("ann", date(2024, 2, 1), 20, "A2", {"brand": "south"}),
        ... ]
        >>> orders = build(lines, kept=Kept(("brand",)), policies=Policies(collapse=True))
        >>> south = orders.where(lambda read: read("brand") == "south")
        >>> south.history.customers["ann"].registered_as_of(date(2024, 3, 1))
        datetime.date(2024, 1, 1)
        >>> [order.amount for order in south.history.customers["ann"].orders]
        [20]
        """
        kept = {
            name: [event for event in events if condition(self.read(event)) is True]
            for name, events in self.customers.items()
        }
        customers = {
            name: Selected(whole.registered_on, _orders(kept[name]), whole.listed_on, whole)
            for name, whole in self.history.customers.items()
        }
        return replace(self, customers=kept, history=replace(self.history, customers=customers))


@dataclass(frozen=True)
class Selected(CustomerHistory):
    """Some orders of a customer, who is registered as by all of them."""

    whole: CustomerHistory | None = None

    def registered_as_of(self, day: date) -> date | None:
        """Return the registration as known on a day."""
        return self.whole.registered_as_of(day)


def build(
    lines: Iterable[Line],
    customers: Iterable[CustomerRow] | None = None,
    *,
    kept: Kept = Kept(),
    policies: Policies | None = None,
    lookups: Mapping[str, Iterable[Fields]] | None = None,
) -> OrderStream:
    """Group raw rows by customer and order.

    An order has the attributes of its rows of its own day that are not negative, and the earliest
    of their instants. Rows of other days keep their own: those of a day with equal attributes are
    one entry. Policies look at the day's sum, whatever its attributes.

    >>> morning, noon, later = (datetime(2024, 1, *at) for at in [(5, 9), (5, 12), (8, 9)])
    >>> lines = [
    ...     Line("ann", noon, 30, "A1", {"brand": "north", "discount": 1}),
    ...     Line("ann", morning, 12, "A1", {"brand": "north", "discount": None}),
    ...     Line("ann", morning.replace(hour=7), -2, "A1", {"brand": None, "discount": 2}),
    ...     Line("ann", later, -5, "A1", {"brand": "south", "discount": None}),
    ... ]
    >>> kept = Kept(("brand",), ("discount",), instants=True)
    >>> orders = build(lines, kept=kept, policies=Policies(collapse=True))
    >>> for event in orders.customers["ann"]:
    ...     print(event.instant, dict(event.fields), event.id, event.is_counted)
    2024-01-05 09:00:00+00:00 {'amount': 40, 'brand': 'north', 'discount': 3} A1 True
    2024-01-08 09:00:00+00:00 {'amount': -5, 'brand': 'south', 'discount': None} A1 False

    Attributes that disagree belong in a stream of lines:

    >>> other = lines[1]._replace(fields={"brand": "south", "discount": None})
    >>> build([lines[0], other], kept=kept, policies=Policies(collapse=True))
    Traceback (most recent call last):
    oracle.errors.DataError: order A1 has several values of brand
    >>> days = [Line("ann", date(2024, 1, 5), 30)]
    >>> build(days, kept=Kept(instants=True))
    Traceback (most recent call last):
    oracle.errors.ConfigError: days have no instants
    >>> build(days, kept=Kept(instants=True, day_instants=True)).customers["ann"][0].instant.hour
    0
    """
    policies = policies or Policies()
    lines = [
        line._replace(customer=named(line.customer), order=named(line.order)) for line in lines
    ]
    mine = [line for line in lines if line.customer is not None]
    read = _different(mine, policies)
    anonymous = [line.plain for line in lines if line.customer is None]
    rows = [line.plain for line in read]
    once = replace(policies, duplicates="keep")
    history = plain.build(anonymous + rows, customers, once)
    found = {name: [] for name in history.customers}
    for name, entries in _of_orders(read, kept, policies):
        if name in found:
            found[name] += entries
    found = {name: _once_a_day(entries, kept, policies) for name, entries in found.items()}
    whole = {
        name: replace(customer, orders=_orders(found[name]))
        for name, customer in history.customers.items()
    }
    return OrderStream(
        kept.names,
        found,
        catalogues(lookups or {}, kept.names),
        rows=len(lines),
        anonymous=len(anonymous),
        history=replace(history, customers=whole, duplicates=len(mine) - len(read)),
    )


def _different(lines: list[Line], policies: Policies) -> list[Line]:
    if policies.duplicates == "keep":
        return lines
    different = list({line.everything(): line for line in lines}.values())
    if policies.duplicates == "error" and len(different) < len(lines):
        raise DataError("a row is there twice")
    return different


def _of_orders(
    lines: list[Line], kept: Kept, policies: Policies
) -> Iterator[tuple[Hashable, list[Event]]]:
    """Yield the customer and the entries of each order."""
    orders: dict[tuple[Hashable, Hashable], dict[date, list[Line]]] = {}
    for number, line in enumerate(lines):
        key = line.customer, line.order if policies.collapse else number
        orders.setdefault(key, {}).setdefault(policies.day_of(line.time), []).append(line)
    for (name, _), by_day in orders.items():
        sums = {day: _amount(of_day, policies) for day, of_day in by_day.items()}
        own_day = min((day for day, amount in sums.items() if amount >= 0), default=None)
        for day, of_day in by_day.items():
            if sums[day] < 0 and policies.refunds == "drop":
                continue
            counts = policies.refunds == "count" if sums[day] < 0 else day == own_day
            yield name, _of_day(of_day, kept, policies, counts=counts, is_own=day == own_day)


def _of_day(
    lines: list[Line], kept: Kept, policies: Policies, *, counts: bool, is_own: bool
) -> list[Event]:
    """Return the entries of one day of an order; one of them counts, if the day does."""
    groups: dict[tuple, list[Line]] = {}
    for line in lines:
        groups.setdefault(_attributes(line, kept), []).append(line)
    speaking = [line for line in lines if not is_own or line.amount is None or line.amount >= 0]
    if is_own or policies.amount_per == "order":
        # There is one amount, which cannot be divided among attributes.
        _check_agreement(speaking, kept)
        groups = {_attributes(speaking[0], kept): lines}
    entries = []
    for attributes, of_group in groups.items():
        fields = {AMOUNT: _amount(of_group, policies)}
        fields |= zip(kept.attributes, attributes, strict=True)
        fields |= {name: _sum([line.fields[name] for line in of_group]) for name in kept.values}
        moment = _earliest([line for line in of_group if line in speaking], kept, policies)
        entries.append(Event(policies.day_of(lines[0].time), moment, fields, lines[0].order))
    entries.sort(key=order_of(kept.names))
    return [
        replace(entry, is_counted=counts and number == 0) for number, entry in enumerate(entries)
    ]


def _attributes(line: Line, kept: Kept) -> tuple[Value | None, ...]:
    return tuple(line.fields[name] for name in kept.attributes)


def _check_agreement(lines: list[Line], kept: Kept) -> None:
    for name in kept.attributes:
        if len({line.fields[name] for line in lines}) > 1:
            raise DataError(f"order {lines[0].order} has several values of {name}")


def _earliest(lines: list[Line], kept: Kept, policies: Policies) -> datetime | None:
    if not kept.instants:
        return None
    zone, without_zone = policies.timezone, policies.times_without_zone
    instants = [instant(line.time, zone, without_zone, days=kept.day_instants) for line in lines]
    if None in instants:
        raise ConfigError("days have no instants")
    return min(instants)


def _amount(lines: list[Line], policies: Policies) -> Amount:
    amounts = [line.amount for line in lines]
    return total(amounts) if policies.amount_per == "line" else plain.the_only(amounts)


def _sum(values: list[Amount | None]) -> Amount | None:
    """Return what the rows of an entry add up to; null adds nothing to what there is."""
    known = [checked(value) for value in values if value is not None]
    return total(known) if known else None


def _once_a_day(entries: list[Event], kept: Kept, policies: Policies) -> list[Event]:
    """Return the entries of a customer in their order; of a day one counts, where it is merged."""
    found = sorted(entries, key=order_of(kept.names))
    if policies.same_day == "separate":
        return found
    taken: set[date] = set()
    merged = []
    for event in found:
        merged.append(replace(event, is_counted=event.is_counted and event.day not in taken))
        taken |= {event.day} if event.is_counted else set()
    return merged


def _orders(events: list[Event]) -> list[Order]:
    return [Order(event.day, event.fields[AMOUNT], event.is_counted) for event in events]
