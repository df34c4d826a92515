"""Customers of two tables side by side, and which of them changed their segment."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, inlined, kernel
from ordercycle_kernels._types import (
    BoolOut,
    Int8Out,
    Int8s,
    Int32Out,
    Int32s,
    Int64s,
    Int64Table,
    UInt8s,
    UInt64Out,
    UInt64s,
)
from ordercycle_kernels.id_bytes import bytes_before, length_of, same_bytes

#: Where a customer is in one table only: the row in the other.
NO_ROW = np.int32(-1)
#: The code of customers who have no segment.
NO_SEGMENT = np.int8(-1)
#: Rows in a bucket beyond which neighbours are not put in order one by one.
CROWDED = np.int64(32)

# b = customers before, a = customers after, both by ascending hash, then id, each once;
# p = pairs: the customers of either table; s = segments


@inlined
def same_id(starts: Int64s, lengths: Int32s, data: UInt8s, one: int, other: int) -> bool:
    """Return whether the ids of two rows are the same bytes."""
    size = length_of(lengths, one)
    if size != length_of(lengths, other):
        return False
    return same_bytes(data, starts[one], data, starts[other], size)


@kernel
def pair_customers(
    before_hashes: UInt64s,
    after_hashes: UInt64s,
    starts: Int64s,
    lengths: Int32s,
    data: UInt8s,
    out_before: Int32Out,
    out_after: Int32Out,
) -> int:
    """Write the row of each customer in both tables, or NO_ROW; return how many there are.

    before_hashes: (b,); after_hashes: (a,); starts, lengths: (b + a,), or (0,) where hashes are all
    there is to ids, of the ids of both in data: (size,); out_before, out_after: (b + a,), of which
    p are written, in the order of the customers.
    """
    before, after, pairs = 0, 0, 0
    border = before_hashes.size
    while before < border and after < after_hashes.size:
        one, other = before_hashes[before], after_hashes[after]
        take_before, take_after = one <= other, other <= one
        if take_before and take_after and starts.size:
            behind = border + after
            if not same_id(starts, lengths, data, before, behind):
                size, more = length_of(lengths, before), length_of(lengths, behind)
                take_before = bytes_before(data, starts[before], size, starts[behind], more)
                take_after = not take_before
        # No branches: whether the next customer is in both tables cannot be guessed.
        out_before[pairs] = before if take_before else NO_ROW
        out_after[pairs] = after if take_after else NO_ROW
        before += take_before
        after += take_after
        pairs += 1
    for row in range(before, border):
        out_before[pairs], out_after[pairs] = row, NO_ROW
        pairs += 1
    for row in range(after, after_hashes.size):
        out_before[pairs], out_after[pairs] = NO_ROW, row
        pairs += 1
    return pairs


@helper
def segment_at(codes: Int8s, row: int) -> np.int8:
    """Return the segment of a row, NO_SEGMENT where there is no row."""
    return codes[row] if row >= 0 else NO_SEGMENT


@kernel
def changed_customers(
    before_rows: Int32s,
    after_rows: Int32s,
    before_codes: Int8s,
    after_codes: Int8s,
    out_rows: Int32Out,
    out_from: Int8Out,
    out_to: Int8Out,
) -> int:
    """Write the customers whose segment is another one; return how many there are.

    before_rows, after_rows: (p,); before_codes: (b,); after_codes: (a,), NO_SEGMENT for none;
    out_rows, out_from, out_to: (p,), of which so many are written. A row is that of the table
    before, or b + that of the table after where the customer is not in the one before.
    """
    changed = 0
    for pair in range(before_rows.size):
        before, after = before_rows[pair], after_rows[pair]
        one, other = segment_at(before_codes, before), segment_at(after_codes, after)
        out_rows[changed] = before if before >= 0 else before_codes.size + after
        out_from[changed] = one
        out_to[changed] = other
        changed += one != other
    return changed


@kernel
def count_transitions(
    before_rows: Int32s,
    after_rows: Int32s,
    before_codes: Int8s,
    after_codes: Int8s,
    out_counts: Int64Table,
) -> None:
    """Add the customers of each pair of segments to out_counts: (s + 1, s + 1), none at the end.

    before_rows, after_rows: (p,); before_codes: (b,); after_codes: (a,).
    """
    none = out_counts.shape[0] - 1
    for pair in range(before_rows.size):
        one = np.int64(segment_at(before_codes, before_rows[pair]))
        other = np.int64(segment_at(after_codes, after_rows[pair]))
        out_counts[one if one >= 0 else none, other if other >= 0 else none] += 1


@kernel
def are_ascending(hashes: UInt64s) -> bool:
    """Return whether each hash is above the one before: hashes: (n,)."""
    row = 1
    while row < hashes.size and hashes[row] > hashes[row - 1]:
        row += 1
    return row >= hashes.size


@kernel
def order_by_hash(
    offsets: Int64s,
    partition_bits: int,
    cursors: Int32Out,
    other_hashes: UInt64Out,
    other_rows: Int32Out,
    out_hashes: UInt64Out,
    out_rows: Int32Out,
    out_left: BoolOut,
) -> None:
    """Sort each partition by hash: as many buckets as rows, of the bits after the partition's.

    offsets: (q + 1,), of q partitions in out_hashes, out_rows: (n,); cursors: (buckets,), a power
    of two; other_hashes, other_rows: (largest,), rows of the largest partition; out_left: (q,),
    partitions with a crowded bucket, which are left as they are. Hashes spread evenly: a bucket has
    one row on average, and neighbours are put in order after.
    """
    for partition in range(offsets.size - 1):
        start, stop = offsets[partition], offsets[partition + 1]
        size = stop - start
        bits = 1
        while (1 << bits) < min(size, cursors.size):
            bits += 1
        shift = np.uint64(64 - bits)
        buckets = cursors[: 1 << bits]
        buckets[:] = 0
        for place in range(size):
            hashed = out_hashes[start + place]
            other_hashes[place], other_rows[place] = hashed, out_rows[start + place]
            buckets[(hashed << np.uint64(partition_bits)) >> shift] += 1
        crowded = False
        begin = 0
        for bucket in range(buckets.size):
            rows = buckets[bucket]
            crowded |= rows > CROWDED
            buckets[bucket] = begin
            begin += rows
        out_left[partition] = crowded
        if crowded:
            continue
        for place in range(size):
            bucket = (other_hashes[place] << np.uint64(partition_bits)) >> shift
            target = start + buckets[bucket]
            buckets[bucket] += 1
            out_hashes[target], out_rows[target] = other_hashes[place], other_rows[place]
        for position in range(start + 1, stop):
            hashed, row = out_hashes[position], out_rows[position]
            target = position
            while target > start and out_hashes[target - 1] > hashed:
                out_hashes[target], out_rows[target] = out_hashes[target - 1], out_rows[target - 1]
                target -= 1
            out_hashes[target], out_rows[target] = hashed, row
