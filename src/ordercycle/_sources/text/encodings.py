"""How text is encoded: divided as it lies in the file, or read from the beginning."""

from __future__ import annotations

import codecs
from types import TracebackType
from typing import Self

import pyarrow as pa

from ordercycle._sources.file_list import DataFile

UTF_8 = frozenset({"utf-8", "utf-8-sig", "ascii"})
#: Encodings whose bytes mean different things in different places, though they begin as ASCII.
STATEFUL = ("iso2022", "hz", "utf-7", "utf_7", "punycode", "idna", "unicode", "raw_unicode")
ASCII = bytes(range(128))


def is_divisible(encoding: str, delimiter: str = ",") -> bool:
    """Return whether a quote, a delimiter or a line end is one byte, which is nothing else.

    Examples
    --------
    >>> is_divisible("cp1252"), is_divisible("utf-16"), is_divisible("iso2022_jp")
    (True, False, False)
    >>> is_divisible("shift_jis"), is_divisible("shift_jis", "|")
    (True, False)
    """
    if encoding in UTF_8:
        return True
    if encoding.startswith(STATEFUL):
        return False
    try:
        is_ascii = ASCII.decode(encoding) == ASCII.decode("ascii")
    except UnicodeDecodeError:
        return False
    return is_ascii and not any(_ends_a_character(mark, encoding) for mark in f'"\r\n{delimiter}')


def _ends_a_character(mark: str, encoding: str) -> bool:
    """Return whether a byte of ASCII is the second one of a character, as | is in Shift JIS."""
    made = (bytes([first, ord(mark)]).decode(encoding, "ignore") for first in range(128, 256))
    return any(len(one) == 1 and one != mark for one in made)


def as_utf8(content: bytes, encoding: str) -> bytes:
    """Return text in UTF-8, or raise a UnicodeDecodeError; UTF-8 is checked by its reader."""
    return content if encoding in UTF_8 else content.decode(encoding).encode()


class Transcoded:
    """A file from its beginning, uncompressed and in UTF-8."""

    def __init__(self, file: DataFile, encoding: str) -> None:
        self._stream: pa.NativeFile = file.open_stream()
        decoder = None if encoding in UTF_8 else codecs.getincrementaldecoder(encoding)()
        self._decoder = decoder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        """Return more of the text, about so many bytes of it; nothing at its end."""
        while piece := bytes(self._stream.read(size)):
            if self._decoder is None:
                return piece
            if text := self._decoder.decode(piece):
                return text.encode()
        if self._decoder is not None and (text := self._decoder.decode(b"", final=True)):
            return text.encode()
        return b""
