"""CSV files: types from the first rows, and parts that are stretches of bytes.

An empty field, and nothing else, is a missing value. A plain file is divided where lines end, as
Arrow's own reader divides it into blocks: a quoted value must not hold the end of a line. A
compressed one has to be read from its beginning and is one part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ordercycle.errors import ColumnError
from ordercycle.sources import common_types
from ordercycle.sources.file_list import DataFile
from ordercycle.sources.file_look import Look
from ordercycle.sources.read_ahead import BATCH_ROWS
from ordercycle.sources.wanted import Wanted

#: Bytes of a part: 300,000 orders of three columns.
PART_BYTES = 2**24
#: Bytes that are parsed at a time.
BLOCK_BYTES = 2**22
#: Bytes from which the types are read.
LOOK_BYTES = 2**20
SEARCH_BYTES = 2**16

#: How Arrow says that a value does not have the type of its column.
CONVERSION = re.compile(r"In CSV column #(\d+):.* CSV conversion error to ([^:]+): (.*)", re.DOTALL)


def common_type(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return the type in which both files can be read, or None.

    Amounts without a fraction in all of a file's first rows are floats where another file has
    fractions: the text is read as a float in both.
    """
    if {left, right} == {pa.int64(), pa.float64()}:
        return pa.float64()
    return common_types.common_type(left, right)


def look(file: DataFile, wanted: Wanted) -> Look:  # noqa: ARG001 - the footer says all
    """Read the first rows for names and types."""
    schema = _first_rows(file)
    size = file.size()
    if file.is_compressed:
        return Look(schema, None, [range(size)])
    parts = [range(start, min(start + PART_BYTES, size)) for start in range(0, size, PART_BYTES)]
    return Look(schema, None, parts)


def read(
    file: DataFile,
    part: range,
    columns: pa.Schema,
    wanted: Wanted,  # noqa: ARG001
    batch_bytes: int | None,  # noqa: ARG001 - parts have few bytes, and are parsed whole
) -> Iterator[pa.RecordBatch]:
    """Read columns of the lines that begin in a stretch of the file, in the types asked for.

    Raises
    ------
    ColumnError
        Where a value does not have its column's type.
    """
    from pyarrow import csv

    names = None if part.start == 0 else _header(file)
    options = _options(file, block_bytes=BLOCK_BYTES, names=names, types=columns)
    try:
        if file.is_compressed:
            with file.open_stream() as stream, csv.open_csv(stream, **options) as reader:
                yield from reader
            return
        content = _lines(file, part)
        if content and not content.isspace():
            # Not opened as a stream, which would be parsed by threads of Arrow's.
            yield from csv.read_csv(pa.BufferReader(content), **options).to_batches(BATCH_ROWS)
    except pa.ArrowInvalid as error:
        conversion = CONVERSION.search(str(error))
        if conversion is None:
            raise
        column = (names or _header(file))[int(conversion[1])]
        raise ColumnError(_mistyped(column, conversion[2], conversion[3])) from error


def _mistyped(column: str, kind: str, what: str) -> str:
    return (
        f"{column} is {kind} in the first rows, but not in all: {what}. CSV has no types, so they "
        "are read from the first rows; write the column in one way everywhere, or convert the "
        "files to Parquet"
    )


def _options(
    file: DataFile,
    *,
    block_bytes: int,
    names: list[str] | None = None,
    types: pa.Schema | None = None,
) -> dict[str, Any]:
    from pyarrow import csv

    return {
        # Parts are read in parallel; threads within one would only wait for each other.
        "read_options": csv.ReadOptions(
            block_size=block_bytes, column_names=names, use_threads=False
        ),
        "parse_options": csv.ParseOptions(delimiter="\t" if file.is_tabbed else ","),
        "convert_options": csv.ConvertOptions(
            null_values=[""],
            strings_can_be_null=True,
            column_types=types,
            include_columns=types.names if types is not None else None,
        ),
    }


def _first_rows(file: DataFile) -> pa.Schema:
    """Return the names and types of the columns, as the first rows have them."""
    from pyarrow import csv

    options = _options(file, block_bytes=LOOK_BYTES)
    with file.open_stream() as stream, csv.open_csv(stream, **options) as reader:
        return reader.schema


def _header(file: DataFile) -> list[str]:
    names: list[str] = _first_rows(file).names
    return names


def _lines(file: DataFile, part: range) -> bytes:
    """Return the lines that begin in a stretch of the file."""
    with file.open() as stream:
        start, stop = _line_start(stream, part.start), _line_start(stream, part.stop)
        stream.seek(start)
        return bytes(stream.read(stop - start))


def _line_start(stream: pa.NativeFile, position: int) -> int:
    """Return where the first line begins at or after a position."""
    if position == 0:
        return 0
    start = position - 1
    stream.seek(start)
    while piece := stream.read(SEARCH_BYTES):
        found: int = piece.find(b"\n")
        if found >= 0:
            return start + found + 1
        start += len(piece)
    return start
