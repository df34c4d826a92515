"""Profiles in files or on stdin, read again and again in bounded memory."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ordercycle._cli.errors import OneLineError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import pyarrow as pa

    from ordercycle._sources.row_source import Source

ROWS_PER_PIECE = 131_072
STDIN = Path("-")
WHAT = "the profile"
#: Endings of files for what is piped in, by its kind.
SUFFIXES = {"stream": ".arrow", "ipc": ".arrow", "parquet": ".parquet", "": ".csv"}


@dataclass(frozen=True)
class ProfileRows:
    """A profile in a file of any format that is read."""

    path: Path

    def pieces(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows in pieces; an empty profile still yields its schema.

        columns: those that are read, as far as they are there; None: all.
        """
        import pyarrow as pa

        from ordercycle._segments.profile_tables import as_declared
        from ordercycle._sources.files import schema_of_first
        from ordercycle._sources.read_request import ReadRequest

        written = schema_of_first([str(self.path)], ReadRequest(WHAT, {}))
        source = self._opened(columns)
        # Which columns are never null is lost on the way, and the result says so again.
        schema = pa.schema(
            [one.with_nullable(written.field(one.name).nullable) for one in source.schema]
        )
        row = 0
        try:
            for batch in source.batches:
                table = pa.table(batch.columns, schema=schema)
                for start in range(0, table.num_rows, ROWS_PER_PIECE):
                    piece = table.slice(start, ROWS_PER_PIECE)
                    yield as_declared(piece, WHAT, first_row=row, nan_is_null=True)
                    row += piece.num_rows
        finally:
            source.close()
        if row == 0:
            yield as_declared(schema.empty_table(), WHAT)

    def rows(self) -> int | None:
        """Return the number of rows; None where the whole file would have to be read for it."""
        source = self._opened(None)
        source.close()
        return source.rows

    def _opened(self, columns: Collection[str] | None) -> Source:
        from ordercycle._segments.profile_tables import role_of
        from ordercycle._sources.opening import open_all

        return open_all(self.path, WHAT, role_of, threads=1, columns=columns)


@contextmanager
def profile_rows(path: Path) -> Iterator[ProfileRows]:
    """Open a profile; what comes from stdin is kept in a file until it was read.

    It is an Arrow stream or file, Parquet, or else CSV.
    """
    if path != STDIN:
        yield ProfileRows(path)
        return
    if sys.stdin is None:
        raise OneLineError("stdin is closed; name a file")
    with tempfile.TemporaryDirectory(prefix="ordercycle-") as folder:
        yield ProfileRows(_kept(sys.stdin.buffer, Path(folder)))


def _kept(stream: IO[bytes], folder: Path) -> Path:
    """Write what is piped in to a file of the format that it has."""
    from ordercycle._sources.standard_input import begun

    kind, whole = begun(stream)
    kept = folder / f"stdin{SUFFIXES[kind]}"
    if kind == "stream":
        _write_batches(whole, kept)
        return kept
    with kept.open("wb") as file:
        shutil.copyfileobj(whole, file)
    return kept


def _write_batches(stream: IO[bytes], kept: Path) -> None:
    """Write an Arrow stream as a file; dictionaries as values, as those of a file stay the same."""
    import pyarrow as pa

    from ordercycle._sources.validation import validated

    try:
        with pa.ipc.open_stream(stream) as batches:
            schema = pa.schema(
                field.with_type(field.type.value_type)
                if pa.types.is_dictionary(field.type)
                else field
                for field in batches.schema
            )
            with pa.ipc.new_file(str(kept), schema) as file:
                for batch in validated(batches, WHAT):
                    file.write_batch(batch.cast(schema))
    except (pa.ArrowInvalid, OSError) as error:
        if getattr(error, "errno", None) is not None:  # of the disk
            raise
        raise OneLineError(f"the Arrow stream on stdin cannot be read: {error}") from None
