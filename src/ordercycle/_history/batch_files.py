"""Batches of customers in Arrow IPC files: written whole, and read by any tool."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._history.batch_outlines import Outline, Range, ids_of_batches, rows_of_batches
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.spill_file import SpilledArray, SpillFile
from ordercycle._workspace import Workspace


class Batch(Protocol):
    """Customers in ascending order of their hash, and what each of them did, by day.

    ids: (c,), plain; offsets: (c + 1,) into days and all else that each did; negative: how many of
    these are refunds, for those whose batches know of any.
    """

    @property
    def ids(self) -> pa.Array: ...
    @property
    def offsets(self) -> NDArray[np.int64]: ...
    @property
    def days(self) -> NDArray[np.int32]: ...
    @property
    def negative(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def slice(self, start: int, stop: int) -> Any: ...


B = TypeVar("B")


class BatchFormat(Protocol[B]):
    """How batches of one kind of history are kept: in files, merged, and said in a manifest.

    tables: what batches refer to and is kept beside them, by any names; None: nothing can be.
    """

    @property
    def ids(self) -> IdReader: ...
    @property
    def customer_column(self) -> str: ...
    @property
    def schema(self) -> pa.Schema: ...
    @property
    def tables(self) -> Any: ...
    def to_arrow(self, batch: B) -> pa.RecordBatch: ...
    def from_arrow(self, batch: pa.RecordBatch, negative: int | None) -> B: ...
    def has_columns(self, schema: pa.Schema) -> bool: ...
    def check(self, batch: B) -> None: ...
    def merge(self, there: B, arriving: B, workspace: Workspace | None = None) -> B: ...
    def joined(self, batches: Sequence[B]) -> B: ...
    def of_customers(self, batch: B, kept: NDArray[np.bool_]) -> B: ...
    def hidden(self, batch: B) -> NDArray[np.bool_] | None: ...
    def described(self) -> dict[str, Any]: ...


class FileEntry(NamedTuple):
    """A file as the manifest lists it."""

    file: str
    bytes: int
    crc32: int
    batches: int


class _Sink:
    """A stream that counts and checks what is written to it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.bytes = 0
        self.crc32 = 0
        self.closed = False

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._stream.write(view)
        self.bytes += view.nbytes
        self.crc32 = zlib.crc32(view, self.crc32)
        return view.nbytes

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self.closed = True
        self._stream.flush()


def write_batches(
    stream: IO[bytes], name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> FileEntry:
    """Write batches to an empty file that is open; `name` is what it is called."""
    sink = _Sink(stream)
    written = 0
    with pa.PythonFile(sink, mode="w") as target, pa.ipc.new_file(target, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            written += 1
    return FileEntry(name, sink.bytes, sink.crc32, written)


def write_file(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> FileEntry:
    """Write batches to a new file, to stay, for its owner only; on error, remove it."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    stream = os.fdopen(handle, "wb")
    try:
        entry = write_batches(stream, path.name, batches, schema)
        os.fsync(stream.fileno())
        stream.close()
    except BaseException:
        with suppress(OSError):
            stream.close()
        path.unlink(missing_ok=True)
        raise
    return entry


@dataclass(frozen=True)
class Spilled(Generic[B]):
    """A batch that waits on disk, past a memory limit."""

    bytes: SpilledArray
    format: BatchFormat[B]
    negative: int

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return self.bytes.size

    def read(self) -> B:
        """Return the batch, in memory of its own: profiles keep ids and days of it."""
        with pa.ipc.open_file(pa.py_buffer(self.bytes.read())) as reader:
            return self.format.from_arrow(reader.get_batch(0), self.negative)

    def release(self) -> None:
        """Keep nothing: the memory is the reader's."""

    @cached_property
    def outline(self) -> Outline:
        """Where the columns of the batch are."""
        return Outline.of(self._read_at, self.bytes.size)

    def _read_at(self, size: int, place: int) -> NDArray[np.uint8]:
        return self.bytes.read(slice(place, place + size))

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return self.outline.rows

    def whole_for(self, _wanted: int) -> None:
        """Say that the runs of all parts are by themselves."""

    @classmethod
    def ids_of(cls, rows: Sequence[tuple[Spilled[B], int, int]]) -> pa.Array:
        """Return the ids of customers from start to stop of each batch."""
        return ids_of_batches([Range(run.outline, start, stop) for run, start, stop in rows])

    @classmethod
    def rows_of(cls, rows: Sequence[tuple[Spilled[B], int, int]], kept: BatchFormat[Any]) -> Any:
        """Return customers from start to stop of each batch."""
        ranges = [Range(run.outline, start, stop) for run, start, stop in rows]
        return kept.from_arrow(rows_of_batches(ranges), None)


def put_on_disk(
    batch: Any, kept: BatchFormat[B], file: SpillFile, workspace: Workspace
) -> Spilled[B]:
    """Write a batch to a spill file, by way of a scratch array of the thread."""
    arrow = kept.to_arrow(batch)
    measured = pa.MockOutputStream()
    with pa.ipc.new_file(measured, arrow.schema) as writer:
        writer.write_batch(arrow)
    data = workspace.array("to disk", measured.size(), np.uint8)
    with (
        pa.FixedSizeBufferWriter(pa.py_buffer(data)) as target,
        pa.ipc.new_file(target, arrow.schema) as writer,
    ):
        writer.write_batch(arrow)
    return Spilled(file.put(data), kept, batch.negative)
