"""Readers of the two kinds of table: rows of record batches into the arrays of a morsel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import validity
from ordercycle._columns import Columns, customer_of_listing
from ordercycle._errors import ConfigError, Option, Text
from ordercycle._expressions.language import as_written
from ordercycle._ingest.bad_values import Problems, Trouble
from ordercycle._ingest.blocks import CUSTOMER_IDS, ID_COLUMNS, ORDER_IDS
from ordercycle._ingest.column_readers import AmountReader, IdReader, TimeReader
from ordercycle._ingest.event_times import InstantReader
from ordercycle._ingest.id_bytes import DamagedIdsError
from ordercycle._ingest.id_columns import IdColumn
from ordercycle._ingest.morsels import BatchSlice, Marks, Morsel, Tally
from ordercycle._ingest.nobody import Nobody
from ordercycle._ingest.payload import DAY, DetailColumns, PayloadReader, refuse_words
from ordercycle._ingest.row_identity import check_comparable, instants, words_of_rows
from ordercycle._policies import Policies
from ordercycle._sources.row_source import ONLY
from ordercycle._sources.validation import REMAKE
from ordercycle_kernels.calendar import NO_DAY

#: The columns that rows of orders are read into, beside those of ids and the day: one or two words
#: of the amount, and whether it is missing (1).
AMOUNT, AMOUNT_HIGH, MISSING = "amount", "amount_high", "missing"
#: Those by which rows are compared: the time as it is given, two words for all other columns, and
#: the row of the source.
GIVEN_TIME, OTHERS, MORE_OTHERS, ROW = "given_time", "others", "more_others", "row"
#: The hash of order ids.
ORDER = ID_COLUMNS[ORDER_IDS].hash


class RowReader(ABC):
    """Reads the rows of a table into morsels."""

    _problems: Problems
    #: The columns read, of any type of fixed width, and the readers of those that hold ids.
    columns: dict[str, str]
    morsel_columns: dict[str, str]  # and those that are of no use beyond a morsel
    id_readers: dict[str, IdReader]
    ids_are_numbers: bool  # plain integers, all of them
    #: Rows of a partition to aim for, and of a morsel, where these are fewer than usual.
    partition_rows: int | None = None
    morsel_rows: int | None = None

    def _prepare(self, table: str, columns: Mapping[str, str], ids: Mapping[str, pa.Field]) -> None:
        """Declare what is read: columns with their types, and of ids by use, a field each."""
        self._ids = {use: IdColumn(field, table, use) for use, field in ids.items()}
        self.id_readers = {use: column.ids for use, column in self._ids.items()}
        self._declare(columns)
        self.ids_are_numbers = all(column.are_numbers for column in self._ids.values())
        #: The columns of hashes that are read once and kept until the rows are written.
        self.kept_hashes = tuple(
            ID_COLUMNS[use].hash for use, column in self._ids.items() if column.hashes_are_kept
        )

    def _declare(
        self, columns: Mapping[str, str], scratch: Mapping[str, str] | None = None
    ) -> None:
        """Declare what is read beside ids; scratch: what columns are made of, in morsels only."""
        self.columns = {}
        for column in self._ids.values():
            self.columns |= column.columns
        self.columns |= columns
        self.morsel_columns = self.columns | dict(scratch or {})

    def widen(self) -> bool:
        """Return whether what was read since the last time asks for wider columns.

        Then these are declared from now on, and the rows of the block are laid out again.
        """
        return False

    @property
    def can_be_read_by_runs(self) -> bool:
        """Whether the neighbouring rows of a customer can stay together; their ids are numbers."""
        return False

    @property
    def can_be_words(self) -> bool:
        """Whether rows are two words each: an integer's hash and a day, and an amount."""
        return False

    def known_days(self, batch: pa.RecordBatch) -> NDArray[np.int32]:  # noqa: ARG002 - of streams
        """Return the days of rows that have one, NO_DAY outside the accepted years."""
        return np.zeros(0, np.int32)

    def locate(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read what says where rows go: hash, ids, and which rows are kept."""
        self.leave_out(part, window, morsel)
        for use in self._ids:
            self._read_ids(use, part, window, morsel)

    def read(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read everything, check it and count it."""
        self.locate(part, window, morsel)
        self.read_values(part, window, morsel)

    def read_all_but_customers(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Do so with rows whose customers are known already, and which of them are kept."""
        for use in self._ids:
            if use != CUSTOMER_IDS:
                self._read_ids(use, part, window, morsel)
        self.read_values(part, window, morsel)

    def customer_numbers(self, part: BatchSlice) -> NDArray[np.int64]:
        """Return customers whose ids are plain integers; those of anonymous rows are anything."""
        return self._ids[CUSTOMER_IDS].numbers(part.batch)

    @abstractmethod
    def leave_out(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Leave rows out that get no place."""

    @abstractmethod
    def read_values(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read the columns that hold no ids, check them and count them."""

    def id_bytes(self, batch: pa.RecordBatch) -> int:
        """Return the bytes of a row's ids, on average."""
        return sum(column.bytes_each(batch) for column in self._ids.values())

    def refuse_long_ids(self, batch: pa.RecordBatch) -> None:
        """Refuse ids for which a memory limit has no room."""
        for column in self._ids.values():
            column.refuse_long(batch)

    def end(self) -> None:
        """Let go of what was kept for the next rows: there are none."""
        for column in self._ids.values():
            column.forget_dictionaries()

    def _read_ids(self, use: str, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        column = self._ids[use]
        with_hashes = not (morsel.has_hashes and column.hashes_are_kept)
        try:
            found = column.read(part.batch, window, morsel.columns, with_hashes=with_hashes)
        except DamagedIdsError as error:
            trouble = Trouble(column.name, "is outside the column's data", REMAKE)
            damage = Problems(self._problems.table, self._problems.place)
            damage.add(trouble, part.first_row, error.bad)
            damage.check()
            raise
        if found is not None:
            morsel.ids.setdefault(use, []).append(found)


def null_remedy(column: str) -> Text:
    """Return what to do about missing values of a column."""
    condition = f"{as_written(column)} is not null"
    return ("fill these rows, or leave them out with ", Option("only", condition))


ORDER_REMEDY: Text = (
    "fill or drop these rows, or leave ",
    Option("Columns.order"),
    " out where every row is an order",
)


class StreamReader(RowReader):
    """Reads rows of something that happened to a customer at a time."""

    def __init__(
        self, schema: pa.Schema, customer: str, time: str, problems: Problems, policies: Policies
    ) -> None:
        self._problems = problems
        self._customer, self._time = customer, time
        self._anonymous_is_error = policies.anonymous == "error"
        kind = schema.field(customer).type
        self._nobody = Nobody.of(policies.nobody, kind) if policies.nobody else None
        self._has_only = ONLY in schema.names
        self.time = TimeReader.of(schema.field(time), problems.table, policies.times)

    def leave_out(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Leave rows out that do not count or have no customer."""
        known = self._marks(part).known
        if known is not None:
            morsel.leave_out(window, known)

    def known_days(self, batch: pa.RecordBatch) -> NDArray[np.int32]:
        """Return the days of rows that have one, NO_DAY outside the accepted years."""
        times = batch.column(self._time).drop_null()
        days = np.empty(len(times), np.int32)
        self.time.days_into(times, days)
        return days

    def _counting(self, part: BatchSlice) -> NDArray[np.bool_] | None:
        """Return which rows count; None where all do."""
        if not self._has_only:
            return None
        counts = part.batch.column(ONLY).fill_null(fill_value=False)
        counting: NDArray[np.bool_] = counts.to_numpy(zero_copy_only=False)
        return None if counting.all() else counting

    def _marks(self, part: BatchSlice) -> Marks:
        """Return the marks of the rows, which are looked for once."""
        if not part.marks:
            customers = part.batch.column(self._customer)
            counting = self._counting(part)
            nobody = None if self._nobody is None else self._nobody.among(customers)
            known = _both(validity(customers), counting)
            known = known if nobody is None else _both(known, ~nobody)
            part.marks.append(Marks(counting, nobody, known))
        return part.marks[0]

    def _read_days(
        self, part: BatchSlice, window: slice, morsel: Morsel
    ) -> NDArray[np.bool_] | None:
        """Read the days and count the rows; return which count and have a customer, None for all.

        Nothing else about other rows matters.
        """
        morsel.tally.rows += part.batch.num_rows
        known = self._marks(part).known
        if known is not None:
            self._count_unknown(part, morsel.tally)
        days = read_days(self.time, part, self._time, window, morsel, known, self._problems)
        self._refuse_nulls(part, self._time, known, null_remedy(self._time))
        if known is not None:
            days = days[known]
        if days.size:
            morsel.tally.see_days(int(days.min()), int(days.max()))
        return known

    def _count_unknown(self, part: BatchSlice, tally: Tally) -> None:
        """Count the rows that do not count or have no customer; these may be an error."""
        counting, nobody = self._marks(part).counting, self._marks(part).nobody
        if counting is not None:
            tally.left_out += int(np.count_nonzero(~counting))
        known = validity(part.batch.column(self._customer))
        if known is not None:
            anonymous = _among(~known, counting)
            tally.anonymous += int(np.count_nonzero(anonymous))
            self._refuse_unknown(part, anonymous, self.id_readers[CUSTOMER_IDS].missing)
        if nobody is not None:
            nobody = _among(nobody, counting)
            tally.nobody += int(np.count_nonzero(nobody))
            self._refuse_unknown(part, nobody, "means no customer")

    def _refuse_unknown(self, part: BatchSlice, unknown: NDArray[np.bool_], what: str) -> None:
        if self._anonymous_is_error:
            remedy = ("give the rows a customer, or pass ", Option("anonymous", "drop"))
            trouble = Trouble(self._customer, what, remedy)
            self._problems.add(trouble, part.first_row, unknown)

    def _refuse_nulls(
        self,
        part: BatchSlice,
        name: str,
        known: NDArray[np.bool_] | None,
        remedy: Text,
        what: str = "is null",
    ) -> None:
        present = validity(part.batch.column(name))
        if present is not None:
            trouble = Trouble(name, what, remedy)
            self._problems.add(trouble, part.first_row, _among(~present, known))


class OrderReader(StreamReader):
    """Reads order rows: customer, day, amount and, where named, the order id."""

    def __init__(
        self,
        schema: pa.Schema,
        columns: Columns,
        problems: Problems,
        policies: Policies,
        *,
        day_instants: bool = False,
    ) -> None:
        table = problems.table
        super().__init__(schema, columns.customer, columns.time, problems, policies)
        self._columns = columns
        self._may_miss_amounts = policies.amount_per == "order"
        self.compares_rows = policies.duplicates != "keep"
        # With order lines, only the sum of an order tells whether it is a refund; and what is
        # there twice is no refund of its own.
        self.drops_refunds = (
            policies.refunds == "drop" and columns.order is None and not self.compares_rows
        )
        self.amount = amount_reader(schema, columns, table)
        ids = {CUSTOMER_IDS: schema.field(columns.customer)}
        read = {DAY: "int32", AMOUNT: "int64"}
        if self.amount.is_wide:
            read[AMOUNT_HIGH] = "int64"
        if columns.order is not None:
            ids[ORDER_IDS] = schema.field(columns.order)
        if self._may_miss_amounts:
            read[MISSING] = "int32"
        self.details: PayloadReader | None = None
        if columns.has_details:
            self.details = self._details(schema, problems, day_instants=day_instants)
            read |= self.details.payload.types
        roles = (columns.customer, columns.time, columns.amount, columns.order, ONLY)
        self._others = tuple(name for name in schema.names if name not in roles)
        if self.compares_rows:
            check_comparable(schema, self._others)
            read |= {} if pa.types.is_date32(self.time.kind) else {GIVEN_TIME: "int64"}
            read |= {OTHERS: "uint64", MORE_OTHERS: "uint64"} if self._others else {}
            read |= {ROW: "int64"} if policies.duplicates == "error" else {}
        self._prepare(table, read, ids)

    @property
    def can_be_read_by_runs(self) -> bool:
        """Whether the rows of a run can stay together: ids are numbers, and none is compared."""
        return self.ids_are_numbers and not self.compares_rows and self.details is None

    def _details(
        self, schema: pa.Schema, problems: Problems, *, day_instants: bool
    ) -> PayloadReader:
        """Return who reads what orders have beside day and amount."""
        columns, instants = self._columns, InstantReader(self.time)
        kind = schema.field(columns.time).type
        if columns.instants and not (day_instants or instants.has_instants or kind == pa.null()):
            raise ConfigError(
                (
                    Option("Columns.instants", columns.instants),
                    f": {columns.time} is {kind}, and a day has no instant",
                ),
                remedy=(
                    "pass ",
                    Option("day_instants", value=True),
                    " to take its first moment, or leave instants out",
                ),
            )
        return PayloadReader.of(
            schema,
            problems,
            columns.time,
            instants,
            detail_columns(columns),
            has_instants=columns.instants,
        )

    @property
    def can_be_words(self) -> bool:
        """Whether rows are two words each: an integer's hash and a day, and an amount."""
        are_plain = self.columns.keys() == {ID_COLUMNS[CUSTOMER_IDS].hash, DAY, AMOUNT}
        return are_plain and self.ids_are_numbers and not self.compares_rows

    def leave_out(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Leave rows out that do not count or have no customer, and refunds that are dropped."""
        super().leave_out(part, window, morsel)
        if self.drops_refunds:
            morsel.leave_out(window, ~self._refunds(part))

    def read_values(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read days, amounts and what rows are compared by."""
        known = kept = self._read_days(part, window, morsel)
        if self.drops_refunds:
            refunds = _among(self._refunds(part), known)
            morsel.tally.dropped_refunds += int(np.count_nonzero(refunds))
            kept = _both(known, ~refunds)
        self._read_amounts(part, window, morsel, known)
        if self.details is not None:
            self.details.read(part, window, morsel, kept)
        if self.compares_rows:
            self._read_identity(part, window, morsel)
        if self._columns.order is not None:
            what = self.id_readers[ORDER_IDS].missing
            self._refuse_nulls(part, self._columns.order, known, ORDER_REMEDY, what)

    def _refunds(self, part: BatchSlice) -> NDArray[np.bool_]:
        if self._columns.amount is None:
            return np.zeros(part.batch.num_rows, np.bool_)
        values = part.batch.column(self._columns.amount)
        signs = self.amount.high_words(values) if self.amount.is_wide else None
        negative: NDArray[np.bool_] = (self.amount.words(values)[0] if signs is None else signs) < 0
        present = validity(values)
        return negative if present is None else negative & present

    def _read_amounts(
        self, part: BatchSlice, window: slice, morsel: Morsel, known: NDArray[np.bool_] | None
    ) -> None:
        name = self._columns.amount
        if name is None:
            morsel.columns[AMOUNT][window] = 0
            return
        values = part.batch.column(name)
        words, refused = self.amount.words(values)
        highs = self.amount.high_words(values) if self.amount.is_wide else None
        if self._may_miss_amounts:
            present = validity(values)
            morsel.columns[MISSING][window] = 0
            if present is not None:
                morsel.columns[MISSING][window] = ~present
                words = np.where(present, words, 0)
                highs = None if highs is None else np.where(present, highs, 0)
        else:
            self._refuse_nulls(part, name, known, null_remedy(name))
        morsel.put(AMOUNT, window, words)
        if highs is not None:
            morsel.put(AMOUNT_HIGH, window, highs)
        if refused:
            refuse_words(self._problems, part, name, self.amount, known)

    def _read_identity(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read what tells rows apart beside customer, day, amount and order."""
        if GIVEN_TIME in self.columns:
            times = instants(part.batch.column(self._columns.time))
            morsel.columns[GIVEN_TIME][window] = 0 if times is None else times
        if ROW in self.columns:
            first = part.first_row
            morsel.columns[ROW][window] = np.arange(first, first + part.batch.num_rows)
        if self._others:
            words = words_of_rows(part.batch, self._others)
            for name, values in zip((OTHERS, MORE_OTHERS), words, strict=True):
                morsel.put(name, window, values)


class CustomerReader(RowReader):
    """Reads the customers table: customer, registration day, and the row for messages."""

    def __init__(
        self, schema: pa.Schema, columns: Columns, problems: Problems, policies: Policies
    ) -> None:
        self._columns = columns
        self._problems = problems
        self._customer = customer_of_listing(columns)
        ids = {CUSTOMER_IDS: schema.field(self._customer)}
        self._prepare(problems.table, {DAY: "int32", ROW: "int64"}, ids)
        nobody = policies.nobody
        self._nobody = Nobody.of(nobody, ids[CUSTOMER_IDS].type) if nobody else None
        self.time = (
            TimeReader.of(
                schema.field(columns.registered), problems.table, policies.times, "registered"
            )
            if columns.registered is not None
            else None
        )

    def leave_out(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Leave customers out who mean nobody."""
        if self._nobody is not None:
            morsel.leave_out(window, ~self._among_nobody(part))

    def read_values(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read the days of registration, and number the rows."""
        rows = part.batch.num_rows
        morsel.tally.rows += rows
        missing = validity(part.batch.column(self._customer))
        if missing is not None:
            what = self.id_readers[CUSTOMER_IDS].missing
            trouble = Trouble(self._customer, what, "drop these rows before the call")
            self._problems.add(trouble, part.first_row, ~missing)
        nobody = None
        if self._nobody is not None:
            nobody = self._among_nobody(part)
            morsel.tally.nobody += int(np.count_nonzero(nobody))
        morsel.columns[ROW][window] = np.arange(part.first_row, part.first_row + rows)
        if self.time is None:
            morsel.columns[DAY][window] = NO_DAY
            return
        name = str(self._columns.registered)
        known = None if nobody is None else ~nobody
        days = read_days(self.time, part, name, window, morsel, known, self._problems)
        present = validity(part.batch.column(name))
        if present is not None:
            days[~present] = NO_DAY

    def _among_nobody(self, part: BatchSlice) -> NDArray[np.bool_]:
        if self._nobody is None:
            return np.zeros(part.batch.num_rows, np.bool_)
        return self._nobody.among(part.batch.column(self._customer))


def detail_columns(columns: Columns) -> DetailColumns:
    """Return what is read of orders beside their day, amount and id."""
    refund_of = () if columns.refund_of is None else (columns.refund_of,)
    has_lines = columns.order is not None
    return DetailColumns(columns.attributes, refund_of, columns.values, has_lines=has_lines)


def amount_reader(schema: pa.Schema, columns: Columns, table: str) -> AmountReader:
    """Return the reader of the amounts; where there are none, they are zeros."""
    has_lines = columns.order is not None
    if columns.amount is None:
        return AmountReader(pa.int64(), has_lines)
    return AmountReader.of(schema.field(columns.amount), table, has_lines=has_lines)


def read_days(
    reader: TimeReader,
    part: BatchSlice,
    name: str,
    window: slice,
    morsel: Morsel,
    known: NDArray[np.bool_] | None,
    problems: Problems,
) -> NDArray[np.int32]:
    """Read a column of days into the morsel and refuse those outside the accepted years."""
    values = part.batch.column(name)
    days: NDArray[np.int32] = morsel.columns[DAY][window]
    if reader.days_into(values, days):
        bad = days == NO_DAY
        present = validity(values)
        if present is not None:
            bad &= present
        trouble = Trouble(name, "is outside the years 1900 to 2199", "drop or fix these rows")
        problems.add(trouble, part.first_row, _among(bad, known), values)
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
