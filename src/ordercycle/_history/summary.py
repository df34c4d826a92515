"""What a history was built from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import date

from ordercycle._days import date_of
from ordercycle._errors import counted, printable
from ordercycle._history.counts import Counts
from ordercycle._ingest.morsels import Tally
from ordercycle._public import public
from ordercycle._spec import HistorySpec

#: What is said of the counts that are 0 where nothing is special: of one, and of several.
NOTES = {
    "left_out": ("row left out", "rows left out"),
    "anonymous": ("anonymous row", "anonymous rows"),
    "nobody": ("row of nobody", "rows of nobody"),
    "refunds": ("refund", "refunds"),
    "duplicates": ("duplicate row", "duplicate rows"),
    "split_orders": ("order of several days", "orders of several days"),
    "unknown": ("unknown customer", "unknown customers"),
    "undated": ("customer without any date", "customers without any date"),
    "forgotten": ("forgotten customer", "forgotten customers"),
}


@public()
@dataclass(frozen=True)
class HistorySummary:
    """What a history was built from.

    Attributes
    ----------
    rows
        Rows of the orders table, all of them.
    orders
        Orders, refunds not counted (with ``refunds="count"`` they are orders).
    customers
        Customers of the population, with or without orders.
    refunds
        Orders with a negative amount, kept or dropped.
    anonymous
        Rows without a customer, dropped.
    nobody
        Rows of either table with an id that means no customer, dropped.
    left_out
        Rows that do not count (`only`), not looked at.
    duplicates
        Rows equal to others in all that is read, dropped (`duplicates`).
    split_orders
        Orders with rows on several days, where an order column is named.
    unknown
        Customers with orders that the customers table does not list (0 without one).
    undated
        Listed customers with no registration, order or refund: never in a profile.
    forgotten
        Customers who were forgotten: numbers that mean nobody, among the customers.
    first_day, last_day
        Of the orders read; None where there are none.
    bytes
        What the history takes, in memory or on disk.
    nulls
        By the names of values, how many orders and refunds have none.
    unmatched
        By the names of attributes with a lookup, how many of their values have no row there.
    """

    rows: int
    orders: int
    customers: int
    refunds: int
    anonymous: int
    nobody: int
    left_out: int
    duplicates: int
    split_orders: int
    unknown: int
    undated: int
    first_day: date | None
    last_day: date | None
    bytes: int
    nulls: dict[str, int] = field(default_factory=dict)
    unmatched: dict[str, int] = field(default_factory=dict)
    forgotten: int = 0

    def notes(self) -> Iterator[str]:
        """Yield in words what is special about the rows, as far as there is any of it."""
        for name, words in NOTES.items():
            number = getattr(self, name)
            if number:
                yield counted(number, *words)

    def __str__(self) -> str:
        lines = []
        width = max(len(one.name) for one in fields(self))
        for one in fields(self):
            value = getattr(self, one.name)
            if value != {}:
                lines.append(
                    f"{one.name:<{width}} {value:,}"
                    if isinstance(value, int)
                    else printable(f"{one.name:<{width}} {value}")
                )
        return "\n".join(lines)


def summarised(spec: HistorySpec, tally: Tally, counts: Counts, held: int) -> HistorySummary:
    """Return the summary of a history of `held` bytes."""
    return HistorySummary(
        rows=tally.rows,
        orders=counts.orders - counts.further - (counts.refunds if spec.net_refunds else 0),
        customers=counts.customers,
        refunds=counts.refunds + tally.dropped_refunds,
        anonymous=tally.anonymous,
        nobody=tally.nobody,
        left_out=tally.left_out,
        duplicates=tally.duplicates,
        split_orders=counts.split,
        unknown=counts.unknown,
        undated=counts.undated,
        first_day=None if tally.first_day is None else date_of(tally.first_day),
        last_day=None if tally.last_day is None else date_of(tally.last_day),
        bytes=held,
    )
