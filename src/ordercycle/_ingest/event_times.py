"""Times of events as instants: microseconds since 1970 in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view
from ordercycle._ingest.column_readers import SECONDS_PER_DAY, UNITS_PER_SECOND, TimeReader
from ordercycle._ingest.time_zones import zone_table
from ordercycle_kernels import calendar

PER_SECOND = 10**6

Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class InstantReader:
    """Reads dates and timestamps as instants; parts of a microsecond are cut off.

    Times without a zone are those of the business time zone, unless they are said to be UTC: the
    earlier of two where clocks are put back, and the one shifted forward where there is none. A
    date is its first moment there.
    """

    time: TimeReader

    @property
    def has_instants(self) -> bool:
        """Whether times are more than days."""
        return bool(pa.types.is_timestamp(self.time.kind))

    def instants_into(self, array: pa.Array, out: Int64s) -> None:
        """Write the instants; those of nulls, and outside the years 1900 to 2199, are anything."""
        kind = self.time.kind
        if pa.types.is_null(array.type):
            out[:] = 0
            return
        if pa.types.is_timestamp(kind):
            times, per_second = fixed_view(array, np.int64), UNITS_PER_SECOND[kind.unit]
        else:
            item = np.int32 if pa.types.is_date32(kind) else np.int64
            days = fixed_view(array, item).astype(np.int64)
            if pa.types.is_date64(kind):
                days //= 1000 * SECONDS_PER_DAY
            times, per_second = days * SECONDS_PER_DAY, 1
        if per_second <= PER_SECOND:
            np.multiply(times, PER_SECOND // per_second, out=out)
        else:
            np.floor_divide(times, per_second // PER_SECOND, out=out)
        if not self.time.are_instants and self.time.times.timezone != "UTC":
            calendar.instants_of_local_times(*local_table(self.time.times.timezone), out)


@cache
def local_table(zone: str) -> tuple[Int64s, Int64s]:
    """Return from which local time on, in microseconds, which offset from UTC is in force.

    A change of clocks takes hold where neither of its offsets leaves a doubt: local times that
    come twice, or never, are read with the offset before it.
    """
    table = zone_table(zone)
    begins = table.begins.copy()
    begins[1:] += np.maximum(table.offsets[:-1], table.offsets[1:])
    begins[0] = np.iinfo(np.int64).min // PER_SECOND
    return begins * PER_SECOND, table.offsets * PER_SECOND
