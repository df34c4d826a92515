"""Dask as an engine: its partitions are pandas frames, which come and go as Arrow tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ordercycle._engines import dask_frames
from ordercycle._engines.dask_exchange import DaskBlocks, brought, exchanged
from ordercycle._engines.file_frames import FileFrame
from ordercycle._engines.grouping_job import GroupingJob
from ordercycle._engines.partition_tasks import Assignment, PartitionTask
from ordercycle._engines.shuffle_blocks import ShuffleBlock

if TYPE_CHECKING:
    from dask.dataframe import DataFrame


class DaskEngine:
    """What the verbs need of Dask."""

    name, library, package = "Dask", "Dask", "dask.dataframe"
    repeatable = False

    def columns(self, frame: DataFrame) -> list[str]:
        """Return the columns that are named, of a dtype that says what they hold."""
        return dask_frames.known_columns(frame._meta)  # noqa: SLF001 - types

    def schema(self, frame: DataFrame, needed: Sequence[str], table: str) -> pa.Schema:
        """Return the Arrow schema of a frame."""
        return dask_frames.arrow_schema(frame._meta, needed, table)  # noqa: SLF001 - types

    def partitions(self, frames: Sequence[Any]) -> int:
        """Return as many as the orders have."""
        orders = frames[0]
        return len(orders.tasks) if isinstance(orders, FileFrame) else orders.npartitions

    def exchange(self, job: GroupingJob, frames: Sequence[Any]) -> DaskBlocks:
        """Return the rows of frames as blocks, by the partition of their customers."""
        return exchanged(job, frames)

    def bring(self, job: GroupingJob, frames: Sequence[Any]) -> Iterator[ShuffleBlock]:
        """Return the blocks of frames, brought to the driver."""
        return brought(job, frames)

    @contextmanager
    def held(self, blocks: DaskBlocks) -> Iterator[DaskBlocks]:
        """Persist blocks, as long as they are held."""
        yield blocks.persisted()

    def run(self, blocks: DaskBlocks, task: PartitionTask) -> DataFrame:
        """Return the results of a task, one partition of customers after the other."""
        return blocks.run(task)

    def assign(self, frame: DataFrame, assignment: Assignment, added: pa.Table) -> DataFrame:
        """Return profiles with segments."""
        assign = Assign(assignment, self._known_schema(frame))
        meta = with_columns(frame._meta, added)  # noqa: SLF001 - types
        return frame.map_partitions(assign, meta=meta)

    def map(
        self,
        frame: DataFrame,
        work: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
        schema: pa.Schema,
    ) -> DataFrame:
        """Return what is made of the batches of each partition."""
        return frame.map_partitions(
            MapBatches(work, self._known_schema(frame), schema),
            meta=dask_frames.frame_of([], schema),
            clear_divisions=True,
        )

    def _known_schema(self, frame: DataFrame) -> pa.Schema:
        names = self.columns(frame)
        schema = self.schema(frame, names, "profiles")
        fields = [field for field in schema if field.name in names]
        return pa.schema(fields, metadata=schema.metadata)

    @contextmanager
    def kept(self, frame: DataFrame, columns: Sequence[str]) -> Iterator[DataFrame]:
        """Persist columns, as long as they are held."""
        # Of files that it reads several of at once, Dask (2026.8) persists fewer partitions than
        # it then looks for; of what is mapped, it knows how many there are.
        yield frame[list(columns)].map_partitions(as_it_is).persist()

    def collect(self, frame: DataFrame, schema: pa.Schema) -> pa.Table:
        """Return the rows of a frame."""
        return pa.Table.from_pandas(frame.compute(), schema=schema, preserve_index=False)

    def add_up(self, cells: DataFrame, schema: pa.Schema) -> pa.Table:
        """Return the sum of tables, added up in a tree of tasks."""
        meta = cells._meta  # noqa: SLF001 - types
        summed = cells.reduction(AddUp(schema), meta=meta).compute()
        return pa.Table.from_pandas(summed, schema=schema, preserve_index=False)


DASK = DaskEngine()


@dataclass(frozen=True)
class MapBatches:
    """Maps the batches of a partition."""

    work: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
    taken: pa.Schema
    made: pa.Schema

    @property
    def __name__(self) -> str:  # what Dask shows for a task
        return type(self.work).__name__.lower()

    def __call__(self, frame: Any) -> Any:
        """Return what a task makes of its partition."""
        batches = dask_frames.batches_of(frame, self.taken, "profiles")
        return dask_frames.frame_of(self.work(iter(batches)), self.made)


@dataclass(frozen=True)
class Assign:
    """Adds segments to a partition of a profile, whose own columns stay as they are."""

    assignment: Assignment
    taken: pa.Schema

    @property
    def __name__(self) -> str:
        return f"assign_{self.assignment.scheme.name}"

    def __call__(self, frame: Any) -> Any:
        """Return what a task makes of its partition."""
        batches = dask_frames.batches_of(frame, self.taken, "profiles")
        table = pa.Table.from_batches(batches, schema=self.taken)
        return with_columns(frame, self.assignment.added(table))


def as_it_is(frame: Any) -> Any:
    """Return a partition."""
    return frame


def with_columns(frame: Any, added: pa.Table) -> Any:
    """Return a pandas frame with further columns, one row for each of its own."""
    columns = dask_frames.frame_of_table(added)
    return frame.assign(**{name: columns[name].array for name in columns})


@dataclass(frozen=True)
class AddUp:
    """Adds up the rows of a table of a schema: the last column, by all others."""

    schema: pa.Schema

    @property
    def __name__(self) -> str:
        return "add_up"

    def __call__(self, frame: Any) -> Any:
        """Return the sums of a partition, or of several together."""
        table = pa.Table.from_pandas(frame, schema=self.schema, preserve_index=False)
        *keys, count = self.schema.names
        summed = table.group_by(keys, use_threads=False).aggregate([(count, "sum")])
        columns = [summed.column(name) for name in (*keys, f"{count}_sum")]
        made = pa.table(columns, schema=self.schema)
        return dask_frames.frame_of(made.to_batches(), self.schema)
