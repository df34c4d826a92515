"""How a question about orders gets to Dask: packed where they are, answered by customer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ordercycle._engines import dask_shuffle, dask_transfers
from ordercycle._engines.dask_tasks import Answer, ReadFiles
from ordercycle._engines.file_frames import FileFrame
from ordercycle._engines.grouping_job import Job
from ordercycle._engines.partition_tasks import Question

if TYPE_CHECKING:
    from dask.dataframe import DataFrame

#: So many transfers can be a task each; Dask's `p2p` is made for more.
FEW_TRANSFERS = 64 * 64


def asked(job: Job, question: Question, frames: Sequence[DataFrame]) -> DataFrame:
    """Return the answers to a question, one partition of customers after the other.

    frames: the orders and, where there are, the customers.
    """
    answer = Answer.of(job, question, frames[0])
    frames = [frame[come.names] for frame, come in zip(frames, job.arrivals, strict=True)]
    sources = sum(frame.npartitions for frame in frames)
    if _by_transfers(sources * job.partitions):
        return dask_transfers.answers_of(answer, frames)
    return dask_shuffle.answers_of(answer, frames)


def read_by_tasks(files: FileFrame) -> DataFrame:
    """Return a frame of files, in Arrow's types."""
    import dask.dataframe as dd

    read = ReadFiles(files.without_tasks())
    # Each task travels with its own pieces: with all, ten thousand would take 15 GB.
    return dd.from_map(read, files.tasks, meta=read.frame([]))


def _by_transfers(transfers: int) -> bool:
    """Say whether parcels go from task to task: where they are few, and nobody says otherwise."""
    import dask

    method = dask.config.get("dataframe.shuffle.method", None)
    return method is None and transfers <= FEW_TRANSFERS
