"""One type for a column whose files have several: the same kind, widened, or none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

UNITS = ("s", "ms", "us", "ns")


def common_type(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return the type that holds every value of both without changing it, or None.

    Only types of one kind have one: integers; floats; strings; binaries; timestamps that all have
    a zone or all have none; decimals of one scale. A column of nothing but nulls fits any type.
    Codes of dictionaries differ from file to file, so different ones become their values.

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
    left, right = _values(left), _values(right)
    if left == right:
        return left
    for widened in (_number, _text, _bytes, _time, _decimal):
        found = widened(left, right)
        if found is not None:
            return found
    return None


def _values(kind: pa.DataType) -> pa.DataType:
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
    def is_text(kind: pa.DataType) -> bool:
        return bool(
            pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or pa.types.is_string_view(kind)
        )

    return pa.large_string() if is_text(left) and is_text(right) else None


def _bytes(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    def is_bytes(kind: pa.DataType) -> bool:
        return bool(
            pa.types.is_binary(kind)
            or pa.types.is_large_binary(kind)
            or pa.types.is_binary_view(kind)
        )

    return pa.large_binary() if is_bytes(left) and is_bytes(right) else None


def _time(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    if pa.types.is_date(left) and pa.types.is_date(right):
        return pa.date64()
    if not pa.types.is_timestamp(left) or not pa.types.is_timestamp(right):
        return None
    if (left.tz is None) != (right.tz is None):
        return None  # an instant and a time on the wall: no cast makes one of the other
    unit = max(left.unit, right.unit, key=UNITS.index)
    return pa.timestamp(unit, left.tz)


def _decimal(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    if not pa.types.is_decimal(left) or not pa.types.is_decimal(right):
        return None
    if left.scale != right.scale:
        return None
    makers = {32: pa.decimal32, 64: pa.decimal64, 128: pa.decimal128, 256: pa.decimal256}
    make = makers[max(left.bit_width, right.bit_width)]
    return make(max(left.precision, right.precision), left.scale)
