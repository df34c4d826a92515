"""JSON with one object on each line: numbers are numbers, and strings are text or times.

Arrow drops the offsets of times that it recognises, so that strings are read as text and what they
are for is made of it as in CSV. Files that are not compressed are read in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ColumnError, Option, SourceError, Text, renamed
from ordercycle._sources.computed_columns import CountingRows, sparing
from ordercycle._sources.file_formats import NdJson, as_csv, of_json
from ordercycle._sources.file_list import DataFile, Look
from ordercycle._sources.json_lines import (
    Lines,
    Number,
    chunks_of,
    no_object,
    record_of,
    repeated_key,
)
from ordercycle._sources.read_ahead import BATCH_ROWS
from ordercycle._sources.read_request import ReadAgain, ReadRequest, Role
from ordercycle._sources.text.columns import FLOAT, INTEGER, TEXT, MisfitError, TextColumn
from ordercycle._sources.text.columns import joined as joined_text
from ordercycle._sources.text.times import INSTANTS
from ordercycle._sources.text.times import have_offsets as times_have_offsets

LIMIT = 2**63
#: What to do about values of several types; and about a wider one in a file that is not read again.
MIXED = "write the column as numbers, or as strings, in all lines"
SETTLED = "write such a value in the first lines of a file as well, or convert the files to Parquet"
#: What columns are for whose strings are text, whatever they look like.
STAY_TEXT: tuple[Role, ...] = ("customer", "order", "text", "other")


class Part(NamedTuple):
    """Lines of a file, and how Arrow parses columns that are then made something else.

    texts: columns whose values are strings; integers: those that are numbers, and text by their
    description.
    """

    lines: Lines
    texts: frozenset[str]
    integers: frozenset[str]

    def parsed_as(self, field: pa.Field) -> pa.DataType:
        """Return the type to parse a column in."""
        if field.name in self.texts:
            return TEXT
        return INTEGER if field.name in self.integers else field.type


def common_type(left: pa.DataType, right: pa.DataType, role: Role) -> pa.DataType | None:
    """Return the type in which the columns of both files can be read, or None.

    A number is not the text of the same digits.
    """
    if TEXT in (left, right) and left != right and not pa.types.is_null(left):
        return left if pa.types.is_null(right) else None
    return joined_text(role, left, right)


def _given(request: ReadRequest) -> NdJson:
    return request.read if isinstance(request.read, NdJson) else NdJson()


def look(file: DataFile, request: ReadRequest) -> Look:
    """Read the first lines for names and types.

    Raises
    ------
    SourceError
        Where a line is no object.
    ColumnError
        Where a value is nothing that its column is for.
    """
    lines = Lines(file)
    records = list(_records(lines.first(), lines, request))
    names = dict.fromkeys(name for record in records for name in record)
    if missing := set(request.roles) - set(names):
        names |= dict.fromkeys(_found_later(lines, request, missing))
    found: dict[str, _Found] = {}
    wrong: dict[str, ColumnError] = {}
    for name in filter(request.roles.__contains__, names):
        try:
            found[name] = _found_in([one.get(name) for one in records], name, lines, request)
        except ColumnError as error:
            wrong[name] = error
    counts = _counting_rows(found, lines, request) if wrong else None
    for name, misfit in wrong.items():
        if counts is None:
            raise misfit
        left = [one.get(name) if here else None for one, here in zip(records, counts, strict=True)]
        found[name] = _found_in(left, name, lines, request)
    kinds = {name: found[name].kind if name in found else TEXT for name in names}
    parts = [_part(one, found) for one in chunks_of(file)]
    have_offsets = any(one.have_offsets for one in found.values())
    return Look(pa.schema(kinds.items()), None, parts, times_have_offsets=have_offsets)


class _Found(NamedTuple):
    """What the first lines say of a column: its type, and the one to parse it in."""

    kind: pa.DataType
    parsed_as: pa.DataType
    have_offsets: bool


def _found_in(values: list[Any], name: str, lines: Lines, request: ReadRequest) -> _Found:
    column = _column(name, request)
    values = [_value(value, name, request) for value in values]
    kind, parsed_as = _kind_of(column, values, lines, request)
    known = request.kinds.get(name)
    if known is not None and pa.types.is_decimal(known) and parsed_as != TEXT:
        kind = known if column.declared is None and _is_number(kind) else kind
    elif known is not None and column.declared is None:
        if pa.types.is_null(kind) and _is_text_later(name, known, lines, request):
            parsed_as = TEXT
        kind = common_type(known, kind, request.roles[name]) or kind
    have_offsets = False
    if parsed_as == TEXT and kind == INSTANTS and column.role == "time":
        strings = [value for value in values if isinstance(value, str)]
        have_offsets = times_have_offsets(pa.array(strings, TEXT))
    return _Found(kind, parsed_as, have_offsets)


def _part(lines: Lines, found: Mapping[str, _Found]) -> Part:
    texts = {name for name, one in found.items() if one.parsed_as == TEXT}
    integers = {name for name, one in found.items() if (one.kind, one.parsed_as) == (TEXT, INTEGER)}
    return Part(lines, frozenset(texts), frozenset(integers))


def _counting_rows(
    found: Mapping[str, _Found], lines: Lines, request: ReadRequest
) -> NDArray[np.bool_] | None:
    """Return which of the first lines count; None where that cannot be decided."""
    kinds = {name: one.kind for name, one in found.items()}
    counting = CountingRows.of(request, kinds)
    if counting is None:
        return None
    fields = pa.schema([(name, kinds[name]) for name in counting.names])
    records = [record_of(text, as_written=True) for _, text in lines.first()]
    table = _one_by_one(records, _part(lines, found), fields, request)
    makers = [_maker(field, _part(lines, found), request) for field in fields]
    return counting.rows([make(one) for make, one in zip(makers, table.columns, strict=True)])


def _found_later(lines: Lines, request: ReadRequest, missing: set[str]) -> Iterator[str]:
    """Yield columns that no line before has: keys may be left out where there is no value."""
    for record in _records(lines.numbered(), lines, request):
        found = missing & set(record)
        yield from found
        missing -= found
        if not missing:
            return


def _is_text_later(name: str, known: pa.DataType, lines: Lines, request: ReadRequest) -> bool:
    """Return whether a column without a value in the first lines has strings behind them."""
    records = _records(lines.numbered(), lines, request)
    later = (_value(record.get(name), name, request) for record in records)
    first = next((value for value in later if value is not None), None)
    return not _is_number(known) if first is None else isinstance(first, str)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _column(name: str, request: ReadRequest) -> TextColumn:
    return TextColumn(name, request.roles[name], as_csv(_given(request)), request.are_settled)


def _absent(name: str, request: ReadRequest) -> tuple[str, ...]:
    """Return the strings that mean no value: no time and no number is an empty one."""
    given = _given(request)
    stay_text = request.roles[name] in STAY_TEXT and given.types.get(name, "text") == "text"
    return given.null_values if stay_text else (*given.null_values, "")


def _value(value: Any, name: str, request: ReadRequest) -> Any:
    """Return a value, None where it is a string that means none."""
    is_text = isinstance(value, str) and not isinstance(value, Number)
    return None if is_text and value in _absent(name, request) else value


def _kind_of(
    column: TextColumn, values: list[Any], lines: Lines, request: ReadRequest
) -> tuple[pa.DataType, pa.DataType]:
    """Return the type of the values of a column, and the one to parse them in."""
    kind: pa.DataType = pa.null()
    for row, value in enumerate(values):
        here = _kind_of_value(value)
        common = None if here is None else _of_both(kind, here, column.declared)
        if common is None:
            raise _mixed(column.name, value, kind, lines, request, row)
        kind = common
    declared = column.declared
    if declared is not None:
        return declared, TEXT if pa.types.is_null(kind) and declared == TEXT else kind
    if kind != TEXT:
        return kind, kind
    try:
        return _kind_of_texts(column, values), TEXT
    except MisfitError as misfit:
        raise _misfit(column.name, misfit, misfit.row, lines, request) from misfit


def _kind_of_texts(column: TextColumn, values: list[str | None]) -> pa.DataType:
    """Return the type that strings of a column are read in, or raise a MisfitError."""
    return TEXT if column.role in STAY_TEXT else column.kind_of(pa.array(values, TEXT))


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


def _of_both(
    left: pa.DataType, right: pa.DataType, declared: pa.DataType | None = None
) -> pa.DataType | None:
    if left == right or pa.types.is_null(right):
        return left
    if pa.types.is_null(left):
        return right
    if {left, right} == {INTEGER, FLOAT}:
        return FLOAT
    # As the same digits, both are what the column is said to hold.
    is_either = declared is not None and {left, right} <= {INTEGER, FLOAT, TEXT}
    return TEXT if is_either else None


def read(
    file: DataFile,
    part: Part,
    columns: pa.Schema,
    request: ReadRequest,
    batch_bytes: int | None,  # noqa: ARG001 - pieces have few bytes, and are parsed whole
) -> Iterator[pa.RecordBatch]:
    """Read columns of the lines of a part in the requested types.

    Raises
    ------
    ReadAgain
        Where a value needs a wider type than its column is to have.
    ColumnError
        Where a value has no place in its column.
    SourceError
        Where a line is no object.
    """
    yield from sparing(
        request,
        columns,
        _read_all(file, part, columns, request),
        lambda counting: _read_counting(part, columns, request, counting),
    )


def _read_all(
    file: DataFile, part: Part, columns: pa.Schema, request: ReadRequest
) -> Iterator[pa.RecordBatch]:
    """Read columns of the lines of a part, in which everything has to be readable."""
    row = 0
    for piece in part.lines.pieces():
        if not piece.strip():
            continue
        table = _parsed(piece, part, columns, request, row)
        if table.num_rows != len(_lines_of(piece)):
            raise _problem(piece, part, columns, request, row) or SourceError(
                f"{request.table}: {file.path!r} has objects that are not lines of their own"
            )
        for batch in table.to_batches(BATCH_ROWS):
            yield _made(batch, part, columns, request, row)
            row += batch.num_rows


def _read_counting(
    part: Part, columns: pa.Schema, request: ReadRequest, counting: CountingRows
) -> Iterator[pa.RecordBatch]:
    """Read columns of which something cannot be read, unless that is in rows that do not count."""
    deciding = pa.schema([columns.field(name) for name in counting.names])
    row = 0
    for piece in part.lines.pieces():
        lines = _lines_of(piece)
        for number, text in enumerate(lines, row):
            _raise(_problem_in(text, part, deciding, request, number))
        records = [record_of(text, as_written=True) for text in lines]
        batch = _one_by_one(records, part, deciding, request)
        counts = counting.rows(_made(batch, part, deciding, request, row).columns)
        others = pa.schema([one for one in columns if one.name not in counting.names])
        for number, text in enumerate(lines, row):
            if counts is None or counts[number - row]:
                _raise(_problem_in(text, part, others, request, number))
            else:
                kept = {name: records[number - row].get(name) for name in counting.names}
                records[number - row] = kept
        batch = _one_by_one(records, part, columns, request)
        yield _made(batch, part, columns, request, row)
        row += len(lines)


def _made(
    batch: pa.RecordBatch, part: Part, columns: pa.Schema, request: ReadRequest, row: int
) -> pa.RecordBatch:
    """Return columns in their types, of what was parsed from a row of a part on."""
    arrays = []
    for field, values in zip(columns, batch.columns, strict=True):
        try:
            arrays.append(_maker(field, part, request)(values))
        except MisfitError as misfit:
            if misfit.kind is not None and not request.are_settled:
                raise ReadAgain(request.table, field.name, misfit.kind) from misfit
            at = row + misfit.row
            raise _misfit(field.name, misfit, at, part.lines, request) from misfit
    return pa.RecordBatch.from_arrays(arrays, schema=columns)


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def _maker(field: pa.Field, part: Part, request: ReadRequest) -> Callable[[pa.Array], pa.Array]:
    """Return what makes an array of a type of what was parsed; it raises a MisfitError."""
    column = _column(field.name, request)
    if field.name in part.integers:
        return lambda values: values.cast(TEXT)
    if field.name not in part.texts:
        return lambda values: values
    make = _same if field.type == TEXT else column.reader_of_texts(field.type)
    absent = pa.array(_absent(field.name, request), TEXT)
    return make if not len(absent) else lambda texts: make(_without(texts, absent))


def _same(texts: pa.Array) -> pa.Array:
    return texts


def _without(texts: pa.Array, absent: pa.Array) -> pa.Array:
    """Return strings without those that mean no value: these have no bytes either."""
    import pyarrow.compute as pc

    rows = np.arange(len(texts))
    none = pc.is_in(texts, absent, skip_nulls=True).to_numpy(zero_copy_only=False)
    return texts.take(pa.array(rows, mask=none)) if none.any() else texts


def _lines_of(piece: bytes) -> list[bytes]:
    """Return the lines that are not blank."""
    return [line for line in piece.split(b"\n") if line and not line.isspace()]


def _parsed(
    piece: bytes, part: Part, columns: pa.Schema, request: ReadRequest, row: int
) -> pa.Table:
    """Return the columns of some lines, of which the first is a row of the part."""
    from pyarrow import json as arrow_json

    fields = [field.with_type(part.parsed_as(field)) for field in columns]
    options = arrow_json.ReadOptions(use_threads=False, block_size=len(piece) + 1)
    parse = arrow_json.ParseOptions(
        explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"
    )
    try:
        table = arrow_json.read_json(
            pa.BufferReader(piece), read_options=options, parse_options=parse
        )
    except pa.ArrowInvalid as error:
        wrong = _problem(piece, part, columns, request, row)
        if wrong is not None:
            raise wrong from error
        records = [record_of(line, as_written=True) for line in _lines_of(piece)]
        return pa.Table.from_batches([_one_by_one(records, part, columns, request)])
    if not _is_utf8(table) and (wrong := _problem(piece, part, columns, request, row)) is not None:
        raise wrong
    return table.select(columns.names)


def _is_utf8(table: pa.Table) -> bool:
    """Return whether strings are text, which Arrow takes for granted."""
    try:
        table.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _one_by_one(
    records: list[dict[str, Any]], part: Part, columns: pa.Schema, request: ReadRequest
) -> pa.RecordBatch:
    """Return columns of objects in which numbers and strings may stand for the same."""
    fields = [
        field.with_type(TEXT if field.name in part.integers else part.parsed_as(field))
        for field in columns
    ]
    arrays = []
    for field in fields:
        values = (_value(record.get(field.name), field.name, request) for record in records)
        arrays.append(pa.array([_plain(value, field.type) for value in values], field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _plain(value: Any, kind: pa.DataType) -> Any:
    """Return a value as Python has it: numbers of what they are written as."""
    if value is None or kind == TEXT:
        return value
    if pa.types.is_decimal(kind):
        return Decimal(value)
    if kind == INTEGER:
        return int(Decimal(value))
    return float(value) if isinstance(value, Number) else value


def _problem(
    piece: bytes, part: Part, columns: pa.Schema, request: ReadRequest, first_row: int
) -> Exception | None:
    """Return what to raise for the first value that Arrow could not read, found one by one."""
    problems = (
        _problem_in(text, part, columns, request, row)
        for row, text in enumerate(_lines_of(piece), first_row)
    )
    return next(filter(None, problems), None)


def _problem_in(
    text: bytes, part: Part, columns: pa.Schema, request: ReadRequest, row: int
) -> Exception | None:
    """Return what to raise for the first wrong value of a line."""
    try:
        record = record_of(text)
    except ValueError:
        return no_object(request.table, part.lines, part.lines.number_of(row), text)
    for field in columns:
        value = _value(record.get(field.name), field.name, request)
        if _is_exact(field, part, request) and _kind_of_value(value) in (INTEGER, FLOAT, TEXT):
            written = record_of(text, as_written=True)[field.name]
            wrong = _not_exact(field, written, part, request, row)
        else:
            wrong = _problem_of(field, value, part, request, row)
        if wrong is not None:
            return wrong
    key = repeated_key(text, columns.names)
    if key is None:
        return None
    line = part.lines.number_of(row)
    return SourceError(
        f"{request.table}: line {line} of {part.lines.file.path!r} has {key!r} twice",
        remedy="name every key once",
        row=line,
    )


def _is_exact(field: pa.Field, part: Part, request: ReadRequest) -> bool:
    """Return whether numbers of a column, and strings of such, are taken digit by digit."""
    parsed_as = part.parsed_as(field)
    declared = _column(field.name, request).declared
    return bool(pa.types.is_decimal(parsed_as)) or parsed_as == declared == INTEGER


def _not_exact(
    field: pa.Field, written: str, part: Part, request: ReadRequest, row: int
) -> Exception | None:
    if _fits(written, field.type):
        return None
    line = part.lines.number_of(row)
    declared = _given(request).types.get(field.name, str(field.type))
    return ColumnError(
        f"{request.table}: {field.name} in line {line} of {part.lines.file.path!r} is "
        f"{written!r}, which is no {declared}",
        remedy=("say what it holds with ", Option("NdJson.types")),
        column=field.name,
        row=line,
    )


def _problem_of(
    field: pa.Field, value: Any, part: Part, request: ReadRequest, row: int
) -> Exception | None:
    column = _column(field.name, request)
    parsed_as, here = part.parsed_as(field), _kind_of_value(value)
    wider = None if here is None else _of_both(parsed_as, here, column.declared)
    if wider == parsed_as or (wider is not None and column.declared is not None):
        return None
    if pa.types.is_null(parsed_as) and here == TEXT:
        try:
            wider = _kind_of_texts(column, [value])
        except MisfitError as misfit:
            return _misfit(field.name, misfit, row, part.lines, request)
    if wider is not None and not request.are_settled:
        return ReadAgain(request.table, field.name, wider)
    settled = None if wider is None else SETTLED
    return _mixed(field.name, value, parsed_as, part.lines, request, row, settled)


def _fits(value: str, kind: pa.DataType) -> bool:
    """Return whether a number, or a string of one, is one of an exact type."""
    try:
        number = Decimal(value)
        whole = int(number) if kind == INTEGER else number
        pa.array([whole], kind)
    except (pa.ArrowInvalid, ArithmeticError, OverflowError, ValueError):
        return False
    return whole == number


def _mixed(
    name: str,
    value: Any,
    kind: pa.DataType,
    lines: Lines,
    request: ReadRequest,
    row: int,
    settled: str | None = None,
) -> ColumnError:
    line = lines.number_of(row)
    what = "holds several values" if isinstance(value, (list, dict)) else f"is {value!r}"
    before = "" if pa.types.is_null(kind) else f", where the lines before have {kind}"
    remedy: Text = settled or MIXED
    if isinstance(value, str) and settled is None:
        remedy = (
            MIXED,
            "; where it means no value, pass ",
            Option("NdJson.null_values", (value,)),
            "; to read both as text, ",
            Option("NdJson.types", {name: "text"}),
        )
    return ColumnError(
        f"{request.table}: {name} in line {line} of {lines.file.path!r} {what}{before}",
        remedy=remedy,
        column=name,
        row=line,
    )


def _misfit(
    name: str, misfit: MisfitError, row: int, lines: Lines, request: ReadRequest
) -> ColumnError:
    line = lines.number_of(row)
    what = misfit.what if isinstance(misfit.what, tuple) else (misfit.what,)
    remedy = misfit.remedy
    if misfit.kind is not None:
        what, remedy = (f"is {misfit.kind}, and of another type in the first lines",), SETTLED
    elif remedy is not None:
        pieces = remedy if isinstance(remedy, tuple) else (remedy,)
        names = {one.name for one in pieces if isinstance(one, Option)}
        if names & {"CsvFormat.decimal", "CsvFormat.thousands"}:  # which only CSV has
            remedy = (
                "write it as a number, or make one of it by an expression as ",
                Option("Columns.amount"),
            )
        remedy = renamed(remedy, of_json)
    return ColumnError(
        (f"{request.table}: {name} in line {line} of {lines.file.path!r} ", *what),
        remedy=remedy,
        column=name,
        row=line,
    )


def line_of(part: Part, row: int) -> int:
    """Return the line, from 1, of a row: blank lines are none."""
    return part.lines.number_of(row)


def _records(
    numbered: Iterator[tuple[int, bytes]], lines: Lines, request: ReadRequest
) -> Iterator[dict[str, Any]]:
    """Yield the objects of lines."""
    for line, text in numbered:
        try:
            yield record_of(text)
        except ValueError as error:
            raise no_object(request.table, lines, line, text) from error
