"""The nine lifecycle segments, and thresholds fitted from the gaps."""

# ruff: noqa: ARG005 - every rule takes the same four values, as the table of rules reads best

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from oracle.errors import DataError
from oracle.history import History
from oracle.profile import Row, entries_seen, gaps_between


@dataclass(frozen=True)
class Thresholds:
    """The days at which a customer changes segment by doing nothing."""

    new_days: int = 30
    active_days: int = 120
    churned_days: int = 255


Rule = Callable[[Thresholds, int, int, int | None], bool]

# t = thresholds, a = days since registration, n = orders, r = days since the last order
RULES: dict[str, Rule] = {
    "New \N{EN DASH} no orders": lambda t, a, n, r: a <= t.new_days and n == 0,
    "New \N{EN DASH} 1 order": lambda t, a, n, r: a <= t.new_days and n == 1,
    "New \N{EN DASH} 2+ orders": lambda t, a, n, r: a <= t.new_days and n >= 2,
    "Promising": lambda t, a, n, r: a > t.new_days and n == 1 and r <= t.active_days,
    "Active": lambda t, a, n, r: a > t.new_days and n == 2 and r <= t.active_days,
    "Loyal": lambda t, a, n, r: a > t.new_days and n >= 3 and r <= t.active_days,
    "At-risk": lambda t, a, n, r: a > t.new_days and n >= 1 and t.active_days < r <= t.churned_days,
    "Churned": lambda t, a, n, r: a > t.new_days and n >= 1 and r > t.churned_days,
    "Inactive (no orders)": lambda t, a, n, r: a > t.new_days and n == 0,
}


def segment(row: Row, thresholds: Thresholds) -> str:
    """Return the one segment whose rule a profile row satisfies.

    >>> row = {"days_since_registration": 31, "orders": 1, "days_since_last_order": 31}
    >>> segment(row, Thresholds())
    'Promising'
    >>> segment(row | {"days_since_registration": 300, "days_since_last_order": 256}, Thresholds())
    'Churned'
    """
    age, orders = row["days_since_registration"], row["orders"]
    since_last = row["days_since_last_order"]
    (name,) = [name for name, rule in RULES.items() if rule(thresholds, age, orders, since_last)]
    return name


def fit(
    history: History,
    as_of: date,
    new_days: int = 30,
    active_share: Fraction = Fraction(80, 100),
    churned_share: Fraction = Fraction(95, 100),
) -> Thresholds:
    """Return the thresholds at which the weighted share of the gaps is reached.

    Every gap weighs 1 / (its customer's number of gaps), so each repeat customer counts once.

    >>> from datetime import timedelta
    >>> from oracle.history import OrderRow, build
    >>> first = date(2024, 1, 1)
    >>> rows = [OrderRow("steady", first + timedelta(days=10 * week), 1) for week in range(5)]
    >>> rows += [OrderRow("rare", first, 1), OrderRow("rare", first + timedelta(days=60), 1)]
    >>> fit(build(rows), date(2024, 12, 31))
    Thresholds(new_days=30, active_days=60, churned_days=61)
    >>> fit(build(rows), date(2024, 12, 31), active_share=Fraction(1, 2))
    Thresholds(new_days=30, active_days=10, churned_days=60)
    """
    weight_of_gap: dict[int, Fraction] = {}
    for customer in history.customers.values():
        entries = entries_seen(customer, as_of)
        gaps = gaps_between([entry.day for entry in entries if entry.is_order])
        for gap in gaps:
            weight_of_gap[gap] = weight_of_gap.get(gap, Fraction(0)) + Fraction(1, len(gaps))
    if not weight_of_gap:
        raise DataError("nobody ordered twice")
    active_days = _day_that_reaches(weight_of_gap, active_share)
    churned_days = _day_that_reaches(weight_of_gap, churned_share)
    return Thresholds(new_days, active_days, max(churned_days, active_days + 1))


def _day_that_reaches(weight_of_gap: dict[int, Fraction], share: Fraction) -> int:
    needed = share * sum(weight_of_gap.values())
    reached = Fraction(0)
    for gap in sorted(weight_of_gap):
        reached += weight_of_gap[gap]
        if reached >= needed:
            return gap
    raise AssertionError("a share above 1")
