"""Streams of events on a cluster: of each its tables, and how a task builds it of its rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._columns import Columns
from ordercycle._engines.block_bytes import coded_type
from ordercycle._engines.cluster_views import Compared, View, check_texts, looked_for
from ordercycle._engines.file_frames import FileFrame
from ordercycle._engines.kept_customers import KeptCustomers
from ordercycle._engines.shuffle_blocks import IncomingColumns, Packer, packed_type
from ordercycle._engines.source_notes import NO_TEXTS, LookedFor
from ordercycle._errors import ColumnError
from ordercycle._event_columns import EventColumns
from ordercycle._events.event_build import spec_of_events
from ordercycle._events.event_format import EventFormat
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._events.event_options import OPTIONS as OF_EVENTS
from ordercycle._events.event_options import EventOptions
from ordercycle._events.stored_events import EventCounts, StoredEvents
from ordercycle._history.counts import Counts
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.options import (
    OF_CLUSTERS,
    OF_READING,
    BuildOptions,
    check_tables_need,
    refuse_unknown,
    with_source,
)
from ordercycle._history.order_format import OrderFormat
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._history.reading import spec_of_tables
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.id_types import id_type
from ordercycle._ingest.morsels import Tally
from ordercycle._ingest.nobody import Nobody
from ordercycle._ingest.row_identity import check_comparable
from ordercycle._policies import Policies
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._sources.computed_columns import resolved
from ordercycle._sources.read_request import CODED, IDS, ReadRequest
from ordercycle._sources.row_source import COMPARED, Source, check_columns
from ordercycle._spec import HistorySpec
from ordercycle._streams.columns import StreamColumns

#: Returns the Arrow schema of a frame, given the columns that need a type and the table's name.
SchemaOf: TypeAlias = Callable[[Any, Sequence[str], str], pa.Schema]
#: The options of one machine, which says by itself how far it is.
OF_ONE_MACHINE = "progress"
#: Options that all streams share, as they are about the tasks.
OF_TASKS = ("memory_limit", "spill_directory")


@dataclass(frozen=True)
class Packing:
    """What the tables of all streams have in common.

    targets: how many there are; repeatable: whether tasks on frames that run again have to make
    what they made before.
    """

    schema_of: SchemaOf
    targets: int
    repeatable: bool

    def packer(
        self,
        number: int,
        frame: Any,
        request: ReadRequest,
        policies: Policies,
        *,
        drop_nameless: bool,
    ) -> Packer:
        """Return what divides the rows of a frame, or of files, which is checked here.

        number: of the table in the job.
        """
        if isinstance(frame, FileFrame):
            incoming = IncomingColumns(frame.reader.schema)
        else:
            found = resolved(request, self.schema_of(frame, [], request.table).names)
            schema = self.schema_of(frame, found.names, request.table)
            incoming = IncomingColumns.of(found, schema)
        schema = _travelling(incoming, request)
        return Packer(
            number=number,
            name=request.table,
            schema=schema,
            targets=self.targets,
            incoming=incoming,
            ids=tuple(name for name, role in request.roles.items() if role in IDS),
            drop_nameless=drop_nameless,
            nobody=Nobody.of(policies.nobody, schema.field(0).type) if policies.nobody else None,
            # Files are read in the same order each time.
            repeatable=self.repeatable and not isinstance(frame, FileFrame),
        )


def _travelling(incoming: IncomingColumns, request: ReadRequest) -> pa.Schema:
    """Return the columns of a table as they travel."""
    check_columns(incoming.made, request.names, request.table)
    fields = []
    for name, role in request.roles.items():
        field = incoming.made.field(name)
        # Ids travel as they are read.
        kind = packed_type(id_type(field, request.table) if role in IDS else field.type)
        is_coded = request.as_codes and role in CODED
        fields.append((name, coded_type(kind) if is_coded else kind))
    if request.compared:
        others = incoming.others(request.names)
        check_comparable(incoming.made, others)
        fields += [(name, pa.uint64()) for name in COMPARED if others]
    return pa.schema(fields)


@dataclass(frozen=True, kw_only=True)
class StreamPlan(ABC):
    """A stream of a job, of which each task builds what its customers have.

    name: how tasks ask for it; tables: in the rows that travel, customer ids come first and last,
    where rows are compared in other columns than these, two words of those; options: of what
    builds it; view: which of its events count, None where all do; compared: conditions whose texts
    are to be there.
    """

    name: str
    tables: tuple[Packer, ...]
    options: dict[str, Any]
    view: View | None = None
    compared: tuple[Compared, ...] = ()

    @property
    @abstractmethod
    def nobody(self) -> Any:
        """The stream without customers, of the types and policies of all others."""

    @property
    @abstractmethod
    def ids(self) -> IdReader:
        """Who reads the ids of its customers."""

    @abstractmethod
    def built(self, sources: Sequence[Source]) -> Any:
        """Return the stream of the customers of a partition."""

    @abstractmethod
    def rows_of(self, built: Any) -> int:
        """Return of how many rows of its first table a stream was built."""

    def where(self, view: View) -> Self:
        """Return the plan for a view.

        Raises
        ------
        ConfigError, ColumnError
            Where the condition does not fit the stream, as far as no row is read for it.
        """
        self.nobody.where(view.condition, missing=view.missing)
        return replace(self, view=view).comparing(view.compared)

    def comparing(self, compared: Sequence[Compared]) -> Self:
        """Return the plan with further conditions whose texts some row should have."""
        all_of_them = (*self.compared, *compared)
        first, *others = self.tables
        texts = looked_for(all_of_them, self._columns(self.nobody))
        first = replace(first, looked_for=LookedFor(texts, self._dropped) if texts else NO_TEXTS)
        return replace(self, tables=(first, *others), compared=all_of_them)

    def brought(self, kept: KeptCustomers, threads: int | None) -> Self:
        """Return the plan of the rows of some customers, who are to be on the driver."""
        # With everybody come those without a customer, whom whoever builds the history counts.
        tables = tuple(
            replace(
                table,
                targets=1,
                kept=kept,
                drop_nameless=table.drop_nameless and not kept.are_all,
            )
            for table in self.tables
        )
        of_tasks = {name: None for name in OF_TASKS if name in self.options}
        return replace(self, tables=tables, options=self.options | of_tasks | {"threads": threads})

    def counted(self, built: Any, found: AbstractSet[int | str] | None) -> Any:
        """Return what counts of a stream that was built.

        found: which of the texts any row of any customer has, and which names; None where there are
        no rows.

        Raises
        ------
        ConfigError
            A text equals no value of all rows, or of a lookup.
        """
        if self.compared and found is not None:
            check_texts(self.compared, self._columns(built), self.tables[0].looked_for, found)
        if self.view is None:
            return built
        return built.where(self.view.condition, missing="empty")

    @abstractmethod
    def _columns(self, built: Any) -> StreamColumns:
        """Return what conditions can ask for."""

    @property
    def _dropped(self) -> str | None:
        """The column whose negative amounts are rows that do not count, if there are any."""
        return None


class OrdersPlan(StreamPlan):
    """Orders and, where there are, the customers."""

    @classmethod
    def request(cls, name: str, options: dict[str, Any]) -> ReadRequest:  # noqa: ARG003 - as events
        """Return what is read of the orders."""
        return read_request(options, 0)

    @classmethod
    def of(
        cls,
        name: str,
        frames: Sequence[Any],
        options: dict[str, Any],
        packing: Packing,
        first: int = 0,
    ) -> OrdersPlan:
        """Return the plan; first: the number of its first table in the job.

        Raises
        ------
        ColumnError
            Where a column is missing or its type has no meaning.
        ConfigError
            Where an option is unknown, or is not one of its choices.
        """
        policies = here(options).policies
        tables = [
            packing.packer(
                first + table,
                frame,
                read_request(options, table),
                policies,
                drop_nameless=table == 0 and policies.anonymous == "drop",
            )
            for table, frame in enumerate(frames)
        ]
        files = {
            table.name: frame.files if isinstance(frame, FileFrame) else None
            for table, frame in zip(tables, frames, strict=True)
        }
        described = {name: options[name] for name in OF_READING if name in options}
        check_tables_need(here(described), files)
        meant = {name: value for name, value in options.items() if name not in OF_READING}
        plan = cls(name=name, tables=tuple(tables), options={"threads": 1, **meant})
        plan._spec(is_whole=True)  # which checks the rest, and warns of what can be known here
        return plan

    @property
    def spec(self) -> HistorySpec:
        """What the histories of all tasks have in common."""
        return self._spec(is_whole=False)

    def _spec(self, *, is_whole: bool) -> HistorySpec:
        empty = (empty_source(table, is_whole=is_whole) for table in self.tables)
        orders, customers, *_ = (*empty, None)
        return spec_of_tables(
            orders, customers, here(self.options, has_customers=customers is not None)
        )

    @property
    def nobody(self) -> OrderHistory:
        """A history without customers."""
        return OrderHistory(GroupedOrders(OrderFormat(self.spec), (), Tally(), Counts(), threads=1))

    @property
    def ids(self) -> IdReader:
        """Who reads the ids of its customers."""
        return self.spec.ids

    def built(self, sources: Sequence[Source]) -> OrderHistory:
        """Return the history of the customers of a partition."""
        return OrderHistory.build(*sources, **self.options)

    def rows_of(self, built: OrderHistory) -> int:
        """Return how many rows of orders were read."""
        return built.summary().rows

    def _columns(self, built: OrderHistory) -> StreamColumns:
        grouped: GroupedOrders = grouped_orders(built)
        return grouped.columns

    @property
    def _dropped(self) -> str | None:
        spec = self.spec
        return spec.columns.amount if spec.policies.refunds == "drop" else None


class EventsPlan(StreamPlan):
    """Events other than orders."""

    @classmethod
    def request(cls, name: str, options: dict[str, Any]) -> ReadRequest:
        """Return what is read of the events, which messages call by the name of the stream."""
        return replace(events_here(options).wanted, table=name)

    @classmethod
    def of(
        cls,
        name: str,
        frames: Sequence[Any],
        options: dict[str, Any],
        packing: Packing,
        first: int = 0,
    ) -> EventsPlan:
        """Return the plan of one frame, with the errors of that of orders."""
        given = events_here(options)
        [frame] = frames
        packer = packing.packer(
            first,
            frame,
            cls.request(name, options),
            given.policies,
            drop_nameless=given.policies.anonymous == "drop",
        )
        meant = {name: value for name, value in options.items() if name not in OF_READING}
        plan = cls(name=name, tables=(packer,), options={"threads": 1, **meant})
        _ = plan.nobody  # which checks the rest
        return plan

    @property
    def nobody(self) -> EventHistory:
        """A history without customers."""
        source = empty_source(self.tables[0], is_whole=False)
        made = EventFormat(spec_of_events(source, events_here(self.options)))
        return EventHistory(StoredEvents(made, (), Tally(), EventCounts(), threads=1))

    @property
    def ids(self) -> IdReader:
        """Who reads the ids of its customers."""
        return stored_events(self.nobody).spec.ids

    def built(self, sources: Sequence[Source]) -> EventHistory:
        """Return the history of the customers of a partition."""
        return EventHistory.build(sources[0], **self.options)

    def rows_of(self, built: EventHistory) -> int:
        """Return how many rows of events were read."""
        return stored_events(built).tally.rows

    def _columns(self, built: EventHistory) -> StreamColumns:
        return stored_events(built).columns


class RowsPlan(StreamPlan):
    """Rows with whatever columns, one per customer: they travel as they are."""

    @classmethod
    def of(cls, name: str, frame: Any, schema: pa.Schema, packing: Packing, first: int = 0) -> Self:
        """Return the plan of a frame, of which the schema says what travels.

        first: the number of its table in the job.

        Raises
        ------
        ColumnError
            Where there is no column of customers.
        """
        names = [CUSTOMER, *(one for one in schema.names if one != CUSTOMER)]
        roles: dict[str, Any] = dict.fromkeys(names, "other") | {CUSTOMER: "customer"}
        request = ReadRequest(name, roles)
        packer = packing.packer(first, frame, request, Policies(), drop_nameless=False)
        return cls(name=name, tables=(packer,), options={})

    @property
    def nobody(self) -> Any:
        """No rows."""
        return self.tables[0].schema.empty_table()

    @property
    def ids(self) -> IdReader:
        """Who reads the ids of its customers."""
        return IdReader.of(self.tables[0].schema.field(0), self.name)

    def built(self, sources: Sequence[Source]) -> pa.Table:
        """Return the rows of the customers of a partition."""
        [source] = sources
        return pa.Table.from_batches(list(source.batches), schema=source.schema)

    def naming(self, column: str) -> RowsPlan:
        """Return the plan with a column of names, whose dictionary has those of all partitions."""
        [table] = self.tables
        return replace(self, tables=(replace(table, looked_for=LookedFor(named=column)),))

    def counted(self, built: pa.Table, found: AbstractSet[int | str] | None) -> Any:
        """Return the rows, where names are in a column, with those of all partitions there."""
        named = self.tables[0].looked_for.named
        if named is None or found is None:
            return built
        place = built.schema.get_field_index(named)
        names = pa.array(sorted(map(str, found)), pa.string())
        codes = pc.index_in(built.column(named).cast(pa.string()), value_set=names)
        # Names are known where there is no row, too.
        some = codes.chunks or [pa.array([], pa.int32())]
        chunks = [pa.DictionaryArray.from_arrays(one, names) for one in some]
        kind = pa.dictionary(pa.int32(), pa.string())
        return built.set_column(place, named, pa.chunked_array(chunks, kind))

    def rows_of(self, built: pa.Table) -> int:
        """Return how many there are."""
        rows: int = built.num_rows
        return rows

    def _columns(self, built: pa.Table) -> StreamColumns:
        raise AssertionError(f"no condition is about {built.column_names}")


def empty_source(table: Packer, *, is_whole: bool) -> Source:
    """Return the rows of nobody."""
    rows = iter(table.schema.empty_table().to_batches())
    return Source(table.name, table.schema, rows, 0, is_whole=is_whole)


def refuse_other_ids(streams: Sequence[StreamPlan]) -> None:
    """Raise a ColumnError where a stream has no ids in common with the first one."""
    first, *others = streams
    ids = first.ids
    for other in others:
        if ids.together_with(other.ids) is None:
            name = other.tables[0].schema.names[0]
            raise ColumnError(
                f"{name} is {other.ids.given} in {other.name} and {ids.given} in {first.name}, "
                "which have no ids in common",
                remedy="cast one to the type of the other",
                column=name,
            )


def here(options: Mapping[str, Any], *, has_customers: bool = True) -> BuildOptions:
    """Return options, checked on the driver: the folder to spill to is there on workers only."""
    return BuildOptions.of(dict(options) | {"spill_directory": None}, has_customers=has_customers)


def events_here(options: Mapping[str, Any]) -> EventOptions:
    """Return options of events, checked on the driver."""
    return EventOptions.of(dict(options) | {"spill_directory": None})


def all_options(
    columns: Columns | None, timezone: str | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Return all options of OrderHistory.build, those of a source among them, checked.

    Raises
    ------
    ConfigError
        Where an option is unknown, or is not one of its choices.
    """
    refuse_unknown(options, ("source", *OF_CLUSTERS), "option")
    given = options | {} if columns is None else options | {"columns": columns}
    if timezone is not None:
        given["timezone"] = timezone
    made = {"columns": Columns()} | with_source(given)
    here(made)
    return made


def all_event_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of EventHistory.build, those of a source among them, checked.

    Raises
    ------
    ConfigError
        Where an option is unknown, or is not one of its choices.
    """
    known = [name for name in OF_EVENTS if name != OF_ONE_MACHINE]
    refuse_unknown(options, ("source", *known), "option")
    made = {"columns": EventColumns()} | with_source(options)
    events_here(made)
    return made


def read_request(options: dict[str, Any], table: int) -> ReadRequest:
    """Return what to read of the orders (0) or the customers (1), customer ids first."""
    given = here(options)
    return given.customers_request if table == 1 else given.orders_request
