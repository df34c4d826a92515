"""Every kind of source that the library reads, made from the same columns."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import feather
from support.layouts import Layout

Columns = dict[str, tuple[list, pa.DataType]]


class Stream:
    """A foreign table: all it offers is the Arrow stream protocol."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def _reader(layout: Layout, columns: Columns) -> pa.RecordBatchReader:
    batches = layout.batches(columns)
    return pa.RecordBatchReader.from_batches(batches[0].schema, batches)


IN_MEMORY: dict[str, Callable[[Layout, Columns], object]] = {
    "table": lambda layout, columns: layout.table(columns),
    "record batch": lambda layout, columns: layout.batch(columns),
    "reader": _reader,
    "dataset": lambda layout, columns: ds.dataset(layout.table(columns)),
    "stream": lambda layout, columns: Stream(layout.table(columns)),
    "list of batches": lambda layout, columns: layout.batches(columns),
    "generator of batches": lambda layout, columns: iter(layout.batches(columns)),
}


def _halves(table: pa.Table) -> list[pa.Table]:
    middle = table.num_rows // 2
    return [table.slice(0, middle), table.slice(middle)]


def _parquet_file(table: pa.Table, folder: Path) -> object:
    path = folder / "orders.parquet"
    pq.write_table(table, path, row_group_size=7)
    return path


def _parquet_halves(table: pa.Table, folder: Path) -> list[Path]:
    paths = [folder / "part-0.parquet", folder / "part-1.parquet"]
    for path, half in zip(paths, _halves(table), strict=True):
        pq.write_table(half, path)
    return paths


def _parquet_glob(table: pa.Table, folder: Path) -> object:
    _parquet_halves(table, folder)
    return str(folder / "part-*.parquet")


def _parquet_directory(table: pa.Table, folder: Path) -> object:
    inner = folder / "orders"
    inner.mkdir()
    _parquet_halves(table, inner)
    return inner


def _parquet_dataset(table: pa.Table, folder: Path) -> object:
    return ds.dataset(_parquet_halves(table, folder))


def _ipc_file(table: pa.Table, folder: Path) -> object:
    path = folder / "orders.arrow"
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    return str(path)


def _feather_files(table: pa.Table, folder: Path) -> object:
    paths = [folder / "first.feather", folder / "second.feather"]
    for path, half in zip(paths, _halves(table), strict=True):
        feather.write_feather(half, path, compression="zstd")
    return paths


ON_DISK: dict[str, Callable[[pa.Table, Path], object]] = {
    "parquet file": _parquet_file,
    "list of parquet files": _parquet_halves,
    "glob of parquet files": _parquet_glob,
    "directory of parquet files": _parquet_directory,
    "dataset of parquet files": _parquet_dataset,
    "ipc file": _ipc_file,
    "list of feather files": _feather_files,
}
