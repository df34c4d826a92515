"""Memberships from profiles as of the days of a schedule, for schemes of any kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._days import date_of
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.membership import Membership
from ordercycle._membership.scheduled import Assign, Recalculation, Schedule, ScheduledIntervals
from ordercycle._segments.assigning import NO_CODE, codes_of


class Assigning(Protocol):
    """What a recalculation needs of a scheme."""

    @property
    def name(self) -> str:
        """The column that is added."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in the order of their codes."""

    @property
    def refits(self) -> bool:
        """Whether each recalculation fits it again."""

    def assign(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Return a profile with the scheme's column."""


A = TypeVar("A", bound=Assigning)
#: Returns those columns of a profile whose names are needed.
ProfileOf: TypeAlias = Callable[[Callable[[str], bool]], pa.Table]


def recalculated(
    history: OrderHistory,
    schedule: Schedule,
    window_days: int | None,
    schemes: Sequence[A],
    refit: Callable[[A, ProfileOf], A | None],
) -> Membership:
    """Return the membership of the last of some schemes, each assigned after those before it.

    refit: returns a scheme fitted to a profile, or None where nobody is there to fit it to.
    """
    segments = schemes[-1].segments
    in_force = {day: _as_of(day, history, window_days, schemes, refit) for day in schedule.days}
    recalculations = []
    for day, fitted in in_force.items():
        builder = grouped_orders(history).profiles(day, window_days)
        assign = _assign(fitted, segments)
        # What is missing is missing from a profile of nobody too, and reported now.
        assign(pa.RecordBatch.from_pylist([], schema=builder.schema))
        recalculations.append(Recalculation(builder, assign))
    intervals = ScheduledIntervals(history, recalculations, schedule.first, schedule.last)
    return Membership(segments, intervals)


def _as_of(
    day: int,
    history: OrderHistory,
    window_days: int | None,
    schemes: Sequence[A],
    refit: Callable[[A, ProfileOf], A | None],
) -> list[A]:
    """Return schemes as the profile as of a day makes them; none where there is nobody."""
    fitted: list[A] = []

    def profile_of(needed: Callable[[str], bool]) -> pa.Table:
        batches = []
        for batch in history.profile_batches(date_of(day), window_days):
            table = _assigned(batch, fitted)
            batches.append(table.select([name for name in table.column_names if needed(name)]))
        return pa.concat_tables(batches)

    for scheme in schemes:
        made = refit(scheme, profile_of) if scheme.refits else scheme
        if made is None:
            return []
        fitted.append(made)
    return fitted


def _assign(schemes: Sequence[Assigning], segments: tuple[str, ...]) -> Assign:
    """Return what gives customers the code of the last scheme's segment, after those before it."""

    def assign(profile: pa.RecordBatch) -> NDArray[np.int8]:
        if not schemes:
            return np.full(profile.num_rows, NO_CODE)
        name = schemes[-1].name
        column = _assigned(profile, schemes).column(name)
        return codes_of(column, segments, profile.num_rows, name)

    return assign


def _assigned(profile: pa.RecordBatch, schemes: Sequence[Assigning]) -> pa.Table:
    """Return a profile with the columns of schemes."""
    table = pa.Table.from_batches([profile])
    for scheme in schemes:
        table = scheme.assign(table, threads=1)
    return table
