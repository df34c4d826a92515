"""Integers and times from text, against Python's own int, fromisoformat and strptime."""

import datetime as dt
import re

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ordercycle._sources.text.time_formats import time_formats
from ordercycle._sources.text.times import program
from ordercycle_kernels import text_values

pytestmark = pytest.mark.kernels

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ANY, SIGNED, FLOATS, LENIENT = 0, text_values.SIGNED, text_values.WHOLE_FLOATS, text_values.LENIENT
PATTERNS = {
    ANY: r"0|[1-9]\d*",
    SIGNED: r"0|-?[1-9]\d*",
    FLOATS: r"(?:0|[1-9]\d*)(?:\.0)?",
    LENIENT | FLOATS: r"[ \t]*[+-]?\d+(?:\.0)?[ \t]*",
}


def laid_out(values):
    data = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, data)], dtype=np.int32)
    return offsets, np.frombuffer(b"".join(data), np.uint8)


def integer(text, allowed):
    if not re.fullmatch(PATTERNS[allowed], text, re.ASCII):
        return None
    number, point, _ = text.strip().partition(".")
    value = int(number)
    most = 2**53 if point else 2**63 - 1
    return value if abs(value) <= most else None


numbers = st.integers(-(2**65), 2**65) | st.sampled_from(
    [2**63 - 1, 2**63, -(2**63) + 1, 2**53, 2**53 + 1, 0, 7, 10**18, 10**19, 2**64 + 5]
)
spellings = st.builds(
    lambda before, number, after: before + str(number) + after,
    st.sampled_from(["", "+", "-", "0", "00", " ", "\t", "x"]),
    numbers,
    st.sampled_from(["", ".0", ".00", ".5", " ", "e3", ".0 "]),
) | st.text(alphabet="0123456789+-. ex", min_size=1, max_size=6)


@pytest.mark.parametrize("allowed", PATTERNS)
@given(values=st.lists(st.just("") | spellings, max_size=6))
def test_integers_are_what_they_are_to_python(allowed, values):
    offsets, data = laid_out(values)
    out = np.empty(len(values), np.int64)
    found = text_values.read_integers(offsets, data, allowed, out)
    expected = [0 if value == "" else integer(value, allowed) for value in values]
    first = next((row for row, value in enumerate(expected) if value is None), -1)
    assert found == first
    good = expected if first < 0 else expected[:first]
    assert out[: len(good)].tolist() == good


def read(values, formats=()):
    offsets, data = laid_out(values)
    micros, kinds = np.empty(len(values), np.int64), np.empty(len(values), np.int8)
    counts = np.empty(text_values.KINDS, np.int64)
    steps = program(time_formats(formats))
    text_values.read_times(offsets, data, *steps, micros, kinds, counts)
    assert counts.tolist() == [kinds.tolist().count(kind) for kind in range(text_values.KINDS)]
    return list(zip(kinds.tolist(), micros.tolist(), strict=True))


def micros_of(moment):
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


def kind_of(moment, *, is_day=False):
    if is_day:
        return text_values.A_DAY
    return text_values.ON_THE_WALL if moment.tzinfo is None else text_values.INSTANT


zones = st.none() | st.builds(
    lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)), st.integers(-14 * 60, 14 * 60)
)
moments = st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9999, 1, 1), timezones=zones)  # noqa: DTZ001


@given(st.lists(moments), st.sampled_from("T t"), st.sampled_from(["minutes", "seconds", "auto"]))
def test_iso_times_are_those_of_python(values, between, precision):
    texts = [value.isoformat(between, precision) for value in values]
    expected = [dt.datetime.fromisoformat(text.replace("t", "T")) for text in texts]
    assert read(texts) == [(kind_of(value), micros_of(value)) for value in expected]


@given(st.lists(moments))
def test_iso_offsets_may_have_no_colon_and_a_space_before_them(values):
    texts = [value.strftime("%Y-%m-%dT%H:%M:%S") + value.strftime("%z") for value in values]
    spaced = [re.sub(r"([+-]\d{4})$", r" \1", text) for text in texts]
    expected = [(kind_of(value), micros_of(value.replace(microsecond=0))) for value in values]
    assert read(texts) == expected
    for text, spaced_text, (kind, micros) in zip(texts, spaced, expected, strict=True):
        if kind == text_values.INSTANT:
            assert read([spaced_text]) == [(kind, micros)], text


@given(st.lists(st.dates()))
def test_iso_dates(values):
    noon = [dt.datetime(day.year, day.month, day.day) for day in values]  # noqa: DTZ001
    expected = [(text_values.A_DAY, micros_of(value)) for value in noon]
    assert read([day.isoformat() for day in values]) == expected


@pytest.mark.parametrize(
    "text",
    ["2026-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "0000-01-01", "2026-1-1", "20260101",
     "2026-01-01 24:00", "2026-01-01 10:60", "2026-01-01 10:00:60", "2026-01-01 ", "2026-01-01T",
     "2026-01-01 1:00", "2026-01-01 10:00 UTC", "2026-01-01 10:00:00.", "2026-01-01 10:00+24:00",
     "2026-01-01 10:00:00  +01:00", "2026-01-01x10:00", "01/02/2026", "2026-01-01Z", "x", "-",
     "2026-01-01 10:00:00.1234567890", "２０２６-01-01"],
)  # fmt: skip
def test_what_is_no_iso_time(text):
    expected = text_values.A_DAY if text == "2026-01-01 " else text_values.NO_TIME
    assert read([text])[0][0] == expected


def test_hours_alone_and_short_offsets_are_iso_too():
    assert read(["2026-01-01T05", "2026-01-01 05:00:00+00", "2026-01-01 05:00:00,5Z"]) == [
        (text_values.ON_THE_WALL, micros_of(dt.datetime(2026, 1, 1, 5))),  # noqa: DTZ001
        (text_values.INSTANT, micros_of(dt.datetime(2026, 1, 1, 5))),  # noqa: DTZ001
        (text_values.INSTANT, micros_of(dt.datetime(2026, 1, 1, 5, 0, 0, 500_000))),  # noqa: DTZ001
    ]


DATES = ["%d/%m/%Y", "%m/%d/%Y", "%Y.%m.%d", "%d-%m-%y", "%d %b %Y", "%B %d, %Y", "%a %d %B %Y",
         "%A, %b %d %Y", "%Y%m%d", "%d%m%y", "%Y%%%m%%%d"]  # fmt: skip
CLOCKS = ["", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S%p", ", %H.%M", "T%H:%M:%S.%f",
          " %H:%M:%S.%f %z", " %H:%M%z", " %H:%M:%S at once", "%H%M%S"]  # fmt: skip
patterns = st.builds("{}{}".format, st.sampled_from(DATES), st.sampled_from(CLOCKS))
in_use = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2068, 1, 1), timezones=zones)  # noqa: DTZ001


def unpadded(text):
    """Return text without the zeros before numbers, as many programs write them."""
    return re.sub(r"(?<!\d)0(?=\d(?!\d))", "", text)


@given(patterns, st.lists(in_use, max_size=4), st.booleans())
def test_times_are_those_of_strptime(pattern, values, without_zeros):
    if "%z" in pattern:
        values = [value for value in values if value.tzinfo is not None]
    texts = [value.strftime(pattern) for value in values]
    adjacent = re.search(r"%[YymdHIMS]%[YymdHIMS]", pattern)
    if without_zeros and not adjacent and "%f" not in pattern and "%y" not in pattern:
        texts = [unpadded(text) for text in texts]
    expected = [dt.datetime.strptime(text, pattern) for text in texts]  # noqa: DTZ007
    is_day = re.search("%[HI]", pattern) is None
    assert read([f" {text.upper()}\t" for text in texts], (pattern,)) == [
        (kind_of(value, is_day=is_day), micros_of(value)) for value in expected
    ]


def strptime(text, pattern):
    try:
        return dt.datetime.strptime(text.strip(" \t"), pattern)  # noqa: DTZ007
    except ValueError:
        return None


@given(
    st.sampled_from(["%d/%m/%Y", "%m/%d/%y", "%d.%m.%Y %H:%M", "%Y-%m-%d %I:%M %p", "%d %b %Y"]),
    st.lists(
        st.text(alphabet="0123459/.: -APMpmJanFeb", max_size=16)
        | st.builds("{}/{}/{}".format, st.integers(0, 40), st.integers(0, 14), st.integers(0, 2100))
        | st.builds(
            "{}.{}.{} {}:{}".format,
            st.integers(0, 32), st.integers(0, 13), st.integers(1990, 2030),
            st.integers(0, 25), st.integers(0, 61),
        ),
        max_size=5,
    ),
)  # fmt: skip
@example("%d/%m/%Y", ["29/02/2023", "29/02/2024", "31/04/2024", "1/1/2024", "01/01/24", "1/1/0"])
@example("%d %b %Y", ["1 feb 2024", "1  Feb\t2024", "1 Fe 2024", "1 Feb 2024 ", "1 Feb2024"])
def test_what_strptime_refuses_is_no_time(pattern, texts):
    assume(all(text.isascii() for text in texts))
    for text, (kind, micros) in zip(texts, read(texts, (pattern,)), strict=True):
        expected = strptime(text, pattern)
        if text == "":
            assert kind == text_values.MISSING
        elif expected is None:
            assert kind == text_values.NO_TIME, text
        else:
            assert kind != text_values.NO_TIME, text
            assert micros == micros_of(expected)


def test_the_first_format_that_fits_reads_a_value():
    formats = ("%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y")
    found = read(["03/04/2024", "03/14/2024", "03/04/24", "2024-04-03"], formats)
    days = [dt.date(1970, 1, 1) + dt.timedelta(micros // text_values.DAY_US) for _, micros in found]
    assert days[:3] == [dt.date(2024, 4, 3), dt.date(2024, 3, 14), dt.date(2024, 4, 3)]
    assert [kind for kind, _ in found] == [text_values.A_DAY] * 3 + [text_values.NO_TIME]


@given(st.lists(st.integers(-(10**11), 10**11)))
def test_seconds_since_1970_are_instants(seconds):
    expected = [(text_values.INSTANT, second * 10**6) for second in seconds]
    assert read(list(map(str, seconds)), ("%s",)) == expected


def test_utc_at_the_end_of_a_pattern_makes_instants():
    moment = dt.datetime(2021, 5, 17, 22, 30)  # noqa: DTZ001
    for ending in (" UTC", " GMT", "Z"):
        text = f"2021-05-17 22:30:00{ending}"
        assert read([text], (f"%Y-%m-%d %H:%M:%S{ending}",)) == [
            (text_values.INSTANT, micros_of(moment))
        ]
    assert read(["2021-05-17 22:30:00 CET"], ("%Y-%m-%d %H:%M:%S CET",)) == [
        (text_values.ON_THE_WALL, micros_of(moment))
    ]
