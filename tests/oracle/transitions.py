"""Who changed segments between two tables, and what comes next by waiting."""

from collections import Counter
from collections.abc import Callable, Hashable
from datetime import date, timedelta

from oracle.profile import Row

Segments = dict[Hashable, str | None]

LAST_DAY = date(2199, 12, 31)


def transitions(before: Segments, after: Segments) -> dict[Hashable, tuple[str | None, str | None]]:
    """Return the segments before and after of every customer for whom they differ.

    >>> transitions({"ann": "Loyal", "bob": "Active"}, {"bob": "Active", "cy": None, "di": "New"})
    {'ann': ('Loyal', None), 'di': (None, 'New')}
    """
    pairs = {name: (before.get(name), after.get(name)) for name in before | after}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def matrix(before: Segments, after: Segments) -> Counter[tuple[str | None, str | None]]:
    """Return how many customers there are of each pair of segments.

    >>> matrix({"ann": "Loyal"}, {"ann": "Loyal", "bob": "New"})
    Counter({('Loyal', 'Loyal'): 1, (None, 'New'): 1})
    """
    return Counter((before.get(name), after.get(name)) for name in before | after)


def waited(row: Row, days: int) -> Row:
    """Return the profile of a customer who buys nothing for some days more."""
    later = row | {"days_since_registration": row["days_since_registration"] + days}
    if row["days_since_last_order"] is not None:
        later["days_since_last_order"] = row["days_since_last_order"] + days
    return later


def next_transition(
    row: Row, as_of: date, segment: Callable[[Row], str | None], days: int
) -> tuple[str, date] | None:
    """Walk day by day until the segment is another one; None where it stays for so many days.

    Days end with the year 2199.

    >>> def by_age(row):
    ...     return "new" if row["days_since_registration"] <= 3 else "old"
    >>> row = {"days_since_registration": 2, "days_since_last_order": None}
    >>> next_transition(row, date(2026, 1, 30), by_age, days=9)
    ('old', datetime.date(2026, 2, 1))
    """
    present = segment(row)
    for day in range(1, min(days, (LAST_DAY - as_of).days) + 1):
        following = segment(waited(row, day))
        if following != present:
            return following, as_of + timedelta(days=day)
    return None
