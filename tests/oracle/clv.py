"""What models of value read of customers, lists by what is predicted, and plain forecasts."""

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from oracle.history import History
from oracle.profile import Row, entries_seen

NAMES = ("Top", "Active", "At risk", "Lost")
#: Purchases of a customer: days with an order after the first, and days from the first order to
#: the last and to the day of the profile.
Purchases = tuple[int, int, int]


def purchases(row: Row) -> Purchases | None:
    """Return x, t_x and T of a row of a profile; None without orders.

    >>> purchases({"order_days": 3, "lifetime_days": 7, "days_since_last_order": 5})
    (2, 7, 12)
    """
    if not row["order_days"]:
        return None
    return (
        row["order_days"] - 1,
        row["lifetime_days"],
        row["lifetime_days"] + row["days_since_last_order"],
    )


def histogram(rows: Mapping[Hashable, Row]) -> Counter[Purchases]:
    """Return how many customers have the same purchases."""
    return Counter(found for row in rows.values() if (found := purchases(row)) is not None)


def mean_spend(row: Row, spend_of: str) -> tuple[int, Fraction] | None:
    """Return how many days count and the spend on one of them; None where none counts.

    >>> mean_spend({"order_days": 3, "revenue": 50, "revenue_first_day": 20}, "repeat")
    (2, Fraction(15, 1))
    """
    days, revenue = row["order_days"], Fraction(row["revenue"])
    if days and spend_of == "repeat":
        days, revenue = days - 1, revenue - Fraction(row["revenue_first_day"])
    return (days, revenue / days) if days else None


def cut_of(values: list[float], top_share: Fraction) -> float:
    """Return the value of rank ceil(share * N) from above.

    >>> cut_of([3.0, 9.0, 1.0, 4.0], Fraction(1, 2))
    4.0
    """
    return sorted(values, reverse=True)[math.ceil(top_share * len(values)) - 1]


@dataclass(frozen=True)
class Expected:
    """What is foretold of a customer, and what was spent."""

    p_active: float
    predicted_value: float
    clv: float
    revenue: float


def list_of(customer: Expected, hi: float, lo: float, cut: float) -> str:
    """Return the list of a customer.

    >>> list_of(Expected(0.6, 10.0, 20.0, 10.0), 0.5, 0.2, 10.0)
    'Top'
    """
    if customer.p_active < lo:
        return "Lost"
    if customer.p_active < hi:
        return "At risk"
    return "Top" if customer.predicted_value >= cut else "Active"


def top_numbers(customers: list[Expected], lists: list[str]) -> dict[str, Fraction]:
    """Return the numbers that can stand on top of the list."""
    top = [one for one, name in zip(customers, lists, strict=True) if name == "Top"]
    totals = sorted(Fraction(one.clv) for one in top)
    middle = totals[(len(top) - 1) // 2], totals[len(top) // 2]
    return {
        "mean_clv": sum(totals) / len(top),
        "median_clv": sum(middle) / 2,
        "mean_value": sum(Fraction(one.predicted_value) for one in top) / len(top),
    }


@dataclass(frozen=True)
class Later:
    """What a customer with orders on the day of a split did after it, and plain forecasts of it."""

    orders: int
    revenue: Fraction
    same_again: tuple[int, Fraction]
    past_rate: tuple[Fraction, Fraction]
    past_revenue: Fraction


def later(history: History, rows: Mapping[Hashable, Row], split: date, days: int) -> list[Later]:
    """Return what everybody with orders did; rows: the profile as of the split."""
    made = []
    for name, row in rows.items():
        found = purchases(row)
        if found is None:
            continue
        end = split + timedelta(days)
        after = entries_seen(history.customers[name], end, days)
        before = entries_seen(history.customers[name], split, days)
        x, _, age = found
        repeats = Fraction(row["revenue"]) - Fraction(row["revenue_first_day"])
        made.append(
            Later(
                orders=len({one.day for one in after if one.is_order}),
                revenue=Fraction(sum(Fraction(one.amount) for one in after)),
                same_again=(
                    len({one.day for one in before if one.is_order}),
                    Fraction(sum(Fraction(one.amount) for one in before)),
                ),
                past_rate=(
                    Fraction(x * days, age) if age else Fraction(0),
                    repeats * days / age if age else Fraction(0),
                ),
                past_revenue=Fraction(row["revenue"]),
            )
        )
    return made


def gini(values: list[Fraction], ranks: list[Fraction]) -> Fraction | None:
    """Return the Gini coefficient of values by the order of a forecast, over the best possible.

    Customers with equal ranks count at the mean of their places.

    >>> gini([Fraction(1), Fraction(3)], [Fraction(0), Fraction(5)])
    Fraction(1, 1)
    """

    def concentration(order: list[Fraction]) -> Fraction:
        size, total = len(values), sum(values)
        places = [
            Fraction(2 * sum(one < own for one in order) + sum(one == own for one in order) + 1, 2)
            for own in order
        ]
        weighted = sum(value * place for value, place in zip(values, places, strict=True))
        return 2 * weighted / (size * total) - Fraction(size + 1, size)

    if not values or sum(values) <= 0 or concentration(values) <= 0:
        return None
    return concentration(ranks) / concentration(values)
