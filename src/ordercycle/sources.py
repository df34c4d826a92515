"""Any source of rows as a stream of Arrow record batches with the wanted columns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pyarrow as pa

from ordercycle.errors import ColumnError, SourceError, suggestion

if TYPE_CHECKING:
    import pyarrow.dataset as ds

#: File endings and the format they stand for.
FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "ipc",
    ".feather": "ipc",
    ".ipc": "ipc",
    ".csv": "csv",
    ".tsv": "csv",
}
COMPRESSIONS = (".gz", ".bz2", ".zst", ".lz4")
#: Batches a file scan may hold ahead of the reader: more only piles up memory.
BATCH_READAHEAD, FRAGMENT_READAHEAD = 8, 2

ACCEPTED = (
    "a path, glob, directory or list of Parquet, CSV or Arrow files; a pyarrow Table, "
    "RecordBatch, Dataset or RecordBatchReader; any object with __arrow_c_stream__ (pandas, "
    "Polars, DuckDB); or an iterable of record batches"
)

_consumed: WeakSet[pa.RecordBatchReader] = WeakSet()


@dataclass(frozen=True)
class Source:
    """The wanted columns of a table, read once."""

    name: str
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    rows: int | None  # None: not known before the end
    in_memory: bool = False


def open_source(rows: Any, wanted: list[str], name: str) -> Source:  # noqa: C901, PLR0911
    """Open a source of any accepted kind: one case after the other.

    Parameters
    ----------
    rows
        The source.
    wanted
        The columns to read.
    name
        What the rows are, for messages: ``"orders"`` or ``"customers"``.

    Raises
    ------
    SourceError
        Where the source cannot be read, does not exist, or was read before.
    ColumnError
        Where a wanted column is missing.
    """
    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    if isinstance(rows, pa.Table):
        _check_columns(rows.schema, wanted, name)
        selected = rows.select(wanted)
        return Source(
            name, selected.schema, iter(selected.to_batches()), selected.num_rows, in_memory=True
        )
    if isinstance(rows, (str, os.PathLike)):
        return _open_dataset(_dataset_of_files([os.fspath(rows)], name), wanted, name)
    if isinstance(rows, pa.RecordBatchReader):
        return _open_reader(rows, wanted, name)
    if _is_dataset(rows):
        return _open_dataset(rows, wanted, name)
    if hasattr(rows, "__arrow_c_stream__"):
        return _of_stream(_exported(rows, wanted, name), wanted, name)
    if hasattr(rows, "__arrow_c_array__"):
        return open_source(pa.record_batch(rows), wanted, name)
    if type(rows).__module__.partition(".")[0] == "polars" and hasattr(rows, "collect"):
        raise SourceError(
            f"{name}: a Polars LazyFrame holds no rows yet; pass .collect(), or the path of the "
            "file it scans"
        )
    if isinstance(rows, (list, tuple)) and rows and all(map(_is_path, rows)):
        return _open_dataset(
            _dataset_of_files([os.fspath(row) for row in rows], name), wanted, name
        )
    if isinstance(rows, Iterable) and not isinstance(rows, (bytes, dict)):
        return _open_iterable(rows, wanted, name)
    raise SourceError(f"{name}: a {type(rows).__name__} cannot be read; pass {ACCEPTED}")


def _is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike))


def _is_dataset(rows: object) -> bool:
    # pyarrow.dataset takes 0.3 s to import: only someone who has imported it has a Dataset.
    import sys

    module = sys.modules.get("pyarrow.dataset")
    return module is not None and isinstance(rows, module.Dataset)


def _check_columns(schema: pa.Schema, wanted: list[str], name: str) -> None:
    for column in wanted:
        found = schema.names.count(column)
        if found == 0:
            there = ", ".join(map(repr, schema.names[:20])) or "no column at all"
            hint = suggestion(column, schema.names)
            raise ColumnError(
                f"{name} has no column {column!r}{hint}; it has {there}. "
                "Say which columns to read with columns=Columns(...)"
                + (", or Columns(registered=None) where it has none" * (name == "customers"))
            )
        if found > 1:
            raise ColumnError(
                f"{name} has {found} columns named {column!r}; rename all but the one to read"
            )


def _open_reader(reader: pa.RecordBatchReader, wanted: list[str], name: str) -> Source:
    consumed = (
        f"{name}: this RecordBatchReader yields nothing; it was read before, and a reader can be "
        "read only once. Pass a new reader, or a Table (also where there really are no rows)"
    )
    if reader in _consumed:
        raise SourceError(consumed)
    source = _of_stream(reader, wanted, name)
    _consumed.add(reader)
    first = next(source.batches, None)
    if first is None:
        raise SourceError(consumed)
    return Source(name, source.schema, chain([first], source.batches), None)


def _exported(rows: Any, wanted: list[str], name: str) -> pa.RecordBatchReader:
    """Return a reader of any object that exports an Arrow stream, of the wanted columns only."""
    if type(rows).__module__.partition(".")[0] in ("pandas", "polars") and hasattr(rows, "columns"):
        # Converted before it is asked for its columns, a frame would convert all of them.
        names = list(rows.columns)
        if all(names.count(column) == 1 for column in wanted):
            rows = rows[wanted]
    try:
        return pa.RecordBatchReader.from_stream(rows)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name} cannot be read: {_first_line(error)}") from error


def _of_stream(reader: pa.RecordBatchReader, wanted: list[str], name: str) -> Source:
    _check_columns(reader.schema, wanted, name)
    schema = pa.schema([reader.schema.field(column) for column in wanted])
    return Source(name, schema, _selected(_reading(reader, name), schema, name), None)


def _open_iterable(rows: Iterable[Any], wanted: list[str], name: str) -> Source:
    batches = iter(rows)
    first = next(batches, None)
    if first is None:
        raise SourceError(
            f"{name}: the iterable yields no record batch, so its columns are unknown; was it "
            "read before? Pass a pyarrow Table where there really are no rows"
        )
    if not isinstance(first, pa.RecordBatch):
        raise SourceError(
            f"{name}: an iterable of {type(first).__name__} cannot be read; pass {ACCEPTED}"
        )
    _check_columns(first.schema, wanted, name)
    schema = pa.schema([first.schema.field(column) for column in wanted])
    return Source(name, schema, _selected(chain([first], batches), schema, name), None)


def _selected(batches: Iterable[Any], schema: pa.Schema, name: str) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if not isinstance(batch, pa.RecordBatch):
            raise SourceError(f"{name}: a {type(batch).__name__} came between record batches")
        _check_columns(batch.schema, schema.names, name)
        selected = batch.select(schema.names)
        if selected.schema.types != schema.types:
            raise ColumnError(
                f"{name}: a later batch has the types {list(map(str, selected.schema.types))} "
                f"where the first has {list(map(str, schema.types))}; cast them to one schema"
            )
        yield selected


def _reading(batches: Iterable[pa.RecordBatch], name: str) -> Iterator[pa.RecordBatch]:
    """Pass batches on, turning what the reader raises into a SourceError."""
    try:
        yield from batches
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name} cannot be read: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _dataset_of_files(paths: list[str], name: str) -> ds.Dataset:
    import pyarrow.dataset as ds

    files = [file for path in paths for file in _files(path, name)]
    formats = {file: _format(file) for file in files}
    unknown = [file for file, known in formats.items() if known is None]
    if unknown:
        raise SourceError(
            f"{name}: the format of {unknown[0]!r} is unknown; name files "
            f"{', '.join(FORMATS)} (CSV also with {', '.join(COMPRESSIONS)})"
        )
    if len(set(formats.values())) > 1:
        mixed = ", ".join(sorted({str(known) for known in formats.values()}))
        raise SourceError(f"{name}: files of several formats ({mixed}); pass one format at a time")
    kind: Any = formats[files[0]]
    if kind == "csv":
        kind = _csv_format(tabs=any(_without_compression(file).endswith(".tsv") for file in files))
    try:
        return ds.dataset(files, format=kind)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name} cannot be read: {_first_line(error)}") from error


def _csv_format(*, tabs: bool) -> ds.CsvFileFormat:
    """Return the CSV format in which an empty field, and nothing else, is a missing value."""
    import pyarrow.dataset as ds
    from pyarrow import csv

    return ds.CsvFileFormat(
        parse_options=csv.ParseOptions(delimiter="\t" if tabs else ","),
        default_fragment_scan_options=ds.CsvFragmentScanOptions(
            convert_options=csv.ConvertOptions(null_values=[""], strings_can_be_null=True)
        ),
    )


def _files(path: str, name: str) -> list[str]:
    """Return the files of a path: itself, what the glob matches, or a directory's data files."""
    if os.path.isdir(path):
        found = sorted(
            str(file)
            for file in Path(path).rglob("*")
            if file.is_file()
            and _format(str(file))
            and not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
        )
        if not found:
            raise SourceError(
                f"{name}: the directory {path!r} holds no file named {', '.join(FORMATS)}"
            )
        return found
    if os.path.exists(path):
        return [path]
    if glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))
        if not found:
            raise SourceError(f"{name}: no file matches {path!r}; look at the path and the pattern")
        return [file for match in found for file in _files(match, name)]
    raise SourceError(f"{name}: there is no file or directory {path!r}")


def _without_compression(file: str) -> str:
    stem, ending = os.path.splitext(file.lower())
    return stem if ending in COMPRESSIONS else file.lower()


def _format(file: str) -> str | None:
    plain = _without_compression(file)
    known = FORMATS.get(os.path.splitext(plain)[1])
    return known if known == "csv" or plain == file.lower() else None


def _open_dataset(dataset: ds.Dataset, wanted: list[str], name: str) -> Source:
    _check_columns(dataset.schema, wanted, name)
    schema = pa.schema([dataset.schema.field(column) for column in wanted])
    scanner = dataset.scanner(
        columns=wanted,
        batch_readahead=BATCH_READAHEAD,
        fragment_readahead=FRAGMENT_READAHEAD,
    )
    return Source(name, schema, _reading(scanner.to_batches(), name), _known_rows(dataset, name))


def _known_rows(dataset: ds.Dataset, name: str) -> int | None:
    """Return the number of rows where the files' footers tell it."""
    kind = getattr(getattr(dataset, "format", None), "default_extname", None)
    try:
        return dataset.count_rows() if kind == "parquet" else None
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name} cannot be read: {_first_line(error)}") from error
