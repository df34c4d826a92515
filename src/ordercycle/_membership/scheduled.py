"""Memberships recalculated on a schedule, and held in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._days import date_of
from ordercycle._errors import check_choice
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.exact import Span
from ordercycle._membership.intervals import OfHistory, check_history
from ordercycle._membership.timeline import Timeline
from ordercycle._profile import ProfileBuilder
from ordercycle._workspace import Workspace
from ordercycle_kernels.calendar import FIRST_DAY
from ordercycle_kernels.timeline import close_intervals

#: Gives each customer of a profile the code of a segment, or NOWHERE.
Assign: TypeAlias = Callable[[pa.RecordBatch], NDArray[np.int8]]
NOWHERE = np.int16(-1)


class Recalculation(NamedTuple):
    """A profile as of a day, and what gives its customers segments from this day on."""

    builder: ProfileBuilder
    assign: Assign


def is_every_day(_: date) -> bool:
    """Return True: each day is the last of itself."""
    return True


def is_last_of_week(day: date) -> bool:
    """Return whether a day is a Sunday, the last day of an ISO week."""
    return day.isoweekday() == SUNDAY


def is_last_of_month(day: date) -> bool:
    """Return whether the next day is the first of a month."""
    return (day + timedelta(days=1)).day == 1


SUNDAY = 7
#: The days as of which is recalculated: what is known when a day, week or month begins.
SCHEDULES: dict[str, Callable[[date], bool]] = {
    "day": is_every_day,
    "week": is_last_of_week,
    "month": is_last_of_month,
}


class Schedule(NamedTuple):
    """The first and the last day of a membership, and those as of which it is recalculated."""

    first: int
    last: int
    days: list[int]

    @classmethod
    def of(
        cls, history: OrderHistory, start: date | str | None, end: date | str | None, every: str
    ) -> Schedule:
        """Return a schedule from start to end; None: from the first and to the last order's day.

        Raises
        ------
        ConfigError
            Where `history` is none, `start` or `end` is no day, they are in the wrong order, or
            `every` is no choice.
        """
        check_history(history)
        check_choice("every", every, SCHEDULES)
        span = Span.of(start, end)
        first = grouped_orders(history).first_day if start is None else span.first
        last = grouped_orders(history).last_day if end is None else span.last
        if first is None or last is None or first > last:
            return cls(span.first, span.last, [])
        return cls(first, last, scheduled_days(every, first, last))


def scheduled_days(every: str, first: int, last: int) -> list[int]:
    """Return the days of recalculation from first to last, and the last one before them.

    Examples
    --------
    >>> january_10, march_30 = 20_098, 20_177
    >>> [str(date_of(day)) for day in scheduled_days("month", january_10, march_30)]
    ['2024-12-31', '2025-01-31', '2025-02-28']
    """
    falls = SCHEDULES[every]
    before = first
    while before > FIRST_DAY and not falls(date_of(before)):
        before -= 1
    return [day for day in range(before, last + 1) if falls(date_of(day))]


class ScheduledIntervals(OfHistory):
    """Intervals of segments that profiles as of some days have."""

    def __init__(
        self,
        history: OrderHistory,
        recalculations: Sequence[Recalculation],
        first_day: int,
        last_day: int,
    ) -> None:
        super().__init__(history, first_day, last_day)
        self._recalculations = recalculations

    def timeline(
        self,
        number: int,  # noqa: ARG002 - a part's intervals follow from its profiles
        customers: CustomerBatch,
        workspace: Workspace,
    ) -> Timeline:
        """Return the intervals of a part's customers."""
        count = len(customers.ids)
        codes = np.full(count, NOWHERE, np.int16)
        changes = []
        for builder, assign in self._recalculations:
            existing = builder.existing(customers)
            if not existing.any():
                continue
            before = codes.copy()
            codes[existing] = assign(builder.batch(customers, workspace))
            changed = np.flatnonzero(codes != before)
            changes.append(
                (changed, codes[changed], np.full(changed.size, builder.as_of, np.int32))
            )
        return _timeline(changes, count, self._first_day)


def _timeline(
    changes: Sequence[tuple[NDArray[np.int64], NDArray[np.int16], NDArray[np.int32]]],
    count: int,
    first_day: int,
) -> Timeline:
    """Return the intervals that changes (customer, segment from then on, day), by day, make."""
    none = (np.empty(0, np.int64), np.empty(0, np.int16), np.empty(0, np.int32))
    rows, codes, days = (np.concatenate(some) for some in zip(none, *changes, strict=True))
    order = np.argsort(rows, kind="stable")
    rows, codes, starts = rows[order], codes[order], np.maximum(days[order], np.int32(first_day))
    stops = np.empty(rows.size, np.int32)
    close_intervals(_offsets(rows, count), starts, stops)
    there = codes != NOWHERE
    return Timeline(_offsets(rows[there], count), codes[there], starts[there], stops[there])


def _offsets(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
