"""Bring a partition's events in the order of customer and instant, in the cache.

Rows are sorted as keys of one word: bits of the customer's hash, of the instant, and the row. A
few passes by digits leave little to do: what more bits would have told apart. How much that may be
is bounded, so that ids or times that were chosen to be slow end elsewhere.
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

#: Bits of a digit: of the instant there is one, of the hash there are two.
DIGIT_BITS = np.uint64(11)
DIGIT_VALUES = np.int64(2048)
COUNTERS = 3 * DIGIT_VALUES
#: Rows may be moved so many places, on average, before it is given up.
MOST_MOVES = np.int64(16)

NONE, ONE, ALL_BITS = np.uint64(0), np.uint64(1), np.uint64(64)
DIGIT, VALUES = np.uint64(2047), np.uint64(2048)
ONE_MORE = np.uint32(1)
NOT_SORTED = np.int64(-1)

# n = rows of a partition, m = of the largest, r = of some partitions, w = of a block,
# p = partitions


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
    counters[:] = 0
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
def settle(
    hashes: UInt64s,
    instants: Int64s,
    keys: UInt64s,
    row_bits: np.uint64,
    out_order: Int32Out,
    out_hashes: UInt64Out,
    out_instants: Int64Out,
) -> int:
    """Take rows in the order of their keys, and sort what these leave by insertion.

    hashes, instants, out_order, out_hashes, out_instants: (n,); keys: (m,). Returns what
    `order_events` does.
    """
    of_row = (ONE << row_bits) - ONE
    moves = 0
    tied = 0
    last_hash, last_instant = NONE, np.int64(-(2**63))
    for position in range(np.uint64(hashes.size)):
        row = keys[position] & of_row
        hashed, instant = hashes[row], instants[row]
        place = np.uint64(position)
        if (hashed < last_hash) | ((hashed == last_hash) & (instant <= last_instant)):
            while place > NONE:
                previous = place - ONE
                other = out_hashes[previous]
                if other < hashed or (other == hashed and out_instants[previous] <= instant):
                    tied += other == hashed and out_instants[previous] == instant
                    break
                out_hashes[place] = other
                out_instants[place] = out_instants[previous]
                out_order[place] = out_order[previous]
                place = previous
                moves += 1
            if moves > MOST_MOVES * hashes.size:
                return NOT_SORTED
        else:
            last_hash, last_instant = hashed, instant
        out_hashes[place] = hashed
        out_instants[place] = instant
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
    out_order: Int32Out,
    out_hashes: UInt64Out,
    out_instants: Int64Out,
) -> int:
    """List the rows of partitions by hash and instant; return how many share both with another.

    hashes, instants: (w,), of which begins, ends: (p,) are those of each partition;
    first_instant: none is before it; time_shift: by which instants, less the first, are shifted to
    be a digit; counters: (COUNTERS,); keys, spare: (m,), as many as the largest partition has;
    out_order: (r,), rows of all partitions; out_hashes, out_instants: (r,), in this order.
    Returns NOT_SORTED where it was given up.
    """
    first = np.uint64(np.int64(first_instant))
    filled = tied = 0
    for partition in range(begins.size):
        start, stop = begins[partition], ends[partition]
        if start == stop:
            continue
        row_bits = NONE
        while (1 << np.int64(row_bits)) < stop - start:
            row_bits += ONE
        sort_keys(
            hashes[start:stop],
            instants[start:stop],
            np.uint64(partition_bits),
            first,
            np.uint64(time_shift),
            row_bits,
            counters,
            keys,
            spare,
        )
        end = filled + stop - start
        found = settle(
            hashes[start:stop],
            instants[start:stop],
            spare,
            row_bits,
            out_order[filled:end],
            out_hashes[filled:end],
            out_instants[filled:end],
        )
        if found == NOT_SORTED:
            return NOT_SORTED
        for position in range(filled, end):
            out_order[position] += np.int32(start)
        tied += found
        filled = end
    return tied


@kernel
def begin_instants(hashes: UInt64s, instants: Int64s, out_begins: BoolOut) -> None:
    """Mark rows that differ from the one before in customer or instant.

    hashes, instants, out_begins: (n,).
    """
    for row in range(1, hashes.size):
        differs = (hashes[row] != hashes[row - 1]) | (instants[row] != instants[row - 1])
        out_begins[row] = differs
    if hashes.size > 0:
        out_begins[0] = True


@kernel
def list_hashes(hashes: UInt64s, out_hashes: UInt64Out, out_offsets: Int64Out) -> int:
    """List the customers of rows by hash: return how many there are.

    hashes: (n,), ascending; out_hashes: (n,); out_offsets: (n + 1,), where each begins, and the
    last ends.
    """
    rows = np.uint64(hashes.size)
    out_offsets[0] = 0
    if rows == NONE:
        return 0
    # Written for every row, and overwritten by the customer's next one.
    customer = NONE
    own = hashes[NONE]
    for row in range(ONE, rows):
        following = hashes[row]
        out_hashes[customer] = own
        out_offsets[customer + ONE] = np.int64(row)
        customer += np.uint64(following != own)
        own = following
    out_hashes[customer] = own
    out_offsets[customer + ONE] = np.int64(rows)
    return np.int64(customer) + 1
