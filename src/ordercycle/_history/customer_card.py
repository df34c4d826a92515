"""What is known of one customer, to be read in a terminal and in a notebook."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from ordercycle._columns import PROFILE_COLUMNS
from ordercycle._errors import printable
from ordercycle._public import public

#: Orders that a card shows, the latest; all are in the table.
MOST_SHOWN = 10
#: Columns of a profile that count or are about money: all numbers, but for what may be an id.
AMOUNTS = frozenset(column.name for column in PROFILE_COLUMNS if column.unit)


@public()
@dataclass(frozen=True, repr=False, eq=False)
class CustomerCard:
    """A customer as of a day: what :meth:`OrderHistory.customer` returns.

    Attributes
    ----------
    customer_id
        The id, as the history has it.
    as_of : datetime.date or None
        The day; None where the history knows of no day.
    profile : dict or None
        The row of :meth:`OrderHistory.profile`, by column; None where the customer is not there
        yet on the day.
    orders : pyarrow.Table
        Orders and refunds up to the day, in their order: the columns of ``orders`` in
        :meth:`OrderHistory.to_batches`.

    Examples
    --------
    >>> import datetime, ordercycle as oc, pyarrow as pa
    >>> day = datetime.date(2026, 1, 5)
    >>> orders = pa.table({"customer_id": [7], "ordered_at": [day], "amount": [20]})
    >>> card = oc.OrderHistory.build(orders).customer(7, "2026-01-09")
    >>> card.profile["days_since_last_order"], card.to_dict()["orders"][0]["amount"]
    (4, 20)
    """

    customer_id: Any
    as_of: date | None
    profile: dict[str, Any] | None
    orders: pa.Table
    #: Columns of the orders that are amounts, and those that say nothing to a reader.
    _amounts: Collection[str] = field(default=())
    _unread: Collection[str] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return the customer, the day, the profile and the orders as plain values."""
        return {
            "customer_id": self.customer_id,
            "as_of": self.as_of,
            "profile": self.profile,
            "orders": self.orders.to_pylist(),
        }

    @property
    def _title(self) -> str:
        day = "" if self.as_of is None else f" as of {self.as_of}"
        there = "" if self.profile else ": not there yet"
        return printable(f"Customer {self.customer_id!r}{day}{there}")

    @property
    def _known(self) -> list[tuple[str, str]]:
        """The profile without the id, and what is null."""
        row = self.profile or {}
        return [
            (name, as_shown(name, value))
            for name, value in row.items()
            if name != "customer_id" and value is not None
        ]

    @property
    def _latest(self) -> tuple[str, list[list[str]]]:
        """How many orders and refunds there are; columns and the latest rows as text."""
        number = self.orders.num_rows
        read = self.orders.drop_columns(list(self._unread))
        latest_rows = read.slice(max(0, number - MOST_SHOWN)).to_pylist()
        latest = f", of which the latest {MOST_SHOWN}" if number > MOST_SHOWN else ""
        title = f"Orders and refunds: {number:,}{latest}"
        rows = [
            [as_shown(name, value, self._amounts) for name, value in row.items()]
            for row in latest_rows
        ]
        return title, [list(map(printable, read.column_names)), *rows] if rows else []

    def __repr__(self) -> str:
        title, rows = self._latest
        return "\n".join(
            [
                self._title,
                *aligned(self._known),
                title,
                *aligned(rows),
            ]
        )

    def _repr_html_(self) -> str:
        title, rows = self._latest
        orders = html_table(rows) if rows else ""
        return (
            f"<b>{html.escape(self._title)}</b>{html_table(self._known)}"
            f"<div>{html.escape(title)}</div>{orders}"
        )


def as_shown(name: str, value: Any, amounts: Collection[str] = AMOUNTS) -> str:
    """Return the value of a column as a card shows it: amounts with thousands' separators."""
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int) and not isinstance(value, bool) and name in amounts:
        return f"{value:,}"
    return printable(str(value))


def aligned(rows: Iterable[Iterable[str]]) -> list[str]:
    """Return rows of text as indented lines, their columns below each other."""
    cells = [list(row) for row in rows]
    if not cells:
        return []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def html_table(rows: Iterable[Iterable[str]]) -> str:
    """Return rows of text as a table."""
    lines = "".join(
        "<tr>"
        + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table>{lines}</table>"
