"""Features of streams as columns of a table of customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import rows_of
from ordercycle._days import day_number
from ordercycle._errors import ColumnError, ConfigError, Option, check_choice, printable, within
from ordercycle._features.language import Feature, parsed_feature
from ordercycle._features.scan import FeatureScan, Planned, by_stream, scan_of
from ordercycle._features.streams import Stream, StreamBatch, streams_of
from ordercycle._history.grouped import HashRange
from ordercycle._history.places import find_places
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._public import public
from ordercycle._segments.assigning import refuse_absent, refuse_taken
from ordercycle._segments.customer_order import customers_in_order
from ordercycle._segments.profile_tables import CUSTOMER, as_table
from ordercycle._workspace import Workers, thread_count

WHAT = "the profile"


@public()
def features(
    profile: Any,
    features: Mapping[str, str],
    *,
    as_of: date | str,
    streams: Mapping[str, Any],
    missing: str = "error",
    threads: int | None = None,
) -> pa.Table:
    """Return a table of customers with columns behind that are computed of their events.

    Each stream is scanned once, whatever the number of features.

    Parameters
    ----------
    profile
        A profile, or any table with ``customer_id``, one row per customer in any order; from any
        source that :meth:`OrderHistory.build` takes.
    features
        What is computed, by the names of the columns:
        ``function(stream[.column][, condition][, last=DAYS])``, or with ``since='2026-01-01'`` and
        ``until='2026-03-31'`` instead of ``last``. Conditions are those of
        :meth:`EventHistory.where`; columns may be of a lookup (``lines.product.category``).

        ====================================  =======================  ==================
        Function                              Type                     Without events
        ====================================  =======================  ==================
        ``count(s)``, ``days(s)``             int64                    0
        ``sum(s.value)``                      as the value             0
        ``mean(s.value)``                     float64                  null
        ``min(s.value)``, ``max(s.value)``    as the value             null
        ``share(s.value, condition)``         float64                  null
        ``distinct(s.attribute)``             int64; also of keys      0
        ``first``, ``last``, ``top``          dictionary<int32, ...>   null
        ``days_since(s)``                     int32                    null
        ``days_since_first(s)``               int32                    null
        ``has(s)``                            bool                     false
        ``has_all(s.attribute, (...))``       bool                     false
        ====================================  =======================  ==================
    as_of
        A day: a date or text like ``"2026-11-01"``. Events of that day are included, later ones
        are not. ``last=90`` is this day and the 89 before it.
    streams
        Histories by the names that features have for them: an :class:`EventHistory`, a view of
        one, or an :class:`OrderHistory`, whose column is ``amount``. Sums and shares of amounts are
        net of refunds; all else is about orders.
    missing
        ``"error"`` refuses a text in a condition that no value equals, as it may be a typo;
        ``"empty"`` takes it as it is.
    threads
        How many threads to use; None: every core this process may use.

    Returns
    -------
    pyarrow.Table
        The table with a column for each feature, in their order. Customers of the table who are in
        a stream not have what there is without events; those of a stream who are not in the table
        are left out.

    Raises
    ------
    ColumnError
        A column is there already, or a stream has no such column; or the ids of the table and of a
        stream are of types that have no ids in common.
    ConfigError
        A feature is not in the language, or about no stream that is given; `as_of` is no day; a
        text equals no value.
    DataError
        A customer is null or there twice, or a sum is beyond its type.

    Examples
    --------
    >>> import datetime, pyarrow as pa
    >>> lines = pa.table({
    ...     "customer_id": ["ann", "bob", "ann", "ann"],
    ...     "occurred_at": [datetime.date(2026, 1, day) for day in (2, 5, 6, 6)],
    ...     "category": ["tea", "tea", "coffee", "tea"],
    ...     "amount": [4, 3, 9, 2],
    ... })
    >>> columns = EventColumns(attributes=["category"], values=["amount"])
    >>> bought = EventHistory.build(lines, columns=columns)
    >>> customers = pa.table({"customer_id": ["bob", "cid", "ann"]})
    >>> table = features(customers, {
    ...     "coffee": "sum(lines.amount, category == 'coffee')",
    ...     "tea_share": "share(lines.amount, category == 'tea')",
    ...     "days_since": "days_since(lines)",
    ... }, as_of="2026-01-10", streams={"lines": bought})
    >>> for row in table.to_pylist():
    ...     print(*row.values())
    bob 0 1.0 5
    cid 0 None None
    ann 9 0.4 4
    """
    source = StreamsAsOf.of(streams, as_of, missing)
    wanted = parsed_features(features)
    table = as_table(profile)
    refuse_taken(table, [pa.field(name, pa.null()) for name in wanted])
    return with_columns(table, source.scans(wanted).of(table, threads=threads))


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
        check_choice("missing", missing, ("error", "empty"))
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
        )


@dataclass(frozen=True)
class CustomerFeatures:
    """Features of customers, in one scan of each stream: scans, by the names of these."""

    features: Mapping[str, Feature]
    streams: Mapping[str, Stream]
    scans: Mapping[str, FeatureScan]

    def of(self, table: pa.Table, *, threads: int | None) -> pa.Table:
        """Return the features of a table's customers, in the order of its rows.

        Raises
        ------
        ColumnError
            The table has no column of customers, or ids that a stream cannot have.
        DataError
            A customer is null or there twice, or a sum is beyond its type.
        """
        count = thread_count(threads)
        refuse_absent(table, [CUSTOMER])
        readers = {name: _common_reader(table, name, self.streams[name]) for name in self.scans}
        made: dict[str, pa.ChunkedArray] = {}
        customers: dict[pa.DataType, _Customers] = {}
        for name, scan in self.scans.items():
            reader = readers[name]
            if reader.plain not in customers:
                customers[reader.plain] = _Customers.of(table, reader, count)
            made |= _columns(scan, self.streams[name], customers[reader.plain], count)
        planned = {name: one for scan in self.scans.values() for name, one in scan.features.items()}
        fields = [
            pa.field(name, planned[name].result, planned[name].feature.function.nothing is None)
            for name in self.features
        ]
        return pa.table([made[name] for name in self.features], schema=pa.schema(fields))


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


class _Made(NamedTuple):
    """The features of some customers, and their rows in the table."""

    columns: dict[str, pa.Array]
    rows: NDArray[Any]


def _columns(
    scan: FeatureScan, stream: Stream, customers: _Customers, threads: int
) -> dict[str, pa.ChunkedArray]:
    """Return the features of one stream, in the order of the table."""

    def work(batch: StreamBatch) -> _Made | None:
        found, rows = customers.found(batch.ids)
        return _Made(scan.columns(batch.of_customers(found), rows), rows) if rows.size else None

    size = customers.rows.size
    within = HashRange(int(customers.hashes[0]), int(customers.hashes[-1])) if size else None
    parts = [part for part in stream.scan(work, threads, within) if part is not None]
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
