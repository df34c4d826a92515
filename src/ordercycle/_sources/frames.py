"""Frames and other objects that export an Arrow stream: what they cannot say in Arrow is an error.

Arrow makes one type of a column of objects where it can, bytes of text among them, and a frame may
export handles of objects as if they were bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from ordercycle._arrow_views import is_bytes
from ordercycle._errors import ColumnError, OrdercycleError
from ordercycle._sources.read_request import ReadRequest
from ordercycle._sources.row_source import check_names, unreadable

#: Characters of a value that a message shows.
MOST_SHOWN = 60


def exported(rows: Any, request: ReadRequest) -> pa.RecordBatchReader:
    """Return a reader of any object that exports an Arrow stream, of the requested columns only.

    Raises
    ------
    ColumnError
        Where a column of a frame is missing, there twice, or holds what Arrow cannot.
    SourceError
        Where anything else is wrong, whatever raised it.
    """
    maker = type(rows).__module__.partition(".")[0]
    is_frame = maker in ("pandas", "polars") and hasattr(rows, "columns")
    if is_frame:
        check_names(list(rows.columns), request.names, request.table)
        # Converted before its columns are chosen, a frame would convert all of them.
        rows = rows[request.names]
        if maker == "polars":
            _refuse_handles(rows, request)
    try:
        reader = pa.RecordBatchReader.from_stream(rows)
    except (OrdercycleError, MemoryError):
        raise
    except Exception as error:
        if is_frame:
            _refuse_column(rows, request, error)
        raise unreadable(request.table, error) from error
    if maker == "pandas" and is_frame:
        for field in reader.schema:
            kind = field.type
            if is_bytes(kind.value_type if pa.types.is_dictionary(kind) else kind):
                _refuse_mixed(rows[field.name], field.name, request.table)
            elif pa.types.is_temporal(kind):
                _refuse_mixed_zones(rows[field.name], field.name, request.table)
    return reader


def _refuse_handles(frame: Any, request: ReadRequest) -> None:
    """Raise a ColumnError for columns of objects, which Polars exports as what points to them."""
    for column in request.names:
        kind = str(frame.schema[column])
        if "Object" in kind:
            raise ColumnError(
                f"{request.table}: {column} is {kind}, whose entries are handles of objects in "
                "memory and no values",
                remedy="make a column of values of it before the call",
                column=column,
            )


def _refuse_column(frame: Any, request: ReadRequest, error: Exception) -> None:
    """Raise a ColumnError for the first column that cannot be exported by itself, if one cannot."""
    for column in request.names:
        try:
            pa.RecordBatchReader.from_stream(frame[[column]]).read_all()
        except Exception as own:  # noqa: BLE001 - whatever it is, it is what is wrong with the column
            if type(frame).__module__.partition(".")[0] == "pandas":
                _refuse_mixed(frame[column], column, request.table)
            remedy = "cast it before the call"
            if str(frame[column].dtype).startswith("Sparse"):
                remedy = "make it dense with .sparse.to_dense()"
            raise ColumnError(
                f"{request.table}: {column} is {frame[column].dtype}, and cannot be read: "
                f"{_reason(own)}",
                remedy=remedy,
                column=column,
            ) from error


class _Shown(NamedTuple):
    """A value of a column of objects, and its row."""

    value: Any
    row: int

    def __str__(self) -> str:
        text = repr(self.value)
        if len(text) > MOST_SHOWN:
            text = f"{text[:MOST_SHOWN]}…"
        return f"{text} ({type(self.value).__name__}) at row {self.row}"


def _refuse_mixed(series: Any, column: str, table: str) -> None:
    """Raise a ColumnError where a pandas column, or its categories, holds several types."""
    values = series
    if hasattr(series, "cat"):
        values = series.cat.categories.to_series()
    if values.dtype != object:
        return
    kinds: dict[type, _Shown] = {}
    for shown in _present(values):
        kinds.setdefault(type(shown.value), shown)
        if len(kinds) > 1:
            one, other = kinds.values()
            raise ColumnError(
                f"{table}: {column} holds values of several types: {one} and {other}",
                remedy="make them one type before the call, as .astype('string') does",
                column=column,
                row=other.row,
            )


def _refuse_mixed_zones(series: Any, column: str, table: str) -> None:
    """Raise a ColumnError where a pandas column of objects has times with a zone and without."""
    if series.dtype != object:
        return
    found: dict[bool, _Shown] = {}
    for shown in _present(series):
        found.setdefault(getattr(shown.value, "tzinfo", None) is not None, shown)
        if len(found) > 1:
            raise ColumnError(
                f"{table}: {column} has times with a zone and times without: {found[True]} and "
                f"{found[False]}",
                remedy="give all of them a zone, or none, before the call",
                column=column,
                row=shown.row,
            )


def _present(values: Any) -> Iterator[_Shown]:
    for row, (value, is_missing) in enumerate(zip(values, values.isna(), strict=True)):
        if not is_missing:
            yield _Shown(value, row)


def _reason(error: Exception) -> str:
    """Return what an error says; pyarrow's may be a tuple of texts."""
    said = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return said.strip().partition("\n")[0]
