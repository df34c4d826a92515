"""Batches of foreign readers in which nobody has an id: whose files may lack the column.

A pyarrow Dataset gives rows of a file that spells a column's name in another way nulls for it, and
does not say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pyarrow as pa

from ordercycle._errors import counted, warn
from ordercycle._sources.row_source import Source
from ordercycle._sources.wanted import Wanted


def no_file() -> str:
    """Say of a batch that no file is known that it is from."""
    return ""


def noticed(source: Source, wanted: Wanted, file: Callable[[], str] = no_file) -> Source:
    """Return a source that warns after its last batch where in some all customers are missing.

    file: names the file of the last batch, or nothing.
    """
    column = next((name for name, role in wanted.roles.items() if role == "customer"), None)
    if column is None:
        return source
    return replace(source, batches=_noticed(source, column, file))


def _noticed(source: Source, column: str, file: Callable[[], str]) -> Iterator[pa.RecordBatch]:
    batches = rows = 0
    first = ""
    for batch in source.batches:
        if batch.num_rows and batch.column(column).null_count == batch.num_rows:
            first = first or file()
            batches, rows = batches + 1, rows + batch.num_rows
        yield batch
    if batches:
        where = f", those of {first!r} among them" if first else ""
        warn(
            f"{source.name}: {column} is null in all rows of {_whole(batches)}{where} "
            f"({counted(rows, 'row')}), as it is where files spell the column in another way; look "
            "at them, or pass the paths of the files, of which each then has to have it"
        )


def _whole(batches: int) -> str:
    return "a batch" if batches == 1 else counted(batches, "batch", "batches")
