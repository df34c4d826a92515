"""Cells of which only those take memory that are counted in, found by a hash of their code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordercycle_kernels._jit import inlined, kernel
from ordercycle_kernels._types import Int32Out, Int64Out, Int64s, Int64Table
from ordercycle_kernels.event_order import SPREAD

#: Slots per cell there is room for, at least: with fewer, searching takes long.
SLOTS_PER_CELL = 2

# s = slots, v = cells that there is room for, w = numbers of a cell, n = codes


class Cells(NamedTuple):
    """Cells of several numbers each, by codes from 0 on.

    Those of few codes have a cell for each of these, without slots: a search would be guessed wrong
    too often. Others are taken one after the other, and found by hash.

    slots (the number of the cell of each hash, from 1 on, 0 for none; a power of two and more than
    v): (s,); codes: (v,), or (0,); values: (v, w); taken (how many cells are): (1,).
    """

    slots: Int32Out
    codes: Int64Out
    values: Int64Table
    taken: Int64Out


@inlined
def has_room(cells: Cells, more: int) -> bool:
    """Return whether so many cells more may be taken."""
    return cells.slots.size == 0 or cells.taken[0] + more <= cells.codes.size


@inlined
def slot_of(code: int, cells: Cells) -> np.uint64:
    """Return the slot of a code, or the free one where it may be."""
    mask = np.uint64(cells.slots.size - 1)
    slot = ((np.uint64(code) * SPREAD) >> np.uint64(32)) & mask
    while cells.slots[slot] != 0 and cells.codes[cells.slots[slot] - 1] != code:
        slot = (slot + np.uint64(1)) & mask
    return slot


@inlined
def cell_of(code: int, cells: Cells) -> np.uint64:
    """Return the number of a cell; takes one, which there is room for, where there is none."""
    if cells.slots.size == 0:
        return np.uint64(code)
    slot = slot_of(code, cells)
    number = np.int64(cells.slots[slot])
    if number == 0:
        number = cells.taken[0] + 1
        cells.taken[0] = number
        cells.codes[number - 1] = code
        cells.slots[slot] = number
    return np.uint64(number - 1)


@kernel
def add_cells(codes: Int64s, values: Int64Table, cells: Cells) -> None:
    """Add to cells, which have room for as many as there are codes.

    codes (negative for nowhere): (n,); values: (n, w).
    """
    for row in range(codes.size):
        if codes[row] < 0:
            continue
        cell = cell_of(codes[row], cells)
        for number in range(values.shape[1]):
            cells.values[cell, np.uint64(number)] += values[row, number]


@kernel
def find_cells(cells: Cells) -> None:
    """Write the slots, zeros so far, of the cells that are taken."""
    for number in range(cells.taken[0]):
        cells.slots[slot_of(cells.codes[number], cells)] = number + 1
