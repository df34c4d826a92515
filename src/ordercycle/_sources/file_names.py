"""What names of files say: the format, whether they are read, and which a pattern matches."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ordercycle._errors import Code, Option, Text
from ordercycle._sources.file_formats import CsvFormat, ExcelSheet, FileFormat, NdJson

#: File endings and the format they stand for.
FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "ipc",
    ".feather": "ipc",
    ".ipc": "ipc",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
}
#: Formats whose files are text, which may be compressed as a whole.
TEXTS = ("csv", "ndjson")
#: Endings of files that are often something else: in folders, they are left alone, unless the
#: caller says what they are.
OFTEN_OTHERS = (".json", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
#: Endings of text that may be of either kind.
OF_TEXT = (".txt", ".dat", ".asc", ".log")
#: What a description of files makes of those whose names do not say it.
DESCRIBED: dict[type, str] = {CsvFormat: "csv", NdJson: "ndjson", ExcelSheet: "excel"}
#: Endings of files that are compressed as a whole, and Arrow's names of the codecs.
CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
COMPRESSIONS = tuple(CODECS)
#: What to do about files that cannot be opened as they are.
ARCHIVES = {
    ".zip": "unzip it, and pass the file in it",
    ".tar": "unpack it, and pass the files in it",
    ".7z": "unpack it, and pass the file in it",
    ".rar": "unpack it, and pass the file in it",
    ".xz": "decompress it, or compress it by gzip or zstd",
}

#: How the names of files begin that are not data: Spark's marks and what it is still writing.
HIDDEN = (".", "_")


def without_compression(path: str) -> str:
    """Return the name of what is compressed, in small letters."""
    stem, ending = os.path.splitext(path.lower())
    return stem if ending in COMPRESSIONS else path.lower()


@dataclass(frozen=True)
class FileNames:
    """Tells formats of files by their names; read: what the caller says of files, if anything."""

    read: FileFormat | None = None

    def format_of(self, path: str) -> str | None:
        """Return a value of FORMATS, or None where it is unknown."""
        plain = without_compression(path)
        known = FORMATS.get(os.path.splitext(plain)[1])
        described = DESCRIBED.get(type(self.read))
        if known is None or (known, described) == ("csv", "ndjson"):
            known = described
        return known if known in TEXTS or plain == path.lower() else None

    def is_meant(self, path: str) -> bool:
        """Return whether a file in a folder, or in a store, is one to read."""
        ending = os.path.splitext(without_compression(path))[1]
        known = self.format_of(path)
        if ending in FORMATS:
            is_other = ending in OFTEN_OTHERS and known != DESCRIBED.get(type(self.read))
            return known is not None and not is_other
        return ending in OF_TEXT and known in TEXTS

    def listed(self) -> str:
        """Return the endings that are read without a description."""
        return ", ".join(FORMATS)

    def remedy_for(self, path: str) -> Text:
        """Return what to do about a file of an unknown format."""
        ending = os.path.splitext(path.lower())[1]
        if ending in ARCHIVES:
            return ARCHIVES[ending]
        return (
            f"name files {self.listed()} (text also with {', '.join(COMPRESSIONS)}), or pass ",
            Option("read", Code("CsvFormat()")),
            " where it is CSV",
        )


def is_hidden(names: Iterable[str]) -> bool:
    """Return whether a file is left out of its folder, given its name and those of folders."""
    return any(name.startswith(HIDDEN) for name in names)


def divided(pattern: str) -> tuple[str, list[str]]:
    """Return the folder in which all is that a pattern matches, and the parts of the rest."""
    parts = pattern.split("/")
    magic = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:magic]), parts[magic:]


def matches(names: list[str], pattern: list[str]) -> bool:
    """Return whether a path matches a pattern, both divided into names.

    No star stands for the beginning of a hidden name.

    Examples
    --------
    >>> matches(["2025", "a.csv"], ["**", "*.csv"]), matches(["_old", "a.csv"], ["**", "*.csv"])
    (True, False)
    """
    if not pattern or not names:
        return not names and all(part == "**" for part in pattern)
    part, *rest = pattern
    if part == "**":
        below = not is_hidden(names[:1]) and matches(names[1:], pattern)
        return below or matches(names, rest)
    left_out = is_hidden(names[:1]) and part[:1] != names[0][:1]
    return not left_out and fnmatchcase(names[0], part) and matches(names[1:], rest)
