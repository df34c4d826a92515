"""Profiles from anywhere: what went through pandas, Polars, CSV or a database comes back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._columns import AS_REVENUE, PROFILE_COLUMNS
from ordercycle._errors import ColumnError, DataError, counted, printable
from ordercycle._sources.opening import open_all
from ordercycle._sources.read_request import Role

CUSTOMER = "customer_id"
#: The columns of a profile whose type is known, and those that are money.
DECLARED = {one.name: one.type for one in PROFILE_COLUMNS if isinstance(one.type, pa.DataType)}
MONEY = {one.name for one in PROFILE_COLUMNS if one.type == AS_REVENUE}
#: From it on, a float does not hold every whole number.
EXACT = 2**53


def as_table(rows: Any, what: str = "the profile") -> pa.Table:
    """Return a table from any source of rows, its columns in the types that profiles have.

    Raises
    ------
    SourceError
        Where it is no source, or cannot be read.
    ColumnError, DataError
        Where a column of a profile has a type, or a value, that does not fit.
    """
    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    if isinstance(rows, pa.Table):
        return as_declared(rows, what)
    source = open_all(rows, what, role_of, threads=1)
    try:
        table = pa.Table.from_batches(list(source.batches), schema=source.schema)
    finally:
        source.close()
    return as_declared(table, what, nan_is_null=True)


def role_of(column: str) -> Role:
    """Return how a column of a profile is read where files have no types of their own."""
    if column == CUSTOMER:
        return "customer"
    return "text" if column in DECLARED or column in MONEY else "other"


def as_declared(
    table: pa.Table, what: str = "the profile", *, first_row: int = 0, nan_is_null: bool = False
) -> pa.Table:
    """Return a table with the columns of a profile in their declared types.

    Integers may be of any width, numbers whole floats, days midnights or ISO text, and everything
    text or a dictionary of it. first_row: of the table, for messages; nan_is_null: also in columns
    that are floats already.
    """
    for place, field in enumerate(table.schema):
        name, column = field.name, table.column(place)
        kind = _wanted_type(name, column.type)
        if kind is None:
            continue
        if column.type != kind:
            column = _converted(column, kind, name, what, first_row)
        elif nan_is_null and kind == pa.float64() and name in DECLARED:
            column = _without_nan(column)
        else:
            continue
        nullable = field.nullable or column.null_count > 0
        table = table.set_column(place, pa.field(name, kind, nullable), column)
    return table


def _wanted_type(name: str, found: pa.DataType) -> pa.DataType | None:
    """Return the type that a column is brought to; None where it is no column of a profile."""
    if name not in MONEY:
        return DECLARED.get(name)
    if pa.types.is_integer(found):
        return pa.int64()
    if pa.types.is_decimal(found):
        return found if pa.types.is_decimal128(found) else pa.decimal128(38, found.scale)
    return pa.float64()


def _converted(
    column: pa.ChunkedArray, kind: pa.DataType, name: str, what: str, first_row: int
) -> pa.ChunkedArray:
    """Return a column in a type, or raise an error that names the first value that does not fit."""
    given = column
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string_view(column.type) or pa.types.is_string(column.type):
        column = column.cast(pa.large_string())
    convert = _DAYS if kind == pa.date32() else _NUMBERS
    found = next((to for fits, to in convert if fits(column.type)), None)
    if found is None:
        raise ColumnError(
            f"{what}: {name} is {given.type}", remedy=f"cast it to {kind}", column=name
        )
    try:
        return found(column, kind)
    except pa.ArrowInvalid:
        raise _misfit(column, kind, name, what, first_row) from None


def _misfit(
    column: pa.ChunkedArray, kind: pa.DataType, name: str, what: str, first_row: int
) -> DataError:
    """Return the error for a column that has values which do not fit."""
    bad = [row for row, value in enumerate(column) if not _fits(value.as_py(), kind)]
    row = bad[0] if bad else 0
    shown = printable(repr(column[row].as_py()))
    meant = "day" if kind == pa.date32() else "number" if kind == pa.float64() else "whole number"
    return DataError(
        f"{what}: {name} is {shown} at row {first_row + row}, which is no {meant} of type {kind} "
        f"({counted(len(bad), 'such row')})",
        remedy="fix or drop these rows",
        column=name,
        row=first_row + row,
        count=len(bad),
    )


def _fits(value: Any, kind: pa.DataType) -> bool:
    """Return whether a single value can be of a type: the slow way, to say which cannot."""
    if value is None or value == "":
        return True
    try:
        if kind == pa.date32():
            if isinstance(value, str):
                value = datetime.fromisoformat(value)
            return not isinstance(value, datetime) or value.time() == time()
        number = Decimal(str(value))
        if kind == pa.float64():
            return not (number.is_finite() and number == int(number) and abs(number) >= EXACT)
        whole = number.is_nan() or (number.is_finite() and number == int(number))
        return whole and (
            number.is_nan()
            or -(2 ** (kind.bit_width - 1)) <= int(number) < 2 ** (kind.bit_width - 1)
        )
    except (ValueError, ArithmeticError):
        return False


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    missing = pc.is_nan(column)
    return pc.if_else(missing, pa.scalar(None, column.type), column)


def _of_floats(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return _without_nan(column).cast(kind)


def _as_they_are(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column.cast(kind)


def _of_texts(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    column = _without_empty(column)
    if kind == pa.float64():
        floats = column.cast(kind)
        whole = pc.match_substring_regex(column, r"^[-+]?\d+$")
        large = pc.and_(whole, pc.greater_equal(pc.abs(floats), float(EXACT)))
        if pc.any(large).as_py():
            raise pa.ArrowInvalid
        return _without_nan(floats)
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:  # as a frame writes integers among which some are missing: 3.0
        return _of_floats(column.cast(pa.float64()), kind)


def _without_empty(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)


def _days_of_times(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = pc.local_timestamp(column)
    days = column.cast(kind, safe=False)
    if not pc.all(pc.equal(days.cast(column.type), column), min_count=0).as_py():
        raise pa.ArrowInvalid
    return days


def _days_of_texts(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    column = _without_empty(column)
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        return _days_of_times(column.cast(pa.timestamp("us")), kind)


Convert = Callable[[pa.ChunkedArray, pa.DataType], pa.ChunkedArray]
Fits = Callable[[pa.DataType], bool]
#: How columns become numbers and days, by their types.
_NUMBERS: tuple[tuple[Fits, Convert], ...] = (
    (pa.types.is_null, _as_they_are),
    (pa.types.is_integer, _as_they_are),
    (pa.types.is_decimal, _as_they_are),
    (pa.types.is_floating, _of_floats),
    (pa.types.is_large_string, _of_texts),
)
_DAYS: tuple[tuple[Fits, Convert], ...] = (
    (pa.types.is_null, _as_they_are),
    (pa.types.is_date, _days_of_times),
    (pa.types.is_timestamp, _days_of_times),
    (pa.types.is_large_string, _days_of_texts),
)
