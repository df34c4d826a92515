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
PER_DAY = PER_SECOND * SECONDS_PER_DAY

Int32s = NDArray[np.int32]
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

    @property
    def are_exact(self) -> bool:
        """Whether times are microseconds in UTC or parts of them: no instant is out of reach."""
        kind = self.time.kind
        is_fine = pa.types.is_timestamp(kind) and UNITS_PER_SECOND[kind.unit] >= PER_SECOND
        return bool(is_fine) and (self.time.are_instants or self.time.times.timezone == "UTC")

    def given(self, array: pa.Array) -> Int64s | None:
        """Return instants that are so given, those of nulls anything; None for others."""
        if not self.are_exact or pa.types.is_null(array.type) or self.time.kind.unit != "us":
            return None
        return fixed_view(array, np.int64)

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


@dataclass(frozen=True)
class InstantDays:
    """The business days of instants."""

    timezone: str

    @classmethod
    def of(cls, time: TimeReader) -> InstantDays | None:
        """Return those of a column; None where instants do not tell, or not in their order.

        They do not where local times are moved to where there are any: that may be another day.
        """
        zone = time.times.timezone
        is_told = pa.types.is_timestamp(time.kind) and (time.are_instants or zone == "UTC")
        return cls(zone) if is_told and days_ascend_in(zone) else None

    def ends(self, instants: Int64s) -> tuple[int, int] | None:
        """Return the first and the last day, or None where one of them is not accepted."""
        days = np.empty(2, np.int32)
        self.of_instants(np.array([instants.min(), instants.max()]), days)
        first, last = days.tolist()
        return None if calendar.NO_DAY in (first, last) else (first, last)

    def of_instants(self, instants: Int64s, out: Int32s) -> None:
        """Write the day of each instant: (n,) each."""
        if self.timezone == "UTC":
            calendar.local_days(instants, PER_DAY, out)
        else:
            zone = zone_table(self.timezone)
            begins, offsets = zone.begins * PER_SECOND, zone.offsets * PER_SECOND
            calendar.zoned_days(instants, PER_DAY, begins, offsets, zone.first_of_day, out)


@cache
def days_ascend_in(zone: str) -> bool:
    """Return whether no clock of a zone is put back to the day before."""
    begins, offsets, _ = zone_table(zone)
    before, after = begins[1:] - 1 + offsets[:-1], begins[1:] + offsets[1:]
    return bool((before // SECONDS_PER_DAY <= after // SECONDS_PER_DAY).all())


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
