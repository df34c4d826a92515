"""Segments of few people, merged, and numbers of few people, left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.intervals import Intervals, OfHistory
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle._membership.timeline import Timeline
from ordercycle._page.content import Cohorts, Grid, Moves
from ordercycle._workspace import Workspace
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY

OTHER = "Other"


class MergedIntervals(OfHistory):
    """The intervals of another membership, some of whose segments have become one."""

    def __init__(self, history: OrderHistory, source: Intervals, codes: Sequence[int]) -> None:
        super().__init__(history, int(FIRST_DAY), int(LAST_DAY))
        self._source = source
        self._codes = np.array(codes, np.int16)

    def unknown(self, history: OrderHistory) -> int:
        """Count the intervals of customers whom a history does not have."""
        return self._source.unknown(history)

    def timeline(self, number: int, customers: CustomerBatch, workspace: Workspace) -> Timeline:
        """Return the intervals of a part's customers: those of one segment are apart."""
        given = self._source.timeline(number, customers, workspace)
        owners = np.repeat(np.arange(given.offsets.size - 1), np.diff(given.offsets))
        codes = self._codes[given.codes]
        order = np.lexsort((given.starts, codes, owners))
        owners, codes = owners[order], codes[order]
        starts, stops = (days[order].astype(np.int64) for days in (given.starts, given.stops))
        # Where a customer's or a segment's intervals begin, all days so far lie far behind.
        is_new = np.ones(starts.size, np.bool_)
        is_new[1:] = (owners[1:] != owners[:-1]) | (codes[1:] != codes[:-1])
        lift = np.cumsum(is_new) * 2**32
        reached = np.maximum.accumulate(stops + lift) - lift
        begins = is_new.copy()
        begins[1:] |= starts[1:] > reached[:-1]
        firsts = np.flatnonzero(begins)
        lasts = np.append(firsts[1:], starts.size) - 1
        owners, codes, starts = owners[firsts], codes[firsts], starts[firsts]
        stops = reached[lasts] if firsts.size else stops
        order = np.lexsort((codes, starts, owners))
        sizes = np.bincount(owners, minlength=given.offsets.size - 1)
        return Timeline(
            np.concatenate([[0], np.cumsum(sizes)]),
            codes[order],
            starts[order].astype(np.int32),
            stops[order].astype(np.int32),
        )


def merged(
    history: OrderHistory, membership: Membership, small: Sequence[str]
) -> tuple[Membership, str]:
    """Return a membership whose small segments are one, behind the others, and its name."""
    kept = [name for name in membership.segments if name not in small]
    name = OTHER if OTHER not in kept else f"{OTHER} segments"
    codes = [kept.index(one) if one in kept else len(kept) for one in membership.segments]
    source = MergedIntervals(history, intervals_of(membership), codes)
    return Membership((*kept, name), source), name


def without_few(moves: Moves | None, least: int) -> Moves | None:
    """Return moves without those of fewer people."""
    if moves is None or least <= 1:
        return moves
    counts = np.array(moves.counts)
    counts[counts < least] = 0
    return replace(moves, counts=counts.tolist())


def grid_without_few(grid: Grid | None, customers: str, least: int) -> Grid | None:
    """Return a grid without the numbers of cells of fewer people."""
    if grid is None or least <= 1:
        return grid
    few = [[value is None or value < least for value in row] for row in grid.values[customers]]
    values = {name: _blanked(rows, few) for name, rows in grid.values.items()}
    return replace(grid, values=values)


def cohorts_without_few(cohorts: Cohorts | None, least: int) -> Cohorts | None:
    """Return cohorts without the numbers of those of fewer people."""
    if cohorts is None or least <= 1:
        return cohorts
    few = [size is None or size < least for size in cohorts.sizes]
    values = {
        name: _blanked(rows, [[is_few] * len(rows[0]) for is_few in few])
        for name, rows in cohorts.values.items()
    }
    sizes = [None if is_few else size for is_few, size in zip(few, cohorts.sizes, strict=True)]
    return replace(cohorts, values=values, sizes=sizes)


def _blanked(
    rows: Sequence[Sequence[float | None]], few: Sequence[Sequence[bool]]
) -> tuple[tuple[float | None, ...], ...]:
    return tuple(
        tuple(None if is_few else value for value, is_few in zip(row, marks, strict=True))
        for row, marks in zip(rows, few, strict=True)
    )
