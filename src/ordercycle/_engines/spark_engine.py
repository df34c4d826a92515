"""Spark as an engine: plans of DataFrame methods only, so that Spark Connect serves as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pyarrow as pa

from ordercycle._engines.file_frames import FileFrame
from ordercycle._engines.grouping_job import GroupingJob
from ordercycle._engines.partition_tasks import Assignment, PartitionTask, Segmented
from ordercycle._engines.shuffle_blocks import BLOCK_SCHEMA, Packer, ShuffleBlock, from_rows
from ordercycle._engines.spark_tasks import MapBatches, Pack, PackFiles, RunTask
from ordercycle._engines.spark_types import ARROW_TYPES, arrow_schema, keys_of_partitions
from ordercycle._engines.spark_types import spark_schema as as_spark
from ordercycle._errors import ConfigError, Option

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Pieces of files of so many bytes travel within the function of all tasks: that saves a shuffle,
#: whose stage and plans take a tenth of the processor time of a verb over few rows.
FEW_BYTES = 2**16


@dataclass(frozen=True)
class SparkBlocks:
    """Shuffle blocks as rows of a frame, each in the partition of its customers."""

    job: GroupingJob
    frame: DataFrame


class SparkEngine:
    """What the verbs need of Spark."""

    name, library, package = "Spark", "PySpark", "pyspark.sql"
    #: Spark compares what a task wrote to a shuffle with what it writes when it has to run again,
    #: and ends a job where that has changed.
    repeatable = True

    def __init__(self) -> None:
        # Of what a frame was made, as long as there is the frame.
        self._made_of: WeakKeyDictionary[DataFrame, tuple[SparkBlocks, PartitionTask]] = (
            WeakKeyDictionary()
        )

    def columns(self, frame: DataFrame) -> list[str]:
        """Return the columns whose types have a meaning here."""
        return [one.name for one in frame.schema if one.dataType.typeName() in ARROW_TYPES]

    def schema(self, frame: DataFrame, needed: Sequence[str], table: str) -> pa.Schema:
        """Return the Arrow schema of a frame; of a stream there is none.

        Raises
        ------
        ConfigError
            For a stream: each of its micro-batches would be taken for all there is.
        """
        if frame.isStreaming:
            raise ConfigError(
                f"{table}: this is a stream, of which Spark would profile each micro-batch by "
                "itself",
                remedy="pass a table that holds all of them",
            )
        return arrow_schema(frame.schema, needed, table)

    def partitions(self, frames: Sequence[Any]) -> int:
        """Return into how many partitions the session divides what it shuffles.

        Raises
        ------
        ConfigError
            Where that is no number, such as the "auto" of some platforms.
        """
        said = str(_session_of(frames).conf.get("spark.sql.shuffle.partitions"))
        if not said.isdecimal():
            raise ConfigError(
                f"spark.sql.shuffle.partitions is {said!r}, which is no number",
                remedy=("pass ", Option("partitions")),
            )
        return int(said)

    def exchange(self, job: GroupingJob, frames: Sequence[Any]) -> SparkBlocks:
        """Return the rows of frames as blocks, by the partition of their customers."""
        return SparkBlocks(job, _blocks(job, frames).repartition(job.partitions, "target"))

    def bring(self, job: GroupingJob, frames: Sequence[Any]) -> Iterator[ShuffleBlock]:
        """Return the blocks of frames, brought to the driver."""
        return from_rows(_blocks(job, frames).toArrow().to_batches())

    @contextmanager
    def held(self, blocks: SparkBlocks) -> Iterator[SparkBlocks]:
        """Persist blocks for as long as a block of code runs: in memory, else on disk."""
        kept = blocks.frame.persist()
        try:
            yield SparkBlocks(blocks.job, kept)
        finally:
            kept.unpersist()

    def run(self, blocks: SparkBlocks, task: PartitionTask) -> DataFrame:
        """Return the results of a task, one partition of customers after the other."""
        schema = as_spark(task.schema(blocks.job.nobody))
        results = blocks.frame.mapInArrow(RunTask(blocks.job, task), schema)
        self._made_of[results] = (blocks, task)
        return results

    def assign(self, frame: DataFrame, assignment: Assignment, added: pa.Table) -> DataFrame:
        """Return profiles with segments, assigned in the tasks that make the profiles.

        Where these are not just as `run` returned them, or are kept, each row goes to Spark and
        back, which takes as long as grouping its orders.
        """
        from pyspark.sql.types import StructType

        schema = StructType([*frame.schema.fields, *as_spark(added.schema).fields])
        made_of, kept = self._made_of.get(frame), frame.storageLevel
        if made_of is None or kept.useMemory or kept.useDisk:
            return _by_place(frame).mapInArrow(MapBatches(assignment, frame.columns), schema)
        blocks, task = made_of
        return self.run(blocks, Segmented(task, assignment))

    def map(
        self,
        frame: DataFrame,
        work: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
        schema: pa.Schema,
    ) -> DataFrame:
        """Return what is made of the batches of each partition."""
        return _by_place(frame).mapInArrow(MapBatches(work, frame.columns), as_spark(schema))

    @contextmanager
    def kept(self, frame: DataFrame, columns: Sequence[str]) -> Iterator[DataFrame]:
        """Persist columns for as long as a block of code runs."""
        kept = frame.select(*map(_quoted, columns)).persist()
        try:
            yield kept
        finally:
            kept.unpersist()

    def collect(self, frame: DataFrame, schema: pa.Schema) -> pa.Table:
        """Return the rows of a frame."""
        return frame.toArrow().cast(schema)

    def add_up(self, cells: DataFrame, schema: pa.Schema) -> pa.Table:
        """Return the sum of tables, added up on the cluster."""
        *keys, count = schema.names
        return cells.groupBy(*keys).sum(count).toDF(*keys, count).toArrow()


SPARK = SparkEngine()


def _session_of(frames: Sequence[Any]) -> SparkSession:
    """Return the session of the frames; where all are files, the active one.

    Raises
    ------
    ConfigError
        Where there is none.
    """
    from pyspark.sql import SparkSession

    sessions = [frame.sparkSession for frame in frames if not isinstance(frame, FileFrame)]
    session: SparkSession | None = (sessions or [SparkSession.getActiveSession()])[0]
    if session is None:
        raise ConfigError("there is no active Spark session to read files with", remedy="start one")
    return session


def _blocks(job: GroupingJob, frames: Sequence[Any]) -> DataFrame:
    """Return the rows of frames as shuffle blocks."""
    session = _session_of(frames)
    packed = (
        _packed(frame, table, session) for frame, table in zip(frames, job.tables, strict=True)
    )
    return reduce(lambda one, other: one.unionAll(other), packed)


def _packed(frame: Any, table: Packer, session: SparkSession) -> DataFrame:
    """Return the rows of a table as shuffle blocks."""
    pack, schema = Pack(table, keys_of_partitions(table.targets)), as_spark(BLOCK_SCHEMA)
    if not isinstance(frame, FileFrame):
        read = frame.select(*map(_quoted, table.incoming.names))
        return _by_place(read).mapInArrow(pack, schema)
    from pyspark import cloudpickle

    pieces = tuple(map(cloudpickle.dumps, frame.tasks))
    tasks = len(pieces)
    if sum(map(len, pieces)) <= FEW_BYTES:
        numbers = session.range(tasks, numPartitions=tasks)
        return numbers.mapInArrow(PackFiles(pack, frame.reader, pieces), schema)
    # Spark brings one function to all tasks: many pieces travel as rows, to each task its own.
    rows = pa.table(
        [
            pa.array(range(tasks), pa.int64()),
            pa.array(pieces, pa.binary()),
            pa.array(keys_of_partitions(tasks), pa.int32()),
        ],
        names=["source", "pieces", "key"],
    )
    by_task = session.createDataFrame(rows).repartition(tasks, "key").drop("key")
    return by_task.mapInArrow(PackFiles(pack, frame.reader), schema)


def _by_place(frame: DataFrame) -> DataFrame:
    """Return columns named by their place: not every name is one that mapInArrow finds again."""
    return frame.toDF(*(f"column_{place}" for place in range(len(frame.columns))))


def _quoted(name: str) -> str:
    """Return a column's name as SQL writes it."""
    return "`" + name.replace("`", "``") + "`"
