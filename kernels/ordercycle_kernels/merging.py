"""Merge orders that arrive later into those that are there, both sorted alike."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import helper, kernel
from ordercycle_kernels._types import Int32s, Int64Out, Int64s, Items, ItemsOut, UInt64s
from ordercycle_kernels.amounts import swap_negatives
from ordercycle_kernels.partition import per_type

# b = orders there; m = orders that arrive, of a customers; each sorted by (customer, day, amount)


@kernel
def find_hashes(hashes: UInt64s, wanted: UInt64s, out_positions: Int64Out) -> None:
    """Find the first of the hashes that is not below each wanted one.

    hashes, wanted: both ascending; out_positions: (wanted,). One walk over both took a fifth of
    the time of a search for each.
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


@kernel
def find_amounts(
    starts: Int64s,
    stops: Int64s,
    words: Int64s,
    arriving: Int64s,
    are_floats: bool,
    out_places: Int64Out,
) -> None:
    """Find where each arriving order goes among those of its customer and day, by amount.

    starts, stops, arriving, out_places: (m,); words: (b,). A place counts all that comes before,
    there and arriving.
    """
    for order in range(arriving.size):
        start, stop = starts[order], stops[order]
        key = swap_negatives(arriving[order]) if are_floats else arriving[order]
        while start < stop:
            middle = (start + stop) // 2
            other = swap_negatives(words[middle]) if are_floats else words[middle]
            if other <= key:
                start = middle + 1
            else:
                stop = middle
        out_places[order] = start + order


@kernel
def find_wide_amounts(
    starts: Int64s,
    stops: Int64s,
    lows: Int64s,
    highs: Int64s,
    arriving_lows: Int64s,
    arriving_highs: Int64s,
    out_places: Int64Out,
) -> None:
    """Find places as `find_amounts` does, for amounts of two words."""
    for order in range(arriving_lows.size):
        start, stop = starts[order], stops[order]
        low, high = np.uint64(arriving_lows[order]), arriving_highs[order]
        while start < stop:
            middle = (start + stop) // 2
            same = highs[middle] == high
            if highs[middle] < high or (same and np.uint64(lows[middle]) <= low):
                start = middle + 1
            else:
                stop = middle
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


merge = per_type(_merge)
