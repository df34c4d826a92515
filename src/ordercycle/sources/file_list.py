"""Which files a path means: itself, what a pattern matches, or what a directory holds."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from ordercycle.errors import SourceError
from ordercycle.sources.stores import LOCAL, Store, Written

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
#: Endings of files that are compressed as a whole, and Arrow's names of the codecs.
CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
COMPRESSIONS = tuple(CODECS)


@dataclass(frozen=True)
class DataFile:
    """A file to read; kind: a value of FORMATS; store: where its path leads."""

    path: str
    kind: str
    store: Store = LOCAL

    def open(self) -> pa.NativeFile:
        """Open the file as it lies there; bytes anywhere in it can be read."""
        return self.store.open(self.path)

    def open_stream(self) -> pa.NativeFile:
        """Open the file to be read from its beginning, uncompressed where it is compressed."""
        stream = self.store.open(self.path)
        if not self.is_compressed:
            return stream
        return pa.CompressedInputStream(stream, CODECS[os.path.splitext(self.path.lower())[1]])

    def written(self) -> Written:
        """Return the size of the file and when it was written, or raise an OSError."""
        return self.store.written(self.path)

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
        return _without_compression(self.path).endswith(".tsv")

    @property
    def partition(self) -> dict[str, str]:
        """The columns that the folders of the path name, as in ``year=2025/month=10``."""
        folders = os.path.dirname(self.path).replace(os.sep, "/").split("/")
        pairs = (folder.partition("=") for folder in folders)
        return {unquote(key): unquote(value) for key, equals, value in pairs if key and equals}


def list_files(paths: Iterable[str], name: str) -> list[DataFile]:
    """Return the files that paths mean, all of one format, each once.

    Raises
    ------
    SourceError
        Where there is no file, a format is unknown or not that of the others, a file is empty,
        or one is listed twice: by two paths, or by a link.
    """
    files = [file for path in paths for file in _matched(path, name)]
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
    _refuse_twins(files, name)
    return [DataFile(file, str(formats[file])) for file in files]


def _refuse_twins(files: list[str], name: str) -> None:
    """Refuse a file listed twice, under whatever name, and a file without content.

    Read twice it would double its customers' revenue; read once it might hide that a file which
    should be there is not. Only the caller knows which was meant.
    """
    seen: dict[tuple[int, int], str] = {}
    for file in files:
        try:
            found = os.stat(file)
        except OSError as error:
            raise SourceError(f"{name}: {file!r} cannot be read: {error.strerror}") from error
        if not found.st_size:
            raise SourceError(
                f"{name}: {file!r} is empty, not even a header; write the file anew, or leave it "
                "out"
            )
        number = (found.st_dev, found.st_ino)
        if number in seen and found.st_ino:  # 0: a system that does not number files
            twin = seen[number]
            also = "" if twin == file else f", once as {twin!r}"
            raise SourceError(
                f"{name}: the file {file!r} is listed twice{also}; list every file once, or its "
                "rows would count twice"
            )
        seen[number] = file


def _matched(path: str, name: str) -> list[str]:
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
        # A pattern such as orders/** matches folders and what is in them.
        return list(dict.fromkeys(file for match in found for file in _matched(match, name)))
    raise SourceError(f"{name}: there is no file or directory {path!r}")


def _without_compression(file: str) -> str:
    stem, ending = os.path.splitext(file.lower())
    return stem if ending in COMPRESSIONS else file.lower()


def _format(file: str) -> str | None:
    plain = _without_compression(file)
    known = FORMATS.get(os.path.splitext(plain)[1])
    return known if known == "csv" or plain == file.lower() else None
