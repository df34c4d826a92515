"""Ids of several bytes, wherever they lie in an array of bytes.

Row i is the lengths[i] bytes of data from starts[i]; lengths of a single item stand for all rows,
as those of UUIDs do. Bytes are read eight at a time: the compiler makes one load of the eight in
`word_at`, as long as it need not expect negative places. No byte beside an id is read.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, inlined, kernel
from ordercycle_kernels._types import (
    Bools,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    Items,
    UInt8Out,
    UInt8s,
    UInt64s,
)
from ordercycle_kernels.partition import partition_of

WORD_BYTES = 8
#: Bytes that a view holds in itself.
INLINE_BYTES = 12
#: Items of 32 bits in a view: length, beginning of the id, buffer, offset.
VIEW_ITEMS = 4
LONGEST = np.int64(2**31 - 1)
LAST_BYTE = np.uint64(255)
LENGTHS_DIFFER = np.int64(-1)
TOO_LONG = np.int64(-2)
#: Ids that are not, or not wholly, in their data.
OUTSIDE = np.int64(-3)

# n = rows, p = partitions, s = slots of a hash table, c = customers, b = bytes of data


@inlined
def word_at(data: UInt8s, start: int) -> np.uint64:
    """Return eight bytes as one little-endian word."""
    at = np.uint64(start)
    return (
        np.uint64(data[at])
        | np.uint64(data[at + np.uint64(1)]) << np.uint64(8)
        | np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
        | np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
        | np.uint64(data[at + np.uint64(4)]) << np.uint64(32)
        | np.uint64(data[at + np.uint64(5)]) << np.uint64(40)
        | np.uint64(data[at + np.uint64(6)]) << np.uint64(48)
        | np.uint64(data[at + np.uint64(7)]) << np.uint64(56)
    )


@inlined
def last_word(data: UInt8s, start: int, size: int) -> np.uint64:
    """Return the last size % 8 bytes of an id, of which there are some, as one word."""
    rest = size % WORD_BYTES
    if size > rest:
        shift = np.uint64(8 * (WORD_BYTES - rest))
        return word_at(data, start + size - WORD_BYTES) >> shift
    word = np.uint64(0)
    for byte in range(rest):
        word |= np.uint64(data[start + byte]) << np.uint64(8 * byte)
    return word


@inlined
def put_word(word: np.uint64, out_data: UInt8Out, place: int) -> None:
    """Write eight bytes."""
    at = np.uint64(place)
    out_data[at] = np.uint8(word & LAST_BYTE)
    out_data[at + np.uint64(1)] = np.uint8((word >> np.uint64(8)) & LAST_BYTE)
    out_data[at + np.uint64(2)] = np.uint8((word >> np.uint64(16)) & LAST_BYTE)
    out_data[at + np.uint64(3)] = np.uint8((word >> np.uint64(24)) & LAST_BYTE)
    out_data[at + np.uint64(4)] = np.uint8((word >> np.uint64(32)) & LAST_BYTE)
    out_data[at + np.uint64(5)] = np.uint8((word >> np.uint64(40)) & LAST_BYTE)
    out_data[at + np.uint64(6)] = np.uint8((word >> np.uint64(48)) & LAST_BYTE)
    out_data[at + np.uint64(7)] = np.uint8((word >> np.uint64(56)) & LAST_BYTE)


@inlined
def same_bytes(data: UInt8s, one: int, others: UInt8s, other: int, size: int) -> bool:
    """Return whether two ids of one length, which begin at `one` and `other`, are the same.

    The loop ends where they differ: one that went on would become vector code, which is made for
    more than a few words.
    """
    if size < WORD_BYTES:
        byte = 0
        while byte < size and data[one + byte] == others[other + byte]:
            byte += 1
        return byte == size
    last = size - WORD_BYTES
    begin = 0
    while begin < last and word_at(data, one + begin) == word_at(others, other + begin):
        begin += WORD_BYTES
    return begin >= last and word_at(data, one + last) == word_at(others, other + last)


@inlined
def bytes_before(data: UInt8s, one: int, one_size: int, other: int, other_size: int) -> bool:
    """Return whether one id comes before another, byte by byte."""
    for byte in range(min(one_size, other_size)):
        left, right = data[one + byte], data[other + byte]
        if left != right:
            return left < right
    return one_size < other_size


@inlined
def length_of(lengths: Int32s, row: int) -> int:
    """Return the length of a row's id."""
    return np.int64(lengths[0] if lengths.size == 1 else lengths[row])


@helper
def stand_in(known: Bools, out_starts: Int64Out, out_lengths: Int32Out) -> int:
    """Place missing ids where a present one is; return the length that all have, or a status."""
    present = 0
    while present < known.size and not known[present]:
        present += 1
    if present == out_starts.size:
        out_starts[:] = 0
        out_lengths[:] = 0
        return 0
    length = out_lengths[present]
    differ = False
    for row in range(out_starts.size):
        if known.size and not known[row]:
            out_starts[row] = out_starts[present]
            out_lengths[row] = length
        differ |= out_lengths[row] != length
    return LENGTHS_DIFFER if differ else np.int64(length)


def _find_between(
    offsets: Items, known: Bools, size: int, out_starts: Int64Out, out_lengths: Int32Out
) -> int:
    """Find ids that lie one behind the other.

    offsets: (n + 1,), which come from outside and may be anything; known: (n,), or (0,) where no
    id is missing; size: of the data; out_starts, out_lengths: (n,), of a missing id those of
    another. Returns the length that all have, else LENGTHS_DIFFER, TOO_LONG or OUTSIDE, of which
    the last two leave starts and lengths that must not be followed.
    """
    longest = np.int64(0)
    descend = np.int64(offsets[0]) < 0 or np.int64(offsets[out_starts.size]) > size
    for row in range(out_starts.size):
        start, stop = np.int64(offsets[row]), np.int64(offsets[row + 1])
        descend |= stop < start
        longest = max(longest, stop - start)
        out_starts[row] = start
        out_lengths[row] = max(min(stop - start, LONGEST), np.int64(0))
    if descend:
        return OUTSIDE
    return TOO_LONG if longest > LONGEST else stand_in(known, out_starts, out_lengths)


find_between = {
    items: kernel(_find_between, items=items, name=f"find_between_{items}")
    for items in ("int32", "int64")
}


@inlined
def is_view_within(views: Int32s, first: int, sizes: Int64s) -> bool:
    """Return whether a view that does not hold its bytes points into a buffer: sizes: (b,)."""
    length, buffer, start = views[first], views[first + 2], views[first + 3]
    if buffer < 0 or buffer >= sizes.size or start < 0:
        return False
    return np.int64(start) + np.int64(length) <= sizes[buffer]


@kernel
def are_views_within(views: Int32s, known: Bools, sizes: Int64s) -> bool:
    """Return whether all views point into their buffers.

    views: (VIEW_ITEMS * n,); known: (n,), or (0,) where no id is missing; sizes: (k,), of k
    buffers.
    """
    for row in range(views.size // VIEW_ITEMS):
        if known.size == 0 or known[row]:
            first = VIEW_ITEMS * row
            if views[first] < 0:
                return False
            if views[first] > INLINE_BYTES and not is_view_within(views, first, sizes):
                return False
    return True


@kernel
def find_views(
    views: Int32s,
    known: Bools,
    begins: Int64s,
    sizes: Int64s,
    out_starts: Int64Out,
    out_lengths: Int32Out,
) -> int:
    """Find ids that are given as views.

    views: (VIEW_ITEMS * n,), which come from outside and may be anything; known: (n,), or (0,)
    where no id is missing; begins: (k + 1,), where the views begin in the data, then each of the k
    buffers that they point into; sizes: (k,), of these; out_starts, out_lengths: (n,). These and
    the result are as in `find_between`.
    """
    outside = False
    for row in range(out_starts.size):
        out_starts[row] = 0
        out_lengths[row] = 0
        if known.size == 0 or known[row]:  # a missing id's view may point anywhere
            first = VIEW_ITEMS * row
            length = views[first]
            out_lengths[row] = length
            if length <= INLINE_BYTES:
                outside |= length < 0
                out_starts[row] = begins[0] + 4 * (first + 1)
            elif is_view_within(views, first, sizes):
                out_starts[row] = begins[1 + views[first + 2]] + views[first + 3]
            else:
                outside = True
    return OUTSIDE if outside else stand_in(known, out_starts, out_lengths)


@inlined
def copy_bytes(data: UInt8s, start: int, size: int, out_data: UInt8Out, place: int) -> None:
    """Copy an id to a place; its last word may overlap the one before."""
    if size >= WORD_BYTES:
        for begin in range(0, size - WORD_BYTES, WORD_BYTES):
            put_word(word_at(data, start + begin), out_data, place + begin)
        last = size - WORD_BYTES
        put_word(word_at(data, start + last), out_data, place + last)
    else:
        for byte in range(size):
            out_data[place + byte] = data[start + byte]


@kernel
def copy_ids(
    starts: Int64s, lengths: Int32s, data: UInt8s, out_offsets: Int64Out, out_data: UInt8Out
) -> None:
    """Lay ids one behind the other.

    starts: (n,) and lengths: (n,), or (1,) where all have one, in data: (b,); out_offsets: (n + 1,)
    into out_data: (size,).
    """
    filled = 0
    out_offsets[0] = 0
    for row in range(starts.size):
        size = length_of(lengths, row)
        copy_bytes(data, starts[row], size, out_data, filled)
        filled += size
        out_offsets[row + 1] = filled


@kernel
def count_bytes(
    hashes: UInt64s, kept: Bools, shift: int, lengths: Int32s, out_bytes: Int64Out
) -> None:
    """Count the bytes that the ids of each partition have.

    hashes: (n,); lengths: (n,), or (1,) where all ids have one; kept: (n,), or (0,) where every row
    is kept; shift: 64 - log2(p); out_bytes: (p,).
    """
    every_row = kept.size == 0
    out_bytes[:] = 0
    for row in range(hashes.size):
        if every_row or kept[row]:
            out_bytes[partition_of(hashes[row], shift)] += length_of(lengths, row)


@kernel
def move_ids(
    hashes: UInt64s,
    kept: Bools,
    shift: int,
    starts: Int64s,
    lengths: Int32s,
    data: UInt8s,
    cursors: Int64Out,
    out_data: UInt8Out,
) -> None:
    """Copy ids to their partitions.

    hashes, starts: (n,); lengths: (n,), or (1,) where all ids have one; kept: (n,), or (0,) where
    every row is kept; shift: 64 - log2(p); data: (b,); cursors: (p,), where the next id of each
    goes in out_data: (size,).

    An id has about the size of a line of the cache, and
    nothing is gained by laying out a morsel in the cache first, as is done with narrow columns.
    """
    every_row = kept.size == 0
    for row in range(hashes.size):
        if every_row or kept[row]:
            partition = partition_of(hashes[row], shift)
            place, size = cursors[partition], length_of(lengths, row)
            cursors[partition] = place + size
            copy_bytes(data, starts[row], size, out_data, place)


@kernel
def same_places(slots: Int32s, first_rows: Int32s, starts: Int64s) -> bool:
    """Return whether all ids of a slot are in one place: a single entry of a dictionary.

    slots, starts: (n,); first_rows: (s,), of each slot that is taken.
    """
    same = True
    row = 0
    while same and row < slots.size:
        same = starts[row] == starts[first_rows[slots[row]]]
        row += 1
    return same


@kernel
def same_ids(
    slots: Int32s,
    starts: Int64s,
    lengths: Int32s,
    data: UInt8s,
    customers: Int32s,
    offsets: Int64s,
    ids: UInt8s,
) -> bool:
    """Return whether all rows of a slot have the id that is given for it.

    slots, starts: (n,); lengths: (n,), or (1,) where all have one; data: (b,); customers: (s,), the
    customer of each slot that is taken; offsets: (c + 1,) into ids: (size,), which, unlike the
    first rows of the slots, fit the cache.
    """
    for row in range(slots.size):
        customer = customers[slots[row]]
        place, size = offsets[customer], length_of(lengths, row)
        if offsets[customer + 1] - place != size:
            return False
        if not same_bytes(data, starts[row], ids, place, size):
            return False
    return True


@kernel
def same_long_ids(
    slots: Int32s, starts: Int64s, size: int, data: UInt8s, customers: Int32s, ids: UInt8s
) -> bool:
    """Return what `same_ids` does for ids of one length, a word or more.

    slots, starts: (n,); data: (b,); customers: (s,), the customer of each slot that is taken; ids:
    (d,), one behind the other. Differences are gathered and looked at once: ids of 36 bytes take
    5.5 ns, where to end at the first took 7.5.
    """
    last = size - WORD_BYTES
    differences = np.uint64(0)
    for row in range(np.uint64(slots.size)):
        start = starts[row]
        place = np.int64(customers[np.uint64(slots[row])]) * size
        begin = 0
        while begin < last:
            differences |= word_at(data, start + begin) ^ word_at(ids, place + begin)
            begin += WORD_BYTES
        differences |= word_at(data, start + last) ^ word_at(ids, place + last)
    return differences == np.uint64(0)
