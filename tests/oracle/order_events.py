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
        return (*self.plain, *(self.fields[name] for name in sorted(self.fields)))

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

        Customers and registrations stay those of the whole history. Which entries are orders is
        found again, as if there had never been more.

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
            name: _counted(
                [event for event in events if condition(self.read(event)) is True],
                self.history.policies,
            )
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

    What an order adds up to on a day has the attributes of its rows of that day that are no
    refunds, and of a refund, of those that are; and the earliest of their instants. A row that is
    null in an attribute says nothing about it.

    >>> morning, noon, later = (datetime(2024, 1, *at) for at in [(5, 9), (5, 12), (8, 9)])
    >>> lines = [
    ...     Line("ann", noon, 30, "A1", {"brand": "north", "discount": 1}),
    ...     Line("ann", morning, 12, "A1", {"brand": "north", "discount": None}),
    ...     Line("ann", morning.replace(hour=7), -2, "A1", {"brand": "west", "discount": 2}),
    ...     Line("ann", noon, 0, "A1", {"brand": None, "discount": None}),
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
    for name, entry in _of_orders(read, kept, policies):
        if name in found:
            found[name].append(entry)
    found = {
        name: _counted(sorted(entries, key=order_of(kept.names)), policies)
        for name, entries in found.items()
    }
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
) -> Iterator[tuple[Hashable, Event]]:
    """Yield the customer of each order, and what it is on each of its days."""
    orders: dict[tuple[Hashable, Hashable, date], list[Line]] = {}
    for number, line in enumerate(lines):
        order = line.order if policies.collapse else number
        orders.setdefault((line.customer, order, policies.day_of(line.time)), []).append(line)
    for (name, order, day), of_day in orders.items():
        amount = _amount(of_day, policies)
        is_refund = amount < 0
        speaking = [
            line for line in of_day if line.amount is None or (line.amount < 0) == is_refund
        ]
        fields = {AMOUNT: amount} | {name: _said(speaking, name) for name in kept.attributes}
        fields |= {name: _sum([line.fields[name] for line in of_day]) for name in kept.values}
        if not is_refund or policies.refunds != "drop":
            yield name, Event(day, _earliest(speaking, kept, policies), fields, order)


def _counted(events: list[Event], policies: Policies) -> list[Event]:
    """Say of a customer's entries, in their order, which are orders.

    Each order counts on the first day on which it is no refund; of the orders of a day one counts,
    where they are merged.
    """
    own_days: dict[Hashable, date] = {}
    for event in events:
        if event.fields[AMOUNT] >= 0:
            own_days.setdefault(event.id, event.day)
    taken: set[date] = set()
    found = []
    for event in events:
        is_refund = event.fields[AMOUNT] < 0
        counts = policies.refunds == "count" if is_refund else own_days[event.id] == event.day
        counts &= not (policies.same_day == "merge" and event.day in taken)
        taken |= {event.day} if counts else set()
        found.append(replace(event, is_counted=counts))
    return found


def _said(lines: list[Line], name: str) -> Value | None:
    """Return the one value that rows have in an attribute, null where none has any."""
    said = {line.fields[name] for line in lines} - {None}
    if len(said) > 1:
        raise DataError(f"order {lines[0].order} has several values of {name}")
    return next(iter(said), None)


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


def _orders(events: list[Event]) -> list[Order]:
    return [Order(event.day, event.fields[AMOUNT], event.is_counted) for event in events]
