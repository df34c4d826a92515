"""Arrow IPC files: parts are a few record batches."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from ordercycle.sources.file_list import DataFile
from ordercycle.sources.file_look import Look

#: Record batches of a part; writers make them of 64 thousand rows to a million.
PART_BATCHES = 8


def look(file: DataFile) -> Look:
    """Read the footer."""
    from pyarrow import ipc

    with pa.OSFile(file.path) as stream:
        opened = ipc.open_file(stream)
        batches = range(opened.num_record_batches)
        parts = [batches[start : start + PART_BATCHES] for start in batches[::PART_BATCHES]]
        return Look(opened.schema, None, parts, stream.size() // max(1, len(batches)))


def read(
    file: DataFile,
    batches: range,
    columns: pa.Schema,
    batch_bytes: int | None,  # noqa: ARG001 - batches come as they were written
) -> Iterator[pa.RecordBatch]:
    """Read columns of some record batches, on the thread that asks."""
    from pyarrow import ipc

    with pa.OSFile(file.path) as stream:
        schema = ipc.open_file(stream).schema
        fields = [schema.get_field_index(column) for column in columns.names]
        options = ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        opened = ipc.open_file(stream, options=options)
        for number in batches:
            yield opened.get_batch(number)
