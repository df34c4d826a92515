"""Files of lines: divided at the ends of lines, which no JSON has within a value."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from ordercycle._errors import SourceError
from ordercycle._sources.file_list import DataFile
from ordercycle._sources.text.encodings import Transcoded
from ordercycle._sources.text.header import UTF_8_MARK

#: Bytes that are parsed at a time, and those in which names and types are looked for.
PIECE_BYTES = 2**24
LOOK_BYTES = 2**20
#: Bytes read behind a part, in which its last line ends as a rule.
SEARCH_BYTES = 2**16


class Lines(NamedTuple):
    """The lines of a file that begin in a chunk of it; stop: None for all, from a stream."""

    file: DataFile
    start: int = 0
    stop: int | None = None

    def pieces(self, size: int | None = None) -> Iterator[bytes]:
        """Yield whole lines: about so many bytes at a time, where the file is a stream."""
        if self.stop is None:
            yield from self._streamed(size or PIECE_BYTES)
            return
        with self.file.open() as stream:
            before = min(self.start, 1)  # the byte that says whether a line begins here
            stream.seek(self.start - before)
            data = bytes(stream.read(self.stop - self.start + before))
            begin = data.find(b"\n") + 1 if before else 0
            if before and not begin:
                return
            while begin < len(data) and not data.endswith(b"\n"):
                more = bytes(stream.read(max(SEARCH_BYTES, len(data))))
                if not more:
                    break
                end = more.find(b"\n") + 1
                data += more[:end] if end else more
        data = data[begin:]
        yield data if before else data.removeprefix(UTF_8_MARK)

    def _streamed(self, size: int) -> Iterator[bytes]:
        with Transcoded(self.file, "utf-8") as stream:
            rest = b""
            is_first = True
            while piece := stream.read(max(size, len(rest))):
                rest += piece
                if is_first:
                    rest, is_first = rest.removeprefix(UTF_8_MARK), False
                end = rest.rfind(b"\n") + 1
                if end:
                    yield rest[:end]
                    rest = rest[end:]
            if rest:
                yield rest

    def numbered(self, size: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield lines that are not blank, with their numbers in the file, from 1."""
        number = self._lines_before()
        for piece in self.pieces(size):
            for text in piece.split(b"\n"):
                number += 1
                if text and not text.isspace():
                    yield number, text
            number -= piece.endswith(b"\n")

    def first(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines of the first bytes; of a list, which may be one line, its beginning."""
        data, is_whole, is_list = b"", False, False
        with Transcoded(self.file, "utf-8") as stream:
            while not is_whole and not is_list:
                piece = stream.read(LOOK_BYTES)
                is_whole = not piece
                data = (data + piece).removeprefix(UTF_8_MARK)
                is_list = data.lstrip().startswith(b"[")
                if len(data) >= LOOK_BYTES and b"\n" in data:
                    break
        if not is_whole and not is_list:
            data = data[: data.rfind(b"\n") + 1]
        for number, text in enumerate(data.split(b"\n"), 1):
            if text and not text.isspace():
                yield number, text

    def _lines_before(self) -> int:
        """Return how many lines begin before the chunk: nobody counts before they are needed."""
        if not self.start:
            return 0
        with self.file.open() as stream:
            left, ends = self.start - 1, 0
            while left and (piece := bytes(stream.read(min(left, PIECE_BYTES)))):
                ends += piece.count(b"\n")
                left -= len(piece)
        return ends + 1

    def number_of(self, row: int) -> int:
        """Return the number of a line, from 1 in the file; blank ones are no rows."""
        for place, (number, _) in enumerate(self.numbered()):
            if place == row:
                return number
        raise SourceError(f"{self.file.path!r} was written again while it was read")


def chunks_of(file: DataFile) -> list[Lines]:
    """Return the lines of a file in chunks that are read each by itself."""
    if file.is_compressed:
        return [Lines(file)]
    size = file.size()
    borders = [*range(0, size, PIECE_BYTES), size]
    return [Lines(file, start, stop) for start, stop in pairwise(borders)]


class Number(str):
    """A number as it is written."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def repeated_key(text: bytes, names: Collection[str]) -> str | None:
    """Return the first of some keys that an object of a line has twice."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        found.extend(key for key in names if keys.count(key) > 1)

    json.loads(text, object_pairs_hook=look)
    return found[0] if found else None


def record_of(text: bytes, *, as_written: bool = False) -> dict[str, Any]:
    """Return the object of a line; as_written: with numbers as their digits.

    Raises
    ------
    ValueError
        Where it is none.
    """
    number = {"parse_int": Number, "parse_float": Number} if as_written else {}
    try:
        record = json.loads(text, **number)  # type: ignore[arg-type]
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(record, dict):
        raise ValueError(text[:40])  # noqa: TRY004 - as what json raises
    return record


def no_object(name: str, lines: Lines, line: int, text: bytes) -> SourceError:
    """Return what to raise for a line that is no object."""
    remedy = "write one object on each line"
    begins = text.lstrip()[:1]
    if begins == b"[" or (line == 1 and begins == b"{"):
        way = ".[]" if begins == b"[" else "."
        remedy += f", as jq -c {way!r} does"
    shown = text[:40].decode(errors="replace")
    return SourceError(
        f"{name}: line {line} of {lines.file.path!r} is no JSON object: {shown!r}",
        remedy=remedy,
        row=line,
    )
