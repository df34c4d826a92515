"""Calendar days as users write them: dates and ISO text, never instants; and time zones."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from ordercycle._errors import ConfigError, Option, suggestion

EPOCH = date(1970, 1, 1)
FIRST_YEAR, LAST_YEAR = 1900, 2199


def day_number(value: date | str, option: str) -> int:
    """Return the days since 1970-01-01 of a date or ISO text (``"2026-11-01"``)."""
    if isinstance(value, datetime):
        raise ConfigError(
            (Option(option, value), " is an instant, not a day"),
            remedy=(
                "pass its date in the business time zone: ",
                Option(option, value.date().isoformat()),
                f", or {option}=value.date() of a value",
            ),
        )
    if isinstance(value, str):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise ConfigError(
                (Option(option, value), " is not a day"), remedy="write it as '2026-11-01'"
            ) from None
    elif isinstance(value, date):
        day = value
    else:
        raise ConfigError(
            (Option(option, value), " is not a day"),
            remedy="pass a datetime.date or text as '2026-11-01'",
        )
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ConfigError(
            (Option(option, value), f" is outside the years {FIRST_YEAR} to {LAST_YEAR}")
        )
    return number_of(day)


def number_of(day: date) -> int:
    """Return the days since 1970-01-01 of a date."""
    return (day - EPOCH).days


def date_of(number: int) -> date:
    """Return the date of a day number."""
    return date.fromordinal(EPOCH.toordinal() + number)


def named_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name."""
    if not isinstance(name, str):
        raise ConfigError(
            (Option("timezone", name), " is not an IANA name"),
            remedy=("pass one such as ", Option("timezone", "Europe/Madrid")),
        )
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = suggestion(name, available_timezones())
        raise ConfigError(
            (Option("timezone", name), f" is not a known IANA name{hint}"),
            remedy="write it as 'Europe/Madrid' (the package tzdata brings the names where the "
            "system has none)",
        ) from None
