"""Ids of several bytes, wherever they are: each has a start and a length in an array of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import (
    BytesView,
    bytes_view,
    fixed_view,
    offsets_outside,
    spanning,
    string_views,
    validity,
    views_outside,
)
from ordercycle._errors import DataError, counted
from ordercycle._sources.validation import REMAKE
from ordercycle_kernels import hashing
from ordercycle_kernels import id_bytes as kernels

#: The length of ids that have several.
LENGTHS_DIFFER = int(kernels.LENGTHS_DIFFER)


class LongIdError(DataError):
    """An id has 2 GiB or more."""


class DamagedIdsError(DataError):
    """Ids are not where their array says that they are."""

    bad: NDArray[np.bool_]  # (n,)

    @classmethod
    def of(cls, bad: NDArray[np.bool_]) -> DamagedIdsError:
        """Return the error for an array of which some rows are marked."""
        count, row = int(np.count_nonzero(bad)), int(bad.argmax())
        error = cls(
            f"{counted(count, 'id is', 'ids are')} outside the data of the array, the first at "
            f"row {row}",
            remedy=REMAKE,
            row=row,
            count=count,
        )
        error.bad = bad
        return error


class IdBytes(NamedTuple):
    """Ids of n rows: row i is the lengths[i] bytes of data from starts[i].

    Lengths of a single item stand for all rows.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    data: NDArray[np.uint8]

    def hash_into(self, out: NDArray[np.uint64]) -> None:
        """Write the hashes."""
        if self.lengths.size == 1:
            words = np.empty(hashing.ROWS_AT_A_TIME, np.uint64)
            hashing.hash_equally_long(self.starts, int(self.lengths[0]), self.data, words, out)
        else:
            hashing.hash_bytes(*self, out)

    def are_of(
        self, slots: NDArray[np.int32], customers: NDArray[np.int32], ids: BytesView
    ) -> bool:
        """Return whether all rows of a slot have the id of its customer, as `same_ids` does."""
        if self.lengths.size == 1 and self.lengths[0] >= kernels.WORD_BYTES:
            size = int(self.lengths[0])
            return kernels.same_long_ids(slots, self.starts, size, self.data, customers, ids.data)
        return kernels.same_ids(slots, *self, customers, *ids)

    def taken(self, rows: NDArray[np.int32]) -> BytesView:
        """Return the ids of some rows one behind the other, in memory of their own."""
        starts = self.starts[rows]
        lengths = self.lengths if self.lengths.size == 1 else self.lengths[rows]
        offsets = np.empty(rows.size + 1, np.int64)
        size = int(np.broadcast_to(lengths, rows.shape).sum(dtype=np.int64))
        data = np.empty(size, np.uint8)
        kernels.copy_ids(starts, lengths, self.data, offsets, data)
        return BytesView(offsets, data)


class IdBuffer(NamedTuple):
    """The bytes that ids are in, and the length that all have, or LENGTHS_DIFFER."""

    data: NDArray[np.uint8]
    length: int

    def ids(self, starts: NDArray[np.int64], lengths: NDArray[np.int32]) -> IdBytes:
        """Return the ids with their starts and, where these differ, lengths."""
        if self.length != LENGTHS_DIFFER:
            lengths = np.array([self.length], np.int32)
        return IdBytes(starts, lengths, self.data)


def place_ids(
    array: pa.Array,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int32],
) -> IdBuffer:
    """Find the ids of an array of strings, binaries or views of them: starts, lengths: (n,).

    A missing id is placed where another one is, so that all that is read exists; lengths are
    undefined where they do not differ.

    Raises
    ------
    LongIdError
        Where there is such an id.
    DamagedIdsError
        Where an id lies outside the buffers of the array.
    """
    if pa.types.is_fixed_size_binary(array.type):
        width = array.type.byte_width
        np.multiply(np.arange(len(array)), width, out=starts)
        return IdBuffer(fixed_view(array, np.uint8, per_row=width), width)
    known = validity(array)
    if known is None:
        known = np.zeros(0, np.bool_)
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        views, buffers = string_views(array)
        data, begins = spanning([views.view(np.uint8), *buffers])
        sizes = np.array([buffer.size for buffer in buffers], np.int64)
        length = kernels.find_views(views, known, begins, sizes, starts, lengths)
        if length == kernels.OUTSIDE:
            raise DamagedIdsError.of(views_outside(views, known, sizes))
        return IdBuffer(data, length)
    offsets, data = bytes_view(array)
    length = kernels.find_between[offsets.dtype.name](offsets, known, data.size, starts, lengths)
    if length == kernels.OUTSIDE:
        raise DamagedIdsError.of(offsets_outside(offsets, data))
    if length == kernels.TOO_LONG:
        raise LongIdError("an id has 2 GiB or more", remedy="is it the column of the ids?")
    return IdBuffer(data, length)


def hashes_of(ids: pa.Array) -> NDArray[np.uint64]:
    """Return the hashes of integers, strings or binaries; those of missing ones are anything."""
    hashes = np.empty(len(ids), np.uint64)
    if pa.types.is_integer(ids.type):
        hashing.hash_integers(integers_of(ids), hashes)
    else:
        starts, lengths = np.empty(len(ids), np.int64), np.empty(len(ids), np.int32)
        place_ids(ids, starts, lengths).ids(starts, lengths).hash_into(hashes)
    return hashes


def integers_of(array: pa.Array) -> NDArray[np.int64]:
    """Return an array of any integers as words; missing ones are anything."""
    integers: NDArray[Any] = fixed_view(array, array.type.to_pandas_dtype())
    return integers.astype(np.int64, copy=False)


def joined_ids(parts: Sequence[IdBytes]) -> IdBytes:
    """Return the ids of several parts one behind the other, their bytes where they are."""
    if len(parts) == 1:
        return parts[0]
    data, begins = spanning([part.data for part in parts])
    starts = [np.zeros(0, np.int64)]
    starts += [part.starts + begin for part, begin in zip(parts, begins.tolist(), strict=True)]
    lengths: list[NDArray[Any]] = [part.lengths for part in parts if part.starts.size]
    common = {int(one[0]) if one.size == 1 else LENGTHS_DIFFER for one in lengths}
    if len(common) == 1 and LENGTHS_DIFFER not in common:
        return IdBytes(np.concatenate(starts), lengths[0], data)
    spread = [np.broadcast_to(part.lengths, part.starts.shape) for part in parts]
    return IdBytes(np.concatenate(starts), np.concatenate([np.zeros(0, np.int32), *spread]), data)
