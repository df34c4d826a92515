"""Merge orders that arrive later into those that are there, both sorted alike."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import (
    Bools,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    Items,
    ItemsOut,
    UInt64s,
)
from ordercycle_kernels.amounts import swap_negatives
from ordercycle_kernels.partition import per_width

# b = orders there, m = orders that arrive, each sorted by (customer, day, amount);
# c = customers there, a = customers of those that arrive


@kernel
def find_hashes(hashes: UInt64s, wanted: UInt64s, out_positions: Int64Out) -> None:
    """Find the first of the hashes that is not below each wanted one.

    hashes: (c,) and wanted: (a,), both ascending; out_positions: (a,). One walk over both took a
    fifth of the time of a search for each.
    """
    position = 0
    for number in range(wanted.size):
        while position < hashes.size and hashes[position] < wanted[number]:
            position += 1
        out_positions[number] = position


@helper
def first_from(days: Int32s, start: int, stop: int, day: int) -> int:
    """Return the first of the sorted days from start to stop that is not before `day`."""
    while start < stop:
        middle = (start + stop) // 2
        if days[middle] < day:
            start = middle + 1
        else:
            stop = middle
    return start


@kernel
def find_days(
    starts: Int64s,
    stops: Int64s,
    days: Int32s,
    offsets: Int64s,
    arriving_days: Int32s,
    out_starts: Int64Out,
    out_stops: Int64Out,
) -> None:
    """Find the orders of the same customer and day that are there.

    starts, stops: (a,), each arriving customer's orders in days: (b,); offsets: (a + 1,) into
    arriving_days: (m,). out_starts, out_stops: (m,), equal where there are none: where the order
    would go.
    """
    for customer in range(starts.size):
        start, stop = starts[customer], stops[customer]
        for order in range(offsets[customer], offsets[customer + 1]):
            day = np.int64(arriving_days[order])
            start = first_from(days, start, stop, day)
            out_starts[order] = start
            out_stops[order] = first_from(days, start, stop, day + 1)


class Orders(NamedTuple):
    """Orders in one word each: days, words (the amounts): (n,)."""

    days: Int32s
    words: Int64s


@helper
def copy_stretch(there: Orders, start: int, stop: int, ahead: int, days: Any, words: Any) -> None:
    """Copy orders from start to stop to `ahead` places behind their own."""
    # Plain loops over views are as fast as a copy; with offsets they took half as long again.
    source, target = there.days[start:stop], days[start + ahead : stop + ahead]
    for row in range(target.size):
        target[row] = source[row]
    from_words, to_words = there.words[start:stop], words[start + ahead : stop + ahead]
    for row in range(to_words.size):
        to_words[row] = from_words[row]


@kernel
def merge_orders(
    starts: Int64s,
    stops: Int64s,
    there: Orders,
    offsets: Int64s,
    arriving: Orders,
    are_floats: bool,
    out_days: Int32Out,
    out_words: Int64Out,
) -> None:
    """Merge the orders of arriving customers into those there.

    starts, stops: (a,), each customer's orders there, ascending; offsets: (a + 1,) into arriving;
    out_days, out_words: (there.n + arriving.n,).

    In one walk: to look for the places first took as long as to move everything afterwards.
    """
    done = 0
    for customer in range(starts.size):
        first = offsets[customer]
        copy_stretch(there, done, starts[customer], first, out_days, out_words)
        done, stop = starts[customer], stops[customer]
        for order in range(first, offsets[customer + 1]):
            day, word = arriving.days[order], arriving.words[order]
            key = swap_negatives(word) if are_floats else word
            while done < stop and there.days[done] <= day:
                if there.days[done] == day:
                    other = there.words[done]
                    if (swap_negatives(other) if are_floats else other) > key:
                        break
                out_days[done + order] = there.days[done]
                out_words[done + order] = there.words[done]
                done += 1
            out_days[done + order] = day
            out_words[done + order] = word
    copy_stretch(there, done, there.days.size, arriving.days.size, out_days, out_words)


@kernel
def merge_offsets(
    offsets: Int64s,
    arriving: Int64s,
    positions: Int64s,
    found: Bools,
    out_offsets: Int64Out,
) -> None:
    """Write where the lists of c customers there and a that arrive are, once they are merged.

    offsets: (c + 1,); arriving: (a + 1,); positions, found: (a,), of the customer there, or of
    the one before which a new one goes; out_offsets: (all + 1,), of c and the new ones.
    """
    customer = 0
    row = 0
    for number in range(positions.size):
        before = arriving[number]
        for one in range(customer, positions[number]):
            out_offsets[row] = offsets[one] + before
            row += 1
        customer = positions[number]
        out_offsets[row] = offsets[customer] + before
        row += 1
        if found[number]:
            customer += 1
    for one in range(customer, offsets.size):
        out_offsets[row] = offsets[one] + arriving[-1]
        row += 1


class DaysOfOrders(NamedTuple):
    """What orders add up to on their days: words of the amounts, and keys.

    lows: (n,); highs: (n,), or (0,) where amounts fit one word; keys: (n,), or (0,) without them,
    of the orders, which put equal amounts of a day in order as signed numbers.
    """

    lows: Int64s
    highs: Int64s
    keys: UInt64s


@helper
def comes_after(
    there: DaysOfOrders, one: int, arriving: DaysOfOrders, other: int, are_floats: bool
) -> bool:
    """Return whether `one` there comes after `other` that arrives, both of one day."""
    low, other_low = there.lows[one], arriving.lows[other]
    if there.highs.size > 0:
        if there.highs[one] != arriving.highs[other]:
            return there.highs[one] > arriving.highs[other]
        if low != other_low:
            return np.uint64(low) > np.uint64(other_low)
    elif low != other_low:
        if are_floats:
            return swap_negatives(low) > swap_negatives(other_low)
        return low > other_low
    return there.keys.size > 0 and np.int64(there.keys[one]) > np.int64(arriving.keys[other])


@kernel
def find_days_of_orders(
    starts: Int64s,
    stops: Int64s,
    there: DaysOfOrders,
    arriving: DaysOfOrders,
    are_floats: bool,
    out_places: Int64Out,
) -> None:
    """Find where what arrives goes among that of its customer and day, by amount and order.

    starts, stops, out_places: (arriving.n,). A place counts all that comes before, there and
    arriving.
    """
    for order in range(starts.size):
        start, stop = starts[order], stops[order]
        while start < stop:
            middle = (start + stop) // 2
            if comes_after(there, middle, arriving, order, are_floats):
                stop = middle
            else:
                start = middle + 1
        out_places[order] = start + order


def _merge(there: Items, arriving: Items, places: Int64s, out_values: ItemsOut) -> None:
    """Write arriving values to their places and the others around them, in their order.

    there: (b,); arriving, places: (m,), places ascending; out_values: (b + m,).
    """
    first = places[0] if places.size else out_values.size
    out_values[:first] = there[:first]
    for row in range(places.size):
        place = places[row]
        end = places[row + 1] if row + 1 < places.size else out_values.size
        out_values[place] = arriving[row]
        # Plain loops over views are as fast as a copy; with offsets they took half as long again.
        stretch, target = there[place - row : end - row - 1], out_values[place + 1 : end]
        for step in range(target.size):
            target[step] = stretch[step]


merge = per_width(_merge)
