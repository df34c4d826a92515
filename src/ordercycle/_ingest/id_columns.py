"""Columns of ids as hashes, and as places of bytes where the hash is not all there is to an id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view, outside_dictionary, string_views, validity
from ordercycle._errors import DataError, counted
from ordercycle._ingest.blocks import ID_COLUMNS
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.dictionaries import DictionaryCache
from ordercycle._ingest.id_bytes import (
    LENGTHS_DIFFER,
    DamagedIdsError,
    IdBuffer,
    LongIdError,
    integers_of,
    place_ids,
)
from ordercycle._sources.validation import REMAKE
from ordercycle_kernels import hashing

#: Bytes of an id under a memory limit, at most: the least of rows that are worked on together would
#: be beyond the smallest limit with longer ones.
LONG_BYTES = 2**13
NO_BYTES: NDArray[np.uint8] = np.zeros(0, np.uint8)


@dataclass(frozen=True, eq=False)
class HashedDictionary:
    """The entries of a dictionary: (e,) each; starts and lengths of integers are empty."""

    entries: pa.Array
    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    buffer: IdBuffer

    @property
    def nbytes(self) -> int:
        """Bytes of the entries and what is known of them."""
        known = (self.hashes, self.starts, self.lengths)
        return int(self.entries.nbytes) + sum(values.nbytes for values in known)


class IdRows(NamedTuple):
    """Arrays to read the ids of n rows into; those of integers have no starts and lengths."""

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64] = np.zeros(0, np.int64)
    lengths: NDArray[np.int32] = np.zeros(0, np.int32)


class SliceIds(NamedTuple):
    """Where the bytes of some rows of a morsel are."""

    rows: slice
    buffer: IdBuffer
    dictionary: HashedDictionary | None  # whose memory it is, if not the rows' own


class IdColumn:
    """Reads the ids of one column, each dictionary once however many batches share it."""

    def __init__(self, field: pa.Field, table: str, use: str) -> None:
        self.ids = IdReader.of(field, table)
        self.name = field.name
        self._table = table
        self._columns = ID_COLUMNS[use]
        self._is_dictionary = bool(pa.types.is_dictionary(field.type))
        # Whoever points into a dictionary holds it.
        self._hashed: DictionaryCache[HashedDictionary] = DictionaryCache()

    @property
    def hashes_are_kept(self) -> bool:
        """Whether reading the hashes a second time costs more than to remember them."""
        return self._is_dictionary or not self.ids.is_integer

    @property
    def are_numbers(self) -> bool:
        """Whether ids are plain integers, not of a dictionary."""
        return self.ids.is_integer and not self._is_dictionary

    def numbers(self, batch: pa.RecordBatch) -> NDArray[np.int64]:
        """Return ids that are numbers; missing ones are anything."""
        return integers_of(self.ids.storage(batch.column(self.name)))

    @property
    def columns(self) -> dict[str, str]:
        """The columns that ids are read into; integers have no start and length."""
        hashed, start, length = self._columns
        places = {} if self.ids.is_integer else {start: "int64", length: "int32"}
        return {hashed: "uint64", **places}

    def read(
        self,
        batch: pa.RecordBatch,
        rows: slice,
        columns: Mapping[str, NDArray[Any]],
        *,
        with_hashes: bool,
    ) -> SliceIds | None:
        """Read a batch into some rows of a morsel's columns; return where the bytes are, if any.

        Raises
        ------
        DataError
            Where an id has 2 GiB or more.
        DamagedIdsError
            Where ids are outside the data of their array, or codes outside their dictionary.
        """
        if self.ids.is_integer and not with_hashes:
            return None
        array = batch.column(self.name)
        out = IdRows(*(columns[name][rows] for name in self.columns))
        try:
            if pa.types.is_dictionary(array.type):  # read under a limit, it is none any more
                dictionary = self._hashed.get(array.dictionary, self._hash_dictionary)
                _look_up(dictionary, array, out, with_hashes=with_hashes)
                found = SliceIds(rows, dictionary.buffer, dictionary)
            else:
                buffer = self._read_plain(self.ids.storage(array), out, with_hashes=with_hashes)
                found = SliceIds(rows, buffer, None)
        except LongIdError:
            raise DataError(
                f"{self._table}: {self.name} holds an id of 2 GiB or more",
                remedy="is it the column of the ids?",
                column=self.name,
            ) from None
        return None if self.ids.is_integer else found

    def _read_plain(self, array: pa.Array, out: IdRows, *, with_hashes: bool) -> IdBuffer:
        if self.ids.is_integer:
            if with_hashes:
                hashing.hash_integers(integers_of(array), out.hashes)
            return IdBuffer(NO_BYTES, 0)
        buffer = place_ids(array, out.starts, out.lengths)
        if with_hashes:
            buffer.ids(out.starts, out.lengths).hash_into(out.hashes)
        return buffer

    def _hash_dictionary(self, entries: pa.Array) -> HashedDictionary:
        size = 0 if self.ids.is_integer else len(entries)
        out = IdRows(
            np.empty(len(entries), np.uint64), np.empty(size, np.int64), np.empty(size, np.int32)
        )
        try:
            buffer = self._read_plain(self.ids.storage(entries), out, with_hashes=True)
        except DamagedIdsError as error:
            outside = counted(int(np.count_nonzero(error.bad)), "entry is", "entries are")
            raise DataError(
                f"{self._table}: in the dictionary of {self.name}, {outside} outside its data",
                remedy=REMAKE,
                column=self.name,
            ) from None
        return HashedDictionary(entries, *out, buffer)

    def bytes_each(self, batch: pa.RecordBatch) -> int:
        """Return the bytes of an id, on average; of integers there is the hash only."""
        if self.ids.is_integer:
            return 0
        array = batch.column(self.name)
        if pa.types.is_dictionary(array.type):
            array = array.dictionary
        return int(array.nbytes) // max(1, len(array))

    def refuse_long(self, batch: pa.RecordBatch) -> None:
        """Refuse ids for which a memory limit has no room.

        Raises
        ------
        DataError
            Where an id is longer than LONG_BYTES.
        """
        array = batch.column(self.name)
        if pa.types.is_dictionary(array.type):
            array = array.dictionary
        if self.ids.is_integer or array.nbytes <= LONG_BYTES:
            return
        most = _longest(self.ids.storage(array))
        if most > LONG_BYTES:
            raise DataError(
                f"{self._table}: {self.name} holds an id of {counted(most, 'byte')}, and under a "
                f"memory limit {LONG_BYTES:,} are the most",
                remedy="is it the column of the ids?",
                column=self.name,
            )

    def forget_dictionaries(self) -> None:
        """Let go of dictionaries: there is nothing more to read."""
        self._hashed.forget()


def _look_up(
    dictionary: HashedDictionary, array: pa.Array, out: IdRows, *, with_hashes: bool
) -> None:
    """Write what belongs to the codes of an array."""
    bad = outside_dictionary(array)
    if bad is not None:
        raise DamagedIdsError.of(bad)
    if len(dictionary.entries) == 0:  # every id is missing
        for rows in out:
            rows.fill(0)
        return
    codes = fixed_view(array.indices, array.type.index_type.to_pandas_dtype())
    codes = codes.astype(np.int64, copy=False)
    # Clipped, the code of a missing id, which may be anything, points at some entry.
    if with_hashes:
        dictionary.hashes.take(codes, out=out.hashes, mode="clip")
    if dictionary.starts.size:
        dictionary.starts.take(codes, out=out.starts, mode="clip")
        if dictionary.buffer.length == LENGTHS_DIFFER:
            dictionary.lengths.take(codes, out=out.lengths, mode="clip")


def _longest(array: pa.Array) -> int:
    """Return the bytes of the longest id of an array of strings, binaries or views of them."""
    if pa.types.is_fixed_size_binary(array.type):
        return int(array.type.byte_width)
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        # Arrow counts no bytes of views: it would copy them, once for each row that shares them.
        views, _ = string_views(array)
        known = validity(array)
        return int(views[::4].max(initial=0, where=True if known is None else known))
    return pc.max(pc.binary_length(array)).as_py() or 0
