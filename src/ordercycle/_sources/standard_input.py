"""What is piped in: an Arrow stream as it comes, anything else as a file that is spooled first.

Text may have to be read twice, and columnar formats from their end.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import weakref
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa

from ordercycle._errors import SourceError, StorageError
from ordercycle._sources.file_formats import FileFormat
from ordercycle._sources.file_list import DataFile
from ordercycle._sources.file_names import DESCRIBED
from ordercycle._sources.stores import LocalStore, Written
from ordercycle._sources.validation import validated

#: The path that stands for it, and its name in messages.
DASH, NAME = "-", "<stdin>"
#: How an Arrow stream begins, and files of other formats; the rest is as described, or CSV.
STREAM = "stream"
MARKS = {b"\xff\xff\xff\xff": STREAM, b"PAR1": "parquet", b"ARROW1": "ipc"}


class _Part(io.RawIOBase):
    """A view of a file with a position of its own."""

    def __init__(self, spooled: Spooled) -> None:
        self._spooled, self._place = spooled, 0  # held: the file ends with it

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        begins = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._spooled.size}
        self._place = begins[whence] + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        found = os.pread(self._spooled.file.fileno(), len(buffer), self._place)
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)


@dataclass(frozen=True, eq=False)
class Spooled(LocalStore):
    """What was piped in, in a file without a name that ends with its reader."""

    file: IO[bytes]
    size: int
    kind: str

    def open(self, location: str) -> pa.NativeFile:  # noqa: ARG002 - there is only one
        """Open the file."""
        view = io.BufferedReader(_Part(self))
        return pa.PythonFile(view, mode="r")

    def open_stream(self, location: str) -> pa.NativeFile:
        """Open the file."""
        return self.open(location)

    def written(self, location: str) -> Written:  # noqa: ARG002
        """Return its size: nobody else can write to it."""
        return Written(self.size)

    def as_file(self, read: FileFormat | None, name: str) -> DataFile:
        """Return what to read.

        Raises
        ------
        SourceError
            Where nothing was piped in.
        """
        if not self.size:
            raise SourceError(
                f"{name}: nothing came in on standard input",
                remedy="pipe rows into the command, or pass the path of a file",
            )
        return DataFile(NAME, self.kind or DESCRIBED.get(type(read), "csv"), self)


def at_hand(rows: Any, *, spooled: bool = False) -> Any:
    """Return a source that can be opened several times for ``-``; any other as it is.

    spooled: whether an Arrow stream, too, is kept in a file, to be read several times.

    Raises
    ------
    SourceError
        Where standard input is closed, or an Arrow stream that is to be kept is none.
    StorageError
        Where it cannot be kept.
    """
    if not isinstance(rows, (str, os.PathLike)) or os.fspath(rows) != DASH:
        return rows
    if sys.stdin is None:
        raise SourceError("standard input is closed", remedy="pass the path of a file")
    first = sys.stdin.buffer.read(max(map(len, MARKS)))
    kind = next((kind for mark, kind in MARKS.items() if first.startswith(mark)), "")
    stream = io.BufferedReader(_Behind(first, sys.stdin.buffer))
    if kind == STREAM and not spooled:
        return pa.ipc.open_stream(stream)
    spool = tempfile.TemporaryFile(prefix="ordercycle-")  # noqa: SIM115 - closed with its store
    try:
        if kind == STREAM:
            _write_batches(stream, spool)
        else:
            shutil.copyfileobj(stream, spool)
        spool.flush()
    except (pa.ArrowInvalid, OSError) as error:
        spool.close()
        if getattr(error, "errno", None) is None:  # not of the disk
            raise SourceError(f"the Arrow stream on stdin cannot be read: {error}") from None
        raise StorageError(
            f"{NAME} cannot be kept in {tempfile.gettempdir()!r}: {error.strerror}",
            remedy="make room there, or set TMPDIR to a folder that has it",
        ) from error
    held = Spooled(spool, spool.tell(), "ipc" if kind == STREAM else kind)
    weakref.finalize(held, spool.close)
    return held


def _write_batches(stream: IO[bytes], spool: IO[bytes]) -> None:
    """Write an Arrow stream as a file; dictionaries as values, as those of a file stay the same."""
    with pa.ipc.open_stream(stream) as batches:
        schema = pa.schema(
            field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
            for field in batches.schema
        )
        with pa.ipc.new_file(spool, schema) as file:
            for batch in validated(batches, NAME):
                file.write_batch(batch.cast(schema))


class _Behind(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, stream: IO[bytes]) -> None:
        self._first, self._stream = first, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._first[: len(buffer)] or self._stream.read(len(buffer))
        self._first = self._first[len(found) :] if self._first else b""
        buffer[: len(found)] = found
        return len(found)
