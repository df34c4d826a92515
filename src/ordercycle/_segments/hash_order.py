"""Rows of any order in the order of their hashes, by the kernels that divide orders by customer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._workspace import Workers
from ordercycle_kernels import partition as kernels
from ordercycle_kernels.transitions import order_by_hash

#: Rows that are laid out by partition at a time, and of a partition that is sorted: both fit the
#: processor's cache.
RUN_ROWS = 2**16
PARTITION_ROWS = 2**12
PARTITIONS_PER_TASK = 32
#: Rows are counted in 32 bits.
MOST_ROWS = 2**31 - 1
EVERY_ROW = np.zeros(0, np.bool_)


class Ordered(NamedTuple):
    """Hashes in ascending order, and the rows they are of: (n,) each, equal ones in any order."""

    hashes: NDArray[np.uint64]
    rows: NDArray[np.int32]


def in_hash_order(hashes: NDArray[np.uint64], workers: Workers) -> Ordered:
    """Sort up to MOST_ROWS hashes: evenly spread ones in a fifth of the time of comparing them.

    With NumPy's argsort, transitions between two tables of 435,000 customers in any order took 76
    ms of CPU time instead of 27.
    """
    bits = int(hashes.size // PARTITION_ROWS).bit_length()
    if bits == 0:
        rows = np.argsort(hashes).astype(np.int32)
        return Ordered(hashes[rows], rows)
    offsets, made = _divided(hashes, bits, workers)
    largest = int(np.diff(offsets).max())

    def sort(first: int) -> None:
        its_offsets = offsets[first : first + PARTITIONS_PER_TASK + 1]
        room = workers.workspace
        cursors = room.array("cursors", 2 * PARTITION_ROWS, np.int32)
        others = room.array("hashes", largest, np.uint64), room.array("rows", largest, np.int32)
        left = np.empty(its_offsets.size - 1, np.bool_)
        order_by_hash(its_offsets, bits, cursors, *others, made.hashes, made.rows, left)
        for number in np.flatnonzero(left):
            rows = slice(its_offsets[number], its_offsets[number + 1])
            places = np.argsort(made.hashes[rows])
            made.hashes[rows] = made.hashes[rows][places]
            made.rows[rows] = made.rows[rows][places]

    for _ in workers.in_order(sort, range(0, 1 << bits, PARTITIONS_PER_TASK)):
        pass
    return made


def _divided(
    hashes: NDArray[np.uint64], bits: int, workers: Workers
) -> tuple[NDArray[np.int64], Ordered]:
    """Return where each of 2**bits partitions by top bits begins, and the rows divided so."""
    runs = [slice(start, start + RUN_ROWS) for start in range(0, hashes.size, RUN_ROWS)]
    counts = np.empty((len(runs), 1 << bits), np.int64)
    shift = 64 - bits

    def count(number: int) -> None:
        kernels.count_partitions(hashes[runs[number]], EVERY_ROW, shift, counts[number])

    for _ in workers.in_order(count, range(len(runs))):
        pass
    offsets = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
    begins = np.cumsum(counts, axis=0) - counts + offsets[:-1]
    made = Ordered(np.empty_like(hashes), np.empty(hashes.size, np.int32))

    def divide(number: int) -> None:
        run = hashes[runs[number]]
        its_offsets = np.concatenate([[0], np.cumsum(counts[number])])
        targets = np.empty(run.size, np.int32)
        kernels.place_rows(run, EVERY_ROW, shift, its_offsets[:-1].copy(), targets)
        start = runs[number].start
        rows = np.arange(start, start + run.size, dtype=np.int32)
        for values, column in ((run, made.hashes), (rows, made.rows)):
            moved = kernels.as_moved(values)
            laid_out, item = np.empty_like(moved), moved.dtype.name
            kernels.scatter[item](moved, targets, laid_out)
            kernels.deposit[item](laid_out, its_offsets, begins[number], kernels.as_moved(column))

    for _ in workers.in_order(divide, range(len(runs))):
        pass
    return offsets, made
