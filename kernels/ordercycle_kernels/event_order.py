"""Bring a customer's events into their total order, and take what comes again out.

Rows arrive ordered by customer and day. Those of one day are ordered by one key after the other,
each only among rows that all keys before it left equal: most days have one event, and what is
decided is not looked at again.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import BoolOut, Bools, Int32Out, Int32s, Int64s, UInt64s

INSERTION_LIMIT = 24
#: An odd number whose bits are spread well: multiplied with it, ids that are near go far apart.
SPREAD = np.uint64(0x9E3779B97F4A7C15)

# n = rows of the partition, c = customers; `order` lists rows by customer and day


@kernel
def begin_days(offsets: Int64s, days: Int32s, order: Int32s, out_begins: BoolOut) -> int:
    """Mark where the rows of a customer's day begin.

    offsets: (c + 1,) into order; days: (n,), by row; order, out_begins: (n,). Returns how many
    positions do not begin a day: rows with which others share one.
    """
    tied = 0
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        day = np.int32(0)
        for position in range(start, stop):
            here = days[order[position]]
            begins = position == start or here != day
            out_begins[position] = begins
            tied += not begins
            day = here
    return tied


@helper
def insertion_sort_rows(keys: Int64s, order: Int32Out, start: int, stop: int) -> None:
    """Sort order[start:stop] by the keys of its rows, equal ones staying as they are."""
    for position in range(start + 1, stop):
        row = order[position]
        key = keys[row]
        place = position
        while place > start and keys[order[place - 1]] > key:
            order[place] = order[place - 1]
            place -= 1
        order[place] = row


@helper
def merge_sort_rows(
    keys: Int64s, order: Int32Out, start: int, stop: int, scratch: Int32Out
) -> None:
    """Sort order[start:stop] by the keys of its rows, equal ones staying: scratch: (n,)."""
    for block in range(start, stop, INSERTION_LIMIT):
        insertion_sort_rows(keys, order, block, min(block + INSERTION_LIMIT, stop))
    width = INSERTION_LIMIT
    while width < stop - start:
        for left in range(start, stop, 2 * width):
            middle = min(left + width, stop)
            right = min(left + 2 * width, stop)
            one, other = left, middle
            for position in range(left, right):
                if one < middle and (other >= right or keys[order[one]] <= keys[order[other]]):
                    scratch[position] = order[one]
                    one += 1
                else:
                    scratch[position] = order[other]
                    other += 1
        order[start:stop] = scratch[start:stop]
        width *= 2


@kernel
def break_ties(keys: Int64s, order: Int32Out, begins: BoolOut, scratch: Int32Out) -> int:
    """Sort rows that are tied by one more key, and mark where they differ in it.

    keys: (n,), by row; order, begins, scratch: (n,): every mark begins a stretch of tied rows,
    which ends before the next one. Returns how many positions begin none: what is still tied.
    """
    tied = 0
    start = 0
    while start < order.size:
        stop = start + 1
        while stop < order.size and not begins[stop]:
            stop += 1
        if stop - start > 1:
            if stop - start > INSERTION_LIMIT:
                merge_sort_rows(keys, order, start, stop, scratch)
            else:
                insertion_sort_rows(keys, order, start, stop)
            for position in range(start + 1, stop):
                begins[position] = keys[order[position]] != keys[order[position - 1]]
                tied += not begins[position]
        start = stop
    return tied


@kernel
def mark_repeats(
    offsets: Int64s,
    order: Int32s,
    ids: UInt64s,
    has_id: Bools,
    table: Int32Out,
    out_kept: BoolOut,
) -> int:
    """Keep the first of a customer's events that have one id, and all that have none.

    offsets: (c + 1,) into order; order, out_kept: (n,); ids, has_id: (n,), by row; table: (s,),
    zeros, s a power of two and at least 2n. Returns how many are not kept.
    """
    mask = np.uint64(table.size - 1)
    bits = np.uint64(np.int64(np.log2(table.size)))
    repeats = 0
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        own = np.uint64(customer)
        for position in range(start, stop):
            row = order[position]
            out_kept[position] = True
            if not has_id[row]:
                continue
            mixed = (ids[row] + own) * SPREAD
            slot = (mixed >> np.uint64(32)) ^ (mixed >> (np.uint64(64) - bits))
            slot &= mask
            # What stands there since an earlier customer is another event, whatever its id.
            while table[slot] != 0:
                there = np.int64(table[slot]) - 1
                if there >= start and ids[order[there]] == ids[row]:
                    out_kept[position] = False
                    repeats += 1
                    break
                slot = (slot + np.uint64(1)) & mask
            if out_kept[position]:
                table[slot] = np.int32(position + 1)
    return repeats
