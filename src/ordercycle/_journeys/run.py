"""What a journey came to: entries, states, what is due, and how many converted."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, array_of_texts, rows_of
from ordercycle._days import date_of, day_number
from ordercycle._errors import ConfigError, Option, check_choice, counted, printable
from ordercycle._ingest.column_readers import IdReader
from ordercycle._journeys.charts import conversion_chart, funnel_chart
from ordercycle._journeys.counting import (
    Analytics,
    Counter,
    Funnel,
    LogRank,
    TimeToConvert,
    Withdrawn,
)
from ordercycle._journeys.ledger import texts_of
from ordercycle._journeys.replayed import STATUSES, Replayed
from ordercycle._journeys.steps import Action
from ordercycle._public import public
from ordercycle_kernels import journeys as kernels
from ordercycle_kernels.calendar import LAST_DAY

if TYPE_CHECKING:
    from altair import LayerChart

TEXTS = pa.dictionary(pa.int8(), pa.string())


@public()
class JourneyRun:
    """A journey replayed as of a day: what :meth:`Journey.replay` returns.

    Rows come in the order of customers, by hash, and of their entries.

    Attributes
    ----------
    name : str
        Of the journey.
    arms : tuple of str
        Its arms, in their order.
    version : str
        The digest of the definition, as of :meth:`entries`.
    starts_on, ends_on : datetime.date or None
        The first and the last day of entries, where the version has one.
    as_of : datetime.date
        The last day that is known.
    """

    def __init__(self, replayed: Replayed) -> None:
        self._replayed = replayed
        self._definition = replayed.definition
        self._replay = replayed.replay
        self._found = replayed.found

    @property
    def name(self) -> str:
        return self._definition.name

    @property
    def arms(self) -> tuple[str, ...]:
        return self._definition.arms.names

    @property
    def version(self) -> str:
        return self._definition.digest

    @property
    def starts_on(self) -> date | None:
        return _day_or_none(self._definition.starts_on)

    @property
    def ends_on(self) -> date | None:
        return _day_or_none(self._definition.ends_on)

    @property
    def as_of(self) -> date:
        return date_of(self._replay.as_of)

    def __repr__(self) -> str:
        rows = self._row(kernels.CONVERSIONS)
        return printable(
            f"JourneyRun({self._definition.name!r} as of {date_of(self._replay.as_of)}: "
            f"{counted(rows.size, 'entry', 'entries')}, "
            f"{int(np.count_nonzero(rows > 0)):,} converted)"
        )

    def entries(self) -> pa.Table:
        """Return who entered, and what came of it.

        Returns
        -------
        pyarrow.Table
            ``customer_id``; ``entry``: int32, of the customer, from 1; ``version``: the digest of
            the definition; ``arm``; ``triggered_on``, ``window_ends_on``: date32; ``converted_on``:
            date32, of the first conversion, null without; ``days_to_convert``: int32;
            ``conversions``: int32, each in the window of the latest entry before it; ``value``: of
            the window, net of refunds, null where conversions are no orders; ``status``: what ended
            the walk first, ``held_out`` for control.
        """
        triggered = self._row(kernels.TRIGGERED)
        converted = self._row(kernels.CONVERTED_ON)
        known = converted != kernels.NEVER
        version = np.zeros(triggered.size, np.int8)
        return self._table(
            {
                "entry": _integers(self._row(kernels.NUMBER)),
                "version": self._texts(version, (self._definition.digest,)),
                "arm": self._arms,
                "triggered_on": _days(triggered),
                "window_ends_on": _days(np.minimum(triggered + self._replay.window, LAST_DAY)),
                "converted_on": _days(converted, known),
                "days_to_convert": _integers(converted - triggered, known),
                "conversions": _integers(self._row(kernels.CONVERSIONS)),
                "value": self._values,
                "status": self._texts(self._statuses, STATUSES),
            }
        )

    def states(self) -> pa.Table:
        """Return how far each entry has come.

        Returns
        -------
        pyarrow.Table
            ``customer_id``, ``entry``; ``step``: the action or wait reached last, null before the
            first; ``since``: date32, when it was; ``next_step``, ``due_on``: the next action if
            nothing more happens, null where there is none; ``status``. Those in control walk the
            steps like all others, and get nothing.
        """
        names = self._names
        step, coming = self._row(kernels.STEP), self._row(kernels.NEXT_STEP)
        has_next = coming != kernels.END
        return self._table(
            {
                "entry": _integers(self._row(kernels.NUMBER)),
                "step": self._texts(step, names, step != kernels.END),
                "since": _days(self._row(kernels.SINCE)),
                "next_step": self._texts(coming, names, has_next),
                "due_on": _days(self._row(kernels.DUE), has_next),
                "status": self._texts(self._statuses, STATUSES),
            }
        )

    def feed(self, first: date | str, last: date | str | None = None) -> pa.Table:
        """Return what is to be sent on a day, or on those from one to another.

        It is the same whenever it is made; what the ledger has is left out.

        Parameters
        ----------
        first, last
            The days, up to that of the run; `last` None: one day.

        Returns
        -------
        pyarrow.Table
            ``action_key``: text, the same for the same customer, entry, step and version;
            ``customer_id``, ``step``, ``action``, ``due_on``. Control gets nothing.

        Raises
        ------
        ConfigError
            A day is none, in the wrong order, or after that of the run.
        """
        start = day_number(first, "first")
        stop = start if last is None else day_number(last, "last")
        if stop < start:
            raise ConfigError(
                (Option("last", str(last)), " is before ", Option("first", str(first)))
            )
        if stop > self._replay.as_of:
            raise ConfigError(
                f"what is due on {date_of(stop)} is not known as of {date_of(self._replay.as_of)}",
                remedy=("replay the journey with a later ", Option("as_of")),
            )
        entries, steps, days = self._replayed.actions
        due = (days >= start) & (days <= stop)
        rows = np.flatnonzero(due)
        keys = self._replayed.keys(entries[rows], steps[rows])
        unsent = ~self._replay.ledger.has(keys)
        rows, keys = rows[unsent], keys[unsent]
        names = self._names
        actions = [one.action if isinstance(one, Action) else "" for one in self._definition.steps]
        distinct = tuple(dict.fromkeys(actions))
        codes = np.array([distinct.index(one) for one in actions], np.int8)
        ids = self._ids.take(rows_of(entries[rows]))
        return pa.table(
            {
                "action_key": texts_of(keys),
                "customer_id": ids,
                "step": self._texts(steps[rows], names),
                "action": self._texts(codes[steps[rows]], distinct),
                "due_on": _days(days[rows]),
            }
        )

    def withdrawn(self) -> pa.Table:
        """Return what was sent and no longer follows, as orders that came late tell.

        Returns
        -------
        pyarrow.Table
            ``action_key``, ``sent_on``: rows of the ledger, ascending by key. Those of another
            version or journey follow from that one, not from this.
        """
        return self._counted(Withdrawn())

    def analytics(self, by: str | None = None) -> pa.Table:
        """Return how many entered and converted.

        Parameters
        ----------
        by
            A row for each ``"arm"``, ``"cohort"`` (month of entry), ``"segment"`` (that was
            entered) or ``"version"``; or the name of other memberships that were replayed, for a
            row for each segment of theirs that customers were in on the day of entry. None: one
            row for all.

        Returns
        -------
        pyarrow.Table
            ``Triggered journey``: entries, those of control too; ``Converted``: of them, with a
            conversion; ``Conversion rate``: of entries whose window is over, null without any;
            ``Days to convert (Avg)``: of those of them that converted;
            ``conversion_rate_so_far``: of all entries, lower than it will be while windows are
            open.
        """
        return self._counted(Analytics(by))

    def funnel(self, arm: str | None = None) -> pa.Table:
        """Return how many entries came to each step, and where they are now.

        Parameters
        ----------
        arm
            One of the arms; None: all.

        Returns
        -------
        pyarrow.Table
            ``step``, beginning with ``(triggered)``; ``reached``: entries; ``waiting``,
            ``completed``, ``converted``, ``left``: of those that came no further, how they stand
            (those held out too, as if they were not).
        """
        return self._counted(Funnel(arm))

    def time_to_convert(self, arm: str | None = None) -> pa.Table:
        """Return the share that has not converted, by days after the entry.

        Entries whose window is open count as long as they were seen (Kaplan and Meier); leaving
        the segment ends nothing.

        Parameters
        ----------
        arm
            One of the arms; None: all.

        Returns
        -------
        pyarrow.Table
            ``day``: int32, from 1 on, as long as somebody is seen; ``survival``; ``lower``,
            ``upper``: its 95 % interval.
        """
        return self._counted(TimeToConvert(arm))

    def log_rank(self) -> pa.Table:
        """Return whether arms convert sooner than control, however their windows stand.

        Each customer counts once, by the first entry: the entries of one are not independent.

        Returns
        -------
        pyarrow.Table
            A row for each arm but ``control``: ``arm``; ``Converted``: customers who did;
            ``expected``: how many would have, if days meant the same in both arms; ``chi_square``
            and ``p``, of the log-rank test, null where nobody converted. ``rmst_days``: int32, up
            to which both are seen; ``rmst``, ``rmst_control``: mean days without a conversion up to
            then; ``rmst_difference``, ``rmst_low``, ``rmst_high``: their difference and its 95 %
            interval, below 0 where the arm is sooner. Null where in an arm nobody is seen.

        Raises
        ------
        ConfigError
            The journey has no arm ``control``.
        """
        return self._counted(LogRank())

    def plot(self, what: str = "funnel", arm: str | None = None) -> LayerChart:
        """Draw the funnel, or the time to convert, with Altair, the extra ``page``.

        Parameters
        ----------
        what
            ``"funnel"``: a bar for each step. ``"time_to_convert"``: the share that has converted
            by the days after the entry, within its interval.
        arm
            One of the arms; None: all.

        Returns
        -------
        altair.LayerChart
            For notebooks; ``.save("funnel.png")`` writes a picture.

        Raises
        ------
        ConfigError
            There is no such picture, or no such arm.
        ImportError
            Altair is not installed.
        """
        check_choice("what", what, ("funnel", "time_to_convert"))
        of = self._definition.name if arm is None else f"{self._definition.name}, {arm}"
        if what == "funnel":
            return funnel_chart(self.funnel(arm), of)
        return conversion_chart(self.time_to_convert(arm), of)

    def _counted(self, counter: Counter) -> pa.Table:
        counter.check(self._replayed)
        return counter.table(self._replayed, counter.cells(self._replayed))

    @property
    def _names(self) -> tuple[str, ...]:
        return self._replayed.steps

    @cached_property
    def _ids(self) -> pa.Array:
        return IdReader.as_produced(self._found.ids, self._replay.orders.id_type)

    def _row(self, number: int) -> NDArray[Any]:
        return self._replayed.row(number)

    @property
    def _arms(self) -> pa.Array:
        return self._texts(self._found.arms, self._definition.arms.names)

    @property
    def _statuses(self) -> NDArray[np.int64]:
        return self._replayed.statuses

    @property
    def _values(self) -> pa.Array:
        kind, values = self._replay.orders.spec.revenue, self._found.values
        if values is None or kind is None:
            return pa.nulls(self._found.size, pa.float64() if kind is None else kind)
        if pa.types.is_decimal(kind):
            words = np.empty((values.size, 2), np.int64)
            words[:, 0], words[:, 1] = values, values >> 63
            return array_of(words, kind)
        return array_of(values, kind)

    def _texts(
        self, codes: NDArray[Any], names: tuple[str, ...], known: NDArray[np.bool_] | None = None
    ) -> pa.Array:
        if known is not None and not known.all():
            codes = np.where(known, codes, 0)
        else:
            known = None
        indices = array_of(codes.astype(np.int8), pa.int8(), known)
        return pa.DictionaryArray.from_arrays(indices, array_of_texts(names))

    def _table(self, columns: dict[str, pa.Array]) -> pa.Table:
        return pa.table({"customer_id": self._ids, **columns})


def _day_or_none(number: int | None) -> date | None:
    return None if number is None else date_of(number)


def _days(numbers: NDArray[Any], known: NDArray[np.bool_] | None = None) -> pa.Array:
    return array_of(numbers.astype(np.int32), pa.date32(), known)


def _integers(numbers: NDArray[Any], known: NDArray[np.bool_] | None = None) -> pa.Array:
    return array_of(numbers.astype(np.int32), pa.int32(), known)


def replayed_of(run: JourneyRun) -> Replayed:
    """Return what a run is of, for clusters."""
    return run._replayed  # noqa: SLF001 - what users have no use for
