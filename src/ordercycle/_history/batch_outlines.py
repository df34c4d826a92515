"""Where the rows of a batch are in its file, so that some are read without the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import batch_of_file, bitmap

#: Returns so many bytes from a place on, fewer where there are no more, or raises an OSError.
ReadAt = Callable[[int, int], Any]

#: What a message begins with, then the bytes of what it says of its columns.
CONTINUED, PREFIX_BYTES = b"\xff\xff\xff\xff", 8
CUT_OFF = "it was cut off while it was read"


class Places(NamedTuple):
    """Where a column of a batch is: the first byte of its bitmap, values and data in the file.

    nulls: how many values are missing; values: of fixed width, bits of booleans, or offsets into
    data (the bytes of texts) or into the one child that lists have. What is not there is at 0.
    """

    kind: pa.DataType
    rows: int
    nulls: int
    validity: int
    values: int
    data: int
    data_bytes: int
    children: tuple[Places, ...]


class Outline(NamedTuple):
    """Where the columns of a batch are in what `read` reads."""

    read: ReadAt
    schema: pa.Schema
    rows: int
    columns: tuple[Places, ...]

    @classmethod
    def of(cls, read: ReadAt, size: int, number: int = 0) -> Outline:
        """Return where a batch of an Arrow IPC file of so many bytes is.

        Raises an ArrowInvalid where the file says that columns are outside it, or too short.
        """
        unread = _Unread(read, size)
        with pa.ipc.open_file(pa.PythonFile(unread, mode="r")) as reader:
            unread.skips_bodies = True
            batch = batch_of_file(reader, number)
        columns = tuple(_places(column, unread) for column in batch.columns)
        if any(column.rows != batch.num_rows for column in columns):
            raise pa.ArrowInvalid("its columns differ in length")
        return cls(read, batch.schema, batch.num_rows, columns)


class Range(NamedTuple):
    """Some rows of a batch, from start to stop."""

    outline: Outline
    start: int
    stop: int


def rows_of_batches(ranges: Sequence[Range]) -> pa.RecordBatch:
    """Return rows of one or more batches, one range behind the other.

    Raises an ArrowInvalid where lists or texts are outside what they are of.
    """
    outlines = {id(one.outline): one.outline for one in ranges}.values()
    schema = ranges[0].outline.schema
    if any(one.schema != schema for one in outlines):
        raise pa.ArrowInvalid("the columns of its batches differ")
    arrays = [_column(ranges, place) for place in range(len(schema))]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def ids_of_batches(ranges: Sequence[Range]) -> pa.Array:
    """Return the first column of these rows, which is that of ids."""
    return _column(ranges, 0)


def _column(ranges: Sequence[Range], place: int) -> pa.Array:
    pieces = [
        _Piece(outline.read, outline.columns[place], start, stop) for outline, start, stop in ranges
    ]
    return _gathered(pieces, pieces[0].places.kind)


class _Unread:
    """A file as Arrow reads one: of a batch, only what says where its columns are."""

    closed = False

    def __init__(self, read: ReadAt, size: int) -> None:
        self._read, self._size = read, size
        self._place = 0
        self._rooms: list[tuple[int, NDArray[np.uint8]]] = []
        self.skips_bodies = False

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = (0, self._place, self._size)[whence] + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int) -> NDArray[np.uint8]:
        size = min(size, max(0, self._size - self._place))
        room = np.empty(size, np.uint8)  # memory that nobody touches takes no time
        told = self._told(size) if self.skips_bodies else size
        found = np.frombuffer(self._read(told, self._place), np.uint8)
        if found.size != told:
            raise OSError(0, CUT_OFF)
        room[:told] = found
        self._rooms.append((self._place, room))
        self._place += size
        return room

    def _told(self, size: int) -> int:
        """Return how many of the next bytes say where columns are; the others are the columns."""
        prefix = bytes(self._read(min(size, PREFIX_BYTES), self._place))
        if not prefix.startswith(CONTINUED):
            return 0
        return min(size, PREFIX_BYTES + int.from_bytes(prefix[len(CONTINUED) :], "little"))

    def close(self) -> None:
        """Leave the file open: rows are read from it."""

    def place_of(self, buffer: pa.Buffer) -> int:
        """Return where in the file the bytes of a buffer are."""
        for place, room in self._rooms:
            begin = room.__array_interface__["data"][0]
            if begin <= buffer.address and buffer.address + buffer.size <= begin + room.size:
                return place + int(buffer.address) - int(begin)
        raise pa.ArrowInvalid("columns are outside the file")


def _has_offsets(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_large_list(kind)
    )


def _offsets_type(kind: pa.DataType) -> np.dtype[Any]:
    narrow = pa.types.is_string(kind) or pa.types.is_binary(kind)
    return np.dtype(np.int32 if narrow else np.int64)


def _places(array: pa.Array, file: _Unread) -> Places:
    """Return where a column is that was not read."""
    kind, rows = array.type, len(array)
    # Of nested columns, Arrow lists the children's behind their own.
    own = array.buffers()

    def place(number: int, least: int) -> int:
        buffer = own[number]
        if (0 if buffer is None else buffer.size) < least:
            raise pa.ArrowInvalid("columns are shorter than their rows")
        return file.place_of(buffer) if least else 0

    nulls = array.null_count
    validity = place(0, -(-rows // 8)) if nulls else 0
    children: tuple[Places, ...] = ()
    values = data = data_bytes = 0
    if pa.types.is_struct(kind):
        children = tuple(_places(array.field(one), file) for one in range(kind.num_fields))
        if any(child.rows < rows for child in children):
            raise pa.ArrowInvalid("columns are shorter than their rows")
    elif _has_offsets(kind):
        values = place(1, (rows + 1) * _offsets_type(kind).itemsize if rows else 0)
        if pa.types.is_large_list(kind):
            children = (_places(array.values, file),)
        else:
            data_bytes = 0 if own[2] is None else own[2].size
            data = place(2, data_bytes)
    else:
        values = place(1, -(-rows * kind.bit_width // 8))
    return Places(kind, rows, nulls, validity, values, data, data_bytes, children)


class _Piece(NamedTuple):
    """Some rows of a column of a batch."""

    read: ReadAt
    places: Places
    start: int
    stop: int


def _gathered(pieces: Sequence[_Piece], kind: pa.DataType) -> pa.Array:
    """Return the rows of all pieces, one behind the other, in memory of their own."""
    pieces = [piece for piece in pieces if piece.stop > piece.start]
    rows = sum([piece.stop - piece.start for piece in pieces])
    if not rows:
        return pa.array([], kind)
    if all(at.nulls == at.rows for _, at, _, _ in pieces):
        return pa.nulls(rows, kind)
    known = _known(pieces, rows)
    if pa.types.is_struct(kind):
        fields = [
            _gathered(
                [
                    _Piece(read, places.children[number], start, stop)
                    for read, places, start, stop in pieces
                ],
                field.type,
            )
            for number, field in enumerate(kind)
        ]
        return pa.Array.from_buffers(kind, rows, [known], children=fields)
    if pa.types.is_boolean(kind):
        bits = _bits([(read, at.values, start, stop) for read, at, start, stop in pieces])
        return pa.Array.from_buffers(kind, rows, [known, bitmap(bits)])
    if not _has_offsets(kind):
        width = kind.bit_width // 8
        found = [
            read((stop - start) * width, at.values + start * width)
            for read, at, start, stop in pieces
        ]
        return pa.Array.from_buffers(kind, rows, [known, _joined(found, rows * width)])
    return _gathered_by_offsets(pieces, rows, kind, known)


def _gathered_by_offsets(
    pieces: Sequence[_Piece], rows: int, kind: pa.DataType, known: pa.Buffer | None
) -> pa.Array:
    """Return lists or texts of all pieces, one behind the other."""
    offsets, within = _offsets(pieces, rows, _offsets_type(kind))
    if pa.types.is_large_list(kind):
        children = [
            _Piece(piece.read, piece.places.children[0], start, stop)
            for piece, (start, stop) in zip(pieces, within, strict=True)
        ]
        items = _gathered(children, kind.value_type)
        return pa.Array.from_buffers(kind, rows, [known, pa.py_buffer(offsets)], children=[items])
    texts = [
        piece.read(stop - start, piece.places.data + start)
        for piece, (start, stop) in zip(pieces, within, strict=True)
    ]
    buffers = [known, pa.py_buffer(offsets), _joined(texts, int(offsets[-1]))]
    return pa.Array.from_buffers(kind, rows, buffers)


def _joined(found: Sequence[Any], size: int) -> pa.Buffer:
    """Return bytes one behind the other, which have to be so many."""
    joined = b"".join(found)
    if len(joined) != size:
        raise OSError(0, CUT_OFF)
    return pa.py_buffer(joined)


def _known(pieces: Sequence[_Piece], rows: int) -> pa.Buffer | None:
    """Return which rows are not missing, or None where all are there."""
    some = [at.nulls > 0 for _, at, _, _ in pieces]
    if not any(some):
        return None
    there = np.ones(rows, np.bool_)
    sizes = [piece.stop - piece.start for piece in pieces]
    there[np.repeat(some, sizes)] = _bits(
        [(read, at.validity, start, stop) for read, at, start, stop in pieces if at.nulls]
    )
    return bitmap(there)


def _bits(pieces: Sequence[tuple[ReadAt, int, int, int]]) -> NDArray[np.bool_]:
    """Return bits from start to stop, counted from the first of a byte of a file, of each piece."""
    found = [
        read(((stop + 7) >> 3) - (start >> 3), place + (start >> 3))
        for read, place, start, stop in pieces
    ]
    starts, stops = np.array([piece[2:] for piece in pieces]).T
    read_bits = 8 * (((stops + 7) >> 3) - (starts >> 3))
    joined = np.frombuffer(_joined(found, int(read_bits.sum()) // 8), np.uint8)
    bits = np.unpackbits(joined, bitorder="little")
    first = np.cumsum(read_bits) - read_bits + (starts & 7)
    sizes = stops - starts
    places = np.arange(sizes.sum()) + np.repeat(first - np.cumsum(sizes) + sizes, sizes)
    marks: NDArray[np.bool_] = bits[places].view(np.bool_)
    return marks


def _offsets(
    pieces: Sequence[_Piece], rows: int, kind: np.dtype[Any]
) -> tuple[NDArray[Any], list[tuple[int, int]]]:
    """Return the offsets of all rows together, and what each piece has of data or its child."""
    width = kind.itemsize
    found = [
        read((stop - start + 1) * width, at.values + start * width)
        for read, at, start, stop in pieces
    ]
    joined = np.frombuffer(_joined(found, (rows + len(pieces)) * width), kind)
    sizes = np.array([stop - start + 1 for _, _, start, stop in pieces])
    ends = np.cumsum(sizes)
    firsts, lasts = joined[ends - sizes], joined[ends - 1]
    between = np.ones(joined.size - 1, np.bool_)
    between[ends[:-1] - 1] = False  # from one piece to the next
    steps = np.diff(joined)[between]
    most = [at.children[0].rows if at.children else at.data_bytes for _, at, _, _ in pieces]
    if steps.min() < 0 or firsts.min() < 0 or (lasts > most).any():
        raise pa.ArrowInvalid("lists or texts are outside what they are of")
    offsets = np.zeros(rows + 1, np.int64)
    np.cumsum(steps, out=offsets[1:])
    if offsets[-1] > np.iinfo(kind).max:
        raise pa.ArrowInvalid("together, the ids have more bytes than their type holds")
    within = list(zip(firsts.tolist(), lasts.tolist(), strict=True))
    return offsets.astype(kind, copy=False), within
