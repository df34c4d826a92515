"""The metrics of the report, each declared once, and what they are quotients of.

Schema, CSV header, documentation and tests follow from these tables. A further ratio is a further
row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ordercycle._errors import ConfigError, Option, suggestion
from ordercycle_kernels import cube as cells

#: What a quantity is about: the months of the period, those who are in the segment at its end, or
#: the same in its last month.
DURING, SO_FAR, LAST_MONTH = "period", "all time", "last month"


@dataclass(frozen=True)
class Quantity:
    """A count or a sum that adds up over parts of the base, read from the cells of a report."""

    name: str
    over: str
    fields: tuple[int, ...]  # of a cell, added
    is_money: bool = False


QUANTITIES = {
    one.name: one
    for one in (
        Quantity("revenue", DURING, (cells.REVENUE,), is_money=True),
        Quantity("orders", DURING, (cells.ORDERS,)),
        Quantity("monthly buyers", DURING, (cells.MONTHLY_BUYERS,)),
        Quantity("registrations", DURING, (cells.ENTERED,)),
        Quantity("customers", SO_FAR, (cells.CUSTOMERS,)),
        Quantity("all revenue", SO_FAR, (cells.REVENUE, cells.MOVED_REVENUE), is_money=True),
        Quantity("first revenue", SO_FAR, (cells.FIRST_REVENUE,), is_money=True),
        Quantity("all orders", SO_FAR, (cells.ORDERS, cells.MOVED_ORDERS)),
        Quantity("buyers", SO_FAR, (cells.BUYERS,)),
        Quantity("repeat buyers", SO_FAR, (cells.REPEAT_BUYERS,)),
        Quantity("first order days", SO_FAR, (cells.FIRST_ORDER_DAYS,)),
        Quantity("waiting days", SO_FAR, (cells.WAITING_DAYS,)),
        Quantity("lifetime days", SO_FAR, (cells.LIFETIME_DAYS,)),
        Quantity("returning customers", LAST_MONTH, (cells.RETURNING,)),
    )
}


@dataclass(frozen=True)
class Derived:
    """A quantity that follows from others and from the last day of the period."""

    name: str
    parts: tuple[str, ...]
    of: Callable[..., int]


DERIVED = {
    one.name: one
    for one in (
        Derived(
            "repeat orders",
            ("all orders", "buyers"),
            lambda _day, orders, buyers: orders - buyers,
        ),
        Derived(
            "days since last order",
            ("buyers", "first order days", "lifetime days"),
            lambda day, buyers, first, lifetime: buyers * day - first - lifetime,
        ),
    )
}

CUSTOMERS, ORDERS, REVENUE = "customers", "orders", "currency"
DAYS, SHARE, CYCLES = "days", "share", "cycles"
#: Units of whole numbers.
COUNTED = (CUSTOMERS, ORDERS)
PERIOD, AUDIENCE = "period", "audience"


@dataclass(frozen=True)
class Metric:
    """A column of the report: a quantity, or a quotient of products of quantities."""

    name: str
    export: str
    unit: str
    scope: str  # of the period's orders, or of those in the segment on its last day
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()
    of_all: bool = False  # the denominator is that of All Customers
    doc: str = ""

    @property
    def is_money(self) -> bool:
        """Whether it is about amounts, and is left out where orders have none."""
        return any(name in QUANTITIES and QUANTITIES[name].is_money for name in self.numerator)


#: In the order of the export's columns.
METRICS = (
    Metric(
        "Revenue", "TotalRevenue", REVENUE, PERIOD, ("revenue",),
        doc="net revenue of the period",
    ),
    Metric(
        "Orders", "Orders", ORDERS, PERIOD, ("orders",),
        doc="orders in the period",
    ),
    Metric(
        "Average Order Value", "AverageOrderValue", REVENUE, PERIOD, ("revenue",), ("orders",),
        doc="Revenue / Orders",
    ),
    Metric(
        "Orders per Buyer per Month", "AverageOrdersPerCustomerPerMonth", ORDERS, PERIOD,
        ("orders",), ("monthly buyers",),
        doc="Orders / the sum over the months of those who ordered in the month",
    ),
    Metric(
        "Revenue (all time)", "RevenueAllTime", REVENUE, AUDIENCE, ("all revenue",),
        doc="net revenue of the customers so far",
    ),
    Metric(
        "Share of Revenue (all time)", "RevenueShareAllTime", SHARE, AUDIENCE,
        ("all revenue",), ("all revenue",), of_all=True,
        doc="Revenue (all time) / that of All Customers",
    ),
    Metric(
        "Orders (all time)", "OrdersAllTime", ORDERS, AUDIENCE, ("all orders",),
        doc="orders of the customers so far",
    ),
    Metric(
        "Share of Orders (all time)", "OrdersShareAllTime", SHARE, AUDIENCE,
        ("all orders",), ("all orders",), of_all=True,
        doc="Orders (all time) / those of All Customers",
    ),
    Metric(
        "Average Order Value (all time)", "AverageOrderValueAllTime", REVENUE, AUDIENCE,
        ("all revenue",), ("all orders",),
        doc="Revenue (all time) / Orders (all time)",
    ),
    Metric(
        "Orders per Customer (all time)", "AverageOrdersPerCustomerAllTime", ORDERS, AUDIENCE,
        ("all orders",), ("customers",),
        doc="Orders (all time) / Customers",
    ),
    Metric(
        "Orders per Buyer (all time)", "AverageOrdersPerBuyerAllTime", ORDERS, AUDIENCE,
        ("all orders",), ("buyers",),
        doc="Orders (all time) / customers with an order",
    ),
    Metric(
        "Revenue per Customer (all time)", "AverageRevenuePerCustomerAllTime", REVENUE, AUDIENCE,
        ("all revenue",), ("customers",),
        doc="Revenue (all time) / Customers",
    ),
    Metric(
        "Revenue per Buyer (90 days)", "AverageRevenuePerBuyer90d", REVENUE, AUDIENCE,
        ("first revenue",), ("buyers",),
        doc="the sum of the buyers' revenue_first_90_days / customers with an order",
    ),
    Metric(
        "First-Order Conversion (all time)", "FirstOrderConversionAllTime", SHARE, AUDIENCE,
        ("buyers",), ("customers",),
        doc="share of the customers with an order",
    ),
    Metric(
        "Time to First Order", "AverageRegistrationToFirstOrderDaysAllTime", DAYS, AUDIENCE,
        ("waiting days",), ("buyers",),
        doc="mean days from registration to first order, over buyers",
    ),
    Metric(
        "Repeat-Order Conversion (all time)", "RepeatOrderConversionAllTime", SHARE, AUDIENCE,
        ("repeat buyers",), ("customers",),
        doc="share of the customers with two orders or more",
    ),
    Metric(
        "Share of Repeat Orders (all time)", "RepeatOrdersShareAllTime", SHARE, AUDIENCE,
        ("repeat orders",), ("all orders",),
        doc="orders after each buyer's first / Orders (all time)",
    ),
    Metric(
        "Returning Customer Rate (last month)", "ReturningCustomersRateLastMonth", SHARE, AUDIENCE,
        ("returning customers",), ("customers",),
        doc="share of the customers who ordered in the last month, and before that month as well",
    ),
    Metric(
        "Time Between Orders", "AverageTimeBetweenOrdersAllTime", DAYS, AUDIENCE,
        ("lifetime days",), ("repeat orders",),
        doc="mean gap between consecutive orders, over all gaps of all customers",
    ),
    Metric(
        "Days Since Last Order", "AverageDaysSinceLastOrderAllTime", DAYS, AUDIENCE,
        ("days since last order",), ("buyers",),
        doc="mean over buyers",
    ),
    Metric(
        "Missed Purchase Cycles", "MissedPurchaseCyclesAllTime", CYCLES, AUDIENCE,
        ("days since last order", "repeat orders"), ("buyers", "lifetime days"),
        doc="Days Since Last Order / Time Between Orders",
    ),
    Metric(
        "Customer Lifetime", "AverageCustomerLifetimeDaysAllTime", DAYS, AUDIENCE,
        ("lifetime days",), ("buyers",),
        doc="mean days from first to last order, over buyers",
    ),
    Metric(
        "Customers", "TotalCustomers", CUSTOMERS, PERIOD, ("customers",),
        doc="customers in the segment on the period's last day",
    ),
    Metric(
        "Customer Share", "CustomersShare", SHARE, AUDIENCE, ("customers",), ("customers",),
        of_all=True,
        doc="Customers / those of All Customers",
    ),
    Metric(
        "New Customer Registrations", "NewCustomerRegistrations", CUSTOMERS, PERIOD,
        ("registrations",),
        doc="customers who came in the period, in the segment of that day",
    ),
)  # fmt: skip


def known_metrics(*, has_money: bool) -> tuple[Metric, ...]:
    """Return the metrics of a report, of orders with amounts or without, in order."""
    return METRICS if has_money else tuple(one for one in METRICS if not one.is_money)


def metric_named(name: str, *, has_money: bool = True) -> Metric:
    """Return a metric, or raise a ConfigError that says which there are."""
    known = {metric.name: metric for metric in known_metrics(has_money=has_money)}
    if name in known:
        return known[name]
    if any(metric.name == name for metric in METRICS):
        raise ConfigError(
            f"{name!r} is about money, and the orders of this report have no amounts",
            remedy=("build the history with ", Option("Columns.amount")),
        )
    exported = {metric.export: metric.name for metric in METRICS}
    hint = suggestion(str(name), known)
    if name in exported:
        hint = f", which is the export's name of {exported[name]!r}"
    raise ConfigError(
        f"there is no metric {name!r}{hint}",
        remedy=f"there are {', '.join(map(repr, known))}",
    )


def metrics_named(names: Sequence[str], *, has_money: bool = True) -> list[Metric]:
    """Return several metrics."""
    if isinstance(names, str):
        raise ConfigError(
            (Option("metrics", names), " is no list of names"),
            remedy=("pass ", Option("metrics", [names])),
        )
    return [metric_named(name, has_money=has_money) for name in names]
