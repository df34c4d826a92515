"""What a history was built from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date

from ordercycle.days import date_of
from ordercycle.history.parts import Counts, Kind
from ordercycle.ingest.row_readers import Tally


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
    unknown
        Customers with orders that the customers table does not list (0 without one).
    undated
        Listed customers with no registration, order or refund: never in a profile.
    first_day, last_day
        Of the orders read; None where there are none.
    bytes
        What the history takes, in memory or on disk.
    """

    rows: int
    orders: int
    customers: int
    refunds: int
    anonymous: int
    unknown: int
    undated: int
    first_day: date | None
    last_day: date | None
    bytes: int

    def __str__(self) -> str:
        lines = []
        for field in fields(self):
            value = getattr(self, field.name)
            lines.append(
                f"{field.name:<10} {value:,}"
                if isinstance(value, int)
                else f"{field.name:<10} {value}"
            )
        return "\n".join(lines)


def summarised(kind: Kind, tally: Tally, counts: Counts, held: int) -> HistorySummary:
    """Return the summary of a history of `held` bytes."""
    return HistorySummary(
        rows=tally.rows,
        orders=counts.orders - (counts.refunds if kind.net_refunds else 0),
        customers=counts.customers,
        refunds=counts.refunds + tally.dropped_refunds,
        anonymous=tally.anonymous,
        unknown=counts.unknown,
        undated=counts.undated,
        first_day=None if tally.first_day is None else date_of(tally.first_day),
        last_day=None if tally.last_day is None else date_of(tally.last_day),
        bytes=held,
    )
