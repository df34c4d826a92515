"""Parquet files: what their footers tell, and parts of a few row groups that are read alone."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from ordercycle.sources.file_list import DataFile
from ordercycle.sources.file_look import Look
from ordercycle.sources.read_ahead import BATCH_ROWS, PART_ROWS

#: Bytes of a column that are read at a time; as fast as whole columns.
BUFFER_BYTES = 2**20


def look(file: DataFile) -> Look:
    """Read the footer."""
    from pyarrow import parquet

    with parquet.ParquetFile(file.path) as opened:
        metadata = opened.metadata
        sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        return Look(opened.schema_arrow, metadata.num_rows, _parts(sizes))


def _parts(sizes: list[int]) -> list[range]:
    """Put row groups together until they have the rows of a part."""
    parts: list[range] = []
    first = rows = 0
    for number, size in enumerate(sizes):
        rows += size
        if rows >= PART_ROWS or number + 1 == len(sizes):
            parts.append(range(first, number + 1))
            first, rows = number + 1, 0
    return parts


def read(file: DataFile, groups: range, columns: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Read columns of some row groups, on the thread that asks."""
    from pyarrow import parquet

    # Neither mapped into memory (mapped pages of a file that is cut short meanwhile, or of a disk
    # that fails, end the process instead of raising) nor buffered ahead (which holds whole row
    # groups, 469 MB of one with 20 million rows where this takes 118, on threads of its own).
    with parquet.ParquetFile(file.path, pre_buffer=False, buffer_size=BUFFER_BYTES) as opened:
        yield from opened.iter_batches(
            BATCH_ROWS, row_groups=list(groups), columns=columns.names, use_threads=False
        )
