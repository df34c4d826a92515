"""What makes a write survive a power cut."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

#: Bytes after which what was written is sent to the disk, while more is made: of 550 MB the last
#: sync then leaves nothing to wait for, where it took 0.2 s.
SYNC_BYTES = 2**26


class _SyncedFile(io.FileIO):
    """A new file that goes to the disk while it is written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "xb")
        self._unsynced = 0
        self._thread: ThreadPoolExecutor | None = None
        self._syncing: Future[None] | None = None

    def write(self, data: Any, /) -> int:
        written = super().write(data)
        self._unsynced += written
        if self._unsynced >= SYNC_BYTES and (self._syncing is None or self._syncing.done()):
            self._wait()
            self._thread = self._thread or ThreadPoolExecutor(1, "ordercycle-sync")
            self._syncing, self._unsynced = self._thread.submit(os.fsync, self.fileno()), 0
        return written

    def sync(self) -> None:
        """Return when all that was written is on the disk."""
        self._wait()
        os.fsync(self.fileno())

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()
        super().close()

    def _wait(self) -> None:
        """Raise what went wrong: the system tells it once, and not those who ask later."""
        if self._syncing is not None:
            self._syncing.result()


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes its place when the block ends well, and leaves no trace otherwise.

    It is written under a temporary name beside its place, synced to disk and renamed. If the
    process is killed the temporary file stays, but nothing half-written ever has the final name.
    A device or a pipe is written to: to put a file in its place would take it from everybody.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        with path.open("wb") as stream:
            yield stream
        return
    place = Path(os.path.realpath(path))  # through a link, so that the link stays a link
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    try:
        with _SyncedFile(temporary) as file, io.BufferedWriter(file) as stream:
            yield stream
            stream.flush()
            file.sync()
        temporary.replace(place)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say which file it was
        raise
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system allows it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
