"""Calendar days as users write them: dates and ISO text, never instants."""

from __future__ import annotations

from datetime import date, datetime

from ordercycle.errors import ConfigError

EPOCH = date(1970, 1, 1)
FIRST_YEAR, LAST_YEAR = 1900, 2199


def day_number(value: date | str, option: str) -> int:
    """Return the days since 1970-01-01 of a date or ISO text (``"2026-11-01"``)."""
    if isinstance(value, datetime):
        raise ConfigError(
            f"{option}={value!r} is an instant, not a day; pass its date in the business time "
            f"zone, for example {option}={value.date().isoformat()!r}"
        )
    if isinstance(value, str):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise ConfigError(
                f"{option}={value!r} is not a day; write it as '2026-11-01'"
            ) from None
    elif isinstance(value, date):
        day = value
    else:
        raise ConfigError(
            f"{option}={value!r} is not a day; pass a datetime.date or text as '2026-11-01'"
        )
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ConfigError(f"{option}={value!r} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return (day - EPOCH).days


def date_of(number: int) -> date:
    """Return the date of a day number."""
    return date.fromordinal(EPOCH.toordinal() + number)
