"""Records of text that are plain, read by a kernel at once: several times as fast as all others.

The kernel reads what it is sure of, and nothing where it meets anything else: the same bytes then
go the way of all text, which knows every way to write a value, and every message.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from ordercycle._arrow_views import array_of, bitmap
from ordercycle._sources.text.columns import TextColumn
from ordercycle._sources.text.header import Header
from ordercycle_kernels import records
from ordercycle_kernels.records import DAYS, NOT_PLAIN, SKIPPED, TEXT


class PlainRecords(NamedTuple):
    """What is read of each field of a record: (f,) kinds and numbers of columns.

    fields: (k,), where columns are in a record.
    """

    schema: pa.Schema
    delimiter: int
    kinds: NDArray[np.int64]
    columns: NDArray[np.int64]
    fields: list[int]

    def read(self, content: Any) -> pa.RecordBatch | None:
        """Return the columns of whole records, or None where something is not plain."""
        data = np.frombuffer(content, np.uint8)
        if data.size == 0:
            return None
        width, most = len(self.schema), records.count_ends(data) + 1
        values = _room((width, most), np.int64)
        has_texts = TEXT in self.kinds
        lengths = _room((width, most) if has_texts else (0, 0), np.int64)
        known = _room((width, most), np.bool_)
        missing = np.empty(width, np.int64)
        found = records.read_records(
            data,
            self.delimiter,
            self.kinds,
            self.columns,
            values,
            values.view(np.float64),
            lengths,
            known,
            missing,
        )
        if found == NOT_PLAIN:
            return None
        arrays = []
        for column, of_schema in enumerate(self.schema):
            kind = self.kinds[self.fields[column]]
            valid = bitmap(known[column, :found]) if missing[column] else None
            here = values[column, :found]
            if kind == TEXT:
                texts = _texts(data, here, lengths[column, :found], valid)
                if texts is None:
                    return None
                arrays.append(texts)
            else:
                here = here.astype(np.int32) if kind == DAYS else here
                arrays.append(array_of(here, of_schema.type, valid))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def plain_records(
    head: Header, schema: pa.Schema, columns: dict[str, TextColumn]
) -> PlainRecords | None:
    """Return what reads columns in their types, or None where these are nothing for it."""
    fields = [head.names.index(name) for name in schema.names]
    kinds = np.full(len(head.names), SKIPPED, np.int64)
    places = np.zeros(len(head.names), np.int64)
    for number, (name, place) in enumerate(zip(schema.names, fields, strict=True)):
        kind = columns[name].plain_kind(schema.field(name).type)
        if kind is None:
            return None
        kinds[place], places[place] = kind, number
    return PlainRecords(schema, ord(head.delimiter), kinds, places, fields) if fields else None


def _texts(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    valid: pa.Buffer | None,
) -> pa.Array | None:
    """Return texts, or None where they are not encoded in UTF-8."""
    offsets = _room((starts.size + 1,), np.int32)
    copy = _room((int(lengths.sum()),), np.uint8)
    is_ascii = records.copy_texts(data, starts, lengths, offsets, copy)
    buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(copy)]
    texts = pa.Array.from_buffers(pa.string(), starts.size, buffers)
    if not is_ascii:
        try:
            texts.validate(full=True)
        except pa.ArrowInvalid:
            return None
    return texts


def _room(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return memory of Arrow's pool, which keeps what is given back: fresh one costs to touch."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(pa.allocate_buffer(size), np.uint8).view(dtype).reshape(shape)
