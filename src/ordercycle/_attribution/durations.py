"""Lengths of time: as they are given, and in microseconds."""

from __future__ import annotations

import re
from datetime import timedelta

from ordercycle._errors import ConfigError, Option

MICROSECOND = timedelta(microseconds=1)
#: No two instants between 1900 and 2199 are further apart.
LONGEST = timedelta(days=366 * 300)
#: Units of durations, by the letter that stands for them; days are of 24 hours.
UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
TEXT = re.compile(r"(\d{1,30})([dhms])")


def duration_of(given: object, *where: str | Option) -> timedelta:
    """Return a duration that is given as one, or as text; where: what names it in an error.

    Raises
    ------
    ConfigError
        It is neither, negative, or longer than all that there can be.

    Examples
    --------
    >>> duration_of("12h", "window")
    datetime.timedelta(seconds=43200)
    """
    matched = TEXT.fullmatch(given) if isinstance(given, str) else None
    found = given
    if matched is not None:
        unit = UNITS[matched[2]]
        found = min(int(matched[1]), LONGEST // unit + 1) * unit
    if not isinstance(found, timedelta) or found < timedelta(0):
        raise ConfigError(
            (*where, " is no duration"),
            remedy='pass text such as "5d", "12h" or "30m", or a timedelta that is not negative',
        )
    if found > LONGEST:
        raise ConfigError(
            (*where, f" is longer than {LONGEST.days:,} days, which orders and touches can span"),
            remedy="pass a shorter one",
        )
    return found


def duration_text(duration: timedelta) -> str:
    """Return a duration as text, in the largest unit that holds it.

    >>> duration_text(timedelta(hours=36)), duration_text(timedelta(seconds=90))
    ('36h', '90s')
    """
    for letter, unit in UNITS.items():
        if duration % unit == timedelta(0):
            return f"{duration // unit}{letter}"
    return str(duration)


def in_microseconds(duration: timedelta) -> int:
    """Return a duration in microseconds."""
    return duration // MICROSECOND
