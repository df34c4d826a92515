"""Columns whose values stand for others: dictionaries, and runs of equal values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ordercycle._arrow_views import rows_of
from ordercycle._sources.row_source import Source
from ordercycle._sources.wanted import Role, Wanted

#: What columns are for whose dictionaries are of no use: each row is computed with.
NUMBERS: tuple[Role, ...] = ("time", "registered", "amount")


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
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def decoded_to(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return an array in a type that its values, or what they stand for, can have."""
    while array.type != kind and is_encoded(array.type):
        array = decoded(array)
    return array if array.type == kind else array.cast(kind)


def decoded_source(source: Source, wanted: Wanted) -> Source:
    """Return a source whose columns are read in the types of `type_read`."""
    roles = wanted.roles
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
    # Arrow takes nothing out of views.
    if pa.types.is_string_view(values.type):
        values = values.cast(pa.large_string())
    if pa.types.is_binary_view(values.type):
        values = values.cast(pa.large_binary())
    return values.take(places)
