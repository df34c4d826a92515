"""The verb that counts whom events reached, with its documentation, once for all engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Generic

import pyarrow as pa

from ordercycle._days import date_of
from ordercycle._engines.engine import Engine, F
from ordercycle._engines.given_streams import GivenStreams
from ordercycle._engines.named_sums import Name, to_batch
from ordercycle._engines.partition_tasks import Streams, SumTask
from ordercycle._engines.stream_plans import OF_TASKS
from ordercycle._engines.verbs import planned_events
from ordercycle._errors import ConfigError, Option, check_choice
from ordercycle._event_columns import EventColumns
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._months import Months
from ordercycle._report.reach import ReachedCustomers, reach, reached_of
from ordercycle._segments.customer_features import MISSING

EVENTS = "events"
#: Before the days between which there are events, where pairs of months have the earlier one.
DAY = "day"


@dataclass(frozen=True)
class ReachedSums(SumTask):
    """Counts customers by the month in which events reached them, and the one before it."""

    months: Months | None

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the counts."""
        events: EventHistory = streams[EVENTS]
        tally = stored_events(events).tally
        if tally.first_day is None and self.months is None:
            return
        asked = None if self.months is None else tuple(map(str, _ends(self.months)))
        rows = reach(events, asked).to_table().to_pylist()
        yield to_batch({_name(row): row["customers"] for row in rows})
        # Months are those of all events, also where a view has some of them only.
        days = {day for day in (tally.first_day, tally.last_day) if day is not None}
        yield to_batch({(DAY, day): 1 for day in days})


class ReachVerbs(Generic[F]):
    """Verbs about whom events reached, of one engine."""

    def __init__(self, engine: Engine[F]) -> None:
        self._engine = engine

    def reach(
        self,
        events_df: Any,
        months: str | Sequence[str] | None = None,
        *,
        columns: EventColumns | None = None,
        timezone: str | None = None,
        where: Any = None,
        missing: str = "error",
        partitions: int | None = None,
        **options: Any,
    ) -> ReachedCustomers:
        """Count the different customers of events, as :func:`ordercycle.reach` does.

        The events pass the shuffle once, and a number for each pair of months comes to the driver.

        Parameters
        ----------
        events_df
            A frame, or the paths of files.
        months
            As for :func:`ordercycle.reach`.
        columns, timezone
            As for :meth:`ordercycle.EventHistory.build`.
        where, missing
            A condition, of which a view is made, as for :meth:`ordercycle.EventHistory.where`.
            Whether a text equals any value is known when all events were read.
        partitions
            Into how many the customers are divided; None: as for `profile`.
        **options
            Others of :meth:`ordercycle.EventHistory.build`; ``memory_limit`` and
            ``spill_directory`` are for each task.

        Returns
        -------
        ReachedCustomers
            Equal to that of one machine.

        Raises
        ------
        ConfigError, ColumnError
            At once, where names, types, months or options are wrong.
        ConfigError
            There are no events and no months, or a text in `where` equals none.

        Examples
        --------
        ::

            delivered = engine.reach(
                touches,
                columns=oc.EventColumns(attributes=["kind", "channel"]),
                where="kind == 'delivery'",
            )
            delivered.between("2025-11", "2025-12")
        """
        check_choice("missing", missing, MISSING)
        asked = None if months is None else Months.of(months, "months")
        of_tasks = {name: options.pop(name) for name in OF_TASKS if name in options}
        described: Mapping[str, Any] = {} if columns is None else {EVENTS: columns}
        given = GivenStreams.of(
            {EVENTS: events_df}, described, timezone, of_tasks, {EVENTS: options}
        )
        history = planned_events(self._engine, given, partitions)
        history = history.where(where, missing)
        sums = history.exchanged.summed(ReachedSums(asked))
        days = [date_of(int(day or 0)) for of, day in sums if of == DAY]
        if asked is None and not days:
            raise ConfigError("there are no events", remedy=("say which ", Option("months")))
        if asked is None:
            asked = Months.between(min(days), max(days))
        return reached_of(asked, _pairs(sums))


def _ends(months: Months) -> tuple[Months, Months]:
    return Months(months.first, months.first), Months(months.last, months.last)


def _name(row: Mapping[str, Any]) -> Name:
    before = row["previous"]
    return (None if before is None else before.isoformat(), row["month"].isoformat())


def _pairs(sums: Mapping[Name, Fraction]) -> Iterator[tuple[date | None, date, int]]:
    """Yield pairs of months, the earlier one None for never, and how many customers they have."""
    for (before, month), count in sums.items():
        if before == DAY:
            continue
        earlier = None if before is None else date.fromisoformat(str(before))
        yield earlier, date.fromisoformat(str(month)), int(count)
