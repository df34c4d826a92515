"""Move the rows of a customer that lie together as one piece.

A run is a maximal sequence of neighbouring rows of one customer. A table sorted by customer has
no more of them than customers: only they need to be hashed, placed and looked up. Their rows are
copied whole.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Bools,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    Items,
    ItemsOut,
    UInt64Out,
    UInt64s,
)
from ordercycle_kernels.hashing import mix
from ordercycle_kernels.partition import partition_of, per_width

#: Rows of a customer that are sorted here where they are not in order; more are left to the caller.
SHORT_ROWS = 32
# Unsigned, so that no index can count from the end: a test per row that vectors do without.
ZERO, ONE, TWO, THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
FOUR, EIGHT = np.uint64(4), np.uint64(8)

# n = rows, k = runs, c = customers, p = partitions, s = slots; shift = 64 - log2(p)


@kernel
def count_runs(ids: Int64s) -> int:
    """Return how many runs there are: ids: (n,)."""
    runs = min(ids.size, 1)
    for row in range(1, ids.size):
        runs += ids[row] != ids[row - 1]
    return runs


@kernel
def find_runs(
    ids: Int64s, kept: Bools, out_firsts: Int32Out, out_lengths: Int32Out, out_hashes: UInt64Out
) -> int:
    """Find the runs of the rows that are kept; return k.

    ids: (n,); kept: (n,), or (0,) where every row is kept: a row left out ends a run;
    out_firsts, out_lengths, out_hashes: (n,), of which k are written: each run's first row,
    its number of rows, and its customer's hash.
    """
    runs = 0
    if kept.size == 0:
        # Written for every row, and overwritten where no run begins: a branch is guessed wrong.
        previous = ~ids[0] if ids.size else np.int64(0)
        for row in range(ids.size):
            out_firsts[np.uint64(runs)] = row
            runs += ids[row] != previous
            previous = ids[row]
        for run in range(runs):
            stop = out_firsts[run + 1] if run + 1 < runs else ids.size
            out_lengths[run] = stop - out_firsts[run]
    else:
        for row in range(ids.size):
            if not kept[row]:
                continue
            if row == 0 or not kept[row - 1] or ids[row] != ids[row - 1]:
                out_firsts[runs] = row
                runs += 1
            out_lengths[runs - 1] = row + 1 - out_firsts[runs - 1]
    for run in range(runs):
        out_hashes[run] = mix(np.uint64(ids[out_firsts[run]]))
    return runs


@kernel
def count_partitions_of_runs(
    hashes: UInt64s, lengths: Int32s, shift: int, out_runs: Int64Out, out_rows: Int64Out
) -> None:
    """Count the runs and the rows of each partition.

    hashes, lengths: (k,); out_runs, out_rows: (p,).
    """
    out_runs[:] = 0
    out_rows[:] = 0
    for run in range(hashes.size):
        partition = partition_of(hashes[run], shift)
        out_runs[partition] += 1
        out_rows[partition] += lengths[run]


@kernel
def place_runs(
    hashes: UInt64s,
    lengths: Int32s,
    shift: int,
    cursors: Int64Out,
    row_cursors: Int64Out,
    out_hashes: UInt64Out,
    out_lengths: Int32Out,
    out_targets: Int64Out,
) -> None:
    """Lay runs out by partition, and find where the rows of each go.

    hashes, lengths, out_targets: (k,); cursors, row_cursors: (p,), where each partition's runs
    and rows begin, moved to where they end; out_hashes, out_lengths: (all,), of the runs of a
    block.
    """
    for run in range(hashes.size):
        partition = partition_of(hashes[run], shift)
        place = cursors[partition]
        cursors[partition] = place + 1
        out_hashes[place] = hashes[run]
        out_lengths[place] = lengths[run]
        out_targets[run] = row_cursors[partition]
        row_cursors[partition] += lengths[run]


@kernel
def count_rows_of_slots(slots: Int32s, lengths: Int32s, out_sizes: Int32Out) -> None:
    """Turn the number of runs of each slot into a number of rows.

    slots, lengths: (k,); out_sizes: (s,), where every run has counted as one row.
    """
    for run in range(slots.size):
        out_sizes[slots[run]] += lengths[run] - 1


@kernel
def place_rows_of_slots(
    slots: Int32s,
    lengths: Int32s,
    cursors: Int32Out,
    out_firsts: Int32Out,
    out_targets: Int64Out,
) -> None:
    """Find where the rows of each run are and where they go, a customer's runs in order.

    slots, lengths, out_firsts, out_targets: (k,); cursors: (s,), where each slot's rows start,
    moved to their end.
    """
    first = 0
    for run in range(slots.size):
        slot = slots[run]
        out_firsts[run] = first
        out_targets[run] = cursors[slot]
        cursors[slot] += lengths[run]
        first += lengths[run]


@helper
def copy_eight(values: Items, first: np.uint64, out_values: ItemsOut, target: np.uint64) -> None:
    """Copy eight rows: all are read before any is written, so that one instruction can do it."""
    v0, v1, v2, v3 = values[first], values[first + ONE], values[first + TWO], values[first + THREE]
    upper, out_upper = first + FOUR, target + FOUR
    v4, v5, v6, v7 = values[upper], values[upper + ONE], values[upper + TWO], values[upper + THREE]
    out_values[target] = v0
    out_values[target + ONE] = v1
    out_values[target + TWO] = v2
    out_values[target + THREE] = v3
    out_values[out_upper] = v4
    out_values[out_upper + ONE] = v5
    out_values[out_upper + TWO] = v6
    out_values[out_upper + THREE] = v7


@helper
def copy_four(values: Items, first: np.uint64, out_values: ItemsOut, target: np.uint64) -> None:
    """Copy four rows in the same way."""
    v0, v1, v2, v3 = values[first], values[first + ONE], values[first + TWO], values[first + THREE]
    out_values[target] = v0
    out_values[target + ONE] = v1
    out_values[target + TWO] = v2
    out_values[target + THREE] = v3


def _copy_runs(
    values: Items, firsts: Int32s, lengths: Int32s, targets: Int64s, out_values: ItemsOut
) -> None:
    """Copy the rows of each run to where they go.

    values: (n,) and out_values: (places,), in memory of their own; firsts, lengths, targets: (k,),
    the first row of a run in values, its number of rows, and its first row in out_values.
    """
    # Runs are short: in steps of eight rows, of which the last may overlap the one before, it
    # took 0.3 ns a row where a loop over the rows took 1.4 (runs of eleven, in the cache).
    for run in range(firsts.size):
        first, target = np.uint64(firsts[run]), np.uint64(targets[run])
        rows = np.uint64(lengths[run])
        if rows >= EIGHT:
            last = rows - EIGHT
            step = ZERO
            while step < last:
                copy_eight(values, first + step, out_values, target + step)
                step += EIGHT
            copy_eight(values, first + last, out_values, target + last)
        elif rows >= FOUR:
            last = rows - FOUR
            copy_four(values, first, out_values, target)
            copy_four(values, first + last, out_values, target + last)
        else:
            out_values[target] = values[first]
            if rows > ONE:
                out_values[target + ONE] = values[first + ONE]
                out_values[target + rows - ONE] = values[first + rows - ONE]


copy_runs = per_width(_copy_runs)


@kernel
def order_short_customers(offsets: Int64s, days: Int32Out, words: Int64Out) -> int:
    """Sort each customer's rows by day, where they are not sorted and few.

    offsets: (c + 1,); days, words: (n,). Returns the first customer with more than SHORT_ROWS
    that are not sorted, at which it ends, or -1.
    """
    # Mostly all are sorted, and the only rows before their predecessor's day are first rows of a
    # customer. To count both, without a loop per customer, takes a quarter of the time.
    falls = 0
    for later in range(1, days.size):
        row = np.uint64(later)
        falls += days[row] < days[row - ONE]
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        falls -= 0 < start < stop and days[start] < days[start - 1]
    if falls == 0:
        return -1
    keys, own_words = np.empty(SHORT_ROWS, np.int32), np.empty(SHORT_ROWS, np.int64)
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        falls = 0
        for row in range(start + 1, stop):
            falls += days[row] < days[row - 1]
        if falls == 0:
            continue
        rows = stop - start
        if rows > SHORT_ROWS:
            return customer
        # A row's place is the number of rows before it. Compared all with all, eleven rows took
        # 6 ns each where sorting by insertion took 12: no branch is guessed wrong.
        for row in range(rows):
            keys[row] = days[start + row] * SHORT_ROWS + row
            own_words[row] = words[start + row]
        for row in range(rows):
            key = keys[row]
            before = np.int32(0)
            for other in range(rows):
                before = np.int32(before + np.int32(keys[other] < key))
            days[start + before] = key // SHORT_ROWS
            words[start + before] = own_words[row]
    return -1
