"""Columns of the caller's tables as the arrays that kernels read.

Each reader is made for one Arrow type, once, and then reads pieces of that type into arrays that
its caller owns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import bytes_view, fixed_view
from ordercycle._errors import ColumnError, Option, Text
from ordercycle._expressions.language import as_written
from ordercycle._ingest.id_types import id_type
from ordercycle._ingest.time_zones import zone_table
from ordercycle._sources.read_request import Times
from ordercycle_kernels import amounts, calendar

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
        """Return the reader for a column, or raise a ColumnError for a type that is no id.

        Of floats, decimals and other encodings it reads what `identity.Identity` makes of them.
        """
        given = plain = id_type(field, table)
        if pa.types.is_dictionary(plain):
            plain = plain.value_type
        if isinstance(plain, pa.BaseExtensionType):
            plain = plain.storage_type
        if pa.types.is_string_view(plain) or pa.types.is_null(plain):
            plain = pa.large_string()
        if pa.types.is_binary_view(plain):
            plain = pa.large_binary()
        return cls(given, plain)

    @property
    def is_integer(self) -> bool:
        """Whether ids are integers, so that the hash alone identifies them."""
        return bool(pa.types.is_integer(self.plain))

    @property
    def missing(self) -> str:
        """What is wrong with a row that has no id, for messages."""
        return "is null" if self.is_integer else "is null or empty"

    @property
    def is_text(self) -> bool:
        """Whether ids are strings, rather than integers or binaries."""
        return bool(pa.types.is_string(self.plain) or pa.types.is_large_string(self.plain))

    def together_with(self, other: IdReader) -> IdReader | None:
        """Return the reader that gives the ids of two tables in one type, or None without one.

        The type given stays where both tables have it; integers of different width become the
        wider one, strings and binaries of different kinds the large one.
        """
        if self.plain == other.plain:
            same = self.given == other.given
            return self if same else IdReader(self.plain, self.plain)
        if self.is_integer and other.is_integer:
            widest = np.promote_types(self.plain.to_pandas_dtype(), other.plain.to_pandas_dtype())
            if widest.kind == "f":  # uint64 with a signed type
                return None
            common = pa.from_numpy_dtype(widest)
        elif self.is_text and other.is_text:
            common = pa.large_string()
        elif self.is_integer or other.is_integer or self.is_text or other.is_text:
            return None
        else:
            common = pa.large_binary()
        return IdReader(common, common)

    def storage(self, array: pa.Array) -> pa.Array:
        """Return the array, or a dictionary's entries, without extension and in a type with ids."""
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        return array.cast(self.plain) if pa.types.is_null(array.type) else array

    def values(self, array: pa.Array) -> pa.Array:
        """Return the ids themselves in the plain type."""
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        array = self.storage(array)
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
        if not pa.types.is_dictionary(self.given):
            return self._without_views(self.given)
        codes = self.given.index_type
        if customers > np.iinfo(codes.to_pandas_dtype()).max:
            codes = pa.int32()
        values = self._without_views(self.given.value_type)
        return pa.dictionary(codes, values, ordered=self.given.ordered)

    def _without_views(self, kind: pa.DataType) -> pa.DataType:
        return kind if isinstance(kind, pa.BaseExtensionType) else self.plain

    def nobody(self) -> pa.Array:
        """Return no ids, in the plain type."""
        return pa.array([], self.plain)

    @staticmethod
    def as_produced(plain: pa.Array, produced: pa.DataType) -> pa.Array:
        """Return distinct plain ids in the type of results."""
        if pa.types.is_dictionary(produced):
            codes = pa.array(np.arange(len(plain)), produced.index_type)
            values = IdReader.as_produced(plain, produced.value_type)
            return pa.DictionaryArray.from_arrays(codes, values, ordered=produced.ordered)
        if isinstance(produced, pa.BaseExtensionType):
            return pa.ExtensionArray.from_storage(produced, plain)
        return plain


def _epoch_remedy(option: str, column: str) -> Text:
    counted_in = Option(option, f'instant({as_written(column)}, "s")')
    return ("where it counts seconds since 1970, pass ", counted_in,
            " (or ms, us, ns), else cast it to a date or a timestamp")  # fmt: skip


def _length_remedy(option: str, column: str) -> Text:
    since = Option(option, f'date("1970-01-01") + {as_written(column)}')
    return ("where it is a length of time since 1970, pass ", since,
            ", or name a column of dates or timestamps")  # fmt: skip


def _clock_remedy(option: str, column: str) -> Text:  # noqa: ARG001 - one signature for all
    return ("a time of day is of no day: name a column of dates or timestamps with ",
            Option(option))  # fmt: skip


def _cast_remedy(option: str, column: str) -> Text:  # noqa: ARG001 - one signature for all
    return ("cast it to a date or a timestamp (in CSV, write it as 2026-11-01 or "
            "2026-11-01 16:00:00)")  # fmt: skip


#: What the table of a stream of events is called in messages.
EVENTS = "events"
#: What to do about types that are near to times.
NO_TIMES: tuple[tuple[Callable[[pa.DataType], bool], Callable[[str, str], Text]], ...] = (
    (pa.types.is_integer, _epoch_remedy),
    (pa.types.is_floating, _epoch_remedy),
    (pa.types.is_decimal, _epoch_remedy),
    (pa.types.is_duration, _length_remedy),
    (pa.types.is_time, _clock_remedy),
)


@dataclass(frozen=True)
class TimeReader:
    """Reads dates and timestamps as days in the business time zone."""

    kind: pa.DataType
    times: Times

    @classmethod
    def of(cls, field: pa.Field, table: str, times: Times, role: str = "time") -> TimeReader:
        """Return the reader for a column, or raise a ColumnError for a type that is no time.

        role: what the caller names the column as.
        """
        if pa.types.is_null(field.type):  # nothing but nulls: each reader of the column judges
            return cls(pa.date32(), times)
        if not (pa.types.is_date(field.type) or pa.types.is_timestamp(field.type)):
            owner = "EventColumns" if table == EVENTS else "Columns"
            remedies = (remedy for is_such, remedy in NO_TIMES if is_such(field.type))
            raise ColumnError(
                f"{table}: {field.name} is {field.type}, which is no time",
                remedy=next(remedies, _cast_remedy)(f"{owner}.{role}", field.name),
                column=field.name,
            )
        return cls(field.type, times)

    @property
    def are_instants(self) -> bool:
        """Whether the zone says on which day a time falls."""
        is_timestamp = bool(pa.types.is_timestamp(self.kind))
        return is_timestamp and (self.kind.tz is not None or self.times.are_utc)

    def days_into(self, array: pa.Array, out: Int32s) -> int:
        """Write the days, NO_DAY outside the years 1900 to 2199, and return how many those are."""
        if pa.types.is_null(array.type):
            out[:] = calendar.NO_DAY
            return 0
        if pa.types.is_date32(self.kind):
            return calendar.check_days(fixed_view(array, np.int32), out)
        instants = fixed_view(array, np.int64)
        per_second = 1000 if pa.types.is_date64(self.kind) else UNITS_PER_SECOND[self.kind.unit]
        per_day = per_second * SECONDS_PER_DAY
        if not self.are_instants or self.times.timezone == "UTC":
            return calendar.local_days(instants, per_day, out)
        zone = zone_table(self.times.timezone)
        return calendar.zoned_days(
            instants, per_day, zone.begins * per_second, zone.offsets * per_second,
            zone.first_of_day, out,
        )  # fmt: skip


@dataclass(frozen=True)
class AmountReader:
    """Reads amounts as 64-bit keys, with a second word for decimals beyond 18 digits."""

    given: pa.DataType
    has_lines: bool = False

    @classmethod
    def of(
        cls, field: pa.Field, table: str, *, has_lines: bool, meaning: str = "amount"
    ) -> AmountReader:
        """Return the reader for a column, or raise a ColumnError for a type that is no amount.

        meaning: what messages call what it is not.
        """
        kind = pa.float64() if pa.types.is_null(field.type) else field.type
        if not (
            pa.types.is_integer(kind)
            or pa.types.is_float32(kind)
            or pa.types.is_float64(kind)
            or pa.types.is_decimal32(kind)
            or pa.types.is_decimal64(kind)
            or pa.types.is_decimal128(kind)
        ):
            raise ColumnError(
                f"{table}: {field.name} is {kind}, which is no {meaning}",
                remedy="cast it to an integer, float64 or decimal128",
                column=field.name,
            )
        # Arrow takes any scale, and a damaged schema has one.
        if pa.types.is_decimal(kind) and abs(kind.scale) > MAX_DIGITS:
            raise ColumnError(
                f"{table}: {field.name} is {kind}, with more than {MAX_DIGITS} digits behind its "
                f"first or after its last one, which is no {meaning}",
                remedy="cast it to decimal128 of a scale from 0 to 38, or to float64",
                column=field.name,
            )
        return cls(kind, has_lines)

    @property
    def is_float(self) -> bool:
        """Whether amounts are floats, which are summed with compensation."""
        return bool(pa.types.is_floating(self.given))

    @property
    def is_wide(self) -> bool:
        """Whether amounts need two words: many digits, or sums of the lines of an order."""
        return self.is_decimal and (self.has_lines or self.given.precision > NARROW_DIGITS)

    @property
    def is_decimal(self) -> bool:
        """Whether amounts are decimals, whose sums are decimal128."""
        return not self.is_float and not pa.types.is_integer(self.given)

    @property
    def remedy_for_overflow(self) -> str:
        """What to do where a sum exceeds the type."""
        if self.is_float:
            return "look for amounts that are far too large"
        if self.is_decimal:
            return "cast the amounts to float64"
        return "cast the amounts to decimal128(38, 0)"

    @property
    def produced(self) -> pa.DataType:
        """The type of amounts and their sums in results."""
        if self.is_float:
            return pa.float64()
        if pa.types.is_integer(self.given):
            return pa.int64()
        return pa.decimal128(MAX_DIGITS, self.given.scale)

    def wider(self, other: AmountReader) -> AmountReader:
        """Return the reader of amounts of both, of one type in results: the one of two words."""
        return other if other.is_wide and not self.is_wide else self

    def words(self, array: pa.Array) -> tuple[Int64s, int]:
        """Return the amounts as 64-bit words, low ones of wide decimals, and how many are refused.

        The bits of floats are returned without copying where nothing has to change.
        """
        if pa.types.is_null(array.type):
            return np.zeros(len(array), np.int64), 0
        if self.is_float:
            floats = fixed_view(array, self.given.to_pandas_dtype()).astype(np.float64, copy=False)
            counts = np.empty(2, np.int64)
            amounts.check_floats(floats.view(np.int64), counts)
            refused, minus_zeros = counts.tolist()
            if minus_zeros:
                floats = floats + 0.0
            return floats.view(np.int64), refused
        if pa.types.is_decimal128(self.given):
            return fixed_view(array, np.int64, per_row=2)[::2], 0
        if pa.types.is_decimal(self.given):
            dtype: Any = np.int32 if pa.types.is_decimal32(self.given) else np.int64
        else:
            dtype = self.given.to_pandas_dtype()
        integers = fixed_view(array, dtype).astype(np.int64, copy=False)
        beyond = np.count_nonzero(integers < 0) if pa.types.is_uint64(self.given) else 0
        return integers, int(beyond)

    def high_words(self, array: pa.Array) -> Int64s:
        """Return the high words of wide decimals."""
        if pa.types.is_decimal128(self.given):
            return fixed_view(array, np.int64, per_row=2)[1::2]
        return self.words(array)[0] >> 63

    def refused(self, array: pa.Array) -> NDArray[np.bool_]:
        """Return which amounts have no word: NaN, infinite, or beyond int64."""
        if self.is_float:
            bad: NDArray[np.bool_] = ~np.isfinite(fixed_view(array, self.given.to_pandas_dtype()))
        else:
            bad = fixed_view(array, np.int64) < 0
        return bad
