"""A business time zone as the arrays that the calendar kernel reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import named_zone
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY

SECONDS_PER_DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ZoneTable(NamedTuple):
    """The offsets of a zone from a day before 1900 to a day after 2199."""

    begins: NDArray[np.int64]  # (t,) UTC second from which each offset is in force
    offsets: NDArray[np.int64]  # (t,) local minus UTC, seconds
    first_of_day: NDArray[np.int32]  # which offset is in force when a UTC day begins


@cache
def zone_table(name: str) -> ZoneTable:
    """Tabulate a zone: its offset at every midnight, and the second of each change between.

    A change that is undone within the same UTC day would be missed; no zone has one.
    """
    zone = named_zone(name)

    def offset_at(second: int) -> int:
        local = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
        return round(local.total_seconds()) if local is not None else 0

    midnights = range(int(FIRST_DAY) - 1, int(LAST_DAY) + 3)
    begins = [midnights[0] * SECONDS_PER_DAY]
    offsets = [offset_at(begins[0])]
    first_of_day = []
    for day in midnights[:-1]:
        first_of_day.append(len(begins) - 1)
        following = offset_at((day + 1) * SECONDS_PER_DAY)
        if following != offsets[-1]:
            low, high = day * SECONDS_PER_DAY, (day + 1) * SECONDS_PER_DAY
            while low + 1 < high:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(middle) == offsets[-1] else (low, middle)
            begins.append(high)
            offsets.append(following)
    return ZoneTable(
        np.array(begins, np.int64), np.array(offsets, np.int64), np.array(first_of_day, np.int32)
    )
