"""Cells of a report beside those of all orders: of channels, campaigns, members and subscribers.

A block has a cell for every key, row and month in which anything happened: a count, and a sum where
it is about amounts; or pairs of months, where customers are counted once in any range of months.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, counted
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle_kernels import report_facts as kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.exact_sums import CHUNK_BITS, carry_sums

Int64s = NDArray[np.int64]

#: Sums are carried after so many additions: far fewer than their chunks have room for.
CARRY_AFTER = 2**29
#: Keys times rows times months: as many numbers of 4 bytes as there may be.
MOST_PLACES = 2**28
NO_MARKS = np.zeros(0, np.bool_)


class Key(NamedTuple):
    """What cells are of: an attribution group, or all; and a channel, a type or a campaign.

    where: the condition that touches satisfy, of metrics of one's own.
    """

    group: str | None = None
    grain: str | None = None
    value: str | None = None
    where: str | None = None


@dataclass(frozen=True)
class BlockPlan:
    """What a block has: keys times views, rows of the report, and columns: months and all before.

    chunks: of a sum behind the count, 0 without one; has_pairs: whether it counts different
    customers, and has pairs of months for cells.
    """

    name: str
    keys: Mapping[Key, int]
    views: int
    rows: int
    columns: int
    chunks: int = 0
    has_pairs: bool = False

    @property
    def places(self) -> int:
        """How many cells there may be."""
        size = self.views * len(self.keys) * self.rows
        return size if self.has_pairs else size * self.columns

    @property
    def width(self) -> int:
        """How many integers a cell has."""
        if self.has_pairs:
            return self.columns * (self.columns - 1) // 2
        return 1 + self.chunks

    def check(self) -> BlockPlan:
        """Return the plan, or raise a ConfigError where it is far too large."""
        if self.places > MOST_PLACES:
            raise ConfigError(
                f"{counted(len(self.keys), 'key')}, {counted(self.rows, 'segment')} and "
                f"{counted(self.columns, 'month')} make {counted(self.places, 'cell')}",
                remedy="report fewer months or segments, or fewer values of what the keys are of",
            )
        return self


class BlockCells:
    """The cells of a block, as far as anything is in them."""

    def __init__(self, plan: BlockPlan) -> None:
        self.plan = plan
        self._numbers = np.zeros(plan.places, np.int32)
        self._table = np.zeros((64, plan.width), np.int64)
        self._taken = 0
        self._growth = 0
        self._owners, self._latest = np.zeros((2, 64), np.int64)

    def add(
        self,
        places: Int64s,
        counts: Int64s,
        words: AmountWords | None = None,
        are_less: NDArray[np.bool_] = NO_MARKS,
    ) -> None:
        """Add counts, and amounts where there are any, at places; negative ones are nowhere."""
        cells = self._cells(places)
        lows, highs = (NO_WORDS, NO_WORDS) if words is None else words
        if self._growth + places.size > CARRY_AFTER:
            self.carry()
        self._growth += places.size
        kernels.add_facts(cells, counts, lows.view(np.int64), highs, are_less, self._table)

    def add_pairs(
        self, offsets: Int64s, places: Int64s, columns: NDArray[np.int32], before: int
    ) -> None:
        """Count customers, once a month; before: how many customers were counted already."""
        cells = self._cells(places)
        kernels.count_pairs(
            offsets, cells, columns, before, self._owners, self._latest, self._table
        )

    def plus(self, other: BlockCells) -> None:
        """Add what another one has counted."""
        self.carry()
        other.carry()
        places = np.flatnonzero(other._numbers)
        theirs = other._table[other._numbers[places] - 1]
        own = self._cells(places)  # which makes room for them
        self._table[own] += theirs

    def carry(self) -> None:
        """Make room in the chunks of all sums."""
        if self.plan.chunks:
            sums = np.ascontiguousarray(self._table[: self._taken, 1:])
            carry_sums(sums)
            self._table[: self._taken, 1:] = sums
        self._growth = 0

    def of_key(self, key: int) -> NDArray[np.int64]:
        """Return the cells of a key and view, zeros where there are none.

        (rows, columns, width), or (rows, width) of pairs.
        """
        shape = (self.plan.rows,) if self.plan.has_pairs else (self.plan.rows, self.plan.columns)
        size = int(np.prod(shape))
        numbers = self._numbers[key * size : (key + 1) * size].reshape(shape)
        found = self._table[np.maximum(numbers - 1, 0)]
        found[numbers == 0] = 0
        return found

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._numbers.nbytes + self._table.nbytes

    def _cells(self, places: Int64s) -> Int64s:
        cells = np.empty(places.size, np.int64)
        self._taken = kernels.take_cells(as_input(places), self._taken, self._numbers, cells)
        room = self._table.shape[0]
        if self._taken > room:
            more = max(self._taken, 2 * room) - room
            self._table = np.concatenate([self._table, np.zeros((more, self.plan.width), np.int64)])
            none = np.zeros(more, np.int64)
            self._owners = np.concatenate([self._owners, none])
            self._latest = np.concatenate([self._latest, none])
        return cells


def powers_of_chunks(count: int) -> NDArray[Any]:
    """Return what each chunk of a sum is worth, as Python's integers."""
    return np.array([1 << chunk * int(CHUNK_BITS) for chunk in range(count)], object)
