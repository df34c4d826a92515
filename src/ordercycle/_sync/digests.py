"""SHA-256 of columns of texts, and digests as hexadecimal digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import bitmap, booleans, bytes_view
from ordercycle_kernels import sha256 as kernels

TEXT = pa.large_string()
#: Digests are fixed_size_binary of so many bytes.
DIGEST = pa.binary(kernels.DIGEST_BYTES)
#: What stands for no text where a digest cannot be null.
NO_DIGEST = bytes(kernels.DIGEST_BYTES)


def bytes_of(texts: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return offsets from 0 and the bytes of large texts, those of nulls left out."""
    if texts.null_count:
        texts = texts.fill_null(b"" if pa.types.is_large_binary(texts.type) else "")
    offsets, data = bytes_view(texts)
    return offsets - offsets[0], data[offsets[0] : offsets[-1]]


def digests(texts: pa.Array) -> pa.Array:
    """Return the SHA-256 of large texts: fixed_size_binary(32), null where there is no text."""
    offsets, data = bytes_of(texts)
    words, state = np.empty(kernels.ROUNDS, np.uint32), np.empty(kernels.STATE, np.uint32)
    made = np.empty(len(texts) * kernels.DIGEST_BYTES, np.uint8)
    kernels.sha256(offsets, data, words, state, made)
    known = np.diff(offsets) > 0
    valid = None if known.all() else bitmap(known)
    return pa.Array.from_buffers(DIGEST, len(texts), [valid, pa.py_buffer(made)])


def digest_bytes(found: pa.Array) -> NDArray[np.uint8]:
    """Return the bytes of n digests: (n * 32,); those of nulls are anything."""
    width = kernels.DIGEST_BYTES
    buffer = found.buffers()[1]
    if buffer is None:
        return np.zeros(0, np.uint8)
    start = found.offset * width
    return np.frombuffer(buffer, np.uint8)[start : start + len(found) * width]


def hexadecimal(found: pa.Array) -> pa.Array:
    """Return digests as lower-case hexadecimal digits."""
    known = np.ones(len(found), np.bool_)
    if found.null_count:
        known = booleans(found.is_valid())
    ends = np.empty(len(found) + 1, np.int64)
    digits = np.empty(len(found) * kernels.HEX_DIGITS, np.uint8)
    kernels.write_hexadecimal(digest_bytes(found), known, ends, digits)
    valid = None if known.all() else bitmap(known)
    return pa.Array.from_buffers(
        TEXT, len(found), [valid, pa.py_buffer(ends), pa.py_buffer(digits)]
    )


def hexadecimal_or_empty(column: Any) -> list[str]:
    """Return digests as digits, an empty text for each that stands for none."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    shown: list[str] = hexadecimal(array).to_pylist()
    nothing = NO_DIGEST.hex()
    return ["" if one == nothing else one for one in shown]


def never_null(found: pa.Array) -> pa.Array:
    """Return digests with zeros in the place of nulls."""
    if not found.null_count:
        return found
    made = digest_bytes(found).reshape(-1, kernels.DIGEST_BYTES).copy()
    made[~booleans(found.is_valid())] = 0
    return pa.Array.from_buffers(DIGEST, len(found), [None, pa.py_buffer(made)])
