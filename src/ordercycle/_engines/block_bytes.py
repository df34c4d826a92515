"""Rows as the bytes of shuffle blocks: texts as codes, with the words that they stand for.

Bytes that travel are copied some ten times: a text of attributes takes ten of them and more, its
code one or two. Each block has the words of its own rows, as no other need arrive before it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._arrow_views import fixed_view, is_text, validity

#: In which types codes travel: the first that numbers the words.
CODES = (pa.uint8(), pa.uint16(), pa.uint32())
#: Blocks have the same words where these are few: for so many rows at least, one.
ROWS_OF_A_WORD = 16
#: The bytes of the words, before them and the rows.
HEAD = struct.Struct("<q")
#: At which places in memory NumPy and kernels read whole numbers: blocks, which lie end to end, are
#: of as many bytes, or a multiple.
ALIGNMENT = 8


def coded_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which an attribute travels: texts as codes."""
    return pa.dictionary(pa.int32(), kind) if is_text(kind) else kind


@dataclass(frozen=True)
class BlockForm:
    """How rows of a schema are bytes."""

    schema: pa.Schema

    @cached_property
    def coded(self) -> list[int]:
        """The places of columns of codes."""
        return [
            place for place, kind in enumerate(self.schema.types) if pa.types.is_dictionary(kind)
        ]

    @cached_property
    def words(self) -> pa.Schema:
        """The one row that says in which types codes are, and what they stand for."""
        kinds = [self.schema.types[place].value_type for place in self.coded]
        lists = [(str(number), pa.list_(kind)) for number, kind in enumerate(kinds)]
        return pa.schema([("types", pa.list_(pa.int8())), *lists])

    def pieces(
        self, batch: pa.RecordBatch, most_bytes: int | None
    ) -> Iterator[tuple[int, pa.Buffer]]:
        """Yield the rows of a batch as bytes, with how many they are.

        Equal rows in the same order are the same bytes, whatever their dictionaries. most_bytes: of
        a piece, about; None: all rows are one.
        """
        whole, count = _Words.of(batch, self), batch.num_rows
        most = count
        if most_bytes is not None:
            most = min(count, max(1, most_bytes * count // max(1, whole.rows.nbytes)))
        has_few = most == count or whole.most <= most // ROWS_OF_A_WORD
        for first in range(0, count, max(1, most)):
            if has_few:
                rows = whole.slice(first, most)
            else:
                rows = _Words.of(batch.slice(first, most), self)
            yield rows.rows.num_rows, rows.to_buffer()

    def opened(self, data: pa.Buffer) -> pa.RecordBatch:
        """Return the rows that are so many bytes; no whole number may be across these."""
        if data.address % ALIGNMENT:
            data = pa.py_buffer(data.to_pybytes())
        if not self.coded:
            return pa.ipc.read_record_batch(data, self.schema)
        (size,) = HEAD.unpack_from(data)
        words = pa.ipc.read_record_batch(data.slice(HEAD.size, size), self.words)
        kinds = tuple(words.column(0).values.to_pylist())
        rows = pa.ipc.read_record_batch(data.slice(HEAD.size + size), _travelling(self, kinds))
        columns = rows.columns
        for place, of_column in zip(self.coded, words.columns[1:], strict=True):
            codes = columns[place].cast(pa.int32())
            columns[place] = pa.DictionaryArray.from_arrays(codes, of_column.values)
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


@lru_cache
def _travelling(form: BlockForm, kinds: tuple[int, ...]) -> pa.Schema:
    """Return the columns of a block; kinds: in which types codes are."""
    schema = form.schema
    for place, kind in zip(form.coded, kinds, strict=True):
        schema = schema.set(place, schema.field(place).with_type(CODES[kind]))
    return schema


@dataclass(frozen=True)
class _Words:
    """Rows with codes of their own words, which are in order; words: as they travel.

    most: how many words the column with most of them has.
    """

    rows: pa.RecordBatch
    words: pa.Buffer | None
    most: int

    @classmethod
    def of(cls, batch: pa.RecordBatch, form: BlockForm) -> _Words:
        """Return rows with the codes of their words."""
        if not form.coded:
            return cls(batch, None, 0)
        columns = batch.columns
        kinds, lists = [], []
        for place in form.coded:
            codes, words = _settled(columns[place])
            kinds.append(_kind(len(words)))
            columns[place] = codes.cast(CODES[kinds[-1]])
            lists.append(words)
        said = [_listed(pa.array(kinds, pa.int8())), *map(_listed, lists)]
        words = pa.RecordBatch.from_arrays(said, schema=form.words).serialize()
        rows = pa.RecordBatch.from_arrays(columns, schema=_travelling(form, tuple(kinds)))
        return cls(rows, words, max(map(len, lists)))

    def slice(self, first: int, count: int) -> _Words:
        """Return some of the rows, with all words."""
        return _Words(self.rows.slice(first, count), self.words, self.most)

    def to_buffer(self) -> pa.Buffer:
        """Return the bytes that travel."""
        rows = self.rows.serialize()
        if self.words is None:
            return rows
        return pa.py_buffer(b"".join((HEAD.pack(self.words.size), self.words, rows)))


def _settled(column: pa.DictionaryArray) -> tuple[pa.Array, pa.Array]:
    """Return the codes of rows for the words that these have, in their order, and these words."""
    entries, known = column.dictionary, validity(column.indices)
    rows = fixed_view(column.indices, np.int32)
    there = rows if known is None else rows[known]
    used = np.flatnonzero(np.bincount(there, minlength=len(entries)))
    words = entries.take(pa.array(used))
    order = np.asarray(pc.array_sort_indices(words))
    places = np.zeros(max(1, len(entries)), np.uint32)
    places[used[order]] = np.arange(used.size, dtype=np.uint32)
    if known is None:
        codes = pa.array(places[rows])
    else:  # codes of nulls may be anything, which is not to travel
        codes = pa.array(places[np.where(known, rows, 0)] * known, mask=~known)
    return codes, words.take(pa.array(order))


def _kind(words: int) -> int:
    """Return the number of the type that codes of so many words take."""
    return int(np.searchsorted([2**8, 2**16], words))


def _listed(values: pa.Array) -> pa.Array:
    """Return values as the one list of a column."""
    offsets = pa.array([0, len(values)], pa.int32())
    return pa.ListArray.from_arrays(offsets, values)
