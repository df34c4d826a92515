"""Features of streams computed for the customers of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import rows_of
from ordercycle._days import date_of, day_number
from ordercycle._errors import ColumnError, ConfigError, Option, check_choice, printable, within
from ordercycle._features.language import Feature, parsed_feature
from ordercycle._features.scan import FeatureScan, Planned, by_stream, scan_of
from ordercycle._features.streams import Stream, StreamBatch, streams_of
from ordercycle._history.places import find_places
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._segments.assigning import refuse_absent, refuse_taken
from ordercycle._segments.customer_order import customers_in_order
from ordercycle._segments.next_transition import DAY_COLUMNS
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._workspace import Workers, thread_count

WHAT = "the profile"
#: What may become of a text that equals no value of a stream.
MISSING = ("error", "empty")


def with_columns(table: pa.Table, more: pa.Table) -> pa.Table:
    """Return a table with the columns of another one behind its own."""
    for field, column in zip(more.schema, more.columns, strict=True):
        table = table.append_column(field, column)
    return table


def parsed_features(texts: Any) -> dict[str, Feature]:
    """Return features by the names of their columns.

    Raises
    ------
    ConfigError
        They are no mapping of names to texts in the language.
    """
    if not isinstance(texts, Mapping):
        raise ConfigError(
            (Option("features", texts), " names no features"),
            remedy='pass a dictionary such as {"visits": "count(visits, last=90)"}',
        )
    found = {}
    for name, text in texts.items():
        if not isinstance(name, str) or not name:
            raise ConfigError(
                printable(f"{name!r} is no name of a feature"), remedy="name its column by text"
            )
        try:
            found[name] = parsed_feature(text)
        except ConfigError as error:
            raise within(error, f"feature {name!r}: ") from None
    return found


@dataclass(frozen=True)
class StreamsAsOf:
    """Streams by name, as of a day: days since 1970-01-01; missing: as for conditions."""

    streams: Mapping[str, Stream]
    as_of: int
    missing: str = "error"

    @classmethod
    def of(cls, streams: Any, as_of: date | str, missing: str) -> StreamsAsOf:
        """Return streams as users give them.

        Raises
        ------
        ConfigError
            They are no histories by name, or the day is none.
        """
        check_choice("missing", missing, MISSING)
        return cls(streams_of(streams), day_number(as_of, "as_of"), missing)

    def scans(self, features: Mapping[str, Feature]) -> CustomerFeatures:
        """Return what computes features, once all are found to fit their streams."""
        return CustomerFeatures(
            features,
            self.streams,
            {
                name: scan_of(those, self.streams[name].columns, self.as_of, missing=self.missing)
                for name, those in by_stream(features, self.streams).items()
            },
            self.as_of,
        )


class Counted(NamedTuple):
    """Features of customers, and how many of their events each sees, where that was counted."""

    table: pa.Table
    matches: dict[str, int]


@dataclass(frozen=True)
class CustomerFeatures:
    """Features of customers, in one scan of each stream: scans, by the names of these.

    as_of: days since 1970-01-01.
    """

    features: Mapping[str, Feature]
    streams: Mapping[str, Stream]
    scans: Mapping[str, FeatureScan]
    as_of: int

    def added_to(self, table: pa.Table, *, threads: int | None) -> pa.Table:
        """Return a table with the features behind its columns.

        Raises
        ------
        ColumnError, ConfigError, DataError
            As for `of`; also where a column is called like a feature.
        """
        refuse_taken(table, [pa.field(name, pa.null()) for name in self.features])
        return with_columns(table, self.of(table, threads=threads).table)

    def of(self, table: pa.Table, *, threads: int | None, with_matches: bool = False) -> Counted:
        """Return the features of a table's customers, in the order of its rows.

        with_matches: whether to count how many events of these customers each feature sees.

        Raises
        ------
        ColumnError
            The table has no column of customers, or ids that a stream cannot have.
        ConfigError
            The table is the profile of another day.
        DataError
            A customer is null or there twice, or a sum is beyond its type.
        """
        count = thread_count(threads)
        refuse_absent(table, [CUSTOMER])
        _refuse_another_day(table, self.as_of)
        readers = {name: _common_reader(table, name, self.streams[name]) for name in self.scans}
        made: dict[str, pa.ChunkedArray] = {}
        matches: dict[str, int] = {}
        customers: dict[pa.DataType, _Customers] = {}
        for name, scan in self.scans.items():
            reader = readers[name]
            if reader.plain not in customers:
                customers[reader.plain] = _Customers.of(table, reader, count)
            parts = _parts(
                scan, self.streams[name], customers[reader.plain], count, with_matches=with_matches
            )
            made |= _columns(scan, parts, table.num_rows)
            if with_matches:
                matches |= {one: sum(part.matches[one] for part in parts) for one in scan.features}
        planned = {name: one for scan in self.scans.values() for name, one in scan.features.items()}
        fields = [
            pa.field(name, planned[name].result, planned[name].feature.function.nothing is None)
            for name in self.features
        ]
        columns = [made[name] for name in self.features]
        return Counted(pa.table(columns, schema=pa.schema(fields)), matches)


def _refuse_another_day(table: pa.Table, as_of: int) -> None:
    """Raise a ConfigError where the columns of a profile say that it is as of another day."""
    if any(table.column_names.count(name) != 1 for name in DAY_COLUMNS):
        return
    columns = [table.column(name) for name in DAY_COLUMNS]
    if any(one.type not in kinds for one, kinds in zip(columns, DAY_COLUMNS.values(), strict=True)):
        return
    days = pc.add(*(one.cast(pa.int32()).cast(pa.int64()) for one in columns))
    differs = pc.not_equal(days, as_of)
    if not pc.any(differs).as_py():
        return
    row = differs.index(pa.scalar(value=True)).as_py()
    given, found = date_of(as_of), np.datetime64(days[row].as_py(), "D")
    raise ConfigError(
        (
            f"{WHAT} is as of {found}, as {' and '.join(DAY_COLUMNS)} say at row {row}, and ",
            Option("as_of", str(given)),
            " is another day",
        ),
        remedy=f"take the profile as of {given}, or features as of the day of the profile",
        row=row,
    )


def _common_reader(table: pa.Table, name: str, stream: Stream) -> IdReader:
    """Return what reads the ids of a table and a stream in one type."""
    given = IdReader.of(table.schema.field(CUSTOMER), WHAT)
    found = given.together_with(stream.ids)
    if found is None:
        raise ColumnError(
            f"{CUSTOMER} is {given.given} in {WHAT} and {stream.ids.given} in stream {name!r}, "
            "which have no ids in common",
            remedy="cast one to the type of the other",
            column=CUSTOMER,
        )
    return found


class _Customers(NamedTuple):
    """The customers of a table in ascending order of their hash, ties by id.

    ids: plain; hashes; rows: of the table; (c,) each.
    """

    ids: pa.Array
    hashes: NDArray[np.uint64]
    rows: NDArray[Any]

    @classmethod
    def of(cls, table: pa.Table, reader: IdReader, threads: int) -> _Customers:
        with Workers(threads) as workers:
            ordered = customers_in_order(table, WHAT, reader, workers)
            ids = ordered.ids_in_order(workers)
        wide = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
        ids = ids.cast(wide.get(ids.type, ids.type)).combine_chunks()
        rows = np.arange(table.num_rows) if ordered.rows is None else ordered.rows
        return cls(ids, ordered.hashes, rows)

    def found(self, ids: pa.Array) -> tuple[NDArray[np.bool_], NDArray[Any]]:
        """Return which of a batch's customers are in the table, and their rows there."""
        if not len(ids) or not self.hashes.size:
            return np.zeros(len(ids), np.bool_), self.rows[:0]
        first, last = hashes_of(ids)[[0, -1]]
        begin = np.searchsorted(self.hashes, first)
        end = np.searchsorted(self.hashes, last, side="right")
        # Types may differ in width: hashes do not, and texts and bytes are compared as bytes.
        places = find_places(self.ids.slice(begin, end - begin), ids)
        return places.found, self.rows[begin:end][places.positions[places.found]]


class _Part(NamedTuple):
    """The features of some customers, their rows in the table, and the events that were seen."""

    columns: dict[str, pa.Array]
    rows: NDArray[Any]
    matches: dict[str, int]


def _parts(
    scan: FeatureScan, stream: Stream, customers: _Customers, threads: int, *, with_matches: bool
) -> list[_Part]:
    """Return the features of one stream, of customers in the order of their hashes."""

    def work(batch: StreamBatch) -> _Part | None:
        found, rows = customers.found(batch.ids)
        if not rows.size:
            return None
        theirs = batch.of_customers(found)
        matches = scan.matches(theirs) if with_matches else {}
        return _Part(scan.columns(theirs, rows), rows, matches)

    return [part for part in stream.scan(work, threads, customers) if part is not None]


def _columns(scan: FeatureScan, parts: list[_Part], size: int) -> dict[str, pa.ChunkedArray]:
    """Return the features of one stream in the order of a table, which has so many rows."""
    places = np.full(size, -1, np.int64)
    begin = 0
    for part in parts:
        places[part.rows] = np.arange(begin, begin + part.rows.size)
        begin += part.rows.size
    places[places < 0] = begin  # behind all is what there is without events
    taken = None if np.array_equal(places, np.arange(begin)) else rows_of(places)
    return {
        name: _column(one, [part.columns[name] for part in parts], taken)
        for name, one in scan.features.items()
    }


def _column(planned: Planned, parts: list[pa.Array], places: pa.Array | None) -> pa.ChunkedArray:
    """Return values of a feature at places, or all of them as they come."""
    if places is None:
        return pa.chunked_array(parts, planned.result)
    nothing = pa.array([planned.feature.function.nothing], planned.result)
    return pa.chunked_array([pa.concat_arrays([*parts, nothing]).take(places)])
