"""Small tables that a report takes beside its streams: their columns, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ordercycle._errors import ColumnError, ConfigError, Option, printable, suggestion


def plain_table(given: Any, what: str, needed: Sequence[str]) -> pa.Table:
    """Return a table of a report's argument, with at least the columns that are needed.

    Raises
    ------
    ConfigError
        It is no table.
    ColumnError
        A column is missing.
    """
    if isinstance(given, pa.RecordBatch):
        given = pa.Table.from_batches([given])
    elif not isinstance(given, pa.Table) and hasattr(given, "__arrow_c_stream__"):
        given = pa.table(given)
    if not isinstance(given, pa.Table):
        raise ConfigError(
            (Option(what), printable(f": {type(given).__name__} is no table")),
            remedy="pass a pyarrow Table, or a data frame of pandas, Polars or DuckDB",
        )
    for name in needed:
        if name not in given.column_names:
            raise ColumnError(
                f"{what}: there is no column {name!r}{suggestion(name, given.column_names)}",
                remedy=f"the table needs {', '.join(map(repr, needed))}",
                column=name,
            )
    return given
