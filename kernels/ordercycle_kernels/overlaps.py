"""Which segments have a customer at the same time."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import Int16s, Int32s, Int64s, Int64Table
from ordercycle_kernels.calendar import NO_DAY

# c = customers, m = intervals, r = rows of a report


@kernel
def count_overlaps(offsets: Int64s, starts: Int32s, stops: Int32s) -> int:
    """Return how many intervals begin before the one before them, of the same customer, stops.

    offsets: (c + 1,); starts, stops: (m,), those of a customer in ascending order of starts.
    """
    # Over all neighbours, then less those of two customers: several at a time, as no branch is in
    # the way.
    count = 0
    for interval in range(1, starts.size):
        count += starts[interval] < stops[interval - 1]
    for customer in range(offsets.size - 1):
        first = offsets[customer]
        if 0 < first < offsets[customer + 1]:
            count -= starts[first] < stops[first - 1]
    return count


@kernel
def mark_overlaps(
    offsets: Int64s,
    codes: Int16s,
    starts: Int32s,
    stops: Int32s,
    rows: Int64s,
    out_overlaps: Int64Table,
) -> None:
    """Mark which rows of the report have a customer at the same time.

    offsets: (c + 1,); codes, starts, stops: (m,), those of a customer in ascending order of starts;
    rows: (k,), the row of each of k codes; out_overlaps: (r, r), 0 beforehand.
    """
    # Until when the customer has been in each row.
    ended = np.empty(out_overlaps.shape[0], np.int64)
    for customer in range(offsets.size - 1):
        reached = np.int64(NO_DAY)
        ended[:] = reached
        for interval in range(offsets[customer], offsets[customer + 1]):
            row = rows[codes[interval]]
            start, stop = np.int64(starts[interval]), np.int64(stops[interval])
            if start < reached:
                for other in range(ended.size):
                    if ended[other] > start:
                        out_overlaps[other, row] = 1
                        out_overlaps[row, other] = 1
            ended[row] = max(ended[row], stop)
            reached = max(reached, stop)
