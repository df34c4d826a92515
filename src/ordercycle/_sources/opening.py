"""Any source of rows as a stream of Arrow record batches with the requested columns."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pyarrow as pa

from ordercycle._errors import ColumnError, OrdercycleError, SourceError, counted, warn
from ordercycle._sources.column_types import decoded_source
from ordercycle._sources.computed_columns import Computation, computed_source, resolved
from ordercycle._sources.files import open_files, schema_of_first
from ordercycle._sources.frames import exported
from ordercycle._sources.read_request import ReadRequest, Role
from ordercycle._sources.row_source import Source, check_columns, check_names, unreadable
from ordercycle._sources.standard_input import Spooled, at_hand
from ordercycle._sources.validation import validated

if TYPE_CHECKING:
    import pyarrow.dataset as ds

#: Batches a file scan may hold ahead of the reader: more only piles up memory.
BATCH_READAHEAD, FRAGMENT_READAHEAD = 8, 2

ACCEPTED = (
    "a path, URI, glob, directory or list of Parquet, CSV or Arrow files; a pyarrow Table, "
    "RecordBatch, Dataset or RecordBatchReader; any object with __arrow_c_stream__ (pandas, "
    "Polars, DuckDB); or an iterable of record batches"
)

#: Objects that hold no rows yet: where their class is from, its name, and what has them.
WITHOUT_ROWS = {
    ("polars", "LazyFrame"): ".collect(), or the path of the file it scans",
    ("deltalake", "DeltaTable"): ".to_pyarrow_dataset()",
    ("pyiceberg", "Table"): ".scan().to_arrow_batch_reader()",
    ("pyiceberg", "StaticTable"): ".scan().to_arrow_batch_reader()",
    ("pyiceberg", "DataScan"): ".to_arrow_batch_reader()",
}

#: What Delta tables with mapped columns say of each.
NAME_IN_FILES = b"delta.columnMapping.physicalName"

_consumed: WeakSet[pa.RecordBatchReader] = WeakSet()


class _Begun:
    """A stream that was begun for its columns: without batches it is empty, not read before."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self.reader = reader
        self.schema = reader.schema


def open_source(
    rows: Any, request: ReadRequest, threads: int, most_bytes: int | None = None
) -> Source:
    """Open a source of any accepted kind.

    Parameters
    ----------
    rows
        The source.
    request
        What to read of it, and how.
    threads
        How many threads may read ahead.
    most_bytes
        Bytes that may be read ahead of the caller; None: no limit.

    Raises
    ------
    SourceError
        Where the source cannot be read, does not exist, or was read before.
    ColumnError
        Where a requested column is missing.
    """
    if isinstance(rows, Source):  # opened by the tasks of a cluster, who know their columns
        return rows
    rows = at_hand(rows)
    if _are_paths(rows):  # the threads that read files compute as well
        return _opened(rows, request, threads, most_bytes)
    if not request.may_compute:
        return decoded_source(_opened(rows, request, threads, most_bytes), request)
    rows, names = _with_names(rows, request)
    request = resolved(request, names)
    source = decoded_source(_opened(rows, request, threads, most_bytes), request)
    return computed_source(source, Computation.of(request, source.schema), threads)


def open_all(
    rows: Any,
    table: str,
    role_of: Callable[[str], Role],
    threads: int,
    columns: Collection[str] | None = None,
) -> Source:
    """Open a source with all of its columns, or those of them that are named.

    role_of: what a column is for; for the rest see `open_source`.
    """
    bare = ReadRequest(table, {})
    if _are_paths(rows):
        names = schema_of_first(rows, bare).names
    else:
        rows, names = _with_names(rows, bare)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        check_names(names, [twice], table)
    kept = [name for name in names if columns is None or name in columns]
    return open_source(rows, ReadRequest(table, {name: role_of(name) for name in kept}), threads)


def _are_paths(rows: object) -> bool:
    several = isinstance(rows, (list, tuple)) and bool(rows) and all(map(_is_path, rows))
    return several or _is_path(rows) or isinstance(rows, Spooled)


def _with_names(rows: Any, request: ReadRequest) -> tuple[Any, list[str]]:
    """Return a source, which may have to begin for that, and the names of all its columns."""
    names: list[str] = []
    if hasattr(rows, "__arrow_c_array__") and not hasattr(rows, "__arrow_c_stream__"):
        rows = _as_batch(rows, request.table)
    if hasattr(rows, "__arrow_c_stream__") and not (
        hasattr(rows, "columns") or hasattr(rows, "schema")
    ):
        rows = _Begun(exported(rows, replace(request, roles={})))
    if isinstance(getattr(rows, "schema", None), pa.Schema):
        names = rows.schema.names
    elif hasattr(rows, "columns") and not hasattr(rows, "collect"):
        names = [str(column) for column in rows.columns]
    elif isinstance(rows, Iterable) and not isinstance(rows, (bytes, dict)):
        batches = _reading(iter(rows), request.table)
        first = next(batches, None)
        rows = [] if first is None else chain([first], batches)
        names = first.schema.names if isinstance(first, pa.RecordBatch) else []
    return rows, names


def _opened(  # noqa: PLR0911 - one case after the other
    rows: Any, request: ReadRequest, threads: int, most_bytes: int | None
) -> Source:
    name, names = request.table, request.names
    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    if isinstance(rows, pa.Table):
        check_columns(rows.schema, names, name)
        selected = rows.select(names)
        batches = validated(selected.to_batches(), name)
        return Source(name, selected.schema, batches, selected.num_rows, in_memory=True)
    if _are_paths(rows):
        return open_files(rows, request, threads, most_bytes)
    if isinstance(rows, _Begun):
        return noticed(_of_stream(rows.reader, names, name), request)
    if isinstance(rows, pa.RecordBatchReader):
        return noticed(_open_reader(rows, names, name), request)
    if _is_dataset(rows):
        return _open_dataset(rows, request, threads)
    if hasattr(rows, "__arrow_c_stream__"):
        return _of_stream(exported(rows, request), names, name)
    if hasattr(rows, "__arrow_c_array__"):
        return _opened(_as_batch(rows, name), request, threads, most_bytes)
    _refuse_without_rows(rows, name)
    if isinstance(rows, Iterable) and not isinstance(rows, (bytes, dict)):
        return noticed(_open_iterable(rows, names, name), request)
    raise SourceError(f"{name}: a {type(rows).__name__} cannot be read", remedy=f"pass {ACCEPTED}")


def _refuse_without_rows(rows: object, name: str) -> None:
    """Raise a SourceError for what stands for rows that its own library has to read."""
    kind = type(rows)
    library = kind.__module__.partition(".")[0]
    words = WITHOUT_ROWS.get((library, kind.__name__))
    if words is not None:
        raise SourceError(
            f"{name}: a {kind.__name__} of {library} holds no rows yet", remedy=f"pass its {words}"
        )


def _as_batch(rows: Any, name: str) -> pa.RecordBatch:
    try:
        return pa.record_batch(rows)
    except Exception as error:
        raise unreadable(name, error) from error


def _is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike))


def _is_dataset(rows: object) -> bool:
    # pyarrow.dataset takes 0.3 s to import: only someone who has imported it has a Dataset.
    import sys

    module = sys.modules.get("pyarrow.dataset")
    return module is not None and isinstance(rows, module.Dataset)


def _open_reader(reader: pa.RecordBatchReader, columns: list[str], name: str) -> Source:
    consumed = SourceError(
        f"{name}: this RecordBatchReader yields nothing: it was read before, and a reader can be "
        "read only once",
        remedy="pass a new reader, or a Table (also where there really are no rows)",
    )
    if reader in _consumed:
        raise consumed
    source = _of_stream(reader, columns, name)
    _consumed.add(reader)
    first = next(source.batches, None)
    if first is None:
        raise consumed
    return Source(name, source.schema, chain([first], source.batches), None)


def _of_stream(reader: pa.RecordBatchReader, columns: list[str], name: str) -> Source:
    check_columns(reader.schema, columns, name)
    schema = pa.schema([reader.schema.field(column) for column in columns])
    batches = validated(_selected(_reading(reader, name), schema, name), name)
    return Source(name, schema, batches, None)


def _open_iterable(rows: Iterable[Any], columns: list[str], name: str) -> Source:
    batches = _reading(iter(rows), name)
    first = next(batches, None)
    if first is None:
        raise SourceError(
            f"{name}: the iterable yields no record batch, so that its columns are unknown",
            remedy="was it read before? Pass a pyarrow Table where there really are no rows",
        )
    if not isinstance(first, pa.RecordBatch):
        raise SourceError(
            f"{name}: an iterable of {type(first).__name__} cannot be read",
            remedy=f"pass {ACCEPTED}",
        )
    check_columns(first.schema, columns, name)
    schema = pa.schema([first.schema.field(column) for column in columns])
    batches = validated(_selected(chain([first], batches), schema, name), name)
    return Source(name, schema, batches, None)


def _selected(batches: Iterable[Any], schema: pa.Schema, name: str) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if not isinstance(batch, pa.RecordBatch):
            raise SourceError(
                f"{name}: a {type(batch).__name__} came between record batches",
                remedy="yield record batches alone",
            )
        check_columns(batch.schema, schema.names, name)
        selected = batch.select(schema.names)
        if selected.schema.types != schema.types:
            raise ColumnError(
                f"{name}: a later batch has the types {list(map(str, selected.schema.types))} "
                f"where the first has {list(map(str, schema.types))}",
                remedy="cast them to one schema",
            )
        yield selected


def _reading(batches: Iterable[Any], name: str) -> Iterator[Any]:
    """Pass batches on, turning what any reader raises into a SourceError."""
    try:
        yield from batches
    except (OrdercycleError, MemoryError):
        raise
    except Exception as error:
        raise unreadable(name, error) from error


def _open_dataset(dataset: ds.Dataset, request: ReadRequest, threads: int) -> Source:
    name, names = request.table, request.names
    check_columns(dataset.schema, names, name)
    _refuse_mapped(dataset.schema, names, name)
    schema = pa.schema([dataset.schema.field(column) for column in names])
    scanner = dataset.scanner(
        columns=names,
        batch_readahead=BATCH_READAHEAD,
        fragment_readahead=FRAGMENT_READAHEAD,
        use_threads=threads > 1,
    )
    file = ""

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal file
        for tagged in scanner.scan_batches():
            file = getattr(tagged.fragment, "path", "")
            yield tagged.record_batch

    read = validated(_reading(batches(), name), name)
    source = Source(name, schema, read, _known_rows(dataset, name))
    return noticed(source, request, lambda: file)


def _refuse_mapped(schema: pa.Schema, names: Iterable[str], name: str) -> None:
    """Raise a SourceError for columns of a Delta table that its files call otherwise.

    deltalake makes datasets of such tables as well, which look for the columns under their names.
    """
    for column in names:
        told = (schema.field(column).metadata or {}).get(NAME_IN_FILES)
        if told is not None and told.decode() != column:
            raise SourceError(
                f"{name}: {column} is {told.decode()!r} in the files of the Delta table, where its "
                "dataset looks for it in vain",
                remedy="pass what the scan() of the DeltaTable returns, in deltalake 1.6 or later",
            )


def _known_rows(dataset: ds.Dataset, name: str) -> int | None:
    """Return the number of rows where the files' footers hold it."""
    kind = getattr(getattr(dataset, "format", None), "default_extname", None)
    try:
        return dataset.count_rows() if kind == "parquet" else None
    except (pa.ArrowException, OSError) as error:
        raise unreadable(name, error) from error


def noticed(source: Source, request: ReadRequest, file: Callable[[], str] = str) -> Source:
    """Return a source that warns after its last batch where in some all customers are missing.

    A pyarrow Dataset gives rows of a file that writes a column's name in another way nulls for it,
    and does not report it. file: names the file of the last batch, or nothing.
    """
    column = next((name for name, role in request.roles.items() if role == "customer"), None)
    if column is None:
        return source
    return replace(source, batches=_noticed(source, column, file))


def _noticed(source: Source, column: str, file: Callable[[], str]) -> Iterator[pa.RecordBatch]:
    batches = rows = 0
    first = ""
    for batch in source.batches:
        if batch.num_rows and batch.column(column).null_count == batch.num_rows:
            first = first or file()
            batches, rows = batches + 1, rows + batch.num_rows
        yield batch
    if batches:
        whole = "a batch" if batches == 1 else counted(batches, "batch", "batches")
        where = f", those of {first!r} among them" if first else ""
        warn(
            f"{source.name}: {column} is null in all rows of {whole}{where} "
            f"({counted(rows, 'row')}), as where files write its name in another way; look "
            "at them, or pass the paths of the files, of which each then has to have it"
        )
