"""Memberships of schemes that are recalculated on a schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Self, TypeAlias, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view
from ordercycle._days import date_of
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.membership import Membership
from ordercycle._membership.scheduled import (
    Assign,
    Recalculation,
    Schedule,
    ScheduledIntervals,
)
from ordercycle._segments.scheme import NO_CODE, Scheme

#: Returns those columns of a profile whose names are needed.
ProfileOf: TypeAlias = Callable[[Callable[[str], bool]], pa.Table]
#: Schemes in force from a day on, in the order of assigning; none where there is nobody.
Made: TypeAlias = tuple[Scheme, ...]


class Recalculated:
    """A scheme whose memberships come from profiles as of the days of a schedule."""

    def membership(
        self,
        history: OrderHistory,
        start: date | str | None = None,
        end: date | str | None = None,
        *,
        every: str = "month",
        window_days: int | None = None,
        schemes: Sequence[Scheme] = (),
    ) -> Membership:
        """Return who was in which segment, and when, recalculated on a schedule.

        The segments are those of the profile as of the last day of every day, ISO week or
        calendar month, which is what is known when the next one begins. They hold from this day
        until the next recalculation. Scores of RFM are fitted again each time, unless their cuts
        were given by hand; rules stay as they are.

        Parameters
        ----------
        history
            The orders.
        start
            The first day: what was calculated last before it holds on it. None: the day of the
            first order, which no calculation comes before.
        end
            The last day, as of which the membership is known: what it then is stays open. None:
            the day of the last order.
        every
            ``"day"``, ``"week"`` (as of Sundays) or ``"month"`` (as of the last days of months).
        window_days
            Profiles keep only the orders of so many days, as in :meth:`OrderHistory.profile`.
        schemes
            Schemes assigned beforehand, in this order, where conditions read their columns; those
            with this method are recalculated like this one, others have to be fitted.

        Returns
        -------
        Membership
            For each customer, intervals of which no two that touch have the same segment; gaps
            where a customer has no segment, or there is nobody to fit scores to.

        Raises
        ------
        ConfigError
            Where `start` or `end` is no day, `start` is after `end`, or an option makes no sense.
        ColumnError
            Where a condition has a column that a profile does not have.

        Notes
        -----
        Each recalculation takes a profile of the history, and where something is fitted one more:
        with a hundred million orders, a few seconds on two cores.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> days = [datetime.date(2025, 1, 20), datetime.date(2025, 2, 10)]
        >>> orders = {"customer_id": ["ann"] * 2, "ordered_at": days, "amount": [20.0, 30.0]}
        >>> history = oc.OrderHistory.build(pa.table(orders))
        >>> rules = oc.Rules({"Spender": "revenue >= 50"})
        >>> membership = rules.membership(history, end="2025-04-15")
        >>> for row in membership.to_table().to_pylist():
        ...     print(row["segment"], row["valid_from"], row["valid_to"])
        Other 2025-01-31 2025-02-28
        Spender 2025-02-28 None
        """
        scheme = cast("Scheme", self)
        schedule = Schedule.of(history, start, end, every)
        made = {
            day: made_as_of(day, history, window_days, (*schemes, scheme)) for day in schedule.days
        }
        return held(history, scheme.segments, made, schedule, window_days)

    def made_anew(self, profile_of: ProfileOf) -> Self | None:  # noqa: ARG002 - for those with fits
        """Return the scheme as a profile makes it; None where nobody is there to make it from."""
        return self


def made_as_of(
    day: int, history: OrderHistory, window_days: int | None, schemes: Sequence[Scheme]
) -> Made:
    """Return schemes as the profile as of a day makes them, each after those before it."""
    made: list[Scheme] = []

    def profile_of(needed: Callable[[str], bool]) -> pa.Table:
        batches = []
        for batch in history.profile_batches(date_of(day), window_days):
            table = _assigned(batch, made)
            batches.append(table.select([name for name in table.column_names if needed(name)]))
        return pa.concat_tables(batches)

    for scheme in schemes:
        anew = scheme.made_anew(profile_of) if isinstance(scheme, Recalculated) else scheme
        if anew is None:
            return ()
        made.append(anew)
    return tuple(made)


def held(
    history: OrderHistory,
    segments: tuple[str, ...],
    made: Mapping[int, Made],
    schedule: Schedule,
    window_days: int | None,
) -> Membership:
    """Return the membership of which schemes, by the day from which they are in force, decide.

    segments: those of the last scheme of each day.
    """
    recalculations = []
    for day in schedule.days:
        builder = grouped_orders(history).profiles(day, window_days)
        assign = _assign(made[day])
        # What is missing is missing from a profile of nobody too, and reported now.
        assign(pa.RecordBatch.from_pylist([], schema=builder.schema))
        recalculations.append(Recalculation(builder, assign))
    intervals = ScheduledIntervals(history, recalculations, schedule.first, schedule.last)
    return Membership(segments, intervals)


def _assign(schemes: Made) -> Assign:
    """Return what gives customers the code of the last scheme's segment, after those before it."""

    def assign(profile: pa.RecordBatch) -> NDArray[np.int8]:
        if not schemes:
            return np.full(profile.num_rows, NO_CODE)
        column = _assigned(profile, schemes).column(schemes[-1].name).combine_chunks()
        codes = fixed_view(column.indices, np.int8)
        if column.null_count == 0:
            return codes
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        return np.where(valid, codes, NO_CODE)

    return assign


def _assigned(profile: pa.RecordBatch, schemes: Sequence[Scheme]) -> pa.Table:
    """Return a profile with the columns of schemes."""
    table = pa.Table.from_batches([profile])
    for scheme in schemes:
        table = scheme.assign(table, threads=1)
    return table
