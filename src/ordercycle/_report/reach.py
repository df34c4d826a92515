"""How many different customers events reached, in any range of months."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._days import date_of, number_of
from ordercycle._errors import ConfigError, Option, counted, printable
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._months import Months
from ordercycle._public import public
from ordercycle._report.blocks import pair_place
from ordercycle._workspace import Workspace
from ordercycle_kernels import report_facts as kernels

Int64s = NDArray[np.int64]

REACH_SCHEMA = pa.schema(
    [
        pa.field("previous", pa.date32()),
        pa.field("month", pa.date32(), nullable=False),
        pa.field("customers", pa.int64(), nullable=False),
    ]
)


@public()
class ReachedCustomers:
    """How many different customers events reached, made by :func:`reach`.

    Customers are counted by the month in which they were reached and the one before it: whoever was
    reached in a range of months has one first month in it, with none before it in the range.
    """

    def __init__(self, months: Months, pairs: Int64s) -> None:
        self._months = months
        self._pairs = pairs

    def to_table(self) -> pa.Table:
        """Return how many customers there are of each pair of months.

        Returns
        -------
        pyarrow.Table
            ``previous``: date32, the month in which they were reached before, null for never within
            the months of the call; ``month``: date32; ``customers``: int64, never 0. Tables of
            different customers add up.
        """
        days: list[Months] = self._months.each()
        firsts = [None, *(one.first_day for one in days)]
        rows = [
            (firsts[previous], firsts[month], int(self._pairs[pair_place(previous, month)]))
            for month in range(1, len(firsts))
            for previous in range(month)
            if self._pairs[pair_place(previous, month)]
        ]
        columns = zip(*rows, strict=True) if rows else [[]] * len(REACH_SCHEMA)
        arrays = [
            pa.array(list(one), kind) for one, kind in zip(columns, REACH_SCHEMA.types, strict=True)
        ]
        return pa.table(arrays, schema=REACH_SCHEMA)

    def between(self, first: str, last: str | None = None) -> int:
        """Return how many different customers were reached from one month to another.

        Parameters
        ----------
        first, last
            Months such as ``"2025-10"``; without `last`, one month.

        Raises
        ------
        ConfigError
            They are no months, or not all of them were counted.
        """
        asked = Months.of((first, first if last is None else last), "first")
        if not self._months.covers(asked):
            raise ConfigError(
                f"{asked} is not among the months that were counted, {self._months}",
                remedy=("pass them as ", Option("months")),
            )
        begin, end = (one - self._months.first + 1 for one in asked)
        return sum(
            int(self._pairs[pair_place(previous, month)])
            for month in range(begin, end + 1)
            for previous in range(begin)
        )

    def __repr__(self) -> str:
        first, last = (str(Months(one, one)) for one in self._months)
        reached = counted(self.between(first, last), "customer")
        return printable(f"{type(self).__name__}({reached} from {first} to {last})")


@public()
def reach(stream: EventHistory, months: str | Sequence[str] | None = None) -> ReachedCustomers:
    """Count the different customers of events, so that every range of months can be asked for.

    Parameters
    ----------
    stream
        The events, such as ``touches.where("kind == 'delivery'")``.
    months
        The first and the last month, or one; None: all that there are.

    Returns
    -------
    ReachedCustomers
        Exact, and the same for any number of threads and parts.

    Raises
    ------
    ConfigError
        `stream` is no history of events, `months` are none, or there are no events and no months.

    Examples
    --------
    >>> import datetime, pyarrow as pa
    >>> from ordercycle import EventHistory
    >>> days = [(1, 5), (2, 3), (1, 9), (3, 4), (2, 8)]
    >>> table = pa.table({
    ...     "customer_id": ["ann", "ann", "bob", "bob", "dan"],
    ...     "occurred_at": [datetime.date(2026, month, day) for month, day in days],
    ... })
    >>> found = reach(EventHistory.build(table))
    >>> found.between("2026-01"), found.between("2026-02", "2026-03")
    (2, 3)
    >>> found
    ReachedCustomers(3 customers from 2026-01 to 2026-03)
    """
    if not isinstance(stream, EventHistory):
        raise ConfigError(
            (Option("stream"), printable(f": {type(stream).__name__} is no history of events")),
            remedy="group them by EventHistory.build",
        )
    stored = stored_events(stream)
    if months is not None:
        asked = Months.of(months, "months")
    elif stored.tally.first_day is None or stored.tally.last_day is None:
        raise ConfigError("there are no events", remedy=("say which ", Option("months")))
    else:
        ends = (date_of(stored.tally.first_day), date_of(stored.tally.last_day))
        asked = Months.between(*ends)
    columns = asked.columns_of_days()
    first = number_of(asked.first_day)
    size = pair_place(0, asked.size + 1)

    def count(_: int, batch: CustomerEvents, __: Workspace) -> Int64s:
        behind = batch.days.astype(np.int64) - first
        inside = (behind >= 0) & (behind < columns.size)
        of_days = np.where(inside, columns[np.clip(behind, 0, columns.size - 1)], np.int32(0))
        pairs = np.zeros((1, size), np.int64)
        owners, latest = np.zeros((2, 1), np.int64)
        nowhere = np.zeros(behind.size, np.int64)
        kernels.count_pairs(
            batch.offsets, nowhere, of_days.astype(np.int32), 0, owners, latest, pairs
        )
        found: Int64s = pairs[0]
        return found

    return ReachedCustomers(asked, sum(stored.scan(count), np.zeros(size, np.int64)))


def reached_of(months: Months, pairs: Iterable[tuple[date | None, date, int]]) -> ReachedCustomers:
    """Return what different customers add up to.

    pairs: the month in which they were reached before, or None, the month, and how many there are.
    """
    places: dict[date | None, int] = {
        one.first_day: place for place, one in enumerate(months.each(), 1)
    }
    places[None] = 0
    counts = np.zeros(pair_place(0, months.size + 1), np.int64)
    for before, month, customers in pairs:
        counts[pair_place(places[before], places[month])] += customers
    return ReachedCustomers(months, counts)
