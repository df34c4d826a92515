"""Days against the standard library's dates and time zones."""

import datetime as dt
import zoneinfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle._ingest.time_zones import zone_table
from ordercycle_kernels import calendar

pytestmark = pytest.mark.kernels

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
instants = st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**11), 10**11)


def accepted(day):
    return day if calendar.FIRST_DAY <= day <= calendar.LAST_DAY else calendar.NO_DAY


def test_the_accepted_years_are_1900_to_2199():
    first = (dt.date(1900, 1, 1) - dt.date(1970, 1, 1)).days
    last = (dt.date(2199, 12, 31) - dt.date(1970, 1, 1)).days
    assert (first, last) == (calendar.FIRST_DAY, calendar.LAST_DAY)


@given(st.lists(instants), st.sampled_from(list(PER_SECOND)))
def test_instants_become_days(values, unit):
    per_day = PER_SECOND[unit] * 86_400
    out = np.empty(len(values), np.int32)
    refused = calendar.local_days(np.array(values, np.int64), per_day, out)
    expected = [accepted(value // per_day) for value in values]
    assert out.tolist() == expected
    assert refused == expected.count(calendar.NO_DAY)


@given(st.lists(st.integers(-40_000, 100_000)), st.sampled_from(list(PER_SECOND)))
def test_the_first_and_last_unit_of_a_day_belong_to_it(days, unit):
    per_day = PER_SECOND[unit] * 86_400
    for edge in (0, per_day - 1):
        values = [day * per_day + edge for day in days]
        values = [value if abs(value) < 2**63 else 2**63 - 1 for value in values]
        out = np.empty(len(values), np.int32)
        calendar.local_days(np.array(values, np.int64), per_day, out)
        assert out.tolist() == [accepted(value // per_day) for value in values]


@given(st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_dates_are_checked(days):
    out = np.empty(len(days), np.int32)
    refused = calendar.check_days(np.array(days, np.int32), out)
    assert out.tolist() == [accepted(day) for day in days]
    assert refused == sum(accepted(day) == calendar.NO_DAY for day in days)


def local_day(second, zone):
    local = (EPOCH + dt.timedelta(seconds=second)).astimezone(zone)
    return (local.date() - dt.date(1970, 1, 1)).days


@given(
    st.sampled_from(
        ["Europe/Madrid", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
         "Pacific/Apia", "America/St_Johns", "Africa/Monrovia", "Pacific/Kiritimati"]
    ),
    st.lists(st.integers(-2_208_988_800, 7_258_118_399), min_size=1),
    st.sampled_from(list(PER_SECOND)),
)  # fmt: skip
def test_zoned_instants_become_local_days(name, seconds, unit):
    zone = zoneinfo.ZoneInfo(name)
    table = zone_table(name)
    per_second = PER_SECOND[unit]
    values = np.array([second * per_second + per_second - 1 for second in seconds], np.int64)
    out = np.empty(values.size, np.int32)
    calendar.zoned_days(
        values, 86_400 * per_second, table.begins * per_second, table.offsets * per_second,
        table.first_of_day, out,
    )  # fmt: skip
    assert out.tolist() == [accepted(local_day(second, zone)) for second in seconds]


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=9, unique=True),
    st.lists(st.integers(-60, 60)),
    st.data(),
)
def test_local_times_become_instants(begins, times, data):
    begins = [-(2**62), *sorted(begins)]
    offsets = data.draw(st.lists(st.integers(-14, 14), min_size=len(begins), max_size=len(begins)))
    out = np.array(times, np.int64)
    calendar.instants_of_local_times(np.array(begins, np.int64), np.array(offsets, np.int64), out)
    in_force = [max(place for place, begin in enumerate(begins) if begin <= time) for time in times]
    expected = [time - offsets[place] for time, place in zip(times, in_force, strict=True)]
    assert out.tolist() == expected
