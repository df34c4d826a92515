"""JSON with one object on each line: numbers are numbers, and strings are text or times.

Arrow drops the offsets of times that it recognises, so that strings are read as text and what they
are for is made of it as in CSV. A file is read from its beginning, many lines at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from ordercycle.errors import ColumnError, Option, SourceError
from ordercycle.sources.file_formats import CsvFormat
from ordercycle.sources.file_list import DataFile
from ordercycle.sources.file_look import Look
from ordercycle.sources.read_ahead import BATCH_ROWS
from ordercycle.sources.text.columns import FLOAT, INTEGER, TEXT, MisfitError, TextColumn
from ordercycle.sources.text.columns import joined as joined_text
from ordercycle.sources.text.encodings import Transcoded
from ordercycle.sources.text.head import UTF_8_MARK
from ordercycle.sources.text.times import INSTANTS
from ordercycle.sources.text.times import have_offsets as times_have_offsets
from ordercycle.sources.wanted import ReadAgain, Role, Wanted

#: Bytes that are parsed at a time, and those in which names and types are looked for.
PIECE_BYTES = 2**24
LOOK_BYTES = 2**20
#: How strings are read as times and numbers: as in CSV that nobody describes.
AS_IN_CSV = CsvFormat()
LIMIT = 2**63
#: What to do about values of several types; and about a wider one in a file that is not read again.
MIXED = "write the column as numbers, or as strings, in all lines"
SETTLED = "write such a value in the first lines of a file as well, or convert the files to Parquet"
#: What columns are for whose strings are text, whatever they look like.
STAY_TEXT: tuple[Role, ...] = ("customer", "order", "text", "other")


class Part(NamedTuple):
    """All of a file, and the columns whose values are strings."""

    file: DataFile
    texts: frozenset[str]


def common_type(left: pa.DataType, right: pa.DataType, role: Role) -> pa.DataType | None:
    """Return the type in which the columns of both files can be read, or None.

    A number is not the text of the same digits.
    """
    if TEXT in (left, right) and left != right and not pa.types.is_null(left):
        return left if pa.types.is_null(right) else None
    return joined_text(role, left, right)


def look(file: DataFile, wanted: Wanted) -> Look:
    """Read the first lines for names and types.

    Raises
    ------
    SourceError
        Where a line is no object.
    ColumnError
        Where a value is nothing that its column is for.
    """
    records = [record for _, record in _records(file, wanted, LOOK_BYTES)]
    names = dict.fromkeys(name for record in records for name in record)
    values = {
        name: [record.get(name) for record in records] if name in wanted.roles else []
        for name in names
    }
    kinds: dict[str, pa.DataType] = {}
    texts = set()
    have_offsets = False
    for name, found in values.items():
        if name not in wanted.roles:
            kinds[name] = TEXT
            continue
        kind, is_text = _kind_of(name, found, file, wanted)
        known = wanted.kinds.get(name)
        if known is not None and not pa.types.is_decimal(known):
            is_text = is_text or (pa.types.is_null(kind) and not _is_number(known))
            kind = common_type(known, kind, wanted.roles[name]) or kind
        kinds[name] = kind
        if is_text:
            texts.add(name)
        if kind == INSTANTS and wanted.roles[name] == "time":
            have_offsets |= times_have_offsets(pa.array(found, TEXT))
    parts = [Part(file, frozenset(texts))]
    return Look(pa.schema(kinds.items()), None, parts, times_have_offsets=have_offsets)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _column(name: str, wanted: Wanted) -> TextColumn:
    return TextColumn(name, wanted.roles[name], AS_IN_CSV, wanted.are_settled)


def _kind_of(
    name: str, values: list[Any], file: DataFile, wanted: Wanted
) -> tuple[pa.DataType, bool]:
    """Return the type of the values of a column, and whether they are strings."""
    kind: pa.DataType = pa.null()
    for row, value in enumerate(values):
        here = _kind_of_value(value)
        common = None if here is None else _of_both(kind, here)
        if common is None:
            raise _mixed(name, value, kind, file, wanted, _line_of_row(file, wanted, row))
        kind = common
    if kind != TEXT:
        return kind, False
    try:
        return _kind_of_texts(name, values, wanted), True
    except MisfitError as misfit:
        raise _misfit(name, misfit, misfit.row, file, wanted) from misfit


def _kind_of_texts(name: str, values: list[str | None], wanted: Wanted) -> pa.DataType:
    """Return the type that strings of a column are read in, or raise a MisfitError."""
    if wanted.roles[name] in STAY_TEXT:
        return TEXT
    return _column(name, wanted).kind_of(_without_empty(pa.array(values, TEXT)))


def _without_empty(texts: pa.StringArray) -> pa.StringArray:
    """Return texts with null where one is empty: no time and no number is written so."""
    import pyarrow.compute as pc

    empty = pc.equal(texts, "")
    if not pc.any(empty).as_py():
        return texts
    return pc.if_else(empty, pa.scalar(None, TEXT), texts)


def _kind_of_value(value: Any) -> pa.DataType | None:
    """Return the type of one value; None for values of several."""
    if value is None or value == "":
        return pa.null() if value is None else TEXT
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return INTEGER if -LIMIT <= value < LIMIT else FLOAT
    if isinstance(value, float):
        return FLOAT
    return TEXT if isinstance(value, str) else None


def _of_both(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    if left == right or pa.types.is_null(right):
        return left
    if pa.types.is_null(left):
        return right
    return FLOAT if {left, right} == {INTEGER, FLOAT} else None


def read(
    file: DataFile,
    part: Part,
    columns: pa.Schema,
    wanted: Wanted,
    batch_bytes: int | None,  # noqa: ARG001 - pieces have few bytes, and are parsed whole
) -> Iterator[pa.RecordBatch]:
    """Read columns of a file in the types asked for.

    Raises
    ------
    ReadAgain
        Where a value asks for a wider type than its column is to have.
    ColumnError
        Where a value has no place in its column.
    SourceError
        Where a line is no object.
    """
    from pyarrow import json as arrow_json

    fields = [
        field.with_type(TEXT if field.name in part.texts else field.type) for field in columns
    ]
    parse = arrow_json.ParseOptions(
        explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"
    )
    readers = {
        name: _column(name, wanted).reader_of_texts(kind)
        for name, kind in zip(columns.names, columns.types, strict=True)
        if name in part.texts and kind != TEXT
    }
    row = 0
    for piece in _pieces(file, PIECE_BYTES):
        if piece.isspace():
            continue
        options = arrow_json.ReadOptions(use_threads=False, block_size=len(piece) + 1)
        try:
            table = arrow_json.read_json(
                pa.BufferReader(piece), read_options=options, parse_options=parse
            )
        except pa.ArrowInvalid as error:
            raise _problem(part, columns, wanted) or error from error
        for batch in table.select(columns.names).to_batches(BATCH_ROWS):
            arrays = []
            for name, values in zip(columns.names, batch.columns, strict=True):
                try:
                    is_read = name in readers
                    arrays.append(readers[name](_without_empty(values)) if is_read else values)
                except MisfitError as misfit:
                    if misfit.kind is not None and not wanted.are_settled:
                        raise ReadAgain(wanted.table, name, misfit.kind) from misfit
                    raise _misfit(name, misfit, row + misfit.row, file, wanted) from misfit
            yield pa.RecordBatch.from_arrays(arrays, schema=columns)
            row += batch.num_rows


def _problem(part: Part, columns: pa.Schema, wanted: Wanted) -> Exception | None:
    """Return what to raise for the first value that Arrow could not read, found one by one."""
    for line, record in _records(part.file, wanted, None):
        for name, kind in zip(columns.names, columns.types, strict=True):
            value = record.get(name)
            parsed_as = TEXT if name in part.texts else kind
            here = _kind_of_value(value)
            if here is not None and _of_both(parsed_as, here) == parsed_as:
                continue
            wider = None if here is None else _of_both(parsed_as, here)
            if pa.types.is_null(parsed_as) and here == TEXT:
                try:
                    wider = _kind_of_texts(name, [value], wanted)
                except MisfitError as misfit:
                    return _misfit(name, misfit, None, part.file, wanted, line)
            if wider is not None and not wanted.are_settled:
                return ReadAgain(wanted.table, name, wider)
            remedy = MIXED if wider is None else SETTLED
            return _mixed(name, value, parsed_as, part.file, wanted, line, remedy)
    return None


def _mixed(
    name: str,
    value: Any,
    kind: pa.DataType,
    file: DataFile,
    wanted: Wanted,
    line: int,
    remedy: str = MIXED,
) -> ColumnError:
    what = "holds several values" if isinstance(value, (list, dict)) else f"is {value!r}"
    before = "" if pa.types.is_null(kind) else f", where the lines before have {kind}"
    return ColumnError(
        f"{wanted.table}: {name} in line {line} of {file.path!r} {what}{before}",
        remedy=remedy,
        column=name,
        row=line,
    )


def _misfit(
    name: str,
    misfit: MisfitError,
    row: int | None,
    file: DataFile,
    wanted: Wanted,
    line: int | None = None,
) -> ColumnError:
    place = line if line is not None else _line_of_row(file, wanted, row or 0)
    what = misfit.what if isinstance(misfit.what, tuple) else (misfit.what,)
    remedy = misfit.remedy
    if misfit.kind is not None:
        what, remedy = (f"is {misfit.kind}, and of another type in the first lines",), SETTLED
    elif wanted.roles[name] in ("time", "registered"):  # whose formats only CSV has
        remedy = ("write it in ISO 8601, as 2026-11-01 16:00:00, or read it with ", Option("sql"))
    return ColumnError(
        (f"{wanted.table}: {name} in line {place} of {file.path!r} ", *what),
        remedy=remedy,
        column=name,
        row=place,
    )


def line_of(part: Part, row: int) -> int:
    """Return the line, from 1, of a row: lines without an object are none."""
    return _line_of_row(part.file, Wanted("", {}), row)


def _line_of_row(file: DataFile, wanted: Wanted, row: int) -> int:
    for number, (line, _) in enumerate(_lines(file, None)):
        if number == row:
            return line
    raise SourceError(f"{wanted.table}: {file.path!r} was written anew while it was read")


def _records(
    file: DataFile, wanted: Wanted, most_bytes: int | None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file, or of its first bytes, with their lines."""
    for line, text in _lines(file, most_bytes):
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            remedy = "write one object on each line"
            if line == 1 and text.lstrip().startswith(b"["):
                remedy += ", as jq -c '.[]' does of a list"
            shown = text[:40].decode(errors="replace")
            raise SourceError(
                f"{wanted.table}: line {line} of {file.path!r} is no JSON object: {shown!r}",
                remedy=remedy,
                row=line,
            )
        yield line, record


def _lines(file: DataFile, most_bytes: int | None) -> Iterator[tuple[int, bytes]]:
    line = 0
    for piece in _pieces(file, most_bytes or PIECE_BYTES):
        for text in piece.split(b"\n"):
            line += 1
            if text and not text.isspace():
                yield line, text
        line -= piece.endswith(b"\n")
        if most_bytes is not None:
            return


def _pieces(file: DataFile, size: int) -> Iterator[bytes]:
    """Yield whole lines of a file, about so many bytes at a time."""
    with Transcoded(file, "utf-8") as stream:
        rest = b""
        is_first = True
        while piece := stream.read(max(size, len(rest))):
            rest += piece
            if is_first:
                rest, is_first = rest.removeprefix(UTF_8_MARK), False
            end = rest.rfind(b"\n") + 1
            if end:
                yield rest[:end]
                rest = rest[end:]
        if rest:
            yield rest
