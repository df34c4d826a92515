"""What a journey reads beside orders: memberships and streams, found by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import (
    ColumnError,
    ConfigError,
    Option,
    are_all_known,
    printable,
    suggestion,
)
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._events.stored_events import StoredEvents
from ordercycle._journeys.definition import Definition
from ordercycle._journeys.steps import ORDER, Wait
from ordercycle._membership.intervals import Intervals
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle_kernels import journeys as kernels

EVENT, STEP = "event", "step"
MOST_SIGNALS = 64


@dataclass(frozen=True)
class Segments:
    """Some segments of memberships: wanted, and earlier, those that may come before: by code."""

    membership: Membership
    wanted: NDArray[np.bool_]
    earlier: NDArray[np.bool_]

    @property
    def intervals(self) -> Intervals:
        """Who was in them, and when."""
        return intervals_of(self.membership)

    @classmethod
    def of(cls, given: Mapping[str, Any], what: str, memberships: Mapping[str, Any]) -> Segments:
        """Return the segments that a trigger or a conversion names, or raise a ConfigError."""
        name = given["of"]
        membership = memberships.get(name)
        if not isinstance(membership, Membership):
            if membership is not None:
                raise ConfigError(
                    (Option("memberships"), f": {name!r} is a {type(membership).__name__}"),
                    remedy="pass what the membership method of a scheme returns",
                )
            hint = suggestion(str(name), memberships)
            raise ConfigError(
                printable(f"the {what} is of the memberships {name!r}, which are not there{hint}"),
                remedy=("pass them in ", Option("memberships")),
            )
        known = membership.segments
        masks = []
        for key in ("enters", "from"):
            names = given.get(key, [])
            mask = np.zeros(len(known), np.bool_)
            for segment in [names] if isinstance(names, str) else names:
                if segment not in known:
                    hint = suggestion(segment, known)
                    raise ConfigError(
                        printable(f"the {what} has the segment {segment!r}, unknown{hint}"),
                        remedy=printable(f"{name!r} has {', '.join(map(repr, known))}"),
                    )
                mask[known.index(segment)] = True
            masks.append(mask)
        return cls(membership, *masks)


class Signal(NamedTuple):
    """An event that is waited for, of a step or of any."""

    event: str
    step: str | None


@dataclass(frozen=True)
class SignalStream:
    """A stream, and the signals of its events: bits by the codes of event and of step."""

    events: StoredEvents
    by_event: NDArray[np.uint64]
    by_step: NDArray[np.uint64] | None

    def signals(self, batch: CustomerEvents) -> NDArray[np.uint64]:
        """Return the signals of a batch's events: a bit for each that one stands for."""
        found = self.by_event[batch.codes[EVENT]]
        if self.by_step is not None:
            found &= self.by_step[batch.codes[STEP]]
        return found


@dataclass(frozen=True)
class Sources:
    """What a definition names, found."""

    trigger: Segments
    conversion: Segments | None
    signals: tuple[Signal, ...]
    streams: tuple[SignalStream, ...]

    @classmethod
    def of(cls, definition: Definition, memberships: Any, streams: Any) -> Sources:
        """Return what a definition names.

        Raises
        ------
        ConfigError
            A membership, a segment or an event is not there.
        ColumnError
            A stream has no attribute ``event`` or ``step``.
        """
        trigger, conversion = segments_of(definition, memberships)
        signals = _signals(definition)
        return cls(trigger, conversion, signals, streams_of(definition, streams))

    def number_of(self, signal: Signal) -> int:
        """Return the bit of a signal, or that of orders."""
        if signal.event == ORDER:
            return kernels.ORDER_SIGNAL
        return self.signals.index(signal)


def segments_of(definition: Definition, memberships: Any) -> tuple[Segments, Segments | None]:
    """Return the segments of the trigger and, if it has some, of the conversion."""
    _check_names("memberships", memberships)
    conversion = None
    if "enters" in definition.conversion:
        conversion = Segments.of(definition.conversion, "conversion", memberships)
    return Segments.of(definition.trigger, "trigger", memberships), conversion


def streams_of(definition: Definition, streams: Any) -> tuple[SignalStream, ...]:
    """Return the streams with the events that are waited for; none where these are orders."""
    _check_names("streams", streams)
    signals = _signals(definition)
    if not signals:
        return ()
    if not streams:
        raise ConfigError(
            printable(f"the journey waits for the event {signals[0].event!r}, of no stream"),
            remedy=("pass histories of events in ", Option("streams")),
        )
    found = tuple(_stream(name, history, signals) for name, history in streams.items())
    known = {
        text for one in found for text in one.events.columns.attributes[EVENT].values.to_pylist()
    }
    for one in signals:
        if known and are_all_known() and one.event not in known:
            hint = suggestion(one.event, [text for text in known if isinstance(text, str)])
            raise ConfigError(
                printable(f"the journey waits for the event {one.event!r}, unknown{hint}"),
                remedy="no event of the streams is one: is its name written as it is there?",
            )
    return found


def _check_names(option: str, given: Any) -> None:
    if not isinstance(given, Mapping):
        raise ConfigError(
            (Option(option, given), " is no mapping of names"),
            remedy=("pass a dictionary, as ", Option(option), '{"a name": it}'),
        )


def _signals(definition: Definition) -> tuple[Signal, ...]:
    """Return the events that a definition waits for or ends by, but orders."""
    waited = [Signal(one.event, one.of_step) for one in definition.steps if isinstance(one, Wait)]
    ending = [Signal(one[len("event:") :], None) for one in definition.exit if ":" in one]
    signals = tuple(dict.fromkeys(one for one in (*waited, *ending) if one.event != ORDER))
    if len(signals) > MOST_SIGNALS:
        raise ConfigError(f"the journey waits for {len(signals)} events, more than {MOST_SIGNALS}")
    return signals


def _stream(name: str, history: Any, signals: tuple[Signal, ...]) -> SignalStream:
    if not isinstance(history, EventHistory):
        raise ConfigError(
            (Option("streams"), f": {name!r} is a {type(history).__name__}, no EventHistory"),
            remedy="build one with EventHistory.build(events)",
        )
    stored = stored_events(history)
    attributes = stored.columns.attributes
    needs_step = any(one.step is not None for one in signals)
    for column in (EVENT, STEP) if needs_step else (EVENT,):
        if column not in attributes:
            raise ColumnError(
                printable(f"the stream {name!r} has no attribute {column!r}"),
                remedy=("build it with ", Option("EventColumns.attributes", (column,))),
                column=column,
            )
    by_event = _bits(attributes[EVENT].by_code.to_pylist(), [one.event for one in signals])
    if not needs_step:
        return SignalStream(stored, by_event, None)
    by_step = _bits(attributes[STEP].by_code.to_pylist(), [one.step for one in signals])
    for number, one in enumerate(signals):
        if one.step is None:
            by_step |= np.uint64(1) << np.uint64(number)
    return SignalStream(stored, by_event, by_step)


def _bits(values: list[Any], wanted: list[Any]) -> NDArray[np.uint64]:
    """Return, by code, a bit for each of what is wanted that the value equals."""

    def bits(value: Any) -> int:
        equal = (number for number, one in enumerate(wanted) if one is not None and one == value)
        return sum(1 << number for number in equal)

    return np.array([bits(value) for value in values], np.uint64)
