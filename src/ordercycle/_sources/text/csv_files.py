"""CSV and its kin: looked at in the first rows, then parsed by Arrow a part at a time.

An empty field is a missing value, and so is what the caller names as one. Columns are parsed as
text, or as numbers where Arrow reads these as they are meant; see `columns` for what becomes of
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle._errors import ColumnError, Option, SourceError, Text, counted
from ordercycle._sources.computed_columns import CountingRows, sparing
from ordercycle._sources.file_formats import CsvFormat
from ordercycle._sources.file_list import DataFile, Look
from ordercycle._sources.read_ahead import BATCH_ROWS
from ordercycle._sources.read_request import ReadRequest, Role
from ordercycle._sources.text.chunks import (
    Content,
    TextFile,
    UnendedQuoteError,
    borders_of,
)
from ordercycle._sources.text.columns import FLOAT, TEXT, MisfitError, TextColumn, joined
from ordercycle._sources.text.encodings import UTF_8, Transcoded, as_utf8, is_divisible
from ordercycle._sources.text.errors import (
    Part,
    column_error,
    field_count,
    line_of,
    not_utf8,
    refusal,
    undecodable,
)
from ordercycle._sources.text.header import Header, check_header, check_marks, read_header
from ordercycle._sources.text.numbers import large_rows
from ordercycle._sources.text.plain_records import plain_records
from ordercycle._sources.text.times import INSTANTS
from ordercycle._sources.text.times import have_offsets as times_have_offsets
from ordercycle_kernels import quoting

#: Bytes that are parsed at a time.
BLOCK_BYTES = 2**22
#: Bytes in which the header and the types are looked for: a thousand rows, as what comes later may
#: still ask for others.
LOOK_BYTES = 2**16
#: Those of files that cannot be read again in other types.
SETTLED_LOOK_BYTES = 2**20
#: Bytes of a record, and of all that is parsed at once, have to be fewer.
MOST_BYTES = 2**31 - 2

#: How Arrow says that a value is not of its column's type.
MISSHAPEN = re.compile(r"CSV parse error: Row #(\d+): Expected (\d+) columns, got (\d+)")
CONVERSION = re.compile(r"In CSV column #(\d+):")


class _Row(Exception):  # noqa: N818 - says where; what is raised has its words from there
    """A record of the present content cannot be parsed."""

    def __init__(self, record: int, what: str, remedy: Text) -> None:
        super().__init__(record, what, remedy)
        self.record = record
        self.what = what
        self.remedy = remedy


def common_type(left: pa.DataType, right: pa.DataType, role: Role) -> pa.DataType | None:
    """Return the type in which the columns of both files can be read, or None."""
    return joined(role, left, right)


def look(file: DataFile, request: ReadRequest) -> Look:
    """Read the first rows for names and types.

    Raises
    ------
    SourceError
        Where the file is no such text, or is described wrongly.
    ColumnError
        Where a value in the first rows is nothing that its column is for.
    """
    given = request.read if isinstance(request.read, CsvFormat) else CsvFormat()
    is_stream = file.is_compressed or not is_divisible(given.encoding)
    try:
        head, data, is_whole = _head(file, request, given, is_stream=is_stream)
        if not is_stream and not is_divisible(given.encoding, head.delimiter):
            is_stream = True
            head, data, is_whole = _head(file, request, given, is_stream=True)
    except UnicodeError as error:
        raise undecodable(f"{request.table}: {file.path!r}", given, error) from error
    encoding = "utf-8" if is_stream else given.encoding
    check_header(head, data, file, request, encoding)
    names = [name for name in request.names if head.names.count(name) == 1]
    size = 0 if is_stream else file.size()
    borders = None if is_stream else borders_of(min(head.start, size), size)
    text = TextFile(file, given, head, borders)
    records = data[head.start :]
    if not is_whole:
        view = np.frombuffer(records, np.uint8)
        records = records[: quoting.last_record_end(view, text.delimiter)]
    content = Content(records, b'"' in records)
    texts = pa.schema([pa.field(name, TEXT) for name in names])
    located = _located(text, 0, request, [content], lambda one: _parsed(text, one, texts, encoding))
    try:
        table = pa.Table.from_batches(located, texts)
    except _NotOfItsType as error:
        raise _found_misfit(Part(text, 0), texts, request, encoding, error.column) from error
    kinds, have_offsets = _kinds(table.combine_chunks(), text, request)
    fields = [pa.field(name, kinds.get(name, TEXT)) for name in head.names]
    parts = [Part(text, number) for number in text.parts]
    return Look(pa.schema(fields), None, parts, times_have_offsets=have_offsets)


def _kinds(
    table: pa.Table, text: TextFile, request: ReadRequest
) -> tuple[dict[str, pa.DataType], bool]:
    """Return the types of the texts of the first rows, and whether times have offsets."""
    found: dict[str, pa.DataType] = {}
    misfits: dict[str, MisfitError] = {}
    columns = {name: _column(name, request, text.given) for name in table.column_names}
    for name, column in columns.items():
        try:
            found[name] = column.kind_of(_values(table, name))
        except MisfitError as misfit:
            misfits[name] = misfit
    if misfits:
        counting = CountingRows.of(request, found)
        if counting is not None:
            deciding = [
                columns[name].reader_of_texts(found[name])(_values(table, name))
                for name in counting.names
            ]
            table = pa.Table.from_batches([counting.blotted(table.to_batches()[0], deciding)])
    for name in misfits:
        try:
            found[name] = columns[name].kind_of(_values(table, name))
        except MisfitError as misfit:
            raise column_error(text, 0, name, misfit, request, first_row=0) from misfit
    have_offsets = any(
        found[name] == INSTANTS
        and column.role == "time"
        and times_have_offsets(_values(table, name))
        for name, column in columns.items()
    )
    return {name: _as_known(columns[name], found[name], request) for name in columns}, have_offsets


def _values(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks()


def _as_known(column: TextColumn, kind: pa.DataType, request: ReadRequest) -> pa.DataType:
    known = request.kinds.get(column.name)
    if known is None or column.declared is not None:
        return kind
    if column.role == "order":  # text, unless a history has integers
        return known
    return joined(column.role, known, kind) or kind


def _column(name: str, request: ReadRequest, given: CsvFormat) -> TextColumn:
    is_compared = name in request.behind
    return TextColumn(name, request.roles[name], given, request.are_settled, is_compared)


def _head(
    file: DataFile, request: ReadRequest, given: CsvFormat, *, is_stream: bool
) -> tuple[Header, bytes, bool]:
    """Return the head of a file, its first bytes, and whether these are the whole file."""
    encoding = "utf-8" if is_stream else given.encoding
    data = b""
    with Transcoded(file, given.encoding if is_stream else "utf-8") as stream:
        is_whole = False
        least_bytes = SETTLED_LOOK_BYTES if request.are_settled else LOOK_BYTES
        while not is_whole:
            least = max(least_bytes, 2 * len(data))
            while len(data) < least and not is_whole:
                piece = stream.read(least - len(data))
                is_whole = not piece
                data += piece
            check_marks(data, file, request, given.encoding)
            head = read_header(data, file, given, encoding)
            if head is not None and (is_whole or len(data) > head.start):
                view = np.frombuffer(data, np.uint8)[head.start :]
                if is_whole or quoting.last_record_end(view, ord(head.delimiter)):
                    return head, data, is_whole
    ended = read_header(data + b"\n", file, given, encoding)
    if ended is None or not any(name.strip() for name in ended.names):
        skipped = counted(given.skip_rows, "line that is", "lines that are")
        above = f" below the {skipped} skipped" if given.skip_rows else ""
        raise SourceError(
            f"{request.table}: {file.path!r} is empty, not even a header{above}",
            remedy="write the file again, or leave it out",
        )
    return ended._replace(start=min(ended.start, len(data))), data, True


def read(
    file: DataFile,  # noqa: ARG001 - the part knows it
    part: Part,
    columns: pa.Schema,
    request: ReadRequest,
    batch_bytes: int | None,  # noqa: ARG001 - parts have few bytes, and are parsed whole
) -> Iterator[pa.RecordBatch]:
    """Read columns of the records that begin in a part, in the requested types.

    Raises
    ------
    ReadAgain
        Where a value needs a wider type than its column is to have.
    ColumnError
        Where a value has no place in its column.
    SourceError
        Where a record has too few or too many fields, or the file ends within quotes.
    """
    yield from sparing(
        request,
        columns,
        _read_all(part, columns, request),
        lambda counting: _read_counting(part, columns, request, counting),
    )


def _read_counting(
    part: Part, columns: pa.Schema, request: ReadRequest, counting: CountingRows
) -> Iterator[pa.RecordBatch]:
    """Read columns of which something cannot be read, unless that is in rows that do not count."""
    text, number = part
    texts = pa.schema([(name, TEXT) for name in columns.names])
    encoding = _encoding(text)
    readers = {
        field.name: _column(field.name, request, text.given).reader_of_texts(field.type)
        for field in columns
    }
    contents = text.contents(number)
    row = 0
    try:
        for batch in _located(
            text, number, request, contents, lambda one: _parsed(text, one, texts, encoding)
        ):
            refused = partial(refusal, part, request, row)
            deciding = _made(batch, counting.names, readers, refused)
            left = counting.blotted(batch, deciding)
            arrays = _made(left, columns.names, readers, refused)
            yield pa.RecordBatch.from_arrays(arrays, schema=columns)
            row += batch.num_rows
    except _NotOfItsType as error:
        raise _found_misfit(part, texts, request, encoding, error.column) from error


def _made(
    batch: pa.RecordBatch,
    names: Sequence[str],
    readers: Mapping[str, Callable[[pa.Array], pa.Array]],
    refused: Callable[[str, MisfitError], Exception],
) -> list[pa.Array]:
    """Return what readers make of columns; raise what the first that does not fit is refused by."""
    arrays = []
    for name in names:
        try:
            arrays.append(readers[name](batch.column(name)))
        except MisfitError as misfit:
            raise refused(name, misfit) from misfit
    return arrays


def _encoding(text: TextFile) -> str:
    return "utf-8" if text.borders is None else text.given.encoding


def _read_all(part: Part, columns: pa.Schema, request: ReadRequest) -> Iterator[pa.RecordBatch]:
    """Read columns of a part, in which everything has to be readable."""
    text, number = part
    of_name = {name: _column(name, request, text.given) for name in columns.names}
    kinds = dict(zip(columns.names, columns.types, strict=True))
    readers = {name: column.reader(kinds[name]) for name, column in of_name.items()}
    parsed_as = pa.schema(
        [(name, column.parsed_as(kinds[name])) for name, column in of_name.items()]
    )
    encoding = _encoding(text)
    plain = plain_records(text.head, columns, of_name) if encoding in UTF_8 else None

    def parsed(content: Content) -> Iterator[pa.RecordBatch]:
        batch = None if plain is None else plain.read(content.data)
        if batch is None:
            return _parsed(text, content, parsed_as, encoding)
        return iter(pa.Table.from_batches([batch]).to_batches(BATCH_ROWS))

    row = 0
    have_large: set[str] = set()
    try:
        for batch in _located(text, number, request, text.contents(number), parsed):
            for name in _with_large_numbers(batch) - have_large:  # all of the part is looked at
                have_large.add(name)
                _raise(_misfit_of(part, columns, request, encoding, name))
            if batch.schema.types == columns.types:  # all as requested
                yield pa.RecordBatch.from_arrays(batch.columns, schema=columns)
                row += batch.num_rows
                continue
            refused = partial(refusal, part, request, row)
            arrays = _made(batch, batch.schema.names, readers, refused)
            yield pa.RecordBatch.from_arrays(arrays, schema=columns)
            row += batch.num_rows
    except _NotOfItsType as error:
        raise _found_misfit(part, columns, request, encoding, error.column) from error


def _with_large_numbers(batch: pa.RecordBatch) -> set[str]:
    """Return the columns with floats that may not have all the digits that are written."""
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return {name for name, values in columns if values.type == FLOAT and large_rows(values)}


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


class _NotOfItsType(Exception):  # noqa: N818 - which value it is remains to be found
    """Arrow found a value that has not the type that its column was to be parsed in."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(column, reason)
        self.column = column
        self.reason = reason


def _located(
    text: TextFile,
    number: int,
    request: ReadRequest,
    contents: Any,
    parsed: Callable[[Content], Iterator[pa.RecordBatch]],
) -> Iterator[pa.RecordBatch]:
    """Yield what contents of a part are parsed to; what goes wrong is reported with its line."""
    row = 0
    try:
        for content in contents:
            if len(content.data) > MOST_BYTES:
                raise SourceError(
                    f"{request.table}: {text.file.path!r} has a record of 2 GB or more",
                    remedy="look for a quote at the beginning of a value that no other one ends",
                )
            yielded = 0
            try:
                for batch in parsed(content):
                    yielded += batch.num_rows
                    yield batch
            except _Row as wrong:
                line = line_of(Part(text, number), row + wrong.record)
                raise SourceError(
                    f"{request.table}: line {line} of {text.file.path!r} {wrong.what}",
                    remedy=wrong.remedy,
                    row=line,
                ) from wrong
            row += yielded
    except UnendedQuoteError as error:
        line = line_of(Part(text, number), row + error.record)
        raise SourceError(
            f"{request.table}: {text.file.path!r} ends within a quoted value: its record begins in "
            f"line {line}",
            remedy="end the quotes there, or fetch the file again where it was cut off",
            row=line,
        ) from error
    except UnicodeError as error:
        raise undecodable(f"{request.table}: {text.file.path!r}", text.given, error) from error


def _parsed(
    text: TextFile, content: Content, columns: pa.Schema, encoding: str
) -> Iterator[pa.RecordBatch]:
    """Parse whole records as columns of the given types."""
    from pyarrow import csv

    data = content.data
    if len(data) == 0 or not columns.names:
        return
    data = pa.py_buffer(as_utf8(bytes(data), encoding)) if encoding != "utf-8" else data
    head = text.head
    # By place, as names may be there twice; those that are read are there once.
    places = [str(place) for place in range(len(head.names))]
    used = [places[head.names.index(name)] for name in columns.names]
    longest = len(data) + 1
    options = {
        # Parts are read in parallel; threads within one would only wait for each other.
        "read_options": csv.ReadOptions(
            # A record has to fit in a block: without quotes, it does, or it is no record.
            block_size=longest if content.has_lines_in_quotes else min(longest, BLOCK_BYTES),
            column_names=places,
            use_threads=False,
        ),
        "parse_options": csv.ParseOptions(
            delimiter=head.delimiter,
            newlines_in_values=content.has_lines_in_quotes,
        ),
        "convert_options": csv.ConvertOptions(
            null_values=["", *text.given.null_values],
            strings_can_be_null=True,
            column_types=dict(zip(used, columns.types, strict=True)),
            include_columns=used,
            decimal_point=text.given.decimal,
        ),
    }
    try:
        table = csv.read_csv(pa.BufferReader(data), **options)
    except pa.ArrowInvalid as error:
        # A handler of such rows would fail on those that are no UTF-8, with a traceback on stderr.
        if wrong := MISSHAPEN.match(str(error)):
            row, expected, found = map(int, wrong.groups())
            raise _Row(row - 1, *field_count(expected, found, head)) from error
        if "straddling" in str(error) and not content.has_lines_in_quotes:  # a record that is large
            yield from _parsed(text, content._replace(has_lines_in_quotes=True), columns, encoding)
            return
        misread = CONVERSION.search(str(error))
        if misread is None:
            if str(error).startswith("Empty CSV file"):  # nothing but empty lines
                return
            raise
        raise _NotOfItsType(
            columns.names[used.index(places[int(misread[1])])], str(error)
        ) from error
    yield from table.rename_columns(columns.names).to_batches(BATCH_ROWS)


def _found_misfit(
    part: Part, columns: pa.Schema, request: ReadRequest, encoding: str, suspected: str
) -> Exception:
    """Return what to raise for a value that Arrow could not read."""
    kind = columns.field(suspected).type
    return _misfit_of(part, columns, request, encoding, suspected) or ColumnError(
        f"{request.table}: {suspected} of {part.text.file.path!r} cannot be read as {kind}",
        remedy=("say what it holds with ", Option("CsvFormat.types")),
        column=suspected,
    )


def _misfit_of(
    part: Part, columns: pa.Schema, request: ReadRequest, encoding: str, suspected: str
) -> Exception | None:
    """Return what to raise for the first value of a column that fails, found by reading texts."""
    text = part.text
    binary = pa.schema([pa.field(suspected, pa.binary())])
    kind = columns.field(suspected).type
    column = _column(suspected, request, text.given)
    row = 0
    contents = text.contents(part.number)
    for batch in _located(
        text, part.number, request, contents, lambda one: _parsed(text, one, binary, encoding)
    ):
        values = batch.column(0)
        try:
            texts = values.cast(TEXT)
        except pa.ArrowInvalid:
            return not_utf8(part, suspected, values, request, row)
        try:
            column.numbers(texts, kind)
        except MisfitError as misfit:
            return refusal(part, request, row, suspected, misfit)
        row += batch.num_rows
    return None
