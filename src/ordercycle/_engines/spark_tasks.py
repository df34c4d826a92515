"""What Spark does with a job: frames of parcels, and the functions that its tasks run."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce, wraps
from typing import TYPE_CHECKING, Any, ParamSpec
from weakref import WeakKeyDictionary

import pyarrow as pa

from ordercycle._engines.file_frames import FileFrame
from ordercycle._engines.grouping_job import Job
from ordercycle._engines.partition_tasks import Assignment, Question, Segmented, TableCounts
from ordercycle._engines.shuffle_blocks import PARCEL, Packer, parcels_of
from ordercycle._engines.spark_jobs import session_of
from ordercycle._engines.spark_types import (
    keys_of_partitions,
    spark_schema,
    sparks,
)
from ordercycle._segments.counting_rounds import Cells

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

P = ParamSpec("P")

#: More than a task leaves behind, and far fewer than PySpark and Numba are made of.
MANY_OBJECTS = 20_000

#: What was asked to make a frame, as long as there is the frame.
_ASKED: WeakKeyDictionary[DataFrame, tuple[Job, Question, Sequence[Any]]] = WeakKeyDictionary()


def asked(job: Job, question: Question, frames: Sequence[Any]) -> DataFrame:
    """Return the answers to a question, one partition of customers after the other.

    frames: the orders and, where there are, the customers.
    """
    packed = [_packed(frame, job, table, session_of(frames)) for table, frame in enumerate(frames)]
    parcels = reduce(lambda one, other: one.unionAll(other), packed)
    arrived = parcels.repartition(job.partitions, "target")
    schema = question.schema(job.kind)
    answers = arrived.mapInArrow(Answer(job, question), spark_schema(schema))
    _ASKED[answers] = (job, question, frames)
    return answers


def with_segments(profiles: DataFrame, assignment: Assignment) -> DataFrame | None:
    """Return profiles with segments, assigned in the tasks that make the profiles.

    None: where these are not just as `asked` returned them, or are kept. Otherwise each row would
    go to Spark and back, which takes as long as grouping its orders.
    """
    made = _ASKED.get(profiles)
    if made is None or profiles.storageLevel.useMemory or profiles.storageLevel.useDisk:
        return None
    job, question, frames = made
    return asked(job, Segmented(question, assignment), frames)


def _packed(frame: Any, job: Job, table: int, session: SparkSession) -> DataFrame:
    pack = Pack(job.packer(table), keys_of_partitions(job.partitions))
    if isinstance(frame, FileFrame):
        tasks = len(frame.tasks)
        numbers = session.range(0, tasks, 1, numPartitions=tasks)
        return numbers.mapInArrow(PackFiles.of(frame, pack), spark_schema(PARCEL))
    read = frame.select(*map(quoted, job.arrivals[table].names))
    return by_place(read).mapInArrow(pack, spark_schema(PARCEL))


def by_place(frame: DataFrame) -> DataFrame:
    """Return columns named by their place: not every name is one that mapInArrow finds again."""
    return frame.toDF(*(f"column_{place}" for place in range(len(frame.columns))))


def quoted(name: str) -> str:
    """Return a column's name as SQL spells it."""
    return "`" + name.replace("`", "``") + "`"


def plain(table: pa.Table) -> pa.Table:
    """Return a table in types that Spark has: of dictionaries, for one, the values."""
    for place, field in enumerate(table.schema):
        kind = sparks(field.type)
        if kind != field.type:
            table = table.set_column(place, field.name, table.column(place).cast(kind))
    return table


def added_up(cells: DataFrame) -> Cells:
    """Return the sum of tables of cells, added up on the cluster."""
    summed = cells.groupBy("cell").sum("count").toDF("cell", "count")
    return Cells.from_table(summed.toArrow())


def in_a_worker(task: Callable[P, Iterator[pa.RecordBatch]]) -> Callable[P, Any]:
    """Make a task one of a Python worker of Spark: what it loaded stays out of collections.

    After each task a worker collects garbage, and looks at every object there is for that: with
    Numba's that took longer than the task did.
    """

    @wraps(task)
    def done(*arguments: P.args, **named: P.kwargs) -> Iterator[pa.RecordBatch]:
        yield from task(*arguments, **named)
        if len(gc.get_objects()) > MANY_OBJECTS:
            gc.collect()
            gc.freeze()

    return done


@dataclass(frozen=True)
class Pack:
    """Packs a partition of a table; the target is a key that Spark sends there."""

    packer: Packer
    keys: tuple[int, ...]

    @in_a_worker
    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return what a task makes of its batches."""
        from pyspark import TaskContext

        context = TaskContext.get()
        yield from self.addressed(0 if context is None else context.partitionId(), batches)

    def addressed(self, source: int, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the parcels of a source with the keys of their targets."""
        keys = pa.array(self.keys, pa.int32())
        for parcels in self.packer.parcels(source, batches):
            yield parcels.set_column(0, PARCEL.field(0), keys.take(parcels.column(0)))


@dataclass(frozen=True)
class PackFiles:
    """Packs the files of a task; Spark only says which task it is.

    Spark brings one function to all tasks, and with it the pieces of all: each task opens its own.
    """

    frame: FileFrame  # without tasks
    pack: Pack
    tasks: tuple[bytes, ...]

    @classmethod
    def of(cls, frame: FileFrame, pack: Pack) -> PackFiles:
        """Return what packs the files of a frame."""
        from pyspark import cloudpickle

        return cls(frame.without_tasks(), pack, tuple(map(cloudpickle.dumps, frame.tasks)))

    @in_a_worker
    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return what a task makes of its number."""
        for batch in batches:
            for task in batch.column(0).to_pylist():
                pieces = pickle.loads(self.tasks[task])  # noqa: S301 - our own
                yield from self.pack.addressed(task, self.frame.rows_of(pieces))


@dataclass(frozen=True)
class Answer:
    """Answers a question about the customers whose parcels arrived."""

    job: Job
    question: Question

    @in_a_worker
    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return what a task makes of its batches."""
        for answer in self.job.answers(parcels_of(batches), self.question):
            yield from plain(pa.Table.from_batches([answer])).to_batches()


@dataclass(frozen=True)
class Assign:
    """Adds segments to batches of a profile."""

    assignment: Assignment
    names: list[str]  # of the columns, which come by place

    @in_a_worker
    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return what a task makes of its batches."""
        for batch in batches:
            profiles = pa.Table.from_batches([batch]).rename_columns(self.names)
            yield from plain(self.assignment.table(profiles)).to_batches()


@dataclass(frozen=True)
class Count:
    """Counts batches of a profile for a round of a fit."""

    counts: TableCounts
    names: list[str]  # of the columns, which come by place

    @in_a_worker
    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return what a task makes of its batches."""
        yield self.counts.answers(batch.rename_columns(self.names) for batch in batches)


@in_a_worker
def warm_up(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Get the kernels of the process ready, and say how."""
    import os
    import socket

    from ordercycle._warm_up import warmup

    for _ in batches:  # of which nothing is wanted but that it goes by
        pass
    made = warmup()
    directory = None if made.directory is None else str(made.directory)
    values = [socket.gethostname(), os.getpid(), made.kernels, directory, made.seconds]
    yield pa.RecordBatch.from_pydict(
        {
            name: pa.array([value], kind)
            for name, value, kind in zip(
                ("host", "process", "kernels", "directory", "seconds"),
                values,
                (pa.string(), pa.int64(), pa.int64(), pa.string(), pa.float64()),
                strict=True,
            )
        }
    )
