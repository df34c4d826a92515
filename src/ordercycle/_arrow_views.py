"""Arrow arrays as NumPy views, and back: the only place that touches buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import DTypeLike, NDArray

#: Bytes that a view holds in itself.
INLINE_BYTES = 12
#: The days that Python has, from 1970.
FIRST_PYTHON_DAY, LAST_PYTHON_DAY = -719_162, 2_932_896
TICKS_PER_DAY = {
    "D": 1,
    "s": 86_400,
    "ms": 86_400 * 10**3,
    "us": 86_400 * 10**6,
    "ns": 86_400 * 10**9,
}

Dated = TypeVar("Dated", pa.Array, pa.ChunkedArray)


class BytesView(NamedTuple):
    """Values of several bytes: row i is data[offsets[i]:offsets[i + 1]]."""

    offsets: NDArray[Any]  # int32 or int64
    data: NDArray[np.uint8]


def batch_of_file(opened: pa.ipc.RecordBatchFileReader, number: int) -> pa.RecordBatch:
    """Return a batch of an Arrow file, or raise an ArrowInvalid where it does not have so many."""
    if number >= opened.num_record_batches:
        raise pa.ArrowInvalid("it has fewer batches than were written")
    return opened.get_batch(number)


def is_text(kind: pa.DataType) -> bool:
    """Return whether values of a type are text."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_bytes(kind: pa.DataType) -> bool:
    """Return whether values of a type are bytes of any length."""
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    )


def without_view(kind: pa.DataType) -> pa.DataType:
    """Return the type that stands for a view: few of Arrow's functions take views."""
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def fixed_view(array: pa.Array, dtype: DTypeLike, per_row: int = 1) -> NDArray[Any]:
    """View the values of a fixed-width array, nulls included: (len * per_row,) of `dtype`."""
    item = np.dtype(dtype)
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.zeros(len(array) * per_row, item)
    start = array.offset * per_row * item.itemsize
    return np.frombuffer(buffer, item, count=len(array) * per_row, offset=start)


def dates_of(values: Dated) -> Dated:
    """Return dates, instants, or what Arrow takes for dates, as date32: an instant's day in UTC.

    What lies beyond the years 1 to 9999 is in the first or the last of their days: Arrow's own cast
    takes it round to days that look like any others, and Python has no date for it.
    """
    kind = values.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return values.cast(pa.date32())
    unit = kind.unit if pa.types.is_timestamp(kind) else "D" if pa.types.is_date32(kind) else "ms"
    ticks = TICKS_PER_DAY[unit]
    numbers = values.cast(pa.int32() if unit == "D" else pa.int64()).cast(pa.int64())
    first = max(FIRST_PYTHON_DAY * ticks, -(2**63))
    last = min(LAST_PYTHON_DAY * ticks, 2**63 - 1)
    numbers = pc.max_element_wise(numbers, pa.scalar(first, pa.int64()), skip_nulls=False)
    numbers = pc.min_element_wise(numbers, pa.scalar(last, pa.int64()), skip_nulls=False)
    if unit == "D":
        return numbers.cast(pa.int32()).cast(pa.date32())
    return numbers.cast(kind).cast(pa.date32(), safe=False)


def validity(array: pa.Array) -> NDArray[np.bool_] | None:
    """Return which rows are not null, or None where all are."""
    if not pa.types.is_dictionary(array.type):
        return None if array.null_count == 0 else booleans(array.is_valid())
    # Arrow itself follows codes that stand for nothing, as a damaged array has them, out of the
    # dictionary. They are clipped here: the reader of the values refuses them.
    indices, entries = array.indices, array.dictionary
    valid = validity(indices)
    if entries.null_count == 0:
        return valid
    codes = fixed_view(indices, array.type.index_type.to_pandas_dtype())
    present = booleans(entries.is_valid()).take(codes.astype(np.int64, copy=False), mode="clip")
    return present if valid is None else present & valid


def outside_dictionary(array: pa.Array) -> NDArray[np.bool_] | None:
    """Return which codes of a dictionary array stand for nothing, or None where all are sound."""
    indices, entries = array.indices, len(array.dictionary)
    codes = fixed_view(indices, array.type.index_type.to_pandas_dtype())
    if codes.size == 0 or (codes.min() >= 0 and codes.max() < entries):
        return None
    outside = (codes < 0) | (codes >= entries)
    present = validity(indices)
    if present is not None:
        outside &= present
    return outside if outside.any() else None


def offsets_outside(offsets: NDArray[Any], data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which of n values are not where n + 1 ascending offsets into the data say."""
    starts, stops = offsets[:-1], offsets[1:]
    outside: NDArray[np.bool_] = (starts < 0) | (stops < starts) | (stops > data.size)
    return outside


def views_outside(
    views: NDArray[np.int32], known: NDArray[np.bool_], sizes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which of n views, four items each, point outside the buffers of these sizes.

    known: (n,), those that are not missing, whose views may be anything, or empty.
    """
    lengths, _, buffers, starts = views.reshape(-1, 4).astype(np.int64).T
    there = (buffers >= 0) & (buffers < sizes.size)
    ends = np.append(sizes, 0)[np.where(there, buffers, sizes.size)]
    outside: NDArray[np.bool_] = lengths < 0
    outside |= (lengths > INLINE_BYTES) & (~there | (starts < 0) | (starts + lengths > ends))
    return outside & known if known.size else outside


def booleans(array: pa.Array) -> NDArray[np.bool_]:
    """Return booleans without nulls; Arrow's own way would load pandas, for a third of a second."""
    stop = array.offset + len(array)
    bits = np.unpackbits(_bytes(array.buffers()[1]), count=stop, bitorder="little")
    return bits[array.offset :].view(np.bool_)


def bytes_view(array: pa.Array) -> BytesView:
    """View an array of strings or binaries."""
    large = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    item = np.dtype(np.int64 if large else np.int32)
    _, ends, data = array.buffers()
    if ends is None or len(array) == 0:
        return BytesView(np.zeros(len(array) + 1, item), np.zeros(0, np.uint8))
    offsets = np.frombuffer(ends, item, count=len(array) + 1, offset=array.offset * item.itemsize)
    return BytesView(offsets, _bytes(data))


def string_views(array: pa.Array) -> tuple[NDArray[np.int32], list[NDArray[np.uint8]]]:
    """View an array of string or binary views: four items each, and the buffers they point to."""
    return fixed_view(array, np.int32, per_row=4), [_bytes(one) for one in array.buffers()[2:]]


def _bytes(buffer: pa.Buffer | None) -> NDArray[np.uint8]:
    return np.zeros(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)


def addresses(array: pa.Array) -> list[int]:
    """Return where the buffers of an array are."""
    return [0 if buffer is None else buffer.address for buffer in array.buffers()]


def address_of(array: NDArray[Any]) -> int:
    """Return where a contiguous array begins."""
    return int(array.__array_interface__["data"][0])


class _Span:
    """Memory from the first to the last of some arrays, which it keeps alive."""

    def __init__(self, arrays: Sequence[NDArray[np.uint8]]) -> None:
        self.arrays = arrays
        first = min(map(address_of, arrays))
        size = max(address_of(array) + array.size for array in arrays) - first
        self.__array_interface__ = {
            "version": 3,
            "data": (first, True),
            "shape": (size,),
            "typestr": "|u1",
        }


def spanning(arrays: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """View arrays that lie anywhere as one array without copying; return where each begins in it.

    What is between them belongs to others, who may change or free it: read nothing but them.
    """
    there = [array for array in arrays if array.size]
    if not there:
        return np.zeros(0, np.uint8), np.zeros(len(arrays), np.int64)
    whole = there[0] if len(there) == 1 else np.asarray(_Span(there))
    first = address_of(whole)
    begins = [address_of(array) - first if array.size else 0 for array in arrays]
    return whole, np.array(begins, np.int64)


def array_of(
    values: NDArray[Any], kind: pa.DataType, valid: NDArray[np.bool_] | pa.Buffer | None = None
) -> pa.Array:
    """Wrap values of a fixed-width type without copying; `valid` is a mask or a bitmap."""
    if isinstance(valid, np.ndarray):
        valid = bitmap(valid)
    rows = values.nbytes * 8 // kind.bit_width
    return pa.Array.from_buffers(kind, rows, [valid, pa.py_buffer(np.ascontiguousarray(values))])


def bitmap(valid: NDArray[np.bool_]) -> pa.Buffer:
    """Pack a mask into an Arrow validity bitmap."""
    return pa.py_buffer(np.packbits(valid, bitorder="little"))


def mask_of(values: NDArray[np.bool_]) -> pa.Array:
    """Return booleans as an array."""
    return pa.Array.from_buffers(pa.bool_(), values.size, [None, bitmap(values)])


def rows_of(values: NDArray[np.int64]) -> pa.Array:
    """Wrap row numbers without copying."""
    return array_of(values, pa.int64())


def array_of_texts(texts: Sequence[str]) -> pa.Array:
    """Return a few texts as an array."""
    data = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, data)], dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(data))]
    return pa.Array.from_buffers(pa.string(), len(data), buffers)


def array_of_bytes(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> pa.Array:
    """Wrap values of several bytes as large_binary without copying."""
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_binary(), offsets.size - 1, buffers)
