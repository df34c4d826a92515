"""What happened to customers, as facts that are added to the cells of a report.

A fact has a place: a key, such as a channel, and a row of the report; and a month. Most places have
none, so that cells are given out as they are needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ordercycle_kernels._jit import inlined, kernel
from ordercycle_kernels._types import (
    Bools,
    Int16s,
    Int32Out,
    Int32s,
    Int64Out,
    Int64s,
    Int64Table,
)
from ordercycle_kernels.cube import NO_ROW, Track, column_at
from ordercycle_kernels.exact_sums import (
    FLOAT_CHUNKS,
    NOTHING,
    pieces_of_float,
    pieces_of_word,
    pieces_of_words,
)
from ordercycle_kernels.sparse_cells import Cells, cell_of, has_room

#: No place, and no cell.
NOWHERE = -1

# c = customers, n = facts, j = keys of each, m = intervals, d = days
# s = cells, p = places, w = width of a cell


class FactRows(NamedTuple):
    """What happened to customers, one after the other.

    offsets: (c + 1,); days, counts: (n,); lows: (n,), or (0,) where there are no amounts; highs:
    (n,), or (0,) where one word holds an amount; are_less (amounts that are taken off): (n,), or
    (0,) where none is.
    """

    offsets: Int64s
    days: Int32s
    counts: Int64s
    lows: Int64s
    highs: Int64s
    are_less: Bools


class Grid(NamedTuple):
    """The rows and columns of a report.

    columns (of each day from the first one on): (d,); sizes (the first day, rows with that of all
    customers at the end, columns): (3,).
    """

    columns: Int32s
    sizes: Int64s


class States(NamedTuple):
    """In which states customers are: members, or subscribed in a channel.

    offsets: (c + 1,); codes, starts, stops (exclusive): (i,), those of a customer and code without
    overlaps.
    """

    offsets: Int64s
    codes: Int16s
    starts: Int32s
    stops: Int32s


@inlined
def column_on(grid: Grid, day: int) -> np.int64:
    """Return the column of a day: 0 before the months, negative after them."""
    behind = day - grid.sizes[0]
    if behind >= grid.columns.size:
        return np.int64(NOWHERE)
    return column_at(grid.columns, behind)


@inlined
def interval_on(track: Track, first: int, last: int, interval: int, day: int) -> np.int64:
    """Return the first interval, from one on, that is not over on a day.

    Days ascend, but for those of other things than the facts themselves.
    """
    if interval > first and day < track.stops[interval - 1]:
        interval = first
    while interval < last and track.stops[interval] <= day:
        interval += 1
    return np.int64(interval)


@inlined
def row_in(track: Track, last: int, interval: int, day: int) -> np.int64:
    """Return the row of an interval that is not over, NO_ROW where it has not begun."""
    if interval < last and track.starts[interval] <= day:
        return track.rows[track.codes[interval]]
    return np.int64(NO_ROW)


@kernel
def rows_at(track: Track, offsets: Int64s, days: Int32s, out_rows: Int64Out) -> None:
    """Write in which row of a report a customer is on the days of facts, NO_ROW for none.

    offsets: (c + 1,), where the facts of each customer begin; days, out_rows: (n,).
    """
    for customer in range(offsets.size - 1):
        first, last = track.offsets[customer], track.offsets[customer + 1]
        interval = np.int64(first)
        for fact in range(offsets[customer], offsets[customer + 1]):
            day = np.int64(days[fact])
            interval = interval_on(track, first, last, interval, day)
            out_rows[fact] = row_in(track, last, interval, day)


@kernel
def add_facts_at(
    facts: FactRows,
    keys: Int64Table,
    track: Track,
    grid: Grid,
    everyone: bool,
    start: int,
    cells: Cells,
) -> int:
    """Add facts from one on to their cells, and return up to which there was room.

    everyone: also to the last row, that of all customers; cells: by key, row and column, a count,
    and behind it the chunks of a sum, floats where they are wider than integers need; keys (NOWHERE
    for none): (j, n).
    """
    rows, columns = grid.sizes[1], grid.sizes[2]
    are_floats = cells.values.shape[1] > FLOAT_CHUNKS
    most = 2 * keys.shape[0]
    for customer in range(facts.offsets.size - 1):
        first, last = track.offsets[customer], track.offsets[customer + 1]
        interval = np.int64(first)
        for fact in range(max(facts.offsets[customer], start), facts.offsets[customer + 1]):
            day = np.int64(facts.days[fact])
            column = column_on(grid, day)
            if column < 0:
                continue
            if not has_room(cells, most):
                return fact
            interval = interval_on(track, first, last, interval, day)
            own = row_in(track, last, interval, day)
            chunk, pieces = NOTHING, (NOTHING, NOTHING, NOTHING, NOTHING)
            if facts.lows.size:
                if are_floats:
                    chunk, pieces = pieces_of_float(facts.lows[fact])
                elif facts.highs.size:
                    chunk, pieces = pieces_of_words(facts.lows[fact], facts.highs[fact])
                else:
                    chunk, pieces = pieces_of_word(facts.lows[fact])
            sign = np.int64(1)
            if facts.are_less.size and facts.are_less[fact]:
                sign = np.int64(-1)
            for which in range(2):
                row = own if which == 0 else rows - 1
                if row < 0 or (which == 1 and not everyone):
                    continue
                for key in range(keys.shape[0]):
                    if keys[key, fact] < 0:
                        continue
                    cell = cell_of((keys[key, fact] * rows + row) * columns + column, cells)
                    cells.values[cell, np.uint64(0)] += facts.counts[fact]
                    if facts.lows.size == 0:
                        continue
                    for piece in range(4):
                        if pieces[piece] != 0:
                            cells.values[cell, np.uint64(1 + chunk + piece)] += sign * pieces[piece]
    return facts.days.size


@inlined
def count_pair(
    owner: int, key: int, row: int, column: int, grid: Grid, out_stamps: Int64Out, pairs: Cells
) -> None:
    """Count that a customer came to a key and row, by the last month until then, and the month.

    Those who come again in a month are counted with that month as the one before, which says
    nothing of customers: to leave them out here would be guessed wrong too often.
    """
    rows, columns = grid.sizes[1], grid.sizes[2]
    place = np.uint64(key * rows + row)
    begin = owner * columns
    last = max(out_stamps[place], begin)
    cell = cell_of((np.int64(place) * columns + last - begin) * columns + column, pairs)
    pairs.values[cell, np.uint64(0)] += 1
    out_stamps[place] = max(last, begin + column)


@kernel
def add_pairs_at(
    facts: FactRows,
    keys: Int64Table,
    track: Track,
    grid: Grid,
    everyone: bool,
    before: int,
    start: int,
    out_stamps: Int64Out,
    pairs: Cells,
) -> int:
    """Count the customers of facts from one on, by key and row; return up to which there was room.

    They are counted by the last month until then in which they came there, counted from 1 on and 0
    for never, and the month: where these differ, once per key, row and month.

    everyone: also on the last row; before: how many customers were counted already; keys (NOWHERE
    for none): (j, n); out_stamps (who came last to a key and row, and when): (p,).
    """
    rows = grid.sizes[1]
    most = 2 * keys.shape[0]
    for customer in range(facts.offsets.size - 1):
        first, last = track.offsets[customer], track.offsets[customer + 1]
        interval = np.int64(first)
        for fact in range(max(facts.offsets[customer], start), facts.offsets[customer + 1]):
            day = np.int64(facts.days[fact])
            column = column_on(grid, day)
            if column < 1:
                continue
            if not has_room(pairs, most):
                return fact
            interval = interval_on(track, first, last, interval, day)
            row = row_in(track, last, interval, day)
            for place in range(keys.shape[0]):
                key = keys[place, fact]
                if key < 0:
                    continue
                owner = before + customer + 1
                if row >= 0:
                    count_pair(owner, key, row, column, grid, out_stamps, pairs)
                if everyone:
                    count_pair(owner, key, rows - 1, column, grid, out_stamps, pairs)
    return facts.days.size


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
