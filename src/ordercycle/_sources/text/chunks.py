"""Text files in chunks: each is read by itself, with the records that begin in it.

Where records begin depends on all quotes before. Whoever reads a chunk notes the state behind
it, for which whoever reads the next one waits; where nobody has read what is before, it is read
for that alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ordercycle._sources.file_formats import CsvFormat
from ordercycle._sources.file_list import DataFile
from ordercycle._sources.text.encodings import Transcoded
from ordercycle._sources.text.header import Header
from ordercycle_kernels import quoting
from ordercycle_kernels.quoting import AFTER_QUOTE, INSIDE, LINES_IN_QUOTES, NOWHERE, OUTSIDE

#: Bytes of a chunk: 300,000 orders of three columns.
PART_BYTES = 2**24
#: Bytes read behind a chunk, in which its last record ends as a rule.
SEARCH_BYTES = 2**16
QUOTE = b'"'
#: The part of a note that is a state.
STATES = LINES_IN_QUOTES - 1


class Content(NamedTuple):
    """Whole records: data is bytes or a buffer over them; whether lines may end in quotes."""

    data: Any
    has_lines_in_quotes: bool


@dataclass(frozen=True)
class TextFile:
    """A text file that was looked at: how it is read, and the chunks it is read in.

    borders: of the chunks, in bytes; None: the file has to be read from its beginning.
    """

    file: DataFile
    given: CsvFormat
    head: Header
    borders: tuple[int, ...] | None
    _notes: _Notes = field(default_factory=lambda: _Notes({0: OUTSIDE}), compare=False, repr=False)

    @property
    def delimiter(self) -> int:
        """The byte between fields."""
        return ord(self.head.delimiter)

    @property
    def parts(self) -> range:
        """The numbers of the parts that are read each by itself."""
        return range(1 if self.borders is None else len(self.borders) - 1)

    def contents(self, number: int, *, check_end: bool = True) -> Iterator[Content]:
        """Yield the records that begin in a part.

        check_end: whether the file may not end in quotes.

        Raises
        ------
        UnendedQuoteError
            Where the file ends in quotes.
        """
        if self.borders is None:
            yield from self._stream(check_end=check_end)
        else:
            yield self._chunk(number, self.borders, check_end=check_end)

    def before(self, number: int) -> Iterator[bytes]:
        """Yield the bytes between the header and what `contents` yields of a part."""
        if self.borders is None or number == 0:
            return
        start = self.head.start
        stop = self._start(number, self.borders)
        with self.file.open() as stream:
            stream.seek(start)
            while start < stop:
                piece = bytes(stream.read(min(PART_BYTES, stop - start)))
                if not piece:
                    return
                if piece.endswith(b"\r"):  # and an LF behind it are one line end
                    piece += bytes(stream.read(1))
                start += len(piece)
                yield piece

    def settled(self) -> TextFile:
        """Return the file with all notes, for readers that do not share them."""
        if self.borders is not None and len(self.parts) > 1:
            self._state(len(self.parts) - 1, self.borders)
        return self

    def _read(self, start: int, stop: int) -> bytes:
        with self.file.open() as stream:
            stream.seek(start)
            return bytes(stream.read(stop - start))

    def _chunk(self, number: int, borders: tuple[int, ...], *, check_end: bool) -> Content:
        start, stop = borders[number : number + 2]
        size = borders[-1]
        with self._notes.lock(number):
            # From the byte before, which shows whether a field begins, to the one behind.
            data = self._read(start - 1, min(stop + SEARCH_BYTES, size))
            state = self._state(number, borders)
            note = self._note(number, data, stop - start + 1)
        begin = self._begin(number, data, state, stop - start + 1)
        if begin == NOWHERE:
            return Content(b"", has_lines_in_quotes=False)
        behind, has_lines = note & STATES, note > STATES
        at_stop = stop - start + 1
        view = np.frombuffer(data, np.uint8)
        end = NOWHERE if stop == size else quoting.record_end(view, at_stop, self.delimiter, behind)
        while end == NOWHERE and start - 1 + len(data) < size:
            more = self._read(start - 1 + len(data), min(start - 1 + 2 * len(data), size))
            if not more:  # the file was cut short meanwhile, which the check of the file finds
                break
            data += more
            view = np.frombuffer(data, np.uint8)
            end = quoting.record_end(view, at_stop, self.delimiter, behind)
        end = len(data) if end == NOWHERE else end
        buffer = pa.py_buffer(data).slice(begin, end - begin)
        has_lines = has_lines or behind == INSIDE or QUOTE in data[at_stop:end]
        if check_end and start - 1 + len(data) >= size and end == len(data) and has_lines:
            self._check_end(view[begin:end])
        return Content(buffer, has_lines)

    def _begin(self, number: int, data: bytes, state: int, length: int) -> int:
        """Return where the first record of a chunk begins in its bytes, or NOWHERE."""
        if number == 0:
            return 1
        view = np.frombuffer(data, np.uint8)[: length + 1]
        begin = quoting.record_end(view, 1, self.delimiter, state)
        return begin if begin <= length else NOWHERE

    def _start(self, number: int, borders: tuple[int, ...]) -> int:
        """Return where the first record of a part begins in the file, or where the part does."""
        start, stop = borders[number : number + 2]
        data = self._read(start - 1, min(stop + 1, borders[-1]))
        begin = self._begin(number, data, self._state(number, borders), stop - start + 1)
        return start if begin == NOWHERE else start - 1 + begin

    def _note(self, number: int, data: bytes, length: int) -> int:
        """Note what the quotes of a chunk do: in `length` bytes, from the one before it on."""
        notes = self._notes.by_chunk
        if number + 1 not in notes:
            state = notes[number] & STATES
            if data.find(QUOTE, 0, length) >= 0 or state == AFTER_QUOTE:
                view = np.frombuffer(data, np.uint8)[:length]
                notes[number + 1] = quoting.state_at_end(view, 1, self.delimiter, state)
            else:
                # Inside quotes without any, lines may end.
                notes[number + 1] = state | (LINES_IN_QUOTES if state == INSIDE else 0)
        return notes[number + 1]

    def _state(self, number: int, borders: tuple[int, ...]) -> int:
        """Return the state before a chunk, once the readers of those before it have noted it."""
        notes = self._notes.by_chunk
        known = number
        while known not in notes:
            known -= 1
        for before in range(known, number):
            with self._notes.lock(before):
                if before + 1 not in notes:
                    start, stop = borders[before : before + 2]
                    self._note(before, self._read(start - 1, stop), stop - start + 1)
        return notes[number] & STATES

    def _stream(self, *, check_end: bool) -> Iterator[Content]:
        """Yield the records of the whole file, read from its beginning."""
        with Transcoded(self.file, self.given.encoding) as stream:
            data = b""
            to_skip = self.head.start
            while piece := stream.read(max(PART_BYTES, len(data))):
                if to_skip:
                    skipped = min(to_skip, len(piece))
                    piece, to_skip = piece[skipped:], to_skip - skipped
                data += piece
                has_quotes = QUOTE in data
                end = 0 if has_quotes else data.rfind(b"\n") + 1
                if not end:
                    view = np.frombuffer(data, np.uint8)
                    end = quoting.last_record_end(view, self.delimiter)
                yield Content(data[:end], has_quotes)
                data = data[end:]
        has_quotes = QUOTE in data
        if check_end and has_quotes:
            self._check_end(np.frombuffer(data, np.uint8))
        yield Content(data, has_quotes)

    def _check_end(self, records: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        """Raise an UnendedQuoteError where the last records of the file end in quotes."""
        behind_a_line = np.concatenate([np.frombuffer(b"\n", np.uint8), records])
        if quoting.state_at_end(behind_a_line, 1, self.delimiter, OUTSIDE) & STATES == INSIDE:
            raise UnendedQuoteError(quoting.count_records(records, self.delimiter) - 1)


class UnendedQuoteError(Exception):
    """A file ends within a quoted value: in which record of its last content."""

    def __init__(self, record: int) -> None:
        super().__init__(record)
        self.record = record


class _Notes:
    """What is known of the quotes of a file: pickled as it is, without locks."""

    def __init__(self, by_chunk: dict[int, int]) -> None:
        #: The state before each chunk, as far as it is known, with what was met in the one
        #: before it.
        self.by_chunk = by_chunk
        self._locks: dict[int, Lock] = {}
        self._lock = Lock()

    def lock(self, number: int) -> Lock:
        """Return the lock of a chunk's reader, so that no other reads it meanwhile."""
        with self._lock:
            return self._locks.setdefault(number, Lock())

    def __reduce__(self) -> tuple[Any, ...]:
        return (_Notes, (dict(self.by_chunk),))


def borders_of(start: int, size: int) -> tuple[int, ...]:
    """Return the borders of the chunks of a file whose first record is at `start`."""
    return (*range(start, size, PART_BYTES), max(start, size))
