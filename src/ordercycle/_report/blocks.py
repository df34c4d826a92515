"""Cells of a report beside those of all orders: of channels, campaigns, members and subscribers.

A block has a cell for every key, row and month in which anything happened: a count, and a sum where
it is about amounts; or pairs of months, where customers are counted once in any range of months.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, counted
from ordercycle_kernels import report_facts as kernels
from ordercycle_kernels.cube import Track
from ordercycle_kernels.exact_sums import CHUNK_BITS, carry_sums
from ordercycle_kernels.sparse_cells import SLOTS_PER_CELL, Cells, add_cells, find_cells

Int64s = NDArray[np.int64]
Int64Table = NDArray[np.int64]

#: Sums are carried after so many additions: far fewer than their chunks have room for.
CARRY_AFTER = 2**29
#: Keys times rows times months.
MOST_PLACES = 2**28
#: Cells that there is room for at first, and that are added at a time.
LEAST_ROOM, MOST_AT_ONCE = 256, 1 << 16
#: With so many numbers at most, each code has a cell of its own: 64 MB, if all are counted in.
MOST_DIRECT = 1 << 23
NO_MARKS = np.zeros(0, np.bool_)


Number = TypeVar("Number", int, Int64s)


def pair_place(previous: Number, month: Number) -> Number:
    """Return where pairs of months are: the first month is 1, and 0 stands for never before."""
    return month * (month - 1) // 2 + previous


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
    def codes(self) -> int:
        """How many codes cells may have: of a key, a row and a column, or two of these."""
        return self.places * (self.columns**2 if self.has_pairs else 1)

    @property
    def width(self) -> int:
        """How many pairs of months there are, or how many integers a cell has."""
        if self.has_pairs:
            return pair_place(0, self.columns)
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
    """The cells of a block, as far as anything is in them: counts, and sums behind them.

    The code of a cell is its key, row and month, or its key, row and pair of months.
    """

    def __init__(self, plan: BlockPlan) -> None:
        self.plan = plan
        self._cells = SparseCells(1 if plan.has_pairs else 1 + plan.chunks, plan.codes)
        #: Who came last to a key and row, and when.
        self._stamps = np.zeros(plan.views * len(plan.keys) * plan.rows * plan.has_pairs, np.int64)
        self._growth = 0

    @property
    def pairs(self) -> tuple[Int64s, SparseCells]:
        """What kernels count customers in: who came last to a key and row, and the cells."""
        return self._stamps, self._cells

    def add(self, codes: Int64s, counts: Int64s) -> None:
        """Add counts, one behind the other, to the cells of codes; negative ones are nowhere."""
        self._cells.add(codes, counts.reshape(-1, 1))

    def add_facts(
        self,
        facts: kernels.FactRows,
        keys: Int64Table,
        track: Track,
        grid: kernels.Grid,
        *,
        everyone: bool,
        before: int,
    ) -> None:
        """Add facts to the rows of a track, under all of their keys; everyone: to the last row too.

        before: how many customers were counted already.
        """
        start, size = 0, facts.days.size
        if self._growth + keys.size > CARRY_AFTER:
            self.carry()
        self._growth += keys.size
        while True:
            cells = self._cells.cells
            if self.plan.has_pairs:
                start = kernels.add_pairs_at(
                    facts, keys, track, grid, everyone, before, start, self._stamps, cells
                )
            else:
                start = kernels.add_facts_at(facts, keys, track, grid, everyone, start, cells)
            if start == size:
                return
            self._cells.make_room(2 * len(keys))

    def plus(self, other: BlockCells) -> None:
        """Add what another one has counted."""
        self.carry()
        other.carry()
        self._cells.add(*other._cells.there)

    def carry(self) -> None:
        """Make room in the chunks of all sums."""
        if self.plan.chunks:
            values = self._cells.values
            sums = np.ascontiguousarray(values[:, 1:])
            carry_sums(sums)
            values[:, 1:] = sums
        self._growth = 0

    def by_key(self) -> Iterator[tuple[int, Int64s, Int64s]]:
        """Yield what was counted of each key and view: its number, and places of what is not 0.

        Places are those of rows, columns and numbers of cells, the same whatever keys there are;
        what several counted at a place may be added.
        """
        self.carry()
        codes, values = self._cells.there
        order = np.argsort(codes)
        keys, within = np.divmod(codes[order], self._codes_of_a_key)
        rows, words = np.nonzero(values[order])
        keys, places = keys[rows], within[rows] * values.shape[1] + words
        counts = values[order[rows], words]
        found, firsts = np.unique(keys, return_index=True)
        for number, key in enumerate(found.tolist()):
            its = slice(firsts[number], [*firsts, keys.size][number + 1])
            yield key, places[its], counts[its]

    def add_by_key(self, key: int, places: Int64s, counts: Int64s) -> None:
        """Add what was counted of a key and view, as `by_key` has it."""
        width = self._cells.values.shape[1]
        within, words = np.divmod(places, width)
        cells, numbers = np.unique(within, return_inverse=True)
        values = np.zeros((cells.size, width), np.int64)
        values[numbers, words] = counts
        self._cells.add(key * self._codes_of_a_key + cells, values)

    @property
    def _codes_of_a_key(self) -> int:
        """How many codes cells of a key and view may have."""
        plan = self.plan
        return plan.rows * plan.columns ** (2 if plan.has_pairs else 1)

    def of_key(self, key: int) -> NDArray[np.int64]:
        """Return the cells of a key and view, zeros where there are none.

        (rows, columns, width), or (rows, width) of pairs.
        """
        plan = self.plan
        size = self._codes_of_a_key
        codes, values = self._cells.between(key * size, (key + 1) * size)
        if not plan.has_pairs:
            found = np.zeros((size, values.shape[1]), np.int64)
            found[codes] = values
            return found.reshape(plan.rows, plan.columns, -1)
        rows, pairs = np.divmod(codes, plan.columns**2)
        earlier, months = np.divmod(pairs, plan.columns)
        new = earlier < months  # others came again in a month
        of_rows = np.zeros((plan.rows, plan.width), np.int64)
        of_rows[rows[new], pair_place(earlier, months)[new]] = values[new, 0]
        return of_rows


class SparseCells:
    """Cells of several numbers each, of which only those take memory that are counted in."""

    def __init__(self, width: int, codes: int) -> None:
        self._is_direct = codes * width <= MOST_DIRECT
        self._cells = _room_for(
            codes if self._is_direct else LEAST_ROOM, width, is_direct=self._is_direct
        )
        self._order: Int64s | None = None

    @property
    def cells(self) -> Cells:
        """What kernels add to."""
        self._order = None
        return self._cells

    @property
    def values(self) -> Int64Table:
        """The values of all cells that may be there, as a view."""
        values = self._cells.values
        return values if self._is_direct else values[: int(self._cells.taken[0])]

    @property
    def there(self) -> tuple[Int64s, Int64Table]:
        """The codes and the values of the cells that there are."""
        if self._is_direct:
            codes = _counted_in(self.values)
            return codes, self.values[codes]
        return self._cells.codes[: len(self.values)], self.values

    def make_room(self, more: int) -> None:
        """Make room for so many cells more: twice as much at least, where there is too little."""
        if self._is_direct:
            return
        codes, values = self.there
        room = self._cells.codes.size
        if codes.size + more <= room:
            return
        grown = _room_for(max(2 * room, codes.size + more), values.shape[1], is_direct=False)
        grown.codes[: codes.size], grown.values[: codes.size] = codes, values
        grown.taken[0] = codes.size
        find_cells(grown)
        self._cells = grown

    def add(self, codes: Int64s, values: Int64Table) -> None:
        """Add to cells; negative codes are nowhere."""
        for start in range(0, codes.size, MOST_AT_ONCE):
            its = slice(start, start + MOST_AT_ONCE)
            some = codes[its]
            self.make_room(some.size)
            add_cells(some, np.ascontiguousarray(values[its]), self.cells)

    def between(self, first: int, last: int) -> tuple[Int64s, Int64Table]:
        """Return the cells of codes from the first to before the last, as places from the first."""
        if self._is_direct:
            values = self.values[first:last]
            codes = _counted_in(values)
            return codes, values[codes]
        codes, values = self.there
        if self._order is None:
            self._order = np.argsort(codes)
        start, stop = np.searchsorted(codes, [first, last], sorter=self._order)
        its = self._order[start:stop]
        return codes[its] - first, values[its]


def _counted_in(values: Int64Table) -> Int64s:
    """Return which rows have a number that is not 0."""
    found = values[:, 0] != 0
    for number in range(1, values.shape[1]):
        found |= values[:, number] != 0
    return np.flatnonzero(found)


def _room_for(cells: int, width: int, *, is_direct: bool) -> Cells:
    slots = 0 if is_direct else 1 << (SLOTS_PER_CELL * cells - 1).bit_length()
    return Cells(
        np.zeros(slots, np.int32),
        np.zeros(0 if is_direct else cells, np.int64),
        np.zeros((cells, width), np.int64),
        np.zeros(1, np.int64),
    )


def powers_of_chunks(count: int) -> NDArray[Any]:
    """Return what each chunk of a sum is worth, as Python's integers."""
    return np.array([1 << chunk * int(CHUNK_BITS) for chunk in range(count)], object)
