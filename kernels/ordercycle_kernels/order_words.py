"""Orders of two words each, by customer and day: laid out by partition, then grouped.

The first word is what the partition leaves of a customer's hash, above the day modulo the number
of partitions; the second is the amount. Rows move as pairs while they are in the cache, where a
row of three columns would miss it three times, and lie in two columns in memory. A partition is
small enough that two passes in the cache, by day and by the top bits of the hash, order it: no
table of customers is needed. What this does with ids that were chosen to collide is bounded.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, inlined, kernel
from ordercycle_kernels._types import (
    BoolOut,
    Bools,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    UInt32Out,
    UInt64Out,
    UInt64s,
)
from ordercycle_kernels.amounts import swap_negatives
from ordercycle_kernels.hashing import ROWS_AT_A_TIME, mix
from ordercycle_kernels.ordering import INSERTION_LIMIT, radix_sort

#: Customers of one bucket that are taken out one after the other, each in a pass over the rest,
#: and rows from which on they are sorted where there are more.
MOST_PASSES = np.int64(8)
MANY_ROWS = np.int64(128)

NONE, ONE, TWO, ALL_BITS = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(64)
AT_A_TIME = np.uint64(ROWS_AT_A_TIME)
ONE_MORE, TWO_MORE = np.uint32(1), np.uint32(2)

# n = rows of a morsel, p = partitions, w = rows of a block, r = rows of some partitions,
# m = rows of the largest of them, b = buckets, a power of two; bits = log2 of all partitions
# Rows are unsigned: for signed ones, each look-up would be asked whether it counts from the end.


@kernel
def count_integers(
    ids: Int64s, kept: Bools, bits: int, hashes: UInt64Out, out_counts: Int64Out
) -> None:
    """Count the rows of each partition by the hash of an integer.

    ids: (n,); kept: (n,), or (0,) where every row is kept; hashes: (ROWS_AT_A_TIME,);
    out_counts: (1 << bits,).
    """
    shift = ALL_BITS - np.uint64(bits)
    out_counts[:] = 0
    rows = np.uint64(ids.size)
    for first in range(NONE, rows, AT_A_TIME):
        stop = min(np.uint64(first) + AT_A_TIME, rows)
        some = ids[first:stop]
        for row in range(stop - np.uint64(first)):
            hashes[row] = mix(np.uint64(some[row]))
        if kept.size == 0:
            for row in range(stop - np.uint64(first)):
                out_counts[hashes[row] >> shift] += 1
        else:
            these = kept[first:stop]
            for row in range(stop - np.uint64(first)):
                out_counts[hashes[row] >> shift] += np.int64(these[row])


@helper
def put_pair(
    hashed: np.uint64,
    day: np.int32,
    amount: np.int64,
    bits: np.uint64,
    cursors: UInt32Out,
    out_pairs: UInt64Out,
) -> None:
    """Write a row behind those of its partition: cursors: (p,); out_pairs: (2 * n,)."""
    partition = hashed >> (ALL_BITS - bits)
    place = np.uint64(cursors[partition])
    cursors[partition] += TWO_MORE
    out_pairs[place] = (hashed << bits) | (np.uint64(day) & ((ONE << bits) - ONE))
    out_pairs[place + ONE] = np.uint64(amount)


@kernel
def pair_up(
    ids: Int64s,
    days: Int32s,
    amounts: Int64s,
    kept: Bools,
    bits: int,
    hashes: UInt64Out,
    cursors: UInt32Out,
    out_pairs: UInt64Out,
) -> None:
    """Lay the rows of a morsel out by partition, as pairs of words.

    ids, days, amounts: (n,); kept: (n,), or (0,) where every row is kept; hashes:
    (ROWS_AT_A_TIME,); cursors: (1 << bits,), where in out_pairs each partition starts, moved to
    its end; out_pairs: (2 * n,).
    """
    moved = np.uint64(bits)
    rows = np.uint64(ids.size)
    for first in range(NONE, rows, AT_A_TIME):
        stop = min(np.uint64(first) + AT_A_TIME, rows)
        some, on, of = ids[first:stop], days[first:stop], amounts[first:stop]
        for row in range(stop - np.uint64(first)):
            hashes[row] = mix(np.uint64(some[row]))
        if kept.size == 0:
            for row in range(stop - np.uint64(first)):
                put_pair(hashes[row], on[row], of[row], moved, cursors, out_pairs)
        else:
            these = kept[first:stop]
            for row in range(stop - np.uint64(first)):
                if these[row]:
                    put_pair(hashes[row], on[row], of[row], moved, cursors, out_pairs)


@kernel
def deposit_pairs(
    pairs: UInt64s, offsets: Int64s, begins: Int64s, out_words: UInt64Out, out_amounts: Int64Out
) -> None:
    """Copy a morsel's slice of each partition to its place, in two columns.

    pairs: (2 * n,); offsets: (p + 1,), rows of pairs; begins: (p,) into out_words, out_amounts:
    (w,).
    """
    for partition in range(begins.size):
        start, begin = np.uint64(offsets[partition]), np.uint64(begins[partition])
        for row in range(np.uint64(offsets[partition + 1]) - start):
            pair = (start + np.uint64(row)) << ONE
            out_words[begin + np.uint64(row)] = pairs[pair]
            out_amounts[begin + np.uint64(row)] = np.int64(pairs[pair + ONE])


@kernel
def gather_partitions(
    words: UInt64s,
    amounts: Int64s,
    begins: Int64s,
    ends: Int64s,
    places: Int64Out,
    out_words: UInt64Out,
    out_amounts: Int64Out,
) -> None:
    """Copy the rows of neighbouring partitions of a block to their places among those of others.

    words, amounts: (w,), of which begins, ends: (p,) are those of the partitions; places (where the
    next row of each goes, moved on): (p,); out_words, out_amounts: (r,).
    """
    for partition in range(begins.size):
        start, stop = begins[partition], ends[partition]
        place = places[partition]
        end = place + stop - start
        out_words[place:end] = words[start:stop]
        out_amounts[place:end] = amounts[start:stop]
        places[partition] = end


@kernel
def columns_of_words(
    words: UInt64s,
    bits: int,
    partition: int,
    first_day: int,
    out_hashes: UInt64Out,
    out_days: Int32Out,
) -> None:
    """Recover the hashes and days of a partition: words, out_hashes, out_days: (r,)."""
    moved = np.uint64(bits)
    of_day = (ONE << moved) - ONE
    top = np.uint64(partition) << (ALL_BITS - moved)
    first = np.uint64(np.int64(first_day))
    for row in range(words.size):
        word = words[row]
        out_hashes[row] = top | (word >> moved)
        out_days[row] = first_day + np.int64((word - first) & of_day)


@helper
def days_of_words_ascend(words: UInt64s, first: np.uint64, of_day: np.uint64) -> bool:
    """Return whether no day comes before an earlier one: words: (r,)."""
    size = np.uint64(words.size)
    start = NONE
    while start + ONE < size:
        stop = min(start + np.uint64(ROWS_AT_A_TIME), size)
        descents = NONE
        for row in range(start, stop - ONE):
            day = (words[row] - first) & of_day
            descents |= np.uint64(day > ((words[np.uint64(row) + ONE] - first) & of_day))
        if descents != NONE:
            return False
        start = stop - ONE
    return True


@helper
def counts_to_begins(counts: UInt32Out, size: int) -> None:
    """Turn the first counts into where each begins: counts: (k,)."""
    total = np.uint32(0)
    for place in range(np.uint64(size)):
        count = counts[place]
        counts[place] = total
        total += count


@helper
def sort_rests(
    pairs: UInt64Out, start: int, stop: int, bits: int, spare: UInt64Out, counters: UInt32Out
) -> None:
    """Sort pairs by what their words have above the day, equal ones staying in order.

    pairs, spare: (2 * m,); counters: (k,), at least as many as there are values of a digit.
    """
    size = stop - start
    digit = (np.uint64(1) << np.uint64(bits)) - ONE
    shift = np.uint64(bits)
    while shift < ALL_BITS:
        counters[:] = 0
        for row in range(start, stop):
            counters[(pairs[2 * row] >> shift) & digit] += ONE_MORE
        if counters[(pairs[2 * start] >> shift) & digit] < size:
            counts_to_begins(counters, counters.size)
            for row in range(start, stop):
                value = (pairs[2 * row] >> shift) & digit
                place = 2 * np.int64(counters[value])
                counters[value] += ONE_MORE
                spare[place] = pairs[2 * row]
                spare[place + 1] = pairs[2 * row + 1]
            for place in range(2 * size):
                pairs[2 * start + place] = spare[place]
        shift += np.uint64(bits)


@inlined
def part_customers(
    pairs: UInt64Out, start: int, stop: int, bits: int, spare: UInt64Out, counters: UInt32Out
) -> None:
    """Put the rows of several customers of a bucket in the order of their hashes.

    pairs, spare: (2 * m,), of which pairs are by day from start to stop; counters: (k,).
    """
    moved = np.uint64(bits)
    passes = 0
    while start < stop:
        if passes >= MOST_PASSES and stop - start > MANY_ROWS:
            sort_rests(pairs, start, stop, bits, spare, counters)
            return
        passes += 1
        least = most = pairs[2 * start] >> moved
        for row in range(start + 1, stop):
            rest = pairs[2 * row] >> moved
            least, most = min(least, rest), max(most, rest)
        if least == most:
            return
        # Written to both, and one moved on: a branch is guessed wrong half of the time.
        others = 0
        for row in range(start, stop):
            word, amount = pairs[2 * row], pairs[2 * row + 1]
            is_least = np.int64((word >> moved) == least)
            spare[2 * others], spare[2 * others + 1] = word, amount
            pairs[2 * start], pairs[2 * start + 1] = word, amount
            start += is_least
            others += 1 - is_least
        for place in range(2 * others):
            pairs[2 * start + place] = spare[place]


@helper
def sort_many_amounts(
    pairs: UInt64Out,
    start: int,
    stop: int,
    are_floats: bool,
    spare: UInt64Out,
    counters: UInt32Out,
) -> None:
    """Sort the amounts of many rows: pairs, spare: (2 * m,); counters: (k,)."""
    size = stop - start
    keys = spare[:size].view(np.int64)
    for row in range(size):
        amount = np.int64(pairs[2 * (start + row) + 1])
        keys[row] = swap_negatives(amount) if are_floats else amount
    radix_sort(keys, 0, size, spare[size : 2 * size].view(np.int64), counters)
    for row in range(size):
        key = keys[row]
        pairs[2 * (start + row) + 1] = np.uint64(swap_negatives(key) if are_floats else key)


@inlined
def sort_amounts(pairs: UInt64Out, start: int, stop: int, are_floats: bool) -> None:
    """Sort the amounts of a few rows, by insertion: pairs: (2 * m,)."""
    for row in range(start + 1, stop):
        word = pairs[2 * row + 1]
        key = swap_negatives(np.int64(word)) if are_floats else np.int64(word)
        place = row
        while place > start:
            before = np.int64(pairs[2 * place - 1])
            if (swap_negatives(before) if are_floats else before) <= key:
                break
            pairs[2 * place + 1] = np.uint64(before)
            place -= 1
        pairs[2 * place + 1] = word


@helper
def order_buckets(
    pairs: UInt64Out,
    size: int,
    bits: int,
    are_floats: bool,
    bucket_ends: UInt32Out,
    spare: UInt64Out,
    counters: UInt32Out,
) -> None:
    """Order what two passes leave: buckets of several customers, and the amounts of a day.

    pairs, spare: (2 * m,); bucket_ends: (b,); counters: (k,).
    """
    bucket_shift = ALL_BITS - np.uint64(np.log2(bucket_ends.size))
    low = ONE << np.uint64(bits)
    # Words of one bucket and different customers differ by at least one, and less than the other.
    width = (ONE << bucket_shift) - low
    last = np.uint64(size) - ONE
    parted = NONE
    row = NONE
    word = pairs[NONE]
    while row < last:
        following = pairs[(row << ONE) + TWO]
        difference = word ^ following
        if (difference - low < width) | (difference == NONE):
            if difference != NONE:
                bucket = word >> bucket_shift
                end = np.uint64(bucket_ends[bucket])
                if end > parted:
                    begin = np.uint64(bucket_ends[bucket - ONE]) if bucket > NONE else NONE
                    part_customers(pairs, np.int64(begin), np.int64(end), bits, spare, counters)
                    parted = end
                    row = begin
                    word = pairs[row << ONE]
                    continue
            else:
                end = row + TWO
                while end < np.uint64(size) and pairs[end << ONE] == word:
                    end += ONE
                if end - row > np.uint64(INSERTION_LIMIT):
                    sort_many_amounts(
                        pairs, np.int64(row), np.int64(end), are_floats, spare, counters
                    )
                else:
                    sort_amounts(pairs, np.int64(row), np.int64(end), are_floats)
                row = end - TWO
                following = word
        word = following
        row += ONE


@kernel
def group_words(
    words: UInt64s,
    amounts: Int64s,
    begins: Int64s,
    ends: Int64s,
    bits: int,
    first_partition: int,
    first_day: int,
    are_floats: bool,
    counters: UInt32Out,
    bucket_ends: UInt32Out,
    spare: UInt64Out,
    pairs: UInt64Out,
    out_days: Int32Out,
    out_amounts: Int64Out,
    out_hashes: UInt64Out,
    out_offsets: Int64Out,
) -> int:
    """Group neighbouring partitions by customer; order a customer's rows by day and amount.

    words, amounts: (w,), of which begins, ends: (p,) are those of the partitions from
    first_partition on; first_day: none is before it, nor 2**bits days after it; counters: (k,),
    at least 2**bits, and DIGITS * RADIX; bucket_ends: (b,); spare, pairs: (2 * m,);
    out_days, out_amounts: (r,); out_hashes: (r,), of the customers; out_offsets: (r + 1,), where
    the rows of each begin, and the last ends. Returns the number of customers.

    The results may be in the memory of the partitions or before it: each is read before its rows
    are written, and no row is written behind the place where it was.
    """
    moved = np.uint64(bits)
    of_day = (ONE << moved) - ONE
    bucket_shift = ALL_BITS - np.uint64(np.log2(bucket_ends.size))
    first = np.uint64(np.int64(first_day))
    day_zero = np.int32(first_day)
    customer = NONE
    filled = 0
    out_offsets[0] = 0
    for partition in range(begins.size):
        start, stop = begins[partition], ends[partition]
        size = np.uint64(stop - start)
        if size == NONE:
            continue
        here, theirs = words[start:stop], amounts[start:stop]
        bucket_ends[:] = 0
        if days_of_words_ascend(here, first, of_day):
            for row in range(size):
                bucket_ends[here[row] >> bucket_shift] += ONE_MORE
            counts_to_begins(bucket_ends, bucket_ends.size)
            for row in range(size):
                word = here[row]
                bucket = word >> bucket_shift
                place = np.uint64(bucket_ends[bucket]) << ONE
                bucket_ends[bucket] += ONE_MORE
                pairs[place] = word
                pairs[place + ONE] = np.uint64(theirs[row])
        else:
            counters[:] = 0
            for row in range(size):
                word = here[row]
                counters[(word - first) & of_day] += ONE_MORE
                bucket_ends[word >> bucket_shift] += ONE_MORE
            counts_to_begins(counters, 1 << bits)
            counts_to_begins(bucket_ends, bucket_ends.size)
            for row in range(size):
                word = here[row]
                day = (word - first) & of_day
                place = np.uint64(counters[day]) << ONE
                counters[day] += ONE_MORE
                spare[place] = word
                spare[place + ONE] = np.uint64(theirs[row])
            for row in range(size):
                word = spare[np.uint64(row) << ONE]
                bucket = word >> bucket_shift
                place = np.uint64(bucket_ends[bucket]) << ONE
                bucket_ends[bucket] += ONE_MORE
                pairs[place] = word
                pairs[place + ONE] = spare[(np.uint64(row) << ONE) + ONE]
        order_buckets(pairs, size, bits, are_floats, bucket_ends, spare, counters)
        days_here, amounts_here = out_days[filled:], out_amounts[filled:]
        for row in range(size):
            days_here[row] = np.int32((pairs[np.uint64(row) << ONE] - first) & of_day) + day_zero
            amounts_here[row] = np.int64(pairs[(np.uint64(row) << ONE) + ONE])
        # Written for every row, and overwritten by the customer's next one.
        top = np.uint64(first_partition + partition) << (ALL_BITS - moved)
        rest = pairs[NONE] >> moved
        for row in range(ONE, size):
            following = pairs[np.uint64(row) << ONE] >> moved
            out_hashes[customer] = top | rest
            out_offsets[customer + ONE] = filled + np.int64(row)
            customer += np.uint64(following != rest)
            rest = following
        filled += np.int64(size)
        out_hashes[customer] = top | rest
        customer += ONE
        out_offsets[customer] = filled
    return np.int64(customer)


@kernel
def list_customers(
    hashes: UInt64s,
    offsets: Int64s,
    listed: UInt64s,
    registered: Int32s,
    out_hashes: UInt64Out,
    out_offsets: Int64Out,
    out_given: Int32Out,
    out_listed: BoolOut,
) -> int:
    """Put customers of a listing among those with orders; return how many there are.

    hashes: (c,), ascending; offsets: (c + 1,); listed, registered: (l,), by ascending hash, none
    of them twice; out_hashes: (c + l,); out_offsets: (c + l + 1,); out_given, out_listed:
    (c + l,), NO_DAY and False on entry.
    """
    found = own = other = 0
    out_offsets[0] = 0
    while own < hashes.size or other < listed.size:
        is_listed = other < listed.size and (own >= hashes.size or listed[other] <= hashes[own])
        orders = own < hashes.size and (not is_listed or hashes[own] == listed[other])
        out_hashes[found] = listed[other] if is_listed else hashes[own]
        if is_listed:
            out_given[found] = registered[other]
            out_listed[found] = True
            other += 1
        if orders:
            own += 1
        found += 1
        out_offsets[found] = offsets[own]
    return found
