"""Arrow arrays as NumPy views, and back: the only place that touches buffers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray


class BytesView(NamedTuple):
    """Values of several bytes: row i is data[offsets[i]:offsets[i + 1]]."""

    offsets: NDArray[np.int64]
    data: NDArray[np.uint8]


def fixed_view(array: pa.Array, dtype: DTypeLike, per_row: int = 1) -> NDArray[Any]:
    """View the values of a fixed-width array, nulls included: (len * per_row,) of `dtype`."""
    item = np.dtype(dtype)
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.zeros(len(array) * per_row, item)
    start = array.offset * per_row * item.itemsize
    return np.frombuffer(buffer, item, count=len(array) * per_row, offset=start)


def validity(array: pa.Array) -> NDArray[np.bool_] | None:
    """Return which rows are not null, or None where all are."""
    if pa.types.is_dictionary(array.type) and array.dictionary.null_count:
        # A code may stand for a missing value.
        valid = array.dictionary.is_valid().take(array.indices).fill_null(fill_value=False)
        return np.asarray(valid.to_numpy(zero_copy_only=False))
    if array.null_count == 0:
        return None
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False))


def bytes_view(array: pa.Array) -> BytesView:
    """View an array of strings, binaries or fixed-size binaries."""
    kind = array.type
    if pa.types.is_fixed_size_binary(kind):
        width = kind.byte_width
        offsets = np.arange(array.offset, array.offset + len(array) + 1, dtype=np.int64) * width
        return BytesView(offsets, _bytes(array.buffers()[1]))
    large = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    item = np.dtype(np.int64 if large else np.int32)
    _, ends, data = array.buffers()
    if ends is None or len(array) == 0:
        return BytesView(np.zeros(len(array) + 1, np.int64), np.zeros(0, np.uint8))
    stored = np.frombuffer(ends, item, count=len(array) + 1, offset=array.offset * item.itemsize)
    return BytesView(stored.astype(np.int64, copy=False), _bytes(data))


def _bytes(buffer: pa.Buffer | None) -> NDArray[np.uint8]:
    return np.zeros(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)


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


def array_of_bytes(view: BytesView) -> pa.Array:
    """Wrap values of several bytes as large_binary without copying."""
    buffers = [None, pa.py_buffer(view.offsets), pa.py_buffer(view.data)]
    return pa.Array.from_buffers(pa.large_binary(), view.offsets.size - 1, buffers)
