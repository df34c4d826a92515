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
    """What one order adds up to on one day.

    `is_order` says whether it counts as an order there: refunds do not, nor later days of an order.
    """

    day: date
    amount: Amount
    is_order: bool = True


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
    same_day: str = "separate"
    amount_per: str = "line"
    duplicates: str = "keep"
    times_without_zone: str | None = None

    def day_of(self, time: date | datetime | None) -> date:
        """Return the business day of a time."""
        return local_day(time, self.timezone, self.times_without_zone)


@dataclass(frozen=True)
class History:
    """Every customer's history, and what was counted on the way."""

    customers: dict[Hashable, CustomerHistory]
    policies: Policies
    rows: int = 0
    anonymous_rows: int = 0
    unknown_customers: int = 0
    dropped_refunds: int = 0
    duplicates: int = 0
    split_orders: int = 0
    days_read: list[date] = field(default_factory=list)

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
    ...     print(name, customer.registered_on, [(str(d), a) for d, a, _ in customer.orders])
    ann 2024-01-05 [('2024-01-04', -10), ('2024-01-05', 30)]
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
    if policies.amount_per == "order" and not policies.collapse:
        raise ConfigError("amount_per='order' needs an order id")
    rows = [row._replace(customer=named(row.customer), order=named(row.order)) for row in orders]
    mine = [row for row in rows if row.customer is not None]
    if policies.anonymous == "error" and len(mine) < len(rows):
        raise DataError("a row without a customer")
    known = _without_duplicates(mine, policies)
    sums_of = _sums_by_day(known, policies)

    given = _given_registrations(customers or [], policies)
    orders_of, dropped = _orders_per_customer(sums_of, policies)
    unknown = orders_of.keys() - given.keys() if customers is not None else set()
    if policies.unknown == "error" and unknown:
        raise DataError("orders of a customer who is not listed")
    if policies.unknown == "drop":
        orders_of = {name: found for name, found in orders_of.items() if name in given}

    histories = {}
    for name in orders_of.keys() | given.keys():
        found = orders_of.get(name, [])
        listed_on = given.get(name)
        registered_on = _registered_on(listed_on, found)
        histories[name] = CustomerHistory(registered_on, found, listed_on)
    return History(
        histories,
        policies,
        rows=len(rows),
        anonymous_rows=len(rows) - len(mine),
        unknown_customers=len(unknown),
        dropped_refunds=dropped,
        duplicates=len(mine) - len(known),
        split_orders=sum(len(sums) > 1 for (name, _), sums in sums_of.items() if name in histories),
        days_read=[policies.day_of(row.time) for row in known],
    )


def _without_duplicates(rows: list[OrderRow], policies: Policies) -> list[OrderRow]:
    if policies.duplicates == "keep":
        return rows
    different = list(dict.fromkeys(rows))
    if policies.duplicates == "error" and len(different) < len(rows):
        raise DataError("a row is there twice")
    return different


def _orders_per_customer(
    sums_of: dict[tuple[Hashable, Hashable], dict[date, Amount]], policies: Policies
) -> tuple[dict[Hashable, list[Order]], int]:
    """Return every customer's orders, sorted, and how many refunds were dropped."""
    found: dict[Hashable, list[Order]] = {}
    for (name, _), by_day in sums_of.items():
        found.setdefault(name, []).extend(_counted(by_day, policies))
    size = sum(map(len, found.values()))
    if policies.refunds == "drop":
        found = {name: [order for order in of if order.amount >= 0] for name, of in found.items()}
        found = {name: orders for name, orders in found.items() if orders}
    dropped = size - sum(map(len, found.values()))
    return {name: _once_a_day(sorted(orders), policies) for name, orders in found.items()}, dropped


def _sums_by_day(
    rows: list[OrderRow], policies: Policies
) -> dict[tuple[Hashable, Hashable], dict[date, Amount]]:
    """Return what each order of each customer adds up to on each of its days."""
    lines: dict[tuple[Hashable, Hashable], dict[date, list[Amount | None]]] = {}
    for number, row in enumerate(rows):
        if policies.collapse and row.order is None:
            raise DataError("order id is missing")
        key = row.customer, row.order if policies.collapse else number
        day = policies.day_of(row.time)
        is_missing = row.amount is None and policies.amount_per == "order"
        amount = None if is_missing else checked(row.amount)
        lines.setdefault(key, {}).setdefault(day, []).append(amount)
    of_day = total if policies.amount_per == "line" else the_only
    return {
        key: {day: of_day(amounts) for day, amounts in by_day.items()}
        for key, by_day in lines.items()
    }


def the_only(amounts: list[Amount | None]) -> Amount:
    """Return the total that stands on every line.

    >>> the_only([5, None, 5])
    5
    >>> the_only([5, 6])
    Traceback (most recent call last):
    oracle.errors.DataError: not one amount
    """
    different = set(amounts) - {None}
    if len(different) != 1:
        raise DataError("not one amount")
    return different.pop()


def _counted(sums: dict[date, Amount], policies: Policies) -> list[Order]:
    """Return the days of one order: it counts on the first whose sum is not negative.

    >>> sums = {date(2024, 1, 3): 9, date(2024, 1, 1): -5, date(2024, 1, 2): 0}
    >>> [(o.amount, o.is_order) for o in _counted(sums, Policies())]
    [(-5, False), (0, True), (9, False)]
    >>> [(o.amount, o.is_order) for o in _counted(sums, Policies(refunds="count"))]
    [(-5, True), (0, True), (9, False)]
    """
    first = min((day for day, amount in sums.items() if amount >= 0), default=None)
    return [
        Order(day, amount, policies.refunds == "count" if amount < 0 else day == first)
        for day, amount in sorted(sums.items())
    ]


def _once_a_day(orders: list[Order], policies: Policies) -> list[Order]:
    """Let one of the orders of a day stand for all of them, where they are merged."""
    if policies.same_day == "separate":
        return orders
    found: list[Order] = []
    taken: set[date] = set()
    for order in orders:
        is_order = order.is_order and order.day not in taken
        taken |= {order.day} if is_order else set()
        found.append(order._replace(is_order=is_order))
    return found


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
        given[row.customer] = None if registered is None else policies.day_of(registered)
    return given


def _registered_on(given: date | None, orders: list[Order]) -> date | None:
    counted = [order.day for order in orders if order.is_order]
    candidates = [day for day in (given, min(counted, default=None)) if day is not None]
    if candidates:
        return min(candidates)
    return min((order.day for order in orders), default=None)
