"""Events by customer and time, and counts of them, in DuckDB.

Formulations tried at 2 million events (processor ns an event); the first one of each is kept:

====  ==========================================================================================
 160  sort codes (8-bit integers in place of texts) into an Arrow table
 181  the same into a table of DuckDB's own
 283  sort dictionaries of text into an Arrow table
 331  the same into a table of DuckDB's own
----  ------------------------------------------------------------------------------------------
  50  8 counts with filters over codes; 526 for 64
  90  the same over dictionaries; 682 for 64
  94  the same over plain texts; 731 for 64
 147  sums of truths over dictionaries; 921 for 64
====  ==========================================================================================

Leaving out what is older than the longest window takes a seventh less, and the customers who have
nothing younger with it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from .generate_events import ATTRIBUTES

if TYPE_CHECKING:
    from .asked_features import Counted, Mixed

SORTED = "SELECT * FROM event_rows ORDER BY customer_id, occurred_at"


def codes(events: pa.Table) -> pa.Table:
    """Return the events with the codes of their attributes in place of dictionaries, not copied."""
    columns = {name: events[name] for name in events.column_names}
    for name in ATTRIBUTES:
        columns[name] = pa.chunked_array([chunk.indices for chunk in events[name].chunks])
    return pa.table(columns)


def sort(events: pa.Table) -> pa.Table:
    """Return the events, attributes as codes, by customer and time."""
    return _run(SORTED, codes(events))


def count(events: pa.Table, asked: Iterable[Counted], as_of: date) -> pa.Table:
    """Return a column of each feature, for every customer with events until the day."""
    end = as_of + timedelta(days=1)
    columns = ", ".join(
        f"count(*) FILTER (kind = {ATTRIBUTES['kind'].index(one.kind)} "
        f"AND channel = {ATTRIBUTES['channel'].index(one.channel)} "
        f"AND occurred_at >= TIMESTAMP '{end - timedelta(days=one.days)}') AS {one.name}"
        for one in asked
    )
    query = (
        f"SELECT customer_id, {columns} FROM event_rows "
        f"WHERE occurred_at < TIMESTAMP '{end}' GROUP BY customer_id"
    )
    return _run(query, codes(events))


def aggregate(events: pa.Table, asked: Iterable[Mixed], as_of: date) -> pa.Table:
    """Return a column of each feature, of whatever functions, as `count` does."""
    end = as_of + timedelta(days=1)
    start = f"TIMESTAMP '{end - timedelta(days=365)}'"
    last = f"DATE '{as_of}'"
    columns = ", ".join(f"{one.sql.format(start=start, end=last)} AS {one.name}" for one in asked)
    query = (
        f"SELECT customer_id, {columns} FROM event_rows "
        f"WHERE occurred_at < TIMESTAMP '{end}' GROUP BY customer_id"
    )
    return in_words(_run(query, codes(events)), {"first_device": "device"})


def in_words(table: pa.Table, attributes: dict[str, str]) -> pa.Table:
    """Return a table with the values of attributes in place of codes, by names of its columns."""
    for name, attribute in attributes.items():
        codes = table[name].combine_chunks()
        place = table.column_names.index(name)
        values = pa.DictionaryArray.from_arrays(codes, pa.array(ATTRIBUTES[attribute]))
        table = table.set_column(place, name, values)
    return table


def _run(query: str, events: pa.Table) -> pa.Table:
    connection = _connection().cursor()
    connection.register("event_rows", events)
    try:
        return connection.sql(query).to_arrow_table()
    finally:
        connection.unregister("event_rows")
        connection.close()


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    # Every core is the default. Rows that tie may come in any order.
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"SET temp_directory = '{tempfile.gettempdir()}/duckdb-peers'")
    return connection
