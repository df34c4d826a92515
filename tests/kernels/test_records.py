"""Plain records, against what Python's csv module and numbers make of the same text."""

import csv
import io
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordercycle_kernels import records
from ordercycle_kernels.records import NOT_PLAIN, NUMBER, SIGNED_INTEGER, SKIPPED, WHOLE_FLOAT

pytestmark = pytest.mark.kernels

COMMA = ord(",")


def read(text, *kinds):
    """Return rows of values, or None where the records are not plain."""
    data = np.frombuffer(text.encode(), np.uint8)
    width, most = len(kinds), records.count_ends(data) + 1
    values = np.zeros((width, most), np.int64)
    lengths, known = np.zeros((width, most), np.int64), np.zeros((width, most), np.bool_)
    missing = np.zeros(width, np.int64)
    floats = values.view(np.float64)
    places = np.arange(width)
    found = records.read_records(
        data, COMMA, np.array(kinds), places, values, floats, lengths, known, missing
    )
    if found == NOT_PLAIN:
        return None
    columns = []
    for place, kind in enumerate(kinds):
        of_kind = (floats if kind == NUMBER else values)[place, :found].tolist()
        if kind == records.TEXT:
            starts, sizes = values[place, :found], lengths[place, :found]
            offsets, copy = np.zeros(found + 1, np.int32), np.zeros(int(sizes.sum()), np.uint8)
            is_ascii = records.copy_texts(data, starts, sizes, offsets, copy)
            assert is_ascii == copy.tobytes().isascii()
            bounds = itertools.pairwise(offsets.tolist())
            of_kind = [copy[start:stop].tobytes().decode() for start, stop in bounds]
        is_known = known[place, :found].tolist()
        if kind != SKIPPED:
            assert missing[place] == is_known.count(False)
            columns.append(
                [one if there else None for one, there in zip(of_kind, is_known, strict=True)]
            )
    return list(zip(*columns, strict=True))


@given(st.text(alphabet='a,"\n\ré', max_size=30))
def test_texts_are_those_of_the_csv_module_or_not_read(text):
    found = read(text, records.TEXT, SKIPPED, records.TEXT)
    if found is None:
        return
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    assert found == [(row[0] or None, row[2] or None) for row in rows]
    assert all(len(row) == 3 for row in rows)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@given(
    rows=st.lists(st.tuples(st.text(alphabet="aé ", max_size=5), st.integers(0, 10**18 - 1))),
    quoted=st.booleans(),
)
def test_plain_records_are_all_read(rows, quoted, end):
    mark = '"' if quoted else ""
    text = "".join(f"{mark}{name}{mark},{number}{end}" for name, number in rows)
    assert read(text, records.TEXT, WHOLE_FLOAT) == [(name or None, one) for name, one in rows]


@given(st.from_regex(r"[-+]?[0-9]{0,19}(\.[0-9]{0,17})?(e[0-9])?", fullmatch=True))
def test_numbers_are_the_nearest_floats_or_not_read(text):
    found = read(f"{text}\n1", NUMBER)
    if found is not None:
        value = [(float(text),)] if text else []
        assert found == [*value, (1.0,)]
        assert np.signbit(found[0][0]) == text.startswith("-")


@pytest.mark.parametrize("text", ["0", "12.30", "-0.05", "9007199254740992", "123456789.12345"])
def test_usual_numbers_are_read(text):
    assert read(text, NUMBER) == [(float(text),)]


@given(st.from_regex(r"-?[0-9]{1,20}(\.0)?", fullmatch=True))
def test_integers_are_read_as_they_are_written_or_not(text):
    for kind in (WHOLE_FLOAT, SIGNED_INTEGER):
        found = read(text, kind)
        if found is not None:
            number = int(text.removesuffix(".0"))
            assert found == [(number,)]
            assert text in (str(number), *([f"{number}.0"] if kind == WHOLE_FLOAT else []))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("007", WHOLE_FLOAT),
        ("-7", WHOLE_FLOAT),
        ("7.5", WHOLE_FLOAT),
        ("7.00", WHOLE_FLOAT),
        ("9007199254740994.0", WHOLE_FLOAT),
        ("9" * 19, WHOLE_FLOAT),
        ("-0", SIGNED_INTEGER),
        ("7.0", SIGNED_INTEGER),
        (" 7", WHOLE_FLOAT),
        ('"7', WHOLE_FLOAT),
        ('"7"7', WHOLE_FLOAT),
        ('7"', WHOLE_FLOAT),
        ("7,8", WHOLE_FLOAT),
        ("7\r", WHOLE_FLOAT),
        ("7\r8", WHOLE_FLOAT),
        ("1e5", NUMBER),
        (".5", NUMBER),
        ("5.", NUMBER),
        ("+5", NUMBER),
        ("9007199254740993", NUMBER),
        ("nan", NUMBER),
        ("2025-03-01 10:00", records.DAYS),
        ("2025-03-01T10:00:00Z", records.LOCAL_TIMES),
        ("2025-03-01", records.INSTANTS),
        ("2025-02-29", records.DAYS),
        ("2025-03-0x", records.DAYS),
        ("2025-03-01 24:00:00", records.LOCAL_TIMES),
        ("1.3.2025", records.DAYS),
    ],
)
def test_what_is_not_plain_is_not_read(text, kind):
    assert read(text, kind) is None


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("1969-12-31", records.DAYS, "1969-12-31"),
        ("2024-02-29", records.LOCAL_TIMES, "2024-02-29"),
        ("2024-02-29 23:59:58", records.LOCAL_TIMES, "2024-02-29T23:59:58"),
        ("2024-02-29T23:59", records.LOCAL_TIMES, "2024-02-29T23:59"),
        ("2024-02-29T23:59:58.123456", records.LOCAL_TIMES, "2024-02-29T23:59:58.123456"),
        ("2024-02-29T23:59:58+02:00", records.INSTANTS, "2024-02-29T21:59:58"),
    ],
)
@pytest.mark.parametrize("mark", ["", '"'])
def test_times_are_read(text, kind, expected, mark):
    unit = "D" if kind == records.DAYS else "us"
    value = np.datetime64(expected, unit).astype(np.int64)
    assert read(f"{mark}{text}{mark},1\n{mark}{mark},2", kind, WHOLE_FLOAT) == [
        (value, 1),
        (None, 2),
    ]
