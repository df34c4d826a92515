"""Bring a partition's events in the order of customer and instant, in the cache.

Rows are sorted as keys of one word: bits of the customer's hash, of the instant, and the row. A
few passes by digits, one more in partitions of many rows, leave little to do: what more bits would
have told apart. Where that is much, as with ids or times that were chosen so, rows are merged
instead.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    BoolOut,
    Int32Out,
    Int64Out,
    Int64s,
    UInt32Out,
    UInt64Out,
    UInt64s,
)

#: Bits of a digit: of the hash there are two, of the instant one, or two of many rows.
DIGIT_BITS = np.uint64(11)
DIGIT_VALUES = np.int64(2048)
COUNTERS = 4 * DIGIT_VALUES
#: Beyond so many rows, most may be one customer's, and hundreds share one digit of the instant.
MANY_ROWS = np.uint64(2**16)
#: Rows may be moved so many places, on average, before they are merged instead.
MOST_MOVES = np.int64(16)

NONE, ONE, ALL_BITS = np.uint64(0), np.uint64(1), np.uint64(64)
DIGIT, VALUES = np.uint64(2047), np.uint64(2048)
ONE_MORE = np.uint32(1)
NOT_SORTED = np.int64(-1)

# n = rows of a partition or of a history, m = of the largest partition, r = of some partitions,
# w = of a block, p = partitions, c = customers


@helper
def spread_by_instant(
    hashes: UInt64s,
    instants: Int64s,
    partition_bits: np.uint64,
    first: np.uint64,
    shift: np.uint64,
    row_bits: np.uint64,
    counters: UInt32Out,
    keys: UInt64Out,
    spare: UInt64Out,
) -> None:
    """Write keys of rows by two digits of the instant: of the upper one, counters are sums already.

    hashes, instants: (n,); counters: (COUNTERS,); keys, spare: (m,), which hold the sorted keys.
    A key has the upper digit as well until it is sorted by it: 64 bits, with 31 of the row.
    """
    rows = np.uint64(hashes.size)
    of_hash = ALL_BITS - DIGIT_BITS - DIGIT_BITS
    by_upper = row_bits + DIGIT_BITS + DIGIT_BITS
    of_key = (ONE << by_upper) - ONE
    finer = shift - min(shift, DIGIT_BITS)
    lower = np.uint64(COUNTERS - DIGIT_VALUES)
    for row in range(rows):
        counters[lower + (((np.uint64(instants[row]) - first) >> finer) & DIGIT)] += ONE_MORE
    total = np.uint32(0)
    for value in range(lower, lower + VALUES):
        count = counters[value]
        counters[value] = total
        total += count
    for row in range(rows):
        bits = (hashes[row] << partition_bits) >> of_hash
        since = np.uint64(instants[row]) - first
        value = lower + ((since >> finer) & DIGIT)
        place = np.uint64(counters[value])
        counters[value] += ONE_MORE
        keys[place] = ((since >> shift) << by_upper) | (bits << row_bits) | np.uint64(row)
    for row in range(rows):
        key = keys[row]
        value = key >> by_upper
        place = np.uint64(counters[value])
        counters[value] += ONE_MORE
        spare[place] = key & of_key


@helper
def sort_keys(
    hashes: UInt64s,
    instants: Int64s,
    partition_bits: np.uint64,
    first: np.uint64,
    shift: np.uint64,
    row_bits: np.uint64,
    counters: UInt32Out,
    keys: UInt64Out,
    spare: UInt64Out,
) -> None:
    """Sort keys of rows by two digits of the hash, those of the same by a digit of the instant.

    hashes, instants: (n,); counters: (COUNTERS,); keys, spare: (m,), which hold the sorted keys.
    """
    rows = np.uint64(hashes.size)
    of_hash = ALL_BITS - DIGIT_BITS - DIGIT_BITS
    high, low = VALUES, VALUES + VALUES  # where the counters of a digit begin
    for counter in range(COUNTERS if rows > MANY_ROWS else COUNTERS - DIGIT_VALUES):
        counters[counter] = 0
    before = instants[0]
    descents = NONE
    for row in range(rows):
        instant = instants[row]
        descents |= np.uint64(instant < before)
        before = instant
        bits = (hashes[row] << partition_bits) >> of_hash
        counters[(np.uint64(instant) - first) >> shift] += ONE_MORE
        counters[high + (bits >> DIGIT_BITS)] += ONE_MORE
        counters[low + (bits & DIGIT)] += ONE_MORE
    for digit in range(3):
        total = np.uint32(0)
        for value in range(np.uint64(digit) * VALUES, np.uint64(digit + 1) * VALUES):
            count = counters[value]
            counters[value] = total
            total += count
    by_high = row_bits + DIGIT_BITS
    if descents == NONE:
        for row in range(rows):
            bits = (hashes[row] << partition_bits) >> of_hash
            value = low + (bits & DIGIT)
            place = np.uint64(counters[value])
            counters[value] += ONE_MORE
            keys[place] = (bits << row_bits) | np.uint64(row)
    else:
        if rows > MANY_ROWS:
            spread_by_instant(
                hashes, instants, partition_bits, first, shift, row_bits, counters, keys, spare
            )
        else:
            for row in range(rows):
                bits = (hashes[row] << partition_bits) >> of_hash
                value = (np.uint64(instants[row]) - first) >> shift
                place = np.uint64(counters[value])
                counters[value] += ONE_MORE
                spare[place] = (bits << row_bits) | np.uint64(row)
        for row in range(rows):
            key = spare[row]
            value = low + ((key >> row_bits) & DIGIT)
            place = np.uint64(counters[value])
            counters[value] += ONE_MORE
            keys[place] = key
    for row in range(rows):
        key = keys[row]
        value = high + (key >> by_high)
        place = np.uint64(counters[value])
        counters[value] += ONE_MORE
        spare[place] = key


@helper
def comes_before(hashes: UInt64s, instants: Int64s, one: np.uint64, other: np.uint64) -> bool:
    """Return whether row `one` comes before row `other`: hashes, instants: (n,)."""
    if hashes[one] != hashes[other]:
        return hashes[one] < hashes[other]
    return instants[one] < instants[other]


@helper
def merge_rows(
    hashes: UInt64s, instants: Int64s, rows: UInt64Out, scratch: UInt64Out, size: np.uint64
) -> None:
    """Sort rows by hash and instant, where neighbouring stretches are not in order already.

    hashes, instants: (n,); rows, scratch: (m,), of which the first `size` are sorted.
    """
    width = ONE
    while width < size:
        left = NONE
        while left + width < size:
            middle, right = left + width, min(left + width + width, size)
            if comes_before(hashes, instants, rows[middle], rows[middle - ONE]):
                one, other = left, middle
                for place in range(left, right):
                    takes_other = one >= middle or (
                        other < right and comes_before(hashes, instants, rows[other], rows[one])
                    )
                    if takes_other:
                        scratch[place] = rows[other]
                        other += ONE
                    else:
                        scratch[place] = rows[one]
                        one += ONE
                for place in range(left, right):
                    rows[place] = scratch[place]
            left = right
        width += width


@helper
def insert_rows(
    hashes: UInt64s,
    instants: Int64s,
    rows: UInt64s,
    out_order: Int32Out,
    sorted_hashes: UInt64Out,
    sorted_instants: Int64Out,
) -> int:
    """Take rows that are nearly in order, and insert those that are not where they belong.

    hashes, instants, out_order: (n,); rows, sorted_hashes, sorted_instants: (m,). Returns how many
    rows share hash and instant with another, or NOT_SORTED where there is too much to do.
    """
    moves = tied = 0
    last_hash, last_instant = NONE, np.int64(-(2**63))
    for position in range(np.uint64(hashes.size)):
        row = rows[position]
        hashed, instant = hashes[row], instants[row]
        place = np.uint64(position)
        if (hashed < last_hash) | ((hashed == last_hash) & (instant <= last_instant)):
            while place > NONE:
                previous = place - ONE
                other = sorted_hashes[previous]
                if other < hashed or (other == hashed and sorted_instants[previous] <= instant):
                    tied += other == hashed and sorted_instants[previous] == instant
                    break
                sorted_hashes[place] = other
                sorted_instants[place] = sorted_instants[previous]
                out_order[place] = out_order[previous]
                place = previous
                moves += 1
            if moves > MOST_MOVES * hashes.size:
                return NOT_SORTED
        else:
            last_hash, last_instant = hashed, instant
        sorted_hashes[place] = hashed
        sorted_instants[place] = instant
        out_order[place] = np.int32(row)
    return tied


@kernel
def order_events(
    hashes: UInt64s,
    instants: Int64s,
    begins: Int64s,
    ends: Int64s,
    partition_bits: int,
    first_instant: int,
    time_shift: int,
    counters: UInt32Out,
    keys: UInt64Out,
    spare: UInt64Out,
    sorted_instants: Int64Out,
    out_order: Int32Out,
    out_instants: Int64Out,
    out_hashes: UInt64Out,
    out_ends: Int64Out,
    out_tied: Int64Out,
) -> int:
    """List the rows of partitions by hash and instant; return how many hashes there are.

    hashes, instants: (w,), of which begins, ends: (p,) are those of each partition;
    first_instant: none is before it; time_shift: by which instants, less the first, are shifted to
    be a digit; counters: (COUNTERS,); keys, spare, sorted_instants: (m,), as many as the largest
    partition has; out_order, out_instants: (r,), rows and instants of all partitions, in this
    order; out_hashes: (r,), each hash once; out_ends: (r,), where its rows end in out_order;
    out_tied: (1,), how many rows share hash and instant with another.

    The instants may be written where they were, or before: a partition is read before it is.
    """
    first = np.uint64(np.int64(first_instant))
    filled = tied = 0
    customer = NONE
    for partition in range(begins.size):
        start, stop = begins[partition], ends[partition]
        if start == stop:
            continue
        size = np.uint64(stop - start)
        of_hashes, at = hashes[start:stop], instants[start:stop]
        order = out_order[filled : filled + stop - start]
        row_bits = NONE
        while (ONE << row_bits) < size:
            row_bits += ONE
        above = np.uint64(partition_bits)
        shift = np.uint64(time_shift)
        sort_keys(of_hashes, at, above, first, shift, row_bits, counters, keys, spare)
        of_row = (ONE << row_bits) - ONE
        for position in range(size):
            spare[position] &= of_row
        found = insert_rows(of_hashes, at, spare, order, keys, sorted_instants)
        if found == NOT_SORTED:
            merge_rows(of_hashes, at, spare, keys, size)
            found = insert_rows(of_hashes, at, spare, order, keys, sorted_instants)
        tied += found
        # Written for every row, and overwritten by the customer's next one.
        own = keys[NONE]
        for position in range(size):
            hashed = keys[position]
            customer += np.uint64(hashed != own)
            out_hashes[customer] = hashed
            out_ends[customer] = filled + np.int64(position) + 1
            own = hashed
            out_order[filled + np.int64(position)] += np.int32(start)
            out_instants[filled + np.int64(position)] = sorted_instants[position]
        customer += ONE
        filled += stop - start
    out_tied[0] = tied
    return np.int64(customer)


@kernel
def begin_instants(ends: Int64s, instants: Int64s, out_begins: BoolOut) -> None:
    """Mark rows that differ from the one before in customer or instant.

    ends: (c,), where each customer's rows end; instants, out_begins: (n,).
    """
    for row in range(1, instants.size):
        out_begins[row] = instants[row] != instants[row - 1]
    if instants.size > 0:
        out_begins[0] = True
    for customer in range(ends.size - 1):
        out_begins[ends[customer]] = True
