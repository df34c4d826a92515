"""Parcels as rows of frames, in Dask's own shuffle: for more transfers than there can be tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ordercycle._engines import dask_frames
from ordercycle._engines.dask_tasks import Answer, Packing
from ordercycle._engines.shuffle_blocks import PARCEL, Packer, parcels_of
from ordercycle._errors import SourceError

if TYPE_CHECKING:
    from dask.dataframe import DataFrame


def answers_of(answer: Answer, frames: Sequence[DataFrame]) -> DataFrame:
    """Return the answers about the rows of frames, one partition of customers after the other.

    frames: the columns that travel, of the orders and, where there are, of the customers.
    """
    import dask.dataframe as dd

    packed = [_packed(frame, answer.job.packer(table)) for table, frame in enumerate(frames)]
    parcels = dd.concat(packed) if len(packed) > 1 else packed[0]
    # Added up apart from the shuffle: what a partition then lacks, it knows it lacks.
    announced = parcels.groupby("target")["rows"].sum(split_out=1)
    # The index says in which partition a row goes; nothing is left to a hash of Dask's.
    partitions = answer.job.partitions
    arrived = parcels.set_index("target", divisions=[*range(partitions), partitions])
    return arrived.map_partitions(
        Unpack(answer),
        announced,
        meta=answer.frame([]),
        align_dataframes=False,
        clear_divisions=True,
    )


def _packed(frame: DataFrame, packer: Packer) -> DataFrame:
    pack = Pack(packer)
    return frame.map_partitions(pack, meta=pack.frame([]), clear_divisions=True)


class Pack(Packing):
    """Packs a partition of a table as a frame of parcels."""

    def __call__(self, frame: Any, partition_info: dict[str, Any] | None = None) -> Any:
        """Return what a task makes of its partition."""
        return self.frame(list(self.packer.parcels(*self.taken(frame, partition_info))))

    def frame(self, parcels: list[pa.RecordBatch]) -> Any:
        """Return parcels as a frame, whose targets can be an index."""
        return dask_frames.frame_of(parcels, PARCEL).astype({"target": "int64", "rows": "int64"})


@dataclass(frozen=True)
class Unpack:
    """Answers about the customers whose parcels arrived in a partition."""

    answer: Answer

    @property
    def __name__(self) -> str:
        return self.answer.name

    def __call__(self, arrived: Any, announced: Any) -> Any:
        """Return what a task makes of its partition."""
        if not len(arrived):
            raise SourceError(
                "no parcel arrived where every source sends at least one; the shuffle lost them",
                remedy="run the job again",
            )
        rows = int(announced.loc[arrived.index.unique()].sum())
        parcels = dask_frames.batches_of(arrived.reset_index(), PARCEL, "parcels")
        return self.answer.about(parcels_of(parcels), rows)
