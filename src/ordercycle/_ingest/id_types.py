"""What identifies a customer or an order: columns of any type as ids, or the reason why not.

An id is a value that stands in the column and is the same wherever it comes from. Integers, texts
and bytes are read as they are, in any Arrow type; numbers of other types where all of them are
whole; anything else is refused. Empty text, and NaN, is no id, like null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import (
    array_of,
    bitmap,
    booleans,
    bytes_view,
    fixed_view,
    validity,
)
from ordercycle._errors import ColumnError
from ordercycle._ingest.bad_values import Problems, Trouble
from ordercycle._ingest.dictionaries import DictionaryCache
from ordercycle._sources.column_types import decoded, is_encoded
from ordercycle._sources.read_request import EXTENSION
from ordercycle._sources.row_source import ONLY, Source
from ordercycle_kernels.whole_numbers import integers_of_floats

UUID = "arrow.uuid"
#: The first whole number in magnitude that a float of so many bits may stand for wrongly.
FLOAT_LIMITS = {16: 2**11, 32: 2**24, 64: 2**53}
MOST_INTEGER, LEAST_INTEGER = 2**63 - 1, -(2**63)

TO_BE_CAST = "cast it to an integer, a string or a binary"

#: Types that identify nothing, and why.
NO_IDS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "there are only two of it"),
    (pa.types.is_temporal, "it says when, not who"),
    (pa.types.is_nested, "a row holds several values"),
)
FIT_FOR_IDS: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
    pa.types.is_null,
)


def id_type(column: pa.Field, table: str) -> pa.DataType:
    """Return the type in which the ids of a column are read.

    The type of the column where it holds integers, texts, bytes, UUIDs or a dictionary of such;
    int64 for floats and decimals; what stands behind other encodings.

    Raises
    ------
    ColumnError
        Where values of the type are no ids.

    Examples
    --------
    >>> id_type(pa.field("customer_id", pa.float64()), "orders")
    DataType(int64)
    >>> id_type(pa.field("customer_id", pa.bool_()), "orders")
    Traceback (most recent call last):
    ordercycle.ColumnError: orders: customer_id is bool, which is no id: there are only \
two of it; cast it to an integer, a string or a binary
    """
    unknown = (column.metadata or {}).get(EXTENSION)
    if isinstance(column.type, pa.BaseExtensionType):
        unknown = column.type.extension_name.encode()
    if unknown is not None and unknown != UUID.encode():
        raise ColumnError(
            f"{table}: {column.name} is of the extension type {unknown.decode(errors='replace')}, "
            "which is no id: what identifies a value of it is not known here",
            remedy="cast it to its storage type where equal storage means the same one",
            column=column.name,
        )
    found = _read_type(column.type)
    if found is None:
        why = next((f": {why}" for is_such, why in NO_IDS if is_such(_values(column.type))), "")
        raise ColumnError(
            f"{table}: {column.name} is {column.type}, which is no id{why}",
            remedy=TO_BE_CAST,
            column=column.name,
        )
    return found


def _values(kind: pa.DataType) -> pa.DataType:
    """Return the type of what an encoding stands for."""
    while pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    return kind


def _is_uuid(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name == UUID


def _read_type(kind: pa.DataType) -> pa.DataType | None:
    values = _values(kind)
    if pa.types.is_floating(values) or pa.types.is_decimal(values):
        return pa.int64()
    if not _is_uuid(values) and not any(is_fit(values) for is_fit in FIT_FOR_IDS):
        return None
    # A dictionary of what else is encoded is decoded.
    return kind if pa.types.is_dictionary(kind) and kind.value_type == values else values


@dataclass(frozen=True, eq=False)
class _EmptiedDictionary:
    """The entries of a dictionary, and with null in the place of empty ones."""

    entries: pa.Array
    emptied: pa.Array

    @classmethod
    def of(cls, entries: pa.Array) -> _EmptiedDictionary:
        return cls(entries, without_empty(entries))

    @property
    def nbytes(self) -> int:
        return int(self.entries.nbytes)


@dataclass(frozen=True)
class Identity:
    """How the ids of one column are read."""

    column: pa.Field
    kind: pa.DataType  # in which they are read
    _emptied: DictionaryCache[_EmptiedDictionary] = field(
        default_factory=DictionaryCache, repr=False, compare=False
    )

    @classmethod
    def of(cls, column: pa.Field, table: str) -> Identity:
        """Return how a column is read, or raise a ColumnError for a type that is no id."""
        return cls(column, id_type(column, table))

    @property
    def is_as_given(self) -> bool:
        """Whether the column is what is read, whatever it holds."""
        plain = _values(self.kind)
        return self.kind == self.column.type and (pa.types.is_integer(plain) or _is_uuid(plain))

    def read(
        self,
        array: pa.Array,
        first_row: int,
        problems: Problems,
        counting: pa.Array | None = None,
    ) -> pa.Array:
        """Return the ids of a slice of the column, null where there is none.

        first_row: of the slice in the table; problems: takes values that are no ids, in rows
        that count (None: all do).
        """
        while array.type != self.kind and is_encoded(array.type):
            array = decoded(array)
        if pa.types.is_floating(array.type):
            return self._whole_floats(array, first_row, problems, counting)
        if pa.types.is_decimal(array.type):
            return self._whole_decimals(array, first_row, problems, counting)
        if pa.types.is_dictionary(array.type):
            return self._without_empty_entries(array)
        return without_empty(array)

    def _whole_floats(
        self, array: pa.Array, first_row: int, problems: Problems, counting: pa.Array | None
    ) -> pa.Array:
        limit = FLOAT_LIMITS[array.type.bit_width]
        floats = fixed_view(array, array.type.to_pandas_dtype()).astype(np.float64, copy=False)
        integers, counts = np.empty(floats.size, np.int64), np.empty(2, np.int64)
        integers_of_floats(floats, float(limit), integers, counts)
        missing, refused = counts.tolist()
        known = validity(array)
        if refused:
            bad = (integers != floats) & ~np.isnan(floats)
            if known is not None:
                bad &= known
            trouble = Trouble(
                self.column.name,
                f"is {array.type} and no whole number below 2^{limit.bit_length() - 1}",
                "fix these rows, or write the column as text or integers",
            )
            problems.add(trouble, first_row, _that_count(bad, counting), array)
        if missing:
            known = ~np.isnan(floats) if known is None else known & ~np.isnan(floats)
        return array_of(integers, pa.int64(), known)

    def _whole_decimals(
        self, array: pa.Array, first_row: int, problems: Problems, counting: pa.Array | None
    ) -> pa.Array:
        try:
            return array.cast(pa.int64())
        except pa.ArrowInvalid:
            values = array.to_pylist()
        bad = np.array([value is not None and not _is_int64(value) for value in values])
        trouble = Trouble(
            self.column.name,
            f"is {array.type} and no whole number of 64 bits",
            "fix these rows, or cast the column to text",
        )
        problems.add(trouble, first_row, _that_count(bad, counting), array)
        integers = [
            None if value is None or is_bad else int(value)
            for value, is_bad in zip(values, bad, strict=True)
        ]
        return pa.array(integers, pa.int64())

    def _without_empty_entries(self, array: pa.Array) -> pa.Array:
        """Return a dictionary array in which no entry is empty; one that batches share stays so."""
        found = self._emptied.get(array.dictionary, _EmptiedDictionary.of)
        if found.emptied is found.entries:
            return array
        return pa.DictionaryArray.from_arrays(
            array.indices, found.emptied, ordered=array.type.ordered, safe=False
        )


def _that_count(bad: NDArray[np.bool_], counting: pa.Array | None) -> NDArray[np.bool_]:
    if counting is None:
        return bad
    return bad & booleans(counting.fill_null(fill_value=False))


def _is_int64(value: Decimal) -> bool:
    return value == value.to_integral_value() and LEAST_INTEGER <= value <= MOST_INTEGER


def without_empty(array: pa.Array) -> pa.Array:
    """Return texts or bytes with null in the place of empty ones; the same array without them."""
    kind = array.type
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        present = fixed_view(array, np.int32, per_row=4)[::4] != 0
    elif pa.types.is_fixed_size_binary(kind):
        return array if kind.byte_width else pa.nulls(len(array), kind)
    elif (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    ):
        offsets = bytes_view(array).offsets
        present = offsets[1:] != offsets[:-1]
    else:
        return array
    missing = present.size - int(np.count_nonzero(present))
    if missing == 0:
        return array
    known = validity(array)
    if known is not None:
        present &= known
        if np.count_nonzero(present) == present.size - array.null_count:
            return array
    return _masked(array, present)


def _masked(array: pa.Array, present: NDArray[np.bool_]) -> pa.Array:
    """Return an array of texts or bytes with other rows missing, over the same bytes."""
    _, first, *rest = array.buffers()
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        item, count = 16, len(array)
    else:
        item, count = bytes_view(array).offsets.itemsize, len(array) + 1
    first = first.slice(array.offset * item, count * item)
    return pa.Array.from_buffers(array.type, len(array), [bitmap(present), first, *rest])


def identities(schema: pa.Schema, names: Iterable[str | None], table: str) -> dict[str, Identity]:
    """Return how columns of ids are read; None among their names stands for none."""
    return {name: Identity.of(schema.field(name), table) for name in names if name is not None}


def with_ids(source: Source, ids: Mapping[str, Identity], problems: Problems) -> Source:
    """Return a source whose columns of ids are read; rows with ids that are none are problems.

    The source given is the one to close.
    """
    ids = {name: one for name, one in ids.items() if not one.is_as_given}
    if not ids:
        return source
    schema = pa.schema(
        (one.name, ids[one.name].kind if one.name in ids else one.type) for one in source.schema
    )

    def batches() -> Iterator[pa.RecordBatch]:
        first_row = 0
        for batch in source.batches:
            if batch.num_rows:  # of empty ones, Arrow makes some that it finds invalid
                yield read_ids(batch, ids, first_row, problems)
            first_row += batch.num_rows

    return replace(source, schema=schema, batches=batches())


def read_ids(
    batch: pa.RecordBatch, ids: Mapping[str, Identity], first_row: int, problems: Problems
) -> pa.RecordBatch:
    """Return a batch whose columns of ids are read; the others stay as they are."""
    counting = batch.column(ONLY) if ONLY in batch.schema.names else None
    fields, columns = [], []
    for given, column in zip(batch.schema, batch.columns, strict=True):
        values = column
        if given.name in ids:
            values = ids[given.name].read(column, first_row, problems, counting)
        fields.append(pa.field(given.name, values.type))
        columns.append(values)
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
