"""What Dask does with a job: frames of parcels, and the functions that its tasks run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ordercycle.engines import dask_frames
from ordercycle.engines.jobs import Job, wanted
from ordercycle.engines.parcels import PARCEL, TABLES, Packer
from ordercycle.engines.questions import Assignment, Question, TableCounts
from ordercycle.errors import SourceError
from ordercycle.segments.fitting import CELLS_SCHEMA, Cells

if TYPE_CHECKING:
    from dask.dataframe import DataFrame

#: Up to so many transfers, tasks move parcels with two thirds of the processor time of Dask's
#: `p2p`, and without the disk; it is made for more, and for many small rows.
FEW_TRANSFERS = 32 * 32


def asked(
    job: Job, question: Question, orders: DataFrame, customers: DataFrame | None
) -> DataFrame:
    """Return the answers to a question, one partition of customers after the other."""
    import dask.dataframe as dd

    parcels = _packed(orders, job, 0)
    if customers is not None:
        parcels = dd.concat([parcels, _packed(customers, job, 1)])
    # Added up apart from the shuffle: what a partition then lacks, it knows it lacks.
    announced = parcels.groupby("target")["rows"].sum(split_out=1)
    # The index says in which partition a row goes; nothing is left to a hash of Dask's.
    arrived = parcels.set_index(
        "target",
        divisions=[*range(job.partitions), job.partitions],
        shuffle_method=_shuffle_method(parcels.npartitions, job.partitions),
    )
    answer = Answer(
        job,
        question,
        question.schema(job.without_rows()),
        orders._meta[job.columns.customer].dtype,  # noqa: SLF001
    )
    return arrived.map_partitions(
        answer, announced, meta=answer.frame([]), align_dataframes=False, clear_divisions=True
    )


def _shuffle_method(sources: int, targets: int) -> str | None:
    """Return how to shuffle parcels where nobody has said; None: as Dask thinks best."""
    import dask

    if dask.config.get("dataframe.shuffle.method", None) is not None:
        return None
    return "tasks" if sources * targets <= FEW_TRANSFERS else None


def _packed(frame: DataFrame, job: Job, table: int) -> DataFrame:
    pack = Pack(job.packer(table))
    selected = frame[wanted(job.columns, table)]
    return selected.map_partitions(pack, meta=pack.frame([]), clear_divisions=True)


def added_up(cells: DataFrame) -> Cells:
    """Return the sum of tables of cells, added up in a tree of tasks."""
    summed = cells.reduction(_sum_of_cells, meta=cells._meta).compute()  # noqa: SLF001
    return Cells.from_table(pa.Table.from_pandas(summed, schema=CELLS_SCHEMA))


def _sum_of_cells(frame: Any) -> Any:
    table = pa.Table.from_pandas(frame, schema=CELLS_SCHEMA, preserve_index=False)
    return dask_frames.frame_of([Cells.from_table(table).to_batch()], CELLS_SCHEMA)


@dataclass(frozen=True)
class Pack:
    """Packs a partition of a table."""

    packer: Packer

    @property
    def __name__(self) -> str:  # what Dask shows for a task
        return f"pack_{TABLES[self.packer.table]}"

    def __call__(self, frame: Any, partition_info: dict[str, Any] | None = None) -> Any:
        """Return what a task makes of its partition."""
        packer = self.packer
        source = 0 if partition_info is None else partition_info["number"]
        batches = dask_frames.batches_of(frame, packer.schema, TABLES[packer.table])
        return self.frame(list(packer.parcels(source, batches)))

    def frame(self, parcels: list[pa.RecordBatch]) -> Any:
        """Return parcels as a frame, whose targets can be an index."""
        return dask_frames.frame_of(parcels, PARCEL).astype({"target": "int64", "rows": "int64"})


@dataclass(frozen=True)
class Answer:
    """Answers a question about the customers whose parcels arrived."""

    job: Job
    question: Question
    schema: pa.Schema
    id_dtype: Any

    @property
    def __name__(self) -> str:
        return type(self.question).__name__.lower()

    def __call__(self, arrived: Any, announced: Any) -> Any:
        """Return what a task makes of its partition."""
        if not len(arrived):
            raise SourceError(
                "no parcel arrived where every source sends at least one; the shuffle lost them, "
                "run the job again"
            )
        rows = int(announced.loc[arrived.index.unique()].sum())
        parcels = dask_frames.batches_of(arrived.reset_index(), PARCEL, "parcels")
        return self.frame(list(self.job.answers(parcels, self.question, rows)))

    def frame(self, answers: list[pa.RecordBatch]) -> Any:
        """Return answers as a frame, the ids in the dtype they came in."""
        frame = dask_frames.frame_of(answers, self.schema)
        return dask_frames.with_ids_as(frame, "customer_id", self.id_dtype)


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
