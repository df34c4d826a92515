"""Columns that CSV cannot hold, turned into text it can."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._arrow_views import is_bytes, is_text
from ordercycle._spreadsheets import harmless

UUID_GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))


def csv_ready(table: pa.Table) -> pa.Table:
    """Write bytes as hexadecimal text, UUIDs in their usual form, dictionaries as values."""
    for position, field in enumerate(table.schema):
        if _needs_text(field.type):
            chunks = [_text(chunk) for chunk in table.column(position).chunks]
            column = pa.chunked_array(chunks, type=pa.large_string())
            table = table.set_column(position, field.name, column)
        elif pa.types.is_dictionary(field.type):
            values = table.column(position).cast(field.type.value_type)
            table = table.set_column(position, field.name, values)
    return table


def columns_of_bytes(schema: pa.Schema) -> list[str]:
    """Return the columns that stand in CSV as hexadecimal digits."""
    return [
        field.name
        for field in schema
        if _needs_text(field.type) and not isinstance(field.type, pa.UuidType)
    ]


def _needs_text(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.UuidType) or pa.types.is_fixed_size_binary(kind):
        return True
    return is_bytes(kind)


def _text(values: Any) -> Any:
    if not isinstance(values.type, pa.UuidType):
        return _hexadecimal(values)
    digits = _hexadecimal(values.storage)
    groups = [pc.utf8_slice_codeunits(digits, start, stop) for start, stop in UUID_GROUPS]
    return pc.binary_join_element_wise(*groups, pa.scalar("-", pa.large_string()))


def _hexadecimal(values: Any) -> Any:
    """Write the whole data buffer at once: two digits a byte, so offsets double."""
    # Concatenating copies a slice into buffers of its own, with an offset of 0.
    packed = pa.concat_arrays([values.cast(pa.large_binary())])
    if not len(packed):
        return pa.array([], pa.large_string())
    _, offsets, data = packed.buffers()
    digits = pa.py_buffer(bytes(data).hex().encode() if data is not None else b"")
    doubled = np.frombuffer(offsets, np.int64, len(packed) + 1) * 2
    text = pa.LargeStringArray.from_buffers(
        len(packed), pa.py_buffer(doubled), pa.py_buffer(digits)
    )
    return pc.if_else(packed.is_valid(), text, pa.scalar(None, pa.large_string()))


def harmless_table(table: pa.Table, columns: Collection[str] | None) -> pa.Table:
    """Return a table whose texts in some columns (None: in all), and names, are harmless."""
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if columns is None or name in columns:
            chunks = [_harmless_array(chunk) for chunk in column.chunks]
            table = table.set_column(place, name, pa.chunked_array(chunks, column.type))
    return table.rename_columns([harmless(name) for name in table.column_names])


def _harmless_array(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_dictionary(kind):
        entries = _harmless_array(array.dictionary)
        return pa.DictionaryArray.from_arrays(array.indices, entries, ordered=kind.ordered)
    if not is_text(kind):
        return array
    texts = array.to_pylist()
    changed = [text if text is None else harmless(text) for text in texts]
    return array if changed == texts else pa.array(changed, kind)
