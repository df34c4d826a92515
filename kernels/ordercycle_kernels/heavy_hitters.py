"""Take one customer's rows out of a partition and lay them out by day.

A customer with millions of orders is more than one thread should group. The rows of the
partition are looked at in chunks that share nothing: first counted, then moved.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import Int32Out, Int32s, Int64Out, Int64s, UInt64Out, UInt64s

BELOW, ABOVE = 0, 1

# n = rows of a chunk, d = days from the first to the last day of all orders


@kernel
def count_around(
    hashes: UInt64s,
    days: Int32s,
    hitter: np.uint64,
    first_day: int,
    out_around: Int64Out,
    out_by_day: Int64Out,
) -> None:
    """Count a chunk's rows: other customers' by side, the heavy hitter's by day.

    hashes, days: (n,); out_around: (2,), rows with a hash BELOW and ABOVE; out_by_day: (d,). Both
    are zero on entry.
    """
    for row in range(hashes.size):
        if hashes[row] == hitter:
            out_by_day[days[row] - first_day] += 1
        else:
            out_around[ABOVE if hashes[row] > hitter else BELOW] += 1


@kernel
def move_around(
    hashes: UInt64s,
    days: Int32s,
    words: Int64s,
    hitter: np.uint64,
    cursors: Int64Out,
    out_hashes: UInt64Out,
    out_days: Int32Out,
    out_words: Int64Out,
) -> None:
    """Move the other customers' rows to their sides, in their order.

    hashes, days, words: (n,); cursors: (2,), where the chunk's rows BELOW and ABOVE go in
    out_hashes, out_days, out_words: (places,).
    """
    for row in range(hashes.size):
        if hashes[row] != hitter:
            side = ABOVE if hashes[row] > hitter else BELOW
            target = cursors[side]
            cursors[side] = target + 1
            out_hashes[target] = hashes[row]
            out_days[target] = days[row]
            out_words[target] = words[row]


@kernel
def lay_out_by_day(
    hashes: UInt64s,
    days: Int32s,
    words: Int64s,
    hitter: np.uint64,
    first_day: int,
    cursors: Int64Out,
    out_words: Int64Out,
) -> None:
    """Move the heavy hitter's amounts to their days.

    hashes, days, words: (n,); cursors: (d,), where the chunk's rows of each day go in out_words:
    (places,).
    """
    for row in range(hashes.size):
        if hashes[row] == hitter:
            day = days[row] - first_day
            out_words[cursors[day]] = words[row]
            cursors[day] += 1


@kernel
def repeat_days(begins: Int64s, first_day: int, out_days: Int32Out) -> None:
    """Write each day as often as it has rows.

    begins: (d + 1,), where the rows of d days from first_day on begin, counted from anywhere;
    out_days: (rows,).
    """
    for day in range(begins.size - 1):
        out_days[begins[day] - begins[0] : begins[day + 1] - begins[0]] = first_day + day
