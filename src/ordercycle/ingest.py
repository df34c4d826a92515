"""From a source to blocks of checked rows, laid out by customer hash.

Rows are taken in runs that fit the processor's cache. Each run is read into scratch arrays,
checked, and laid out by partition in the block's memory; runs are independent, so that threads
share nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle.arrow_views import BytesView, validity
from ordercycle.blocks import (
    AMOUNT,
    AMOUNT_HIGH,
    COLUMN_TYPES,
    DAY,
    HASH,
    ORDER,
    ROW,
    Block,
    BytesColumn,
)
from ordercycle.columns import Columns
from ordercycle.problems import Problems, Trouble
from ordercycle.readers import AmountReader, IdReader, TimeReader
from ordercycle.sources import Source
from ordercycle.workspace import Workers, Workspace
from ordercycle_kernels import partition
from ordercycle_kernels.calendar import NO_DAY

#: Rows of a run: measured best on 2 MB of cache per core; 2**16 and 2**20 are 10 % slower.
RUN_ROWS = 2**18
#: A block of a stream is laid out when it has this many rows; a larger batch is not cut.
BLOCK_ROWS = 2**22
#: Rows of a partition to aim for, and the most partitions a run can be laid out by.
PARTITION_ROWS = 100_000
MAX_PARTITION_BITS = 12
#: Partitions of a stream whose length is not known: good for 10 to 1,000 million rows.
STREAM_PARTITION_BITS = 10

CUSTOMER_IDS, ORDER_IDS = "customer", "order"

Report = Callable[[int], None]


def partition_bits_for(rows: int | None) -> int:
    """Return the base-two logarithm of the number of partitions."""
    if rows is None:
        return STREAM_PARTITION_BITS
    bits = max(0, -(-rows // PARTITION_ROWS) - 1).bit_length()
    return min(MAX_PARTITION_BITS, bits)


@dataclass(frozen=True)
class Piece:
    """A stretch of a record batch, and the table's row at which it begins."""

    batch: pa.RecordBatch
    first_row: int


@dataclass
class Tally:
    """What reading counted."""

    rows: int = 0
    anonymous: int = 0
    dropped_refunds: int = 0
    first_day: int | None = None
    last_day: int | None = None

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.rows += other.rows
        self.anonymous += other.anonymous
        self.dropped_refunds += other.dropped_refunds
        self.see_days(other.first_day, other.last_day)

    def see_days(self, first: int | None, last: int | None) -> None:
        """Widen the range of days."""
        if first is not None and last is not None:
            self.first_day = first if self.first_day is None else min(self.first_day, first)
            self.last_day = last if self.last_day is None else max(self.last_day, last)


@dataclass
class Run:
    """The rows of one run in scratch arrays, before they are laid out."""

    columns: dict[str, NDArray[Any]]
    kept: NDArray[np.bool_]  # empty where every row is kept
    ids: dict[str, list[tuple[int, BytesView]]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    def leave_out(self, window: slice, keep: NDArray[np.bool_]) -> None:
        """Keep only the marked rows of a window."""
        if self.kept.size == 0:
            self.kept = np.ones(self.columns[HASH].size, np.bool_)
        self.kept[window] &= keep


class RowReader:
    """Reads the pieces of a table into a run; the two kinds of table differ in their columns."""

    names: tuple[str, ...]
    id_readers: dict[str, IdReader]

    def read(self, piece: Piece, window: slice, run: Run) -> None:
        """Read one piece into a window of the run's arrays."""
        raise NotImplementedError


@dataclass
class Ingested:
    """The blocks of a table, and what reading them counted."""

    blocks: list[Block]
    tally: Tally
    partition_bits: int


def ingest(
    source: Source,
    reader: RowReader,
    problems: Problems,
    *,
    partition_bits: int | None,
    workers: Workers,
    report: Report,
) -> Ingested:
    """Read a source to its end, check it and lay its rows out by customer hash.

    Raises
    ------
    DataError
        After the last row, so that the message can count the bad values.
    """
    tally = Tally()
    blocks: list[Block] = []
    for pieces, whole in _gathered(source):
        if partition_bits is None:
            known = sum(piece.batch.num_rows for piece in pieces) if whole else source.rows
            partition_bits = partition_bits_for(known)
        blocks.append(_lay_out(pieces, reader, problems, partition_bits, workers, tally, report))
    problems.check()
    return Ingested(blocks, tally, partition_bits or 0)


def _gathered(source: Source) -> Iterator[tuple[list[Piece], bool]]:
    """Yield pieces for one block after the other, and whether they are the whole source."""
    pieces: list[Piece] = []
    gathered = seen = 0
    first = True
    # What is in memory anyway is laid out in one block.
    limit = source.rows if source.rows is not None and source.in_memory else BLOCK_ROWS
    for batch in source.batches:
        if gathered and gathered >= limit:
            yield pieces, False
            pieces, gathered, first = [], 0, False
        for start in range(0, batch.num_rows, RUN_ROWS):
            pieces.append(Piece(batch.slice(start, RUN_ROWS), seen + start))
        gathered += batch.num_rows
        seen += batch.num_rows
    if pieces:
        yield pieces, first


def _runs(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    run: list[Piece] = []
    rows = 0
    for piece in pieces:
        if run and rows + piece.batch.num_rows > RUN_ROWS:
            yield run
            run, rows = [], 0
        run.append(piece)
        rows += piece.batch.num_rows
    if run:
        yield run


def _lay_out(
    pieces: list[Piece],
    reader: RowReader,
    problems: Problems,
    partition_bits: int,
    workers: Workers,
    tally: Tally,
    report: Report,
) -> Block:
    runs = list(_runs(pieces))
    sizes = [sum(piece.batch.num_rows for piece in run) for run in runs]
    begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    block = Block(
        {name: np.empty(int(begins[-1]), COLUMN_TYPES[name]) for name in reader.names},
        np.zeros((len(runs), (1 << partition_bits) + 1), np.int64),
    )
    bytes_names = [name for name, ids in reader.id_readers.items() if not ids.is_integer]
    for name in bytes_names:
        block.ids[name] = BytesColumn(
            np.zeros(int(begins[-1]), np.int64),
            np.zeros(int(begins[-1]), np.int64),
            np.zeros(0, np.uint8),
        )
    data: dict[str, list[NDArray[np.uint8]]] = {
        name: [np.zeros(0, np.uint8)] * len(runs) for name in bytes_names
    }

    def lay_out(number: int) -> Tally:
        scratch = {
            name: workers.workspace.array(f"run.{name}", sizes[number], COLUMN_TYPES[name])
            for name in reader.names
        }
        run = Run(scratch, np.zeros(0, np.bool_))
        begin = 0
        for piece in runs[number]:
            end = begin + piece.batch.num_rows
            reader.read(piece, slice(begin, end), run)
            begin = end
        if not problems:
            placed = _scatter(
                run, block, number, int(begins[number]), partition_bits, workers.workspace
            )
            for name, ids in placed.items():
                data[name][number] = ids
        return run.tally

    for number, run_tally in enumerate(workers.in_order(lay_out, range(len(runs)))):
        tally.add(run_tally)
        report(sizes[number])
    for name in bytes_names:
        _join_ids(block.ids[name], data[name], begins)
    return block


def _scatter(
    run: Run, block: Block, number: int, begin: int, partition_bits: int, workspace: Workspace
) -> dict[str, NDArray[np.uint8]]:
    """Lay a run out by partition in its part of the block; return the bytes of its ids."""
    hashes = run.columns[HASH]
    targets = workspace.array("run.targets", hashes.size, np.int32)
    offsets = block.offsets[number]
    partition.partition_rows(hashes, run.kept, 64 - partition_bits, offsets, targets)
    kept = int(offsets[-1])
    offsets += begin
    for name, values in run.columns.items():
        item = COLUMN_TYPES[name]
        # Scattered within the cache, then copied in one sweep: 7.6 ns a row instead of 10.4.
        laid_out = workspace.array(f"laid_out.{item}", kept, item)
        partition.scatter[item](values, targets, laid_out)
        block.columns[name][begin : begin + kept] = laid_out
    data = {}
    for name, views in run.ids.items():
        column = block.ids[name]
        lengths = np.empty(hashes.size, np.int64)
        for first, view in views:
            lengths[first : first + view.offsets.size - 1] = np.diff(view.offsets)
        placed = column.lengths[begin : begin + kept]
        partition.scatter["int64"](lengths, targets, placed)
        starts = column.starts[begin : begin + kept]
        np.cumsum(placed[:-1], out=starts[1:])
        data[name] = np.empty(int(placed.sum()), np.uint8)
        for first, view in views:
            part = targets[first : first + view.offsets.size - 1]
            partition.scatter_bytes(view.offsets, view.data, part, starts, data[name])
    return data


def _join_ids(
    column: BytesColumn, data: list[NDArray[np.uint8]], begins: NDArray[np.int64]
) -> None:
    """Join the runs' bytes and let the rows' starts count from the joined beginning."""
    filled = 0
    for number, part in enumerate(data):
        column.starts[begins[number] : begins[number + 1]] += filled
        filled += part.size
    column.data = np.concatenate([np.zeros(0, np.uint8), *data])


class OrderReader(RowReader):
    """Reads order rows: customer, day, amount and, where named, the order id."""

    def __init__(
        self,
        schema: pa.Schema,
        columns: Columns,
        problems: Problems,
        *,
        timezone: str,
        anonymous: str,
        drop_refunds: bool,
    ) -> None:
        table = problems.table
        self._columns = columns
        self._problems = problems
        self._anonymous_is_error = anonymous == "error"
        # With order lines, only the sum of an order tells whether it is a refund.
        self._drop_refunds = drop_refunds and columns.order is None
        self.time = TimeReader.of(schema.field(columns.time), table, timezone)
        self.amount = AmountReader.of(schema.field(columns.amount), table)
        self.id_readers = {CUSTOMER_IDS: IdReader.of(schema.field(columns.customer), table)}
        names = [HASH, DAY, AMOUNT]
        if self.amount.is_wide:
            names.append(AMOUNT_HIGH)
        if columns.order is not None:
            self.id_readers[ORDER_IDS] = IdReader.of(schema.field(columns.order), table)
            names.append(ORDER)
        self.names = tuple(names)

    def read(self, piece: Piece, window: slice, run: Run) -> None:
        """Read one piece of the orders into a window of the run's arrays."""
        run.tally.rows += piece.batch.num_rows
        customers = piece.batch.column(self._columns.customer)
        known = validity(customers)
        if known is not None:
            run.leave_out(window, known)
            run.tally.anonymous += int(np.count_nonzero(~known))
            if self._anonymous_is_error:
                self._problems.add(
                    Trouble(
                        self._columns.customer,
                        "is null",
                        'give the rows a customer, or pass anonymous="drop"',
                    ),
                    piece.first_row,
                    ~known,
                )
        _read_ids(self.id_readers[CUSTOMER_IDS], CUSTOMER_IDS, HASH, customers, window, run)
        read_days(
            self.time,
            piece,
            self._columns.time,
            window,
            run,
            known,
            self._problems,
            null_is_bad=True,
        )
        self._read_amounts(piece, window, run, known)
        if self._columns.order is not None:
            self._read_orders(piece, window, run, known)
        days = run.columns[DAY][window]
        if run.kept.size:
            days = days[run.kept[window]]
        if days.size:
            run.tally.see_days(int(days.min()), int(days.max()))

    def _read_amounts(
        self, piece: Piece, window: slice, run: Run, known: NDArray[np.bool_] | None
    ) -> None:
        name = self._columns.amount
        values = piece.batch.column(name)
        keys = run.columns[AMOUNT][window]
        refused = self.amount.keys_into(values, keys)
        if self.amount.is_wide:
            self.amount.highs_into(values, run.columns[AMOUNT_HIGH][window])
        present = validity(values)
        if present is not None:
            self._problems.add(
                Trouble(name, "is null", "fill or drop these rows before the call"),
                piece.first_row,
                _among(~present, known),
            )
        if refused:
            what, remedy = "is NaN or infinite", "drop or fix them, or map them before the call"
            if not self.amount.is_float:
                what, remedy = "exceeds int64", "cast the column to decimal128(38, 0)"
            bad = self.amount.refused(values)
            if present is not None:
                bad &= present
            self._problems.add(Trouble(name, what, remedy), piece.first_row, _among(bad, known))
        if self._drop_refunds:
            signs = run.columns[AMOUNT_HIGH][window] if self.amount.is_wide else keys
            refunds = _among(signs < 0, known)
            if refunds.any():
                run.tally.dropped_refunds += int(np.count_nonzero(refunds))
                run.leave_out(window, ~refunds)

    def _read_orders(
        self, piece: Piece, window: slice, run: Run, known: NDArray[np.bool_] | None
    ) -> None:
        name = str(self._columns.order)
        values = piece.batch.column(name)
        _read_ids(self.id_readers[ORDER_IDS], ORDER_IDS, ORDER, values, window, run)
        present = validity(values)
        if present is not None:
            self._problems.add(
                Trouble(
                    name,
                    "is null",
                    "fill or drop these rows, or leave order=None where every row is an order",
                ),
                piece.first_row,
                _among(~present, known),
            )


class CustomerReader(RowReader):
    """Reads the customers table: customer, registration day, and the row for messages."""

    names = (HASH, DAY, ROW)

    def __init__(
        self, schema: pa.Schema, columns: Columns, problems: Problems, *, timezone: str
    ) -> None:
        self._columns = columns
        self._problems = problems
        self.id_readers = {
            CUSTOMER_IDS: IdReader.of(schema.field(columns.customer), problems.table)
        }
        self.time = (
            TimeReader.of(schema.field(columns.registered), problems.table, timezone)
            if columns.registered is not None
            else None
        )

    def read(self, piece: Piece, window: slice, run: Run) -> None:
        """Read one piece of the customers into a window of the run's arrays."""
        rows = piece.batch.num_rows
        run.tally.rows += rows
        customers = piece.batch.column(self._columns.customer)
        known = validity(customers)
        if known is not None:
            self._problems.add(
                Trouble(self._columns.customer, "is null", "drop these rows before the call"),
                piece.first_row,
                ~known,
            )
        _read_ids(self.id_readers[CUSTOMER_IDS], CUSTOMER_IDS, HASH, customers, window, run)
        run.columns[ROW][window] = np.arange(piece.first_row, piece.first_row + rows)
        if self.time is None:
            run.columns[DAY][window] = NO_DAY
        else:
            read_days(
                self.time, piece, str(self._columns.registered), window, run, None, self._problems,
                null_is_bad=False,
            )  # fmt: skip


def _read_ids(
    reader: IdReader, use: str, column: str, values: pa.Array, window: slice, run: Run
) -> None:
    view = reader.hash_into(values, run.columns[column][window])
    if view is not None:
        run.ids.setdefault(use, []).append((window.start, view))


def read_days(
    reader: TimeReader,
    piece: Piece,
    name: str,
    window: slice,
    run: Run,
    known: NDArray[np.bool_] | None,
    problems: Problems,
    *,
    null_is_bad: bool,
) -> None:
    """Read a column of days into the run's; a null that is not bad becomes NO_DAY."""
    values = piece.batch.column(name)
    days = run.columns[DAY][window]
    refused = reader.days_into(values, days)
    present = validity(values)
    if refused:
        bad = days == NO_DAY
        if present is not None:
            bad &= present
        problems.add(
            Trouble(name, "is outside the years 1900 to 2199", "drop or fix these rows"),
            piece.first_row,
            _among(bad, known),
        )
    if present is None:
        return
    if null_is_bad:
        problems.add(
            Trouble(name, "is null", "fill or drop these rows before the call"),
            piece.first_row,
            _among(~present, known),
        )
    else:
        days[~present] = NO_DAY


def _among(bad: NDArray[np.bool_], known: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Leave anonymous rows out: nothing else about them matters."""
    return bad if known is None else bad & known
