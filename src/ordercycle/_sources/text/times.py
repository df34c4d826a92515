"""Times in text: read by a kernel, in the formats given or in ISO 8601."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, bytes_view, validity
from ordercycle._errors import Option, Text
from ordercycle._sources.text.time_formats import TimeFormat, time_formats
from ordercycle_kernels import text_values
from ordercycle_kernels.text_values import A_DAY, DAY_US, INSTANT, NO_TIME, ON_THE_WALL

DAYS, LOCAL, INSTANTS = pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")

#: Ways to write times that are tried where a message is about values that could not be read.
COMMON_DATES = (
    *(order.replace("/", mark) for mark in "/.-" for order in ("%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d")),
    *(order.replace("/", mark) for mark in "/.-" for order in ("%d/%m/%y", "%m/%d/%y", "%y/%m/%d")),
    "%Y%m%d", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
COMMON_CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", ", %I:%M %p",
    ", %H:%M", " %H:%M UTC", " %H:%M:%S UTC", " %H:%M:%S.%f UTC", " %H:%M %z", " %H:%M:%S %z",
)  # fmt: skip


class Program(NamedTuple):
    """Formats as the kernel follows them: steps and arguments, where each ends, and its kind."""

    steps: NDArray[np.int64]
    ends: NDArray[np.int64]
    kinds: NDArray[np.int64]


class Times(NamedTuple):
    """What texts say of times: (n,) microseconds since 1970 and kinds; how many of each kind."""

    micros: NDArray[np.int64]
    kinds: NDArray[np.int8]
    counts: NDArray[np.int64]

    def first(self, kind: int) -> int:
        """Return the first row of a kind that is there."""
        return int((self.kinds == kind).argmax())


def program(formats: Sequence[TimeFormat]) -> Program:
    """Return formats as the kernel follows them; none for ISO 8601."""
    steps = [number for one in formats for step in one.steps for number in step]
    ends = np.cumsum([len(one.steps) for one in formats], dtype=np.int64)
    kinds = [A_DAY if one.is_day else INSTANT if one.is_instant else ON_THE_WALL for one in formats]
    return Program(np.array(steps, np.int64), ends, np.array(kinds, np.int64))


def read_times(texts: pa.StringArray, formats: Program) -> Times:
    """Read texts as times."""
    offsets, data = bytes_view(texts)
    rows = len(texts)
    times = Times(
        np.empty(rows, np.int64),
        np.empty(rows, np.int8),
        np.empty(text_values.KINDS, np.int64),
    )
    text_values.read_times(offsets, data, *formats, *times)
    return times


def kind_of(counts: NDArray[np.int64]) -> pa.DataType:
    """Return the type of a column of times, all of which could be read."""
    if counts[INSTANT]:
        return INSTANTS
    if counts[ON_THE_WALL]:
        return LOCAL
    return DAYS if counts[A_DAY] else pa.null()


def as_array(texts: pa.StringArray, times: Times, kind: pa.DataType) -> pa.Array:
    """Return times as an array of one of the three types, which all of them have."""
    valid = validity(texts)
    if kind == DAYS:
        return array_of((times.micros // DAY_US).astype(np.int32), DAYS, valid)
    return array_of(times.micros, kind, valid)


def have_offsets(texts: pa.StringArray) -> bool:
    """Return whether instants are written with offsets, those of UTC aside.

    Examples
    --------
    >>> [have_offsets(pa.array([text])) for text in ("10:00 -0400", "10:00+02", "10:00Z")]
    [True, True, False]
    """
    import pyarrow.compute as pc

    written = pc.match_substring_regex(texts, r"[+-][0-9]{2}(:?[0-9]{2})?\s*$")
    of_utc = pc.match_substring_regex(texts, r"[+-]00(:?00)?\s*$")
    return bool(pc.any(pc.and_not(written, of_utc)).as_py())


def formats_that_fit(texts: pa.StringArray) -> list[str]:
    """Return the common formats that fit every one of some texts."""
    patterns = [*map("".join, product(COMMON_DATES, COMMON_CLOCKS)), "%s"]
    return [
        pattern
        for pattern in patterns
        if not read_times(texts, program(time_formats((pattern,)))).counts[NO_TIME]
    ]


def remedy_for(texts: pa.StringArray, first: str) -> Text:
    """Return what to say about texts that could not be read, of which `first` is the first."""
    fitting = formats_that_fit(texts)
    shown = first
    if not fitting:  # not all in one way: of the first alone
        fitting = formats_that_fit(pa.array([first]))
    if not fitting:
        return (
            "write the column in ISO 8601, as 2026-11-01 16:00:00, or say how it is written with ",
            Option("CsvFormat.time_formats"),
        )
    ways = [Option("CsvFormat.time_formats", (pattern,)) for pattern in fitting]
    if len(ways) == 1:
        return (f"{shown!r} fits ", ways[0])
    listed: list[str | Option] = []
    for way in ways[:3]:
        listed += [", " if listed else "", way]
    number = {2: "two", 3: "three"}.get(len(ways), str(len(ways)))
    return (f"{shown!r} fits {number} formats, so say which: ", *listed)
