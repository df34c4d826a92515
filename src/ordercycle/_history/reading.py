"""Reading both tables: again, where text turns out to hold what its first rows did not show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

import pyarrow as pa

from ordercycle._columns import Columns, customer_of_listing
from ordercycle._errors import ColumnError, OrdercycleError, within
from ordercycle._history.options import BuildOptions, Progress, RowProgress, check_tables_need
from ordercycle._history.row_warnings import check_offsets, check_zone_has_effect
from ordercycle._ingest.attributes import Codes
from ordercycle._ingest.bad_values import Problems, shown
from ordercycle._ingest.blocks import CUSTOMER_IDS, ORDER_IDS
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.id_types import identities, with_ids
from ordercycle._ingest.pipeline import Ingested, ingest, partition_bits_for
from ordercycle._ingest.spill import Spill
from ordercycle._ingest.table_readers import CustomerReader, OrderReader, RowReader
from ordercycle._sources.opening import open_source
from ordercycle._sources.read_request import ReadAgain, ReadRequest
from ordercycle._sources.row_source import Source
from ordercycle._sources.standard_input import at_hand
from ordercycle._spec import DetailSpec, HistorySpec
from ordercycle._workspace import Workers

Reader = TypeVar("Reader", bound=RowReader)


class ReadingOptions(Protocol):
    """What opening a table takes of the options of a build."""

    @property
    def spill(self) -> Spill | None:
        """What to do past the memory limit."""

    @property
    def most_threads(self) -> int:
        """How many threads to use."""

    @property
    def progress(self) -> Progress | None:
        """Who is informed of progress."""


@dataclass
class Table(Generic[Reader]):
    """A table that is open: its source, and who reads it; opened again, it is read again."""

    rows: Any
    request: ReadRequest
    options: ReadingOptions
    ids_in: tuple[str | None, ...]  # columns
    make: Callable[[pa.Schema, Problems], Reader]
    source: Source = field(init=False)
    identified: Source = field(init=False)  # the same, with ids for what they are
    problems: Problems = field(init=False)
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self.rows = at_hand(self.rows)  # what is piped in can be read again
        spill = self.options.spill
        ahead = None if spill is None else spill.reading_bytes
        self.source = open_source(self.rows, self.request, self.options.most_threads, ahead)
        self.problems = Problems(self.request.table, self.source.place)
        try:
            ids = identities(self.source.schema, self.ids_in, self.request.table)
            self.identified = with_ids(self.source, ids, self.problems)
            self.reader = self.make(self.identified.schema, self.problems)
        except ColumnError as error:
            raise self._with_first_value(error) from None

    def _with_first_value(self, error: ColumnError) -> ColumnError:
        """Return an error about a type with the first value of its column, and the file of that."""
        column, found = error.column, ""
        if column in self.source.schema.names:
            with suppress(OrdercycleError), closing(self.source):  # the type is wrong before that
                for batch in self.source.batches:
                    values = batch.column(column).drop_null()
                    if len(values):
                        file = getattr(self.source.place(0), "file", None)  # batches are of one
                        of_file = "" if file is None else f", in {file!r}"
                        found = f" (its first value is {shown(values[0])}{of_file})"
                    break
        return within(error, behind=found)

    @property
    def ids(self) -> IdReader:
        """Who reads the ids of its customers."""
        return self.reader.id_readers[CUSTOMER_IDS]

    def knowing(self, column: str, kind: pa.DataType) -> Table[Reader]:
        """Return the table opened again, to be read in a wider type of a column."""
        self.source.close()
        return replace(self, request=self.request.knowing(column, kind))

    def with_ids_of_text(self) -> Table[Reader]:
        """Return the table opened again, with ids as they are written."""
        ids = next(name for name, role in self.request.roles.items() if role == "customer")
        return self.knowing(ids, pa.string())


class ReadTables(NamedTuple):
    """Both tables, laid out, and what is known of them."""

    spec: HistorySpec  # of their history
    codes: Mapping[str, Codes]  # of attributes: those that are kept, by those of the reader
    orders: OrderReader
    ingested: Ingested
    listed: Ingested | None
    order_problems: Problems
    customer_problems: Problems
    source: Source  # of the orders, which was read to its end


def read_tables(
    orders: Any,
    customers: Any,
    options: BuildOptions,
    workers: Workers,
    like: HistorySpec | None = None,
) -> ReadTables:
    """Read both tables; like: the history to which they are added, whose types ids have.

    A table of text is read from its first row again where a value asks for another type than the
    first rows had; nothing of what was laid out before is kept.
    """
    with _Both() as both:
        both.open(orders, customers, options, like)
        while True:
            ids = both.agree_on_ids(options.columns)
            try:
                ingested, listed = both.read(workers)
            except ReadAgain as again:
                both.open_again(again)
            else:
                problems = both.customers.problems if both.customers else Problems("customers")
                orders_read = both.orders
                spec, codes = both.spec(ids, options, like)
                return ReadTables(
                    spec,
                    codes,
                    orders_read.reader,
                    ingested,
                    listed,
                    orders_read.problems,
                    problems,
                    orders_read.source,
                )


def spec_of_tables(orders: Any, customers: Any, options: BuildOptions) -> HistorySpec:
    """Return what histories of two tables have in common, checked as far as no row is read."""
    with _Both() as both:
        both.open(orders, customers, options)
        spec, _ = both.spec(both.agree_on_ids(options.columns), options)
        return spec


def _open_orders(rows: Any, options: BuildOptions, like: HistorySpec | None) -> Table[OrderReader]:
    columns, policies = options.columns, options.policies

    def reader_of(schema: pa.Schema, problems: Problems) -> OrderReader:
        reader = OrderReader(schema, columns, problems, policies, day_instants=options.day_instants)
        if like is not None and like.details is not None and reader.details is not None:
            like.details.begin(reader.details)
        return reader

    return Table(
        rows,
        _known(options.orders_request, like),
        options,
        (columns.customer, columns.order, columns.refund_of),
        reader_of,
    )


def _open_customers(
    rows: Any, options: BuildOptions, like: HistorySpec | None
) -> Table[CustomerReader]:
    columns, policies = options.columns, options.policies
    return Table(
        rows,
        _known(options.customers_request, like),
        options,
        (customer_of_listing(columns),),
        lambda schema, problems: CustomerReader(schema, columns, problems, policies),
    )


class _Both(ExitStack):
    """Both tables while they are read; closed in the end, however that comes."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: Any = None
        self.customers: Any = None
        self._ingested: Ingested | None = None
        self.callback(self._close)

    def _close(self) -> None:
        for table in self.tables:
            table.source.close()

    @property
    def tables(self) -> list[Any]:
        """The tables that are open."""
        return [table for table in (self.orders, self.customers) if table is not None]

    def open(
        self, orders: Any, customers: Any, options: BuildOptions, like: HistorySpec | None = None
    ) -> None:
        """Open both: a wrong path or name is an error before any work."""
        self.orders = _open_orders(orders, options, like)
        if customers is not None:
            self.customers = _open_customers(customers, options, like)
        self.check_options(options, are_appended=like is not None)

    def spec(
        self, ids: IdReader, options: BuildOptions, like: HistorySpec | None = None
    ) -> tuple[HistorySpec, Mapping[str, Codes]]:
        """Return what all parts of a history of both have in common; ids: of both.

        Also the codes of attributes that are kept, by those of the reader.
        """
        reader = self.orders.reader
        details: DetailSpec | None = None
        codes: Mapping[str, Codes] = {}
        if reader.details is not None:
            details, codes = DetailSpec.of(reader.details, None if like is None else like.details)
            details = details.with_lookups(options.lookups, "Columns.attributes")
        spec = HistorySpec(
            ids=ids,
            amount=reader.amount,
            order_ids=reader.id_readers.get(ORDER_IDS),
            columns=options.columns,
            policies=options.policies,
            has_listing=self.customers is not None,
            details=details,
            day_instants=options.day_instants,
        )
        return spec, codes

    def check_options(self, options: BuildOptions, *, are_appended: bool) -> None:
        """Look for what is said of times or files and does not fit these; once for all tasks."""
        orders, customers = self.orders, self.customers
        if orders.source.is_whole:
            times, columns = options.policies.times, options.columns
            registered = None if customers is None else customers.reader.time
            check_zone_has_effect(times, columns, orders.reader.time, registered)
            if orders.source.times_had_offsets and not options.zone_is_given:
                check_offsets(columns)
            files = {one.request.table: one.source.files for one in self.tables}
            check_tables_need(options, files, are_appended=are_appended)

    def agree_on_ids(self, columns: Columns) -> IdReader:
        """Return who reads the ids of both tables.

        Ids of text are read as they are written where those of the other table are text.
        """
        orders, customers = self.orders, self.customers
        if customers is None:
            return cast("IdReader", orders.ids)
        if orders.source.is_untyped and orders.ids.is_integer and customers.ids.is_text:
            self._open_orders_again(orders.with_ids_of_text())
        if customers.source.is_untyped and customers.ids.is_integer and orders.ids.is_text:
            self.customers = customers.with_ids_of_text()
        return _common_ids(self.orders.ids, self.customers.ids, columns)

    def open_again(self, again: ReadAgain) -> None:
        """Open a table again, to be read in wider types."""
        if again.table == self.orders.request.table:
            self._open_orders_again(self.orders.knowing(again.column, again.kind))
        else:
            self.customers = self.customers.knowing(again.column, again.kind)

    def _open_orders_again(self, orders: Table[OrderReader]) -> None:
        self.orders, self._ingested = orders, None

    def read(self, workers: Workers) -> tuple[Ingested, Ingested | None]:
        """Read what was not read yet, to its end."""
        if self._ingested is None:
            self._ingested = self._read_orders(workers)
        ingested = self._ingested
        if self.customers is None:
            return ingested, None
        listed = _read_customers(self.customers, ingested, workers)
        ingested.tally.nobody += listed.tally.nobody
        return ingested, listed

    def _read_orders(self, workers: Workers) -> Ingested:
        orders = self.orders
        listed_rows = 0 if self.customers is None else self.customers.source.rows
        with closing(orders.source):
            return ingest(
                orders.identified,
                orders.reader,
                orders.problems,
                partition_bits=None,
                # Of more customers than orders, too, a partition has to fit the cache.
                least_bits=partition_bits_for(listed_rows or 0),
                workers=workers,
                report=RowProgress(orders.options.progress, "read", orders.source.rows),
                spill=orders.options.spill,
            )


def _read_customers(
    customers: Table[CustomerReader], ingested: Ingested, workers: Workers
) -> Ingested:
    spill = customers.options.spill
    with closing(customers.source):
        return ingest(
            customers.identified,
            customers.reader,
            customers.problems,
            partition_bits=ingested.partition_bits,
            workers=workers,
            report=RowProgress(customers.options.progress, "read customers", customers.source.rows),
            spill=None if spill is None else replace(spill, beside=ingested.held),
        )


def _known(request: ReadRequest, like: HistorySpec | None) -> ReadRequest:
    """Return a request in the types of a history."""
    if like is None:
        return request
    kinds = {"customer": kind_of_ids(like.ids), "amount": kind_of_amounts(like.amount)}
    if like.order_ids is not None:
        kinds["order"] = kind_of_ids(like.order_ids)
    of_columns = {name: kinds.get(role) for name, role in request.roles.items()}
    if like.details is not None:
        of_columns |= kinds_of_details(like.details)
    return knowing(request, {name: of_columns[name] for name in request.roles})


def knowing(request: ReadRequest, kinds: Mapping[str, pa.DataType | None]) -> ReadRequest:
    """Return a request in known types of columns, as far as there are any."""
    for name, kind in kinds.items():
        if kind is not None:
            request = request.knowing(name, kind)
    return request


def kinds_of_details(details: DetailSpec) -> dict[str, pa.DataType | None]:
    """Return the types in which text with attributes, keys and values of a history is read."""
    kinds = {name: kind_of_ids(reader) for name, reader in details.keys.items()}
    kinds |= {name: kind_of_amounts(reader) for name, reader in details.values.items()}
    for name, known in details.attributes.items():
        kind = known.values.type
        if pa.types.is_integer(kind):
            kinds[name] = pa.int64()
        else:
            kinds[name] = kind if pa.types.is_boolean(kind) else pa.string()
    if details.event_id is not None:
        kinds[details.payload.id_column] = kind_of_ids(details.event_id)
    return kinds


def kind_of_amounts(amount: AmountReader) -> pa.DataType:
    """Return the type in which text with amounts of a history is read."""
    if pa.types.is_integer(amount.given):
        return pa.int64()
    return pa.float64() if amount.is_float else amount.given


def kind_of_ids(ids: IdReader) -> pa.DataType | None:
    """Return the type in which text with ids of a history is read, if there is one."""
    if ids.is_integer:
        return pa.int64()
    return pa.string() if ids.is_text else None


def _common_ids(orders: IdReader, customers: IdReader, columns: Columns) -> IdReader:
    """Return the reader of both tables' ids, or raise a ColumnError where there is no such type."""
    common = orders.together_with(customers)
    if common is None:
        raise ColumnError(
            f"{columns.customer} is {orders.given} in orders, and "
            f"{customer_of_listing(columns)} is {customers.given} in customers",
            remedy="cast one of them, so that the same customer has the same id",
            column=columns.customer,
        )
    return common
