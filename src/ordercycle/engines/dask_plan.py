"""How a question about orders gets to Dask: packed where they are, answered by customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordercycle.engines import dask_shuffle, dask_transfers
from ordercycle.engines.dask_tasks import Answer
from ordercycle.engines.jobs import Job, wanted
from ordercycle.engines.questions import Question

if TYPE_CHECKING:
    from dask.dataframe import DataFrame

#: So many transfers can be a task each; Dask's `p2p` is made for more.
FEW_TRANSFERS = 64 * 64


def asked(
    job: Job, question: Question, orders: DataFrame, customers: DataFrame | None
) -> DataFrame:
    """Return the answers to a question, one partition of customers after the other."""
    answer = Answer.of(job, question, orders)
    frames = [orders] if customers is None else [orders, customers]
    frames = [frame[wanted(job.columns, table)] for table, frame in enumerate(frames)]
    sources = sum(frame.npartitions for frame in frames)
    if _by_transfers(sources * job.partitions):
        return dask_transfers.answers_of(answer, frames)
    return dask_shuffle.answers_of(answer, frames)


def _by_transfers(transfers: int) -> bool:
    """Say whether parcels go from task to task: where they are few, and nobody says otherwise."""
    import dask

    method = dask.config.get("dataframe.shuffle.method", None)
    return method is None and transfers <= FEW_TRANSFERS
