"""Cells of counts and sums per segment and month: what a report is made of.

Three steps, for one machine and for clusters alike: `count` counts the customers of a history, the
whole one or a task's; `Cube.plus` adds what several counted; `SegmentReport.finish` turns the sum
into a report. All sums are exact, so that neither the parts nor their order matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import number_of
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.forgetting import forgotten_in
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle._membership.timeline import Timeline
from ordercycle._report.report_spec import Plan
from ordercycle._workspace import Workspace
from ordercycle_kernels import cube as kernels
from ordercycle_kernels import overlaps as overlap_kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.exact_sums import carry_sums

Cells = NDArray[np.int64]

#: Chunks are carried before they can have grown by this many times 2**32, half of their room.
MOST_GROWTH = 2**30


class Cube:
    """Counts and sums of the customers seen so far, per segment and month.

    `own` says where each customer is by the first membership, and so has everybody once; `further`
    has what other memberships say, and segments that overlap.
    """

    def __init__(self, plan: Plan, own: Cells | None = None, further: Cells | None = None) -> None:
        self.plan = plan
        self.own = self._nothing() if own is None else own
        self.further = further
        #: The same without customers who are forgotten, where there are any.
        self.known: Cube | None = None
        self._days = as_input(plan.columns_of_days())
        self._growth = 0

    def add(self, customers: CustomerBatch, timelines: Sequence[Timeline]) -> None:
        """Count customers, given where they were by each membership of the plan."""
        signs, matter = customers.order_signs(net_refunds=self.plan.net_refunds)
        people = kernels.Customers(
            as_input(customers.visible),
            as_input(customers.registered),
            as_input(customers.offsets),
            as_input(customers.days),
            as_input(customers.words.lows.view(np.int64)),
            as_input(customers.words.highs),
            as_input(signs),
        )
        tracks = [
            track
            for timeline, rows in zip(timelines, self.plan.rows, strict=True)
            for track in tracks_of(timeline, rows, self.plan)
        ]
        for number, track in enumerate(tracks):
            if self._growth > MOST_GROWTH:
                self.carry()
            is_first = number == 0
            self._growth += kernels.add_to_cells(
                people,
                track,
                self.plan.amount.is_float,
                matter,
                is_first,
                number_of(self.plan.period.first_day),
                self._days,
                self._cells(first=is_first),
            )

    def plus(self, other: Cube) -> Cube:
        """Return what both have counted."""
        self.carry()
        other.carry()
        both = [one.further for one in (self, other) if one.further is not None]
        further = reduce(np.add, both) if both else None
        return Cube(self.plan, self.own + other.own, further)

    def carry(self) -> None:
        """Make room in the chunks of all sums."""
        for cells in (self.own, self.further):
            if cells is None:
                continue
            for field in range(kernels.WHOLE_NUMBERS, kernels.WHOLE_NUMBERS + kernels.SUMS):
                sums = np.ascontiguousarray(cells[:, field :: kernels.SUMS])
                carry_sums(sums)
                cells[:, field :: kernels.SUMS] = sums
        self._growth = 0

    def sparse(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the places and values of what is not 0: equal places of parts may be added."""
        self.carry()
        blocks = [self.own] if self.further is None else [self.own, self.further]
        cells = np.concatenate(blocks).reshape(-1)
        places = np.flatnonzero(cells)
        return places, cells[places]

    @classmethod
    def dense(cls, plan: Plan, places: NDArray[np.int64], values: NDArray[np.int64]) -> Cube:
        """Return the cube of places and values; those of one place are added."""
        size = int(np.prod(plan.shape))
        cells = np.zeros((2, size), np.int64)
        np.add.at(cells.reshape(-1), places, values)
        own, further = cells.reshape(2, -1, plan.shape[-1])
        return cls(plan, own, further if further.any() else None)

    def _cells(self, *, first: bool) -> Cells:
        if first:
            return self.own
        if self.further is None:
            self.further = self._nothing()
        return self.further

    def _nothing(self) -> Cells:
        rows, columns, width = self.plan.shape
        return np.zeros((rows * columns, width), np.int64)


def count(
    history: OrderHistory,
    memberships: Sequence[Membership],
    plan: Plan,
    *,
    known_only: bool = False,
) -> Cube:
    """Return the cube of a history, of which each thread counts some parts.

    known_only: without customers who are forgotten.
    """
    idle: deque[Cube] = deque()
    sources = [intervals_of(membership) for membership in memberships]
    orders = grouped_orders(history)

    def add(number: int, everyone: CustomerBatch, workspace: Workspace) -> None:
        customers = without_forgotten(orders, everyone) if known_only else everyone
        try:
            cube = idle.pop()
        except IndexError:  # other threads have theirs
            cube = Cube(plan)
        cube.add(customers, [one.timeline(number, customers, workspace) for one in sources])
        idle.append(cube)

    for _ in orders.scan(add):
        pass
    return reduce(Cube.plus, idle, Cube(plan))


def without_forgotten(orders: GroupedOrders, customers: CustomerBatch) -> CustomerBatch:
    """Return the customers of a batch but for those who are forgotten."""
    forgotten = forgotten_in(orders, customers.ids)
    return customers if forgotten is None else customers.select(~forgotten)


def tracks_of(timeline: Timeline, rows: NDArray[np.int64], plan: Plan) -> list[kernels.Track]:
    """Return where customers are when, as tracks on which each is in one place at a time."""
    track = _track(timeline, rows)
    if overlap_kernels.count_overlaps(track.offsets, track.starts, track.stops) == 0:
        return [track]
    overlaps = np.zeros((plan.shape[0], plan.shape[0]), np.int64)
    overlap_kernels.mark_overlaps(*track, overlaps)
    # Chosen segments that never share a customer share a track.
    tracks: list[list[int]] = [[]]
    for code in np.flatnonzero(rows < len(plan.segments)).tolist():
        room = (codes for codes in tracks if not overlaps[rows[code], rows[codes]].any())
        codes = next(room, None)
        if codes is None:
            tracks.append([code])
        else:
            codes.append(code)
    return [_track(_only(timeline, codes), rows) for codes in tracks]


def _track(timeline: Timeline, rows: NDArray[np.int64]) -> kernels.Track:
    arrays: list[NDArray[Any]] = [
        timeline.offsets, timeline.codes, timeline.starts, timeline.stops, rows
    ]  # fmt: skip
    return kernels.Track(*map(as_input, arrays))


def _only(timeline: Timeline, codes: list[int]) -> Timeline:
    """Return the intervals of some segments."""
    kept = np.isin(timeline.codes, codes)
    offsets = np.concatenate([[0], np.cumsum(kept)])[timeline.offsets]
    return Timeline(offsets, timeline.codes[kept], timeline.starts[kept], timeline.stops[kept])
