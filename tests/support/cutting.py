"""Small sizes, so that a table of thirty rows takes every way that large ones take."""

from types import SimpleNamespace

import numpy as np
import pytest


def full_of_garbage(*shape, **options):
    """Return an array as `numpy.empty` does, of memory that was used before."""
    made = np.empty(*shape, **options)
    made.view(np.uint8).fill(0xAB)
    return made


def cut_small(patch: pytest.MonkeyPatch) -> None:
    """Make a table of thirty rows go through several runs, blocks, partitions and batches."""
    others = SimpleNamespace(**{**vars(np), "empty": full_of_garbage})
    patch.setattr("ordercycle._ingest.blocks.np", others)
    patch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 3)
    patch.setattr("ordercycle._ingest.pipeline.BLOCK_ROWS", 7)
    patch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 2)
    patch.setattr("ordercycle._history.build.BATCH_ROWS", 6)
    patch.setattr("ordercycle._grouping.heavy_hitters.HEAVY_ROWS", 3)
    patch.setattr("ordercycle._grouping.heavy_hitters.ENOUGH", 2)
    patch.setattr("ordercycle._grouping.heavy_hitters.CHUNK_ROWS", 2)
    patch.setattr("ordercycle._grouping.heavy_hitters.CHUNK_ROWS_PER_DAY", 0)


def spill_everything(patch: pytest.MonkeyPatch, waiting: int) -> None:
    """Let blocks have a few rows, and few of them wait in memory."""
    patch.setattr("ordercycle._ingest.spill.Spill.block_rows", lambda _self, _row_bytes: 5)
    patch.setattr("ordercycle._ingest.spill.Spill.is_over", lambda _self, held: held > waiting)
    patch.setattr("ordercycle._ingest.pipeline.MORSEL_ROWS", 3)
    patch.setattr("ordercycle._ingest.pipeline.PARTITION_ROWS", 4)
    patch.setattr("ordercycle._history.build.BATCH_ROWS", 8)
