"""Which values the events of each customer have: how many distinct ones, and the most frequent."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
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
from ordercycle_kernels.marked_events import (
    BYTES,
    LOWEST_BITS,
    MOST_COUNTED,
    NO_COUNTS,
    ONE,
    ZERO,
    add_counts,
    clear_counts,
    cost_one_by_one,
    counted,
    selections_of_bits,
)

#: 2**64 divided by the golden ratio: multiplied by it, near values go to places far apart.
SPREAD = np.uint64(0x9E3779B97F4A7C15)
#: Looks at other values per event, on average, after which values are not hashed further.
MOST_LOOKS = 16
#: What it takes to count the value of a marked event where others are left out by a branch, and of
#: every event where there is none, in ns (measured).
MARKED_NS, EVERY_NS = 2.5, 4.6

# n = events, sorted by customer; c = customers; v = the most events of a customer, or more
# s = selections, 64 at most, each a bit of the marks of an event: shifts say which


@kernel
def number_values(
    offsets: Int64s,
    values: UInt64s,
    marks: UInt64s,
    bits: np.uint64,
    customer: int,
    slots: Int64Out,
    out_numbers: UInt32Out,
) -> int:
    """Write the number of each value among the distinct ones of its customer, as they first occur.

    Of events alone that are marked by one of the bits; of others, 0.

    customer: to begin with; offsets: (c + 1,); values, marks, out_numbers: (n,);
    slots (scratch, with -1 in it at the first call; a power of two, at least twice v): (l,).
    Returns c, or the customer whose values collide too often to be hashed, which are to be
    numbered otherwise.
    """
    while customer < offsets.size - 1:
        start, stop = offsets[customer], offsets[customer + 1]
        width = np.uint64(1)
        while (np.int64(1) << np.int64(width)) < 2 * (stop - start):
            width += ONE
        mask = (np.int64(1) << np.int64(width)) - 1
        distinct, looks = 0, MOST_LOOKS * (stop - start)
        for event in range(start, stop):
            if marks[event] & bits == ZERO:
                out_numbers[event] = 0
                continue
            value = values[event]
            slot = np.int64((value * SPREAD) >> (np.uint64(64) - width))
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


#: Values of which each is a bit, for a few selections one after the other: so many at most of both.
MOST_BITS, FEW_SELECTIONS = 256, 2
EVERY_2ND, EVERY_4TH = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
LOWER_HALVES = np.uint64(0x0F0F0F0F0F0F0F0F)
#: Of a value's number: which of 64 bits it is, and of which word.
BIT_OF_WORD, WORD_BITS = np.uint64(63), np.uint64(6)


@helper
def number_of_bits(word: np.uint64) -> np.uint64:
    """Return how many bits of a word are set."""
    word -= (word >> ONE) & EVERY_2ND
    word = (word & EVERY_4TH) + ((word >> np.uint64(2)) & EVERY_4TH)
    word = (word + (word >> np.uint64(4))) & LOWER_HALVES
    return (word * LOWEST_BITS) >> BYTES


@helper
def count_values_of_one(
    begin: int, stop: int, numbers: UInt32s, marks: UInt64s, shift: np.uint64, words: UInt64Out
) -> int:
    """Return how many distinct values a customer's events have, of one selection.

    numbers, marks: (n,); words (0 before and after), of which each value has a bit: (w,).
    """
    for event in range(begin, stop):
        number = np.uint64(numbers[event])
        bit = ((marks[event] >> shift) & ONE) << (number & BIT_OF_WORD)
        words[np.int64(number >> WORD_BITS)] |= bit
    count = ZERO
    for place in range(words.size):
        count += number_of_bits(words[place])
        words[place] = ZERO
    return np.int64(count)


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

    offsets: (c + 1,); numbers (below v, one for each value of a customer's marked events), marks:
    (n,); shifts: (s,); of_value (scratch, 0 before and after): (v,); out_counts: (s, c).
    """
    words = np.empty(8, np.uint64)
    bits, _ = selections_of_bits(shifts)
    is_skipping = cost_one_by_one(marks, bits, MARKED_NS) <= EVERY_NS
    has_bits = of_value.size <= MOST_BITS and shifts.size <= FEW_SELECTIONS
    words_of_bits = of_value[: (of_value.size + 63) // 64]
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        if has_bits:
            for place in range(shifts.size):
                out_counts[place, customer] = count_values_of_one(
                    start, stop, numbers, marks, shifts[place], words_of_bits
                )
            continue
        clear_counts(customer, out_counts)
        begin = start
        while begin < stop:
            end, counts = min(stop, begin + MOST_COUNTED), NO_COUNTS
            for event in range(begin, end):
                number, word = np.int64(numbers[event]), marks[event] & bits
                if is_skipping and word == ZERO:
                    continue
                seen = of_value[number]
                counts = counted(word & ~seen, counts)
                of_value[number] = seen | word
            add_counts(counts, words, shifts, customer, out_counts)
            begin = end
        for event in range(start, stop):
            of_value[np.int64(numbers[event])] = ZERO


@kernel
def most_frequent_values(
    offsets: Int64s,
    values: UInt64s,
    numbers: UInt32s,
    marks: UInt64s,
    shifts: UInt64s,
    counts: UInt32Out,
    out_values: UInt64Table,
) -> None:
    """Find the value that most of a customer's events have, of several the smallest.

    offsets: (c + 1,); values, numbers (below v, one for each value of a customer's marked events),
    marks: (n,); shifts: (s,); counts (scratch, 0 before and after): (v,); out_values (0 where
    there is no event): (s, c).
    """
    for place in range(shifts.size):
        shift = shifts[place]
        for customer in range(offsets.size - 1):
            start, stop = offsets[customer], offsets[customer + 1]
            for event in range(start, stop):
                counts[np.int64(numbers[event])] += np.uint32((marks[event] >> shift) & ONE)
            most, found = np.uint32(0), ZERO
            for event in range(start, stop):
                if (marks[event] >> shift) & ONE == ZERO:
                    continue
                number, value = np.int64(numbers[event]), values[event]
                count = counts[number]
                counts[number] = 0  # a value that comes again is not looked at again
                # Without any event yet, no value is smaller than the one that is found.
                is_better = (count > most) | ((count == most) & (value < found))
                found = value if is_better else found
                most = max(most, count)
            out_values[place, customer] = found
