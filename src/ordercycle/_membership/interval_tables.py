"""Anyone's memberships as rows of numbers: read, checked, and without doubles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import dates_of, fixed_view, validity
from ordercycle._errors import ColumnError, DataError, counted
from ordercycle._ingest.bad_values import Problems, Trouble
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._ingest.id_types import identities, with_ids
from ordercycle._sources.opening import open_source
from ordercycle._sources.read_request import ReadRequest
from ordercycle._sources.validation import REMAKE
from ordercycle._workspace import thread_count
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY
from ordercycle_kernels.timeline import OPEN

NAME = "memberships"
CUSTOMER, SEGMENT, FROM, TO = "customer_id", "segment", "valid_from", "valid_to"
WANTED = ReadRequest(NAME, {CUSTOMER: "customer", SEGMENT: "other", FROM: "time", TO: "time"})
MOST_SEGMENTS = 2**15 - 1


@dataclass(frozen=True)
class IntervalTable:
    """Intervals by customer, start and segment, of which none touch within one segment."""

    reader: IdReader
    segments: tuple[str, ...]
    ids: pa.Array  # (k,) distinct and plain, ascending by hash, then id
    hashes: NDArray[np.uint64]  # (k,)
    offsets: NDArray[np.int64]  # (k + 1,)
    codes: NDArray[np.int16]  # (m,)
    starts: NDArray[np.int32]  # (m,)
    stops: NDArray[np.int32]  # (m,) OPEN while open


def read_intervals(source: Any) -> IntervalTable:
    """Read intervals from any source of rows; the errors are those of Membership.from_table."""
    opened = open_source(source, WANTED, thread_count(None))
    problems = Problems(NAME, opened.place)
    try:
        rows = with_ids(opened, identities(opened.schema, [CUSTOMER], NAME), problems)
        table = pa.Table.from_batches(list(rows.batches), schema=rows.schema)
    finally:
        opened.close()
    _refuse_damage(table)
    reader = IdReader.of(table.schema.field(CUSTOMER), NAME)
    for name in (CUSTOMER, SEGMENT, FROM):
        _refuse_nulls(table.column(name), name, problems)
    starts, stops = _days(table, FROM), _days(table, TO)
    _refuse_days(starts, stops, problems)
    segments, codes = _segments(table.column(SEGMENT))
    problems.check()
    ids, owners = _customers(table.column(CUSTOMER), reader)
    order = np.lexsort((starts, codes, owners))
    owners, codes, starts, stops = owners[order], codes[order], starts[order], stops[order]
    _refuse_overlaps(owners, codes, starts, stops, order, problems)
    problems.check()
    # Intervals of one segment that touch become one.
    begins = np.ones(order.size, np.bool_)
    begins[1:] = (
        (owners[1:] != owners[:-1]) | (codes[1:] != codes[:-1]) | (starts[1:] != stops[:-1])
    )
    owners, codes, starts = owners[begins], codes[begins], starts[begins]
    stops = stops[np.append(begins[1:], np.True_)[: order.size]]
    order = np.lexsort((codes, starts, owners))
    return IntervalTable(
        reader,
        segments,
        ids,
        hashes_of(ids),
        np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(ids)))]),
        codes[order],
        starts[order],
        np.where(stops > LAST_DAY, OPEN, stops)[order],
    )


def _refuse_damage(table: pa.Table) -> None:
    """Raise a DataError for a column that Arrow cannot follow, or whose text is no UTF-8."""
    for name, column in zip(table.schema.names, table.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{NAME}: {name} is no sound Arrow array: {error}", remedy=REMAKE, column=name
            ) from error


def _refuse_days(starts: NDArray[np.int32], stops: NDArray[np.int32], problems: Problems) -> None:
    remedy = "drop or fix these rows"
    outside = (starts < FIRST_DAY) | (starts > LAST_DAY)
    # A missing one, which is refused as such, is OPEN.
    problems.add(
        Trouble(FROM, "is outside the years 1900 to 2199", remedy), 0, outside & (starts != OPEN)
    )
    problems.add(
        Trouble(TO, f"is not after {FROM}", f"{remedy}; it is the day after the last one"),
        0,
        (stops <= starts) & ~outside,
    )


def _refuse_overlaps(
    owners: NDArray[np.int64],
    codes: NDArray[np.int16],
    starts: NDArray[np.int32],
    stops: NDArray[np.int32],
    rows: NDArray[np.int64],
    problems: Problems,
) -> None:
    """Note intervals, sorted by (customer, segment, start), that begin before an earlier ended."""
    changes = (owners[1:] != owners[:-1]) | (codes[1:] != codes[:-1])
    # Behind all days of the customer and segment before.
    behind = np.concatenate([[0], np.cumsum(changes)])[: rows.size] * 2**32
    ended = np.maximum.accumulate(stops + behind)
    overlapping = np.zeros(rows.size, np.bool_)
    overlapping[rows[1:]] = (starts + behind)[1:] < ended[:-1]
    what = "is before the end of another interval of the same customer and segment"
    problems.add(Trouble(FROM, what, "cut or drop one of them"), 0, overlapping)


def _refuse_nulls(column: pa.ChunkedArray, name: str, problems: Problems) -> None:
    row = 0
    for chunk in column.chunks:
        valid = validity(chunk)
        if valid is not None:
            problems.add(Trouble(name, "is null", "drop these rows before the call"), row, ~valid)
        row += len(chunk)


def _days(table: pa.Table, name: str) -> NDArray[np.int32]:
    """Return a column of days; missing ones are OPEN."""
    column, kind = table.column(name), table.schema.field(name).type
    is_local = pa.types.is_timestamp(kind) and kind.tz is None
    if not (pa.types.is_date(kind) or is_local or pa.types.is_null(kind)):
        raise ColumnError(
            f"{NAME}: {name} is {kind}, which is no day",
            remedy="cast it to date32, in the business time zone",
            column=name,
        )
    if pa.types.is_null(kind):
        return np.full(len(column), OPEN, np.int32)
    return np.asarray(dates_of(column).cast(pa.int32()).fill_null(int(OPEN)).to_numpy())


def _segments(column: pa.ChunkedArray) -> tuple[tuple[str, ...], NDArray[np.int16]]:
    """Return the names, as a dictionary has them or as they come, and the code of each row."""
    kind = column.type
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (
        pa.types.is_string(plain)
        or pa.types.is_large_string(plain)
        or pa.types.is_string_view(plain)
    ):
        raise ColumnError(
            f"{NAME}: {SEGMENT} is {kind}, which is no name",
            remedy="cast it to string",
            column=SEGMENT,
        )
    names = column
    if pa.types.is_dictionary(kind):
        names = pa.chunked_array([chunk.dictionary for chunk in column.chunks], plain)
    names = pc.unique(names.cast(pa.large_string())).drop_null()
    refuse_many_names(len(names))
    codes = pc.index_in(column.cast(pa.large_string()), value_set=names)
    codes = codes.fill_null(0).to_numpy().astype(np.int16)
    return tuple(names.to_pylist()), codes


def refuse_many_names(count: int) -> None:
    """Raise a DataError for more names than make sense."""
    if count > MOST_SEGMENTS:
        raise DataError(
            f"{NAME}: {SEGMENT} has {counted(count, 'name')}, and at most {MOST_SEGMENTS:,} make "
            "sense",
            remedy="is it the column of the segments?",
            column=SEGMENT,
        )


def _customers(column: pa.ChunkedArray, reader: IdReader) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the distinct ids by hash, then id, and the place of each row's among them."""
    large = _large(reader.plain)
    chunks = [reader.values(chunk).cast(large) for chunk in column.chunks]
    encoded = pa.chunked_array(chunks, large).dictionary_encode().combine_chunks()
    ids = encoded.dictionary
    keys = {"hash": pa.array(hashes_of(ids)), "id": ids.cast(_sortable(large))}
    order = pc.sort_indices(
        pa.table(keys), sort_keys=[("hash", "ascending"), ("id", "ascending")]
    ).to_numpy()
    places = np.empty(order.size, np.int64)
    places[order] = np.arange(order.size)
    codes = fixed_view(encoded.indices, np.int32)
    return ids.take(pa.array(order)).cast(reader.plain), places[codes]


def _large(kind: pa.DataType) -> pa.DataType:
    """Return the type in which ids of any total size fit one array."""
    if pa.types.is_string(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary(kind) else kind


def _sortable(kind: pa.DataType) -> pa.DataType:
    """Return the type in which ids are compared byte by byte."""
    return kind if pa.types.is_integer(kind) else pa.large_binary()
