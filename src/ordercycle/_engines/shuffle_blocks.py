"""How rows travel through an engine's shuffle: in blocks, by the library's own hash.

An engine that shuffles rows serializes each of them, and converts dates, decimals and missing
values to types of its own on the way. A shuffle block is one row to the engine: some hundred rows
of one table for one partition, as an Arrow message. A million orders are then a few hundred rows
to sort and move, types arrive as they left, and a source can report how many rows it sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view, validity
from ordercycle._engines.block_bytes import BlockForm, Lexicon, Words
from ordercycle._engines.kept_customers import KeptCustomers
from ordercycle._engines.source_notes import NO_TEXTS, LookedFor, Noticed
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._ingest.id_types import Identity
from ordercycle._ingest.nobody import Nobody
from ordercycle._ingest.row_identity import words_of_rows
from ordercycle._sources.computed_columns import Computation, UncomputableError
from ordercycle._sources.read_request import ReadRequest
from ordercycle._sources.row_source import COMPARED, ONLY, check_columns
from ordercycle_kernels import hashing, partition

#: A shuffle block: `rows` rows of a table, from a partition of the source to one of the target.
#: The last one of a source for a target holds no rows: `sent` is how many were sent in all, and the
#: data is a `SourceNote`.
BLOCK_SCHEMA = pa.schema(
    [
        ("target", pa.int32()),
        ("table", pa.int8()),
        ("source", pa.int64()),
        ("rows", pa.int64()),
        ("sent", pa.int64()),
        ("data", pa.binary()),
    ]
)


class ShuffleBlock(NamedTuple):
    """A row of that schema as Python sees it, without the target."""

    table: int
    source: int
    rows: int
    sent: int | None
    data: pa.Buffer


#: What is divided at a time: mostly a partition as a whole, for only then are its blocks the same
#: in whatever order its rows come.
BYTES_AT_ONCE = 2**26
#: What is laid out by target at a time, in the processor's cache.
STEP_BYTES = 2**21
#: What is handed to the engine at a time.
BATCH_BYTES = 2**23
#: Spark makes batches of up to 10,000 rows before it looks at their bytes: of such blocks, these
#: stay below the 2 GB that an Arrow column of it holds.
BLOCK_BYTES = 2**16
#: Each source sends something to each of them.
MOST_TARGETS = 2**16
WORD_DIGITS = 4
#: The places of the halves of a hash in memory, of which the first one is sorted by.
LOW, HIGH = 0, 1


def packed_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of what stands in a column: without dictionaries, and without views."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def packed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column in the type in which it travels."""
    is_coded, values = pa.types.is_dictionary(kind), packed_type(kind)
    if pa.types.is_dictionary(column.type):
        # Arrow takes no values out of a dictionary of views.
        entries, codes = column.dictionary.cast(values), column.indices
        codes = codes.cast(kind.index_type) if is_coded else codes
        column = pa.DictionaryArray.from_arrays(codes, entries, safe=False)
        if entries.null_count and is_coded:  # which Arrow puts together with no other
            column = entries.take(codes).dictionary_encode()
    elif is_coded:
        column = column.cast(values).dictionary_encode()
    return column if column.type == kind else column.cast(kind)


def known_hashes(ids: pa.Array, reader: IdReader) -> NDArray[np.uint64]:
    """Return the hash of each id; those of missing ones are 0."""
    hashes = hashes_of(reader.storage(ids))
    known = validity(ids)
    if known is not None:
        hashes[~known] = 0
    return hashes


def content_of(hashes: NDArray[np.uint64], batch: pa.RecordBatch) -> NDArray[np.uint64]:
    """Return a hash of all values of each row, given that of the first column."""
    content = hashes.copy()
    for column in batch.columns[1:]:
        for words in _words(column):
            hashing.hash_integers(content.view(np.int64) ^ words, content)
    return content


def order_of(content: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the rows in an order that is the same however they come, given hashes of all values.

    Rows of equal hashes are equal, and may stand in either order.
    """
    # NumPy sorts 16 bits by radix, in a tenth of the time that 64 bits take: half of them decide
    # nearly all pairs.
    digits = content.view(np.uint16)
    order = np.argsort(digits[::WORD_DIGITS], kind="stable")
    order = order[np.argsort(digits[1::WORD_DIGITS][order], kind="stable")]
    halves = content.view(np.uint32).reshape(-1, 2)[order]
    is_tied = np.zeros(order.size + 1, np.bool_)
    is_tied[1:-1] = halves[1:, LOW] == halves[:-1, LOW]
    tied = np.flatnonzero(is_tied[1:] | is_tied[:-1])
    order[tied] = order[tied][np.lexsort((halves[tied, HIGH], halves[tied, LOW]))]
    return order


def _words(column: pa.Array) -> list[NDArray[np.int64]]:
    """Return the values of a column as 64-bit words, or hashes of them."""
    kind = column.type
    if pa.types.is_null(kind):
        return []
    if pa.types.is_boolean(kind):
        words = [fixed_view(column.cast(pa.int8()), np.int8).astype(np.int64)]
    elif pa.types.is_decimal128(kind):
        pairs = fixed_view(column, np.int64, per_row=2)
        words = [pairs[::2], pairs[1::2]]
    elif pa.types.is_primitive(kind) or pa.types.is_decimal(kind):
        words = [fixed_view(column, f"i{kind.bit_width // 8}").astype(np.int64)]
    else:
        field = pa.field("words", kind)
        words = [known_hashes(column, IdReader.of(field, "orders")).view(np.int64)]
    known = validity(column)
    return words if known is None else [np.where(known, one, 0) for one in words]


@dataclass(frozen=True)
class IncomingColumns:
    """The columns of a table as an engine hands them over, and what is made of them.

    schema: of what comes, by place; computation: what makes other columns of these, or None.
    """

    schema: pa.Schema
    computation: Computation | None = None

    @classmethod
    def of(cls, request: ReadRequest, schema: pa.Schema) -> IncomingColumns:
        """Return what comes of a frame that has columns of a schema; none else needs a type.

        Raises
        ------
        ColumnError
            Where a column is missing, or an expression does not fit the types of its columns.
        """
        check_columns(schema, request.names, request.table)
        coming = pa.schema([(name, packed_type(schema.field(name).type)) for name in request.names])
        return cls(coming, Computation.of(request, coming))

    @property
    def names(self) -> list[str]:
        """The columns to take from a frame."""
        return list(self.schema.names)

    @property
    def made(self) -> pa.Schema:
        """The columns that are made of them, or else these."""
        return self.schema if self.computation is None else self.computation.schema

    def others(self, names: Sequence[str]) -> list[str]:
        """Return the columns that are made beside some: those in which rows are compared, too."""
        return [name for name in self.made.names if name not in (*names, ONLY)]

    def made_of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows that count, with the columns that are made.

        Raises
        ------
        DataError
            Where a column cannot be computed.
        """
        rows = pa.RecordBatch.from_arrays(batch.columns, names=self.names)
        if self.computation is not None:
            try:
                rows = self.computation.batch(rows)
            except UncomputableError as error:
                raise error.at("a row of a partition") from None
        if ONLY not in rows.schema.names:
            return rows
        plain = [
            one if pa.types.is_dictionary(one.type) else packed(one, packed_type(one.type))
            for one in rows.columns
        ]
        rows = pa.RecordBatch.from_arrays(plain, names=rows.schema.names)
        return rows.filter(rows.column(ONLY))


@dataclass(frozen=True, kw_only=True)
class Packer:
    """A table of a job, and what divides its rows among targets.

    number: of the table in the job; schema: the columns as they travel, customer ids first;
    incoming: as they come; ids: the columns of ids; drop_nameless: leave out rows without a
    customer, who would all meet in one place; nobody: ids that mean no customer, left out like
    missing ones; repeatable: blocks are the same in whatever order the rows come, which takes
    25 ns a row of numbers, and more of text; looked_for: what targets have to know of all rows;
    kept: whose rows travel, None for all.
    """

    number: int
    name: str
    schema: pa.Schema
    targets: int
    incoming: IncomingColumns
    ids: tuple[str, ...]
    drop_nameless: bool = False
    nobody: Nobody | None = None
    repeatable: bool = False
    looked_for: LookedFor = NO_TEXTS
    kept: KeptCustomers | None = None

    @cached_property
    def form(self) -> BlockForm:
        """How rows are the bytes of blocks."""
        return BlockForm(self.schema)

    def blocks(
        self,
        source: int,
        batches: Iterable[pa.RecordBatch],
        place: str = "",
        most_bytes: int | None = None,
    ) -> Iterator[tuple[int, ShuffleBlock]]:
        """Yield targets and blocks for them, at least one for each, from a partition of the source.

        place: where its rows come from, where another than the engine knows; most_bytes: of a
        block, about.
        """
        sent, noticed = [0] * self.targets, Noticed(self.looked_for)
        travelling = (self._kept(noticed.see(self._travelling(batch))) for batch in batches)
        for target, rows, data in self._divided(travelling, most_bytes):
            sent[target] += rows
            yield target, ShuffleBlock(self.number, source, rows, None, data)
        said = noticed.note(place).to_buffer()
        for target, rows in enumerate(sent):
            yield target, ShuffleBlock(self.number, source, 0, rows, said)

    def _divided(
        self, travelling: Iterable[pa.RecordBatch], most_bytes: int | None
    ) -> Iterator[tuple[int, int, pa.Buffer]]:
        """Yield targets and rows for them, one target after the other, how many and their bytes."""
        reader = IdReader.of(self.schema.field(0), self.name)
        waiting: list[list[pa.RecordBatch]] = [[] for _ in range(self.targets)]
        # Each word is met once, not once for each target.
        lexicon, held = Lexicon(self.form), 0
        for batch in joined(travelling, self.schema, STEP_BYTES):
            numbered = lexicon.numbered(batch)
            hashes = known_hashes(numbered.column(0), reader)
            ends, rows = np.empty(self.targets, np.int64), np.empty(hashes.size, np.int32)
            partition.order_by_target(hashes, self.targets, ends, rows)
            laid_out = numbered.take(pa.array(rows))
            begin = 0
            for target, end in enumerate(ends.tolist()):
                if begin < end:
                    waiting[target].append(laid_out.slice(begin, end - begin))
                begin = end
            held += numbered.nbytes
            if held + lexicon.held >= BYTES_AT_ONCE:
                yield from self._flushed(waiting, lexicon.settled(), reader, most_bytes)
                lexicon, held = Lexicon(self.form), 0
        yield from self._flushed(waiting, lexicon.settled(), reader, most_bytes)

    def _flushed(
        self,
        waiting: list[list[pa.RecordBatch]],
        words: Words,
        reader: IdReader,
        most_bytes: int | None,
    ) -> Iterator[tuple[int, int, pa.Buffer]]:
        """Yield targets and the rows that wait for them, which then wait no more."""
        for target, batches in enumerate(waiting):
            if not batches:
                continue
            batch = words.in_order(_one(batches, self.form.numbered))
            waiting[target] = []
            if self.repeatable:
                content = content_of(known_hashes(batch.column(0), reader), batch)
                batch = batch.take(pa.array(order_of(content)))
            for rows, data in words.pieces(batch, most_bytes):
                yield target, rows, data

    def _kept(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of those who are kept, and of nobody where these are an error."""
        if self.kept is None:
            return batch
        reader, ids = IdReader.of(self.schema.field(0), self.name), batch.column(0)
        kept = self.kept.among(ids, known_hashes(ids, reader), reader)
        if not self.drop_nameless:  # whoever builds the history refuses and counts them
            kept = pc.or_(kept, ids.is_null())
            if self.nobody is not None:
                kept = pc.or_(kept, pa.array(self.nobody.among(ids)))
        return batch.filter(kept)

    def _travelling(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        problems = Problems(self.name, lambda row: f"row {row} of a batch")
        arrays = []
        rows = self.incoming.made_of(batch)
        if COMPARED[0] in self.schema.names:
            others = self.incoming.others(self.schema.names)
            for name, words in zip(COMPARED, words_of_rows(rows, others), strict=True):
                rows = rows.append_column(name, pa.array(words))
        for field in self.schema:
            values = column = rows.column(field.name)
            if field.name in self.ids:
                given = pa.field(field.name, column.type)
                values = Identity.of(given, self.name).read(column, 0, problems)
            arrays.append(packed(values, field.type))
        problems.check()
        travelling = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        if not self.drop_nameless:
            return travelling
        if arrays[0].null_count:
            travelling = travelling.filter(arrays[0].is_valid())
        if self.nobody is not None:
            nobody = self.nobody.among(travelling.column(0))
            travelling = travelling.filter(pa.array(~nobody))
        return travelling


def as_rows(blocks: Iterable[tuple[int, ShuffleBlock]]) -> Iterator[pa.RecordBatch]:
    """Yield blocks for targets as rows, some at a time."""
    waiting: list[tuple[Any, ...]] = []
    held = 0
    for target, block in blocks:
        waiting.append((target, *block))
        held += block.data.size
        if held >= BATCH_BYTES:
            yield _rows_of(waiting)
            waiting, held = [], 0
    if waiting:
        yield _rows_of(waiting)


def _rows_of(blocks: list[tuple[Any, ...]]) -> pa.RecordBatch:
    *heads, data = zip(*blocks, strict=True)
    arrays = [*map(pa.array, heads, BLOCK_SCHEMA.types[:-1]), end_to_end(data)]
    return pa.RecordBatch.from_arrays(arrays, schema=BLOCK_SCHEMA)


def end_to_end(data: Sequence[pa.Buffer]) -> pa.Array:
    """Return buffers as a column; they are copied once, where Python's values would be twice."""
    ends = np.cumsum([0, *(one.size for one in data)])
    # Which raises where they are more than the 2 GB of such a column.
    offsets = pa.array(ends).cast(pa.int32())
    buffers = [None, offsets.buffers()[1], pa.py_buffer(b"".join(data))]
    return pa.Array.from_buffers(pa.binary(), len(data), buffers)


def from_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[ShuffleBlock]:
    """Yield blocks of rows, their data in the memory of these."""
    for batch in batches:
        tables, sources, rows, sent = (
            batch.column(name).to_pylist() for name in ("table", "source", "rows", "sent")
        )
        data = batch.column("data")
        for number, head in enumerate(zip(tables, sources, rows, sent, strict=True)):
            yield ShuffleBlock(*head, data[number].as_buffer())


def joined(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, size: int
) -> Iterator[pa.RecordBatch]:
    """Yield batches of at least so many bytes, but for the last; none of them is empty."""
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        if batch.num_rows:
            waiting.append(batch)
            held += batch.nbytes
        if held >= size:
            one, waiting, held = _one(waiting, schema), [], 0
            yield one
    if waiting:
        yield _one(waiting, schema)


def _one(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches, schema=schema).combine_chunks()
    arrays = [column.chunk(0) for column in table.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
