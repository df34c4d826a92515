"""The head of a text file: what stands above its first record, and what it seems to be."""

from __future__ import annotations

import csv
import io
from typing import NamedTuple

import numpy as np

from ordercycle._errors import Option, SourceError, Text
from ordercycle._sources.file_formats import CsvFormat
from ordercycle._sources.file_list import DataFile
from ordercycle._sources.read_request import ReadRequest
from ordercycle._sources.text.encodings import UTF_8
from ordercycle_kernels import quoting

UTF_8_MARK = b"\xef\xbb\xbf"
#: How files begin that are no text, or text that has to be described; the longest marks first.
MARKS: tuple[tuple[bytes, str, Text], ...] = (
    (b"PK\x03\x04", "is a zip archive", "unzip it, and pass the file in it"),
    (b"\x1f\x8b", "is compressed by gzip", "name it .csv.gz"),
    (b"BZh", "is compressed by bzip2", "name it .csv.bz2"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd", "name it .csv.zst"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of Excel 97", "name it .xls"),
    (b"PAR1", "is a Parquet file", "name it .parquet"),
    (b"ARROW1", "is an Arrow file", "name it .arrow"),
)
WIDE_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
OTHER_DELIMITERS = (";", "\t", "|", ",")
#: Lines that are looked at for a header below the first.
TITLE_LINES = 20


class Header(NamedTuple):
    """The columns of a file, and where its first record is.

    start: in bytes; lines: that end before it.
    """

    names: tuple[str, ...]
    delimiter: str
    start: int
    lines: int


def check_marks(data: bytes, file: DataFile, request: ReadRequest, encoding: str) -> None:
    """Raise a SourceError where the first bytes of a file are not those of such text."""
    where = f"{request.table}: {file.path!r}"
    for mark, what, remedy in MARKS:
        if data.startswith(mark):
            raise SourceError(f"{where} {what}", remedy=remedy)
    if encoding not in UTF_8:
        return
    for mark, wide in WIDE_MARKS:
        if data.startswith(mark):
            raise SourceError(
                f"{where} begins with the mark of {wide.upper()}",
                remedy=("pass ", Option("read.CsvFormat.encoding", wide)),
            )
    if b"\0" in data[:4]:
        little = data[1:2] == b"\0"
        raise SourceError(
            f"{where} is no text in UTF-8: it begins with bytes that are 0",
            remedy=(
                "where it is UTF-16, pass ",
                Option("read.CsvFormat.encoding", "utf-16-le" if little else "utf-16-be"),
            ),
        )


def read_header(data: bytes, file: DataFile, given: CsvFormat, encoding: str) -> Header | None:
    """Return the head of a file whose first bytes are `data`; None where they end within it.

    Raises
    ------
    SourceError
        Where there is no header.
    """
    begin = len(UTF_8_MARK) if data.startswith(UTF_8_MARK) else 0
    delimiter = given.delimiter or ("\t" if file.is_tabbed else None)
    lines = 0
    view = np.frombuffer(b"\n" + data, np.uint8)  # behind a line end, where a field may begin
    announced = _announced(data[begin : begin + 8])
    delimiter = delimiter or announced or ","
    skipped = given.skip_rows or int(announced is not None)
    while lines < skipped:
        begin = _line_end(data, begin)
        lines += 1
        if begin < 0:
            return None
    # Lines of no character above a header are none to Arrow, nor to anybody else.
    while data[begin : begin + 1] in (b"\n", b"\r"):
        begin = _line_end(data, begin)
        lines += 1
        if begin < 0:
            return None
    end = quoting.record_end(view, begin + 1, ord(delimiter), quoting.OUTSIDE) - 1
    if end < 0:
        return None
    header = data[begin:end].decode(encoding)
    try:
        names = _fields(header, delimiter)
    except csv.Error as error:  # a name of 128 KB is none
        raise file.unreadable("the header", error) from error
    lines += quoting.count_lines(view[begin + 1 : end + 1])
    return Header(tuple(names), delimiter, end, lines)


def _fields(line: str, delimiter: str) -> list[str]:
    return next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter), [])


def _announced(data: bytes) -> str | None:
    """Return the delimiter that a first line such as ``sep=;`` announces to Excel."""
    line = data.splitlines()[:1]
    if line and len(line[0]) == 5 and line[0].lower().startswith(b"sep=") and line[0][4] < 128:
        return chr(line[0][4])
    return None


def _line_end(data: bytes, begin: int) -> int:
    """Return where the line after the one at `begin` begins, or -1."""
    ends = [place for place in (data.find(b"\n", begin), data.find(b"\r", begin)) if place >= 0]
    if not ends:
        return -1
    end = min(ends)
    if data[end : end + 1] == b"\r":
        if end + 1 == len(data):
            return -1
        end += data[end + 1 : end + 2] == b"\n"
    return end + 1


def check_header(
    head: Header, data: bytes, file: DataFile, request: ReadRequest, encoding: str
) -> None:
    """Raise a SourceError where a header lacks columns: in another line, or divided otherwise."""
    there = {*head.names, *file.partition}
    if all(name in there for name in request.names):
        return
    where = f"{request.table}: the header of {file.path!r}"
    if len(head.names) == 1:
        for mark in OTHER_DELIMITERS:
            if mark != head.delimiter and mark in head.names[0]:
                raise SourceError(
                    f"{where} is one column, {head.names[0]!r}, which {mark!r} divides",
                    remedy=("pass ", Option("read.CsvFormat.delimiter", mark)),
                )
    text = data.decode(encoding, "replace").lstrip("\ufeff")
    for number, line in enumerate(text.splitlines()[: TITLE_LINES + 1]):
        for mark in (head.delimiter, *OTHER_DELIMITERS):
            try:
                names = _fields(line, mark)
            except csv.Error:  # no header either
                continue
            if number and all(name in {*names, *file.partition} for name in request.names):
                remedy: list[str | Option] = ["pass ", Option("read.CsvFormat.skip_rows", number)]
                if mark != head.delimiter:
                    remedy += [" with ", Option("CsvFormat.delimiter", mark)]
                raise SourceError(
                    f"{where} is not its first line, but line {number + 1}", remedy=tuple(remedy)
                )
