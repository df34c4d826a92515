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
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._journeys.charts import conversion_chart, funnel_chart
from ordercycle._journeys.definition import Definition
from ordercycle._journeys.ledger import texts_of
from ordercycle._journeys.past_segments import segments_on
from ordercycle._journeys.replaying import Found, Replay
from ordercycle._journeys.steps import Action
from ordercycle._journeys.survival import LOG_RANK, Times, compared, survival
from ordercycle._public import public
from ordercycle_kernels import journeys as kernels
from ordercycle_kernels.calendar import LAST_DAY

if TYPE_CHECKING:
    from altair import LayerChart

CONTROL = "control"
#: In the order of the kernel's numbers; the last one is of the arm that gets nothing.
STATUSES = ("waiting", "completed", "converted", "left", "held_out")
HELD_OUT = len(STATUSES) - 1
GROUPS = ("arm", "cohort", "segment", "version")
TRIGGERED = "(triggered)"
NONE_OF_IT = "(no segment)"
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
    as_of : datetime.date
        The last day that is known.
    """

    def __init__(self, definition: Definition, replay: Replay, found: Found) -> None:
        self._definition = definition
        self._replay = replay
        self._found = found

    @property
    def name(self) -> str:
        return self._definition.name

    @property
    def arms(self) -> tuple[str, ...]:
        return self._definition.arms.names

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
        entries, steps, days = self._actions
        due = (days >= start) & (days <= stop)
        rows = np.flatnonzero(due)
        keys = self._keys(entries[rows], steps[rows])
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
        ledger = self._replay.ledger
        entries, steps, _ = self._actions
        keys = np.sort(self._keys(entries, steps))
        follows = np.zeros(ledger.keys.size, np.bool_)
        if keys.size:
            places = np.minimum(np.searchsorted(keys, ledger.keys), keys.size - 1)
            follows = keys[places] == ledger.keys
        return ledger.table(~follows)

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
        labels, codes = self._groups(by)
        triggered, converted = self._row(kernels.TRIGGERED), self._row(kernels.CONVERTED_ON)
        has = converted != kernels.NEVER
        closed = triggered + self._replay.window <= self._replay.as_of
        size = len(labels)

        def count(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
            return np.bincount(codes[rows], minlength=size)

        both = closed & has
        days = np.zeros(size, np.int64)
        np.add.at(days, codes[both], (converted - triggered)[both])
        entries = np.bincount(codes, minlength=size)
        columns = {
            "Triggered journey": pa.array(entries),
            "Converted": pa.array(count(has)),
            "Conversion rate": _shares(count(both), count(closed)),
            "Days to convert (Avg)": _shares(days, count(both)),
            "conversion_rate_so_far": _shares(count(has), entries),
        }
        return pa.table(columns if by is None else {by: pa.array(labels, pa.string()), **columns})

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
        kept = self._of_arm(arm)
        statuses = self._row(kernels.STATUS)[kept]
        steps = self._row(kernels.STEP)[kept] + 1
        entries, visited = map(self._found.visits, (kernels.ENTRY, kernels.VISITED))
        count = len(self._names) + 1
        reached = np.bincount(visited[kept[entries]] + 1, minlength=count)
        reached[0] = np.count_nonzero(kept)
        found = {"step": pa.array([TRIGGERED, *self._names]), "reached": pa.array(reached)}
        for number, name in enumerate(STATUSES[:HELD_OUT]):
            found[name] = pa.array(np.bincount(steps[statuses == number], minlength=count))
        return pa.table(found)

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
        rows = survival(*self._times(self._of_arm(arm)))
        return pa.table(
            {
                "day": pa.array([one.day for one in rows], pa.int32()),
                "survival": pa.array([one.share for one in rows], pa.float64()),
                "lower": pa.array([one.low for one in rows], pa.float64()),
                "upper": pa.array([one.high for one in rows], pa.float64()),
            }
        )

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
        names = self._definition.arms.names
        if CONTROL not in names:
            raise ConfigError(
                "the journey has no arm 'control': there is nothing to compare with",
                remedy=("hold some back, by ", Option("arms")),
            )
        first = self._row(kernels.NUMBER) == 1
        times = {name: self._times(first & self._of_arm(name)) for name in names}
        control = times.pop(CONTROL)
        rows = [{"arm": name, **compared(one, control)} for name, one in times.items()]
        columns = {field.name: [row.get(field.name) for row in rows] for field in LOG_RANK}
        return pa.table(
            [pa.array(columns[field.name], field.type) for field in LOG_RANK], schema=LOG_RANK
        )

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

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self._definition.steps)

    @cached_property
    def _ids(self) -> pa.Array:
        return IdReader.as_produced(self._found.ids, self._replay.orders.id_type)

    def _row(self, number: int) -> NDArray[Any]:
        return self._found.row(number)

    @cached_property
    def _hashes(self) -> NDArray[np.uint64]:
        return hashes_of(self._found.ids)

    @property
    def _arms(self) -> pa.Array:
        return self._texts(self._found.arms, self._definition.arms.names)

    @property
    def _held_out(self) -> NDArray[np.bool_]:
        names = self._definition.arms.names
        control = names.index(CONTROL) if CONTROL in names else -1
        held: NDArray[np.bool_] = self._found.arms == control
        return held

    @property
    def _statuses(self) -> NDArray[np.int64]:
        return np.where(self._held_out, HELD_OUT, self._row(kernels.STATUS))

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

    @cached_property
    def _actions(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """Return the entry, the step and the day of all actions but those of control."""
        entries, steps, days = map(self._found.visits, range(kernels.VISIT_ROWS))
        is_action = np.array([isinstance(one, Action) for one in self._definition.steps])
        sent = is_action[steps] & ~self._held_out[entries]
        return entries[sent].astype(np.int64), steps[sent].astype(np.int64), days[sent]

    def _keys(self, entries: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.uint64]:
        keys = np.empty(entries.size, np.uint64)
        kernels.action_keys(
            self._hashes[entries],
            self._replay.salt,
            self._row(kernels.TRIGGERED)[entries].astype(np.int32),
            steps.astype(np.uint8),
            keys,
        )
        return keys

    def _of_arm(self, arm: str | None) -> NDArray[np.bool_]:
        """Return which entries are of an arm, or of any."""
        if arm is None:
            return np.ones(self._found.size, np.bool_)
        check_choice("arm", arm, self._definition.arms.names)
        kept: NDArray[np.bool_] = self._found.arms == self._definition.arms.names.index(arm)
        return kept

    def _times(self, kept: NDArray[np.bool_]) -> Times:
        """Return on which days after the entry those that are kept converted, or were seen last."""
        window = self._replay.window
        triggered = self._row(kernels.TRIGGERED)[kept]
        converted = self._row(kernels.CONVERTED_ON)[kept]
        has = converted != kernels.NEVER
        events = np.bincount((converted - triggered)[has], minlength=window + 1)
        seen = np.minimum(self._replay.as_of - triggered, window)[~has]
        lost = np.bincount(seen, minlength=window + 1)
        at_risk = triggered.size - int(lost[0])  # who entered on the last day was not seen yet
        return Times(at_risk, events[1:].tolist(), lost[1:].tolist())

    def _groups(self, by: str | None) -> tuple[list[str], NDArray[np.int64]]:
        """Return the names of groups, and the group of each entry."""
        size = self._found.size
        if by is None:
            return [""], np.zeros(size, np.int64)
        others = self._replay.memberships
        check_choice("by", by, (*GROUPS, *(name for name in others if name not in GROUPS)))
        if by not in GROUPS:
            membership = others[by]
            found = segments_on(
                self._replay.orders, membership, self._found.ids, self._row(kernels.TRIGGERED)
            )
            return [*membership.segments, NONE_OF_IT], found.astype(np.int64)
        if by == "arm":
            return list(self._definition.arms.names), self._found.arms.astype(np.int64)
        if by == "version":
            return [self._definition.digest], np.zeros(size, np.int64)
        if by == "segment":
            trigger = self._replay.sources.trigger
            wanted = np.flatnonzero(trigger.wanted)
            names = [trigger.membership.segments[code] for code in wanted.tolist()]
            return names, np.searchsorted(wanted, self._found.segments)
        days = self._row(kernels.TRIGGERED).astype("datetime64[D]").astype("datetime64[M]")
        months, codes = np.unique(days, return_inverse=True)
        return [str(month) for month in months], codes.reshape(-1).astype(np.int64)

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


def _days(numbers: NDArray[Any], known: NDArray[np.bool_] | None = None) -> pa.Array:
    return array_of(numbers.astype(np.int32), pa.date32(), known)


def _integers(numbers: NDArray[Any], known: NDArray[np.bool_] | None = None) -> pa.Array:
    return array_of(numbers.astype(np.int32), pa.int32(), known)


def _shares(counts: NDArray[np.int64], of: NDArray[np.int64]) -> pa.Array:
    """Return quotients, null where there is nothing to divide by."""
    return pa.array(
        [
            one / all_ if all_ else None
            for one, all_ in zip(counts.tolist(), of.tolist(), strict=True)
        ],
        pa.float64(),
    )
