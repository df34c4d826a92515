"""What the tasks of a cluster do: pack rows by customer, group those that arrive, answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ordercycle._columns import Columns
from ordercycle._engines.file_frames import FileFrame, are_paths
from ordercycle._engines.partition_tasks import Question
from ordercycle._engines.shuffle_blocks import (
    COMPARED,
    MOST_TARGETS,
    TABLES,
    Arrival,
    Packer,
    Parcel,
    packed_type,
)
from ordercycle._engines.shuffle_reader import Delivery
from ordercycle._errors import ConfigError, Option, whole_number
from ordercycle._history.options import (
    OF_CLUSTERS,
    OF_READING,
    BuildOptions,
    check_tables_need,
    refuse_unknown,
    with_source,
)
from ordercycle._history.order_history import OrderHistory
from ordercycle._history.reading import spec_of_tables
from ordercycle._ingest.identity import id_type
from ordercycle._ingest.nobody import Nobody
from ordercycle._ingest.row_identity import check_comparable
from ordercycle._ingest.spill import Spill
from ordercycle._policies import Policies
from ordercycle._sources.computed_columns import resolved
from ordercycle._sources.read_request import IDS, ReadRequest, Role
from ordercycle._sources.row_source import Source, check_columns
from ordercycle._spec import HistorySpec


@dataclass(frozen=True)
class FrameKind:
    """What a job has to know of an engine's frames.

    name: for messages; method: which only such a frame has; repeatable: whether the engine expects
    of a task that runs again what it made before; schema: returns the Arrow schema of a frame,
    given the columns that need a type and what the table is.
    """

    name: str
    method: str
    repeatable: bool
    schema: Callable[[Any, list[str], str], pa.Schema]

    def check(self, frame: object, what: str) -> None:
        """Raise a ConfigError for anything but a frame of the engine."""
        if not hasattr(frame, self.method):
            raise ConfigError(
                f"{what}: a {type(frame).__name__} is no {self.name}, nor the path of files",
                remedy="ordercycle.OrderHistory and the schemes themselves take what is on one "
                "machine",
            )


@dataclass(frozen=True, kw_only=True)
class Job:
    """One grouping of orders by customer, spread over partitions.

    tables: the schemas in which the rows of the orders and, where there are, of the customers
    travel; the customer ids come first, and last, where rows are compared in other columns than
    these, two words of those. places: for each, where the rows of a source come from,
    or None where only the engine knows; arrivals: for each, the columns that tasks are handed;
    options: of OrderHistory.build, as they were given.
    """

    tables: tuple[pa.Schema, ...]
    places: tuple[tuple[str, ...] | None, ...]
    partitions: int
    repeatable: bool
    arrivals: tuple[Arrival, ...]
    options: dict[str, Any]

    @classmethod
    def of(
        cls,
        frames: Sequence[Any],
        kind: FrameKind,
        *,
        partitions: int,
        columns: Columns | None,
        timezone: str | None,
        options: dict[str, Any],
    ) -> Job:
        """Return the job for frames: the orders and, where there are, the customers.

        Everything that can be is checked here, on the driver: names, types and options.

        Raises
        ------
        ColumnError
            Where a column is missing or its type has no meaning.
        ConfigError
            Where an option is unknown, or is not one of its choices.
        """
        options = given_options(columns, timezone, options)
        if options.get("spill_directory") is not None and options.get("memory_limit") is None:
            raise ConfigError(
                (Option("spill_directory"), " needs a limit to say what fits"),
                remedy=("add ", Option("memory_limit", "4GB")),
            )
        number = whole_number(partitions)
        if number is None or not 1 <= number <= MOST_TARGETS:
            raise ConfigError(
                (Option("partitions", partitions), " is no number of partitions"),
                remedy=f"pass a number from 1 to {MOST_TARGETS:,}, or None for the engine's",
            )
        arrivals, tables = [], []
        for table, frame in enumerate(frames):
            asked = wanted(options, table)
            if isinstance(frame, FileFrame):
                arrival = Arrival(TABLES[table], frame.schema)
            else:
                kind.check(frame, TABLES[table])
                there = kind.schema(frame, [], TABLES[table]).names
                found = resolved(asked, there)
                arrival = Arrival.of(found, kind.schema(frame, found.names, TABLES[table]))
            arrivals.append(arrival)
            tables.append(_travelling(arrival, asked))
        job = cls(
            tables=tuple(tables),
            places=tuple(
                frame.places() if isinstance(frame, FileFrame) else None for frame in frames
            ),
            partitions=number,
            repeatable=kind.repeatable,
            arrivals=tuple(arrivals),
            options={
                "threads": 1,
                **{name: value for name, value in options.items() if name not in OF_READING},
            },
        )
        described: dict[str, Any] = {
            name: options[name] for name in ("read", "filesystem") if name in options
        }
        files = {TABLES[at]: getattr(frame, "files", None) for at, frame in enumerate(frames)}
        check_tables_need(here(described), files)
        job._kind(is_whole=True)  # which checks the rest, and warns of what can be known here
        return job

    @property
    def kind(self) -> HistorySpec:
        """What the histories of all tasks have in common."""
        return self._kind(is_whole=False)

    def _kind(self, *, is_whole: bool) -> HistorySpec:
        orders, customers, *_ = (*self._without_rows(is_whole=is_whole), None)
        return spec_of_tables(
            orders, customers, here(self.options, has_customers=customers is not None)
        )

    def _without_rows(self, *, is_whole: bool) -> list[Source]:
        return [
            Source(name, schema, iter(schema.empty_table().to_batches()), 0, is_whole=is_whole)
            for name, schema in zip(TABLES, self.tables, strict=False)
        ]

    def without_rows(self) -> OrderHistory:
        """Return the history of empty tables, which has the types and options of all others."""
        options = self.options | {"spill_directory": None}
        return OrderHistory.build(*self._without_rows(is_whole=False), **options)

    def packer(self, table: int) -> Packer:
        """Return what packs the rows of the orders (0) or the customers (1)."""
        drop_nameless = table == 0 and self.policies.anonymous == "drop"
        schema = self.tables[table]
        # Files are read in the same order each time.
        repeatable = self.repeatable and self.places[table] is None
        ids = [name for name, role in wanted(self.options, table).roles.items() if role in IDS]
        nobody = self.policies.nobody
        return Packer(
            table,
            schema,
            self.partitions,
            drop_nameless,
            repeatable,
            tuple(ids),
            self.arrivals[table],
            Nobody.of(nobody, schema.field(0).type) if nobody else None,
        )

    def answers(
        self,
        parcels: Iterable[Parcel],
        question: Question,
        announced: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the answers about the customers whose parcels these are.

        parcels: all those of one target; announced: how many rows they should hold, where an
        engine knows.
        """
        spill = Spill.of(self.options.get("memory_limit"), self.options.get("spill_directory"))
        delivery = Delivery(parcels, self.tables, self.places, spill)
        tables = [delivery.source(table) for table in range(len(self.tables))]
        history = OrderHistory.build(*tables, **self.options)
        delivery.check(history.summary().rows, announced)
        return question.answers(history)

    @property
    def policies(self) -> Policies:
        """What the rows mean."""
        return here(self.options).policies

    @property
    def columns(self) -> Columns:
        """The columns to read."""
        columns: Columns = self.options["columns"]
        return columns


def here(options: dict[str, Any], *, has_customers: bool = True) -> BuildOptions:
    """Return options, checked on the driver: the folder to spill to is there on workers only."""
    return BuildOptions.of(options | {"spill_directory": None}, has_customers=has_customers)


def _travelling(arrival: Arrival, asked: ReadRequest) -> pa.Schema:
    """Return the columns of a table as they travel."""
    check_columns(arrival.made, asked.names, arrival.table)
    fields = [
        (name, packed_type(_travels_as(arrival.made.field(name), role, arrival.table)))
        for name, role in asked.roles.items()
    ]
    if asked.compared:
        others = arrival.others(asked.names)
        check_comparable(arrival.made, others)
        fields += [(name, pa.uint64()) for name in COMPARED if others]
    return pa.schema(fields)


def _travels_as(column: pa.Field, role: Role, table: str) -> pa.DataType:
    """Return the type of a column once its ids, if it has any, are read."""
    return id_type(column, table) if role in IDS else column.type


def given_options(
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


def opened(
    frames: Sequence[Any],
    columns: Columns | None,
    timezone: str | None,
    options: dict[str, Any],
) -> list[Any]:
    """Return the orders and, where there are, the customers, with a FileFrame for each path.

    options: as the caller gave them, of which some say how files are read.

    Raises
    ------
    SourceError, ColumnError, ConfigError
        As for files in OrderHistory.build.
    """
    given = given_options(columns, timezone, options)
    return [
        FileFrame.of(frame, wanted(given, table)) if are_paths(frame) else frame
        for table, frame in enumerate(frames)
    ]


def wanted(options: dict[str, Any], table: int) -> ReadRequest:
    """Return what to read of the orders (0) or the customers (1), customer ids first."""
    given = here(options)
    return given.customers_request if table == 1 else given.orders_request
