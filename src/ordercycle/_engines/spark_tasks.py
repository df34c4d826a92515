"""The functions that Spark's tasks run."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import pyarrow as pa

from ordercycle._engines.file_frames import PieceReader, place_of
from ordercycle._engines.grouping_job import GroupingJob
from ordercycle._engines.partition_tasks import PartitionTask
from ordercycle._engines.shuffle_blocks import BLOCK_BYTES, BLOCK_SCHEMA, Packer, as_rows, from_rows
from ordercycle._engines.spark_types import sparks

P = ParamSpec("P")

#: More than a task leaves behind, and far fewer than PySpark and Numba are made of.
MANY_OBJECTS = 20_000


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
        source = 0 if context is None else context.partitionId()
        yield from self.rows(source, batches)

    def rows(
        self, source: int, batches: Iterable[pa.RecordBatch], place: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """Return the shuffle blocks of a source as rows, with the keys of their targets."""
        keys = pa.array(self.keys, pa.int32())
        for rows in as_rows(self.packer.blocks(source, batches, place, BLOCK_BYTES)):
            yield rows.set_column(0, BLOCK_SCHEMA.field(0), keys.take(rows.column(0)))


@dataclass(frozen=True)
class PackFiles:
    """Packs the pieces of files that come as rows, or whose numbers do.

    known: the pieces of each source, pickled, where these are few.
    """

    pack: Pack
    reader: PieceReader
    known: tuple[bytes, ...] = ()

    @in_a_worker
    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return what a task makes of its batches: of one row, in all."""
        for batch in batches:
            sources, *data = (column.to_pylist() for column in batch.columns)
            pickled = data[0] if data else [self.known[source] for source in sources]
            for source, one in zip(sources, pickled, strict=True):
                pieces = pickle.loads(one)  # noqa: S301 - our own
                read = self.reader.batches(pieces)
                yield from self.pack.rows(source, read, place_of(pieces))


@dataclass(frozen=True)
class RunTask:
    """Runs a task for the customers whose shuffle blocks these are."""

    job: GroupingJob
    task: PartitionTask

    @in_a_worker
    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return what a task makes of its batches."""
        yield from map(plain, self.job.run(self.task, from_rows(batches)))


@dataclass(frozen=True)
class MapBatches:
    """Maps the batches of a frame; names: of its columns, which come by place."""

    work: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
    names: list[str]

    @in_a_worker
    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return what a task makes of its batches."""
        yield from map(plain, self.work(batch.rename_columns(self.names) for batch in batches))


def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch in types that Spark has: of dictionaries, for one, the values."""
    for place, field in enumerate(batch.schema):
        kind = sparks(field.type)
        if kind != field.type:
            batch = batch.set_column(place, field.name, batch.column(place).cast(kind))
    return batch


@in_a_worker
def warm_up(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Get the kernels of the process ready, and report how."""
    import os
    import socket

    from ordercycle._warm_up import warmup

    for _ in batches:  # of which nothing is wanted but that it goes by
        pass
    made = warmup(threads=1)  # other tasks have the other cores
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
