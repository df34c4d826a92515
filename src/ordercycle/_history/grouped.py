"""Customers of a history, in memory or on disk, whatever is known of each: orders, or events.

The customers of a range of hashes are a part, and a part is a base and what was appended since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, Self, TypeVar, cast

import numpy as np
import pyarrow as pa

from ordercycle._errors import ConfigError, Option
from ordercycle._expressions.expression_text import as_text
from ordercycle._expressions.language import Grammar, parsed
from ordercycle._history.batch_files import BatchFormat, FileEntry, put_on_disk
from ordercycle._history.manifest import Kind
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._ingest.morsels import Tally
from ordercycle._ingest.spill import Spill
from ordercycle._ingest.spill_file import SpillFile
from ordercycle._streams.columns import StreamColumns
from ordercycle._streams.conditions import Condition, fitted
from ordercycle._workspace import LARGE_TASKS_AHEAD, TASKS_AHEAD, Workers, Workspace

B = TypeVar("B")
R = TypeVar("R")

#: Conditions may ask for columns of lookups: ``product.category``.
WITH_PATHS = Grammar(paths=True)


class Run(Protocol):
    """A batch of customers somewhere: in memory, or in a file."""

    @property
    def nbytes(self) -> int:
        """Bytes it takes there."""

    def read(self) -> Any:
        """Return the batch."""

    def release(self) -> None:
        """Give back what reading took, as far as nobody holds it."""


@dataclass(frozen=True)
class Held:
    """A batch in memory."""

    batch: Any

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return int(self.batch.nbytes)

    def read(self) -> Any:
        """Return the batch."""
        return self.batch

    def release(self) -> None:
        """Keep the batch: it is the history."""

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return len(self.batch.ids)

    def whole_for(self, _wanted: int) -> None:
        """Say that the runs of all parts are by themselves."""

    @classmethod
    def ids_of(cls, rows: Sequence[tuple[Held, int, int]]) -> pa.Array:
        """Return the ids of customers from start to stop of each batch."""
        return pa.concat_arrays(
            [run.batch.ids.slice(start, stop - start) for run, start, stop in rows]
        )

    @classmethod
    def rows_of(cls, rows: Sequence[tuple[Held, int, int]], kept: BatchFormat[Any]) -> Any:
        """Return customers from start to stop of each batch."""
        return kept.joined([run.batch.slice(start, stop) for run, start, stop in rows])


def keep(batch: B, kept: BatchFormat[B], file: SpillFile | None, workspace: Workspace) -> Run:
    """Return a batch that stays in memory or, where there is one, in a spill file."""
    return Held(batch) if file is None else put_on_disk(batch, kept, file, workspace)


@dataclass(frozen=True)
class Part(Generic[B]):
    """The customers of a range of hashes: a base, and what was appended since."""

    format: BatchFormat[B]
    runs: tuple[Run, ...]

    def read(self, workspace: Workspace | None = None) -> B:
        """Return all runs as one batch; with a workspace, valid until the thread's next call."""
        base, *later = (run.read() for run in self.runs)
        if not later:
            return cast("B", base)
        arrived = reduce(self.format.merge, later)
        return self.format.merge(base, arrived, workspace)

    def release(self) -> None:
        """Give back what reading took."""
        for run in self.runs:
            run.release()

    def with_run(self, run: Run, kept: int) -> Part[B]:
        """Return the part with one more run on top of so many of its own."""
        return Part(self.format, (*self.runs[:kept], run))


class SavedTable(NamedTuple):
    """A table of a folder."""

    entry: FileEntry
    table: pa.Table


@dataclass(frozen=True)
class Folder:
    """Where a history is saved, and what it was when it was opened or written."""

    path: Path
    token: str  # another one after every write
    runs: tuple[tuple[FileEntry, ...], ...]
    tables: Mapping[str, SavedTable] = field(default_factory=dict)


class Counts(Protocol):
    """What is counted of the customers of a history: a named tuple of integers."""

    @property
    def customers(self) -> int: ...
    def _asdict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Grouped(Generic[B]):
    """All that a history is, wherever it is kept."""

    kind: ClassVar[Kind]

    format: BatchFormat[B]
    parts: tuple[Part[B], ...]
    tally: Tally
    counts: Counts
    threads: int
    names: tuple[str, ...] = ()  # of the appended batches that have one
    folder: Folder | None = None
    spill: Spill | None = None  # where parts that were too many for memory are
    #: The conditions that orders or events have to satisfy, all of them, as they were written.
    views: tuple[tuple[str, Condition], ...] = ()
    #: Ids that stand for customers who were forgotten, plain.
    forgotten: tuple[Any, ...] = ()

    @classmethod
    def opened(cls, manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> Self:
        """Return the history of a manifest, still without parts."""
        raise NotImplementedError

    @property
    def id_type(self) -> pa.DataType:
        """The type in which results give customer ids."""
        return self.format.ids.produced(self.counts.customers)

    @property
    def entries(self) -> int:
        """How many orders or events there are, refunds and all."""
        raise NotImplementedError

    @property
    def columns(self) -> StreamColumns:
        """What conditions and features can ask for."""
        raise NotImplementedError

    def seen(self, batch: B) -> B:
        """Return a batch with those of its orders or events that the views have."""
        raise NotImplementedError

    def where(self, condition: Any, missing: str) -> Self:
        """Return a view of what satisfies a condition: text, or an expression of pyarrow."""
        text = as_text(condition)
        if not isinstance(text, str):
            raise ConfigError(
                (Option("condition", condition), " is no condition"),
                remedy="pass text such as \"kind == 'click'\", or a pyarrow expression",
            )
        view = (text, fitted(parsed(text, WITH_PATHS), self.columns, missing=missing))
        return replace(self, views=(*self.views, view))

    def itself(self, what: str) -> Self:
        """Return the history, or raise a ConfigError for a view; what: was to be done to it."""
        if self.views:
            raise ConfigError(
                f"a view (where {self.views[-1][0]}) cannot be {what}",
                remedy="call it on the history itself, and where() on what it returns",
            )
        return self

    @property
    def said_of_views(self) -> str:
        """What a view says of itself, behind all else."""
        return "".join(f", where {text}" for text, _ in self.views)

    def in_format(self, made: BatchFormat[B]) -> Self:
        """Return the history in another format of the same batches.

        What views ask of lookups is asked of those of the format.
        """
        parts = tuple(replace(part, format=made) for part in self.parts)
        found = replace(self, format=made, parts=parts, views=())
        for text, _ in self.views:
            found = found.where(text, "empty")
        return found

    @property
    def nbytes(self) -> int:
        """Bytes it takes, in memory or on disk."""
        return sum(run.nbytes for part in self.parts for run in part.runs)

    def scan(self, work: Callable[[int, B, Workspace], R]) -> Iterator[R]:
        """Yield what `work` makes of each part, in order, in bounded memory.

        What every answer about customers is made of: parts are worked on by several threads, and
        each gets its number, its customers, and scratch arrays of its thread. The customers are
        valid until `work` returns. Of views, they are as `seen` returns them.
        """
        parts = self.parts
        with Workers(min(self.threads, max(1, len(parts)))) as workers:

            def on_part(numbered: tuple[int, Part[B]]) -> R:
                number, part = numbered
                batch = part.read(workers.workspace)
                if self.views:
                    batch = self.seen(batch)
                made = work(number, batch, workers.workspace)
                part.release()
                return made

            ahead = TASKS_AHEAD if self.spill is None else LARGE_TASKS_AHEAD
            yield from workers.in_order(on_part, enumerate(parts), ahead=ahead)


def cut(batch: Any, pieces: int, first_bits: int) -> Iterator[Any]:
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


def joined(kept: BatchFormat[B], batches: Sequence[B]) -> B:
    """Return the customers of one or more batches, one behind the other; of one, itself."""
    return batches[0] if len(batches) == 1 else kept.joined(batches)


def as_parts(kept: BatchFormat[B], runs: Iterable[Run]) -> tuple[Part[B], ...]:
    """Return a part for every run."""
    return tuple(Part(kept, (run,)) for run in runs)
