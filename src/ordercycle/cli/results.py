"""Where results go: a file that appears whole or not at all, or CSV on stdout."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ordercycle.cli.endings import OneLineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

SUFFIXES = (".parquet", ".arrow", ".feather", ".csv")
ROWS_PER_WRITE = 131_072  # of Parquet row groups and Arrow batches; profiles arrive smaller


def checked_out(_ctx: click.Context, _option: click.Parameter, value: Path | None) -> Path | None:
    """Refuse an --out whose ending names no format."""
    if value is not None and value.suffix.lower() not in SUFFIXES:
        raise click.BadParameter(
            f"{str(value)!r} must end in one of {', '.join(SUFFIXES)}: the ending is the format"
        )
    return value


def refuse_existing(out: Path | None, *, overwrite: bool) -> None:
    """Stop before any work where the result could not be put in its place."""
    if out is None:
        return
    folder = out.parent
    if not folder.is_dir():
        raise OneLineError(f"the folder {folder} of --out does not exist; create it first")
    if out.is_dir():
        raise OneLineError(f"{out} is a folder; --out names a file")
    if out.exists() and not overwrite:
        raise OneLineError(f"{out} exists; add --overwrite to replace it")


class ResultWriter:
    """Write tables of one schema, in pieces of a useful size."""

    def __init__(self, stream: IO[bytes], suffix: str) -> None:
        self._stream = stream
        self._suffix = suffix
        self._writer: Any = None
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        """Take a table over; it is written once enough rows have come together."""
        self._pending.append(table)
        self._pending_rows += table.num_rows
        self.rows += table.num_rows
        if self._pending_rows >= ROWS_PER_WRITE:
            self._flush()

    def close(self) -> None:
        """Write what is left and the file's end."""
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def abandon(self) -> None:
        """Let go of a result that will not be finished, while its stream is still open."""
        if self._writer is not None:
            with suppress(Exception):  # whatever stopped the result may stop this as well
                self._writer.close()

    def _flush(self) -> None:
        if not self._pending:
            return
        import pyarrow as pa

        table = pa.concat_tables(self._pending)
        self._pending, self._pending_rows = [], 0
        if self._suffix == ".csv":
            from ordercycle.cli.csv_text import csv_ready

            table = csv_ready(table)
        if self._writer is None:
            self._writer = _open_writer(self._stream, table.schema, self._suffix)
        self._writer.write_table(table)


def _open_writer(stream: IO[bytes], schema: pa.Schema, suffix: str) -> Any:
    if suffix == ".parquet":
        from pyarrow import parquet

        return parquet.ParquetWriter(stream, schema, compression="zstd")
    if suffix == ".csv":
        from pyarrow import csv

        return csv.CSVWriter(stream, schema)
    from pyarrow import ipc

    # Dictionaries may differ between batches only as long as they grow.
    return ipc.new_file(stream, schema, options=ipc.IpcWriteOptions(unify_dictionaries=True))


@contextmanager
def result_writer(out: Path | None, *, overwrite: bool) -> Iterator[ResultWriter]:
    """Open the result: the file `out`, or CSV on stdout where there is none.

    The file is written under a temporary name beside its place, synced to disk and renamed.
    If anything goes wrong the temporary file is removed; if the process is killed it stays,
    but a half-written result never carries the final name.
    """
    refuse_existing(out, overwrite=overwrite)
    if out is None:
        if sys.stdout is None:
            raise OneLineError("stdout is closed; name a file with --out")
        stdout = sys.stdout.buffer
        with _finished(ResultWriter(stdout, ".csv")) as writer:
            yield writer
        stdout.flush()
        return
    place = Path(os.path.realpath(out))  # through a link, so that the link stays a link
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as stream:
            with _finished(ResultWriter(stream, place.suffix.lower())) as writer:
                yield writer
            stream.flush()
            os.fsync(stream.fileno())
        refuse_existing(out, overwrite=overwrite)  # it may have appeared meanwhile
        temporary.replace(place)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(out)  # a full disk does not say which file it was
        raise
    _sync_folder(place.parent)


@contextmanager
def _finished(writer: ResultWriter) -> Iterator[ResultWriter]:
    try:
        yield writer
        writer.close()
    except BaseException:
        writer.abandon()
        raise


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself survive a power cut, where the system allows it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
