"""Who moved: how many customers went from which segment to which, from month to month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import number_of
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle._months import Period
from ordercycle._page.content import Moves
from ordercycle._workspace import Workspace
from ordercycle_kernels.calendar import NO_DAY

#: Segments of a lifecycle: the higher the number, the better.
RANKS = {
    "Inactive (no orders)": 0, "Churned": 1, "At-risk": 2, "New – no orders": 3, "New – 1 order": 4,
    "New – 2+ orders": 5, "Promising": 6, "Active": 7, "Loyal": 8,
}  # fmt: skip


def moves_of(history: OrderHistory, membership: Membership, ends: Sequence[date]) -> Moves:
    """Count who was where at the ends of months, and at the ends of the ones before."""
    return moves_in(membership.segments, counted_moves(history, membership, ends))


def counted_moves(
    history: OrderHistory, membership: Membership, ends: Sequence[date]
) -> NDArray[np.int64]:
    """Count customers by where they were at an end, and at the next: (ends - 1, from, to).

    A customer is in one segment at a time; who is in several counts in the last of them. Who is in
    none counts in the place after all segments, and so does who is not there yet.
    """
    places = len(membership.segments) + 1
    source = intervals_of(membership)
    days = np.array([number_of(end) for end in ends], np.int32)

    def add(number: int, customers: CustomerBatch, workspace: Workspace) -> NDArray[np.int64]:
        timeline = source.timeline(number, customers, workspace)
        owners = np.repeat(np.arange(len(customers.ids)), np.diff(timeline.offsets))
        hidden = customers.visible == NO_DAY
        counts = np.zeros((days.size - 1, places, places), np.int64)
        before: NDArray[np.int64] | None = None
        for month, day in enumerate(days):
            there = (timeline.starts <= day) & (timeline.stops > day)
            codes = np.full(len(customers.ids), places - 1, np.int64)
            codes[owners[there]] = timeline.codes[there]
            codes[hidden | (customers.visible > day)] = places - 1
            if before is not None:
                pairs = np.bincount(before * places + codes, minlength=places**2)
                counts[month - 1] = pairs.reshape(places, places)
            before = codes
        return counts

    total = np.zeros((days.size - 1, places, places), np.int64)
    for counts in grouped_orders(history).scan(add):
        total += counts
    return total


def moves_in(segments: Sequence[str], total: NDArray[np.int64]) -> Moves:
    """Return the moves of counts."""
    total[:, -1, -1] = 0  # nowhere before and after: mostly who comes later
    return Moves(tuple(segments), ranks_of(segments), total.tolist())


def month_ends(period: Period) -> list[date]:
    """Return the days at whose ends months are compared: their last that counts."""
    return [min(month.last_day, period.last_day) for month in period.months.each()]


def ranks_of(segments: Sequence[str]) -> tuple[int, ...]:
    """Return which segments are better: those of a lifecycle by name, others as they are listed."""
    if all(name in RANKS for name in segments):
        return tuple(RANKS[name] for name in segments)
    return tuple(range(len(segments), 0, -1))
