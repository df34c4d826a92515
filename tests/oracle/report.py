"""The segment report: every metric from its definition, by looking up segments day by day."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from oracle.history import CustomerHistory, History
from oracle.lifecycle import Thresholds, segment
from oracle.profile import FIRST_DAYS, Row, profile

ALL_CUSTOMERS = "All Customers"

#: The names of the segments that a customer is in on a day.
SegmentsOf = Callable[[Hashable, date], set[str]]
Value = Fraction | None


@dataclass(frozen=True)
class Member:
    """A customer in a segment on the last day: the profile of that day, and exact money."""

    row: Row
    revenue: Fraction
    first_revenue: Fraction
    returned: bool  # ordered in the last month, and before it as well

    @property
    def orders(self) -> int:
        """The number of orders so far."""
        return self.row["orders"]


@dataclass(frozen=True)
class Group:
    """What the metrics of a segment, or of all customers, are made of."""

    members: list[Member]
    orders: list[tuple[Hashable, date]]  # of the period
    revenue: Fraction  # of the period
    registrations: int

    @property
    def buyers(self) -> list[Member]:
        """Those with an order."""
        return [member for member in self.members if member.orders]

    def sum(self, column: str) -> Fraction:
        """Sum a column of the buyers' profiles."""
        return Fraction(sum(member.row[column] for member in self.buyers))

    @property
    def all_orders(self) -> Fraction:
        """Orders so far."""
        return self.sum("orders")

    @property
    def all_revenue(self) -> Fraction:
        """Revenue so far."""
        return sum((member.revenue for member in self.members), Fraction(0))

    @property
    def gaps(self) -> Fraction:
        """The number of gaps of all buyers."""
        return self.all_orders - len(self.buyers)


def ratio(above: Value, below: Value) -> Value:
    """Divide; undefined by 0 and for what is undefined.

    >>> ratio(Fraction(1), Fraction(4)), ratio(Fraction(1), Fraction(0)), ratio(None, Fraction(1))
    (Fraction(1, 4), None, None)
    """
    return None if above is None or not below else Fraction(above) / below


def time_between_orders(group: Group) -> Value:
    """Return the mean of all gaps."""
    return ratio(group.sum("lifetime_days"), group.gaps)


def days_since_last_order(group: Group) -> Value:
    """Return the mean over buyers."""
    return ratio(group.sum("days_since_last_order"), len(group.buyers))


# g = a segment, a = all customers
METRICS: dict[str, Callable[[Group, Group], Value]] = {
    "Revenue": lambda g, _: g.revenue,
    "Orders": lambda g, _: Fraction(len(g.orders)),
    "Average Order Value": lambda g, _: ratio(g.revenue, len(g.orders)),
    "Orders per Buyer per Month": lambda g, _: ratio(
        len(g.orders), len({(name, day.year, day.month) for name, day in g.orders})
    ),
    "Revenue (all time)": lambda g, _: g.all_revenue,
    "Share of Revenue (all time)": lambda g, a: ratio(g.all_revenue, a.all_revenue),
    "Orders (all time)": lambda g, _: g.all_orders,
    "Share of Orders (all time)": lambda g, a: ratio(g.all_orders, a.all_orders),
    "Average Order Value (all time)": lambda g, _: ratio(g.all_revenue, g.all_orders),
    "Orders per Customer (all time)": lambda g, _: ratio(g.all_orders, len(g.members)),
    "Orders per Buyer (all time)": lambda g, _: ratio(g.all_orders, len(g.buyers)),
    "Revenue per Customer (all time)": lambda g, _: ratio(g.all_revenue, len(g.members)),
    "Revenue per Buyer (90 days)": lambda g, _: ratio(
        sum((member.first_revenue for member in g.buyers), Fraction(0)), len(g.buyers)
    ),
    "First-Order Conversion (all time)": lambda g, _: ratio(len(g.buyers), len(g.members)),
    "Time to First Order": lambda g, _: ratio(g.sum("days_to_first_order"), len(g.buyers)),
    "Repeat-Order Conversion (all time)": lambda g, _: ratio(
        sum(member.orders > 1 for member in g.members), len(g.members)
    ),
    "Share of Repeat Orders (all time)": lambda g, _: ratio(g.gaps, g.all_orders),
    "Returning Customer Rate (last month)": lambda g, _: ratio(
        sum(member.returned for member in g.members), len(g.members)
    ),
    "Time Between Orders": lambda g, _: time_between_orders(g),
    "Days Since Last Order": lambda g, _: days_since_last_order(g),
    "Missed Purchase Cycles": lambda g, _: ratio(days_since_last_order(g), time_between_orders(g)),
    "Customer Lifetime": lambda g, _: ratio(g.sum("lifetime_days"), len(g.buyers)),
    "Customers": lambda g, _: Fraction(len(g.members)),
    "Customer Share": lambda g, a: ratio(len(g.members), len(a.members)),
    "New Customer Registrations": lambda g, _: Fraction(g.registrations),
}


def report(
    history: History, segments_of: SegmentsOf, names: list[str], first: date, last: date
) -> dict[str, dict[str, Value]]:
    """Return every metric of every segment and of all customers, for the days first to last.

    >>> from oracle.history import OrderRow, build
    >>> ann, bob = OrderRow("ann", date(2025, 12, 3), 20), OrderRow("bob", date(2025, 1, 9), 5)
    >>> history = build([ann, bob])
    >>> found = report(
    ...     history, lifecycle_of(history), ["New \\N{EN DASH} 1 order", "Churned"],
    ...     date(2025, 12, 1), date(2025, 12, 31),
    ... )
    >>> for name, metrics in found.items():
    ...     print(name, *(metrics[key] for key in ("Revenue", "Customers", "Revenue (all time)")))
    New – 1 order 20 1 20
    Churned 0 1 5
    All Customers 20 2 25
    """
    everybody = group(history, lambda _name, _day: True, first, last)
    found = {}
    for name in names:
        there = group(
            history, lambda who, day, name=name: name in segments_of(who, day), first, last
        )
        found[name] = {metric: of(there, everybody) for metric, of in METRICS.items()}
    found[ALL_CUSTOMERS] = {metric: of(everybody, everybody) for metric, of in METRICS.items()}
    return found


def lifecycle_of(history: History, thresholds: Thresholds | None = None) -> SegmentsOf:
    """Return the lifecycle segment of a customer as of a day."""

    def segments_of(name: Hashable, day: date) -> set[str]:
        alone = History({name: history.customers[name]}, history.policies)
        rows = profile(alone, day)
        return {segment(row, thresholds or Thresholds()) for row in rows.values()}

    return segments_of


def came_on(customer: CustomerHistory) -> date | None:
    """Return the first day on which a profile would have a customer.

    >>> from oracle.history import Order
    >>> refund, order = Order(date(2024, 1, 5), -1), Order(date(2024, 2, 5), 9)
    >>> came_on(CustomerHistory(date(2024, 2, 5), [refund, order]))
    datetime.date(2024, 1, 5)
    >>> came_on(CustomerHistory(date(2024, 2, 1), [refund, order], listed_on=date(2024, 2, 1)))
    datetime.date(2024, 2, 1)
    """
    if customer.registered_on is None:
        return None
    days = [order.day for order in customer.orders] if customer.listed_on is None else []
    return min([customer.registered_on, *days])


def group(
    history: History, is_there: Callable[[Hashable, date], bool], first: date, last: date
) -> Group:
    """Collect what happened in a segment, and who is in it on the last day."""
    rows = profile(history, last)
    members = [
        _member(history.customers[name], row, last)
        for name, row in rows.items()
        if is_there(name, last)
    ]
    orders, revenue, registrations = [], Fraction(0), 0
    for name, customer in history.customers.items():
        came = came_on(customer)
        if came is None:
            continue
        registrations += first <= came <= last and is_there(name, came)
        for order in customer.orders:
            # A refund from before its customer is there counts when the customer comes.
            day = max(order.day, came)
            if first <= day <= last and is_there(name, day):
                revenue += Fraction(order.amount)
                if order.is_order:
                    orders.append((name, day))
    return Group(members, orders, revenue, registrations)


def _member(customer: CustomerHistory, row: Row, last: date) -> Member:
    seen = [order for order in customer.orders if order.day <= last]
    begin = row["registered_on"]
    early = [order for order in seen if begin <= order.day < begin + timedelta(days=FIRST_DAYS)]
    month = date(last.year, last.month, 1)
    days = [order.day for order in seen if order.is_order]
    return Member(
        row,
        sum((Fraction(order.amount) for order in seen), Fraction(0)),
        sum((Fraction(order.amount) for order in early), Fraction(0)),
        returned=bool(days) and min(days) < month <= max(days),
    )


def end_of(history: History, first: date, last: date) -> date:
    """Return the day that a report of the days first to last is as of, where nobody says.

    >>> from oracle.history import OrderRow, build
    >>> rows = [OrderRow("ann", date(2026, 8, 1) + timedelta(days), 9) for days in range(0, 102, 3)]
    >>> history = build(rows)
    >>> max(row.time for row in rows)
    datetime.date(2026, 11, 8)
    >>> str(end_of(history, date(2026, 11, 1), date(2026, 11, 30)))
    '2026-11-08'
    >>> str(end_of(build(rows[:9]), date(2026, 8, 1), date(2026, 8, 31)))  # little is known
    '2026-08-31'
    """
    days = set()
    for customer in history.customers.values():
        days |= {order.day for order in customer.orders}
        days |= {customer.listed_on} - {None}
    known = max(days, default=last)
    if not first <= known < last:
        return last
    quiet = longest = 0
    for back in reversed(range(90)):
        quiet = 0 if known - timedelta(days=back) in days else quiet + 1
        longest = max(longest, quiet)
    return known if (last - known).days > longest else last


def same_day(day: date, months: int) -> date:
    """Return a day as many months earlier: a month's end is compared with a month's end.

    >>> for day in (date(2024, 3, 30), date(2024, 2, 29), date(2026, 11, 10)):
    ...     print(same_day(day, 1), same_day(day, 12))
    2024-02-29 2023-03-30
    2024-01-31 2023-02-28
    2026-10-10 2025-11-10
    """
    month = 12 * day.year + day.month - 1 - months
    following = month + 1
    end = date(following // 12, following % 12 + 1, 1) - timedelta(days=1)
    is_end = (day + timedelta(days=1)).day == 1
    return end if is_end else end.replace(day=min(day.day, end.day))
