"""Why a customer is in a segment: since when, by which rule and numbers, and until when."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import pyarrow as pa

from ordercycle._errors import printable
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._history.customer_card import aligned, as_shown, html_table
from ordercycle._history.look_ups import only
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._ingest.asked_ids import asked_ids
from ordercycle._public import public

EXACT = "the first of the days in a row on which the customer is in this segment"
RECALCULATED = (
    "the first of the days in a row as of which the scheme, with the numbers that it has now, "
    "gives this segment; a membership is recalculated on a schedule, and may say another day"
)
NOT_THERE = "the customer is not there yet"


class Reason(NamedTuple):
    """Why a segment: the rule in words, and the numbers that it looks at."""

    rule: str
    numbers: dict[str, Any]


@public()
@dataclass(frozen=True, repr=False, eq=False)
class Explanation:
    """Why a customer is in a segment as of a day: what :meth:`Scheme.explain` returns.

    Attributes
    ----------
    customer_id
        The id, as the history has it.
    as_of : datetime.date
        The day.
    scheme : str
        The column that the scheme adds.
    segment : str or None
        The segment; None where the customer has none.
    since : datetime.date or None
        Since when; None where the customer is not there yet.
    since_means : str
        What is meant by it.
    rule : str
        The rule that decided, in words.
    numbers : dict
        What it looked at, by name.
    until : datetime.date or None
        The first day on which time alone leads to another segment; None where there is none, of
        schemes that are recalculated within ten years.
    next_segment : str or None
        Which one that is.

    Examples
    --------
    >>> import datetime, ordercycle as oc, pyarrow as pa
    >>> day = datetime.date(2026, 1, 5)
    >>> orders = pa.table({"customer_id": ["ann"], "ordered_at": [day], "amount": [20]})
    >>> history = oc.OrderHistory.build(orders)
    >>> oc.Rules({"Buyer": "orders > 0"}).explain(history, "ann", "2026-01-09")
    Customer 'ann' as of 2026-01-09: 'Buyer' of 'tier'
      since    2026-01-05, by the numbers that the scheme has now
      because  orders > 0
      orders   1
    """

    customer_id: Any
    as_of: date
    scheme: str
    segment: str | None
    since: date | None
    since_means: str
    rule: str
    numbers: Mapping[str, Any]
    until: date | None = None
    next_segment: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it by name."""
        return {
            "customer_id": self.customer_id,
            "as_of": self.as_of,
            "scheme": self.scheme,
            "segment": self.segment,
            "since": self.since,
            "since_means": self.since_means,
            "rule": self.rule,
            "numbers": dict(self.numbers),
            "until": self.until,
            "next_segment": self.next_segment,
        }

    @property
    def _is_by_present_numbers(self) -> bool:
        """Whether `since` is of a scheme that is recalculated, and fitted again, on a schedule."""
        return self.since_means == RECALCULATED

    @property
    def _title(self) -> str:
        found = "in no segment of" if self.segment is None else f"{self.segment!r} of"
        return printable(
            f"Customer {self.customer_id!r} as of {self.as_of}: {found} {self.scheme!r}"
        )

    def _lines(self) -> Iterator[tuple[str, str]]:
        if self.since is not None:
            now = ", by the numbers that the scheme has now" if self._is_by_present_numbers else ""
            yield "since", f"{self.since}{now}"
        yield "because", printable(self.rule)
        for name, value in self.numbers.items():
            yield printable(name), as_shown(name, value)
        if self.until is not None:
            yield "until", f"{self.until}, then {self.next_segment!r}, if nothing more happens"

    def __repr__(self) -> str:
        return "\n".join([self._title, *aligned(self._lines())])

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self._title)}</b>{html_table(self._lines())}"


def streams_alone(streams: Mapping[str, Any], customer: Any) -> dict[str, Any]:
    """Return streams by name that have the events of one customer alone."""
    return {name: _alone(history, customer) for name, history in streams.items()}


def _alone(history: Any, customer: Any) -> Any:
    if isinstance(history, EventHistory):
        stored = stored_events(history)
        return EventHistory(only(stored, _ids(customer, stored.spec.ids)))
    if isinstance(history, OrderHistory):
        grouped = grouped_orders(history)
        return OrderHistory(only(grouped, _ids(customer, grouped.spec.ids)))
    return history  # which whoever reads it refuses


def _ids(customer: Any, reader: Any) -> pa.Array:
    return asked_ids([customer], reader, "customers", option="customer")
