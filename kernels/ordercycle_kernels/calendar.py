"""Instants to calendar days.

Days count from 1970-01-01, as in Arrow's date32. Years 1900 to 2199 are accepted; an instant
outside them becomes `NO_DAY`.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Int32Out, Int32s, Int64Out, Int64s

FIRST_DAY = np.int64(-25567)  # 1900-01-01
LAST_DAY = np.int64(84005)  # 2199-12-31
NO_DAY = np.int32(-(2**31))

# n = instants, t = offsets of a time zone in force one after the other


@helper
def day_of(instant: np.int64, units_per_day: int, days_per_unit: float) -> np.int64:
    """Divide and round down: a product and one correction, far faster than a division."""
    day = np.int64(np.float64(instant) * days_per_unit)
    rest = instant - day * units_per_day
    if rest < 0:
        day -= 1
    elif rest >= units_per_day:
        day += 1
    return day


@helper
def accepted(day: np.int64) -> np.int32:
    """Return the day, or `NO_DAY` outside the years 1900 to 2199."""
    return np.int32(day) if FIRST_DAY <= day <= LAST_DAY else NO_DAY


@kernel
def check_days(days: Int32s, out_days: Int32Out) -> int:
    """Copy days and return how many are outside the accepted years: days, out_days: (n,)."""
    refused = 0
    for row in range(days.size):
        day = accepted(np.int64(days[row]))
        out_days[row] = day
        refused += day == NO_DAY
    return refused


@kernel
def local_days(instants: Int64s, units_per_day: int, out_days: Int32Out) -> int:
    """Write the day of each local instant and return how many are outside the accepted years.

    instants: (n,) in units of which units_per_day make a day; out_days: (n,).
    """
    refused = 0
    days_per_unit = 1.0 / np.float64(units_per_day)
    for row in range(instants.size):
        day = accepted(day_of(instants[row], units_per_day, days_per_unit))
        out_days[row] = day
        refused += day == NO_DAY
    return refused


@kernel
def instants_of_local_times(begins: Int64s, offsets: Int64s, times: Int64Out) -> None:
    """Turn local times into instants, in place.

    begins: (t,), the local time from which each offset is in force, ascending, the first below all
    times; offsets: (t,), local minus UTC; times: (n,), in the same unit.
    """
    place = 0
    for row in range(times.size):
        time = times[row]
        # Neighbours are mostly of one season.
        if time < begins[place] or (place + 1 < begins.size and time >= begins[place + 1]):
            place, stop = 0, begins.size
            while stop - place > 1:
                middle = (place + stop) >> 1
                if begins[middle] <= time:
                    place = middle
                else:
                    stop = middle
        times[row] = time - offsets[place]


@kernel
def zoned_days(
    instants: Int64s,
    units_per_day: int,
    begins: Int64s,
    offsets: Int64s,
    first_of_day: Int32s,
    out_days: Int32Out,
) -> int:
    """Write the day of each UTC instant in a time zone; return how many are refused.

    instants, out_days: (n,); begins: (t,), the instant from which each offset is in force, in the
    instants' unit; offsets: (t,), local minus UTC, in the same unit; first_of_day:
    (LAST_DAY - FIRST_DAY + 3,), which offset is in force when a UTC day begins, from the day
    before FIRST_DAY to the day after LAST_DAY.
    """
    refused = 0
    days_per_unit = 1.0 / np.float64(units_per_day)
    for row in range(instants.size):
        instant = instants[row]
        utc_day = day_of(instant, units_per_day, days_per_unit)
        day = NO_DAY
        if FIRST_DAY - 1 <= utc_day <= LAST_DAY + 1:
            offset = np.int64(first_of_day[utc_day - (FIRST_DAY - 1)])
            while offset + 1 < begins.size and instant >= begins[offset + 1]:
                offset += 1
            day = accepted(day_of(instant + offsets[offset], units_per_day, days_per_unit))
        out_days[row] = day
        refused += day == NO_DAY
    return refused
