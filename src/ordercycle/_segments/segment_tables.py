"""Tables of customers and their segments, read so that two of them can be walked side by side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view, validity
from ordercycle._errors import ColumnError, Option, suggestion
from ordercycle._ingest.column_readers import IdReader
from ordercycle._segments.assigning import MOST_SEGMENTS
from ordercycle._segments.customer_order import ROWS_PER_TASK, customers_in_order
from ordercycle._segments.profile_tables import CUSTOMER, as_table
from ordercycle._workspace import Workers
from ordercycle_kernels.transitions import NO_SEGMENT


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
        check_names(what, column, len(names))
    return tuple(names)


def check_names(what: str, column: str, count: int) -> None:
    """Raise a ColumnError for more names than there can be segments."""
    if count > MOST_SEGMENTS:
        raise ColumnError(
            f"{what}: {column} brings the names to {count:,}, and {MOST_SEGMENTS} is the most",
            remedy="is it the column of the segments?",
            column=column,
        )


def _read(
    table: pa.Table, what: str, reader: IdReader, names: tuple[str, ...], workers: Workers
) -> Segmented:
    customers = customers_in_order(table, what, reader, workers)
    codes = np.empty(table.num_rows, np.int8)
    places = {name: code for code, name in enumerate(names)}

    def read(task: tuple[int, pa.RecordBatch]) -> None:
        start, batch = task
        codes[start : start + batch.num_rows] = _codes(batch.column(1), places)

    batches = table.to_batches(ROWS_PER_TASK)
    starts = accumulate((batch.num_rows for batch in batches), initial=0)
    for _ in workers.in_order(read, zip(starts, batches, strict=False)):
        pass
    ids = None if reader.is_integer else customers.ids_in_order(workers)
    in_order = codes if customers.rows is None else codes[customers.rows]
    return Segmented(ids, customers.hashes, in_order)


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
