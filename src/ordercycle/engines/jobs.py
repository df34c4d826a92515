"""What the tasks of a cluster do: pack rows by customer, group those that arrive, answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ordercycle.columns import Columns
from ordercycle.engines.delivery import Delivery
from ordercycle.engines.file_frames import FileFrame, are_paths
from ordercycle.engines.parcels import MOST_TARGETS, TABLES, Packer, Parcel, packed_type
from ordercycle.engines.questions import Question
from ordercycle.errors import ConfigError, Option, whole_number
from ordercycle.history.options import (
    OPTIONS,
    BuildOptions,
    refuse_unknown,
    wanted_customers,
    wanted_orders,
)
from ordercycle.history.order_history import OrderHistory
from ordercycle.history.policies import Policies
from ordercycle.ingest.identity import id_type
from ordercycle.ingest.spill import Spill
from ordercycle.sources.row_source import check_columns
from ordercycle.sources.wanted import IDS, Role, Wanted

#: Options of OrderHistory.build that a job takes beside its columns.
TAKEN = tuple(name for name in OPTIONS if name not in ("columns", "timezone", "progress", "only"))
#: Those that say how files are read, which only the tasks that read them need.
FILE_OPTIONS = ("read", "filesystem")
#: Options that say what times in files are.
TIME_OPTIONS = ("timezone", "times_without_zone")


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
    travel; the customer ids come first. places: for each, where the rows of a source come from,
    or None where only the engine knows; options: of OrderHistory.build, as they were given.
    """

    tables: tuple[pa.Schema, ...]
    places: tuple[tuple[str, ...] | None, ...]
    partitions: int
    repeatable: bool
    options: dict[str, Any]

    @classmethod
    def of(
        cls,
        frames: Sequence[Any],
        kind: FrameKind,
        *,
        partitions: int,
        columns: Columns | None,
        timezone: str,
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
        refuse_unknown(options, TAKEN, "option")
        if options.get("spill_directory") is not None and options.get("memory_limit") is None:
            raise ConfigError(
                (Option("spill_directory"), " is nothing without a limit"),
                remedy=("pass ", Option("memory_limit"), " to say what fits"),
            )
        number = whole_number(partitions)
        if number is None or not 1 <= number <= MOST_TARGETS:
            raise ConfigError(
                (Option("partitions", partitions), " is no number of partitions"),
                remedy=f"pass a number from 1 to {MOST_TARGETS:,}, or None for the engine's",
            )
        columns = checked_columns(columns)
        tables = []
        for table, frame in enumerate(frames):
            names = wanted(columns, table).names
            if isinstance(frame, FileFrame):
                schema = frame.schema
            else:
                kind.check(frame, TABLES[table])
                schema = kind.schema(frame, names, TABLES[table])
            check_columns(schema, names, TABLES[table])
            types = [
                (name, packed_type(_travels_as(schema.field(name), role, TABLES[table])))
                for name, role in wanted(columns, table).roles.items()
            ]
            tables.append(pa.schema(types))
        job = cls(
            tables=tuple(tables),
            places=tuple(
                frame.places() if isinstance(frame, FileFrame) else None for frame in frames
            ),
            partitions=number,
            repeatable=kind.repeatable,
            options={
                "threads": 1,
                **{name: value for name, value in options.items() if name not in FILE_OPTIONS},
                "columns": columns,
                "timezone": timezone,
            },
        )
        job.without_rows()  # which checks the rest
        return job

    def without_rows(self) -> OrderHistory:
        """Return the history of empty tables, which has the types and options of all others."""
        # The folder to spill to is the workers', and need not be on the driver.
        here = replace(self, options=self.options | {"spill_directory": None})
        return here.built([schema.empty_table() for schema in self.tables])

    def packer(self, table: int) -> Packer:
        """Return what packs the rows of the orders (0) or the customers (1)."""
        drop_nameless = table == 0 and self.policies.anonymous == "drop"
        schema = self.tables[table]
        # Files are read in the same order each time.
        repeatable = self.repeatable and self.places[table] is None
        ids = [name for name, role in wanted(self.columns, table).roles.items() if role in IDS]
        return Packer(table, schema, self.partitions, drop_nameless, repeatable, tuple(ids))

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
        history = self.built([delivery.source(table) for table in range(len(self.tables))])
        delivery.check(history.summary().rows, announced)
        return question.answers(history)

    def built(self, tables: Sequence[Any]) -> OrderHistory:
        """Return the history of the orders and, where there are, the customers."""
        return OrderHistory.build(*tables, **self.options)

    @property
    def policies(self) -> Policies:
        """What the rows mean."""
        return BuildOptions.of(self.options | {"spill_directory": None}).policies

    @property
    def columns(self) -> Columns:
        """The columns to read."""
        columns: Columns = self.options["columns"]
        return columns


def _travels_as(column: pa.Field, role: Role, table: str) -> pa.DataType:
    """Return the type of a column once its ids, if it has any, are read."""
    return id_type(column, table) if role in IDS else column.type


def checked_columns(columns: Columns | None) -> Columns:
    """Return the caller's names of columns, or the usual ones; raise a ConfigError for others."""
    columns = Columns() if columns is None else columns
    if not isinstance(columns, Columns):
        raise ConfigError(
            (Option("columns", columns), " names no columns"),
            remedy="pass ordercycle.Columns(customer=..., ...)",
        )
    return columns


def opened(frames: Sequence[Any], columns: Columns | None, options: dict[str, Any]) -> list[Any]:
    """Return the orders and, where there are, the customers, with a FileFrame for each path.

    options: as the caller gave them, of which some say how files are read.

    Raises
    ------
    SourceError, ColumnError, ConfigError
        As for files in OrderHistory.build.
    """
    named = checked_columns(columns)
    reading = {name: options[name] for name in FILE_OPTIONS if name in options}
    of_times = {name: options[name] for name in TIME_OPTIONS if name in options}
    reading["times"] = BuildOptions.of(reading | of_times).policies.times
    return [
        FileFrame.of(frame, wanted(named, table, reading)) if are_paths(frame) else frame
        for table, frame in enumerate(frames)
    ]


def wanted(columns: Columns, table: int, reading: dict[str, Any] | None = None) -> Wanted:
    """Return what to read of the orders (0) or the customers (1), customer ids first.

    reading: how files are read.
    """
    of_table = wanted_customers if table == 1 else wanted_orders
    return of_table(columns, **(reading or {}))
