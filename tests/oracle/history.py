"""Raw order rows and customer rows to one history per customer."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from oracle.calendar import local_day
from oracle.errors import ConfigError, DataError
from oracle.money import Amount, checked, total


class OrderRow(NamedTuple):
    """One row of an order table, as given."""

    customer: Hashable | None
    time: date | datetime | None
    amount: Amount | None
    order: Hashable | None = None


class CustomerRow(NamedTuple):
    """One row of a customer table, as given."""

    customer: Hashable
    registered: date | datetime | None = None


class Order(NamedTuple):
    """One order, or one refund where `amount` is negative and refunds are not counted as orders."""

    day: date
    amount: Amount


@dataclass(frozen=True)
class CustomerHistory:
    """What is known of one customer; `registered_on` is None for an undated one."""

    registered_on: date | None
    orders: list[Order]
    listed_on: date | None = None

    def registered_as_of(self, day: date) -> date | None:
        """Return the registration as known on a day; until an order, a refund stands for it."""
        if self.registered_on is not None and self.registered_on <= day:
            return self.registered_on
        seen = [order.day for order in self.orders if order.day <= day]
        return min(seen, default=None) if self.listed_on is None else None


@dataclass(frozen=True)
class Policies:
    """How rows are read: the options of the library's build."""

    timezone: str = "UTC"
    refunds: str = "net"
    anonymous: str = "drop"
    unknown: str = "add"
    collapse: bool = False  # rows that share (customer, order id) are one order


@dataclass(frozen=True)
class History:
    """Every customer's history, and what was counted on the way."""

    customers: dict[Hashable, CustomerHistory]
    policies: Policies
    rows: int = 0
    anonymous_rows: int = 0
    unknown_customers: int = 0
    dropped_refunds: int = 0
    days_read: list[date] = field(default_factory=list)

    def is_refund(self, order: Order) -> bool:
        """Say whether an entry only lowers revenue."""
        return order.amount < 0 and self.policies.refunds != "count"

    def entries(self) -> list[Order]:
        """Return the orders and refunds of all customers."""
        return [order for customer in self.customers.values() for order in customer.orders]


def named(value: Hashable | None) -> Hashable | None:
    """Return an id; empty text and empty bytes are none."""
    return None if value in ("", b"") else value


def build(
    orders: Iterable[OrderRow],
    customers: Iterable[CustomerRow] | None = None,
    policies: Policies | None = None,
) -> History:
    """Group raw rows by customer.

    >>> rows = [
    ...     OrderRow("ann", date(2024, 1, 5), 30, "A1"),
    ...     OrderRow("ann", date(2024, 1, 4), -10, "A1"),
    ...     OrderRow("bob", date(2024, 1, 9), -5, "B1"),
    ...     OrderRow(None, None, None, None),
    ... ]
    >>> listed = [CustomerRow("ann", date(2024, 1, 6)), CustomerRow("cat")]
    >>> history = build(rows, listed, Policies(collapse=True))
    >>> for name, customer in sorted(history.customers.items()):
    ...     print(name, customer.registered_on, [(str(d), a) for d, a in customer.orders])
    ann 2024-01-04 [('2024-01-04', 20)]
    bob 2024-01-09 [('2024-01-09', -5)]
    cat None []
    >>> history.anonymous_rows, history.unknown_customers
    (1, 1)
    >>> sorted(build(rows, listed, Policies(collapse=True, refunds="drop")).customers)
    ['ann', 'cat']
    >>> build(rows, listed, Policies(unknown="error"))
    Traceback (most recent call last):
    oracle.errors.DataError: orders of a customer who is not listed
    """
    policies = policies or Policies()
    if customers is None and policies.unknown != "add":
        raise ConfigError(f"unknown={policies.unknown!r} needs a customer table")
    rows = [row._replace(customer=named(row.customer), order=named(row.order)) for row in orders]
    known = [row for row in rows if row.customer is not None]
    if policies.anonymous == "error" and len(known) < len(rows):
        raise DataError("a row without a customer")
    orders_of = _orders_per_customer(known, policies)
    dropped = 0
    if policies.refunds == "drop":
        dropped = sum(order.amount < 0 for orders in orders_of.values() for order in orders)
        orders_of = _without_refunds(orders_of)

    given = _given_registrations(customers or [], policies)
    unknown = orders_of.keys() - given.keys() if customers is not None else set()
    if policies.unknown == "error" and unknown:
        raise DataError("orders of a customer who is not listed")
    if policies.unknown == "drop":
        orders_of = {name: found for name, found in orders_of.items() if name in given}

    histories = {}
    for name in orders_of.keys() | given.keys():
        found = sorted(orders_of.get(name, []))
        listed_on = given.get(name)
        registered_on = _registered_on(listed_on, found, policies)
        histories[name] = CustomerHistory(registered_on, found, listed_on)
    return History(
        histories,
        policies,
        rows=len(rows),
        anonymous_rows=len(rows) - len(known),
        unknown_customers=len(unknown),
        dropped_refunds=dropped,
        days_read=[local_day(row.time, policies.timezone) for row in known],
    )


def _orders_per_customer(rows: list[OrderRow], policies: Policies) -> dict[Hashable, list[Order]]:
    lines: dict[tuple[Hashable, Hashable], list[Order]] = {}
    for number, row in enumerate(rows):
        if policies.collapse and row.order is None:
            raise DataError("order id is missing")
        order_id = row.order if policies.collapse else number
        line = Order(local_day(row.time, policies.timezone), checked(row.amount))
        lines.setdefault((row.customer, order_id), []).append(line)
    orders_of: dict[Hashable, list[Order]] = {}
    for (customer, _), parts in lines.items():
        order = Order(min(part.day for part in parts), total(part.amount for part in parts))
        orders_of.setdefault(customer, []).append(order)
    return orders_of


def _without_refunds(orders_of: dict[Hashable, list[Order]]) -> dict[Hashable, list[Order]]:
    kept = {
        name: [order for order in orders if order.amount >= 0] for name, orders in orders_of.items()
    }
    return {name: orders for name, orders in kept.items() if orders}


def _given_registrations(
    customers: Iterable[CustomerRow], policies: Policies
) -> dict[Hashable, date | None]:
    given: dict[Hashable, date | None] = {}
    for row in customers:
        if named(row.customer) is None:
            raise DataError("a listed customer without an id")
        if row.customer in given:
            raise DataError("a customer is listed twice")
        registered = row.registered
        given[row.customer] = (
            None if registered is None else local_day(registered, policies.timezone)
        )
    return given


def _registered_on(given: date | None, orders: list[Order], policies: Policies) -> date | None:
    counted = [order.day for order in orders if order.amount >= 0 or policies.refunds == "count"]
    candidates = [day for day in (given, min(counted, default=None)) if day is not None]
    if candidates:
        return min(candidates)
    return min((order.day for order in orders), default=None)
