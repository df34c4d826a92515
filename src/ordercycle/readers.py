"""Columns of the caller's tables as the arrays that kernels read.

Each reader is made for one Arrow type, once, and then reads pieces of that type into arrays that
its caller owns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle.arrow_views import BytesView, bytes_view, fixed_view
from ordercycle.errors import ColumnError
from ordercycle.zones import zone_table
from ordercycle_kernels import amounts, calendar, hashing

UNITS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
SECONDS_PER_DAY = 86_400
#: Decimals of up to this many digits fit a 64-bit word, unscaled.
NARROW_DIGITS = 18
MAX_DIGITS = 38

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class IdReader:
    """Reads customer or order ids.

    `plain` is the type without dictionary, view or extension: an integer, whose hash stands for
    it, or strings and binaries, which are compared.
    """

    given: pa.DataType
    plain: pa.DataType

    @classmethod
    def of(cls, field: pa.Field, table: str) -> IdReader:
        """Return the reader for a column, or raise a ColumnError for a type that is no id."""
        plain = field.type
        if pa.types.is_dictionary(plain):
            plain = plain.value_type
        if isinstance(plain, pa.BaseExtensionType) and plain.extension_name == "arrow.uuid":
            plain = plain.storage_type
        if pa.types.is_string_view(plain):
            plain = pa.large_string()
        if pa.types.is_binary_view(plain):
            plain = pa.large_binary()
        if not (
            pa.types.is_integer(plain)
            or pa.types.is_string(plain)
            or pa.types.is_large_string(plain)
            or pa.types.is_binary(plain)
            or pa.types.is_large_binary(plain)
            or pa.types.is_fixed_size_binary(plain)
        ):
            raise ColumnError(
                f"{table}: {field.name} is {field.type}, which is no id; cast it to an integer, "
                "a string or a binary"
            )
        return cls(field.type, plain)

    @property
    def is_integer(self) -> bool:
        """Whether ids are integers, so that the hash alone identifies them."""
        return bool(pa.types.is_integer(self.plain))

    @property
    def is_text(self) -> bool:
        """Whether ids are strings, rather than integers or binaries."""
        return bool(pa.types.is_string(self.plain) or pa.types.is_large_string(self.plain))

    def as_plain(self, array: pa.Array) -> pa.Array:
        """Return the array without dictionary, view or extension."""
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        return array if array.type == self.plain else array.cast(self.plain)

    def plain_of_binary(self, ids: pa.Array) -> pa.Array:
        """Return large_binary ids in the plain type, over the same bytes."""
        _, offsets, data = ids.buffers()
        if pa.types.is_fixed_size_binary(self.plain):
            return pa.Array.from_buffers(self.plain, len(ids), [None, data])
        if not pa.types.is_large_string(self.plain) and not pa.types.is_large_binary(self.plain):
            narrow = bytes_view(ids).offsets.astype(np.int32)
            offsets = pa.py_buffer(narrow)
        return pa.Array.from_buffers(self.plain, len(ids), [None, offsets, data])

    def produced(self, customers: int) -> pa.DataType:
        """Return the type in which results give `customers` ids: as given, views as large.

        Codes of a dictionary too narrow for that many customers become int32.
        """
        if pa.types.is_dictionary(self.given):
            codes = self.given.index_type
            if customers > np.iinfo(codes.to_pandas_dtype()).max:
                codes = pa.int32()
            return pa.dictionary(codes, self.plain)
        return self.given if isinstance(self.given, pa.BaseExtensionType) else self.plain

    @staticmethod
    def as_produced(plain: pa.Array, produced: pa.DataType) -> pa.Array:
        """Return distinct plain ids in the type of results."""
        if pa.types.is_dictionary(produced):
            codes = pa.array(np.arange(len(plain)), produced.index_type)
            return pa.DictionaryArray.from_arrays(codes, plain)
        if isinstance(produced, pa.BaseExtensionType):
            return pa.ExtensionArray.from_storage(produced, plain)
        return plain

    def hash_into(self, array: pa.Array, out: NDArray[np.uint64]) -> BytesView | None:
        """Write the ids' hashes; return the bytes of ids that need comparing."""
        plain = self.as_plain(array)
        if self.is_integer:
            values = fixed_view(plain, plain.type.to_pandas_dtype())
            hashing.hash_integers(values.astype(np.int64, copy=False), out)
            return None
        view = bytes_view(plain)
        hashing.hash_bytes(view.offsets, view.data, out)
        return view


@dataclass(frozen=True)
class TimeReader:
    """Reads dates and timestamps as days in the business time zone."""

    kind: pa.DataType
    timezone: str

    @classmethod
    def of(cls, field: pa.Field, table: str, timezone: str) -> TimeReader:
        """Return the reader for a column, or raise a ColumnError for a type that is no time."""
        if not (pa.types.is_date(field.type) or pa.types.is_timestamp(field.type)):
            raise ColumnError(
                f"{table}: {field.name} is {field.type}, which is no time; cast it to a date or "
                "a timestamp (in CSV, write it as 2026-11-01 or 2026-11-01 16:00:00)"
            )
        return cls(field.type, timezone)

    def days_into(self, array: pa.Array, out: Int32s) -> int:
        """Write the days, NO_DAY outside the years 1900 to 2199, and return how many those are."""
        if pa.types.is_date32(self.kind):
            return calendar.check_days(fixed_view(array, np.int32), out)
        instants = fixed_view(array, np.int64)
        per_second = 1000 if pa.types.is_date64(self.kind) else UNITS_PER_SECOND[self.kind.unit]
        per_day = per_second * SECONDS_PER_DAY
        if getattr(self.kind, "tz", None) is None or self.timezone == "UTC":
            return calendar.local_days(instants, per_day, out)
        zone = zone_table(self.timezone)
        return calendar.zoned_days(
            instants, per_day, zone.begins * per_second, zone.offsets * per_second,
            zone.first_of_day, out,
        )  # fmt: skip


@dataclass(frozen=True)
class AmountReader:
    """Reads amounts as 64-bit keys, with a second word for decimals beyond 18 digits."""

    given: pa.DataType

    @classmethod
    def of(cls, field: pa.Field, table: str) -> AmountReader:
        """Return the reader for a column, or raise a ColumnError for a type that is no amount."""
        kind = field.type
        if not (
            pa.types.is_integer(kind)
            or pa.types.is_float32(kind)
            or pa.types.is_float64(kind)
            or pa.types.is_decimal32(kind)
            or pa.types.is_decimal64(kind)
            or pa.types.is_decimal128(kind)
        ):
            raise ColumnError(
                f"{table}: {field.name} is {kind}, which is no amount; cast it to an integer, "
                "float64 or decimal128"
            )
        return cls(kind)

    @property
    def is_float(self) -> bool:
        """Whether amounts are floats, which are summed with compensation."""
        return bool(pa.types.is_floating(self.given))

    @property
    def is_wide(self) -> bool:
        """Whether amounts need two words."""
        return bool(pa.types.is_decimal128(self.given)) and self.given.precision > NARROW_DIGITS

    @property
    def is_decimal(self) -> bool:
        """Whether amounts are decimals, whose sums are decimal128."""
        return not self.is_float and not pa.types.is_integer(self.given)

    @property
    def produced(self) -> pa.DataType:
        """The type of amounts and their sums in results."""
        if self.is_float:
            return pa.float64()
        if pa.types.is_integer(self.given):
            return pa.int64()
        return pa.decimal128(MAX_DIGITS, self.given.scale)

    def keys_into(self, array: pa.Array, out: Int64s) -> int:
        """Write the keys (of wide decimals the low words) and return how many are refused."""
        if self.is_float:
            values = fixed_view(array, self.given.to_pandas_dtype())
            wide = values.astype(np.float64, copy=False)
            return amounts.keys_of_floats(wide.view(np.int64), out)
        if pa.types.is_decimal128(self.given):
            out[:] = fixed_view(array, np.int64, per_row=2)[::2]
            return 0
        if pa.types.is_integer(self.given):
            dtype: Any = self.given.to_pandas_dtype()
        else:
            dtype = np.int32 if pa.types.is_decimal32(self.given) else np.int64
        out[:] = fixed_view(array, dtype).astype(np.int64, copy=False)
        return int(np.count_nonzero(out < 0)) if pa.types.is_uint64(self.given) else 0

    def refused(self, array: pa.Array) -> NDArray[np.bool_]:
        """Return which amounts have no key: NaN, infinite, or beyond int64."""
        if self.is_float:
            bad: NDArray[np.bool_] = ~np.isfinite(fixed_view(array, self.given.to_pandas_dtype()))
        else:
            bad = fixed_view(array, np.int64) < 0
        return bad

    def highs_into(self, array: pa.Array, out: Int64s) -> None:
        """Write the high words of wide decimals."""
        out[:] = fixed_view(array, np.int64, per_row=2)[1::2]
