"""Profiles in files, read again and again in bounded memory."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ordercycle.cli.endings import OneLineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

ROWS_PER_PIECE = 131_072


@dataclass(frozen=True)
class ProfileFile:
    """A profile in a .parquet, .arrow or .feather file."""

    path: Path

    def __post_init__(self) -> None:
        if self.path.suffix.lower() not in {".parquet", ".arrow", ".feather"}:
            raise click.UsageError(
                f"{self.path} must end in .parquet, .arrow or .feather: a profile keeps its types "
                "there"
            )

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows in pieces; an empty profile still yields its schema.

        columns: those that are read, as far as they are there; None: all.
        """
        parquet = self.path.suffix.lower() == ".parquet"
        with self._readable():
            yield from self._parquet_pieces(columns) if parquet else self._arrow_pieces(columns)

    def rows(self) -> int | None:
        """Return the number of rows; None where the whole file would have to be read for it."""
        if self.path.suffix.lower() != ".parquet":
            return None
        from pyarrow import parquet

        with self._readable(), parquet.ParquetFile(self.path) as file:
            return int(file.metadata.num_rows)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
            raise OneLineError(
                f"{self.path} cannot be read as {self.path.suffix[1:].lower()}: "
                f"{' '.join(str(error).split())}"
            ) from None

    def _parquet_pieces(self, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        import pyarrow as pa
        from pyarrow import parquet

        with parquet.ParquetFile(self.path, page_checksum_verification=True) as file:
            names = _there(columns, file.schema_arrow)
            if not file.metadata.num_rows:
                yield file.schema_arrow.empty_table().select(names)
            for batch in file.iter_batches(ROWS_PER_PIECE, columns=names):
                batch.validate(full=True)
                yield pa.Table.from_batches([batch])

    def _arrow_pieces(self, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        import pyarrow as pa
        from pyarrow import ipc

        # Not mapped: pages of a file that is cut short meanwhile would end the process.
        with pa.OSFile(str(self.path)) as source:
            file = ipc.open_file(source)
            names = _there(columns, file.schema)
            if not file.num_record_batches:
                yield file.schema.empty_table().select(names)
            for number in range(file.num_record_batches):
                batch = file.get_batch(number).select(names)
                batch.validate(full=True)
                yield pa.Table.from_batches([batch])


def _there(columns: Sequence[str] | None, schema: pa.Schema) -> list[str]:
    return [name for name in schema.names if columns is None or name in columns]
