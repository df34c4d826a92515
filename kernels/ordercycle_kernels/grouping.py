"""Group the rows of one partition by customer and order them in time.

A partition's customers live in one open-addressing hash table that fits the processor's cache.
The home of a hash in the table follows the hash's order, so that a walk over the table meets the
customers almost sorted.
"""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Int32Out, Int32s, Int64Out, Int64s, UInt8s, UInt64Out, UInt64s
from ordercycle_kernels.id_bytes import bytes_before, length_of, same_bytes

TABLE_FULL = np.int64(-1)

# n = rows of the partition, c = customers, s = slots of the hash table (a power of two),
# b = bytes of their ids, d = days from the first to the last day of all orders
# Places are unsigned where it was measured: signed ones are asked whether they count from the end,
# which took a third more to order rows by day, and a quarter more by customer.


@helper
def home_slot(hashed: np.uint64, partition_bits: int, table_bits: int) -> int:
    """Return the first slot to look in: the hash's bits that follow the partition's."""
    below = hashed << np.uint64(partition_bits)
    return np.int64((below >> np.uint64(1)) >> np.uint64(63 - table_bits))


@kernel
def find_slots(
    hashes: UInt64s, partition_bits: int, table: UInt64Out, sizes: Int32Out, out_slots: Int32Out
) -> int:
    """Give every row the slot of its customer, where a hash is one customer.

    hashes, out_slots: (n,); table, sizes (zero on entry): (s,), hash and number of rows of the
    customer in each slot: a hash without rows is what an earlier use left. Returns the number of
    customers, or TABLE_FULL when more than a quarter of the slots would be taken.
    """
    table_bits = np.int64(np.log2(table.size))
    mask = table.size - 1
    room = table.size >> 2
    customers = 0
    for row in range(hashes.size):
        hashed = hashes[row]
        slot = home_slot(hashed, partition_bits, table_bits)
        while table[slot] != hashed:
            if sizes[slot] == 0:
                table[slot] = hashed
                break
            slot = (slot + 1) & mask
        if sizes[slot] == 0:
            if customers == room:
                return TABLE_FULL
            customers += 1
        sizes[slot] += 1
        out_slots[row] = slot
    return customers


@kernel
def note_first_rows(slots: Int32s, out_first_rows: Int32Out) -> None:
    """Note the first row of each slot: slots: (n,); out_first_rows: (s,)."""
    for row in range(slots.size - 1, -1, -1):
        out_first_rows[slots[row]] = row


@kernel
def find_slots_of_bytes(
    hashes: UInt64s,
    starts: Int64s,
    lengths: Int32s,
    data: UInt8s,
    partition_bits: int,
    first_rows: Int32Out,
    sizes: Int32Out,
    out_slots: Int32Out,
) -> int:
    """Give every row the slot of its customer, kept apart by the bytes of the id.

    hashes, starts, out_slots: (n,); lengths: (n,), or (1,) where all have one; data: (b,), as in
    `id_bytes`; first_rows, sizes: (s,), the first row and number of rows of the customer in each
    slot, sizes zero on entry. Returns the number of customers, or TABLE_FULL when more than a
    quarter of the slots would be taken.
    """
    table_bits = np.int64(np.log2(first_rows.size))
    mask = first_rows.size - 1
    room = first_rows.size >> 2
    customers = 0
    for row in range(hashes.size):
        slot = home_slot(hashes[row], partition_bits, table_bits)
        while True:
            if sizes[slot] == 0:
                if customers == room:
                    return TABLE_FULL
                customers += 1
                first_rows[slot] = row
                break
            first = first_rows[slot]
            size = length_of(lengths, row)
            if (
                hashes[first] == hashes[row]
                and length_of(lengths, first) == size
                and same_bytes(data, starts[first], data, starts[row], size)
            ):
                break
            slot = (slot + 1) & mask
        sizes[slot] += 1
        out_slots[row] = slot
    return customers


@kernel
def order_customers(
    table: UInt64s, sizes: Int32s, out_hashes: UInt64Out, out_slots: Int32Out
) -> None:
    """List the taken slots by ascending hash: table, sizes: (s,); out_hashes, out_slots: (c,)."""
    # Written for every slot, and overwritten where that is not taken: a branch is guessed wrong.
    customers = 0
    slot = 0
    while customers < out_slots.size:
        out_slots[customers] = slot
        customers += sizes[slot] > 0
        slot += 1
    for customer in range(customers):
        slot = out_slots[customer]
        hashed = table[slot]
        place = customer
        while place > 0 and out_hashes[place - 1] > hashed:
            out_hashes[place] = out_hashes[place - 1]
            out_slots[place] = out_slots[place - 1]
            place -= 1
        out_hashes[place] = hashed
        out_slots[place] = slot


@kernel
def order_customers_of_bytes(
    hashes: UInt64s,
    starts: Int64s,
    lengths: Int32s,
    data: UInt8s,
    first_rows: Int32s,
    sizes: Int32s,
    out_slots: Int32Out,
) -> None:
    """List the taken slots by ascending hash, then by id.

    hashes, starts: (n,); lengths: (n,), or (1,) where all have one; data: (b,); first_rows, sizes:
    (s,), as `find_slots_of_bytes` writes them; out_slots: (c,).
    """
    customers = 0
    for slot in range(first_rows.size):
        if sizes[slot] > 0:
            row = first_rows[slot]
            place = customers
            while place > 0:
                before = first_rows[out_slots[place - 1]]
                if hashes[before] < hashes[row] or (
                    hashes[before] == hashes[row]
                    and not bytes_before(
                        data,
                        starts[row],
                        length_of(lengths, row),
                        starts[before],
                        length_of(lengths, before),
                    )
                ):
                    break
                out_slots[place] = out_slots[place - 1]
                place -= 1
            out_slots[place] = slot
            customers += 1


@kernel
def days_ascend(days: Int32s) -> bool:
    """Return whether no day comes before an earlier one: days: (n,)."""
    row = 1
    while row < days.size and days[row - 1] <= days[row]:
        row += 1
    return row >= days.size


@kernel
def order_rows_by_day(
    days: Int32s, first_day: int, histogram: Int64Out, out_rows: Int32Out
) -> None:
    """List the rows by day, rows of a day in their order.

    days: (n,); histogram: (d,), zero on entry; out_rows: (n,).
    """
    rows = np.uint64(days.size)
    for row in range(rows):
        histogram[np.uint64(days[row] - first_day)] += 1
    total = 0
    for day in range(histogram.size):
        size = histogram[day]
        histogram[day] = total
        total += size
    for row in range(rows):
        day = np.uint64(days[row] - first_day)
        out_rows[np.uint64(histogram[day])] = np.int32(row)
        histogram[day] += 1


@kernel
def register_customers(
    slots: Int32s, days: Int32s, out_registered: Int32Out, out_listed: Int32Out
) -> int:
    """Note which customers are listed, and since when: the first row of each counts.

    slots, days: (rows,); out_registered: (s,); out_listed: (s,), zero on entry, the row
    that lists the customer plus one. Returns how many rows list a customer again.
    """
    repeated = 0
    for row in range(slots.size):
        slot = slots[row]
        if out_listed[slot] > 0:
            repeated += 1
        else:
            out_listed[slot] = row + 1
            out_registered[slot] = days[row]
    return repeated


@kernel
def place_customers(
    slots: Int32s, listed: Int32s, sizes_to_cursors: Int32Out, out_offsets: Int64Out
) -> None:
    """Find where each customer's orders start, in the order of the given slots.

    slots: (c,), all that are taken; listed, sizes_to_cursors: (s,), the number of rows of each
    slot, of which one may be the row that lists the customer, becomes the position of its first
    order; out_offsets: (c + 1,).
    """
    out_offsets[0] = 0
    for customer in range(slots.size):
        slot = slots[customer]
        orders = sizes_to_cursors[slot] - (listed[slot] > 0)
        sizes_to_cursors[slot] = out_offsets[customer]
        out_offsets[customer + 1] = out_offsets[customer] + orders


@kernel
def order_rows_by_customer(
    rows: Int32s, slots: Int32s, cursors: Int32Out, out_rows: Int32Out
) -> None:
    """List rows by customer, a customer's rows in the order given.

    rows: (n,), in the order wanted within a customer; slots: (n,), the slot of each of them;
    cursors: (s,), where each slot's rows start, moved to their end; out_rows: (n,).
    """
    for position in range(np.uint64(rows.size)):
        slot = np.uint64(slots[position])
        out_rows[np.uint64(cursors[slot])] = rows[position]
        cursors[slot] += 1


@kernel
def list_rows_by_customer(slots: Int32s, cursors: Int32Out, out_rows: Int32Out) -> None:
    """List all rows by customer, a customer's rows as they come.

    slots: (n,); cursors: (s,), where each slot's rows start, moved to their end; out_rows: (n,).
    """
    for row in range(np.uint64(slots.size)):
        slot = np.uint64(slots[row])
        out_rows[np.uint64(cursors[slot])] = np.int32(row)
        cursors[slot] += 1
