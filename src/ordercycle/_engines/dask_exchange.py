"""How rows get to the tasks of their customers in Dask: from task to task, or in its own shuffle.

In a shuffle, blocks are rows of frames, which some ten tasks divide, copy and put together. From
task to task, one packs, for each target one picks its blocks, and one reads them: with 20 sources
and 16 targets that took two thirds of the processor time, most of the difference being Dask's. But
these are tasks for each pair of source and target, of which there can be too many.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._engines import dask_frames
from ordercycle._engines.file_frames import FileFrame, PieceReader, place_of
from ordercycle._engines.grouping_job import GroupingJob
from ordercycle._engines.partition_tasks import PartitionTask
from ordercycle._engines.shuffle_blocks import (
    BLOCK_BYTES,
    BLOCK_SCHEMA,
    Packer,
    ShuffleBlock,
    as_rows,
    from_rows,
)
from ordercycle._errors import SourceError
from ordercycle._sources.files import Piece

if TYPE_CHECKING:
    from dask.dataframe import DataFrame

#: So many transfers can be a task each; Dask's `p2p` is made for more.
FEW_TRANSFERS = 64 * 64


@dataclass(frozen=True)
class RunTask:
    """Runs a task for the customers whose shuffle blocks arrived.

    id_dtype: in which the ids came; of categories, no category travels with the tasks.
    """

    job: GroupingJob
    task: PartitionTask
    schema: pa.Schema
    id_dtype: Any

    @property
    def name(self) -> str:
        """What Dask shows for a task."""
        return type(self.task).__name__.lower()

    def on(self, blocks: Iterable[ShuffleBlock], rows: int) -> Any:
        """Return the results as a frame; rows: how many the blocks should hold."""
        return self.frame(list(self.job.run(self.task, blocks, rows)))

    def frame(self, results: list[pa.RecordBatch]) -> Any:
        """Return results as a frame, the ids in the dtype they came in."""
        frame = dask_frames.frame_of(results, self.schema)
        return dask_frames.with_ids_as(frame, "customer_id", self.id_dtype)


def _dtype_of_ids(table: Packer, frame: Any) -> Any:
    """Return the dtype in which the ids came; of those that are made of others, Arrow's."""
    travelling, came = table.schema.field(0), table.incoming.schema
    if not isinstance(frame, FileFrame) and travelling in list(came):
        return dask_frames.dtype_alone(frame.dtypes[travelling.name])
    return dask_frames.frame_of([], table.schema).dtypes[travelling.name]


@dataclass(frozen=True, kw_only=True)
class DaskBlocks(ABC):
    """The blocks of a job by the partition of their customers.

    id_dtype: in which the ids came.
    """

    job: GroupingJob
    id_dtype: Any

    def task(self, task: PartitionTask) -> RunTask:
        """Return what runs a task for the customers of a partition."""
        return RunTask(self.job, task, task.schema(self.job.nobody), self.id_dtype)

    @abstractmethod
    def persisted(self) -> Self:
        """Return the same, computed where it is, for as long as it is held."""

    @abstractmethod
    def run(self, task: PartitionTask) -> DataFrame:
        """Return the results of a task, one partition of customers after the other."""


def exchanged(job: GroupingJob, frames: Sequence[Any]) -> DaskBlocks:
    """Return the blocks of a job.

    frames: of its tables, files among them.
    """
    import dask

    sources = sum(
        len(frame.tasks) if isinstance(frame, FileFrame) else frame.npartitions for frame in frames
    )
    method = dask.config.get("dataframe.shuffle.method", None)
    is_few = sources * job.partitions <= FEW_TRANSFERS
    exchange = _transferred if method is None and is_few else _shuffled
    return exchange(job, frames, _dtype_of_ids(job.tables[0], frames[0]))


#: Returns the blocks of a source, given what the arguments of `Packer.blocks` are.
Form: TypeAlias = Callable[[Packer, int, Iterable[pa.RecordBatch], str], Any]


@dataclass(frozen=True)
class Pack:
    """Packs a partition of a table."""

    packer: Packer
    form: Form

    @property
    def __name__(self) -> str:  # what Dask shows for a task
        return f"pack_{self.packer.name}"

    def __call__(self, frame: Any, partition_info: dict[str, Any] | None = None) -> Any:
        """Return the blocks of a partition."""
        source = 0 if partition_info is None else partition_info["number"]
        schema = self.packer.incoming.schema
        batches = dask_frames.batches_of(frame, schema, self.packer.name)
        return self.form(self.packer, source, batches, "")


@dataclass(frozen=True)
class PackFiles:
    """Packs pieces of files, which Dask sees no row of."""

    packer: Packer
    form: Form
    reader: PieceReader

    @property
    def __name__(self) -> str:
        return f"pack_{self.packer.name}"

    def __call__(self, source: int, pieces: tuple[Piece, ...]) -> Any:
        """Return the blocks of a task."""
        return self.form(self.packer, source, self.reader.batches(pieces), place_of(pieces))


def packed(frame: Any, packer: Packer, form: Form) -> DataFrame:
    """Return the blocks of all partitions of a table, or of files."""
    import dask.dataframe as dd

    meta = frame_of_blocks([])
    if isinstance(frame, FileFrame):
        # Each task travels with its own pieces: with all, ten thousand would take 15 GB.
        pack = PackFiles(packer, form, frame.reader)
        return dd.from_map(pack, range(len(frame.tasks)), frame.tasks, meta=meta)
    return frame[packer.incoming.names].map_partitions(
        Pack(packer, form), meta=meta, enforce_metadata=False, clear_divisions=True
    )


# From task to task.


@dataclass(frozen=True)
class BlocksByTarget:
    """What a partition of a source sends: to each of some targets its blocks."""

    blocks: list[list[ShuffleBlock]]

    def __sizeof__(self) -> int:
        """Return the bytes of the blocks, by which Dask places tasks and spills."""
        return sum(block.data.size for of_target in self.blocks for block in of_target)


def by_target(
    packer: Packer, source: int, batches: Iterable[pa.RecordBatch], place: str
) -> BlocksByTarget:
    """Return the blocks of a source for tasks that pick theirs."""
    sent: list[list[ShuffleBlock]] = [[] for _ in range(packer.targets)]
    for target, block in packer.blocks(source, batches, place):
        sent[target].append(block)
    return BlocksByTarget(sent)


def blocks_for(sent: BlocksByTarget, target: int) -> BlocksByTarget:
    """Return what is sent to a target."""
    return BlocksByTarget([sent.blocks[target]])


def gathered(sent: list[BlocksByTarget]) -> BlocksByTarget:
    """Return what all sources send to one target."""
    return BlocksByTarget([block for one in sent for block in one.blocks])


def rows_by_target(sent: BlocksByTarget) -> NDArray[np.int64]:
    """Return how many rows are sent to each target."""
    return np.array([sum(block.rows for block in blocks) for blocks in sent.blocks], np.int64)


def added(rows: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return how many rows all sources send to each target."""
    of_all: NDArray[np.int64] = np.sum(rows, axis=0)
    return of_all


@dataclass(frozen=True)
class RunOnTransferred:
    """Runs a task for the customers of a target."""

    run: RunTask
    target: int

    def __call__(self, sent: BlocksByTarget, expected_rows: NDArray[np.int64]) -> Any:
        """Return what a task makes of the blocks of all sources."""
        blocks = [block for of_source in sent.blocks for block in of_source]
        return self.run.on(blocks, int(expected_rows[self.target]))


@dataclass(frozen=True, kw_only=True)
class Transferred(DaskBlocks):
    """Blocks that went from task to task.

    sent: the blocks for each target; rows: how many these should hold. All are delayed.
    """

    sent: tuple[Any, ...]
    rows: Any

    def persisted(self) -> Self:
        """Return the same, computed where it is, for as long as it is held."""
        import dask

        *sent, rows = dask.persist(*self.sent, self.rows)
        return replace(self, sent=tuple(sent), rows=rows)

    def run(self, task: PartitionTask) -> DataFrame:
        """Return the results of a task, one partition of customers after the other."""
        import dask.dataframe as dd
        from dask.base import tokenize
        from dask.delayed import Delayed
        from dask.highlevelgraph import HighLevelGraph

        run = self.task(task)
        name = f"{run.name}-{tokenize(run, [one.key for one in self.sent])}"
        graph = {
            (name, target): (RunOnTransferred(run, target), one.key, self.rows.key)
            for target, one in enumerate(self.sent)
        }
        needed = [*self.sent, self.rows]
        whole = HighLevelGraph.from_collections(name, graph, dependencies=needed)
        results = [Delayed(key, whole, layer=name) for key in graph]
        return dd.from_delayed(results, meta=run.frame([]), prefix=run.name, verify_meta=False)


def _transferred(job: GroupingJob, frames: Sequence[Any], id_dtype: Any) -> Transferred:
    from dask.base import tokenize
    from dask.delayed import Delayed
    from dask.highlevelgraph import HighLevelGraph

    sent: list[Any] = []
    for frame, table in zip(frames, job.tables, strict=True):
        sent += packed(frame, table, by_target).to_delayed()
    token = tokenize(job, [one.key for one in sent])
    name, blocks, rows, expected = (
        f"{what}-{token}" for what in ("gathered", "blocks", "rows", "expected-rows")
    )
    sources, targets = range(len(sent)), range(job.partitions)
    # Added up apart from what is sent: what a target then lacks, it knows it lacks.
    graph: dict[Any, Any] = {expected: (added, [(rows, source) for source in sources])}
    for source, one in enumerate(sent):
        graph[rows, source] = (rows_by_target, one.key)
        for target in targets:
            graph[blocks, source, target] = (blocks_for, one.key, target)
    for target in targets:
        graph[name, target] = (gathered, [(blocks, source, target) for source in sources])
    whole = HighLevelGraph.from_collections(name, graph, dependencies=sent)
    delayed = [Delayed((name, target), whole, layer=name) for target in targets]
    of_all = Delayed(expected, whole, layer=name)
    return Transferred(job=job, id_dtype=id_dtype, sent=tuple(delayed), rows=of_all)


# In Dask's own shuffle.


def as_frame(packer: Packer, source: int, batches: Iterable[pa.RecordBatch], place: str) -> Any:
    """Return the blocks of a source as a frame."""
    return frame_of_blocks(as_rows(packer.blocks(source, batches, place, BLOCK_BYTES)))


def frame_of_blocks(rows: Iterable[pa.RecordBatch]) -> Any:
    """Return blocks as a frame, whose targets can be an index."""
    frame = dask_frames.frame_of(rows, BLOCK_SCHEMA)
    return frame.astype({"target": "int64", "rows": "int64"})


@dataclass(frozen=True)
class RunOnShuffled:
    """Runs a task for the customers whose blocks are the rows of a partition."""

    run: RunTask

    @property
    def __name__(self) -> str:
        return self.run.name

    def __call__(self, rows: Any, expected_rows: Any) -> Any:
        """Return what a task makes of its partition."""
        if not len(rows):
            raise SourceError(
                "no shuffle block arrived where every source sends at least one; the shuffle lost "
                "them",
                remedy="run the job again",
            )
        expected = int(expected_rows.loc[rows.index.unique()].sum())
        blocks = dask_frames.batches_of(rows.reset_index(), BLOCK_SCHEMA, "shuffle blocks")
        return self.run.on(from_rows(blocks), expected)


@dataclass(frozen=True, kw_only=True)
class Shuffled(DaskBlocks):
    """Blocks that are rows of a frame; rows: how many the blocks of each target should hold."""

    blocks: DataFrame
    rows: Any

    def persisted(self) -> Self:
        """Return the same, computed where it is, for as long as it is held."""
        import dask

        blocks, rows = dask.persist(self.blocks, self.rows)
        return replace(self, blocks=blocks, rows=rows)

    def run(self, task: PartitionTask) -> DataFrame:
        """Return the results of a task, one partition of customers after the other."""
        run = self.task(task)
        return self.blocks.map_partitions(
            RunOnShuffled(run),
            self.rows,
            meta=run.frame([]),
            align_dataframes=False,
            clear_divisions=True,
        )


def _as_frames(job: GroupingJob, frames: Sequence[Any]) -> DataFrame:
    """Return the blocks of all tables as rows of one frame."""
    import dask.dataframe as dd

    sent = [packed(frame, table, as_frame) for frame, table in zip(frames, job.tables, strict=True)]
    return dd.concat(sent) if len(sent) > 1 else sent[0]


def brought(job: GroupingJob, frames: Sequence[Any]) -> Iterator[ShuffleBlock]:
    """Return the blocks of frames, brought to the client."""
    rows = _as_frames(job, frames).compute()
    return from_rows(dask_frames.batches_of(rows, BLOCK_SCHEMA, "shuffle blocks"))


def _shuffled(job: GroupingJob, frames: Sequence[Any], id_dtype: Any) -> Shuffled:

    blocks = _as_frames(job, frames)
    # Added up apart from the shuffle: what a partition then lacks, it knows it lacks.
    expected_rows = blocks.groupby("target")["rows"].sum(split_out=1)
    # The index says in which partition a row goes; nothing is left to a hash of Dask's.
    divisions = [*range(job.partitions), job.partitions]
    shuffled = blocks.set_index("target", divisions=divisions)
    return Shuffled(job=job, id_dtype=id_dtype, blocks=shuffled, rows=expected_rows)
