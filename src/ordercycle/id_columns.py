"""Columns of ids as hashes, and as places of bytes where the hash is not all there is to an id."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle.arrow_views import addresses, fixed_view
from ordercycle.id_bytes import LENGTHS_DIFFER, Placed, place_ids
from ordercycle.readers import IdReader
from ordercycle_kernels import hashing

NO_BYTES: NDArray[np.uint8] = np.zeros(0, np.uint8)


@dataclass(frozen=True, eq=False)
class HashedDictionary:
    """The entries of a dictionary: (e,) each; starts and lengths of integers are empty."""

    array: pa.Array  # held: its address is how it is found again
    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    placed: Placed


class IdRows(NamedTuple):
    """Arrays to read the ids of n rows into; those of integers have no starts and lengths."""

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]


class IdPiece(NamedTuple):
    """Where the bytes of some rows of a run are."""

    rows: slice
    placed: Placed
    dictionary: HashedDictionary | None  # whose memory it is, if not the rows' own


class IdColumn:
    """Reads the ids of one column, each dictionary once however many batches share it."""

    def __init__(self, ids: IdReader) -> None:
        self.ids = ids
        self.is_dictionary = bool(pa.types.is_dictionary(ids.given))
        # Whoever goes on working with a dictionary holds it; the others are let go.
        self._hashed: WeakValueDictionary[tuple[int, ...], HashedDictionary] = WeakValueDictionary()
        self._lock = threading.Lock()

    @property
    def hashes_are_kept(self) -> bool:
        """Whether reading the hashes a second time costs more than to remember them."""
        return self.is_dictionary or not self.ids.is_integer

    def read(
        self, array: pa.Array, out: IdRows, *, with_hashes: bool
    ) -> tuple[Placed, HashedDictionary | None]:
        """Read an array into `out`; return where the bytes are, and whose they are."""
        if not self.is_dictionary:
            return self._read_plain(self.ids.storage(array), out, with_hashes=with_hashes), None
        dictionary = self._dictionary(array.dictionary)
        placed = dictionary.placed
        if len(dictionary.array) == 0:  # every id is missing
            for rows in out:
                rows.fill(0)
            return placed, dictionary
        codes = fixed_view(array.indices, array.type.index_type.to_pandas_dtype())
        codes = codes.astype(np.int64, copy=False)
        # Clipped, the code of a missing id, which may be anything, points at some entry.
        if with_hashes:
            dictionary.hashes.take(codes, out=out.hashes, mode="clip")
        if not self.ids.is_integer:
            dictionary.starts.take(codes, out=out.starts, mode="clip")
            if placed.length == LENGTHS_DIFFER:
                dictionary.lengths.take(codes, out=out.lengths, mode="clip")
        return placed, dictionary

    def _read_plain(self, array: pa.Array, out: IdRows, *, with_hashes: bool) -> Placed:
        if self.ids.is_integer:
            if with_hashes:
                integers = fixed_view(array, array.type.to_pandas_dtype())
                hashing.hash_integers(integers.astype(np.int64, copy=False), out.hashes)
            return Placed(NO_BYTES, 0)
        placed = place_ids(array, out.starts, out.lengths)
        if with_hashes:
            placed.ids(out.starts, out.lengths).hash_into(out.hashes)
        return placed

    def _dictionary(self, array: pa.Array) -> HashedDictionary:
        key = (len(array), array.offset, *addresses(array))
        with self._lock:
            found = self._hashed.get(key)
            if found is None:
                size = 0 if self.ids.is_integer else len(array)
                out = IdRows(
                    np.empty(len(array), np.uint64),
                    np.empty(size, np.int64),
                    np.empty(size, np.int32),
                )
                placed = self._read_plain(self.ids.storage(array), out, with_hashes=True)
                found = self._hashed[key] = HashedDictionary(array, *out, placed)
            return found
