"""Counting a report of several streams: batch by batch, in one walk over all of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ordercycle._attribution.credit_counts import CreditSummary
from ordercycle._attribution.credit_scan import Meeting
from ordercycle._days import number_of
from ordercycle._grouping.amount_words import NO_WORDS
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.side_by_side import Rows, SideBySide
from ordercycle._membership.intervals import Intervals
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle._membership.timeline import Timeline
from ordercycle._report.blocks import BlockCells, SparseCells
from ordercycle._report.cube import Cube, tracks_of, without_forgotten
from ordercycle._report.deliveries import Linker
from ordercycle._report.facts import Facts, Situation
from ordercycle._report.order_facts import FactReader
from ordercycle._report.quantities import (
    CLICKED,
    DELIVERED,
    MEMBERS,
    OPENED,
    REACHED,
    SUBSCRIBED,
    UNSUBSCRIBED,
)
from ordercycle._report.report_spec import Plan
from ordercycle._report.sources import Sources, View
from ordercycle._report.visits import VisitReader
from ordercycle._workspace import Workspace
from ordercycle_kernels import cube as cube_kernels
from ordercycle_kernels import messages as message_kernels
from ordercycle_kernels import report_facts as kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.timeline import OPEN

R = TypeVar("R")
Int64s = NDArray[np.int64]


@dataclass
class Counted:
    """What a report is read from: cells of all orders by view, and of the blocks beside them."""

    plan: Plan
    sources: Sources
    views: dict[View, Cube]
    blocks: dict[str, BlockCells] = field(default_factory=dict)
    #: Deliveries and what became of them, by all that tells them apart.
    leaves: SparseCells = field(default_factory=lambda: SparseCells(message_kernels.COUNTS, 0))
    summary: CreditSummary = field(default_factory=CreditSummary)
    #: Campaigns and days on which they were sent, from which orders may still come.
    unfinished: set[tuple[str, int]] = field(default_factory=set)
    #: Events of points without a kind or a number.
    unclear_points: int = 0
    #: Events of points of people who are no members on their day.
    points_of_others: int = 0
    #: The same without customers who are forgotten, where there are any.
    known: Counted | None = None

    @classmethod
    def nothing(cls, plan: Plan, sources: Sources) -> Counted:
        """Return what is counted of nobody."""
        blocks = {name: BlockCells(one) for name, one in sources.blocks(plan).items()}
        views = {view: Cube(plan) for view in sources.views}
        return cls(plan, sources, views, blocks, _no_leaves(plan, sources))

    @classmethod
    def of_orders(cls, cube: Cube, sources: Sources) -> Counted:
        """Return what is counted of orders alone."""
        return cls(cube.plan, sources, {sources.views[0]: cube})

    def plus(self, other: Counted) -> Counted:
        """Return what both have counted; the blocks are those of the first."""
        for name, cells in self.blocks.items():
            cells.plus(other.blocks[name])
        self.leaves.add(*other.leaves.there)
        views = {view: cube.plus(other.views[view]) for view, cube in self.views.items()}
        summary = self.summary.plus(other.summary)
        unfinished = self.unfinished | other.unfinished
        return replace(
            self,
            views=views,
            summary=summary,
            unfinished=unfinished,
            unclear_points=self.unclear_points + other.unclear_points,
            points_of_others=self.points_of_others + other.points_of_others,
        )

    def with_messages(self) -> Counted:
        """Return the same with deliveries in their blocks: of everything, channels and so on."""
        touched, by_code = self.sources.touched, self.sources.keys_by_code
        if touched is None or by_code is None:
            return self
        rows, columns, _ = self.plan.shape
        codes, counts = self.leaves.there
        codes, months = np.divmod(codes, columns)
        leaves, its_rows = np.divmod(codes, 2 * rows)
        brands = np.zeros(1, np.int64) if touched.brands is None else touched.brands
        leaves, its_brands = np.divmod(leaves, brands.size)
        # Everybody is on one of the first rows, nobody's included; of further tracks are those
        # behind them.
        is_segment = its_rows % rows != rows - 1
        on_rows = (
            np.where(is_segment, its_rows % rows, kernels.NOWHERE),
            np.where(its_rows < rows, rows - 1, kernels.NOWHERE),
        )
        for number, name in enumerate((DELIVERED, OPENED, CLICKED, UNSUBSCRIBED)):
            cells, values = self.blocks[name], np.ascontiguousarray(counts[:, number])
            size = len(cells.plan.keys)
            for own in by_code.leaves[leaves].T:
                for view in {0, 1} if touched.brands is not None else {0}:
                    behind = brands[its_brands] * size * view
                    for row in on_rows:
                        its = ((own + behind) * rows + row) * columns + months
                        its[(own < 0) | (row < 0) | (behind < 0) | (values == 0)] = kernels.NOWHERE
                        cells.add(its, values)
        return replace(self, leaves=_no_leaves(self.plan, self.sources))

    def is_unfinished(self, campaign: str, first: int, last: int) -> bool:
        """Return whether a campaign was sent on such a day from the first to the last."""
        return any(one == campaign and first <= day <= last for one, day in self.unfinished)


def _no_leaves(plan: Plan, sources: Sources) -> SparseCells:
    """Return room for deliveries by leaf, row (of this track or further ones) and month."""
    touched, by_code = sources.touched, sources.keys_by_code
    leaves = 0
    if touched is not None and by_code is not None:
        leaves = len(by_code.leaves) * (1 if touched.brands is None else touched.brands.size)
    rows, columns, _ = plan.shape
    return SparseCells(message_kernels.COUNTS, leaves * 2 * rows * columns)


class Places:
    """Where customers of a batch are in the report: on which rows, in which months."""

    def __init__(self, plan: Plan, timelines: Sequence[Timeline], grid: kernels.Grid) -> None:
        self.grid = grid
        nowhere = len(plan.segments)
        self.rows_of_all = len(plan.segments)
        #: On each of them a customer is in one segment at a time; None where the row is nobody's.
        self.tracks = [
            cube_kernels.Track(
                track.offsets, track.codes, track.starts, track.stops,
                as_input(np.where(track.rows == nowhere, cube_kernels.NO_ROW, track.rows)),
            )
            for timeline, rows in zip(timelines, plan.rows, strict=True)
            for track in tracks_of(timeline, rows, plan)
        ]  # fmt: skip
        self.timelines = [
            cube_kernels.Track(
                as_input(one.offsets), as_input(one.codes), as_input(one.starts),
                as_input(one.stops),
                as_input(np.where(rows == nowhere, cube_kernels.NO_ROW, rows)),
            )
            for one, rows in zip(timelines, plan.rows, strict=True)
        ]  # fmt: skip

    def columns(self, days: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the column of each day: 0 before the months, negative after them."""
        columns = self.grid.columns
        behind = days.astype(np.int64) - self.grid.sizes[0]
        inside = np.clip(behind, 0, columns.size - 1)
        found = np.where(behind < 0, np.int32(0), columns[inside])
        return np.where(behind >= columns.size, np.int32(kernels.NOWHERE), found).astype(np.int32)


class Worker:
    """What one thread counts, and its room; until: as for `FactReader`, horizon: `ReportScan`."""

    def __init__(
        self,
        plan: Plan,
        sources: Sources,
        until: int | None,
        horizon: int | None,
        sent_since: int | None = None,
    ) -> None:
        self.counted = Counted.nothing(plan, sources)
        rows, columns, _ = plan.shape
        sizes = np.array([number_of(plan.period.first_day), rows, columns])
        self._grid = kernels.Grid(as_input(plan.columns_of_days()), as_input(sizes))
        self._reader = FactReader(sources, until)
        self._linker = Linker.of(sources, horizon)
        self._visits = VisitReader.of(sources, horizon)
        since = sources.unfinished_since(until) if sent_since is None else sent_since
        self._unfinished = since
        self._customers = 0

    def add(
        self,
        there: Situation,
        timelines: Sequence[Timeline],
        states: Mapping[str, list[kernels.States]],
    ) -> None:
        """Count a batch of customers."""
        counted = self.counted
        views = list(self._reader.views(there.batch))
        for seen in views:
            counted.views[seen.view].add(seen.batch, timelines)
        places = Places(counted.plan, timelines, self._grid)
        touches = self._reader.of_touches(there, self._linker)
        if touches is not None:
            counted.summary = counted.summary.plus(touches.summary)
            counted.unfinished |= touches.sent_since(self._unfinished)
            self._add_messages(places, touches.deliveries.sent)
            self._add_visits(places, touches.met)
        counted.unclear_points += self._reader.unclear_points(there)
        counted.points_of_others += self._reader.points_of_others(there)
        for facts in self._reader.facts(there, views, touches):
            self._add(places, facts)
        for block, one in states.items():
            self._add_states(places, block, one)
        self._customers += len(there.batch.ids)

    def _add_messages(self, places: Places, sent: message_kernels.Sent) -> None:
        """Count deliveries by leaf, and the customers that they reached by key."""
        sources, reached = self.counted.sources, self.counted.blocks[REACHED]
        by_code, touched = sources.keys_by_code, sources.touched
        if by_code is None or touched is None:
            return
        brands = np.zeros(1, np.int64)
        if touched.brands is not None:
            brands = touched.brands * len(reached.plan.keys)
        stamps, pairs = reached.pairs
        leaves = self.counted.leaves
        for number, track in enumerate(places.tracks):
            start, size = 0, sent.rows.size
            while start < size:
                start = message_kernels.count_messages(
                    sent,
                    by_code.leaves,
                    brands,
                    track,
                    self._grid,
                    number == 0,
                    self._customers,
                    start,
                    stamps,
                    leaves.cells,
                    pairs.cells,
                )
                if start < size:
                    leaves.make_room(1)
                    pairs.make_room(4 * by_code.leaves.shape[1])

    def _add_visits(self, places: Places, met: Meeting) -> None:
        """Count visits without a customer: of everybody, as such people are in no segment."""
        for facts in () if self._visits is None else self._visits.facts(met):
            cells = self.counted.blocks[facts.block]
            months = places.columns(facts.days)
            for keys in facts.keys:
                row = keys * cells.plan.rows + places.rows_of_all
                at = row * cells.plan.columns + months
                at[(keys < 0) | (months < 0)] = kernels.NOWHERE
                cells.add(at, facts.counts)

    def _add(self, places: Places, facts: Facts) -> None:
        """Count facts on all of their rows, under all of their keys."""
        if not facts.days.size:
            return
        cells = self.counted.blocks[facts.block]
        words = facts.words if cells.plan.chunks else None
        lows, highs = (NO_WORDS, NO_WORDS) if words is None else words
        arrays: list[NDArray[Any]] = [
            facts.offsets, facts.days, facts.counts, lows.view(np.int64), highs, facts.are_less
        ]  # fmt: skip
        rows = kernels.FactRows(*map(as_input, arrays))
        keys = np.stack(facts.keys)
        for number, track in enumerate(places.tracks):
            cells.add_facts(
                rows, keys, track, self._grid, everyone=number == 0, before=self._customers
            )

    def _add_states(self, places: Places, block: str, states: list[kernels.States]) -> None:
        """Count who is in a state at the end of months: who comes into it, less who leaves."""
        cells = self.counted.blocks[block]
        plan = cells.plan
        for behind, one in enumerate(states):
            everyone = one.codes.astype(np.int64) * plan.rows + places.rows_of_all
            found = [meetings(track, one, plan.rows) for track in places.timelines]
            for its, starts, stops in (*found, (everyone, one.starts, one.stops)):
                for days, sign in ((starts, 1), (stops, -1)):
                    months = places.columns(days)
                    at = (its + behind * plan.rows) * plan.columns + months
                    at[(months < 0) | (days == OPEN)] = kernels.NOWHERE
                    cells.add(at, np.full(its.size, sign))


def meetings(
    track: cube_kernels.Track, states: kernels.States, rows: int
) -> tuple[Int64s, NDArray[np.int32], NDArray[np.int32]]:
    """Return when customers are on a row and in a state at once: where, from when, until when."""
    room = states.codes.size
    while True:
        places = np.empty(room, np.int64)
        starts, stops = np.empty((2, room), np.int32)
        found = kernels.meet_states(track, states, rows, places, starts, stops)
        if found <= room:
            return places[:found], starts[:found], stops[:found]
        room = found


def as_states(timeline: Timeline) -> kernels.States:
    """Return intervals as states, for kernels."""
    arrays: list[NDArray[Any]] = [
        timeline.offsets, timeline.codes, timeline.starts, timeline.stops
    ]  # fmt: skip
    return kernels.States(*map(as_input, arrays))


@dataclass(frozen=True)
class ReportScan:
    """The walk over all streams of a report.

    horizon: the day after which nothing marks a message, None: all that is known does.
    """

    sources: Sources
    memberships: tuple[Membership, ...]
    horizon: int | None = None

    def count(
        self,
        plan: Plan,
        until: int | None = None,
        *,
        known_only: bool = False,
        sent_since: int | None = None,
    ) -> Counted:
        """Return what is counted of all customers.

        until: after which day orders do not exist; known_only: without customers who are forgotten;
        sent_since: the day from which on orders may still come from what is sent, where others know
        it better.
        """
        idle: deque[Worker] = deque()

        def work(there: Situation, workspace: Workspace) -> None:
            try:
                worker = idle.pop()
            except IndexError:  # other threads have theirs
                worker = Worker(plan, self.sources, until, self.horizon, sent_since)
            timelines = [one.timeline(0, there.batch, workspace) for one in self._intervals]
            worker.add(there, timelines, self._states(there, workspace))
            idle.append(worker)

        for _ in self.scan(work, known_only=known_only):
            pass
        found = [one.counted for one in idle] or [Counted.nothing(plan, self.sources)]
        return reduce(Counted.plus, found).with_messages()

    def scan(
        self, work: Callable[[Situation, Workspace], R], *, known_only: bool = False
    ) -> Iterator[R]:
        """Yield what work makes of each batch of customers; known_only: as for `count`."""
        streams = SideBySide(self.sources.streams, self.sources.orders.threads)
        workspace = Workspace()  # a set of arrays per thread

        def situation(batches: Sequence[Any]) -> Situation:
            if known_only:
                everyone, *others = batches
                batches = [without_forgotten(self.sources.orders, everyone), *others]
            return self.situation(batches, workspace)

        return streams.scan(lambda batches: work(situation(batches), workspace))

    def situation(self, batches: Sequence[Any], workspace: Workspace) -> Situation:
        """Return a batch of customers, and all that happened to them."""
        sources = self.sources
        met = None
        if sources.touched is None:
            batch: CustomerBatch = batches[0]
            hidden = batch.hidden(drop_unknown=sources.orders.spec.drop_unknown)
            if hidden is not None:
                batch = batch.select(~hidden)
        else:
            met = sources.touched.scan.meeting(batches)
            batch = met.orders.batch
        points = None if sources.points is None else batches[-1]
        members = None
        if sources.loyalty is not None:
            intervals = intervals_of(sources.loyalty.members)
            members = as_states(intervals.timeline(0, batch, workspace))
        return Situation(
            batch, met, points, None if points is None else Rows.of(points, batch.ids), members
        )

    @property
    def _intervals(self) -> list[Intervals]:
        return [intervals_of(one) for one in self.memberships]

    def _states(self, there: Situation, workspace: Workspace) -> dict[str, list[kernels.States]]:
        """Return the states whose customers are counted, by block, in the order of the keys."""
        found = {}
        if there.member_states is not None:
            found[MEMBERS] = [there.member_states]
        if self.sources.subscriptions is not None:
            both = (self.sources.subscriptions.anywhere, self.sources.subscriptions.by_channel)
            found[SUBSCRIBED] = [
                as_states(intervals_of(one).timeline(0, there.batch, workspace)) for one in both
            ]
        return found
