"""What happened to customers, as facts that are added to the cells of a report.

A fact has a place: a key, such as a channel, and a row of the report; and a month. Most places have
none, so that cells are given out as they are needed, by a table of their numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import (
    Bools,
    Int16s,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    Int64Table,
)
from ordercycle_kernels.cube import NO_ROW, Track
from ordercycle_kernels.exact_sums import (
    FLOAT_CHUNKS,
    pieces_of_float,
    pieces_of_word,
    pieces_of_words,
)

#: No place, and no cell.
NOWHERE = -1

# c = customers, n = facts, m = intervals, s = cells, p = places, w = width of a cell


class States(NamedTuple):
    """In which states customers are: members, or subscribed in a channel.

    offsets: (c + 1,); codes, starts, stops (exclusive): (i,), those of a customer and code without
    overlaps.
    """

    offsets: Int64s
    codes: Int16s
    starts: Int32s
    stops: Int32s


@kernel
def rows_at(track: Track, offsets: Int64s, days: Int32s, out_rows: Int64Out) -> None:
    """Write in which row of a report a customer is on the days of facts, NO_ROW for none.

    offsets: (c + 1,), where the facts of each customer begin; days, out_rows: (n,).
    """
    for customer in range(offsets.size - 1):
        first, last = track.offsets[customer], track.offsets[customer + 1]
        interval = first
        for fact in range(offsets[customer], offsets[customer + 1]):
            day = days[fact]
            # Days ascend, but for those of other things than the facts themselves.
            if interval > first and day < track.stops[interval - 1]:
                interval = first
            while interval < last and track.stops[interval] <= day:
                interval += 1
            out_rows[fact] = NO_ROW
            if interval < last and track.starts[interval] <= day:
                out_rows[fact] = track.rows[track.codes[interval]]


@kernel
def take_cells(places: Int64s, taken: int, out_numbers: Int32Out, out_cells: Int64Out) -> int:
    """Write the cell of each place, giving one to those that have none; return how many there are.

    places (NOWHERE for none), out_cells: (n,); taken: how many cells there are already;
    out_numbers (of the cell of each place, from 1 on, 0 for none): (p,).
    """
    for fact in range(places.size):
        place = places[fact]
        if place < 0:
            out_cells[fact] = NOWHERE
            continue
        number = np.int64(out_numbers[place])
        if number == 0:
            taken += 1
            number = np.int64(taken)
            out_numbers[place] = number
        out_cells[fact] = number - 1
    return taken


@kernel
def add_facts(
    cells: Int64s,
    counts: Int64s,
    lows: Int64s,
    highs: Int64s,
    are_less: Bools,
    out_table: Int64Table,
) -> None:
    """Add counts and amounts to cells: a count, and behind it the chunks of a sum.

    cells (NOWHERE for none), counts: (n,); lows: (n,), or (0,) where there are no amounts; highs:
    (n,), or (0,) where one word holds an amount; are_less (amounts that are taken off): (n,), or
    (0,) where none is; out_table: (s, w), floats where it is wider than integers need.
    """
    are_floats = out_table.shape[1] > FLOAT_CHUNKS
    for fact in range(cells.size):
        cell = cells[fact]
        if cell < 0:
            continue
        out_table[cell, 0] += counts[fact]
        if lows.size == 0:
            continue
        if are_floats:
            chunk, pieces = pieces_of_float(lows[fact])
        elif highs.size:
            chunk, pieces = pieces_of_words(lows[fact], highs[fact])
        else:
            chunk, pieces = pieces_of_word(lows[fact])
        sign = np.int64(1)
        if are_less.size and are_less[fact]:
            sign = np.int64(-1)
        place = chunk + 1
        out_table[cell, place] += sign * pieces[0]
        out_table[cell, place + 1] += sign * pieces[1]
        if pieces[2] != 0:
            out_table[cell, place + 2] += sign * pieces[2]
        if pieces[3] != 0:
            out_table[cell, place + 3] += sign * pieces[3]


@kernel
def count_pairs(
    offsets: Int64s,
    cells: Int64s,
    columns: Int32s,
    before: int,
    out_owners: Int64Out,
    out_latest: Int64Out,
    out_pairs: Int64Table,
) -> None:
    """Count customers by the month in which they came to a cell before, and the month.

    Each is counted once per cell and month: of months l < m, counted from 1 on and 0 for never, in
    m * (m - 1) / 2 + l.

    offsets: (c + 1,), where the facts of each customer begin; cells (NOWHERE for none), columns
    (months, ascending for each customer): (n,); before: how many customers were counted already;
    out_owners (who came last, from 1 on), out_latest (and when): (s,); out_pairs: (s, w).
    """
    for customer in range(offsets.size - 1):
        owner = np.int64(before + customer + 1)
        for fact in range(offsets[customer], offsets[customer + 1]):
            cell, month = cells[fact], np.int64(columns[fact])
            if cell < 0 or month < 1:
                continue
            earlier = out_latest[cell] if out_owners[cell] == owner else np.int64(0)
            if earlier < month:
                out_pairs[cell, month * (month - 1) // 2 + earlier] += 1
                out_owners[cell] = owner
                out_latest[cell] = month


@kernel
def meet_states(
    track: Track,
    states: States,
    row_count: int,
    out_places: Int64Out,
    out_starts: Int32Out,
    out_stops: Int32Out,
) -> int:
    """Write when customers are in a row of a report and in a state at once; return how often.

    No more are written than there is room for.

    out_places (of a code and a row, all rows of a code together), out_starts, out_stops
    (exclusive): (n,).
    """
    found = 0
    for customer in range(track.offsets.size - 1):
        first, last = track.offsets[customer], track.offsets[customer + 1]
        for state in range(states.offsets[customer], states.offsets[customer + 1]):
            for interval in range(first, last):
                row = track.rows[track.codes[interval]]
                start = max(states.starts[state], track.starts[interval])
                stop = min(states.stops[state], track.stops[interval])
                if row < 0 or start >= stop:
                    continue
                if found < out_places.size:
                    out_places[found] = np.int64(states.codes[state]) * row_count + row
                    out_starts[found] = start
                    out_stops[found] = stop
                found += 1
    return found
