"""Orders grouped by customer, in memory or on disk: what every answer is computed from.

The customers of a range of hashes are a part, and a part is a base and what was appended since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa

from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.batch_files import FileEntry, put_on_disk
from ordercycle._history.counts import Counts
from ordercycle._history.merging import merge_batches
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._ingest.morsels import Tally
from ordercycle._ingest.spill import Spill
from ordercycle._ingest.spill_file import SpillFile
from ordercycle._profile import ProfileBuilder
from ordercycle._spec import HistorySpec
from ordercycle._workspace import LARGE_TASKS_AHEAD, TASKS_AHEAD, Workers, Workspace

R = TypeVar("R")


class Run(Protocol):
    """A batch of customers somewhere: in memory, or in a file."""

    @property
    def nbytes(self) -> int:
        """Bytes it takes there."""

    def read(self) -> CustomerBatch:
        """Return the batch."""

    def release(self) -> None:
        """Give back what reading took, as far as nobody holds it."""


@dataclass(frozen=True)
class Held:
    """A batch in memory."""

    batch: CustomerBatch

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.batch.nbytes

    def read(self) -> CustomerBatch:
        """Return the batch."""
        return self.batch

    def release(self) -> None:
        """Keep the batch: it is the history."""


def keep(
    batch: CustomerBatch, spec: HistorySpec, file: SpillFile | None, workspace: Workspace
) -> Run:
    """Return a batch that stays in memory or, where there is one, in a spill file."""
    return Held(batch) if file is None else put_on_disk(batch, spec, file, workspace)


@dataclass(frozen=True)
class Part:
    """The customers of a range of hashes: a base, and what was appended since."""

    spec: HistorySpec
    runs: tuple[Run, ...]

    def read(self, workspace: Workspace | None = None) -> CustomerBatch:
        """Return all runs as one batch; with a workspace, valid until the thread's next call."""
        base, *later = (run.read() for run in self.runs)
        if not later:
            return base
        arrived = reduce(lambda one, other: merge_batches(one, other, self.spec), later)
        return merge_batches(base, arrived, self.spec, workspace)

    def release(self) -> None:
        """Give back what reading took."""
        for run in self.runs:
            run.release()

    def with_run(self, run: Run) -> Part:
        """Return the part with one more run."""
        return Part(self.spec, (*self.runs, run))


@dataclass(frozen=True)
class Folder:
    """Where a history is saved, and what it was when it was opened or written."""

    path: Path
    token: str  # another one after every write
    runs: tuple[tuple[FileEntry, ...], ...]


@dataclass(frozen=True)
class GroupedOrders:
    """All that a history is, wherever it is kept; :class:`OrderHistory` is how users see it."""

    spec: HistorySpec
    parts: tuple[Part, ...]
    tally: Tally
    counts: Counts
    threads: int
    names: tuple[str, ...] = ()  # of the appended batches that have one
    folder: Folder | None = None
    spill: Spill | None = None  # where parts that were too many for memory are

    @property
    def id_type(self) -> pa.DataType:
        """The type in which results give customer ids."""
        return self.spec.ids.produced(self.counts.customers)

    @property
    def first_day(self) -> int | None:
        """The day of the first order, in days since 1970-01-01; None without orders."""
        return self.tally.first_day

    @property
    def last_day(self) -> int | None:
        """The day of the last order, in days since 1970-01-01; None without orders."""
        return self.tally.last_day

    @property
    def nbytes(self) -> int:
        """Bytes it takes, in memory or on disk."""
        return sum(run.nbytes for part in self.parts for run in part.runs)

    def scan(self, work: Callable[[int, CustomerBatch, Workspace], R]) -> Iterator[R]:
        """Yield what `work` makes of each part, in order, in bounded memory.

        What every answer about customers is made of: parts are worked on by several threads, and
        each gets its number, its customers, and scratch arrays of its thread. The customers are
        valid until `work` returns.
        """
        parts = self.parts
        with Workers(min(self.threads, max(1, len(parts)))) as workers:

            def on_part(numbered: tuple[int, Part]) -> R:
                number, part = numbered
                made = work(number, part.read(workers.workspace), workers.workspace)
                part.release()
                return made

            ahead = TASKS_AHEAD if self.spill is None else LARGE_TASKS_AHEAD
            yield from workers.in_order(on_part, enumerate(parts), ahead=ahead)

    def profiles(self, as_of: int, window_days: int | None = None) -> ProfileBuilder:
        """Return what makes the profiles of the customers, part by part.

        as_of: days since 1970-01-01.
        """
        return ProfileBuilder(self.spec, self.id_type, self.last_day, as_of, window_days)


def cut(batch: CustomerBatch, pieces: int, first_bits: int) -> Iterator[CustomerBatch]:
    """Cut a batch into `pieces` ranges of hashes of equal width, a power of two.

    first_bits: how many of the hash's highest bits all customers of the batch share.
    """
    bits = first_bits + pieces.bit_length() - 1
    numbers = (hashes_of(batch.ids) >> np.uint64(1)) >> np.uint64(63 - bits)
    within = numbers & np.uint64(pieces - 1)
    ends = np.searchsorted(within, np.arange(pieces, dtype=np.uint64), side="right")
    start = 0
    for end in ends.tolist():
        yield batch.slice(start, end)
        start = end


def as_parts(spec: HistorySpec, runs: Sequence[Run]) -> tuple[Part, ...]:
    """Return a part for every run."""
    return tuple(Part(spec, (run,)) for run in runs)
