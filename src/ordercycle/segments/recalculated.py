"""Memberships of schemes that are made anew on a schedule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle.arrow_views import fixed_view
from ordercycle.history.order_history import OrderHistory
from ordercycle.membership.membership import Membership
from ordercycle.membership.scheduled import (
    NOWHERE,
    Assign,
    Recalculation,
    Schedule,
    ScheduledIntervals,
)
from ordercycle.segments.scheme import Scheme


def recalculated(
    history: OrderHistory,
    segments: tuple[str, ...],
    assign_as_of: Callable[[int], Assign],
    *,
    start: date | str | None,
    end: date | str | None,
    every: str,
    window_days: int | None,
) -> Membership:
    """Return the membership of a scheme that is made anew on a schedule.

    assign_as_of: what gives segments from a day on, made from what was known at its end.
    """
    schedule = Schedule.of(history, start, end, every)
    recalculations = [Recalculation(day, assign_as_of(day)) for day in schedule.days]
    return Membership(
        segments, ScheduledIntervals(history, recalculations, window_days, schedule.first)
    )


def codes_of(scheme: Scheme) -> Assign:
    """Return what gives the customers of a profile the codes of a scheme's segments."""

    def assign(profile: pa.RecordBatch) -> NDArray[np.int8]:
        table = scheme.assign(pa.Table.from_batches([profile]), threads=1)
        column = table.column(scheme.name).combine_chunks()
        codes = fixed_view(column.indices, np.int8)
        if column.null_count == 0:
            return codes
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        return np.where(valid, codes, np.int8(NOWHERE))

    return assign


def nowhere(profile: pa.RecordBatch) -> NDArray[np.int8]:
    """Give nobody a segment: where there is nobody to make a scheme from."""
    return np.full(profile.num_rows, NOWHERE, np.int8)
