"""What makes a write survive a power cut."""

from __future__ import annotations

import io
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from ordercycle._errors import ConfigError, Option

#: Bytes after which what was written is sent to the disk, while more is made: of 550 MB the last
#: sync then leaves nothing to wait for, where it took 0.2 s.
SYNC_BYTES = 2**26
#: What URIs begin with; of their slashes, paths keep one, and drives have a single letter.
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\]")
IN_STORE = "is a URI, and nothing is kept or written in stores"
#: Temporary files are left alone for so long: their writer may not have locked them yet.
FRESH_SECONDS = 2.0


class _SyncedFile(io.FileIO):
    """A new file that goes to the disk while it is written."""

    def __init__(self, path: Path, mode: int | None) -> None:
        super().__init__(path, "xb", opener=None if mode is None else partial(os.open, mode=mode))
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


def leads_into_store(path: Path | str) -> bool:
    """Return whether a path is a URI: a disk would get a folder named like its scheme.

    Examples
    --------
    >>> leads_into_store(Path("s3://shop/history")), leads_into_store(Path("shop/history"))
    (True, False)
    """
    return URI.match(str(path)) is not None


def path_of(option: str, given: Any) -> Path:
    """Return the path that an argument names.

    Raises
    ------
    ConfigError
        It is no path, or leads into a store.
    """
    if isinstance(given, str | os.PathLike) and (found := os.fspath(given)):
        path = Path(os.fsdecode(found))
        if leads_into_store(path):
            raise ConfigError(
                (Option(option, given), f" {IN_STORE}"),
                remedy="pass a path on a disk, and copy from there",
            )
        return path
    raise ConfigError(
        (Option(option, given), " is no path"), remedy="pass one as text, or as a pathlib.Path"
    )


@contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Open a file that takes its place when the block ends well, and leaves no trace otherwise.

    It is written under a temporary name beside its place, synced to disk and renamed, with the
    mode and, where the system allows it, the owner of the file that it replaces, or with a mode
    that it has from its first byte on. If the process is
    killed the temporary file stays until the next one is written there, but nothing half-written
    ever has the final name.
    A device or a pipe is written to: to put a file in its place would take it from everybody.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        with path.open("wb") as stream:
            yield stream
        return
    place = Path(os.path.realpath(path))  # through a link, so that the link stays a link
    _remove_leftovers(place)
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    try:
        with _SyncedFile(temporary, mode) as file, io.BufferedWriter(file) as stream:
            lock(file.fileno())
            yield stream
            stream.flush()
            if mode is None:
                _keep_mode(file.fileno(), place)
            file.sync()
        temporary.replace(place)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say which file it was
        raise
    with suppress(OSError):  # it is in its place: an error now would say that it is not
        sync_folder(place.parent)


def lock(handle: int) -> bool:
    """Lock a file, until it is closed or the process ends; return whether nobody else has."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover - systems without it have no such lock
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def unlock(handle: int) -> None:
    """Unlock a file for everybody.

    To close it is not enough: a child that was forked meanwhile has it open, and locked, as well.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover - systems without it have no such lock
        return
    fcntl.flock(handle, fcntl.LOCK_UN)


def _remove_leftovers(place: Path) -> None:
    """Remove what processes that were killed left beside a file's place."""
    name = re.compile(re.escape(f".{place.name}.") + r"[0-9a-f]{8}\.tmp")
    with suppress(OSError):  # what cannot be removed now is removed another time
        for found in place.parent.iterdir():
            if name.fullmatch(found.name) and time.time() - found.stat().st_mtime > FRESH_SECONDS:
                handle = os.open(found, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
                try:
                    if lock(handle):
                        found.unlink(missing_ok=True)
                finally:
                    os.close(handle)


def _keep_mode(handle: int, place: Path) -> None:
    """Give a file the mode and, as far as the system allows it, the owner of another."""
    if not hasattr(os, "fchown"):
        return
    try:
        before = place.stat()
    except FileNotFoundError:
        return
    mode, made = stat.S_IMODE(before.st_mode), os.fstat(handle)
    if (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.fchown(handle, before.st_uid, before.st_gid)
        except OSError:
            mode &= ~stat.S_IRWXG  # what was for the members of another group
    os.fchmod(handle, mode)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system allows it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
