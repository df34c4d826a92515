"""Where files are: on this machine's disks, in an object store, on a server."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

#: Bytes that are fetched at a time where a file is read from its beginning.
STREAM_BYTES = 2**22
#: Kinds of stores whose paths begin with a bucket or a container.
WITH_BUCKETS = ("s3", "gs", "abfs")
#: What file systems call what changes with every version of a file, in their metadata.
TAGS = ("etag", "versionid", "version_id", "generation", "content_md5", "md5hash", "sha", "uid")
#: And when it was written.
TIMES = (
    "mtime",
    "lastmodified",
    "last_modified",
    "last-modified",
    "modified",
    "updated",
    "created",
)


class Written(NamedTuple):
    """Which version of a file it is: what differs once it was written again.

    nanoseconds: when, on a disk; tag: of an object, the store's own tag or when it was written,
    whichever is known. A store that knows neither leaves the size.
    """

    size: int
    nanoseconds: int | None = None
    tag: str | None = None


class Store(Protocol):
    """Where files are. Pickles, so that tasks on other machines open files themselves."""

    @property
    def is_remote(self) -> bool:
        """Whether each request takes time, however little it fetches."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What it raises where a file cannot be read."""

    @property
    def uri(self) -> str:
        """The caller's URI, of which no message may show the keys; nothing where there is none."""

    def name_of(self, location: str) -> str:
        """Return the name of a file for messages."""

    def open(self, location: str) -> pa.NativeFile:
        """Open a file at its beginning; bytes anywhere in it can be read."""

    def open_stream(self, location: str) -> pa.NativeFile:
        """Open a file to be read from its beginning on."""

    def written(self, location: str) -> Written:
        """Look at a file as it is now."""


@dataclass(frozen=True)
class LocalStore:
    """The disks of this machine."""

    is_remote = False
    #: Names of columns of a damaged file need not be text.
    errors = (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError)
    uri = ""

    def name_of(self, location: str) -> str:
        """Return the path of a file."""
        return location

    def open(self, location: str) -> pa.NativeFile:
        """Open a file; it is not mapped into memory.

        Mapped pages of a file that is cut short meanwhile, or of a disk that fails, end the
        process instead of raising.
        """
        return pa.OSFile(location)

    def open_stream(self, location: str) -> pa.NativeFile:
        """Open a file."""
        return pa.OSFile(location)

    def written(self, location: str) -> Written:
        """Look at a file."""
        found = os.stat(location)
        return Written(found.st_size, found.st_mtime_ns)


LOCAL = LocalStore()


@dataclass(frozen=True, eq=False)
class RemoteStore:
    """A file system of pyarrow, or one of fsspec behind it.

    filesystem: pyarrow's; shown: what stands before a location in messages, without credentials;
    hidden: how much of a location it stands for; uri: as the caller wrote it.
    """

    filesystem: Any = field(repr=False)
    shown: str = ""
    hidden: str = field(default="", repr=False)
    uri: str = field(default="", repr=False)

    is_remote = True

    @property
    def foreign(self) -> Any:
        """The file system of fsspec, or None."""
        return getattr(getattr(self.filesystem, "handler", None), "fs", None)

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the file system raises; those of fsspec raise what their clients do."""
        return LOCAL.errors if self.foreign is None else (Exception,)

    @property
    def family(self) -> str:
        """What kind of store it is, whichever library speaks to it."""
        kind = self.filesystem.type_name if self.foreign is None else self.foreign.protocol
        name = kind if isinstance(kind, str) else kind[0]
        return family(name)

    def name_of(self, location: str) -> str:
        """Return the name of a file for messages."""
        return self.shown + location.removeprefix(self.hidden)

    def is_pattern(self, location: str) -> bool:
        """Return whether a location may stand for several files; a URL is always of one."""
        return self.family != "https" and glob.has_magic(location)

    def open(self, location: str) -> pa.NativeFile:
        """Open a file."""
        return self.filesystem.open_input_file(location)

    def open_stream(self, location: str) -> pa.NativeFile:
        """Open a file, fetched in large pieces."""
        return self.filesystem.open_input_stream(
            location, compression=None, buffer_size=STREAM_BYTES
        )

    def written(self, location: str) -> Written:
        """Look at a file, whatever is remembered of it."""
        if self.foreign is not None:
            self.foreign.invalidate_cache(location)
            found = self.foreign.info(location)
            return Written(int(found["size"]), tag=_tag(found))
        with self.filesystem.open_input_file(location) as opened:
            size, tag = opened.size(), _tag(opened.metadata())
        if tag is None:
            found = self.filesystem.get_file_info(location)
            return Written(size, found.mtime_ns)
        return Written(size, tag=tag)

    def look(self, location: str) -> Any:
        """Return pyarrow's FileInfo of a location: a file, a directory, or nothing there."""
        self._forget(location)
        return self.filesystem.get_file_info(location)

    def has(self, location: str) -> bool:
        """Return whether there is something, as far as the keys may see it."""
        try:
            return bool(self.look(location).type.value)
        except self.errors:
            return False

    def listed(self, folder: str, *, recursive: bool) -> list[Any]:
        """Return pyarrow's FileInfo of what a folder holds; of nothing where there is none."""
        from pyarrow import fs

        self._forget(folder)
        selector = fs.FileSelector(folder, allow_not_found=True, recursive=recursive)
        found: list[Any] = self.filesystem.get_file_info(selector)
        return found

    def _forget(self, location: str) -> None:
        """Have a file system that remembers what folders held look again."""
        if self.foreign is not None:
            self.foreign.invalidate_cache(location)


def family(name: str) -> str:
    """Return the one name of a kind of store that has several."""
    names = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfss": "abfs", "az": "abfs", "http": "https"}
    return names.get(name, name)


def _tag(metadata: Mapping[Any, Any]) -> str | None:
    """Return what identifies a version of a file: tag and time, where the metadata have them."""
    texts = {}
    for key, value in metadata.items():
        name = key.decode() if isinstance(key, bytes) else str(key)
        text = value.decode(errors="replace") if isinstance(value, bytes) else value
        if text not in (None, ""):
            texts[name.lower()] = str(text)
    known = [texts[name] for name in (*TAGS, *TIMES) if name in texts]
    return " ".join(known) or None
