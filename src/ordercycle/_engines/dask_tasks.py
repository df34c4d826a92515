"""The functions that Dask's tasks run, and sums of what they return."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ordercycle._engines import dask_frames
from ordercycle._engines.file_frames import FileFrame
from ordercycle._engines.grouping_job import Job
from ordercycle._engines.partition_tasks import Assignment, Question, TableCounts
from ordercycle._engines.shuffle_blocks import TABLES, Packer, Parcel, packed, packed_type
from ordercycle._segments.counting_rounds import CELLS_SCHEMA, Cells
from ordercycle._sources.files import Piece

if TYPE_CHECKING:
    from dask.dataframe import DataFrame


@dataclass(frozen=True)
class ReadFiles:
    """Reads pieces of files; of dictionaries, which differ from file to file, the values."""

    files: FileFrame  # without tasks, which travel one by one

    @property
    def __name__(self) -> str:  # what Dask shows for a task
        return f"read_{self.files.request.table}"

    def __call__(self, pieces: tuple[Piece, ...]) -> Any:
        """Return what a task reads."""
        return self.frame(list(self.files.rows_of(pieces)))

    def frame(self, batches: list[pa.RecordBatch]) -> Any:
        """Return what was read as a frame."""
        schema = pa.schema([(field.name, packed_type(field.type)) for field in self.files.schema])
        plain = [
            pa.RecordBatch.from_arrays(
                list(map(packed, batch.columns, schema.types)), schema=schema
            )
            for batch in batches
        ]
        return dask_frames.frame_of(plain, schema)


@dataclass(frozen=True)
class Packing:
    """What tasks that pack a partition of a table have in common."""

    packer: Packer

    @property
    def __name__(self) -> str:  # what Dask shows for a task
        return f"pack_{TABLES[self.packer.table]}"

    def taken(
        self, frame: Any, partition_info: dict[str, Any] | None
    ) -> tuple[int, list[pa.RecordBatch]]:
        """Return which partition of the source a frame is, and its rows."""
        source = 0 if partition_info is None else partition_info["number"]
        table = TABLES[self.packer.table]
        return source, dask_frames.batches_of(frame, self.packer.arrival.schema, table)


@dataclass(frozen=True)
class Answer:
    """Answers a question about the customers whose parcels arrived.

    id_dtype: in which the ids came; of categories, no category travels with the tasks.
    """

    job: Job
    question: Question
    schema: pa.Schema
    id_dtype: Any

    @classmethod
    def of(cls, job: Job, question: Question, orders: DataFrame) -> Answer:
        """Return what answers a question about such orders, which is checked here."""
        return cls(
            job,
            question,
            question.schema(job.kind),
            _dtype_of_ids(job, orders),
        )

    @property
    def name(self) -> str:
        """What Dask shows for a task."""
        return type(self.question).__name__.lower()

    def about(self, parcels: Iterable[Parcel], rows: int) -> Any:
        """Return the answers, as a frame; rows: how many the parcels should hold."""
        return self.frame(list(self.job.answers(parcels, self.question, rows)))

    def frame(self, answers: list[pa.RecordBatch]) -> Any:
        """Return answers as a frame, the ids in the dtype they came in."""
        frame = dask_frames.frame_of(answers, self.schema)
        return dask_frames.with_ids_as(frame, "customer_id", self.id_dtype)


def _dtype_of_ids(job: Job, orders: DataFrame) -> Any:
    """Return the dtype in which the ids came; of those that are made of others, Arrow's."""
    customer, travelling = job.columns.customer, job.tables[0]
    came = job.arrivals[0].schema
    if customer in came.names and came.field(customer).type == travelling.field(0).type:
        return dask_frames.dtype_alone(orders.dtypes[customer])
    return dask_frames.frame_of([], travelling).dtypes[customer]


@dataclass(frozen=True)
class Count:
    """Counts a partition of a profile for a round of a fit."""

    counts: TableCounts
    schema: pa.Schema

    @property
    def __name__(self) -> str:
        return "count"

    def __call__(self, frame: Any) -> Any:
        """Return what a task makes of its partition."""
        batches = dask_frames.batches_of(frame, self.schema, "profiles")
        return dask_frames.frame_of([self.counts.answers(iter(batches))], CELLS_SCHEMA)


@dataclass(frozen=True)
class Assign:
    """Adds segments to a partition of a profile."""

    assignment: Assignment
    schema: pa.Schema  # of the profile's columns that a scheme could read

    @property
    def __name__(self) -> str:
        return f"assign_{self.assignment.scheme.name}"

    def __call__(self, frame: Any) -> Any:
        """Return what a task makes of its partition."""
        batches = dask_frames.batches_of(frame, self.schema, "profiles")
        table = self.assignment.table(pa.Table.from_batches(batches, schema=self.schema))
        added = table.select(range(len(self.schema), table.num_columns))
        columns = dask_frames.frame_of(added.to_batches(), added.schema)
        return frame.assign(**{name: columns[name].array for name in columns})


def added_up(cells: DataFrame) -> Cells:
    """Return the sum of tables of cells, added up in a tree of tasks."""
    summed = cells.reduction(_sum_of_cells, meta=cells._meta).compute()  # noqa: SLF001 - types
    return Cells.from_table(pa.Table.from_pandas(summed, schema=CELLS_SCHEMA))


def _sum_of_cells(frame: Any) -> Any:
    table = pa.Table.from_pandas(frame, schema=CELLS_SCHEMA, preserve_index=False)
    return dask_frames.frame_of([Cells.from_table(table).to_batch()], CELLS_SCHEMA)
