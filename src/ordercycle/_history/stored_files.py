"""Files of a saved history: read part by part, and checked before they are relied on.

They are read into memory, not mapped there: what is cut off a mapped file, or cannot be read from
its disk, ends the process by a signal. And the checksums of the manifest find accidents, not what
somebody wrote on purpose, so that every batch is looked at as one from outside.
"""

from __future__ import annotations

import os
import stat
import threading
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import batch_of_file, fixed_view
from ordercycle._errors import StorageError, counted
from ordercycle._history.batch_files import Batch, BatchFormat, FileEntry
from ordercycle._history.batch_outlines import (
    Outline,
    Range,
    ReadAt,
    ids_of_batches,
    rows_of_batches,
)
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._sources.validation import values_outside
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY
from ordercycle_kernels.population import are_in_order

CHECK_BYTES = 2**20
#: How the files of what was appended begin.
RUN = "run-"
#: Bytes of such a file of which the customers stay in memory, at most.
MOST_HELD = 2**26
#: To find one customer in a file takes as long as to read so many bytes of it (30 µs), and to look
#: at a batch as long as so many (0.3 ms).
BYTES_OF_ONE, BYTES_OF_BATCH = 30_000, 300_000
#: What reading a damaged file raises.
UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError)
B = TypeVar("B", bound=Batch)

REBUILD = "restore it from a copy, or build the history again"


def open_regular(path: Path) -> int:
    """Return a descriptor of a file to read, or raise an OSError.

    Opening a pipe waits until something writes to it, and a device may wait as well: neither
    is waited for, and both are refused.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "it is no regular file", str(path))
    return handle


class _Stream:
    """A file as Arrow reads one: into memory of Python's, which Arrow then holds."""

    closed = False

    def __init__(self, handle: int, size: int) -> None:
        weakref.finalize(self, os.close, handle)
        self._handle, self._size = handle, size
        self._place = 0

    @classmethod
    def of(cls, folder: Path, entry: FileEntry) -> _Stream:
        """Open a file of a folder, with its size compared."""
        path = folder / entry.file
        with _reading(path):
            handle = open_regular(path)
            stream = cls(handle, entry.bytes)
            size = os.fstat(handle).st_size
            if size != entry.bytes:
                raise StorageError(
                    f"{path} has {counted(size, 'byte')} instead of {entry.bytes:,}: it was cut "
                    "off or changed",
                    remedy=REBUILD,
                )
        return stream

    def verify(self, path: Path, entry: FileEntry) -> None:
        """Compare the checksum; path: for messages."""
        with _reading(path):
            if _checksum(self._handle) != entry.crc32:
                raise StorageError(f"{path} is damaged: its checksum differs", remedy=REBUILD)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begins = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}
        self._place = begins[whence] + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int) -> NDArray[np.uint8]:
        # What a damaged file says of its own sizes may be anything.
        size = min(size, max(0, self._size - self._place))
        # Of Arrow's pool, which keeps what is given back: NumPy's memory would be fresh each time,
        # and to touch that took as long again as everything else here.
        room: NDArray[np.uint8] = np.frombuffer(pa.allocate_buffer(size), np.uint8)
        filled = 0
        while filled < size:
            found = _read_into(self._handle, room[filled:], self._place + filled)
            if found == 0:
                raise OSError(0, "it was cut off while it was read")
            filled += found
        self._place += size
        return room

    def close(self) -> None:
        """Leave the file open: the next batch is read from it."""

    def read_at(self) -> ReadAt:
        """Return what reads so many bytes from a place on."""
        return partial(os.pread if hasattr(os, "pread") else _read_bytes, self._handle)


#: Seeking and reading are two calls on a handle that threads share.
_ONE_AT_A_TIME = threading.Lock()


def _read_bytes(handle: int, size: int, place: int) -> bytes:
    """Return bytes of a file, on systems without pread."""
    with _ONE_AT_A_TIME:
        os.lseek(handle, place, os.SEEK_SET)
        return os.read(handle, size)


def _read_into(handle: int, room: NDArray[np.uint8], place: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(handle, [room.data], place)
    data = _read_bytes(handle, room.size, place)  # pragma: no cover - systems without preadv
    room[: len(data)] = np.frombuffer(data, np.uint8)  # pragma: no cover
    return len(data)  # pragma: no cover


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn errors of the system into a StorageError."""
    try:
        yield
    except FileNotFoundError:
        raise StorageError(f"{path} is missing", remedy=REBUILD) from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error


def read_table(folder: Path, entry: FileEntry, *, verify: bool) -> pa.Table:
    """Return a table of a folder, checked."""
    stream = _Stream.of(folder, entry)
    if verify:
        stream.verify(folder / entry.file, entry)
    try:
        with pa.ipc.open_file(pa.PythonFile(stream, mode="r")) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except UNREADABLE as error:
        raise _no_file(folder / entry.file, error) from error
    return table


def _no_file(path: Path, error: Exception) -> StorageError:
    reason = getattr(error, "strerror", None) or str(error)
    return StorageError(f"{path} is no file of a history: {reason}", remedy=REBUILD)


class HeldRun(NamedTuple):
    """What a file of a run holds: the customers of all its batches, and each batch."""

    customers: Any
    pieces: Sequence[Any]


class StoredFile:
    """A file of batches that stays open: it may be removed, or replaced, from then on.

    Of a run's file, `held` is what it holds, where it was written or looked up in by this process
    and is not large.
    """

    def __init__(
        self,
        stream: _Stream,
        entry: FileEntry,
        kept: BatchFormat[Any],
        where: Path,
        held: HeldRun | None = None,
    ) -> None:
        self._format = kept
        self.where = where  # for messages
        self.entry = entry
        self.is_run = where.name.startswith(RUN)
        self._stream = stream
        self._reader: Any = None
        self._negative: dict[int, int] = {}  # of the batches that were looked at
        self._held = held
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls, folder: Path, entry: FileEntry, kept: BatchFormat[Any], held: HeldRun | None = None
    ) -> StoredFile:
        """Open a file of a folder, with its size compared; held: what was written to it."""
        where = folder / entry.file
        return cls(_Stream.of(folder, entry), entry, kept, where, held)

    def verify(self) -> None:
        """Compare the checksum."""
        self._stream.verify(self.where, self.entry)

    def whole_for(self, wanted: int) -> Any:
        """Return the customers of all batches, or None where so few are better read one by one."""
        size, batches = self.entry.bytes, self.entry.batches
        is_small = self.is_run and size <= MOST_HELD
        is_cheap = wanted * BYTES_OF_ONE > size + batches * BYTES_OF_BATCH
        if self._held is None and is_small and is_cheap:
            pieces = [self.batch(one) for one in range(batches)]
            self._held = HeldRun(self._format.joined(pieces), pieces)
        return None if self._held is None else self._held.customers

    def batch(self, number: int) -> Any:
        """Return a batch, in memory of its own; ids, which profiles keep, hold nothing else."""
        if self._held is not None:
            return self._held.pieces[number]
        try:
            with self._lock:
                if self._reader is None:
                    self._reader = pa.ipc.open_file(pa.PythonFile(self._stream, mode="r"))
                batch = batch_of_file(self._reader, number)
            customers = checked_customers(batch, self._format, self._negative.get(number))
        except UNREADABLE as error:
            raise _no_file(self.where, error) from error
        self._negative[number] = customers.negative
        return replace(customers, ids=_copied(customers.ids))

    def outline(self, number: int) -> Outline:
        """Return where the columns of a batch are."""
        try:
            return Outline.of(self._stream.read_at(), self.entry.bytes, number)
        except UNREADABLE as error:
            raise _no_file(self.where, error) from error

    def release(self) -> None:
        """Keep nothing: the memory is the reader's."""


def checked_customers(batch: pa.RecordBatch, kept: BatchFormat[B], negative: int | None) -> B:
    """Return the customers of a batch, or raise an ArrowInvalid for one that is none.

    What leads out of arrays is looked for each time, as the file may change: 0.2 ns an order.

    negative: how many amounts are, known since the same batch was looked at; None for a new one.
    """
    if negative is None:
        _check_columns(batch, kept)
        batch.validate(full=True)
    _check_offsets(batch)
    customers = kept.from_arrow(batch, negative)
    days = customers.days
    if days.size and (days.min() < FIRST_DAY or days.max() > LAST_DAY):
        raise pa.ArrowInvalid("days are outside the years 1900 to 2199")
    if negative is None:
        kept.check(customers)
        hashes = hashes_of(customers.ids)
        if (hashes[1:] < hashes[:-1]).any() or not are_in_order(customers.offsets, days):
            raise pa.ArrowInvalid("its customers or what they did are not in order")
    return customers


def _check_columns(batch: pa.RecordBatch, kept: BatchFormat[Any]) -> None:
    """Raise an ArrowInvalid for columns that are not those of the history."""
    batch.validate()
    expected = kept.schema
    if not kept.has_columns(batch.schema):
        raise pa.ArrowInvalid("its columns are not those that the manifest tells of")
    required = [batch.column(field.name) for field in expected if not field.nullable]
    required += [column.values for column in required if pa.types.is_large_list(column.type)]
    required += [
        column.field(number)
        for column in required
        if pa.types.is_struct(column.type)
        for number in range(column.type.num_fields)
        if not column.type.field(number).nullable
    ]
    if any(column.null_count for column in required):
        raise pa.ArrowInvalid("values are missing that every customer or order has")


def _check_offsets(batch: pa.RecordBatch) -> None:
    """Raise an ArrowInvalid where ids or lists are outside their data."""
    batch.validate()
    for column in batch.columns:
        if pa.types.is_large_list(column.type):
            offsets = fixed_view(column.offsets, np.int64)
            outside = offsets[0] < 0 or offsets[-1] > len(column.values)
            if outside or (offsets[1:] < offsets[:-1]).any():
                raise pa.ArrowInvalid("lists are outside what they list")
        elif values_outside(column) is not None:
            raise pa.ArrowInvalid("ids are outside their data")


def _copied(ids: pa.Array) -> pa.Array:
    """Return ids in memory of their own, not that of a whole batch."""
    buffers = [
        None if buffer is None else pa.py_buffer(np.frombuffer(buffer, np.uint8).copy())
        for buffer in ids.buffers()
    ]
    return pa.Array.from_buffers(ids.type, len(ids), buffers, offset=ids.offset)


def _checksum(handle: int) -> int:
    """Return the checksum, reading through a small buffer that leaves no memory behind."""
    found = place = 0
    buffer = np.empty(CHECK_BYTES, np.uint8)
    while size := _read_into(handle, buffer, place):
        found = zlib.crc32(buffer[:size].data, found)
        place += size
    return found


@dataclass(frozen=True)
class Stored:
    """A batch in a file."""

    file: StoredFile
    number: int

    @property
    def nbytes(self) -> int:
        """Bytes of the file; of a run's file, they count for its first batch."""
        return 0 if self.number else self.file.entry.bytes

    def read(self) -> Any:
        """Return the batch."""
        return self.file.batch(self.number)

    def release(self) -> None:
        """Keep nothing: the memory is the reader's."""

    @cached_property
    def outline(self) -> Outline:
        """Where the columns of the batch are."""
        return self.file.outline(self.number)

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return self.outline.rows

    def whole_for(self, wanted: int) -> Any:
        """Return the customers of the runs of all parts, where that is as good for so many."""
        return self.file.whole_for(wanted)

    @classmethod
    def ids_of(cls, rows: Sequence[tuple[Stored, int, int]]) -> pa.Array:
        """Return the ids of customers from start to stop of each batch."""
        with _read_from(rows):
            return ids_of_batches(_ranges(rows))

    @classmethod
    def rows_of(cls, rows: Sequence[tuple[Stored, int, int]], kept: BatchFormat[Any]) -> Any:
        """Return customers from start to stop of each batch, checked."""
        with _read_from(rows):
            return checked_customers(rows_of_batches(_ranges(rows)), kept, None)


def _ranges(rows: Sequence[tuple[Stored, int, int]]) -> list[Range]:
    return [Range(run.outline, start, stop) for run, start, stop in rows]


@contextmanager
def _read_from(rows: Sequence[tuple[Stored, int, int]]) -> Iterator[None]:
    """Turn what damaged files raise into a StorageError."""
    try:
        yield
    except UNREADABLE as error:
        files = {run.file.where for run, _, _ in rows}
        raise _no_file(files.pop() if len(files) == 1 else files.pop().parent, error) from error
