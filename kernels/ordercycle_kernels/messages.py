"""Messages that were delivered to customers, what became of them, and how many there are of each.

Two walks over the customers of a batch. One lists deliveries and finds those that other touches are
about: that of the same message, or the last one of the same campaign in the same channel. The other
counts them by leaf, which is all that tells messages apart (campaign, channel and brand), by row of
the report and month: whatever is asked of a channel or a type is a sum of leaves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordercycle_kernels._jit import inlined, kernel
from ordercycle_kernels._types import (
    Bools,
    Int8s,
    Int32Out,
    Int32s,
    Int32Table,
    Int64Out,
    Int64s,
    Items,
    UInt8Out,
    UInt64s,
)
from ordercycle_kernels.cube import Track
from ordercycle_kernels.event_order import SPREAD
from ordercycle_kernels.report_facts import Grid, column_on, count_pair, interval_on, row_in
from ordercycle_kernels.sparse_cells import Cells, cell_of, has_room

#: What a touch is: a delivery, or what marks one; 0 for neither.
DELIVERED, OPENED, CLICKED, UNSUBSCRIBED = 1, 2, 4, 8
#: The counts of a cell.
COUNTS = 4
NO_DELIVERY = -1

# c = customers, t = touches, d = deliveries, r = room for deliveries, x = pairs of kind and channel
# l = leaves but for brands, j = keys of a leaf, b = brands, q = most touches of a customer


class TouchRows(NamedTuple):
    """The touches of customers, each from begins to ends, by time.

    begins, ends: (c,); instants, days: (t,); messages, has_message: (t,), or (0,) where there are
    none; excluded: (t,), or (0,) where none is; wanted (whose delivery is asked for): (t,).
    """

    begins: Int64s
    ends: Int64s
    instants: Int64s
    days: Int32s
    messages: UInt64s
    has_message: Bools
    excluded: Bools
    wanted: Bools


class TouchCodes(NamedTuple):
    """What touches are, by codes.

    kinds, channels: (t,); campaigns (0 for none), brands: (t,), or (0,) where there are none.
    """

    kinds: Items
    channels: Items
    campaigns: Items
    brands: Items


class Linking(NamedTuple):
    """Room of a thread for links of touches to deliveries, which counts these throughout.

    latest (the last delivery of each campaign and channel): (a,); table (those of messages of a
    customer, a power of two and at least twice as many): (s,); asked (touches of a customer that
    are about deliveries): (q,).
    """

    latest: Int64Out
    table: Int64Out
    asked: Int64Out


class Sent(NamedTuple):
    """Deliveries, those of a customer by time, of which the first d are written.

    offsets: (c + 1,); rows (of touches), leaves, days, marks (what became of each): (r,).
    """

    offsets: Int64Out
    rows: Int64Out
    leaves: Int64Out
    days: Int32Out
    marks: UInt8Out


@inlined
def message_slot(
    message: np.uint64,
    first: int,
    size: int,
    touches: TouchRows,
    sent: Sent,
    table: Int64Out,
    before: int,
) -> np.int64:
    """Return where a message of a customer is in a table, or the free slot where it may be.

    first: the customer's first delivery; size: of the part of the table that is theirs; before: how
    many deliveries came before those of this batch. What others left is free.
    """
    mask = np.uint64(size - 1)
    slot = ((message * SPREAD) >> np.uint64(32)) & mask
    while table[slot] > before + first:
        if touches.messages[sent.rows[table[slot] - 1 - before]] == message:
            break
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


def _link_messages(
    touches: TouchRows,
    codes: TouchCodes,
    classes: Int8s,
    channel_count: int,
    brand_count: int,
    before: int,
    linking: Linking,
    sent: Sent,
    out_deliveries: Int64Out,
) -> int:
    """List the deliveries of customers, mark those that touches are about; return how many.

    classes (of each kind and channel): (x,); before: how many deliveries this room has seen
    already; out_deliveries (of a touch that is wanted, NO_DELIVERY where it is not known): (t,).
    """
    found = 0
    sent.offsets[0] = 0
    for customer in range(touches.begins.size):
        begin, end = touches.begins[customer], touches.ends[customer]
        first, asked = found, 0
        for row in range(begin, end):
            channel = np.int64(codes.channels[row])
            one = classes[np.int64(codes.kinds[row]) * channel_count + channel]
            if touches.excluded.size and touches.excluded[row]:
                one = np.int8(0)
            campaign = np.int64(codes.campaigns[row]) if codes.campaigns.size else np.int64(0)
            brand = np.int64(codes.brands[row]) if codes.brands.size else np.int64(0)
            # What is none is overwritten: a branch would be guessed wrong too often.
            sent.rows[found] = row
            sent.leaves[found] = (campaign * channel_count + channel) * brand_count + brand
            sent.days[found] = touches.days[row]
            sent.marks[found] = 0
            found += one == DELIVERED
            linking.asked[asked] = row
            asked += (one > DELIVERED) | touches.wanted[row]
        sent.offsets[customer + 1] = found
        if asked == 0:
            continue
        size = 1
        while size < 2 * (found - first):
            size *= 2
        place = first
        for number in range(asked):
            row = linking.asked[number]
            while place < found and touches.instants[sent.rows[place]] <= touches.instants[row]:
                its = sent.rows[place]
                leaf = sent.leaves[place]
                linking.latest[leaf // brand_count if brand_count > 1 else leaf] = (
                    before + place + 1
                )
                if touches.messages.size and touches.has_message[its]:
                    slot = message_slot(
                        touches.messages[its], first, size, touches, sent, linking.table, before
                    )
                    linking.table[slot] = before + place + 1
                place += 1
            last = np.int64(0)
            if touches.messages.size and touches.has_message[row]:
                slot = message_slot(
                    touches.messages[row], first, size, touches, sent, linking.table, before
                )
                last = linking.table[slot]
            channel = np.int64(codes.channels[row])
            if last <= before + first and codes.campaigns.size and codes.campaigns[row] != 0:
                last = linking.latest[np.int64(codes.campaigns[row]) * channel_count + channel]
            is_known = last > before + first
            if is_known:
                one = classes[np.int64(codes.kinds[row]) * channel_count + channel]
                if one > DELIVERED and not (touches.excluded.size and touches.excluded[row]):
                    sent.marks[last - 1 - before] |= np.uint8(one)
            if touches.wanted[row]:
                out_deliveries[row] = np.int64(NO_DELIVERY)
                if is_known:
                    out_deliveries[row] = sent.rows[last - 1 - before]
    return found


#: By the type of the codes.
link_messages = {
    items: kernel(_link_messages, items=items, name=f"link_messages_{items}")
    for items in ("uint8", "uint16", "uint32")
}


@inlined
def count_leaf(marks: int, code: int, counts: Cells) -> None:
    """Count a delivery, and what became of it."""
    cell = cell_of(code, counts)
    counts.values[cell, np.uint64(0)] += 1
    counts.values[cell, np.uint64(1)] += (marks & OPENED) != 0
    counts.values[cell, np.uint64(2)] += (marks & CLICKED) != 0
    counts.values[cell, np.uint64(3)] += (marks & UNSUBSCRIBED) != 0


@kernel
def count_messages(
    sent: Sent,
    leaf_keys: Int32Table,
    brand_keys: Int64s,
    track: Track,
    grid: Grid,
    everyone: bool,
    before: int,
    start: int,
    out_stamps: Int64Out,
    counts: Cells,
    pairs: Cells,
) -> int:
    """Count deliveries from one on by leaf, row and month, and customers by key, row and month.

    Return up to which there was room. Rows of leaves are those of this track, behind them that of
    nobody, where all are counted (everyone), and behind it those of further tracks: so everyone is
    in one of the first. Customers are counted as `add_pairs_at` does.

    leaf_keys (of all, a channel and so on, negative for none): (l, j); brand_keys (how much further
    the keys of each brand of touches are, negative where they have none): (b,); before: how many
    customers were counted already; out_stamps (who came last to a key and row, and when): (p,).
    """
    rows, columns = grid.sizes[1], grid.sizes[2]
    brand_count = brand_keys.size
    most = 4 * leaf_keys.shape[1]
    for customer in range(sent.offsets.size - 1):
        first, last = track.offsets[customer], track.offsets[customer + 1]
        interval = np.int64(first)
        owner = before + customer + 1
        for place in range(max(sent.offsets[customer], start), sent.offsets[customer + 1]):
            day = np.int64(sent.days[place])
            column = column_on(grid, day)
            if column < 0:
                continue
            if not (has_room(counts, 1) and has_room(pairs, most)):
                return place
            interval = interval_on(track, first, last, interval, day)
            row = row_in(track, last, interval, day)
            if row < 0 and not everyone:
                continue
            leaf = sent.leaves[place]
            its = row if row >= 0 else rows - 1
            if not everyone:
                its += rows
            code = (leaf * 2 * rows + its) * columns + column
            count_leaf(np.int64(sent.marks[place]), code, counts)
            if column == 0:
                continue
            further = brand_keys[0]
            if brand_count > 1:
                further = brand_keys[leaf % brand_count]
                leaf //= brand_count
            for number in range(leaf_keys.shape[1]):
                key = np.int64(leaf_keys[leaf, number])
                if key < 0:
                    continue
                if row >= 0:
                    count_pair(owner, key, row, column, grid, out_stamps, pairs)
                    if further > 0:
                        count_pair(owner, key + further, row, column, grid, out_stamps, pairs)
                if everyone:
                    count_pair(owner, key, rows - 1, column, grid, out_stamps, pairs)
                    if further > 0:
                        count_pair(owner, key + further, rows - 1, column, grid, out_stamps, pairs)
    return sent.offsets[sent.offsets.size - 1]
