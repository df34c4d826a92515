"""What the tasks of a cluster do: pack rows by customer, group those that arrive, run a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ordercycle._durable import path_of
from ordercycle._engines.cluster_views import Compared, View
from ordercycle._engines.kept_customers import KeptCustomers
from ordercycle._engines.partition_tasks import PartitionTask
from ordercycle._engines.shuffle_blocks import MOST_TARGETS, Packer, ShuffleBlock
from ordercycle._engines.shuffle_reader import ShuffleReader
from ordercycle._engines.stream_plans import (
    OrdersPlan,
    Packing,
    SchemaOf,
    StreamPlan,
    refuse_other_ids,
)
from ordercycle._errors import ConfigError, Option, whole_number
from ordercycle._ingest.spill import Spill


@dataclass(frozen=True, kw_only=True)
class GroupingJob:
    """One grouping of streams by customer, spread over partitions.

    streams: the first one is read as it comes, the others wait; memory_limit, spill_directory: of
    each task.
    """

    streams: tuple[StreamPlan, ...]
    partitions: int
    memory_limit: int | str | None = None
    spill_directory: Any = None

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
        check_memory(options)
        packing = Packing(schema_of, checked_partitions(partitions), repeatable)
        return cls.of_streams([OrdersPlan.of("orders", frames, options, packing)], options)

    @classmethod
    def of_streams(cls, streams: Sequence[StreamPlan], options: dict[str, Any]) -> GroupingJob:
        """Return the job for streams, numbered one after the other; options: of the tasks.

        Raises
        ------
        ColumnError
            Where a stream has no ids in common with the first one.
        """
        refuse_other_ids(streams)
        return cls(
            streams=tuple(streams),
            partitions=streams[0].tables[0].targets,
            memory_limit=options.get("memory_limit"),
            spill_directory=options.get("spill_directory"),
        )

    @property
    def tables(self) -> tuple[Packer, ...]:
        """The tables of all streams, by their numbers."""
        return tuple(table for stream in self.streams for table in stream.tables)

    def where(self, view: View) -> GroupingJob:
        """Return the job for a view of the first stream.

        Raises
        ------
        ConfigError, ColumnError
            Where the condition does not fit, as far as no row is read for it.
        """
        first, *others = self.streams
        return replace(self, streams=(first.where(view), *others))

    def comparing(self, compared: dict[str, list[Compared]]) -> GroupingJob:
        """Return the job with conditions by the names of streams, whose texts are to be there."""
        streams = (
            stream.comparing(compared[stream.name]) if compared.get(stream.name) else stream
            for stream in self.streams
        )
        return replace(self, streams=tuple(streams))

    def brought(self, kept: KeptCustomers, threads: int | None) -> GroupingJob:
        """Return the job for the driver, where the rows of some customers come.

        threads: of the histories there.
        """
        streams = tuple(stream.brought(kept, threads) for stream in self.streams)
        return replace(self, streams=streams, partitions=1, memory_limit=None, spill_directory=None)

    @property
    def nobody(self) -> dict[str, Any]:
        """The streams without customers, by name: they have the types of all others."""
        return {stream.name: stream.nobody for stream in self.streams}

    def run(
        self, task: PartitionTask, blocks: Iterable[ShuffleBlock], expected_rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the results of a task for the customers of a partition.

        blocks, expected_rows: as for `built`.
        """
        return task.results(self.built(blocks, expected_rows))

    def built(
        self, blocks: Iterable[ShuffleBlock], expected_rows: int | None = None
    ) -> dict[str, Any]:
        """Return the streams of the customers of a partition, by name.

        blocks: all those of the partition; expected_rows: how many rows they should hold, where an
        engine knows.
        """
        spill = Spill.of(self.memory_limit, self.spill_directory)
        reader = ShuffleReader(blocks, self.tables, spill)
        built = {
            stream.name: stream.built([reader.source(table) for table in stream.tables])
            for stream in self.streams
        }
        rows = {
            stream.tables[0].number: stream.rows_of(built[stream.name]) for stream in self.streams
        }
        reader.check(rows, expected_rows)
        for stream in self.streams:
            found = reader.found(stream.tables[0])
            built[stream.name] = stream.counted(built[stream.name], found)
        return built


def check_memory(options: dict[str, Any]) -> None:
    """Raise a ConfigError for a folder to spill to that is no path, or has no limit beside it."""
    if options.get("spill_directory") is None:
        return
    path_of("spill_directory", options["spill_directory"])
    if options.get("memory_limit") is None:
        raise ConfigError(
            (Option("spill_directory"), " needs a limit to say what fits"),
            remedy=("add ", Option("memory_limit", "4GB")),
        )


def checked_partitions(partitions: int) -> int:
    """Return a number of partitions, or raise a ConfigError."""
    number = whole_number(partitions)
    if number is None or not 1 <= number <= MOST_TARGETS:
        raise ConfigError(
            (Option("partitions", partitions), " is no number of partitions"),
            remedy=f"pass a number from 1 to {MOST_TARGETS:,}, or None for the engine's",
        )
    return number
