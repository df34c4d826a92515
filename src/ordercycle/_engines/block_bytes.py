"""Rows as the bytes of shuffle blocks: texts as codes, with the words that they stand for.

Bytes that travel are copied some ten times: a text of attributes takes ten of them and more, its
code one or two. Each block has the words of its own rows, as no other need arrive before it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view, is_text, validity
from ordercycle._sources.validation import is_same

#: In which types codes travel: the first that numbers the words.
CODES = (pa.uint8(), pa.uint16(), pa.uint32())
#: Of the bytes of a piece, so many may be words that are all there for few of its rows.
SHARE_OF_WORDS = 8
#: Words that can be counted in the time that a row takes to be sorted.
WORDS_OF_A_ROW = 32
#: The bytes of the words, before them and the rows.
HEAD = struct.Struct("<q")
#: At which places in memory NumPy and kernels read whole numbers: blocks, which lie end to end, are
#: of as many bytes, or a multiple.
ALIGNMENT = 8
#: What Python keeps of a word beside its characters, and Arrow of a text.
BYTES_OF_A_WORD, BYTES_OF_AN_OFFSET = 100, 8
#: The number of no word.
NO_WORD = 2**32 - 1
NO_WORDS = pa.py_buffer(b"")


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
        kinds = self.schema.types
        return [place for place, kind in enumerate(kinds) if pa.types.is_dictionary(kind)]

    @cached_property
    def numbered(self) -> pa.Schema:
        """The columns with numbers of words in the place of codes."""
        return self.with_codes((2,) * len(self.coded))

    @cached_property
    def words(self) -> pa.Schema:
        """The one row that says in which types codes are, and what they stand for."""
        kinds = [self.schema.types[place].value_type for place in self.coded]
        lists = [(str(number), pa.list_(kind)) for number, kind in enumerate(kinds)]
        return pa.schema([("types", pa.list_(pa.int8())), *lists])

    def with_codes(self, kinds: tuple[int, ...]) -> pa.Schema:
        """Return the columns of a block; kinds: in which types codes are."""
        return _with_codes(self, kinds)

    def opened(self, data: pa.Buffer) -> pa.RecordBatch:
        """Return the rows that are so many bytes; no whole number may be across these."""
        if data.address % ALIGNMENT:
            data = pa.py_buffer(data.to_pybytes())
        if not self.coded:
            return pa.ipc.read_record_batch(data, self.schema)
        (size,) = HEAD.unpack_from(data)
        words = pa.ipc.read_record_batch(data.slice(HEAD.size, size), self.words)
        kinds = tuple(words.column(0).values.to_pylist())
        rows = pa.ipc.read_record_batch(data.slice(HEAD.size + size), self.with_codes(kinds))
        columns = rows.columns
        for place, of_column in zip(self.coded, words.columns[1:], strict=True):
            codes = columns[place].cast(pa.int32())
            columns[place] = pa.DictionaryArray.from_arrays(codes, of_column.values)
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


@lru_cache
def _with_codes(form: BlockForm, kinds: tuple[int, ...]) -> pa.Schema:
    schema = form.schema
    for place, kind in zip(form.coded, kinds, strict=True):
        schema = schema.set(place, schema.field(place).with_type(CODES[kind]))
    return schema


class Lexicon:
    """The words that rows have, each with one number wherever it stands, until they are sent."""

    def __init__(self, form: BlockForm) -> None:
        self._form = form
        self._numbers: list[dict[bytes, int]] = [{} for _ in form.coded]
        # The dictionaries that came last, and the numbers of their entries.
        self._last: list[tuple[pa.Array, NDArray[np.uint32]] | None] = [None] * len(form.coded)
        self.held = 0  # bytes

    def numbered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows with the numbers of their words."""
        if not self._form.coded:
            return batch
        columns = batch.columns
        for number, place in enumerate(self._form.coded):
            codes, known = columns[place].indices, validity(columns[place].indices)
            numbers = self._of_entries(number, columns[place].dictionary)
            rows = fixed_view(codes, np.int32)
            if known is not None:
                rows = np.where(known, rows, numbers.size - 1)
            found = numbers[rows]
            columns[place] = pa.array(found, mask=found == NO_WORD)
        return pa.RecordBatch.from_arrays(columns, schema=self._form.numbered)

    def _of_entries(self, number: int, entries: pa.Array) -> NDArray[np.uint32]:
        """Return the numbers of entries, and behind them that of none."""
        last = self._last[number]
        if last is not None and is_same(last[0], entries):
            return last[1]
        known = self._numbers[number]
        found = np.full(len(entries) + 1, NO_WORD, np.uint32)
        for place, word in enumerate(entries.cast(pa.large_binary()).to_pylist()):
            if word is not None:
                before = len(known)
                found[place] = known.setdefault(word, before)
                if len(known) > before:
                    self.held += len(word) + BYTES_OF_A_WORD
        self._last[number] = (entries, found)
        return found

    def settled(self) -> Words:
        """Return the words in their order."""
        lists, ranks = [], []
        for number, place in enumerate(self._form.coded):
            words = pa.array(list(self._numbers[number]), pa.large_binary())
            order = np.asarray(pc.array_sort_indices(words))
            rank = np.zeros(max(1, order.size), np.uint32)
            rank[order] = np.arange(order.size, dtype=np.uint32)
            text = words.take(pa.array(order)).view(pa.large_string())
            lists.append(text.cast(self._form.schema.types[place].value_type))
            ranks.append(rank)
        return Words(self._form, tuple(lists), tuple(ranks))


@dataclass(frozen=True)
class Words:
    """The words of some rows in their order, and the place of each number in that."""

    form: BlockForm
    lists: tuple[pa.Array, ...]
    ranks: tuple[NDArray[np.uint32], ...]

    def in_order(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return numbered rows with the places of their words."""
        columns = batch.columns
        for place, rank in zip(self.form.coded, self.ranks, strict=True):
            known = validity(columns[place])
            numbers = fixed_view(columns[place], np.uint32)
            if known is None:
                columns[place] = pa.array(rank[numbers])
            else:  # numbers of nulls may be anything, which is not to travel
                places = rank[np.where(known, numbers, 0)] * known
                columns[place] = pa.array(places, mask=~known)
        return pa.RecordBatch.from_arrays(columns, schema=self.form.numbered)

    def pieces(
        self, batch: pa.RecordBatch, most_bytes: int | None
    ) -> Iterator[tuple[int, pa.Buffer]]:
        """Yield rows in order as bytes, with how many they are.

        Equal rows in the same order are the same bytes. most_bytes: of a piece, about, unless a row
        has more; None: all rows are one.
        """
        whole, count = self._piece(batch), batch.num_rows
        if most_bytes is None or whole.size <= most_bytes:
            yield count, whole.to_buffer()
            return
        if whole.words.size * SHARE_OF_WORDS <= most_bytes:
            room = most_bytes - whole.words.size
            most = max(1, room * count // max(1, whole.rows.nbytes))
            for first in range(0, count, most):
                piece = replace(whole, rows=whole.rows.slice(first, most))
                yield piece.rows.num_rows, piece.to_buffer()
            return
        together = whole.rows.nbytes + self._text_bytes(batch)
        most = max(1, most_bytes * count // max(1, together))
        for first in range(0, count, most):
            piece = self._piece(batch.slice(first, most))
            yield piece.rows.num_rows, piece.to_buffer()

    def _text_bytes(self, batch: pa.RecordBatch) -> int:
        """Return the bytes of the texts of all rows, of which pieces have each but once."""
        held = 0
        for place, words in zip(self.form.coded, self.lists, strict=True):
            lengths = pc.binary_length(words)
            held += pc.sum(lengths.take(batch.column(place))).as_py() or 0
            held += BYTES_OF_AN_OFFSET * batch.num_rows
        return held

    def _piece(self, batch: pa.RecordBatch) -> _Piece:
        """Return rows with codes of the words that they have."""
        if not self.form.coded:
            return _Piece(batch, NO_WORDS)
        columns = batch.columns
        kinds, lists = [], []
        for place, words in zip(self.form.coded, self.lists, strict=True):
            codes, used = _codes_of_used(columns[place], len(words))
            kinds.append(int(np.searchsorted([2**8, 2**16], used.size)))
            columns[place] = codes.cast(CODES[kinds[-1]])
            lists.append(words.take(pa.array(used)))
        said = [_listed(pa.array(kinds, pa.int8())), *map(_listed, lists)]
        words = pa.RecordBatch.from_arrays(said, schema=self.form.words).serialize()
        rows = pa.RecordBatch.from_arrays(columns, schema=self.form.with_codes(tuple(kinds)))
        return _Piece(rows, words)


@dataclass(frozen=True)
class _Piece:
    """Rows with codes of words; words: as they travel."""

    rows: pa.RecordBatch
    words: pa.Buffer

    @property
    def size(self) -> int:
        """About how many bytes they are."""
        return int(self.rows.nbytes + self.words.size)

    def to_buffer(self) -> pa.Buffer:
        """Return the bytes that travel."""
        rows = self.rows.serialize()
        if not self.words.size:
            return rows
        return pa.py_buffer(b"".join((HEAD.pack(self.words.size), self.words, rows)))


def _codes_of_used(places: pa.Array, words: int) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the codes of rows for the words that these have, and the places of these words."""
    known = validity(places)
    rows = there = fixed_view(places, np.uint32)
    if known is not None:
        there, rows = rows[known], np.where(known, rows, 0)
    if there.size * WORDS_OF_A_ROW < words:
        used = np.unique(there).astype(np.int64)
        codes = np.searchsorted(used, rows).astype(np.uint32)
    else:
        used = np.flatnonzero(np.bincount(there, minlength=words))
        code_of = np.zeros(max(1, words), np.uint32)
        code_of[used] = np.arange(used.size, dtype=np.uint32)
        codes = code_of[rows]
    if known is None:
        return pa.array(codes), used
    return pa.array(codes * known, mask=~known), used


def _listed(values: pa.Array) -> pa.Array:
    """Return values as the one list of a column."""
    offsets = pa.array([0, len(values)], pa.int32())
    return pa.ListArray.from_arrays(offsets, values)
