"""Who was in which segment, and when: by walking the days."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from oracle.history import History
from oracle.lifecycle import Thresholds, segment
from oracle.profile import Row, entries_seen


@dataclass(frozen=True)
class Interval:
    """A segment from a day on, until another one: None while open."""

    segment: Any
    valid_from: Any
    valid_to: Any


def joined(segments: Iterable[tuple[Any, Any]]) -> list[Interval]:
    """Return the intervals of one customer, given the segment of each day; None: in no segment.

    >>> for interval in joined([(1, None), (2, "A"), (3, "A"), (4, "B"), (5, None), (6, "B")]):
    ...     print(interval.segment, interval.valid_from, interval.valid_to)
    A 2 4
    B 4 5
    B 6 None
    """
    intervals: list[Interval] = []
    current = None
    for day, name in segments:
        if name == current:
            continue
        if current is not None:
            intervals[-1] = replace(intervals[-1], valid_to=day)
        if name is not None:
            intervals.append(Interval(name, day, None))
        current = name
    return intervals


def of_all(
    segments: Iterable[tuple[date, Mapping[Hashable, Any]]],
) -> dict[Hashable, list[Interval]]:
    """Return the intervals of every customer, given their segments on each day.

    >>> of_all([(date(2024, 1, 1), {}), (date(2024, 1, 2), {"ann": "A"})])["ann"][0].valid_from
    datetime.date(2024, 1, 2)
    """
    days = list(segments)
    names = {name for _, assigned in days for name in assigned}
    found = {name: joined((day, assigned.get(name)) for day, assigned in days) for name in names}
    return {name: intervals for name, intervals in found.items() if intervals}


def days_between(first: date, last: date) -> list[date]:
    """Return all days from the first to the last."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def lifecycle(
    history: History, thresholds: Thresholds, first: date, last: date
) -> dict[Hashable, list[Interval]]:
    """Return the lifecycle membership: on every day, the segment as of the day.

    >>> from oracle.history import OrderRow, build
    >>> history = build([OrderRow("ann", date(2025, 12, 3), 1)])
    >>> found = lifecycle(history, Thresholds(), date(2025, 12, 1), date(2026, 6, 1))
    >>> for interval in found["ann"]:
    ...     print(interval.segment, interval.valid_from, interval.valid_to)
    New – 1 order 2025-12-03 2026-01-03
    Promising 2026-01-03 2026-04-03
    At-risk 2026-04-03 None
    """
    return of_all((day, segments_on(history, thresholds, day)) for day in days_between(first, last))


def segments_on(history: History, thresholds: Thresholds, day: date) -> dict[Hashable, str]:
    """Return the segment of every customer who exists on a day, as `oracle.profile` has it.

    >>> from oracle.history import OrderRow, build
    >>> segments_on(build([OrderRow("ann", date(2025, 12, 3), 1)]), Thresholds(), date(2026, 1, 3))
    {'ann': 'Promising'}
    """
    found = {}
    for name, customer in history.customers.items():
        registered_on = customer.registered_as_of(day)
        if registered_on is None:
            continue
        entries = entries_seen(customer, day)
        ordered = [entry.day for entry in entries if entry.is_order]
        row: Row = {
            "days_since_registration": (day - registered_on).days,
            "orders": len(ordered),
            "days_since_last_order": (day - max(ordered)).days if ordered else None,
        }
        found[name] = segment(row, thresholds)
    return found
