"""A journey replayed over a history: parts of all streams side by side, one scan of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import rows_of
from ordercycle._attribution.order_rows import OrderReader
from ordercycle._days import date_of, day_number
from ordercycle._errors import ColumnError, ConfigError, Option, OrdercycleError, printable, within
from ordercycle._experiments.arms import salt_word
from ordercycle._expressions.language import parsed
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.grouped import WITH_PATHS
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.order_events import OrderEvents
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._history.side_by_side import Rows, SideBySide
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._journeys.definition import Definition
from ordercycle._journeys.ledger import Ledger
from ordercycle._journeys.past_profiles import profiles_on
from ordercycle._journeys.sources import Signal, Sources
from ordercycle._journeys.steps import LAST, ORDER, Action, Wait
from ordercycle._journeys.versions import (
    LAST_KNOWN,
    LEAVES,
    Entering,
    Walk,
    Walked,
    entering_after,
    with_options,
)
from ordercycle._membership.membership import Membership
from ordercycle._membership.timeline import Timeline
from ordercycle._segments.rules import Rules
from ordercycle._streams.conditions import Condition, fitted
from ordercycle._workspace import Workspace
from ordercycle_kernels import journeys as kernels
from ordercycle_kernels import windows
from ordercycle_kernels._types import as_input
from ordercycle_kernels.calendar import FIRST_DAY, NO_DAY

POLICIES = {
    "once": kernels.ONCE,
    "each_entry": kernels.EACH_ENTRY,
    "after_days": kernels.AFTER_DAYS,
    "after_end": kernels.AFTER_END,
}
KEY_PREFIX = "action/1:"
#: Rows of entries whose values are few.
SMALL = (kernels.STATUS, kernels.STEP, kernels.NEXT_STEP)
#: A segment by which those that a trigger's condition keeps are told from the others.
KEPT = "kept"


class Chunks:
    """A column of which there is a chunk for each part; they are joined when it is asked for."""

    def __init__(self, chunks: Sequence[NDArray[Any]]) -> None:
        self._chunks = chunks

    def joined(self) -> NDArray[Any]:
        """Return all of it, which takes the place of the chunks."""
        if len(self._chunks) > 1:
            self._chunks = [np.concatenate(self._chunks)]
        return self._chunks[0]


class PartEntries(NamedTuple):
    """Entries of a part's customers, and the steps that they reached.

    ids: (k,), plain; rows: those of the kernel, (k,) each; arms, segments: (k,); values: (k,),
    floats or words of whole numbers, None where there are none; visits: rows of the kernel, (n,)
    each.
    """

    ids: pa.Array
    rows: list[NDArray[Any]]
    arms: NDArray[np.int8]
    segments: NDArray[np.int16]
    values: NDArray[Any] | None
    visits: list[NDArray[Any]]


class Found:
    """Entries and the steps that they reached, of all parts one behind the other."""

    def __init__(self, parts: Sequence[PartEntries]) -> None:
        starts = np.cumsum([0, *(len(part.ids) for part in parts)])
        for part, start in zip(parts, starts.tolist(), strict=False):
            part.visits[kernels.ENTRY] += start
        self.size = int(starts[-1])
        self._ids = [part.ids for part in parts]
        self._rows = [Chunks(of_row) for of_row in zip(*(part.rows for part in parts), strict=True)]
        self._visits = [
            Chunks(of_row) for of_row in zip(*(part.visits for part in parts), strict=True)
        ]
        self._arms = Chunks([part.arms for part in parts])
        self._segments = Chunks([part.segments for part in parts])
        values = [part.values for part in parts if part.values is not None]
        self._values = Chunks(values) if values else None

    @property
    def ids(self) -> pa.Array:
        """The customers: (k,), plain."""
        if len(self._ids) > 1:
            self._ids = [pa.concat_arrays(self._ids)]
        return self._ids[0]

    @property
    def arms(self) -> NDArray[np.int8]:
        """Their arms: (k,)."""
        return self._arms.joined()

    @property
    def segments(self) -> NDArray[np.int16]:
        """The segments that were entered: (k,)."""
        return self._segments.joined()

    @property
    def values(self) -> NDArray[Any] | None:
        """What windows are worth: (k,), floats or words of whole numbers; None without any."""
        return None if self._values is None else self._values.joined()

    def row(self, number: int) -> NDArray[Any]:
        """Return a row of the kernel's entries: (k,)."""
        return self._rows[number].joined()

    def visits(self, number: int) -> NDArray[Any]:
        """Return a row of the kernel's visits, whose entries count all parts: (n,)."""
        return self._visits[number].joined()


@dataclass(frozen=True)
class Replay:
    """A journey, what it reads, and the last day that is known."""

    definition: Definition
    orders: GroupedOrders
    sources: Sources
    memberships: Mapping[str, Membership]
    as_of: int
    first_day: int
    ledger: Ledger
    where: Rules | None
    converting: Condition | None
    program: kernels.Program
    before: tuple[Replay, ...] = ()
    _workspace: Workspace = field(default_factory=Workspace, compare=False)

    @classmethod
    def of(
        cls,
        definition: Definition,
        history: OrderHistory,
        sources: Sources,
        memberships: Mapping[str, Any],
        as_of: int,
        ledger: Any,
    ) -> Replay:
        """Check that a history and what else is read fit a definition; errors: Journey.replay."""
        orders = grouped_orders(history)
        first = int(FIRST_DAY) if definition.starts_on is None else definition.starts_on
        if as_of < first:
            raise ConfigError(
                (
                    Option("as_of", str(date_of(as_of))),
                    f" is before the journey starts, on {date_of(first)}",
                ),
                remedy=("pass a later day, or let it start earlier by ", Option("starts_on")),
            )
        known = {name: one for name, one in memberships.items() if isinstance(one, Membership)}
        for one in known.values():
            if not one.belongs_to(history):
                raise ConfigError(
                    (Option("memberships"), " are of another history"),
                    remedy="make them of the history that is replayed",
                )
        _check_days(sources.trigger.membership, orders, first, as_of)
        if sources.conversion is not None:
            _check_days(sources.conversion.membership, orders, first, as_of)
        for stream in sources.streams:
            if orders.spec.ids.together_with(stream.events.spec.ids) is None:
                name = stream.events.spec.columns.customer
                raise ColumnError(
                    f"{name} is {stream.events.spec.ids.given} in a stream and "
                    f"{orders.spec.ids.given} in the orders, which have no ids in common",
                    remedy="cast one to the type of the other",
                    column=name,
                )
        return cls(
            definition,
            orders,
            sources,
            known,
            as_of,
            first,
            Ledger.of(ledger),
            _where(definition.trigger.get("where")),
            _converting(definition.conversion.get("where"), orders),
            _program(definition, sources, as_of),
        )

    @property
    def salt(self) -> np.uint64:
        """What the keys of actions begin with: the journey and its version."""
        return salt_word(f"{KEY_PREFIX}{self.definition.name}/{self.definition.digest}")

    @property
    def window(self) -> int:
        """For how many days conversions count."""
        return int(self.definition.conversion["within_days"])

    def after(self, earlier: Replay) -> Replay:
        """Return the replay of a version that follows another one, as well as those given before.

        Raises
        ------
        ConfigError
            Those whom it lets go were in segments that this one does not have.
        """
        theirs, ours = earlier.sources.trigger, self.sources.trigger
        is_same = theirs.membership is ours.membership
        if earlier.definition.migrate and not (is_same and ours.wanted[theirs.wanted].all()):
            raise ConfigError(
                "those who migrate entered segments that are not in the trigger",
                remedy="enter the segments of the version before as well, or do not migrate",
            )
        chained = replace(earlier, before=self.before, _workspace=Workspace())
        return replace(self, before=(*self.before, chained))

    def found(self) -> Found:
        """Return all entries, in the order of customers and days."""
        replays = (*self.before, self)
        streams = max(([one.events for one in each.sources.streams] for each in replays), key=len)
        if streams:
            scan = SideBySide((self.orders, *streams), self.orders.threads)
            parts = list(scan.scan(self._of))
        else:
            parts = list(self.orders.scan(lambda _, batch, __: self._of([batch])))
        return Found(parts)

    def _of(self, batches: Sequence[Any]) -> PartEntries:
        """Return the entries of the customers of a range of hashes."""
        batch: CustomerBatch = batches[0]
        walk = self.walk(batches)
        entries, places, visits = walk.entries, walk.places, walk.visits
        ids = batch.ids.take(rows_of(places[kernels.CUSTOMER]))
        hashes = hashes_of(batch.ids)
        return PartEntries(
            ids,
            [
                entries[row].astype(np.int8 if row in SMALL else np.int32)
                for row in range(kernels.ENTRY_ROWS)
            ],
            self.definition.arms.codes(ids, hashes[places[kernels.CUSTOMER]]),
            walk.entering.codes[places[kernels.CANDIDATE]],
            self._values(batch, places, walk.valued),
            [
                visits[row].astype(np.int8 if row == kernels.VISITED else np.int32)
                for row in range(kernels.VISIT_ROWS)
            ],
        )

    def walk(self, batches: Sequence[Any]) -> Walk:
        """Return the walks of the customers of a range of hashes."""
        walks: list[Walk] = []
        for version in (*self.before, self):  # each of which follows all before it
            walks.append(version._walk_behind(walks, batches))  # noqa: SLF001 - of its own class
        return walks[-1]

    def _walk_behind(self, walks: Sequence[Walk], batches: Sequence[Any]) -> Walk:
        """Return the walks behind those of the versions before."""
        batch: CustomerBatch = batches[0]
        trigger = self.sources.trigger
        timeline = trigger.intervals.timeline(0, batch, self._workspace)
        offsets, days, stops, codes = self._candidates(batch, timeline)
        kept = self._workspace.array("journey.kept", days.size, np.bool_)
        kept[:] = True
        if self.where is not None and days.size:
            owners = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
            kept = self._satisfying(self.where, batch, owners, days)
        entering = Entering(offsets, days, stops, codes, kept)
        for earlier, walk in zip(self.before, walks, strict=True):
            lets_go = earlier is self.before[-1] and earlier.definition.migrate
            entering = entering_after(
                walk,
                len(earlier.definition.steps),
                entering,
                self.program,
                start=self.first_day if lets_go else None,
            )
        happened, valued = self._happened(batches, batch, timeline)
        hashes = hashes_of(batch.ids)
        known = self.ledger.until(self.as_of)
        sent = kernels.Sent(
            as_input(hashes if known.keys.size else hashes[:0]),
            as_input(np.array([self.salt], np.uint64)),
            as_input(known.keys),
            as_input(known.days),
        )
        if not self.definition.migrate:
            return self._walked(entering, Walked(happened, sent, self.program), valued)
        return self._ended(entering, happened, sent, valued)

    def _walked(self, entering: Entering, walked: Walked, valued: NDArray[np.bool_] | None) -> Walk:
        size = entering.days.size
        entries = self._room("entries", kernels.ENTRY_ROWS, size, np.int32)
        places = self._room("places", kernels.PLACE_ROWS, size, np.int64)
        visits = self._room(
            "visits", kernels.VISIT_ROWS, size * len(self.definition.steps), np.int32
        )
        return walked.written(entering, entries, places, visits, valued)

    def _ended(
        self,
        entering: Entering,
        happened: kernels.Happened,
        sent: kernels.Sent,
        valued: NDArray[np.bool_] | None,
    ) -> Walk:
        """Return walks that end on the day after the last one of entries, if not before.

        Those who are then on the way enter the next version on that day: what they do later counts
        for that one.
        """
        end = int(self.definition.ends_on or 0)
        stops = entering.stops
        if "left_segment" not in self.definition.exit:
            stops = np.full_like(stops, kernels.NEVER)
        ending = entering._replace(stops=np.minimum(stops, np.int32(end + 1)))
        leaving = with_options(self.program, {LEAVES: 1})
        walk = self._walked(ending, Walked(happened, sent, leaving), valued)
        walk = walk._replace(stops=entering.stops)
        if self.as_of <= end:
            return walk
        then = self.ledger.until(end)
        known = sent._replace(keys=as_input(then.keys), days=as_input(then.days))
        still, until = (
            Walked(happened, known, with_options(self.program, {LAST_KNOWN: day})).anew(
                entering, len(self.definition.steps)
            )
            for day in (end, end + 1)
        )
        on_the_way = still.entries[kernels.STATUS] == kernels.WAITING
        for row in (kernels.CONVERTED_ON, kernels.CONVERSIONS):
            walk.entries[row, on_the_way] = until.entries[row, on_the_way]
        walk.places[kernels.STOP, on_the_way] = until.places[kernels.STOP, on_the_way]
        return walk._replace(on_the_way=on_the_way)

    def _room(self, name: str, rows: int, columns: int, kind: type[Any]) -> NDArray[Any]:
        """Return scratch memory of the thread: (rows, columns)."""
        return self._workspace.array(f"journey.{name}", rows * columns, kind).reshape(rows, columns)

    def _candidates(
        self, batch: CustomerBatch, timeline: Timeline
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int16]]:
        """Return the days on which customers would enter: offsets, days, stops and segments."""
        trigger = self.sources.trigger
        known = trigger.membership.known_from
        present = self.first_day if self.definition.already_in == "enter" else int(NO_DAY)
        ends_on = self.definition.ends_on
        span = (
            self.first_day,
            self.as_of if ends_on is None else min(ends_on, self.as_of),
            present,
            int(NO_DAY) if known is None else day_number(known, "known_from"),
        )
        rules = kernels.Rules(
            as_input(trigger.wanted),
            as_input(trigger.earlier),
            as_input(np.array(span, np.int64)),
            as_input(np.array([not trigger.earlier.any()])),
        )
        most = timeline.codes.size
        offsets = self._workspace.array("journey.offsets", timeline.offsets.size, np.int64)
        days, stops = self._room("candidates", 2, most, np.int32)
        codes = self._workspace.array("journey.codes", most, np.int16)
        kernels.find_entries(
            timeline.offsets,
            timeline.codes,
            timeline.starts,
            timeline.stops,
            batch.visible,
            rules,
            offsets,
            days,
            stops,
            codes,
        )
        count = int(offsets[-1])
        return offsets, days[:count], stops[:count], codes[:count]

    def _satisfying(
        self,
        where: Rules,
        batch: CustomerBatch,
        owners: NDArray[np.int64],
        days: NDArray[np.int32],
    ) -> NDArray[np.bool_]:
        """Return which candidates satisfy the trigger's condition as of their days."""
        profiles = profiles_on(self.orders, batch, owners, days)
        found = where.assign(profiles, column=KEPT, threads=1).column(KEPT)
        codes = pa.concat_arrays([chunk.indices for chunk in found.chunks])
        satisfying: NDArray[np.bool_] = np.asarray(codes.to_numpy()) == 0
        return satisfying

    def _happened(
        self, batches: Sequence[Any], batch: CustomerBatch, timeline: Timeline
    ) -> tuple[kernels.Happened, NDArray[np.bool_] | None]:
        """Return what customers did, and which orders and refunds have value, None for all."""
        are_orders = batch.are_orders(net_refunds=self.orders.spec.net_refunds)
        valued: NDArray[np.bool_] | None = None
        offsets, days, convert = batch.offsets, batch.days, are_orders
        if self.converting is not None:
            convert = are_orders & self.converting.holds(OrderEvents(batch, self.orders.spec))
            valued = self._valued(batch, are_orders, convert)
        elif self.sources.conversion is not None:
            segments = self.sources.conversion
            if segments.intervals is not self.sources.trigger.intervals:
                timeline = segments.intervals.timeline(0, batch, self._workspace)
            known = segments.membership.known_from
            first = int(NO_DAY) if known is None else day_number(known, "known_from")
            offsets, days = timeline.offsets, timeline.starts
            # What is open when memberships begin was not entered then.
            convert = segments.wanted[timeline.codes] & (days != first)
        begins, ends, event_days, signals = self._events(batches, batch.ids)
        arrays: tuple[NDArray[Any], ...] = (
            batch.offsets, batch.days, are_orders, begins, ends, event_days, signals,
            offsets, days, convert,
        )  # fmt: skip
        return kernels.Happened(*map(as_input, arrays)), valued

    def _valued(
        self, batch: CustomerBatch, are_orders: NDArray[np.bool_], convert: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return which entries have value: orders that convert, and refunds of these.

        Refunds of which it is not known what they refund count, all of them.
        """
        orders = np.arange(are_orders.size)
        orders[~are_orders] = -1
        if not are_orders.all():
            OrderReader(self.orders.spec, None, None).linked(batch, are_orders, orders)
        linked = orders >= 0
        return np.where(linked, convert[np.where(linked, orders, 0)], np.True_)

    def _events(
        self, batches: Sequence[Any], ids: pa.Array
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.uint64]]:
        """Return where the events of each customer are, their days and their signals."""
        found = []
        # Versions read all streams or, where they wait for orders alone, none.
        given = batches[1 : 1 + len(self.sources.streams)]
        for stream, events in zip(self.sources.streams, given, strict=True):
            rows = Rows.of(events, ids)
            found.append((rows, events.days, stream.signals(events)))
        if len(found) == 1:
            (rows, days, signals) = found[0]
            return rows.begins, rows.ends, days, signals
        none = np.zeros(len(ids), np.int64)
        if not found:
            return none, none, np.empty(0, np.int32), np.empty(0, np.uint64)
        owners, all_days, all_signals = [], [], []
        for rows, days, signals in found:
            sizes = rows.ends - rows.begins
            taken = np.arange(sizes.sum()) + np.repeat(
                rows.begins - (np.cumsum(sizes) - sizes), sizes
            )
            owners.append(np.repeat(np.arange(len(ids)), sizes))
            all_days.append(days[taken])
            all_signals.append(signals[taken])
        whose, when = np.concatenate(owners), np.concatenate(all_days)
        order = np.lexsort((when, whose))
        ends = np.cumsum(np.bincount(whose, minlength=len(ids)))
        begins = np.concatenate([[0], ends[:-1]])
        return begins, ends, when[order], np.concatenate(all_signals)[order]

    def _values(
        self,
        batch: CustomerBatch,
        places: NDArray[np.int64],
        valued: NDArray[np.bool_] | None,
    ) -> NDArray[Any] | None:
        """Return what the orders of each entry's window are worth; None where that is unknown."""
        spec = self.orders.spec
        if not spec.has_amount or self.sources.conversion is not None:
            return None
        begins = np.ascontiguousarray(places[kernels.BEGIN])
        ends = np.ascontiguousarray(places[kernels.STOP])
        lows, highs = batch.words
        if valued is not None and not valued.all():
            lows = np.where(valued, lows, lows.dtype.type(0))
            highs = np.where(valued, highs, 0) if highs.size else highs
        if spec.amount.is_float:
            floats = np.empty(begins.size, np.float64)
            windows.sum_float_rows(begins, ends, lows, floats)
            return floats
        whole = np.empty(begins.size, np.int64)
        bad = windows.sum_integer_rows(begins, ends, lows.view(np.int64), highs, whole)
        if bad >= 0:
            raise ConfigError(
                f"what {batch.called(int(places[kernels.CUSTOMER, bad]))} ordered in a window is "
                "beyond 64 bits",
                remedy="cast the amounts to float64",
            )
        return whole


def _check_days(membership: Membership, orders: GroupedOrders, first: int, as_of: int) -> None:
    until, since = membership.known_until, membership.known_from
    if until is not None and as_of > day_number(until, "end") and not membership.is_held:
        raise ConfigError(
            (
                Option("as_of", str(date_of(as_of))),
                f" is after {until}, the last day that the memberships know",
            ),
            remedy=("make them with a later ", Option("end")),
        )
    if since is None or orders.first_day is None or first == FIRST_DAY:
        return
    if first < day_number(since, "start") > orders.first_day:
        raise ConfigError(
            (
                Option("starts_on", str(date_of(first))),
                f" is before {since}, the first day that the memberships know",
            ),
            remedy=("make them with an earlier ", Option("start")),
        )


def _where(text: str | None) -> Rules | None:
    """Return the condition of a trigger as rules of one segment."""
    if text is None:
        return None
    try:
        rules = Rules({KEPT: text}, column=KEPT)
    except OrdercycleError as error:
        raise within(error, "trigger: ") from None
    if rules.reads_streams:
        raise ConfigError(
            printable(f"trigger: {text!r} reads streams, and is read of profiles alone"),
            remedy="make segments of it by Rules, and enter these",
        )
    return rules


def _converting(text: str | None, orders: GroupedOrders) -> Condition | None:
    if text is None:
        return None
    try:
        return fitted(parsed(text, WITH_PATHS), orders.columns)
    except OrdercycleError as error:
        raise within(error, "conversion: ") from None


def _program(definition: Definition, sources: Sources, as_of: int) -> kernels.Program:
    """Return the steps as the numbers that a walk reads."""
    steps = definition.steps
    names = [one.name for one in steps]

    def place(name: str) -> int:
        return kernels.END if name == LAST else names.index(name)

    def waited(one: Action | Wait) -> int:
        if isinstance(one, Action):
            return 0
        return sources.number_of(Signal(one.event, one.of_step))

    exits = 0
    for one in definition.exit:
        event = one.partition(":")[2]
        if event and event != ORDER:
            exits |= 1 << sources.number_of(Signal(event, None))
    options = (
        POLICIES[definition.reentry["policy"]],
        definition.reentry.get("days", 0),
        definition.conversion["within_days"],
        "converted" in definition.exit,
        "left_segment" in definition.exit,
        f"event:{ORDER}" in definition.exit,
        as_of,
    )
    return kernels.Program(
        kinds=_numbers([one.kind for one in steps]),
        days=_numbers([one.days for one in steps]),
        waited=_numbers([waited(one) for one in steps]),
        following=_numbers([place(one.then) for one in steps]),
        otherwise=_numbers(
            [place(one.otherwise) if isinstance(one, Wait) else kernels.END for one in steps]
        ),
        options=_numbers(options),
        exits=as_input(np.array([exits], np.uint64)),
    )


def _numbers(values: Sequence[int]) -> NDArray[np.int64]:
    return as_input(np.array(values, np.int64))
