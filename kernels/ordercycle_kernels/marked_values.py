"""Which values the events of each customer have: how many distinct ones, and the most frequent."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import (
    Int64Out,
    Int64s,
    Int64Table,
    UInt32Out,
    UInt32s,
    UInt64Out,
    UInt64s,
    UInt64Table,
)
from ordercycle_kernels.marked_events import ONE, add_marks, filled_up, write_counts

#: 2**64 divided by the golden ratio: multiplied by it, near values go to places far apart.
SPREAD = np.uint64(0x9E3779B97F4A7C15)
#: Looks at other values per event, on average, after which values are not hashed further.
MOST_LOOKS = 16

# n = events, sorted by customer; c = customers; v = the most events of a customer, or more
# s = selections, 64 at most, each a bit of the marks of an event: shifts say which


@kernel
def number_values(
    offsets: Int64s, values: UInt64s, customer: int, slots: Int64Out, out_numbers: UInt32Out
) -> int:
    """Write the number of each value among the distinct ones of its customer, as they first occur.

    customer: to begin with; offsets: (c + 1,); values, out_numbers: (n,);
    slots (scratch, with -1 in it at the first call; a power of two, at least twice v): (l,).
    Returns c, or the customer whose values collide too often to be hashed, which are to be
    numbered otherwise.
    """
    while customer < offsets.size - 1:
        start, stop = offsets[customer], offsets[customer + 1]
        bits = np.uint64(1)
        while (np.int64(1) << np.int64(bits)) < 2 * (stop - start):
            bits += ONE
        mask = (np.int64(1) << np.int64(bits)) - 1
        distinct, looks = 0, MOST_LOOKS * (stop - start)
        for event in range(start, stop):
            value = values[event]
            slot = np.int64((value * SPREAD) >> (np.uint64(64) - bits))
            # What other customers left is of rows before those of this one.
            while slots[slot] >= start and values[slots[slot]] != value:
                slot = (slot + 1) & mask
                looks -= 1
            if slots[slot] < start:
                slots[slot] = event
                out_numbers[event] = distinct
                distinct += 1
            else:
                out_numbers[event] = out_numbers[slots[slot]]
            if looks < 0:
                return customer
        customer += 1
    return customer


@kernel
def count_values(
    offsets: Int64s,
    numbers: UInt32s,
    marks: UInt64s,
    shifts: UInt64s,
    of_value: UInt64Out,
    out_counts: Int64Table,
) -> None:
    """Count the distinct values of each customer's events.

    offsets: (c + 1,); numbers (as `number_values` writes them), marks: (n,); shifts: (s,);
    of_value (scratch): (v,); out_counts: (s, c).
    """
    counts = np.zeros(64, np.int64)
    filled, lanes = filled_up(shifts)
    for customer in range(offsets.size - 1):
        distinct = 0
        for event in range(offsets[customer], offsets[customer + 1]):
            number = np.int64(numbers[event])
            if number == distinct:
                of_value[number] = marks[event]
                distinct += 1
            else:
                of_value[number] |= marks[event]
        for number in range(distinct):
            add_marks(of_value[number], filled, lanes, counts)
        write_counts(counts, lanes, customer, out_counts)


@kernel
def most_frequent_values(
    offsets: Int64s,
    values: UInt64s,
    numbers: UInt32s,
    marks: UInt64s,
    shifts: UInt64s,
    of_value: UInt64Out,
    counts: Int64Table,
    out_values: UInt64Table,
) -> None:
    """Find the value that most of a customer's events have, of several the smallest.

    offsets: (c + 1,); values, numbers (as `number_values` writes them), marks: (n,); shifts: (s,);
    of_value (scratch): (v,); counts (scratch): (v, s); out_values (0 where there is no event):
    (s, c).
    """
    most, found = np.zeros(64, np.int64), np.zeros(64, np.uint64)
    for customer in range(offsets.size - 1):
        distinct = 0
        for event in range(offsets[customer], offsets[customer + 1]):
            number, word = np.int64(numbers[event]), marks[event]
            if number == distinct:
                of_value[number] = values[event]
                counts[number, :] = 0
                distinct += 1
            for place in range(shifts.size):
                counts[number, place] += np.int64((word >> shifts[place]) & ONE)
        most[:] = 0
        found[:] = 0
        for number in range(distinct):
            value = of_value[number]
            for place in range(shifts.size):
                count, best = counts[number, place], found[place]
                # Without any event yet, no value is smaller than the one that is found.
                is_better = (count > most[place]) | ((count == most[place]) & (value < best))
                found[place] = value if is_better else best
                most[place] = max(most[place], count)
        for place in range(shifts.size):
            out_values[place, customer] = found[place]
