"""Readers of the two kinds of table: rows of record batches into the arrays of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import validity
from ordercycle._columns import Columns, customer_of_listing
from ordercycle._errors import Option, Text
from ordercycle._expressions.language import as_written
from ordercycle._ingest.bad_values import Problems, Trouble
from ordercycle._ingest.blocks import (
    AMOUNT,
    AMOUNT_HIGH,
    CUSTOMER_IDS,
    DAY,
    HASH,
    ID_COLUMNS,
    INSTANT,
    MISSING,
    MORE_OTHERS,
    ORDER,
    ORDER_IDS,
    OTHERS,
    ROW,
)
from ordercycle._ingest.column_readers import AmountReader, IdReader, TimeReader
from ordercycle._ingest.id_bytes import DamagedIdsError
from ordercycle._ingest.id_columns import IdColumn, IdPiece
from ordercycle._ingest.nobody import Nobody
from ordercycle._ingest.row_identity import check_comparable, instants, words_of_rows
from ordercycle._policies import Policies
from ordercycle._sources.computed_columns import ONLY
from ordercycle._sources.validation import REMAKE
from ordercycle_kernels.calendar import NO_DAY


@dataclass(frozen=True)
class Marks:
    """Which rows of a piece count, mean nobody, and do count and have a customer; None: no mark."""

    counting: NDArray[np.bool_] | None
    nobody: NDArray[np.bool_] | None
    known: NDArray[np.bool_] | None


@dataclass(frozen=True)
class Piece:
    """A stretch of a record batch, and the table's row at which it begins.

    marks: those of its rows, once they were looked for.
    """

    batch: pa.RecordBatch
    first_row: int
    marks: list[Marks] = field(default_factory=list, init=False, repr=False, compare=False)


@dataclass
class Tally:
    """What reading counted."""

    rows: int = 0
    anonymous: int = 0
    nobody: int = 0
    left_out: int = 0
    dropped_refunds: int = 0
    duplicates: int = 0
    first_day: int | None = None
    last_day: int | None = None

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.rows += other.rows
        self.anonymous += other.anonymous
        self.nobody += other.nobody
        self.left_out += other.left_out
        self.dropped_refunds += other.dropped_refunds
        self.duplicates += other.duplicates
        self.see_days(other.first_day, other.last_day)

    def see_days(self, first: int | None, last: int | None) -> None:
        """Widen the range of days."""
        if first is not None and last is not None:
            self.first_day = first if self.first_day is None else min(self.first_day, first)
            self.last_day = last if self.last_day is None else max(self.last_day, last)


@dataclass
class Run:
    """The rows of one run: scratch arrays, or views of the input where nothing changes."""

    columns: dict[str, NDArray[Any]]
    kept: NDArray[np.bool_]  # empty where every row is kept
    ids: dict[str, list[IdPiece]] = field(default_factory=dict)  # of several bytes, by use
    has_hashes: bool = False  # those that are kept are there already
    tally: Tally = field(default_factory=Tally)

    def put(self, name: str, window: slice, values: NDArray[Any]) -> None:
        """Set a window of a column; a window of the whole run becomes the column."""
        column = self.columns[name]
        if window.stop - window.start == column.size and values.flags.c_contiguous:
            self.columns[name] = values
        else:
            column[window] = values

    def leave_out(self, window: slice, keep: NDArray[np.bool_]) -> None:
        """Keep only the marked rows of a window."""
        if self.kept.size == 0:
            self.kept = np.ones(self.columns[DAY].size, np.bool_)
        self.kept[window] &= keep


class RowReader(ABC):
    """Reads the pieces of a table into a run."""

    _problems: Problems
    #: The columns read, and the readers of those that hold ids.
    names: tuple[str, ...]
    id_readers: dict[str, IdReader]
    ids_are_numbers: bool  # plain integers, all of them

    def _prepare(self, table: str, names: Sequence[str], ids: Mapping[str, pa.Field]) -> None:
        """Return which columns are read: of ids by use, one field of the table each."""
        self._ids = {use: IdColumn(field, table, use) for use, field in ids.items()}
        self.id_readers = {use: column.ids for use, column in self._ids.items()}
        self.names = (*names, *(name for column in self._ids.values() for name in column.places))
        self.ids_are_numbers = all(column.are_numbers for column in self._ids.values())
        #: The columns of hashes that are read once and kept until the rows are laid out.
        self.kept_hashes = tuple(
            ID_COLUMNS[use].hash for use, column in self._ids.items() if column.hashes_are_kept
        )

    @abstractmethod
    def locate(self, piece: Piece, window: slice, run: Run) -> None:
        """Read what says where rows go: hash, ids, and which rows are kept."""

    @abstractmethod
    def read(self, piece: Piece, window: slice, run: Run) -> None:
        """Read everything, check it and count it."""

    def id_bytes(self, batch: pa.RecordBatch) -> int:
        """Return the bytes of a row's ids, on average."""
        return sum(column.bytes_each(batch) for column in self._ids.values())

    def end(self) -> None:
        """Let go of what was kept for the next rows: there are none."""
        for column in self._ids.values():
            column.forget_dictionaries()

    def _read_ids(self, use: str, piece: Piece, window: slice, run: Run) -> None:
        column = self._ids[use]
        with_hashes = not (run.has_hashes and column.hashes_are_kept)
        try:
            found = column.read(piece.batch, window, run.columns, with_hashes=with_hashes)
        except DamagedIdsError as error:
            trouble = Trouble(column.name, "is outside the column's data", REMAKE)
            damage = Problems(self._problems.table, self._problems.place)
            damage.add(trouble, piece.first_row, error.bad)
            damage.check()
            raise
        if found is not None:
            run.ids.setdefault(use, []).append(found)


def null_remedy(column: str) -> Text:
    """Return what to do about missing values of a column."""
    condition = f"{as_written(column)} is not null"
    return ("fill these rows, or leave them out with ", Option("only", condition))


ORDER_REMEDY: Text = (
    "fill or drop these rows, or leave ",
    Option("Columns.order"),
    " out where every row is an order",
)


class OrderReader(RowReader):
    """Reads order rows: customer, day, amount and, where named, the order id."""

    def __init__(
        self, schema: pa.Schema, columns: Columns, problems: Problems, policies: Policies
    ) -> None:
        table = problems.table
        self._columns = columns
        self._problems = problems
        self._anonymous_is_error = policies.anonymous == "error"
        self._may_miss_amounts = policies.amount_per == "order"
        self.compares_rows = policies.duplicates != "keep"
        # With order lines, only the sum of an order tells whether it is a refund; and what is
        # there twice is no refund of its own.
        self.drops_refunds = (
            policies.refunds == "drop" and columns.order is None and not self.compares_rows
        )
        self.time = TimeReader.of(schema.field(columns.time), table, policies.times)
        self.amount = amount_reader(schema, columns, table)
        ids = {CUSTOMER_IDS: schema.field(columns.customer)}
        names = [HASH, DAY, AMOUNT]
        if self.amount.is_wide:
            names.append(AMOUNT_HIGH)
        if columns.order is not None:
            ids[ORDER_IDS] = schema.field(columns.order)
            names.append(ORDER)
        if self._may_miss_amounts:
            names.append(MISSING)
        roles = (columns.customer, columns.time, columns.amount, columns.order, ONLY)
        self._others = tuple(name for name in schema.names if name not in roles)
        if self.compares_rows:
            check_comparable(schema, self._others)
            names += [] if pa.types.is_date32(self.time.kind) else [INSTANT]
            names += [OTHERS, MORE_OTHERS] if self._others else []
            names += [ROW] if policies.duplicates == "error" else []
        self._prepare(table, names, ids)
        self._nobody = (
            Nobody.of(policies.nobody, ids[CUSTOMER_IDS].type) if policies.nobody else None
        )
        self._has_only = ONLY in schema.names

    def locate(self, piece: Piece, window: slice, run: Run) -> None:
        """Read customers, order ids and, where refunds are dropped, which rows are none."""
        self.leave_out(piece, window, run)
        for use in self.id_readers:
            self._read_ids(use, piece, window, run)

    def leave_out(self, piece: Piece, window: slice, run: Run) -> None:
        """Leave rows out that do not count or have no customer, and refunds that are dropped."""
        known = self._marks(piece).known
        if known is not None:
            run.leave_out(window, known)
        if self.drops_refunds:
            run.leave_out(window, ~self._refunds(piece))

    def _counting(self, piece: Piece) -> NDArray[np.bool_] | None:
        """Return which rows count; None where all do."""
        if not self._has_only:
            return None
        counts = piece.batch.column(ONLY).fill_null(fill_value=False)
        counting: NDArray[np.bool_] = counts.to_numpy(zero_copy_only=False)
        return None if counting.all() else counting

    def _marks(self, piece: Piece) -> Marks:
        """Return the marks of the rows, which are looked for once."""
        if not piece.marks:
            customers = piece.batch.column(self._columns.customer)
            counting = self._counting(piece)
            nobody = None if self._nobody is None else self._nobody.among(customers)
            known = _both(validity(customers), counting)
            known = known if nobody is None else _both(known, ~nobody)
            piece.marks.append(Marks(counting, nobody, known))
        return piece.marks[0]

    def customer_numbers(self, piece: Piece) -> NDArray[np.int64]:
        """Return customers whose ids are plain integers; those of anonymous rows are anything."""
        return self._ids[CUSTOMER_IDS].numbers(piece.batch)

    def read(self, piece: Piece, window: slice, run: Run) -> None:
        """Read one piece of the orders into a window of the run."""
        self.locate(piece, window, run)
        self._read_values(piece, window, run)

    def read_all_but_customers(self, piece: Piece, window: slice, run: Run) -> None:
        """Read one piece of the orders, whose customers are known already."""
        self._read_order_ids(piece, window, run)
        self._read_values(piece, window, run)

    def _read_order_ids(self, piece: Piece, window: slice, run: Run) -> None:
        if self._columns.order is not None:
            self._read_ids(ORDER_IDS, piece, window, run)

    def _read_values(self, piece: Piece, window: slice, run: Run) -> None:
        run.tally.rows += piece.batch.num_rows
        known = self._marks(piece).known
        if known is not None:
            self._count_unknown(piece, run.tally)
        if self.drops_refunds:
            refunds = _among(self._refunds(piece), known)
            run.tally.dropped_refunds += int(np.count_nonzero(refunds))
        days = read_days(self.time, piece, self._columns.time, window, run, known, self._problems)
        self._refuse_nulls(piece, self._columns.time, known, null_remedy(self._columns.time))
        if known is not None:
            days = days[known]
        if days.size:
            run.tally.see_days(int(days.min()), int(days.max()))
        self._read_amounts(piece, window, run, known)
        if self.compares_rows:
            self._read_identity(piece, window, run)
        if self._columns.order is not None:
            what = self.id_readers[ORDER_IDS].missing
            self._refuse_nulls(piece, self._columns.order, known, ORDER_REMEDY, what)

    def _count_unknown(self, piece: Piece, tally: Tally) -> None:
        """Count the rows that do not count or have no customer; these may be an error."""
        counting, nobody = self._marks(piece).counting, self._marks(piece).nobody
        if counting is not None:
            tally.left_out += int(np.count_nonzero(~counting))
        known = validity(piece.batch.column(self._columns.customer))
        if known is not None:
            anonymous = _among(~known, counting)
            tally.anonymous += int(np.count_nonzero(anonymous))
            self._refuse_unknown(piece, anonymous, self.id_readers[CUSTOMER_IDS].missing)
        if nobody is not None:
            nobody = _among(nobody, counting)
            tally.nobody += int(np.count_nonzero(nobody))
            self._refuse_unknown(piece, nobody, "means no customer")

    def _refuse_unknown(self, piece: Piece, unknown: NDArray[np.bool_], what: str) -> None:
        if self._anonymous_is_error:
            remedy = ("give the rows a customer, or pass ", Option("anonymous", "drop"))
            trouble = Trouble(self._columns.customer, what, remedy)
            self._problems.add(trouble, piece.first_row, unknown)

    def _refunds(self, piece: Piece) -> NDArray[np.bool_]:
        if self._columns.amount is None:
            return np.zeros(piece.batch.num_rows, np.bool_)
        values = piece.batch.column(self._columns.amount)
        signs = self.amount.high_words(values) if self.amount.is_wide else None
        negative: NDArray[np.bool_] = (self.amount.words(values)[0] if signs is None else signs) < 0
        present = validity(values)
        return negative if present is None else negative & present

    def _read_amounts(
        self, piece: Piece, window: slice, run: Run, known: NDArray[np.bool_] | None
    ) -> None:
        name = self._columns.amount
        if name is None:
            run.columns[AMOUNT][window] = 0
            return
        values = piece.batch.column(name)
        words, refused = self.amount.words(values)
        highs = self.amount.high_words(values) if self.amount.is_wide else None
        if self._may_miss_amounts:
            present = validity(values)
            run.columns[MISSING][window] = 0
            if present is not None:
                run.columns[MISSING][window] = ~present
                words = np.where(present, words, 0)
                highs = None if highs is None else np.where(present, highs, 0)
        else:
            self._refuse_nulls(piece, name, known, null_remedy(name))
        run.put(AMOUNT, window, words)
        if highs is not None:
            run.put(AMOUNT_HIGH, window, highs)
        if refused:
            what, remedy = "is NaN or infinite", "drop or fix them, or map them before the call"
            if not self.amount.is_float:
                what, remedy = "exceeds int64", "cast the column to decimal128(38, 0)"
            bad = self.amount.refused(values)
            present = validity(values)
            if present is not None:
                bad &= present
            trouble = Trouble(name, what, remedy)
            self._problems.add(trouble, piece.first_row, _among(bad, known), values)

    def _read_identity(self, piece: Piece, window: slice, run: Run) -> None:
        """Read what tells rows apart beside customer, day, amount and order."""
        if INSTANT in self.names:
            times = instants(piece.batch.column(self._columns.time))
            run.columns[INSTANT][window] = 0 if times is None else times
        if ROW in self.names:
            first = piece.first_row
            run.columns[ROW][window] = np.arange(first, first + piece.batch.num_rows)
        if self._others:
            words = words_of_rows(piece.batch, self._others)
            for name, values in zip((OTHERS, MORE_OTHERS), words, strict=True):
                run.put(name, window, values)

    def _refuse_nulls(
        self,
        piece: Piece,
        name: str,
        known: NDArray[np.bool_] | None,
        remedy: Text,
        what: str = "is null",
    ) -> None:
        present = validity(piece.batch.column(name))
        if present is not None:
            trouble = Trouble(name, what, remedy)
            self._problems.add(trouble, piece.first_row, _among(~present, known))


class CustomerReader(RowReader):
    """Reads the customers table: customer, registration day, and the row for messages."""

    def __init__(
        self, schema: pa.Schema, columns: Columns, problems: Problems, policies: Policies
    ) -> None:
        self._columns = columns
        self._problems = problems
        self._customer = customer_of_listing(columns)
        ids = {CUSTOMER_IDS: schema.field(self._customer)}
        self._prepare(problems.table, (HASH, DAY, ROW), ids)
        nobody = policies.nobody
        self._nobody = Nobody.of(nobody, ids[CUSTOMER_IDS].type) if nobody else None
        self.time = (
            TimeReader.of(
                schema.field(columns.registered), problems.table, policies.times, "registered"
            )
            if columns.registered is not None
            else None
        )

    def locate(self, piece: Piece, window: slice, run: Run) -> None:
        """Read the customers; those who mean nobody are left out."""
        if self._nobody is not None:
            run.leave_out(window, ~self._among_nobody(piece))
        self._read_ids(CUSTOMER_IDS, piece, window, run)

    def read(self, piece: Piece, window: slice, run: Run) -> None:
        """Read one piece of the customers into a window of the run."""
        self.locate(piece, window, run)
        rows = piece.batch.num_rows
        run.tally.rows += rows
        missing = validity(piece.batch.column(self._customer))
        if missing is not None:
            what = self.id_readers[CUSTOMER_IDS].missing
            trouble = Trouble(self._customer, what, "drop these rows before the call")
            self._problems.add(trouble, piece.first_row, ~missing)
        nobody = None
        if self._nobody is not None:
            nobody = self._among_nobody(piece)
            run.tally.nobody += int(np.count_nonzero(nobody))
        run.columns[ROW][window] = np.arange(piece.first_row, piece.first_row + rows)
        if self.time is None:
            run.columns[DAY][window] = NO_DAY
            return
        name = str(self._columns.registered)
        known = None if nobody is None else ~nobody
        days = read_days(self.time, piece, name, window, run, known, self._problems)
        present = validity(piece.batch.column(name))
        if present is not None:
            days[~present] = NO_DAY

    def _among_nobody(self, piece: Piece) -> NDArray[np.bool_]:
        if self._nobody is None:
            return np.zeros(piece.batch.num_rows, np.bool_)
        return self._nobody.among(piece.batch.column(self._customer))


def amount_reader(schema: pa.Schema, columns: Columns, table: str) -> AmountReader:
    """Return the reader of the amounts; where there are none, they are zeros."""
    has_lines = columns.order is not None
    if columns.amount is None:
        return AmountReader(pa.int64(), has_lines)
    return AmountReader.of(schema.field(columns.amount), table, has_lines=has_lines)


def read_days(
    reader: TimeReader,
    piece: Piece,
    name: str,
    window: slice,
    run: Run,
    known: NDArray[np.bool_] | None,
    problems: Problems,
) -> NDArray[np.int32]:
    """Read a column of days into the run and refuse those outside the accepted years."""
    values = piece.batch.column(name)
    days: NDArray[np.int32] = run.columns[DAY][window]
    if reader.days_into(values, days):
        bad = days == NO_DAY
        present = validity(values)
        if present is not None:
            bad &= present
        trouble = Trouble(name, "is outside the years 1900 to 2199", "drop or fix these rows")
        problems.add(trouble, piece.first_row, _among(bad, known), values)
    return days


def _both(
    one: NDArray[np.bool_] | None, other: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    """Return which rows are in both, where None has all of them."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _among(bad: NDArray[np.bool_], known: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Leave anonymous rows out: nothing else about them matters."""
    return bad if known is None else bad & known
