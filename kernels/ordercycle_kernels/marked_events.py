"""What the events of each customer come to, for many selections at once: numbers and rows.

Events are counted for all 64 selections at once, unless these are few, in the 64 bytes of eight
words: an event takes 2 ns, and 14 where each selection has a number of its own. In the other loops
over selections nothing depends on what the marks are, so that several are computed by one
instruction.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    BoolOut,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    Int64Table,
    UInt64Out,
    UInt64s,
)

#: The row of an event that there is not.
NO_EVENT = -1
ONE = np.uint64(1)

# n = events, sorted by customer and within one by time; c = customers
# s = selections, 64 at most, each a bit of the marks of an event: shifts say which


@helper
def filled_up(shifts: UInt64s, width: int) -> tuple[UInt64Out, int]:
    """Return shifts and further ones, and how many are to be looked at: a multiple of the width.

    What is left over where several selections are taken at a time is taken with branches, which are
    guessed wrong: of integers, two selections took four times as long as eight.
    """
    filled = np.zeros(64, np.uint64)
    filled[: shifts.size] = shifts
    return filled, (shifts.size + width - 1) // width * width


#: Numbers of up to MOST_COUNTED events, a byte each: that of bit b is byte b // 8 of word b % 8.
ByteCounts: TypeAlias = tuple[
    np.uint64, np.uint64, np.uint64, np.uint64, np.uint64, np.uint64, np.uint64, np.uint64
]
ZERO = np.uint64(0)
NO_COUNTS = (ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)
MOST_COUNTED = 255
LOWEST_BITS = np.uint64(0x0101010101010101)
BYTE, WORD, BYTES = np.uint64(255), np.uint64(7), np.uint64(56)


@helper
def counted(word: np.uint64, counts: ByteCounts) -> ByteCounts:
    """Return counts with an event's marks added."""
    of_0, of_1, of_2, of_3, of_4, of_5, of_6, of_7 = counts
    return (
        of_0 + (word & LOWEST_BITS),
        of_1 + ((word >> np.uint64(1)) & LOWEST_BITS),
        of_2 + ((word >> np.uint64(2)) & LOWEST_BITS),
        of_3 + ((word >> np.uint64(3)) & LOWEST_BITS),
        of_4 + ((word >> np.uint64(4)) & LOWEST_BITS),
        of_5 + ((word >> np.uint64(5)) & LOWEST_BITS),
        of_6 + ((word >> np.uint64(6)) & LOWEST_BITS),
        of_7 + ((word >> np.uint64(7)) & LOWEST_BITS),
    )


@helper
def add_counts(
    counts: ByteCounts, words: UInt64Out, shifts: UInt64s, customer: int, out: Int64Table
) -> None:
    """Add counts to those of a customer: words (scratch): (8,); shifts: (s,); out: (s, c)."""
    words[0], words[1], words[2], words[3] = counts[0], counts[1], counts[2], counts[3]
    words[4], words[5], words[6], words[7] = counts[4], counts[5], counts[6], counts[7]
    for place in range(shifts.size):
        shift = shifts[place]
        count = (words[np.int64(shift & WORD)] >> (shift & BYTES)) & BYTE
        out[place, customer] += np.int64(count)


@helper
def clear_counts(customer: int, out: Int64Table) -> None:
    """Write 0 as the counts of a customer: out: (s, c)."""
    for place in range(out.shape[0]):
        out[place, customer] = 0


#: So many selections are counted one after the other: an event takes 0.3 ns for each.
FEW_SELECTIONS = 4


@helper
def count_few(
    begin: int, stop: int, marks: UInt64s, shifts: UInt64s, customer: int, out: Int64Table
) -> None:
    """Write the counts of a customer's events: marks: (n,); shifts: (s,); out: (s, c)."""
    for place in range(shifts.size):
        shift, count = shifts[place], ZERO
        for event in range(begin, stop):
            count += (marks[event] >> shift) & ONE
        out[place, customer] = np.int64(count)


@kernel
def count_events(offsets: Int64s, marks: UInt64s, shifts: UInt64s, out_counts: Int64Table) -> None:
    """Count each customer's events.

    offsets: (c + 1,); marks: (n,); shifts: (s,); out_counts: (s, c).
    """
    words = np.empty(8, np.uint64)
    for customer in range(offsets.size - 1):
        begin, stop = offsets[customer], offsets[customer + 1]
        if shifts.size <= FEW_SELECTIONS:
            count_few(begin, stop, marks, shifts, customer, out_counts)
            continue
        clear_counts(customer, out_counts)
        while begin < stop:
            end, counts = min(stop, begin + MOST_COUNTED), NO_COUNTS
            for event in range(begin, end):
                counts = counted(marks[event], counts)
            add_counts(counts, words, shifts, customer, out_counts)
            begin = end


@kernel
def count_days(
    offsets: Int64s, days: Int32s, marks: UInt64s, shifts: UInt64s, out_counts: Int64Table
) -> None:
    """Count the distinct days of each customer's events.

    offsets: (c + 1,); days, marks: (n,); shifts: (s,); out_counts: (s, c).
    """
    words = np.empty(8, np.uint64)
    for customer in range(offsets.size - 1):
        clear_counts(customer, out_counts)
        event, stop = offsets[customer], offsets[customer + 1]
        while event < stop:
            counts = NO_COUNTS
            for _ in range(MOST_COUNTED):
                if event == stop:
                    break
                day, word = days[event], marks[event]
                event += 1
                while event < stop and days[event] == day:
                    word |= marks[event]
                    event += 1
                counts = counted(word, counts)
            add_counts(counts, words, shifts, customer, out_counts)


#: Multiplied by it, each of the 64 words with one bit has other upper six bits (de Bruijn).
BIT_NUMBERS = np.uint64(0x03F79D71B4CB0A89)
UPPER_SIX = np.uint64(58)
#: Of how many events at most the marks are looked at to see how many selections each is in.
EVENTS_LOOKED_AT = 1024
#: What it takes to look at an event, and to guess a branch wrong (measured).
LOOK_NS, MISS_NS = 1.4, 6.0


@helper
def lowest_bit(word: np.uint64) -> np.uint64:
    """Return the lowest bit of a word that has any."""
    return word & (~word + ONE)


@helper
def number_of_bit(bit: np.uint64) -> int:
    """Return a number of one bit, below 64 and another one for each."""
    return np.int64((bit * BIT_NUMBERS) >> UPPER_SIX)


@helper
def selections_of_bits(shifts: UInt64s) -> tuple[np.uint64, Int64Out]:
    """Return the bits of all selections, and by the number of each bit its selection: (64,)."""
    bits, places = ZERO, np.zeros(64, np.int64)
    for place in range(shifts.size):
        bit = ONE << shifts[place]
        bits |= bit
        places[number_of_bit(bit)] = place
    return bits, places


@helper
def cost_one_by_one(marks: UInt64s, bits: np.uint64, of_selection: float) -> float:
    """Estimate the ns of an event whose selections are gone through one by one: marks: (n,).

    By some of the events: how many selections they are in, and how often that is another number
    than of the event before, which branches guess wrong. of_selection: ns of each.
    """
    events, found, changes = 0, 0, 0
    for event in range(1, marks.size, max(1, marks.size // EVENTS_LOOKED_AT)):
        word, before = marks[event] & bits, marks[event - 1] & bits
        here = 0
        while word != ZERO:
            word &= word - ONE
            here += 1
        there = 0
        while before != ZERO:
            before &= before - ONE
            there += 1
        events += 1
        found += here
        changes += here != there
    return LOOK_NS + (of_selection * found + MISS_NS * changes) / max(events, 1)


@kernel
def any_marks(offsets: Int64s, marks: UInt64s, out_any: UInt64Out) -> None:
    """Write of which selections each customer has an event.

    offsets: (c + 1,); marks: (n,); out_any: (c,).
    """
    for customer in range(offsets.size - 1):
        word = np.uint64(0)
        for event in range(offsets[customer], offsets[customer + 1]):
            word |= marks[event]
        out_any[customer] = word


@helper
def are_sought(offsets: Int64s, selections: int) -> bool:
    """Return whether selections are few for the events of a customer: offsets: (c + 1,).

    Then each is looked for from an end of the events on, and what lies behind is not looked at.
    """
    customers = offsets.size - 1
    return selections <= 2 or 4 * selections * customers <= offsets[customers] - offsets[0]


@helper
def write_rows(word: np.uint64, event: int, places: Int64s, rows: Int64Out) -> None:
    """Write an event as the row of all selections of a word: places, rows: (64,)."""
    while word != ZERO:
        bit = lowest_bit(word)
        word ^= bit
        rows[places[number_of_bit(bit)]] = event


@helper
def seek_rows(
    marks: UInt64s, start: int, step: int, events: int, bits: np.uint64, places: Int64s,
    rows: Int64Out,
) -> None:  # fmt: skip
    """Write the first row of each selection, of some events from one on: marks: (n,)."""
    event = start
    for _ in range(events):
        word = marks[event] & bits
        if word != ZERO:
            write_rows(word, event, places, rows)
            bits ^= word
            if bits == ZERO:
                break
        event += step


@helper
def overwrite_rows(
    marks: UInt64s, start: int, step: int, events: int, filled: UInt64s, lanes: int, rows: Int64Out
) -> None:
    """Write the last row of each selection, of some events from one on: marks: (n,)."""
    event = start
    for _ in range(events):
        word = marks[event]
        for place in range(lanes):
            mask = -np.int64((word >> filled[place]) & ONE)
            rows[place] ^= (rows[place] ^ event) & mask
        event += step


@kernel
def first_events(offsets: Int64s, marks: UInt64s, shifts: UInt64s, out_rows: Int64Table) -> None:
    """Find the row of each customer's first event, NO_EVENT without one.

    offsets: (c + 1,); marks: (n,); shifts: (s,); out_rows: (s, c).
    """
    rows = np.empty(64, np.int64)
    filled, lanes = filled_up(shifts, 4)
    bits, places = selections_of_bits(shifts)
    is_sought = are_sought(offsets, shifts.size)
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        rows[:] = NO_EVENT
        if is_sought:
            seek_rows(marks, start, 1, stop - start, bits, places, rows)
        else:
            overwrite_rows(marks, stop - 1, -1, stop - start, filled, lanes, rows)
        for place in range(shifts.size):
            out_rows[place, customer] = rows[place]


@kernel
def last_events(offsets: Int64s, marks: UInt64s, shifts: UInt64s, out_rows: Int64Table) -> None:
    """Find the row of each customer's last event, NO_EVENT without one.

    offsets: (c + 1,); marks: (n,); shifts: (s,); out_rows: (s, c).
    """
    rows = np.empty(64, np.int64)
    filled, lanes = filled_up(shifts, 4)
    bits, places = selections_of_bits(shifts)
    is_sought = are_sought(offsets, shifts.size)
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        rows[:] = NO_EVENT
        if is_sought:
            seek_rows(marks, stop - 1, -1, stop - start, bits, places, rows)
        else:
            overwrite_rows(marks, start, 1, stop - start, filled, lanes, rows)
        for place in range(shifts.size):
            out_rows[place, customer] = rows[place]


@kernel
def days_since_events(
    rows: Int64s, days: Int32s, as_of: int, out_since: Int32Out, out_missing: BoolOut
) -> None:
    """Write the days from each customer's event until a day, and where there is no event.

    rows (of events, NO_EVENT without one): (c,); days: (n,); out_since, out_missing: (c,).
    """
    for customer in range(rows.size):
        row = rows[customer]
        out_missing[customer] = row < 0
        out_since[customer] = as_of - days[row] if row >= 0 else 0
