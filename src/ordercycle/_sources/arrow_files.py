"""Arrow IPC files: parts are a few record batches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from ordercycle._arrow_views import batch_of_file
from ordercycle._sources.file_list import DataFile, Look
from ordercycle._sources.read_request import ReadRequest
from ordercycle._sources.validation import Inspector

#: Record batches of a part; writers make them of 64 thousand rows to a million.
PART_BATCHES = 8
#: A batch is not cut into fewer rows.
LEAST_ROWS = 2**10


def look(file: DataFile, request: ReadRequest) -> Look:  # noqa: ARG001 - the footer says all
    """Read the footer."""
    from pyarrow import ipc

    with file.open() as stream:
        opened = ipc.open_file(stream)
        batches = range(opened.num_record_batches)
        parts = [batches[start : start + PART_BATCHES] for start in batches[::PART_BATCHES]]
        held = partial(int, stream.size() // max(1, len(batches)))
        return Look(opened.schema, None, parts, held)


def read(
    file: DataFile,
    batches: range,
    columns: pa.Schema,
    request: ReadRequest,  # noqa: ARG001 - the file says all
    batch_bytes: int | None,
) -> Iterator[pa.RecordBatch]:
    """Read columns of some record batches, on the calling thread.

    batch_bytes: of a batch, roughly, with what dictionaries stand for; None: as they were written.
    """
    from pyarrow import ipc

    with file.open() as stream:
        schema = ipc.open_file(stream).schema
        fields = [schema.get_field_index(column) for column in columns.names]
        options = ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        opened = ipc.open_file(stream, options=options)
        inspector = Inspector()
        for number in batches:
            batch = batch_of_file(opened, number)
            inspector.check(batch)
            rows = max(1, batch.num_rows)
            if batch_bytes is not None:
                rows = max(LEAST_ROWS, int(batch_bytes / max(1.0, _row_bytes(batch))))
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)


def _row_bytes(batch: pa.RecordBatch) -> float:
    """Return the bytes of a row, on average, with what its dictionaries stand for."""
    columns = [
        column.dictionary if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return sum(float(column.nbytes) / max(1, len(column)) for column in columns)
