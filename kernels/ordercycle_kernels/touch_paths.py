"""Which touches of a customer lead to an order: orders and touches are walked side by side.

Touches of one class have one window and compete for the same: of them the latest is the first that
an order is credited to, and each knows the one before it. An order looks at the latest of every
class, and further back only as far as it is credited, so that it costs the same whether a customer
has ten touches or a million.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordercycle_kernels._jit import helper, inlined, kernel
from ordercycle_kernels._types import (
    BoolOut,
    Bools,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    Items,
    UInt64s,
)
from ordercycle_kernels.event_order import SPREAD

#: No touch: no number of a row.
NO_TOUCH = -1
#: Before all instants.
NEVER = -(2**63)

# c = customers, n = entries (orders and refunds), t = touches, q = touches that may win
# k = classes of touches, g = competitions, b = brands, v = visits


class Entries(NamedTuple):
    """Orders and refunds of customers, in the order of their time.

    offsets: (c + 1,); instants, are_orders: (n,); brands (-1 where no touch has it): (n,), or (0,)
    where they do not matter.
    """

    offsets: Int64s
    instants: Int64s
    are_orders: Bools
    brands: Int64s


class Touches(NamedTuple):
    """Touches that may win, of the same customers, in the order in which the last one wins.

    offsets: (c + 1,); instants, starts (of their windows, not later), classes (times b, and the
    brand): (q,).
    """

    offsets: Int64s
    instants: Int64s
    starts: Int64s
    classes: Int64s


class Visits(NamedTuple):
    """Instants before which touches do not count: of each customer from begins to ends.

    begins, ends: (c,); instants: (v,).
    """

    begins: Int64s
    ends: Int64s
    instants: Int64s


class Rules(NamedTuple):
    """Windows and tiers of classes, those of one competition after those of the other.

    Touches of the first tier that has any in reach come alone.

    windows, tiers: (k,); competitions: (g + 1,).
    """

    windows: Int64s
    tiers: Int64s
    competitions: Int64s


def _select_touches(
    begins: Int64s,
    ends: Int64s,
    kinds: Items,
    channels: Items,
    channel_count: int,
    classes: Int32s,
    excluded: Bools,
    out_offsets: Int64Out,
    out_rows: Int64Out,
    out_classes: Int64Out,
) -> int:
    """Write which touches of customers may win, and return how many there are.

    begins, ends: (c,); kinds, channels: (t,); classes (by kind, and by channel of each;
    negative for none): (x,); excluded: (t,), or (0,) where none is; out_offsets: (c + 1,);
    out_rows, out_classes (all of them are there where there are fewer than w): (w,).
    """
    found = 0
    last = out_rows.size - 1
    out_offsets[0] = 0
    for customer in range(begins.size):
        for row in range(begins[customer], ends[customer]):
            place = np.int64(kinds[row]) * channel_count + np.int64(channels[row])
            one = classes[place]
            # What does not count is overwritten: a branch would be guessed wrong too often.
            out_rows[min(found, last)] = row
            found += one >= 0 and not (excluded.size and excluded[row])
        out_offsets[customer + 1] = found
    for one in range(min(found, last + 1)):  # few: to write them above costs a store a touch
        row = out_rows[one]
        out_classes[one] = classes[np.int64(kinds[row]) * channel_count + np.int64(channels[row])]
    return found


#: By the type of the codes.
select_touches = {
    items: kernel(_select_touches, items=items, name=f"select_touches_{items}")
    for items in ("uint8", "uint16", "uint32")
}


@kernel
def mark_bursts(
    begins: Int64s,
    ends: Int64s,
    instants: Int64s,
    clicks: Bools,
    count: int,
    width: int,
    recent: Int64Out,
    out_marks: BoolOut,
) -> None:
    """Mark clicks of customers of which `count` or more come within less than a width of time.

    begins, ends: (c,); instants (by time), clicks, out_marks (those that are marked stay so):
    (t,); recent: (count,).
    """
    for customer in range(begins.size):
        seen, marked = 0, begins[customer]
        for row in range(begins[customer], ends[customer]):
            if not clicks[row]:
                continue
            recent[seen % count] = row
            seen += 1
            first = recent[seen % count]
            if seen < count or instants[row] - instants[first] >= width:
                continue
            for one in range(max(first, marked), row + 1):
                out_marks[one] |= clicks[one]
            marked = row + 1


@kernel
def tied_touches(
    offsets: Int64s, instants: Int64s, out_rows: Int64Out, out_stretches: Int64Out
) -> int:
    """Write which touches have another one of their customer at their instant, and return how many.

    offsets: (c + 1,); instants, out_rows, out_stretches (a number for those of one instant): (q,).
    """
    found = 0
    stretch = 0
    for customer in range(offsets.size - 1):
        start, stop = offsets[customer], offsets[customer + 1]
        row = start
        while row < stop:
            end = row + 1
            while end < stop and instants[end] == instants[row]:
                end += 1
            if end - row > 1:
                for one in range(row, end):
                    out_rows[found] = one
                    out_stretches[found] = stretch
                    found += 1
                stretch += 1
            row = end
    return found


@helper
def slot_of(message: np.uint64, customer: int, size: int) -> np.int64:
    """Return where a customer's message is looked for first, in a table of a power of two."""
    mixed = (message + np.uint64(customer)) * SPREAD
    return np.int64((mixed >> np.uint64(32)) & np.uint64(size - 1))


@kernel
def delivery_rows(
    begins: Int64s,
    ends: Int64s,
    instants: Int64s,
    deliveries: Bools,
    messages: UInt64s,
    has_message: Bools,
    campaigns: Int64s,
    offsets: Int64s,
    rows: Int64s,
    table: Int64Out,
    latest: Int64Out,
    out_rows: Int64Out,
) -> int:
    """Write the delivery of what was touched; return of how many touches that is not known.

    It is the last delivery of the same message until then; without one, of the same campaign;
    without one, NO_TOUCH.

    begins, ends: (c,); instants, deliveries: (t,); messages, has_message: (t,), or (0,) where there
    are none; campaigns (codes of campaign and channel, 0 is none): (t,); offsets: (c + 1,); rows
    (of touches, by time): (q,); table (zeros, a power of two and at least 2t): (s,); latest (zeros,
    one per code): (a,); out_rows: (q,).
    """
    unknown = 0
    for customer in range(begins.size):
        event = begins[customer]
        for place in range(offsets[customer], offsets[customer + 1]):
            row = rows[place]
            while event < ends[customer] and instants[event] <= instants[row]:
                if deliveries[event]:
                    latest[campaigns[event]] = event + 1
                    if messages.size and has_message[event]:
                        slot = slot_of(messages[event], customer, table.size)
                        while table[slot] != 0 and not (
                            table[slot] > begins[customer]
                            and messages[table[slot] - 1] == messages[event]
                        ):
                            slot = (slot + 1) & (table.size - 1)
                        table[slot] = event + 1
                event += 1
            found = np.int64(0)
            if messages.size and has_message[row]:
                slot = slot_of(messages[row], customer, table.size)
                while table[slot] != 0 and not (
                    table[slot] > begins[customer] and messages[table[slot] - 1] == messages[row]
                ):
                    slot = (slot + 1) & (table.size - 1)
                found = table[slot]
            if found == 0 and campaigns[row] != 0 and latest[campaigns[row]] > begins[customer]:
                found = latest[campaigns[row]]
            unknown += found == 0
            out_rows[place] = found - 1 if found else np.int64(NO_TOUCH)
    return unknown


@inlined
def open_touch(
    position: int,
    floor: int,
    limit: int,
    at: int,
    window: int,
    instants: Int64s,
    starts: Int64s,
    previous: Int64Out,
) -> np.int64:
    """Return the latest touch from a position back whose window is open, NO_TOUCH without one.

    floor: the first position that counts; limit: the first instant.
    """
    while position >= floor and position >= 0:
        instant = instants[position]
        if instant < limit or at - instant >= window:
            break
        if at - starts[position] < window:
            return position
        position = previous[position]
    return np.int64(NO_TOUCH)


@kernel
def follow_touches(
    entries: Entries,
    touches: Touches,
    visits: Visits,
    rules: Rules,
    most: int,
    has_one: bool,
    is_strict: bool,
    is_reused: bool,
    heads: Int64Out,
    floors: Int64Out,
    previous: Int64Out,
    out_offsets: Int64Out,
    out_touches: Int64Out,
    out_counts: Int64Out,
) -> None:
    """Write the touches of every order, those of one competition after those of the other.

    Of a competition they are the latest `most` whose windows are open, the earliest first, or the
    last one alone (has_one). Strict: none where the latest of all is not open. Not reused: none
    that an earlier order of the brand could have had.

    heads (NO_TOUCH throughout, and again afterwards; by class and brand): (k * b,); floors (by
    brand): (b,); previous: (q,); out_offsets: (n + 1,); out_touches (of more touches than it has
    room for, as many as it has): (w,); out_counts (touches that there are, competitions with more
    than `most`): (2,).
    """
    brand_count = floors.size
    windows, tiers, competitions = rules.windows, rules.tiers, rules.competitions
    instants, starts = touches.instants, touches.starts
    cursors = np.empty(windows.size, np.int64)
    widest = np.int64(0)
    for window in windows:
        widest = max(widest, window)
    path = np.empty(most, np.int64)
    found, longer = 0, 0
    out_offsets[0] = 0
    for customer in range(entries.offsets.size - 1):
        begin, stop = touches.offsets[customer], touches.offsets[customer + 1]
        visit = visits.begins[customer]
        limit = np.int64(NEVER)
        position = begin
        floors[:] = begin
        for order in range(entries.offsets[customer], entries.offsets[customer + 1]):
            brand = entries.brands[order] if entries.brands.size else np.int64(0)
            if not entries.are_orders[order] or begin == stop or brand < 0:
                out_offsets[order + 1] = found
                continue
            at = entries.instants[order]
            while position < stop and instants[position] <= at:
                one = touches.classes[position]
                previous[position] = heads[one]
                heads[one] = position
                position += 1
            while visit < visits.ends[customer] and visits.instants[visit] <= at:
                limit = visits.instants[visit]
                visit += 1
            floor = floors[brand]
            newest = position - 1
            if newest < floor or instants[newest] < limit or at - instants[newest] >= widest:
                # Most orders come long after all touches.
                if not is_reused:
                    floors[brand] = position
                out_offsets[order + 1] = found
                continue
            for competition in range(competitions.size - 1):
                first, last = competitions[competition], competitions[competition + 1]
                best = np.int64(2**62)
                latest_of_all = np.int64(NO_TOUCH)
                for one in range(first, last):
                    head = heads[one * brand_count + brand]
                    latest_of_all = max(latest_of_all, head)
                    cursors[one] = open_touch(
                        head, floor, limit, at, windows[one], instants, starts, previous
                    )
                    if cursors[one] >= 0:
                        best = min(best, tiers[one])
                length = 0
                while True:
                    latest, its_class = np.int64(NO_TOUCH), first
                    for one in range(first, last):
                        if cursors[one] > latest and tiers[one] == best:
                            latest, its_class = cursors[one], one
                    if latest < 0 or (is_strict and length == 0 and latest != latest_of_all):
                        break
                    if length == most:
                        longer += 1
                        break
                    path[length] = latest
                    length += 1
                    if has_one:
                        break
                    cursors[its_class] = open_touch(
                        previous[latest],
                        floor,
                        limit,
                        at,
                        windows[its_class],
                        instants,
                        starts,
                        previous,
                    )
                for place in range(length - 1, -1, -1):
                    if found < out_touches.size:
                        out_touches[found] = path[place]
                    found += 1
            if not is_reused:
                floors[brand] = position
            out_offsets[order + 1] = found
        for one in range(begin, position):
            heads[touches.classes[one]] = NO_TOUCH
    out_counts[0] = found
    out_counts[1] = longer


@kernel
def count_paths(
    offsets: Int64s,
    competitions: Int32s,
    out_lengths: Int32Out,
    out_places: Int32Out,
) -> None:
    """Write how long the path of each touch is, and the touch's place in it.

    offsets: (n + 1,) into the touches; competitions, out_lengths, out_places: (w,).
    """
    for order in range(offsets.size - 1):
        begin = offsets[order]
        while begin < offsets[order + 1]:
            end = begin + 1
            while end < offsets[order + 1] and competitions[end] == competitions[begin]:
                end += 1
            for row in range(begin, end):
                out_lengths[row] = end - begin
                out_places[row] = row - begin
            begin = end
