"""Files as one stream: the same columns of each, in one type, read ahead and named in errors."""

from __future__ import annotations

import os
import platform
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any, Literal, NamedTuple, TypeVar

import pyarrow as pa

from ordercycle._errors import ColumnError, Option, OrdercycleError, SourceError, Text
from ordercycle._sources import arrow_files, excel_files, json_files, parquet_files
from ordercycle._sources.column_types import (
    common_id_type,
    common_type,
    decoded_to,
    type_read,
    without_codes,
)
from ordercycle._sources.computed_columns import Computation, located, resolved
from ordercycle._sources.file_list import DataFile, Look, list_files
from ordercycle._sources.instants import times_mix
from ordercycle._sources.read_ahead import read_ahead
from ordercycle._sources.read_request import EXTENSION, IDS, ReadAgain, ReadRequest, Role
from ordercycle._sources.row_source import Files, Source, Where, check_columns
from ordercycle._sources.standard_input import Spooled
from ordercycle._sources.store_errors import cause, explained
from ordercycle._sources.stores import Written
from ordercycle._sources.text import csv_files
from ordercycle._sources.text import errors as text_errors

T = TypeVar("T")

#: More memory than a machine has, where the system does not say how much it has.
NO_MACHINE_BYTES = 2**44
#: What Arrow says of more bytes than it can count.
BEYOND_ARROW = "capacity too large"
#: What Hive writes for a missing value in the name of a folder.
MISSING = "__HIVE_DEFAULT_PARTITION__"
#: What the names of folders can be, in this order.
READINGS = (
    (pa.int64(), r"-?[0-9]{1,18}"),
    (pa.date32(), r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    (pa.string(), r"(?s).*"),
)


#: Files of a store that are looked at together: each takes a trip or two, and no time here.
LOOKS_AT_A_TIME = 16
#: Readers of a store for each thread: they wait. 40 objects of 100,000 orders, with 50 ms for each
#: request, take 4.3 s with eight readers where they take 7.8 with two, and 13.9 with one.
READERS_OF_STORES = 4
#: Shares of what may be read ahead: a batch, batches that wait, and the least for each reader.
BATCH_SHARE, WAITING_SHARE, READERS_SHARE = 8, 2, 4


class Format(NamedTuple):
    """How files of a format are looked at and read.

    common_type: of a column in two files, by its role; line_of: the line of a row of a part, in
    formats that have lines; counts: what they call one.
    """

    look: Callable[[DataFile, ReadRequest], Look]
    read: Callable[[DataFile, Any, pa.Schema, ReadRequest, int | None], Iterator[pa.RecordBatch]]
    common_type: Callable[[pa.DataType, pa.DataType, Role], pa.DataType | None] = common_type
    line_of: Callable[[Any, int], int] | None = None
    counts: Literal["row", "line"] = "line"


READERS = {
    "parquet": Format(parquet_files.look, parquet_files.read),
    "ipc": Format(arrow_files.look, arrow_files.read),
    "csv": Format(csv_files.look, csv_files.read, csv_files.common_type, text_errors.line_of),
    "ndjson": Format(json_files.look, json_files.read, json_files.common_type, json_files.line_of),
    "excel": Format(
        excel_files.look, excel_files.read, excel_files.common_type, excel_files.line_of, "row"
    ),
}


@dataclass(frozen=True)
class Piece:
    """A part of a file, which is read by itself, wherever the file can be seen.

    written: the file when it was divided; constants: the columns that its folders give; size: its
    share of the file, in bytes; held: finds the bytes that reading it holds, beside
    batches.
    """

    file: DataFile
    written: Written
    part: Any
    size: int
    held: Callable[[], int]
    constants: dict[str, pa.Scalar]

    def check_unchanged(self, name: str) -> None:
        """Raise a SourceError where the file is gone, or was written again since it was divided."""
        file = self.file
        try:
            written = file.written()
        except file.store.errors as error:
            reason, remedy = explained(error, file.store.uri)
            if remedy is None or not file.store.is_remote:
                remedy = (
                    "it was there when it was looked at, and has to be for all who read it until "
                    "the job is done"
                )
            raise SourceError(
                f"{name}: {file.path!r} cannot be read on {platform.node()}: {reason}",
                remedy=remedy,
            ) from cause(error, file.store.uri)
        if written != self.written:
            raise SourceError(
                f"{name}: {file.path!r} was written again since it was looked at, so that its "
                "parts are no longer those of one table",
                remedy="leave files alone while they are read, and run the job again",
            )

    def batches(
        self, schema: pa.Schema, request: ReadRequest, batch_bytes: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Read the columns of a schema; what goes wrong is reported with the name of the file.

        batch_bytes: of a batch, as far as the format has a choice; None: no limit.

        Raises
        ------
        SourceError
            Where the file cannot be read, or was written again since it was looked at: its parts
            would be those of several tables.
        """
        columns = pa.schema([field for field in schema if field.name not in self.constants])
        file = self.file
        self.check_unchanged(request.table)
        try:
            read = READERS[file.kind].read
            for batch in read(file, self.part, columns, request, batch_bytes):
                yield self._as_requested(batch, schema)
        except (OrdercycleError, ReadAgain):
            raise
        except file.store.errors as error:
            if isinstance(error, MemoryError) and not _asks_too_much(error):
                raise
            self.check_unchanged(request.table)  # of a new file, parts of the old one are nonsense
            raise file.unreadable(request.table, error) from cause(error, file.store.uri)
        self.check_unchanged(request.table)

    def _as_requested(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        arrays = []
        for field in schema:
            if field.name in self.constants:
                values = pa.repeat(self.constants[field.name], batch.num_rows)
            else:
                values = batch.column(field.name)
            if values.type != field.type:
                values = decoded_to(values, field.type)
            arrays.append(values)
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


class Pieces(NamedTuple):
    """What files hold: in which types, in which pieces, and how many rows where that is known.

    request: what is read of them, where columns are computed; computation: what makes these;
    times_have_offsets: whether times of a text have offsets, those of UTC aside; files: what they
    are.
    """

    schema: pa.Schema
    pieces: list[Piece]
    rows: int | None
    request: ReadRequest
    computation: Computation | None
    times_have_offsets: bool
    files: Files


def schema_of_first(paths: Any, request: ReadRequest) -> pa.Schema:
    """Return the columns of the first file, as far as it says what they are."""
    return _look(_files(paths, request)[0], request)[1].schema


def _files(paths: Any, request: ReadRequest) -> list[DataFile]:
    """Return the files that a path, several of them or what was piped in stand for."""
    if isinstance(paths, Spooled):
        return [paths.as_file(request.read, request.table)]
    several = paths if isinstance(paths, (list, tuple)) else [paths]
    return list_files(map(os.fspath, several), request.table, request.filesystem, request.read)


def look_at_files(paths: Any, request: ReadRequest) -> Pieces:
    """Look at the schema of every file; no row is read.

    Raises
    ------
    SourceError
        Where a file cannot be read, is empty or listed twice.
    ColumnError
        Where a file has not all the columns, or in types that no one type holds.
    """
    files = _files(paths, request)
    known = {key for file in files for key in file.partition}
    if request.may_compute:
        of_first = _look(files[0], replace(request, roles={}))[1].schema.names
        request = resolved(request, [*of_first, *(key for key in known if key not in of_first)])
    folders = {
        column: _folder_values(files, column, role)
        for column, role in request.roles.items()
        if column in known
    }
    opened = _of_all(partial(_open, request=request, folders=folders), files)
    schema = pa.schema([_common_field(opened, column, request) for column in request.names])
    rows = [one.look.rows for one in opened]
    pieces = [piece for one in opened for piece in one.pieces()]
    size = None if None in rows else sum(size or 0 for size in rows)
    names = frozenset(known.union(*(one.look.schema.names for one in opened)))
    return Pieces(
        schema,
        pieces,
        size,
        request,
        Computation.of(request, schema),
        any(one.look.times_have_offsets for one in opened),
        Files(files[0].kind, names, are_placed=not isinstance(paths, Spooled)),
    )


def settle(pieces: list[Piece]) -> None:
    """Find out what one piece has to know of others, for readers that share nothing."""
    for piece in pieces:
        if isinstance(piece.part, text_errors.Part):
            piece.part.text.settled()


def open_files(
    paths: Any, request: ReadRequest, threads: int, most_bytes: int | None = None
) -> Source:
    """Open files as one source, which reads ahead; see `look_at_files` for what it raises.

    most_bytes: that may be read ahead, for which fewer threads may read, and ids of a dictionary
    come as what they stand for; None: no limit.
    """
    found = look_at_files(paths, request)
    schema, pieces, rows, request, computation, have_offsets, files = found
    waiting = batch_bytes = None
    if any(piece.file.store.is_remote for piece in pieces):
        threads *= READERS_OF_STORES
    if most_bytes is not None:
        held = _held(pieces, request)
        threads = max(1, min(threads, most_bytes // (held + most_bytes // READERS_SHARE)))
        waiting, batch_bytes = most_bytes // WAITING_SHARE, most_bytes // BATCH_SHARE
    stream = _Stream(pieces, schema, request, batch_bytes, computation)
    parts = [partial(stream.read, number) for number in range(len(pieces))]
    batches = read_ahead(parts, threads, waiting)
    source = Source(
        request.table,
        schema,
        batches,
        rows,
        place=stream.place,
        is_untyped=files.kind == "csv",
        written=_newest(pieces),
        times_had_offsets=have_offsets,
        files=files,
    )
    if computation is None:
        return source
    return replace(source, schema=computation.schema, batches=located(batches, source))


def _of_all(work: Callable[[DataFile], T], files: Collection[DataFile]) -> list[T]:
    """Return what work makes of each file: several at a time where it takes trips to a store."""
    if not any(file.store.is_remote for file in files):
        return [work(file) for file in files]
    with ThreadPoolExecutor(min(len(files), LOOKS_AT_A_TIME)) as threads:
        made = [threads.submit(work, file) for file in files]
        try:
            return [one.result() for one in made]
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _newest(pieces: list[Piece]) -> int | None:
    """Return when the newest file was written, in nanoseconds; None where one does not say."""
    times = [piece.written.nanoseconds for piece in pieces]
    return max((time or 0 for time in times), default=None) if None not in times else None


def _look(file: DataFile, request: ReadRequest) -> tuple[Written, Look]:
    try:
        # In this order: what is written between the two is then seen later.
        written, look = file.written(), READERS[file.kind].look(file, request)
        str(look.schema.names)  # of a damaged file, those that are no text raise here
    except OrdercycleError:
        raise
    except file.store.errors as error:
        raise file.unreadable(request.table, error) from cause(error, file.store.uri)
    return written, look


def _held(pieces: list[Piece], request: ReadRequest) -> int:
    """Return the bytes that reading any of the pieces holds, beside batches."""
    of_file = {piece.file: piece for piece in pieces}

    def held(file: DataFile) -> int:
        try:
            return of_file[file].held()
        except file.store.errors as error:
            raise file.unreadable(request.table, error) from cause(error, file.store.uri)

    return max(_of_all(held, of_file), default=0)


def _asks_too_much(error: MemoryError) -> bool:
    """Return whether the file requested more memory than such a machine has."""
    there = NO_MACHINE_BYTES
    if hasattr(os, "sysconf"):
        there = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    asked = str(error)
    return BEYOND_ARROW in asked or any(
        int(size) > there for size in re.findall(r"[0-9]{10,}", asked)
    )


@dataclass(frozen=True)
class _Opened:
    """A file, what is known of it, and the columns that its folders give."""

    file: DataFile
    written: Written
    look: Look
    constants: dict[str, pa.Scalar]

    def type_of(self, column: str) -> pa.DataType:
        if column in self.constants:
            return self.constants[column].type
        return self.look.schema.field(column).type

    def extension_of(self, column: str) -> dict[bytes, bytes]:
        """Return what says of which extension type, unknown here, the column is."""
        if column in self.constants:
            return {}
        metadata = self.look.schema.field(column).metadata or {}
        return {key: value for key, value in metadata.items() if key == EXTENSION}

    def pieces(self) -> Iterator[Piece]:
        """Yield the parts of the file."""
        parts = self.look.parts
        for part in parts:
            size = self.written.size // len(parts)
            yield Piece(self.file, self.written, part, size, self.look.held_bytes, self.constants)


def _open(
    file: DataFile, request: ReadRequest, folders: dict[str, dict[str, pa.Scalar]]
) -> _Opened:
    written, look = _look(file, request)
    # A column that the file itself has is not looked for in the names of its folders.
    constants = {
        column: values[file.path]
        for column, values in folders.items()
        if column not in look.schema.names and file.path in values
    }
    there = pa.schema([*look.schema, *(pa.field(key, one.type) for key, one in constants.items())])
    check_columns(there, request.names, request.table, file.path)
    return _Opened(file, written, look, constants)


def _folder_values(files: list[DataFile], column: str, role: Role) -> dict[str, pa.Scalar]:
    """Return the value of a column that folders name, by file: integers, days, or else text.

    Ids are text, as the folders write them: 007 is not 7.
    """
    texts = {file.path: file.partition[column] for file in files if column in file.partition}
    given = sorted(set(texts.values()) - {MISSING})
    readings = READINGS[-1:] if role in (*IDS, "text") else READINGS
    kind = next(
        kind for kind, pattern in readings if all(re.fullmatch(pattern, text) for text in given)
    )
    try:
        values = pa.array(given, pa.string()).cast(kind)
    except pa.ArrowInvalid:  # February has no 30th: text
        kind = pa.string()
        values = pa.array(given, kind)
    by_text = {text: values[number] for number, text in enumerate(given)}
    by_text[MISSING] = pa.scalar(None, kind)
    return {path: by_text[text] for path, text in texts.items()}


def _common_field(opened: list[_Opened], column: str, request: ReadRequest) -> pa.Field:
    """Return the column in the type that holds the values of all files."""
    role = request.roles[column]
    kind, decided_by = type_read(opened[0].type_of(column), role), opened[0]
    for one in opened[1:]:
        here = type_read(one.type_of(column), role)
        common = READERS[one.file.kind].common_type(kind, here, role)
        if common is None and role in IDS:
            common = common_id_type(kind, here)
        if not times_mix(kind, here, request.times):
            common = None
        if common is None:
            remedy: Text = "cast it to one type in all files"
            if pa.types.is_temporal(kind) and pa.types.is_temporal(here):
                remedy = "write all times with an offset or a zone, or none"
            elif one.file.kind == "csv":
                remedy = (
                    "write it in one way in all files, or say what it holds with ",
                    Option("CsvFormat.types"),
                )
            raise ColumnError(
                f"{request.table}: {column} is {without_codes(here)} in {one.file.path!r} but "
                f"{without_codes(kind)} in {decided_by.file.path!r}",
                remedy=remedy,
                column=column,
            )
        if common != kind:
            kind, decided_by = common, one
    extensions = [found for one in opened if (found := one.extension_of(column))]
    return pa.field(column, kind, metadata=extensions[0] if extensions else None)


def _without_dictionaries(schema: pa.Schema) -> pa.Schema:
    """Return the schema with what dictionaries stand for.

    With one of its own in each row group, a column takes several times its size while it is read:
    1.3 GB of one with a million ids of 43 bytes in each of 12 row groups, 0.3 as text.
    """
    return pa.schema(
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    )


class _Stream:
    """Reads pieces of files as batches of one schema, and knows where each row came from."""

    def __init__(
        self,
        pieces: list[Piece],
        schema: pa.Schema,
        request: ReadRequest,
        batch_bytes: int | None,
        computation: Computation | None,
    ) -> None:
        self._schema = schema if batch_bytes is None else _without_dictionaries(schema)
        self._batch_bytes = batch_bytes
        self._request = request
        self._computation = computation
        self._pieces = pieces
        self._rows = [0] * len(pieces)

    def read(self, number: int) -> Iterator[pa.RecordBatch]:
        """Read a piece."""
        piece = self._pieces[number]
        for batch in piece.batches(self._schema, self._request, self._batch_bytes):
            self._rows[number] += batch.num_rows
            yield batch if self._computation is None else self._computation.batch(batch)

    def place(self, row: int) -> Where:
        """Return which row of which file a row of the whole is; all rows before it were read."""
        begins = list(accumulate(self._rows, initial=0))
        number = bisect_right(begins, row) - 1
        piece = self._pieces[number]
        path = piece.file.path
        reader = READERS[piece.file.kind]
        if reader.line_of is not None:
            line = reader.line_of(piece.part, row - begins[number])
            return Where(line, path, reader.counts)
        first = next(at for at, one in enumerate(self._pieces) if one.file == piece.file)
        return Where(row - begins[first], path)
