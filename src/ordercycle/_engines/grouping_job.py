"""What the tasks of a cluster do: pack rows by customer, group those that arrive, run a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pyarrow as pa

from ordercycle._columns import Columns
from ordercycle._engines.cluster_views import View
from ordercycle._engines.file_frames import FileFrame
from ordercycle._engines.partition_tasks import PartitionTask
from ordercycle._engines.shuffle_blocks import (
    COMPARED,
    MOST_TARGETS,
    IncomingColumns,
    Packer,
    ShuffleBlock,
    packed_type,
)
from ordercycle._engines.shuffle_reader import ShuffleReader
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
from ordercycle._ingest.id_types import id_type
from ordercycle._ingest.nobody import Nobody
from ordercycle._ingest.row_identity import check_comparable
from ordercycle._ingest.spill import Spill
from ordercycle._policies import Policies
from ordercycle._sources.computed_columns import resolved
from ordercycle._sources.read_request import IDS, ReadRequest
from ordercycle._sources.row_source import Source, check_columns
from ordercycle._spec import HistorySpec

#: Returns the Arrow schema of a frame, given the columns that need a type and the table's name.
SchemaOf: TypeAlias = Callable[[Any, Sequence[str], str], pa.Schema]


@dataclass(frozen=True, kw_only=True)
class GroupingJob:
    """One grouping of orders by customer, spread over partitions.

    tables: the orders and, where there are, the customers; in the rows that travel, customer ids
    come first and last, where rows are compared in other columns than these, two words of those;
    options: of OrderHistory.build, as they were given; view: which of the orders count, None where
    all do.
    """

    tables: tuple[Packer, ...]
    partitions: int
    options: dict[str, Any]
    view: View | None = None

    @classmethod
    def of(
        cls,
        frames: Sequence[Any],
        schema_of: SchemaOf,
        *,
        partitions: int,
        options: dict[str, Any],
        repeatable: bool = False,
    ) -> GroupingJob:
        """Return the job for frames: the orders and, where there are, the customers.

        Everything that can be is checked here, on the driver: names, types and options.

        options: all of them; repeatable: whether tasks on frames that run again have to make
        what they made before.

        Raises
        ------
        ColumnError
            Where a column is missing or its type has no meaning.
        ConfigError
            Where an option is unknown, or is not one of its choices.
        """
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
        tables = [
            _packer(table, frame, schema_of, options, targets=number, repeatable=repeatable)
            for table, frame in enumerate(frames)
        ]
        files = {
            table.name: frame.files if isinstance(frame, FileFrame) else None
            for table, frame in zip(tables, frames, strict=True)
        }
        described = {name: options[name] for name in OF_READING if name in options}
        check_tables_need(here(described), files)
        meant = {name: value for name, value in options.items() if name not in OF_READING}
        job = cls(tables=tuple(tables), partitions=number, options={"threads": 1, **meant})
        job._spec(is_whole=True)  # which checks the rest, and warns of what can be known here
        return job

    def where(self, view: View) -> GroupingJob:
        """Return the job for a view of the orders.

        Raises
        ------
        ConfigError, ColumnError
            Where the condition does not fit the orders, as far as no row is read for it.
        """
        orders, *others = self.tables
        orders = replace(orders, looked_for=view.looked_for(self.spec))
        return replace(self, tables=(orders, *others), view=view)

    @property
    def spec(self) -> HistorySpec:
        """What the histories of all tasks have in common."""
        return self._spec(is_whole=False)

    def _spec(self, *, is_whole: bool) -> HistorySpec:
        empty = (
            Source(
                table.name,
                table.schema,
                iter(table.schema.empty_table().to_batches()),
                0,
                is_whole=is_whole,
            )
            for table in self.tables
        )
        orders, customers, *_ = (*empty, None)
        return spec_of_tables(
            orders, customers, here(self.options, has_customers=customers is not None)
        )

    def run(
        self, task: PartitionTask, blocks: Iterable[ShuffleBlock], expected_rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the results of a task for the customers of a partition.

        blocks: all those of the partition; expected_rows: how many rows they should hold, where an
        engine knows.
        """
        spill = Spill.of(self.options.get("memory_limit"), self.options.get("spill_directory"))
        reader = ShuffleReader(blocks, self.tables, spill)
        history = OrderHistory.build(*reader.sources(), **self.options)
        reader.check(history.summary().rows, expected_rows)
        if self.view is not None:
            found = reader.found if reader.has_orders else None
            history = self.view.of(history, self.tables[0].looked_for, found)
        return task.results(history)

    @property
    def policies(self) -> Policies:
        """What the rows mean."""
        return here(self.options).policies


def here(options: dict[str, Any], *, has_customers: bool = True) -> BuildOptions:
    """Return options, checked on the driver: the folder to spill to is there on workers only."""
    return BuildOptions.of(options | {"spill_directory": None}, has_customers=has_customers)


def _packer(
    table: int,
    frame: Any,
    schema_of: SchemaOf,
    options: dict[str, Any],
    *,
    targets: int,
    repeatable: bool,
) -> Packer:
    """Return what divides the rows of a frame, or of files, which is checked here."""
    request, policies = read_request(options, table), here(options).policies
    if isinstance(frame, FileFrame):
        incoming = IncomingColumns(frame.reader.schema)
    else:
        found = resolved(request, schema_of(frame, [], request.table).names)
        incoming = IncomingColumns.of(found, schema_of(frame, found.names, request.table))
    schema = _travelling(incoming, request)
    return Packer(
        number=table,
        name=request.table,
        schema=schema,
        targets=targets,
        incoming=incoming,
        ids=tuple(name for name, role in request.roles.items() if role in IDS),
        drop_nameless=table == 0 and policies.anonymous == "drop",
        nobody=Nobody.of(policies.nobody, schema.field(0).type) if policies.nobody else None,
        # Files are read in the same order each time.
        repeatable=repeatable and not isinstance(frame, FileFrame),
    )


def _travelling(incoming: IncomingColumns, request: ReadRequest) -> pa.Schema:
    """Return the columns of a table as they travel."""
    check_columns(incoming.made, request.names, request.table)
    fields = []
    for name, role in request.roles.items():
        field = incoming.made.field(name)
        # Ids travel as they are read.
        kind = id_type(field, request.table) if role in IDS else field.type
        fields.append((name, packed_type(kind)))
    if request.compared:
        others = incoming.others(request.names)
        check_comparable(incoming.made, others)
        fields += [(name, pa.uint64()) for name in COMPARED if others]
    return pa.schema(fields)


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


def read_request(options: dict[str, Any], table: int) -> ReadRequest:
    """Return what to read of the orders (0) or the customers (1), customer ids first."""
    given = here(options)
    return given.customers_request if table == 1 else given.orders_request
