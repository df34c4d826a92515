"""Times to instants: microseconds in UTC, as `calendar` has their days."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def instant(
    moment: date | datetime, timezone: str, without_zone: str | None = None, *, days: bool = False
) -> datetime | None:
    """Return the instant of a time in UTC; that of a date, where days have one, is its midnight.

    A local time without a zone is read with fold 0: the earlier of two where clocks are put back;
    where they are put forward, what a clock that was not yet would have meant.

    >>> instant(datetime(2024, 6, 1, 12), "Europe/Madrid")
    datetime.datetime(2024, 6, 1, 10, 0, tzinfo=datetime.timezone.utc)
    >>> instant(datetime(2024, 10, 27, 2, 30), "Europe/Madrid").hour  # at +2 first, then at +1
    0
    >>> instant(datetime(2024, 3, 31, 2, 30), "Europe/Madrid")  # was never: half past three at +2
    datetime.datetime(2024, 3, 31, 1, 30, tzinfo=datetime.timezone.utc)
    >>> instant(datetime(2024, 6, 1, 12), "Europe/Madrid", "utc").hour
    12
    >>> instant(date(2024, 6, 1), "Europe/Madrid") is None
    True
    >>> instant(date(2024, 6, 1), "Europe/Madrid", days=True)
    datetime.datetime(2024, 5, 31, 22, 0, tzinfo=datetime.timezone.utc)
    """
    if not isinstance(moment, datetime):
        if not days:
            return None
        moment, without_zone = datetime.combine(moment, time()), None
    if moment.tzinfo is None:
        zone = UTC if without_zone == "utc" else ZoneInfo(timezone)
        moment = moment.replace(tzinfo=zone, fold=0)
    return moment.astimezone(UTC)
