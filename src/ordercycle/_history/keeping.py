"""A history that is kept: grouped customers in memory, or past a limit in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.batch_files import put_on_disk
from ordercycle._history.build import laid_out_rows
from ordercycle._history.options import BuildOptions
from ordercycle._history.storage_parts import Counts, Held, Run
from ordercycle._ingest.spill import Spill
from ordercycle._ingest.spill_file import SpillFile
from ordercycle._ingest.table_readers import Tally
from ordercycle._spec import HistorySpec
from ordercycle._workspace import Spare


@dataclass(frozen=True)
class Grouped:
    """The customers of two tables, grouped, and what reading them counted."""

    spec: HistorySpec
    runs: list[Run]  # of ranges of hashes that are equally wide
    counts: Counts
    tally: Tally
    spill: Spill | None  # where the runs are on disk
    spare: Spare


def group(
    orders: Any,
    customers: Any,
    options: BuildOptions,
    *,
    most_batches: int | None = None,
    like: HistorySpec | None = None,
) -> Grouped:
    """Read and group.

    most_batches: a power of two, or None for as many as the rows ask for; like: the history to
    which they are added, if any.
    """
    with laid_out_rows(orders, customers, options, like) as rows:
        spill = options.spill if rows.is_spilled else None
        file = None if spill is None else SpillFile(spill.folder)

        def keep(batch: CustomerBatch) -> Run:
            if file is None:
                return Held(batch)
            return put_on_disk(batch, rows.spec, file, rows.workers.workspace)

        runs = list(rows.grouped(keep, most_batches=most_batches))
        spare = Spare(block.hashes for block in rows.blocks if not rows.is_spilled)
        return Grouped(rows.spec, runs, rows.counts, rows.tally, spill, spare)
