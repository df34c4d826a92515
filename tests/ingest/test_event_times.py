"""Instants of events against the standard library."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle.instants import instant

from ordercycle._ingest.column_readers import TimeReader
from ordercycle._ingest.event_times import InstantReader
from ordercycle._sources.read_request import Times

ZONES = ["UTC", "Europe/Madrid", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = [
    pa.date32(),
    pa.date64(),
    *(
        pa.timestamp(unit, zone)
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "Asia/Tokyo")
    ),
]


def local(*fields):
    return datetime(*fields)  # noqa: DTZ001 - local times are meant


def read(array, zone, without_zone):
    reader = InstantReader(
        TimeReader.of(pa.field("time", array.type), "events", Times(zone, without_zone))
    )
    out = np.empty(len(array), np.int64)
    reader.instants_into(array, out)
    return [EPOCH + timedelta(microseconds=int(one)) for one in out]


moments = st.datetimes(local(1900, 1, 2), local(2199, 12, 30)) | st.datetimes(
    local(2024, 3, 31), local(2024, 4, 8)
)


@settings(max_examples=200)
@given(
    st.lists(moments, min_size=1, max_size=8),
    st.sampled_from(KINDS),
    st.sampled_from(ZONES),
    st.sampled_from([None, "local", "utc"]),
)
@example([local(2024, 10, 27, 2, 30)], pa.timestamp("us"), "Europe/Madrid", None)
@example([local(2024, 3, 31, 2, 30)], pa.timestamp("s"), "Europe/Madrid", "local")
@example([local(2024, 4, 7, 1, 45)], pa.timestamp("ms"), "Australia/Lord_Howe", None)
def test_instants_are_those_of_the_standard_library(times, kind, zone, without_zone):
    if pa.types.is_date(kind):
        given_times = [time.date() for time in times]
        array = pa.array(given_times, kind)
    else:
        if kind.unit == "ns":  # not all years have nanoseconds in 64 bits
            times = [time.replace(year=1980 + time.year % 200) for time in times if time.day < 29]
        if kind.tz is not None:
            times = [time.replace(tzinfo=UTC) for time in times]
        step = {"s": 10**6, "ms": 1000}.get(kind.unit, 1)
        given_times = [time.replace(microsecond=time.microsecond // step * step) for time in times]
        array = pa.array(given_times, kind)
    expected = [instant(one, zone, without_zone, days=True) for one in given_times]
    assert read(array, zone, without_zone) == expected


def test_parts_of_a_microsecond_are_cut_off():
    array = pa.array([1_999, -1], pa.timestamp("ns", "UTC"))
    assert read(array, "UTC", None) == [
        EPOCH + timedelta(microseconds=1),
        EPOCH - timedelta(microseconds=1),
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_a_date_is_its_first_moment_there(zone):
    first = datetime(2026, 7, 1, tzinfo=ZoneInfo(zone))
    assert read(pa.array([date(2026, 7, 1)]), zone, "utc") == [first]
