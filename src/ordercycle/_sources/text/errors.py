"""What is raised where text files are not what they are read as: with the line, and a remedy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ordercycle._errors import ColumnError, Option, SourceError, Text, counted
from ordercycle._sources.file_formats import CsvFormat
from ordercycle._sources.read_request import ReadAgain, ReadRequest
from ordercycle._sources.text.chunks import TextFile
from ordercycle._sources.text.columns import MisfitError
from ordercycle._sources.text.header import Header
from ordercycle_kernels import quoting


class Part(NamedTuple):
    """A part of a text file, and what every reader of it has to know."""

    text: TextFile
    number: int


def undecodable(where: str, given: CsvFormat, error: UnicodeError) -> SourceError:
    """Return what to raise for bytes that are no text in the encoding of a file."""
    why = str(error)
    if isinstance(error, UnicodeDecodeError):
        shown = bytes(error.object[max(0, error.start - 20) : error.start + 20])
        why = f"{shown!r} is no text in it"
    return SourceError(
        f"{where} is not encoded in {given.encoding}: {why}",
        remedy=("say which encoding it has with ", Option("CsvFormat.encoding")),
    )


def field_count(expected: int, found: int, head: Header) -> tuple[str, Text]:
    """Return what is wrong with a record of too few or too many fields, and a remedy."""
    what = f"has {counted(found, 'field')} where the header has {expected:,}"
    if expected == 1:
        return what, (
            "where the header stands further down, say so with ",
            Option("CsvFormat.skip_rows"),
            "; where something else divides fields, with ",
            Option("CsvFormat.delimiter"),
        )
    return what, (
        f"put values that hold {head.delimiter!r} in quotes, and end lines where records end"
    )


def not_utf8(
    part: Part, name: str, values: pa.BinaryArray, request: ReadRequest, first_row: int
) -> ColumnError:
    """Return what to raise for the first of some values that is no UTF-8."""
    row, value = next(
        (row, value)
        for row, value in enumerate(values.to_pylist())
        if value is not None and not _is_utf8(value)
    )
    line = line_of(part, first_row + row)
    return ColumnError(
        f"{request.table}: {name} in line {line} of {part.text.file.path!r} is {value!r}, which is "
        "no text in UTF-8",
        remedy=(
            "say how the file is encoded, for example with ",
            Option("CsvFormat.encoding", "cp1252"),
        ),
        column=name,
        row=line,
    )


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def refusal(
    part: Part, request: ReadRequest, first_row: int, name: str, misfit: MisfitError
) -> Exception:
    """Return what to raise where a value does not fit: the table is read again, or it is wrong."""
    if misfit.kind is not None and not request.are_settled:
        return ReadAgain(request.table, name, misfit.kind)
    return column_error(*part, name, misfit, request, first_row)


def column_error(
    text: TextFile,
    number: int,
    name: str,
    misfit: MisfitError,
    request: ReadRequest,
    first_row: int,
) -> ColumnError:
    """Return what to raise for a value that has no place in its column."""
    line = line_of(Part(text, number), first_row + misfit.row)
    what, remedy = misfit.what, misfit.remedy
    if misfit.kind is not None:
        what = f"is {misfit.kind}, and of another type in the first rows"
        remedy = ("say what it holds with ", Option("CsvFormat.types"))
        if request.roles[name] in ("time", "registered"):
            remedy = "write all of them in one way, or one such time in the first rows of a file"
    pieces = what if isinstance(what, tuple) else (what,)
    return ColumnError(
        (f"{request.table}: {name} in line {line} of {text.file.path!r} ", *pieces),
        remedy=remedy,
        column=name,
        row=line,
    )


def line_of(part: Part, row: int) -> int:
    """Return the file's own line, from 1, in which a row of a part begins.

    The file is read again up to there, as lines are not counted before they are needed.
    """
    text, number = part
    lines = text.head.lines + 1
    lines += sum(quoting.count_lines(np.frombuffer(one, np.uint8)) for one in text.before(number))
    for content in text.contents(number, check_end=False):
        view = np.frombuffer(content.data, np.uint8)
        records = quoting.count_records(view, text.delimiter)
        if row < records:
            return lines + quoting.line_of_record(view, text.delimiter, row)
        lines += quoting.count_lines(view)
        row -= records
    return lines
