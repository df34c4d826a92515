"""Parcels from task to task, without frames and Dask's shuffle.

In a shuffle, parcels are rows of frames, which some ten tasks divide, copy and put together. Here a
task packs, for each target one picks its parcels, and one answers: with 20 sources and 16 targets
that took two thirds of the processor time, most of the difference being Dask's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ordercycle._engines.dask_tasks import Answer, Packing
from ordercycle._engines.shuffle_blocks import Parcel

if TYPE_CHECKING:
    from dask.dataframe import DataFrame


def answers_of(answer: Answer, frames: Sequence[DataFrame]) -> DataFrame:
    """Return the answers about the rows of frames, one partition of customers after the other.

    frames: the columns that travel, of the orders and, where there are, of the customers.
    """
    import dask.dataframe as dd
    from dask.base import tokenize
    from dask.delayed import Delayed
    from dask.highlevelgraph import HighLevelGraph

    packed: list[Any] = []
    for table, frame in enumerate(frames):
        pack = PackLoads(answer.job.packer(table))
        meta = frame._meta  # noqa: SLF001 - of what is packed: loads are no frames, nor seen as any
        packed += frame.map_partitions(pack, meta=meta, enforce_metadata=False).to_delayed()
    token = tokenize(answer, [one.key for one in packed])
    name, load, rows, announced = (
        f"{what}-{token}" for what in (answer.name, "load", "rows", "announced")
    )
    sources, targets = range(len(packed)), range(answer.job.partitions)
    # Added up apart from what is sent: what a target then lacks, it knows it lacks.
    graph: dict[Any, Any] = {announced: (summed, [(rows, source) for source in sources])}
    for source, one in enumerate(packed):
        graph[rows, source] = (rows_of, one.key)
        for target in targets:
            graph[load, source, target] = (load_for, one.key, target)
    for target in targets:
        loads = [(load, source, target) for source in sources]
        graph[name, target] = (AnswerLoads(answer, target), loads, announced)
    whole = HighLevelGraph.from_collections(name, graph, dependencies=packed)
    answers = [Delayed((name, target), whole, layer=name) for target in targets]
    return dd.from_delayed(answers, meta=answer.frame([]), prefix=answer.name, verify_meta=False)


@dataclass(frozen=True)
class Loads:
    """What a partition of a source sends: to each of some targets its parcels."""

    parcels: list[list[Parcel]]

    def __sizeof__(self) -> int:
        """Return the bytes of the parcels, by which Dask places tasks and spills."""
        return sum(parcel.data.size for load in self.parcels for parcel in load)


def load_for(loads: Loads, target: int) -> Loads:
    """Return what is sent to a target."""
    return Loads([loads.parcels[target]])


def rows_of(loads: Loads) -> NDArray[np.int64]:
    """Return how many rows are sent to each target."""
    return np.array([sum(parcel.rows for parcel in load) for load in loads.parcels], np.int64)


def summed(rows: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return how many rows all sources send to each target."""
    of_all: NDArray[np.int64] = np.sum(rows, axis=0)
    return of_all


class PackLoads(Packing):
    """Packs a partition of a table as loads."""

    def __call__(self, frame: Any, partition_info: dict[str, Any] | None = None) -> Loads:
        """Return what a task makes of its partition."""
        return Loads(self.packer.loads(*self.taken(frame, partition_info)))


@dataclass(frozen=True)
class AnswerLoads:
    """Answers about the customers of a target."""

    answer: Answer
    target: int

    def __call__(self, loads: list[Loads], announced: NDArray[np.int64]) -> Any:
        """Return what a task makes of the loads of all sources."""
        parcels = [parcel for one in loads for load in one.parcels for parcel in load]
        return self.answer.about(parcels, int(announced[self.target]))
