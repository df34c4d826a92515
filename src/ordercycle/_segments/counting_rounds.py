"""Fits that one machine and a cluster make alike: rounds of counting, and nothing else.

A round counts batches into sparse tables of integers. Tables add up in any order, on any machine.
What all batches count together decides on the next round, or is the fitted scheme. An engine
pickles the round to its tasks, calls `Round.count` on each batch, adds the tables up as two
columns (sum of `count` by `cell`), and calls `Round.then` where the sum is wanted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._days import date_of
from ordercycle._segments.assigning import ROWS_PER_TASK, worked
from ordercycle._workspace import thread_count
from ordercycle_kernels.purchase_cells import merge_cells

B = TypeVar("B")
S = TypeVar("S")

CELLS_SCHEMA = pa.schema(
    [pa.field("cell", pa.int64(), nullable=False), pa.field("count", pa.int64(), nullable=False)]
)
HALF_BITS = 32
#: Read where they are there: their sum says as of which day a profile is.
AS_OF_COLUMNS = ("last_order_on", "days_since_last_order")
#: Cells below 0 count customers by the day as of which their profile is.
AS_OF_BASE = -(2**31)


@dataclass(frozen=True)
class Cells:
    """A sparse table of integers that adds up.

    Attributes
    ----------
    cell
        (k,) int64, ascending: what is counted; what a number means is the round's business.
    count
        (k,) int64, never 0.

    Examples
    --------
    >>> one, other = Cells.summed([7, 2, 7], [1, 5, 1]), Cells.summed([2, 9], [1, 1])
    >>> one.plus(other).to_dict()
    {2: 6, 7: 2, 9: 1}
    """

    cell: NDArray[np.int64]
    count: NDArray[np.int64]

    @classmethod
    def summed(cls, cells: Any, counts: Any) -> Cells:
        """Return the table of cells in any order, the counts of equal ones added."""
        cell, count = np.asarray(cells, np.int64), np.asarray(counts, np.int64)
        if cell.size:
            order = np.argsort(cell, kind="stable")
            cell, count = cell[order], count[order]
            starts = np.flatnonzero(np.concatenate([[True], cell[1:] != cell[:-1]]))
            cell, count = cell[starts], np.add.reduceat(count, starts)
        kept = count != 0
        return cls(cell[kept], count[kept])

    @classmethod
    def total(cls, tables: Iterable[Cells]) -> Cells:
        """Return the sum of tables, few of them in memory at once."""
        total, waiting, size = cls.summed([], []), list[Cells](), 0
        for table in tables:
            waiting.append(table)
            size += table.cell.size
            # Each cell is sorted again only as often as the total doubles.
            if size > 2 * total.cell.size + 2**16:
                total, waiting, size = total.plus(*waiting), [], 0
        return total.plus(*waiting)

    def plus(self, *others: Cells) -> Cells:
        """Return the sum of this table and others."""
        tables = [self, *others]
        while len(tables) > 1:  # in pairs, so that none is read more often than need be
            last = tables[len(tables) & ~1 :]
            pairs = zip(tables[::2], tables[1::2], strict=False)
            tables = [_merged(one, other) for one, other in pairs] + last
        return tables[0]

    def to_batch(self) -> pa.RecordBatch:
        """Return the table as Arrow: columns `cell` and `count`, both int64."""
        arrays = [pa.array(self.cell), pa.array(self.count)]
        return pa.RecordBatch.from_arrays(arrays, schema=CELLS_SCHEMA)

    @classmethod
    def from_table(cls, table: pa.Table) -> Cells:
        """Return the table of rows in any order, cells repeated or not."""
        return cls.summed(table["cell"].to_numpy(), table["count"].to_numpy())

    def to_dict(self) -> dict[int, int]:
        """Return the counts by cell."""
        return dict(zip(self.cell.tolist(), self.count.tolist(), strict=True))


def _merged(one: Cells, other: Cells) -> Cells:
    """Return the sum of two tables."""
    if not (one.cell.size and other.cell.size):
        return one if one.cell.size else other
    size = one.cell.size + other.cell.size
    cell, count = np.empty(size, np.int64), np.empty(size, np.int64)
    filled = merge_cells(one.cell, one.count, other.cell, other.count, cell, count)
    return Cells(cell[:filled].copy(), count[:filled].copy())


class Round(ABC, Generic[B, S]):
    """A counting pass over all batches.

    Rounds are frozen dataclasses that pickle. B is what they count: tables with the columns of a
    profile, or customers of a history; S is the scheme that comes out of the last one.
    """

    #: The profile columns that `count` reads, where they are there; None: any, as an expression
    #: of the caller's may. `count` refuses what lacks others.
    columns: tuple[str, ...] | None

    @abstractmethod
    def count(self, batch: B) -> Cells:
        """Count a batch; the counts of two batches are together those of both as one."""

    @abstractmethod
    def then(self, total: Cells) -> Round[B, S] | S:
        """Return the next round, or the fitted scheme."""


def fit(first: Round[B, S], counted: Callable[[Round[B, S]], Iterable[Cells]]) -> S:
    """Run rounds until there is a scheme; `counted` yields what all batches count."""
    current: Round[B, S] | S = first
    while isinstance(current, Round):
        current = current.then(Cells.total(counted(current)))
    return current


def from_halves(low: int, high: int) -> int:
    """Return the integer of which sums of halves are given."""
    return low + (high << HALF_BITS)


def fit_profile(
    first: Round[pa.Table, S], table: pa.Table, *, threads: int | None, whole: bool = False
) -> S:
    """Run rounds over a profile, by several threads; whole: in few tasks, as tables are large."""
    rows = -(-table.num_rows // (2 * thread_count(threads))) if whole else 0
    return fit(
        first,
        lambda current: worked(
            lambda task: current.count(task[1]),
            table,
            threads=threads,
            rows_per_task=max(rows, ROWS_PER_TASK),
        ),
    )


def as_of_cells(table: pa.Table) -> Cells:
    """Count buyers by the day as of which their profile is; none where the table hides it."""
    if any(name not in table.column_names for name in AS_OF_COLUMNS):
        return Cells.summed([], [])
    last, since = (table.column(name).cast(pa.int32()) for name in AS_OF_COLUMNS)
    days = pc.add(last, since)
    days = days.drop_null().to_numpy()
    if days.size and days.min() == days.max():
        return Cells.summed([AS_OF_BASE + int(days[0])], [days.size])
    found, counts = np.unique(days, return_counts=True)
    return Cells.summed(AS_OF_BASE + found.astype(np.int64), counts)


def as_of_in(total: Cells) -> date | None:
    """Return the day as of which the profile is that was counted, the latest of several."""
    days = total.cell[total.cell < 0] - AS_OF_BASE
    return date_of(int(days[-1])) if days.size else None


def of_day(as_of: date | None) -> str:
    """Return the words for a day that may be unknown."""
    return f" as of {as_of}" if as_of else ""
