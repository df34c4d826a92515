"""Morsels: so many rows of a table as fit the processor's cache, read into a thread's arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from ordercycle._ingest.id_columns import SliceIds
from ordercycle._workspace import Workspace


@dataclass(frozen=True)
class Marks:
    """Which rows count, mean nobody, and do count and have a customer; None: no mark."""

    counting: NDArray[np.bool_] | None
    nobody: NDArray[np.bool_] | None
    known: NDArray[np.bool_] | None


@dataclass(frozen=True)
class BatchSlice:
    """Rows of a record batch, and the table's row at which they begin.

    marks: those of its rows, once they were looked for.
    """

    batch: pa.RecordBatch
    first_row: int
    marks: list[Marks] = field(default_factory=list, init=False, repr=False, compare=False)


@dataclass
class Tally:
    """What reading counted."""

    rows: int = 0
    anonymous: int = 0
    nobody: int = 0
    left_out: int = 0
    dropped_refunds: int = 0
    duplicates: int = 0
    first_day: int | None = None
    last_day: int | None = None

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.rows += other.rows
        self.anonymous += other.anonymous
        self.nobody += other.nobody
        self.left_out += other.left_out
        self.dropped_refunds += other.dropped_refunds
        self.duplicates += other.duplicates
        self.see_days(other.first_day, other.last_day)

    def see_days(self, first: int | None, last: int | None) -> None:
        """Widen the range of days."""
        if first is not None and last is not None:
            self.first_day = first if self.first_day is None else min(self.first_day, first)
            self.last_day = last if self.last_day is None else max(self.last_day, last)


@dataclass
class Morsel:
    """The rows of a morsel: scratch arrays, or views of the input where nothing changes."""

    columns: dict[str, NDArray[Any]]
    size: int
    kept: NDArray[np.bool_]  # empty where every row is kept
    ids: dict[str, list[SliceIds]] = field(default_factory=dict)  # of several bytes, by use
    has_hashes: bool = False  # those that are kept are there already
    tally: Tally = field(default_factory=Tally)

    def put(self, name: str, window: slice, values: NDArray[Any]) -> None:
        """Set a window of a column; a window of the whole morsel becomes the column."""
        if window.stop - window.start == self.size and values.flags.c_contiguous:
            self.columns[name] = values
        else:
            self.columns[name][window] = values

    def leave_out(self, window: slice, keep: NDArray[np.bool_]) -> None:
        """Keep only the marked rows of a window."""
        if self.kept.size == 0:
            self.kept = np.ones(self.size, np.bool_)
        self.kept[window] &= keep


@dataclass(frozen=True)
class Morsels:
    """The rows of a block, morsel by morsel."""

    slices: list[list[BatchSlice]]  # of each morsel
    workspace: Workspace

    @classmethod
    def of(cls, slices: Iterable[BatchSlice], most_rows: int, workspace: Workspace) -> Morsels:
        """Put slices together to morsels of at most so many rows; a larger slice is one."""
        return cls(list(_put_together(slices, most_rows)), workspace)

    @property
    def sizes(self) -> list[int]:
        """The number of rows of each morsel."""
        return [sum(part.batch.num_rows for part in slices) for slices in self.slices]

    def read(
        self,
        number: int,
        types: Mapping[str, DTypeLike],
        read: Callable[[BatchSlice, slice, Morsel], None],
        kept: Mapping[str, NDArray[Any]] | None = None,
        *,
        has_hashes: bool = False,
    ) -> Morsel:
        """Read a morsel into scratch columns, valid until the thread's next one.

        kept: columns that are to outlive it; has_hashes: whether they hold the hashes already.
        """
        size = sum(part.batch.num_rows for part in self.slices[number])
        columns = dict(kept or {})
        for name, kind in types.items():
            if name not in columns:
                columns[name] = self.workspace.array(f"morsel columns.{name}", size, kind)
        morsel = Morsel(columns, size, np.zeros(0, np.bool_), has_hashes=has_hashes)
        begin = 0
        for part in self.slices[number]:
            end = begin + part.batch.num_rows
            read(part, slice(begin, end), morsel)
            begin = end
        return morsel


def _put_together(slices: Iterable[BatchSlice], most_rows: int) -> Iterator[list[BatchSlice]]:
    morsel: list[BatchSlice] = []
    rows = 0
    for part in slices:
        if morsel and rows + part.batch.num_rows > most_rows:
            yield morsel
            morsel, rows = [], 0
        morsel.append(part)
        rows += part.batch.num_rows
    if morsel:
        yield morsel
