"""Marks: which of up to 64 selections of events each event is in, as the bits of one word.

What is known of an event by one column alone, its attribute's code or its day, is looked up in a
table of words, for all selections at once. Aggregates read the marks afterwards.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import (
    Bools,
    Int32s,
    Int64Out,
    Items,
    UInt64Out,
    UInt64s,
)

# n = events, s = selections, 64 at most, w = words


@kernel
def mark_days(days: Int32s, first_day: int, words: UInt64s, out_marks: UInt64Out) -> None:
    """Write the marks of each event's day: days, out_marks: (n,).

    words (one per day from first_day on; those outside are like the first and the last): (w,).
    """
    last = np.int64(words.size - 1)
    for event in range(days.size):
        place: np.int64 = min(max(np.int64(days[event]) - first_day, np.int64(0)), last)
        out_marks[event] = words[place]


def _mark_codes(codes: Items, words: UInt64s, out_marks: UInt64Out) -> None:
    """Keep of the marks what is in the word of each event's code.

    codes, out_marks: (n,); words (one per code): (w,).
    """
    for event in range(codes.size):
        out_marks[event] &= words[codes[event]]


#: By the type of the codes.
mark_codes = {
    items: kernel(_mark_codes, items=items, name=f"mark_codes_{items}")
    for items in ("uint8", "uint16", "uint32")
}


@kernel
def mark_truths(truths: Bools, kept: np.uint64, out_marks: UInt64Out) -> None:
    """Keep of the marks of events that are not true what is in the word `kept`.

    truths, out_marks: (n,).
    """
    for event in range(truths.size):
        out_marks[event] &= ~np.uint64(0) if truths[event] else kept


@kernel
def count_marks(marks: UInt64s, shifts: UInt64s, out_counts: Int64Out) -> None:
    """Count the events of each selection: marks: (n,); shifts (its bit), out_counts: (s,)."""
    for place in range(shifts.size):
        out_counts[place] = 0
    for event in range(marks.size):
        word = marks[event]
        for place in range(shifts.size):
            out_counts[place] += np.int64((word >> shifts[place]) & np.uint64(1))
