"""Types in which columns are read: one for several files, and what dictionaries and runs hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ordercycle._arrow_views import is_bytes, is_text, rows_of, without_view
from ordercycle._sources.read_request import ReadRequest, Role
from ordercycle._sources.row_source import Source

#: What columns are for whose dictionaries are of no use: each row is computed with.
NUMBERS: tuple[Role, ...] = ("time", "registered", "amount")
UNITS = ("s", "ms", "us", "ns")
#: How decimals of so many bits are made, and their most digits.
DECIMALS: dict[int, tuple[Callable[[int, int], pa.DataType], int]] = {
    32: (pa.decimal32, 9),
    64: (pa.decimal64, 18),
    128: (pa.decimal128, 38),
    256: (pa.decimal256, 76),
}


def common_type(
    left: pa.DataType,
    right: pa.DataType,
    role: Role = "other",  # noqa: ARG001 - types say all
) -> pa.DataType | None:
    """Return the type that holds every value of both without changing it, or None.

    Only types of one kind have one: integers; floats; strings; binaries; timestamps that all have
    a zone; timestamps without one and dates; decimals, and integers that have the digits. A column
    of nothing but nulls fits any type. Codes of dictionaries differ from file to file, so
    different ones become their values.

    Examples
    --------
    >>> common_type(pa.int32(), pa.int64())
    DataType(int64)
    >>> common_type(pa.int64(), pa.string()) is None
    True
    """
    if left == right or pa.types.is_null(right):
        return left
    if pa.types.is_null(left):
        return right
    left, right = without_codes(left), without_codes(right)
    if left == right:
        return left
    for widened in (_number, _text, _bytes, _time, _exact):
        found = widened(left, right)
        if found is not None:
            return found
    return None


def without_codes(kind: pa.DataType) -> pa.DataType:
    """Return the type of what codes of a dictionary stand for."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _number(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    integers = pa.types.is_integer(left) and pa.types.is_integer(right)
    floats = pa.types.is_floating(left) and pa.types.is_floating(right)
    if not integers and not floats:
        return None
    widest = np.promote_types(left.to_pandas_dtype(), right.to_pandas_dtype())
    # An unsigned 64-bit and a signed integer would meet in a float.
    return pa.from_numpy_dtype(widest) if (widest.kind == "f") == floats else None


def _text(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    return pa.large_string() if is_text(left) and is_text(right) else None


def _bytes(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    return pa.large_binary() if is_bytes(left) and is_bytes(right) else None


def _time(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    if pa.types.is_date(left) and pa.types.is_date(right):
        return pa.date64()
    for one, other in ((left, right), (right, left)):
        if pa.types.is_date(one) and pa.types.is_timestamp(other):
            return other if other.tz is None else None  # a date has no instant
    if not pa.types.is_timestamp(left) or not pa.types.is_timestamp(right):
        return None
    if (left.tz is None) != (right.tz is None):
        return None  # an instant and a time on the wall: no cast makes one of the other
    unit = max(left.unit, right.unit, key=UNITS.index)
    return pa.timestamp(unit, left.tz)


def _exact(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return the decimal that has all digits of both, before the point and behind it."""
    if not pa.types.is_decimal(left) and not pa.types.is_decimal(right):
        return None
    digits = [_digits(left), _digits(right)]
    if None in digits:
        return None
    before, behind = (max(of_each) for of_each in zip(*filter(None, digits), strict=True))
    width = max(128, *(kind.bit_width for kind in (left, right)))
    if pa.types.is_decimal(left) and pa.types.is_decimal(right) and left.scale == right.scale:
        width = max(left.bit_width, right.bit_width)
    make, most = DECIMALS[width]
    return make(before + behind, behind) if before + behind <= most else None


def _digits(kind: pa.DataType) -> tuple[int, int] | None:
    """Return the digits before and behind the point of what has a number of them."""
    if pa.types.is_decimal(kind):
        return kind.precision - kind.scale, kind.scale
    if pa.types.is_integer(kind):
        return len(str(np.iinfo(kind.to_pandas_dtype()).max)), 0
    return None


def common_id_type(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return the type in which the ids of both are read, or None: floats are ids where whole.

    Integers that a float64 cannot hold are an error where they are read.

    Examples
    --------
    >>> common_id_type(pa.int64(), pa.float32())
    DataType(double)
    """
    left, right = without_codes(left), without_codes(right)
    for one, other in ((left, right), (right, left)):
        if pa.types.is_integer(one) and pa.types.is_floating(other):
            return pa.float64()
    return None


def type_read(kind: pa.DataType, role: Role) -> pa.DataType:
    """Return the type in which a column is read: what runs stand for, and numbers of dictionaries.

    Examples
    --------
    >>> type_read(pa.dictionary(pa.int32(), pa.date32()), "time")
    DataType(date32[day])
    """
    if not is_encoded(kind):
        return kind
    if pa.types.is_dictionary(kind) and role not in NUMBERS and not is_encoded(kind.value_type):
        return kind
    while is_encoded(kind):
        kind = kind.value_type
    return without_view(kind)


def decoded_to(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return an array in a type that its values, or what they stand for, can have."""
    while array.type != kind and is_encoded(array.type):
        array = decoded(array)
    return array if array.type == kind else array.cast(kind)


def decoded_source(source: Source, request: ReadRequest) -> Source:
    """Return a source whose columns are read in the types of `type_read`."""
    roles = request.roles
    schema = pa.schema(
        [
            field.with_type(type_read(field.type, roles.get(field.name, "other")))
            for field in source.schema
        ],
        source.schema.metadata,
    )
    if schema.types == source.schema.types:
        return source

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in source.batches:
            arrays = map(decoded_to, batch.columns, schema.types)
            yield pa.RecordBatch.from_arrays(list(arrays), schema=schema)

    return replace(source, schema=schema, batches=batches())


def is_encoded(kind: pa.DataType) -> bool:
    """Return whether values of a type stand for others."""
    return bool(pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind))


def decoded(array: pa.Array) -> pa.Array:
    """Return what the entries of a dictionary, or of runs, stand for."""
    if pa.types.is_dictionary(array.type):
        values, places = array.dictionary, array.indices
    else:
        values = array.values
        ends = array.run_ends.to_numpy()
        rows = np.arange(array.offset, array.offset + len(array))
        places = rows_of(np.searchsorted(ends, rows, side="right"))
    while is_encoded(values.type):
        values = decoded(values)
    plain = without_view(values.type)  # Arrow takes nothing out of views
    return (values if plain == values.type else values.cast(plain)).take(places)
