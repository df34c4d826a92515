"""Instants to days of the business calendar."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from oracle.errors import DataError

FIRST_YEAR, LAST_YEAR = 1900, 2199


def local_day(time: date | datetime | None, timezone: str, without_zone: str | None = None) -> date:
    """Return the business day of a time; one without a zone is local already, unless it is UTC.

    >>> from datetime import UTC
    >>> midnight = datetime(2024, 3, 31, 22, 30, tzinfo=UTC)
    >>> local_day(midnight, "Europe/Madrid")  # summer time began in the morning: UTC+2
    datetime.date(2024, 4, 1)
    >>> local_day(midnight, "America/New_York")
    datetime.date(2024, 3, 31)
    >>> local_day(midnight.replace(tzinfo=None), "Europe/Madrid")
    datetime.date(2024, 3, 31)
    >>> local_day(midnight.replace(tzinfo=None), "Europe/Madrid", "utc")
    datetime.date(2024, 4, 1)
    >>> local_day(date(2024, 3, 31), "Asia/Tokyo", "utc")
    datetime.date(2024, 3, 31)
    >>> local_day(date(1899, 12, 31), "UTC")
    Traceback (most recent call last):
    oracle.errors.DataError: time outside 1900-2199
    """
    if time is None:
        raise DataError("time is missing")
    if isinstance(time, datetime):
        if time.tzinfo is None and without_zone == "utc":
            time = time.replace(tzinfo=UTC)
        if time.tzinfo is not None:
            time = time.astimezone(ZoneInfo(timezone))
        time = time.date()
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise DataError("time outside 1900-2199")
    return time
