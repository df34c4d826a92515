"""One row per customer as of a day."""

import math
from collections.abc import Hashable
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median

from oracle.history import CustomerHistory, History, Order
from oracle.money import total

FIRST_DAYS = 90

Row = dict[str, object]


def profile(history: History, as_of: date, window_days: int | None = None) -> dict[Hashable, Row]:
    """Return every column but the id, per customer who exists on `as_of`.

    >>> from oracle.history import OrderRow, build
    >>> rows = [
    ...     OrderRow("ann", date(2024, 1, 1), 10),
    ...     OrderRow("ann", date(2024, 1, 3), 20),
    ...     OrderRow("ann", date(2024, 1, 8), 30),
    ...     OrderRow("ann", date(2024, 1, 9), -5),
    ...     OrderRow("ann", date(2024, 9, 9), 99),
    ... ]
    >>> for name, value in profile(build(rows), date(2024, 1, 15))["ann"].items():
    ...     print(name, value)
    registered_on 2024-01-01
    first_order_on 2024-01-01
    last_order_on 2024-01-08
    orders 3
    order_days 3
    revenue 55
    average_order_value 18.333333333333332
    days_since_registration 14
    days_since_last_order 7
    days_to_first_order 0
    lifetime_days 7
    time_between_orders 3.5
    gap_min 2
    gap_max 5
    last_gap 5
    gap_median 3.5
    gap_square_sum 29
    gap_std 2.1213203435596424
    missed_purchase_cycles 2.0
    next_order_expected_on 2024-01-12
    revenue_first_90_days 55
    revenue_first_day 10
    >>> last_days = profile(build(rows), date(2024, 1, 15), window_days=7)["ann"]
    >>> last_days["revenue"], last_days["revenue_first_day"], last_days["window_days"]
    (-5, 10, 7)
    >>> profile(build(rows), date(2023, 12, 31))
    {}
    """
    return {
        name: _row(customer, as_of, window_days)
        for name, customer in history.customers.items()
        if customer.registered_as_of(as_of) is not None
    }


def entries_seen(
    customer: CustomerHistory, as_of: date, window_days: int | None = None
) -> list[Order]:
    """Return the orders and refunds that count as of a day."""
    seen = [order for order in customer.orders if order.day <= as_of]
    if window_days is None:
        return seen
    return [order for order in seen if (as_of - order.day).days < window_days]


def _row(customer: CustomerHistory, as_of: date, window_days: int | None) -> Row:
    entries = entries_seen(customer, as_of, window_days)
    days = sorted(order.day for order in entries if order.is_order)
    everything = entries_seen(customer, as_of)
    first_on = min((order.day for order in everything if order.is_order), default=None)
    registered_on = customer.registered_as_of(as_of)
    first_days = [
        order for order in everything if 0 <= (order.day - registered_on).days < FIRST_DAYS
    ]
    first_day = [order for order in everything if order.day == first_on]
    revenue = total(order.amount for order in entries)
    row: Row = {
        "registered_on": registered_on,
        "first_order_on": days[0] if days else None,
        "last_order_on": days[-1] if days else None,
        "orders": len(days),
        "order_days": len(set(days)),
        "revenue": revenue,
        "average_order_value": float(Fraction(revenue) / len(days)) if days else None,
        "days_since_registration": (as_of - registered_on).days,
        "days_since_last_order": (as_of - days[-1]).days if days else None,
        "days_to_first_order": None if first_on is None else (first_on - registered_on).days,
        "lifetime_days": (days[-1] - days[0]).days if days else None,
    }
    row.update(_gap_columns(days, as_of))
    row["revenue_first_90_days"] = total(order.amount for order in first_days)
    row["revenue_first_day"] = total(order.amount for order in first_day)
    if window_days is not None:
        row["window_days"] = window_days
    return row


def gaps_between(days: list[date]) -> list[int]:
    """Return the days between consecutive orders.

    >>> gaps_between([date(2024, 2, 28), date(2024, 2, 28), date(2024, 3, 1)])
    [0, 2]
    """
    return [(later - earlier).days for earlier, later in pairwise(days)]


def _gap_columns(days: list[date], as_of: date) -> Row:
    gaps = gaps_between(days)
    if not gaps:
        return dict.fromkeys(GAP_COLUMNS)
    mean = Fraction(sum(gaps), len(gaps))
    since_last = (as_of - days[-1]).days
    return {
        "time_between_orders": float(mean),
        "gap_min": min(gaps),
        "gap_max": max(gaps),
        "last_gap": gaps[-1],
        "gap_median": float(median(map(Fraction, gaps))),
        "gap_square_sum": sum(gap * gap for gap in gaps),
        "gap_std": _sample_deviation(gaps, mean) if len(gaps) > 1 else None,
        "missed_purchase_cycles": float(since_last / mean) if mean else None,
        "next_order_expected_on": days[-1] + timedelta(days=math.ceil(mean)),
    }


def _sample_deviation(gaps: list[int], mean: Fraction) -> float:
    return math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1))


GAP_COLUMNS = (
    "time_between_orders",
    "gap_min",
    "gap_max",
    "last_gap",
    "gap_median",
    "gap_square_sum",
    "gap_std",
    "missed_purchase_cycles",
    "next_order_expected_on",
)
