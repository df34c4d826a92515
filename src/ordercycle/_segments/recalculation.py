"""Memberships from profiles as of the days of a schedule, for schemes of any kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._days import date_of
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.membership import Membership
from ordercycle._membership.scheduled import Assign, Recalculation, Schedule, ScheduledIntervals
from ordercycle._segments.assigning import NO_CODE, codes_of


class Recalculated(Protocol):
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


A = TypeVar("A", bound=Recalculated)
#: Returns those columns of a profile whose names are needed.
ProfileOf: TypeAlias = Callable[[Callable[[str], bool]], pa.Table]
#: Returns a profile with a scheme's columns, by so many threads.
Assigning: TypeAlias = Callable[[pa.Table, int | None], pa.Table]


class Steps(NamedTuple, Generic[A]):
    """What is done with each scheme of a recalculation.

    refit: returns it fitted to a profile as of a day, or None where nobody is there to fit it to;
    as_of: returns what assigns it as of a day. Days are counted since 1970-01-01.
    """

    refit: Callable[[A, ProfileOf, int], A | None]
    as_of: Callable[[A, int], Assigning]


def recalculated(
    history: OrderHistory,
    schedule: Schedule,
    window_days: int | None,
    schemes: Sequence[A],
    steps: Steps[A],
) -> Membership:
    """Return the membership of the last of some schemes, each assigned after those before it."""
    last = schemes[-1]
    in_force = {day: _as_of(day, history, window_days, schemes, steps) for day in schedule.days}
    recalculations = []
    for day, fitted in in_force.items():
        builder = grouped_orders(history).profiles(day, window_days)
        assign = _assign(fitted, last.name, last.segments)
        # What is missing is missing from a profile of nobody too, and reported now.
        assign(pa.RecordBatch.from_pylist([], schema=builder.schema))
        recalculations.append(Recalculation(builder, assign))
    intervals = ScheduledIntervals(history, recalculations, schedule.first, schedule.last)
    return Membership(last.segments, intervals)


def _as_of(
    day: int,
    history: OrderHistory,
    window_days: int | None,
    schemes: Sequence[A],
    steps: Steps[A],
) -> list[Assigning]:
    """Return what assigns schemes as the profile as of a day makes them; none without customers."""
    assigning: list[Assigning] = []

    def profile_of(needed: Callable[[str], bool]) -> pa.Table:
        batches = []
        for batch in history.profile_batches(date_of(day), window_days):
            table = _assigned(batch, assigning)
            batches.append(table.select([name for name in table.column_names if needed(name)]))
        return pa.concat_tables(batches)

    for scheme in schemes:
        made = steps.refit(scheme, profile_of, day) if scheme.refits else scheme
        if made is None:
            return []
        assigning.append(steps.as_of(made, day))
    return assigning


def _assign(assigning: Sequence[Assigning], name: str, segments: tuple[str, ...]) -> Assign:
    """Return what gives customers the code of the last scheme's segment, after those before it.

    name, segments: of the last scheme.
    """

    def assign(profile: pa.RecordBatch) -> NDArray[np.int8]:
        if not assigning:
            return np.full(profile.num_rows, NO_CODE)
        column = _assigned(profile, assigning).column(name)
        return codes_of(column, segments, profile.num_rows, name)

    return assign


def _assigned(profile: pa.RecordBatch, assigning: Sequence[Assigning]) -> pa.Table:
    """Return a profile with the columns of schemes."""
    table = pa.Table.from_batches([profile])
    for assign in assigning:
        table = assign(table, 1)
    return table
