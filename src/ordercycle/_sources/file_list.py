"""Which files a path means: itself, what a pattern matches, or what a directory holds."""

from __future__ import annotations

import glob
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from ordercycle._errors import SourceError
from ordercycle._sources.file_formats import FileFormat
from ordercycle._sources.file_names import (
    CODECS,
    COMPRESSIONS,
    FileNames,
    divided,
    is_hidden,
    matches,
    without_compression,
)
from ordercycle._sources.lakehouse import refuse_table_files
from ordercycle._sources.locations import is_uri, place_of
from ordercycle._sources.remote_listing import remote_files
from ordercycle._sources.row_source import unreadable
from ordercycle._sources.stores import LOCAL, WITH_BUCKETS, RemoteStore, Store, Written


@dataclass(frozen=True)
class DataFile:
    """A file to read.

    path: as messages name it; kind: a value of FORMATS; store: where it is; location: there, where
    that is not the path.
    """

    path: str
    kind: str
    store: Store = LOCAL
    location: str = field(default="", repr=False)

    @property
    def there(self) -> str:
        """Where the file is in its store."""
        return self.location or self.path

    def open(self) -> pa.NativeFile:
        """Open the file as it lies there; bytes anywhere in it can be read."""
        return self.store.open(self.there)

    def open_stream(self) -> pa.NativeFile:
        """Open the file to be read from its beginning, uncompressed where it is compressed."""
        stream = self.store.open_stream(self.there)
        if not self.is_compressed:
            return stream
        return pa.CompressedInputStream(stream, CODECS[os.path.splitext(self.path.lower())[1]])

    def written(self) -> Written:
        """Return which version of the file is there now, or raise one of the store's errors."""
        return self.store.written(self.there)

    def unreadable(self, name: str, error: Exception) -> SourceError:
        """Return the SourceError for what a reader raised, to be raised from `cause`."""
        return unreadable(name, error, self.path, self.store)

    def size(self) -> int:
        """Return the bytes of the file as it lies there."""
        return self.written().size

    @property
    def is_compressed(self) -> bool:
        """Whether the whole file is compressed, so that it has to be read from its beginning."""
        return self.path.lower().endswith(COMPRESSIONS)

    @property
    def is_tabbed(self) -> bool:
        """Whether tabs divide the columns of a text file."""
        return without_compression(self.path).endswith((".tsv", ".tab"))

    @property
    def partition(self) -> dict[str, str]:
        """The columns that the folders of the path name, as in ``year=2025/month=10``."""
        folders = os.path.dirname(self.path).replace(os.sep, "/").split("/")
        pairs = (folder.partition("=") for folder in folders)
        return {unquote(key): unquote(value) for key, equals, value in pairs if key and equals}


@dataclass(frozen=True)
class Look:
    """The columns of a file, and its parts: each can be read without the others."""

    schema: pa.Schema
    rows: int | None  # None: not known without reading
    parts: Sequence[Any]  # whatever the format's reader makes of them
    #: Finds the bytes that the reader of a part has to hold at a time, beside batches: only a
    #: memory limit needs them.
    held_bytes: Callable[[], int] = int
    #: Whether times of a text have offsets other than that of UTC, as far as it was looked at.
    times_have_offsets: bool = False


@dataclass(frozen=True)
class _Found:
    """A file, its size, and what no other file has.

    identity: its number on a disk, or its name in a store; None where a disk does not number
    files; version: when it was written, in nanoseconds; None: not known, or not needed.
    """

    path: str
    store: Store
    location: str
    size: int
    identity: tuple[Any, ...] | None
    version: int | None = None

    def is_twin(self, other: _Found) -> bool:
        """Return whether a file of the same identity is the same file, or a copy of it."""
        return None in (self.version, other.version) or self.version == other.version


def list_files(
    paths: Iterable[str], name: str, filesystem: Any = None, read: FileFormat | None = None
) -> list[DataFile]:
    """Return the files that paths and URIs mean, all of one format, each once.

    Raises
    ------
    SourceError
        Where there is no file, a format is unknown or not that of the others, a file is empty,
        or one is listed twice: by two paths, or by a link; where a store cannot be reached, and
        where files in a folder are those of a table with a log of its own.
    ConfigError
        Where `filesystem` is no file system.
    """
    names = FileNames(read)
    clients: dict[str, tuple[Any, str]] = {}
    files: list[_Found] = []
    for path in paths:
        place = place_of(path, filesystem, name, clients)
        if isinstance(place.store, RemoteStore):
            files += _in_store(place.store, place.location, name, names)
        else:
            files += [_on_disk(file, name) for file in _matched(place.location, name, names)]
    formats = [names.format_of(file.path) for file in files]
    for file, known in zip(files, formats, strict=True):
        if known is None:
            raise SourceError(
                f"{name}: the format of {file.path!r} is unknown",
                remedy=names.remedy_for(file.path),
            )
    if len(set(formats)) > 1:
        mixed = ", ".join(sorted(map(str, set(formats))))
        raise SourceError(
            f"{name}: files of several formats ({mixed})", remedy="pass one format at a time"
        )
    _refuse_empty_and_twins(files, name)
    return [
        DataFile(file.path, str(known), file.store, file.location)
        for file, known in zip(files, formats, strict=True)
    ]


def _refuse_empty_and_twins(files: list[_Found], name: str) -> None:
    """Refuse a file listed twice, under whatever name, and a file without content.

    Read twice it would double its customers' revenue; read once it might hide that a file which
    should be there is not. Only the caller knows which was meant.
    """
    seen: dict[tuple[Any, ...], list[_Found]] = {}
    for file in files:
        if not file.size:
            raise SourceError(
                f"{name}: {file.path!r} is empty, not even a header",
                remedy="write the file again, or leave it out",
            )
        if file.identity is None:
            continue
        alike = seen.setdefault(file.identity, [])
        for twin in filter(file.is_twin, alike):
            also = "" if twin.path == file.path else f", once as {twin.path!r}"
            raise SourceError(
                f"{name}: the file {file.path!r} is listed twice{also}",
                remedy="list every file once, or its rows would count twice",
            )
        alike.append(file)


def _on_disk(path: str, name: str) -> _Found:
    try:
        found = os.stat(path)
    except OSError as error:
        raise unreadable(name, error, path) from error
    identity = (found.st_dev, found.st_ino) if found.st_ino else None
    return _Found(path, LOCAL, path, found.st_size, identity)


def _in_store(store: RemoteStore, location: str, name: str, names: FileNames) -> list[_Found]:
    found = remote_files(store, location, name, names.is_meant)
    if found is None:
        raise _nothing_there(store, location, name)
    if not found:
        raise SourceError(
            f"{name}: the folder {store.name_of(location)!r} holds no file named {names.listed()}"
        )
    return [
        _Found(
            store.name_of(file.location),
            store,
            file.location,
            file.size,
            # In two stores of a kind, an object of the same name, size and time is a copy.
            (store.family, _plain(file.location), file.size),
            file.written,
        )
        for file in found
    ]


def _plain(location: str) -> str:
    """Return the one spelling of a location or a URL that has several."""
    if is_uri(location):
        url = urlsplit(location)
        port = f":{url.port}" if url.port not in (None, 80, 443) else ""
        return f"{url.hostname}{port}{posixpath.normpath(unquote(url.path))}?{url.query}"
    return posixpath.normpath(location.lstrip("/"))


def _nothing_there(store: RemoteStore, location: str, name: str) -> SourceError:
    shown = store.name_of(location)
    if store.is_pattern(location):
        return SourceError(
            f"{name}: no file matches {shown!r}", remedy="look at the path and the pattern"
        )
    bucket, slash, _ = location.strip("/").partition("/")
    if slash and store.family in WITH_BUCKETS and not store.has(bucket):
        return SourceError(
            f"{name}: there is no {shown!r}, nor a bucket {bucket!r} that these keys may see",
            remedy="look at the name of the bucket",
        )
    remedy = "look at the path"
    if "%" in store.uri:
        remedy = "look at the path, in which %25 stands for a %"
    return SourceError(f"{name}: there is no file or folder {shown!r}", remedy=remedy)


def _matched(path: str, name: str, names: FileNames) -> list[str]:
    """Return the files of this machine that a path means."""
    if os.path.exists(path) and not os.path.isdir(path):
        return [path]
    found = _in_folders(path, name, names)
    refuse_table_files(found, _names, str, name, _parents)
    return found


def _in_folders(path: str, name: str, names: FileNames) -> list[str]:
    if os.path.isdir(path):
        found = sorted(
            str(file)
            for file in Path(path).rglob("*")
            if file.is_file()
            and names.is_meant(str(file))
            and not is_hidden(file.relative_to(path).parts)
        )
        if not found:
            raise SourceError(
                f"{name}: the directory {path!r} holds no file named {names.listed()}"
            )
        return found
    if os.path.exists(path):
        return [path]
    if glob.has_magic(path):
        found = _globbed(path)
        if not found:
            raise SourceError(
                f"{name}: no file matches {path!r}", remedy="look at the path and the pattern"
            )
        # A pattern such as orders/** matches folders and what is in them.
        return list(
            dict.fromkeys(file for match in found for file in _in_folders(match, name, names))
        )
    raise SourceError(f"{name}: there is no file or directory {path!r}")


def _globbed(pattern: str) -> list[str]:
    """Return what a pattern matches on a disk, in order."""
    pattern = os.path.normcase(pattern).replace(os.sep, "/")
    base, rest = divided(pattern)

    def is_meant(path: str) -> bool:
        names = os.path.normcase(path).replace(os.sep, "/")[len(base) :].strip("/")
        return matches(names.split("/") if names else [], rest)

    return sorted(filter(is_meant, glob.glob(pattern, recursive=True)))


def _names(folder: str) -> list[str] | None:
    """Return the names in a folder, or None where there is no such folder."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # it is there, and what it holds is nobody's business
        return []


def _parents(path: str) -> Iterator[str]:
    """Yield the folders above a file of this machine, the nearest first."""
    folder = os.path.realpath(os.path.dirname(path))
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above
