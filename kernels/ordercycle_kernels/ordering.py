"""Order a customer's rows so that their order in the input leaves no trace.

Rows of one day are ordered by amount. Short stretches are sorted by insertion, long ones by a
radix sort or a merge sort, so that no input is slow: one customer may have half of all rows.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Int32Out, Int32s, Int64Out, Int64s
from ordercycle_kernels.amounts import swap_negatives

INSERTION_LIMIT = np.int64(32)
RADIX_BITS = np.int64(8)
RADIX = np.int64(256)
DIGITS = np.int64(8)
LAST_BUCKET = np.uint64(255)
SIGN = np.uint64(1 << 63)

# n = rows, c = customers; keys order like the amounts


@helper
def insertion_sort(keys: Int64Out, start: int, stop: int) -> None:
    """Sort keys[start:stop]."""
    for position in range(start + 1, stop):
        key = keys[position]
        place = position
        while place > start and keys[place - 1] > key:
            keys[place] = keys[place - 1]
            place -= 1
        keys[place] = key


@helper
def swap_stretch(words: Int64Out, start: int, stop: int) -> None:
    """Turn the bits of floats into keys, or back."""
    for position in range(start, stop):
        words[position] = swap_negatives(words[position])


@helper
def radix_sort(
    keys: Int64Out, start: int, stop: int, scratch: Int64Out, histograms: Int64Out
) -> None:
    """Sort keys[start:stop], digit by digit: scratch: (n,), histograms: (DIGITS * RADIX,)."""
    histograms[:] = 0
    for position in range(start, stop):
        word = np.uint64(keys[position]) ^ SIGN
        for digit in range(DIGITS):
            bucket = (word >> np.uint64(digit * RADIX_BITS)) & LAST_BUCKET
            histograms[digit * RADIX + np.int64(bucket)] += 1
    in_scratch = False
    for digit in range(DIGITS):
        first = digit * RADIX
        shift = np.uint64(digit * RADIX_BITS)
        total = start
        largest = 0
        for bucket in range(first, first + RADIX):
            size = histograms[bucket]
            histograms[bucket] = total
            total += size
            largest = max(largest, size)
        if largest == stop - start:
            continue  # all keys have the same digit here
        source = scratch if in_scratch else keys
        target = keys if in_scratch else scratch
        for position in range(start, stop):
            word = np.uint64(source[position]) ^ SIGN
            bucket = first + np.int64((word >> shift) & LAST_BUCKET)
            target[histograms[bucket]] = source[position]
            histograms[bucket] += 1
        in_scratch = not in_scratch
    if in_scratch:
        keys[start:stop] = scratch[start:stop]


@kernel
def order_amounts_of_a_day(
    offsets: Int64s,
    days: Int32s,
    words: Int64Out,
    are_floats: bool,
    scratch: Int64Out,
    histograms: Int64Out,
) -> None:
    """Sort the amounts of every customer's rows of one day.

    offsets: (c + 1,); days: (n,), ascending per customer; words: (n,), amounts, as bits where
    they are floats; scratch: (n,); histograms: (DIGITS * RADIX,).
    """
    # One flat loop: most days are no tie, and the end of a customer is a branch guessed wrong.
    customer = 0
    sorted_until = 0
    for first in range(days.size - 1):
        if days[first + 1] != days[first] or first < sorted_until:
            continue
        while offsets[customer + 1] <= first:
            customer += 1
        stop = offsets[customer + 1]
        last = first + 1
        while last < stop and days[last] == days[first]:
            last += 1
        if are_floats:
            swap_stretch(words, first, last)
        if last - first > INSERTION_LIMIT:
            radix_sort(words, first, last, scratch, histograms)
        else:
            insertion_sort(words, first, last)
        if are_floats:
            swap_stretch(words, first, last)
        sorted_until = last


@helper
def pair_before(firsts: Int64s, seconds: Int64s, one: int, other: int) -> bool:
    """Return whether row `one` comes before row `other`, by the first key, then the second."""
    if firsts[one] != firsts[other]:
        return firsts[one] < firsts[other]
    return seconds[one] < seconds[other]


@kernel
def order_rows_by_pair(
    offsets: Int64s, firsts: Int64s, seconds: Int64s, rows: Int32Out, scratch: Int32Out
) -> None:
    """Sort the rows of every customer by two keys, equal rows staying in order.

    offsets: (c + 1,) into rows; firsts, seconds: (n,), keys by row; rows, scratch: (n,).
    """
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        for block in range(start, stop, INSERTION_LIMIT):
            block_stop = min(block + INSERTION_LIMIT, stop)
            for position in range(block + 1, block_stop):
                row = rows[position]
                place = position
                while place > block and pair_before(firsts, seconds, row, rows[place - 1]):
                    rows[place] = rows[place - 1]
                    place -= 1
                rows[place] = row
        width = INSERTION_LIMIT
        while width < stop - start:
            for left in range(start, stop, 2 * width):
                middle = min(left + width, stop)
                right = min(left + 2 * width, stop)
                one, other = left, middle
                for position in range(left, right):
                    take_one = one < middle and (
                        other >= right or not pair_before(firsts, seconds, rows[other], rows[one])
                    )
                    if take_one:
                        scratch[position] = rows[one]
                        one += 1
                    else:
                        scratch[position] = rows[other]
                        other += 1
            rows[start:stop] = scratch[start:stop]
            width *= 2
