"""One type for a column whose files have several: the same kind, widened, or none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from ordercycle._sources.wanted import Role

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
    left, right = _values(left), _values(right)
    if left == right:
        return left
    for widened in (_number, _text, _bytes, _time, _exact):
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
    left, right = _values(left), _values(right)
    for one, other in ((left, right), (right, left)):
        if pa.types.is_integer(one) and pa.types.is_floating(other):
            return pa.float64()
    return None
