"""Where results go: a file that appears whole or not at all, or CSV on stdout."""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from ordercycle._cli.errors import OneLineError, say
from ordercycle._cli.paths import DiskPath
from ordercycle._durable import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    import pyarrow as pa

Command = TypeVar("Command", bound="Callable[..., Any]")

SUFFIXES = (".parquet", ".arrow", ".feather", ".csv")
ROWS_PER_WRITE = 2**17  # of Parquet row groups and Arrow batches; profiles arrive smaller
#: Bytes of a table at most: of long ids, fewer rows.
BYTES_PER_WRITE = 2**24
#: Tables that wait for the writing thread: one more than it works on.
TABLES_AHEAD = 2
#: Columns whose values hardly repeat: a dictionary of them is built, given up and written anyway.
HARDLY_REPEATING = (
    "customer_id",
    "revenue",
    "average_order_value",
    "gap_square_sum",
    "gap_std",
    "missed_purchase_cycles",
    "revenue_first_90_days",
    "revenue_first_day",
)
#: Those of them that compression leaves as large, or hardly makes smaller: fractions.
HARDLY_SHRINKING = ("average_order_value", "gap_std", "missed_purchase_cycles")
#: How Parquet is written. 1.8 million profiles and their segments, CPU seconds and MB written:
#:
#: ====  =====  =======================================================================
#: 1.28  110.5  zstd, dictionaries for every column
#: 0.70   94.0  zstd, dictionaries for the other columns only
#: 0.50  108.9  snappy, the same (lz4: 0.50, 108.6)
#: 0.44  112.3  snappy, not for what hardly shrinks, in larger steps (without statistics: 0.41)
#: 0.41  115.5  snappy, the bytes of floats split into streams: newer readers only
#: 0.39  129.5  uncompressed
#: 0.26  249.3  uncompressed, no dictionaries
#: ====  =====  =======================================================================
#:
#: Row groups of 131 thousand to a million rows differ by less than a twentieth.
ROWS_PER_STEP = 2**14


def checked_out(_ctx: click.Context, _option: click.Parameter, value: Path | None) -> Path | None:
    """Refuse an --out whose ending names no format."""
    if value is not None and value.suffix.lower() not in SUFFIXES:
        raise click.BadParameter(
            f"{str(value)!r} must end in one of {', '.join(SUFFIXES)}: the ending is the format"
        )
    return value


def result_option(text: str) -> Callable[[Command], Command]:
    """Return ``--out`` of a table, with a help text."""
    return click.option(
        "--out",
        type=DiskPath(),
        callback=checked_out,
        metavar="FILE",
        help=f"Result: .parquet, .arrow, .feather or .csv. {text}",
    )


overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an existing result.")
quiet_option = click.option("--quiet", is_flag=True, help="Nothing on stderr but errors.")
harmless_option = click.option(
    "--harmless",
    is_flag=True,
    help="In CSV, put a ' before ids that a spreadsheet would run as a formula, as names of "
    "segments have it anyway. They no longer join with the orders then.",
)


def refuse_existing(out: Path | None, *, overwrite: bool, flag: str = "--out") -> None:
    """Stop before any work where the result could not be put in its place; flag: what names it."""
    if out is None:
        return
    folder = out.parent
    if not folder.is_dir():
        raise OneLineError(f"the folder {folder} of {flag} does not exist; create it first")
    if out.is_dir():
        raise OneLineError(f"{out} is a folder; {flag} names a file")
    if out.exists() and not overwrite:
        raise OneLineError(f"{out} exists; add --overwrite to replace it")


class ResultWriter:
    """Write tables of one schema, in pieces of a useful size.

    Files are written by a thread of their own, while the next tables are computed. Not so stdout:
    its reader may never go on, and an interruption could not end a thread that waits there.
    """

    def __init__(
        self,
        stream: IO[bytes],
        suffix: str,
        *,
        threaded: bool = False,
        harmless: Collection[str] | None = (),
    ) -> None:
        self._stream = stream
        self._suffix = suffix
        self._harmless = harmless  # columns of CSV that spreadsheets run nothing of; None: all
        self._writer: Any = None
        self._pending: list[pa.Table] = []
        self._pending_rows = self._pending_bytes = 0
        self._thread = ThreadPoolExecutor(1, "ordercycle-write") if threaded else None
        self._writing: deque[Future[None]] = deque()
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        """Take a table over; it is written once enough rows have come together."""
        if self._pending_rows + table.num_rows > ROWS_PER_WRITE:
            self._hand_over()
        self._pending.append(table)
        self._pending_rows += table.num_rows
        self._pending_bytes += table.nbytes
        self.rows += table.num_rows
        if self._pending_rows >= ROWS_PER_WRITE or self._pending_bytes >= BYTES_PER_WRITE:
            self._hand_over()

    def close(self) -> None:
        """Write what is left and the file's end."""
        self._flush()
        if self._thread is not None:
            self._thread.shutdown()
        if self._writer is not None:
            self._writer.close()

    def abandon(self) -> None:
        """Let go of a result that will not be finished, while its stream is still open."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        if self._writer is not None:
            with suppress(Exception):  # whatever stopped the result may stop this as well
                self._writer.close()

    def _flush(self) -> None:
        """Return when all rows are with the stream."""
        self._hand_over()
        self._wait(0)

    def _hand_over(self) -> None:
        if not self._pending:
            return
        import pyarrow as pa

        table = pa.concat_tables(self._pending)
        self._pending = []
        self._pending_rows = self._pending_bytes = 0
        if self._thread is None:
            self._encode(table)
            return
        self._writing.append(self._thread.submit(self._encode, table))
        self._wait(TABLES_AHEAD)

    def _wait(self, still_writing: int) -> None:
        """Wait until no more tables than that are being written; raise what stopped one."""
        while len(self._writing) > still_writing:
            self._writing.popleft().result()

    def _encode(self, table: pa.Table) -> None:
        if self._suffix == ".csv":
            from ordercycle._cli.csv_text import columns_of_bytes, csv_ready, harmless_table

            if self._writer is None:
                _say_what_is_hexadecimal(columns_of_bytes(table.schema))
            table = harmless_table(csv_ready(table), self._harmless)
        if self._writer is None:
            self._writer = _open_writer(self._stream, table.schema, self._suffix)
        self._writer.write_table(table)


def _say_what_is_hexadecimal(names: Iterable[str]) -> None:
    for name in names:
        say(
            f"ordercycle: {name} is binary, and CSV has it in hexadecimal digits; where it is "
            "text, ordercycle profile --customer 'text(...)' reads it as UTF-8; .parquet and "
            ".arrow keep it as it is"
        )


def _open_writer(stream: IO[bytes], schema: pa.Schema, suffix: str) -> Any:
    if suffix == ".parquet":
        from pyarrow import parquet

        repeating = [name for name in schema.names if name not in HARDLY_REPEATING]
        return parquet.ParquetWriter(
            stream,
            schema,
            compression=_compression(schema),
            use_dictionary=repeating or False,
            write_batch_size=ROWS_PER_STEP,
        )
    if suffix == ".csv":
        from pyarrow import csv

        return csv.CSVWriter(stream, schema)
    from pyarrow import ipc

    # Dictionaries may differ between batches only as long as they grow.
    return ipc.new_file(stream, schema, options=ipc.IpcWriteOptions(unify_dictionaries=True))


def _compression(schema: pa.Schema) -> str | dict[str, str]:
    import pyarrow as pa

    if any(pa.types.is_nested(field.type) for field in schema):
        return "snappy"  # nested columns are named otherwise in the file
    return {name: "none" if name in HARDLY_SHRINKING else "snappy" for name in schema.names}


@contextmanager
def result_writer(
    out: Path | None, *, overwrite: bool, harmless: Collection[str] | None = ()
) -> Iterator[ResultWriter]:
    """Open the result: the file `out`, or CSV on stdout where there is none.

    harmless: the columns of which a spreadsheet that opens CSV is to run nothing; None: all.
    The file takes its place when it is whole and on the disk.
    """
    refuse_existing(out, overwrite=overwrite)
    if out is None:
        if sys.stdout is None:
            raise OneLineError("stdout is closed; name a file with --out")
        stdout = sys.stdout.buffer
        with _finished(ResultWriter(stdout, ".csv", harmless=harmless)) as writer:
            yield writer
        stdout.flush()
        return
    with replacing(out) as stream:
        suffix = out.suffix.lower()
        made = ResultWriter(stream, suffix, threaded=True, harmless=harmless)
        with _finished(made) as writer:
            yield writer
        refuse_existing(out, overwrite=overwrite)  # it may have appeared meanwhile


@contextmanager
def _finished(writer: ResultWriter) -> Iterator[ResultWriter]:
    try:
        yield writer
        writer.close()
    except BaseException:
        writer.abandon()
        raise
