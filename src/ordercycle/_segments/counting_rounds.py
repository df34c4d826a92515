"""Fits that one machine and a cluster make alike: rounds of counting, and nothing else.

A round counts batches into sparse tables of integers. Tables add up in any order, on any machine.
What all batches count together decides on the next round, or is the fitted scheme. An engine
pickles the round to its tasks, calls `Round.count` on each batch, adds the tables up as two
columns (sum of `count` by `cell`), and calls `Round.then` where it was asked for the fit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

B = TypeVar("B")
S = TypeVar("S")

CELLS_SCHEMA = pa.schema(
    [pa.field("cell", pa.int64(), nullable=False), pa.field("count", pa.int64(), nullable=False)]
)
HALF_BITS = 32


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
        if not others:
            return self
        tables = (self, *others)
        return Cells.summed(
            np.concatenate([table.cell for table in tables]),
            np.concatenate([table.count for table in tables]),
        )

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


class Round(ABC, Generic[B, S]):
    """A question to all batches, answered by counting.

    Rounds are frozen dataclasses that pickle. B is what they count: tables with the columns of a
    profile, or customers of a history; S is the scheme that comes out of the last one.
    """

    #: The profile columns that `count` reads, where they are there; None: any, as an expression
    #: of the caller's may. What has to be there, `count` asks for.
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


def whole(low: int, high: int) -> int:
    """Return the integer of which sums of halves are given."""
    return low + (high << HALF_BITS)
