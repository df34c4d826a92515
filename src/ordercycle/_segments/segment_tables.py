"""Tables of customers and their segments, read so that two of them can be walked side by side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view, validity
from ordercycle._errors import ColumnError, DataError, Option, counted, suggestion
from ordercycle._ingest.bad_values import Problems, Trouble
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._ingest.id_types import Identity
from ordercycle._segments.assigning import MOST_SEGMENTS
from ordercycle._segments.hash_order import MOST_ROWS, in_hash_order
from ordercycle._segments.profile_tables import as_table
from ordercycle._workspace import Workers
from ordercycle_kernels.transitions import NO_SEGMENT, are_ascending

CUSTOMER = "customer_id"
#: RowNumbers read at a time.
ROWS_PER_TASK = 2**19

RowNumbers: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True)
class Segmented:
    """The c customers of a table in ascending order of their hash, ties by id."""

    ids: pa.ChunkedArray | None  # (c,) plain; None of integers, which their hashes stand for
    hashes: NDArray[np.uint64]  # (c,)
    codes: NDArray[np.int8]  # (c,) places in the names of both tables, NO_SEGMENT for none


@dataclass(frozen=True)
class SegmentedPair:
    """Two tables of customers with ids of one type and the same names of segments."""

    before: Segmented
    after: Segmented
    reader: IdReader
    names: tuple[str, ...]


def read_pair(before: Any, after: Any, column: str, workers: Workers) -> SegmentedPair:
    """Read the customers and segments of two tables.

    Raises
    ------
    ConfigError, ColumnError
        Something is no table, has no such columns, or has ids or segments of types without meaning
        here.
    DataError
        A customer id is null, or is there twice.
    """
    tables = {
        what: _selected(table, what, column)
        for what, table in {"before": before, "after": after}.items()
    }
    readers = [IdReader.of(table.schema.field(0), what) for what, table in tables.items()]
    reader = readers[0].together_with(readers[1])
    if reader is None:
        raise ColumnError(
            f"{CUSTOMER} is {readers[0].given} before and {readers[1].given} after, which have no "
            "ids in common",
            remedy="cast one to the type of the other",
            column=CUSTOMER,
        )
    names = _names(tables, column)
    one, other = (_read(table, what, reader, names, workers) for what, table in tables.items())
    return SegmentedPair(one, other, reader, names)


def _selected(table: Any, what: str, column: str) -> pa.Table:
    """Return the ids and the segments, these as dictionaries."""
    table = as_table(table, what)
    if column == CUSTOMER:
        raise ColumnError(
            (Option("column", column), " has the customers"),
            remedy="name the column of their segments",
            column=column,
        )
    for name in (CUSTOMER, column):
        if table.column_names.count(name) != 1:
            raise ColumnError(
                f"{what} has no single column {name!r}{suggestion(str(name), table.column_names)}",
                remedy=(
                    "pass tables to which a scheme assigned segments, and ",
                    Option("column"),
                    " where it is not 'lifecycle'",
                ),
                column=name,
            )
    segments = table.column(column)
    kind = segments.type.value_type if pa.types.is_dictionary(segments.type) else segments.type
    if not any(is_text(kind) for is_text in _TEXTS):
        raise ColumnError(
            f"{what}: {column} is {segments.type}",
            remedy="segments are names: strings, or a dictionary of strings",
            column=column,
        )
    if segments.type == kind:
        # Chunks have one dictionary then. Views have no kernel for it everywhere.
        segments = segments.cast(pa.large_string()).dictionary_encode()
    return pa.table({CUSTOMER: table.column(CUSTOMER), column: segments})


_TEXTS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_null,
)


def _names(tables: dict[str, pa.Table], column: str) -> tuple[str, ...]:
    """Return the names of both tables' segments, in the order of their dictionaries."""
    names: dict[str, None] = {}
    for what, table in tables.items():
        seen = None
        for chunk in table.column(1).chunks:
            # Chunks mostly share one dictionary.
            if seen is None or not chunk.dictionary.equals(seen):
                seen = chunk.dictionary
                names |= dict.fromkeys(seen.to_pylist())
        names.pop(None, None)  # type: ignore[call-overload]
        if len(names) > MOST_SEGMENTS:
            raise ColumnError(
                f"{what}: {column} brings the names to {len(names):,}, and {MOST_SEGMENTS} is the "
                "most",
                remedy="is it the column of the segments?",
                column=column,
            )
    return tuple(names)


def _read(
    table: pa.Table, what: str, reader: IdReader, names: tuple[str, ...], workers: Workers
) -> Segmented:
    hashes, codes = np.empty(table.num_rows, np.uint64), np.empty(table.num_rows, np.int8)
    problems = Problems(what)
    identity = Identity.of(table.schema.field(0), what)
    places = {name: code for code, name in enumerate(names)}

    def read(task: tuple[int, pa.RecordBatch]) -> pa.Array:
        start, batch = task
        rows = slice(start, start + batch.num_rows)
        given = identity.read(batch.column(0), start, problems)
        ids = reader.values(given)
        known = validity(ids)
        if known is not None:
            problems.add(_NULL_ID, start, ~known)
        hashes[rows] = hashes_of(ids)
        codes[rows] = _codes(batch.column(1), places)
        return ids

    batches = table.to_batches(ROWS_PER_TASK)
    starts = accumulate((batch.num_rows for batch in batches), initial=0)
    ids = pa.chunked_array(workers.in_order(read, zip(starts, batches, strict=False)), reader.plain)
    problems.check()
    if table.num_rows > MOST_ROWS:
        raise DataError(
            f"{what} has {counted(table.num_rows, 'row')}", remedy=f"{MOST_ROWS:,} are the most"
        )
    if are_ascending(hashes):  # as those of profiles are
        return Segmented(None if reader.is_integer else ids, hashes, codes)
    ordered = in_hash_order(hashes, workers)
    _order_tied(ids, *ordered, what, workers)
    taken = None if reader.is_integer else _taken(ids, ordered.rows, workers)
    return Segmented(taken, ordered.hashes, codes[ordered.rows])


_NULL_ID = Trouble(CUSTOMER, "is null", "drop these rows: they are nobody's")


def _codes(segments: pa.DictionaryArray, places: dict[str, int]) -> NDArray[np.int8]:
    """Return the segments as places among the names of both tables."""
    names = segments.dictionary.to_pylist()
    # Under a null there may be any index, and a dictionary may be empty: hence one entry more.
    lookup = np.array([*(places.get(name, NO_SEGMENT) for name in names), NO_SEGMENT], np.int8)
    indices = fixed_view(segments.indices, segments.type.index_type.to_pandas_dtype())
    if indices.dtype == np.int8 and np.array_equal(lookup[:-1], np.arange(len(names))):
        codes = indices.copy()  # the names of both tables are these
    else:
        codes = lookup.take(indices, mode="clip")
    known = validity(segments)
    if known is not None:
        codes[~known] = NO_SEGMENT
    return codes


def _order_tied(
    ids: pa.ChunkedArray, hashes: NDArray[np.uint64], rows: RowNumbers, what: str, workers: Workers
) -> None:
    """Put rows of one hash in the order of their ids; raise a DataError where ids are the same."""
    if are_ascending(hashes):
        return
    same = hashes[1:] == hashes[:-1]
    tied = np.append(same, False) | np.insert(same, 0, values=False)  # with the next, or the last
    of_hash = rows[tied]
    plain = _taken(ids, of_hash, workers).cast(_comparable(ids.type))
    table = pa.table({"hash": hashes[tied], "id": plain})
    places = pc.sort_indices(table, sort_keys=[("hash", "ascending"), ("id", "ascending")])
    rows[tied] = of_hash = of_hash[np.asarray(places)]
    _refuse_repeated(table.column("id").take(places).combine_chunks(), of_hash, what)


def _comparable(kind: pa.DataType) -> pa.DataType:
    return kind if pa.types.is_integer(kind) else pa.large_binary()


def _refuse_repeated(ids: pa.Array, rows: RowNumbers, what: str) -> None:
    """Raise a DataError where one of the sorted ids is there twice."""
    repeated = np.asarray(pc.equal(ids[1:], ids[:-1]))
    if repeated.any():
        again = np.maximum(rows[1:], rows[:-1])[repeated]
        row, rows_again = int(again.min()), counted(again.size, "such row")
        raise DataError(
            f"{what}: {CUSTOMER} is there already at row {row} ({rows_again})",
            remedy="pass tables of one row per customer",
            column=CUSTOMER,
            row=row,
            count=int(again.size),
        )


def _taken(ids: pa.ChunkedArray, rows: RowNumbers, workers: Workers) -> pa.ChunkedArray:
    """Return some ids, however many bytes they are together, in pieces of the same type."""
    wide = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
    # In pieces, because one call takes them in one thread; joined once, as every call would do.
    whole = ids.cast(wide.get(ids.type, ids.type)).combine_chunks()

    def take(start: int) -> pa.Array:
        taken = whole.take(pa.array(rows[start : start + ROWS_PER_TASK]))
        return taken if taken.type == ids.type else taken.cast(ids.type)

    return pa.chunked_array(workers.in_order(take, range(0, rows.size, ROWS_PER_TASK)), ids.type)
