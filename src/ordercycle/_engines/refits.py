"""Schemes that are fitted again as of several days: the rounds of all days at once, in tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle._days import date_of
from ordercycle._engines.partition_tasks import (
    ORDERS,
    PartitionTask,
    Streams,
    SumTask,
    first_round,
    of_a_partition,
)
from ordercycle._engines.report_sums import ReportSums, cells_of
from ordercycle._features.streams import streams_of
from ordercycle._history.order_history import OrderHistory
from ordercycle._segments.counting_rounds import Cells, Round
from ordercycle._segments.counting_rounds import fit as run_rounds
from ordercycle._segments.customer_features import StreamsAsOf
from ordercycle._segments.scheme import Scheme, assigning

#: Of what the sums of rounds are; behind it comes the day.
ROUND = "round"
#: Adds up what a task counts under names.
Added = Callable[[PartitionTask], pa.Table]
#: Schemes as they are fitted as of days, by name and day; None where nobody is there to fit to.
Fits = Mapping[tuple[str, int], Scheme | None]


@dataclass(frozen=True)
class OfDay:
    """A round of a fit as of a day; before: schemes whose columns its profile has, fitted."""

    round: Round[pa.Table, Any]
    before: tuple[Scheme, ...]


@dataclass(frozen=True)
class Profiled:
    """The profiles that schemes are fitted to.

    window_days: they keep only the orders of so many days; read: the streams that schemes read, by
    the names that they have for them.
    """

    window_days: int | None = None
    read: Mapping[str, str] = field(default_factory=dict)

    def there(self, streams: Streams) -> dict[str, Any]:
        """Return the streams that schemes read."""
        return {name: streams[one] for name, one in self.read.items() if one in streams}

    def after(self, streams: Streams, day: int, before: Sequence[Scheme]) -> Iterator[pa.Table]:
        """Yield the profile as of a day in pieces, to which fitted schemes were assigned."""
        source = StreamsAsOf(streams_of(self.there(streams)), day, "empty")
        assigned = [assigning(one, source) for one in before]
        history: OrderHistory = streams[ORDERS]
        for batch in history.profile_batches(date_of(day), self.window_days):
            table = pa.Table.from_batches([batch])
            for assign in assigned:
                table = assign(table, 1)
            yield table


OF_ALL_ORDERS = Profiled()


@dataclass(frozen=True)
class CountRounds(SumTask):
    """Counts profiles as of days for a round of a fit each; rounds: by day."""

    rounds: Mapping[int, OfDay]
    profiled: Profiled = OF_ALL_ORDERS

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield what the profiles of each day count."""
        with of_a_partition():
            for day, now in self.rounds.items():
                tables = self.profiled.after(streams, day, now.before)
                total = Cells.total(map(now.round.count, tables))
                yield cells_of((ROUND, day), total.cell, total.count)


def fits_of(
    added: Added,
    nobody: Streams,
    schemes: Sequence[Scheme],
    days: Sequence[int],
    profiled: Profiled = OF_ALL_ORDERS,
) -> Fits:
    """Return schemes that are fitted again, as of days: as many passes as their fits have rounds.

    nobody: streams without customers; schemes: each is assigned after those before it; profiled:
    how profiles are made.

    Raises
    ------
    ConfigError, ColumnError
        A scheme is fitted to a whole profile, or reads what profiles do not have.
    """
    fits: dict[tuple[str, int], Scheme | None] = {}
    for place, scheme in enumerate(schemes):
        if not scheme.refits:
            continue
        first, before = first_round(scheme), dict[int, tuple[Scheme, ...]]()
        for day in days:
            those = [fits.get((one.name, day), one) for one in schemes[:place]]
            there = tuple(one for one in those if one is not None)
            if len(there) == len(those):
                before[day] = there
            else:  # nobody was there to fit an earlier one to
                fits[scheme.name, day] = None
        for day in before:
            for table in profiled.after(nobody, day, before[day]):
                first.count(table)  # which checks the columns
        current = {day: OfDay(first, there) for day, there in before.items()}
        for day, fitted in rounds_of(added, current, profiled).items():
            fits[scheme.name, day] = fitted
    return fits


def rounds_of(
    added: Added, first: Mapping[int, OfDay], profiled: Profiled = OF_ALL_ORDERS
) -> dict[int, Any]:
    """Run the fits of all days at once; None: nobody is there to fit to."""
    current, done = dict(first), dict[int, Any]()
    while current:
        totals = _counted(added, current, profiled)
        following: dict[int, OfDay] = {}
        for day, now in current.items():
            made = now.round.then(totals[day]) if totals[day].cell.size else None
            if isinstance(made, Round):
                following[day] = OfDay(made, now.before)
            else:
                done[day] = made
        current = following
    return done


def fitted_as_of(added: Added, scheme: Scheme, day: int) -> Scheme:
    """Return a scheme fitted to the profile as of a day.

    Raises
    ------
    DataError
        Nobody is there to fit it to.
    """

    def counted(now: Round[pa.Table, Any]) -> list[Cells]:
        return [_counted(added, {day: OfDay(now, ())}, OF_ALL_ORDERS)[day]]

    made: Scheme = run_rounds(first_round(scheme), counted)
    return made


def _counted(added: Added, rounds: Mapping[int, OfDay], profiled: Profiled) -> dict[int, Cells]:
    sums = ReportSums.of(added(CountRounds(rounds, profiled)), (ROUND,)).cells
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
    return {day: Cells(*sums.get((ROUND, day), nothing)) for day in rounds}
