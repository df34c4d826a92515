"""The definition of a journey: a trigger, steps, a conversion, and who is held out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from hashlib import sha256
from itertools import pairwise
from typing import Any, Self

from ordercycle._days import date_of, day_number
from ordercycle._errors import ConfigError, Option, check_choice, printable
from ordercycle._experiments.arms import Arms
from ordercycle._history.order_history import OrderHistory
from ordercycle._journeys.definition import Definition
from ordercycle._journeys.replayed import Replayed
from ordercycle._journeys.replaying import Replay
from ordercycle._journeys.run import JourneyRun
from ordercycle._journeys.sources import Sources, segments_of, streams_of
from ordercycle._journeys.steps import (
    ORDER,
    Action,
    Wait,
    before,
    checked,
    days_of,
    longest_days,
    read_steps,
    text_of,
)
from ordercycle._public import public

CONTROL = "control"
#: Everyone but these gets what is due: what a journey brings is told by those who get nothing.
DEFAULT_ARMS = {CONTROL: 10, "treatment": 90}
KEYS = (
    "journey",
    "starts_on",
    "ends_on",
    "migrate",
    "already_in",
    "trigger",
    "reentry",
    "conversion",
    "exit",
    "arms",
    "steps",
)
ALREADY_IN = ("ignore", "enter")
REENTRY = ("once", "each_entry", "after_days", "after_end")
EXITS = ("converted", "left_segment")
EVENT = "event:"
DIGEST_LENGTH = 16


@public()
def enters(
    segment: str | Sequence[str],
    *,
    of: str,
    from_: Sequence[str] = (),
    where: str | None = None,
) -> dict[str, Any]:
    """Return the trigger of customers who come into a segment, as data.

    Parameters
    ----------
    segment
        The segment, or several.
    of
        The name of the memberships that have it.
    from_
        The segments that customers come from; empty: any, or none.
    where
        A condition over the profile as of the day, as for :class:`Rules`.

    Examples
    --------
    >>> enters("At-risk", of="lifecycle", from_=["Active", "Loyal"])
    {'enters': 'At-risk', 'of': 'lifecycle', 'from': ['Active', 'Loyal']}
    """
    found: dict[str, Any] = {
        "enters": segment if isinstance(segment, str) else list(segment),
        "of": of,
    }
    if from_:
        found["from"] = [from_] if isinstance(from_, str) else list(from_)
    return found if where is None else {**found, "where": where}


@public()
@dataclass(frozen=True)
class Journey:
    """What happens to customers who come into a segment: a definition, and nothing that runs.

    Who enters, what is due on a day and who converted follow from the definition, the history and
    the day: :meth:`replay` computes it, of years that have passed as well. Nothing is sent.

    Parameters
    ----------
    name
        Of the journey; arms are divided by it.
    trigger
        Who enters, by :func:`enters`.
    steps
        Tables with a ``name``. An action: ``action``, and ``wait_days`` after the step before. A
        wait: ``wait_for`` with ``event``, ``within_days`` and perhaps the ``step`` whose events
        count, ``then`` and ``otherwise``. Targets are names of steps, or ``"end"``; without, the
        next one follows. The event ``"order"`` is an order; others are values of the attribute
        ``event`` of a stream, and their steps those of ``step``.
    starts_on
        The first day of entries; None: all days that memberships know.
    ends_on
        The last day of entries, whose walks go on; None: there is none.
    migrate
        Whether walks that are not over on that day end on the next one, with the status ``left``,
        for the next version to take them up: see `after` of :meth:`replay`.
    already_in
        What becomes of those who are in the segment before that day: ``"ignore"``, or ``"enter"``
        on it.
    reentry
        ``{"policy": ...}``: ``"once"``, ``"each_entry"``, ``"after_days"`` with ``days`` between
        two entries at least, or ``"after_end"`` of the walk before.
    conversion
        ``{"event": "order", "where": ..., "within_days": 30}``, or the same with what
        :func:`enters` returns. It counts on the days after the entry.
    exit
        What ends a walk: ``"converted"``, ``"left_segment"``, ``"event:x"``.
    arms
        Shares as of :class:`Experiment`; those in ``control`` walk the steps and get nothing.

    Attributes
    ----------
    digest
        The version: what is the same for equal definitions only. When its entries end is no part of
        it: what was sent by a version stays sent when the next one is announced.

    Raises
    ------
    ConfigError
        A step is never reached or leads nowhere, steps go round in a loop, arms do not add up, or
        an option is not one of those above.

    Examples
    --------
    >>> journey = Journey(
    ...     "win-back",
    ...     trigger=enters("At-risk", of="lifecycle"),
    ...     steps=[{"name": "hello", "action": "mail/we-miss-you"}],
    ... )
    >>> journey.arms
    {'control': 10, 'treatment': 90}
    >>> Journey.from_dict(journey.to_dict()).digest == journey.digest
    True
    """

    name: str
    trigger: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    _: KW_ONLY
    starts_on: date | str | None = None
    ends_on: date | str | None = None
    migrate: bool = False
    already_in: str = ALREADY_IN[0]
    reentry: Mapping[str, Any] = field(default_factory=lambda: {"policy": REENTRY[0]})
    conversion: Mapping[str, Any] = field(
        default_factory=lambda: {"event": ORDER, "within_days": 30}
    )
    exit: Sequence[str] = ("converted",)
    arms: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULT_ARMS))
    _steps: tuple[Action | Wait, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text_of(self.name, "the name of the journey")
        _check_trigger(self.trigger, "trigger", ("enters", "of", "from", "where"))
        object.__setattr__(self, "_steps", read_steps(self.steps))
        _check_span(self.starts_on, self.ends_on)
        if not isinstance(self.migrate, bool):
            raise ConfigError(
                (Option("migrate", self.migrate), " is neither true nor false"),
                remedy="say whether walks end with the version",
            )
        if self.migrate and self.ends_on is None:
            raise ConfigError(
                (Option("migrate", self.migrate), " has no day"),
                remedy=("say which is the last one of this version, by ", Option("ends_on")),
            )
        check_choice("already_in", self.already_in, ALREADY_IN)
        if self.already_in == "enter" and self.starts_on is None:
            raise ConfigError(
                (Option("already_in", "enter"), " has no day"),
                remedy=("say on which they enter, by ", Option("starts_on")),
            )
        _check_reentry(self.reentry)
        _check_conversion(self.conversion)
        _check_exit(self.exit)
        _ = self._arms  # which are checked as they are made

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Journey) and self._ending == other._ending

    @property
    def _ending(self) -> tuple[str, str, bool]:
        return self.digest, str(self.ends_on), self.migrate

    @property
    def digest(self) -> str:
        """The version: of the canonical form of the definition."""
        # Of arms, the order says who is in which. What ends later is the same version until then.
        canonical = self.to_dict() | {"arms": list(self._arms.to_dict().items())}
        for name in ("ends_on", "migrate"):
            canonical.pop(name, None)
        text = json.dumps(canonical, sort_keys=True, ensure_ascii=False, default=str)
        return sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the journey that a TOML file, or :meth:`to_dict`, describes.

        Raises
        ------
        ConfigError
            As for the journey; also where there is another option.
        """
        given = dict(checked(data, "the journey", KEYS, ("journey", "trigger", "steps")))
        return cls(given.pop("journey"), given.pop("trigger"), given.pop("steps"), **given)

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as data, every option with its value."""
        names = [one.name for one in self._steps]
        following = [*names[1:], "end"]
        trigger = dict(self.trigger)
        found: dict[str, Any] = {"journey": self.name}
        if self.starts_on is not None:
            found["starts_on"] = str(self.starts_on)
        if self.ends_on is not None:
            found["ends_on"] = str(self.ends_on)
        if self.migrate:
            found["migrate"] = True
        return found | {
            "already_in": self.already_in,
            "trigger": trigger,
            "reentry": dict(self.reentry),
            "conversion": dict(self.conversion),
            "exit": list(self.exit),
            "arms": self._arms.to_dict(),
            "steps": [
                one.to_dict(next_) for one, next_ in zip(self._steps, following, strict=True)
            ],
        }

    def lint(
        self,
        *,
        memberships: Mapping[str, Any] | None = None,
        streams: Mapping[str, Any] | None = None,
    ) -> tuple[str, ...]:
        """Return what is doubtful about the definition; nothing where nothing is.

        Parameters
        ----------
        memberships, streams
            As for :meth:`replay`: what the definition names has to be in them, where they are
            given.

        Raises
        ------
        ConfigError
            A segment, a membership or an event is unknown.
        ColumnError
            A stream has no attribute ``event`` or ``step``.

        Examples
        --------
        >>> Journey(
        ...     "hello", enters("Loyal", of="lifecycle"), [{"name": "hi", "action": "mail"}],
        ...     arms={"treatment": 100},
        ... ).lint()
        ('nobody is held out as control: what the journey brings cannot be told',)
        """
        if memberships is not None:
            segments_of(self._definition, memberships)
        if streams is not None:
            streams_of(self._definition, streams)
        doubts = []
        arms = self._arms
        if not dict(zip(arms.names, arms.weights, strict=True)).get(CONTROL):
            doubts.append("nobody is held out as control: what the journey brings cannot be told")
        window = self.conversion["within_days"]
        if longest_days(self._steps) >= window:
            doubts.append(
                f"the longest way takes {longest_days(self._steps)} days, and conversions count "
                f"for {window}"
            )
        if "converted" not in self.exit:
            doubts.append("who converts goes on, as exit does not name 'converted'")
        doubts += [
            printable(f"step {one.name!r} waits for {one.of_step!r}, sent later")
            for one in self._steps
            if isinstance(one, Wait)
            if one.of_step not in (None, *before(self._steps, one.name))
        ]
        return tuple(doubts)

    def replay(
        self,
        history: OrderHistory,
        *,
        memberships: Mapping[str, Any],
        as_of: date | str,
        streams: Mapping[str, Any] | None = None,
        ledger: Any = None,
        after: Journey | Sequence[Journey] = (),
    ) -> JourneyRun:
        """Return who entered, how far each has come, and what is due, as of a day.

        Parameters
        ----------
        history
            The orders.
        memberships
            Memberships by the names that the definition has for them, and others to tell entries
            apart by.
        as_of
            The last day that is known: what is later does not exist.
        streams
            Histories of events by any names, with attributes ``event`` and, where waits name one,
            ``step``; None where nothing is waited for but orders.
        ledger
            What was sent: a table of ``action_key`` and ``sent_on``. What follows an action is
            reckoned from the day on which it was sent; the others are taken as sent when due.
        after
            The versions before this one, the oldest first: journeys of this name, each with an
            `ends_on` before the next one's `starts_on`. Who entered by them entered, as `reentry`
            has it; and those whom the last one lets go by `migrate` enter on `starts_on`, at the
            first step, or leave at once where leaving the segment ends walks and they have. The
            entries of each version are those of its own replay.

        Returns
        -------
        JourneyRun
            The same for any number of threads and order of rows.

        Raises
        ------
        ConfigError
            A membership, segment or event is unknown; memberships are of another history, or do
            not speak of the days from `starts_on` to `as_of`; a condition is none; `after` are no
            versions that ended before this one starts.
        ColumnError, DataError
            A column of a stream, the ledger or a condition is missing, or a value is wrong.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": ["ann", "bob", "ann"],
        ...     "ordered_at": [datetime.date(2026, 1, 1)] * 2 + [datetime.date(2026, 5, 20)],
        ...     "amount": [20, 30, 40],
        ... })
        >>> history = oc.OrderHistory.build(orders)
        >>> journey = oc.Journey(
        ...     "win-back", oc.enters("At-risk", of="lifecycle"),
        ...     [{"name": "hello", "action": "mail/we-miss-you"},
        ...      {"name": "offer", "action": "mail/offer", "wait_days": 10}],
        ...     arms={"treatment": 100},
        ... )
        >>> lifecycle = oc.Lifecycle().membership(history)
        >>> run = journey.replay(history, memberships={"lifecycle": lifecycle}, as_of="2026-05-10")
        >>> for row in run.states().sort_by("customer_id").to_pylist():
        ...     print(row["customer_id"], row["step"], row["next_step"], row["due_on"])
        ann hello offer 2026-05-12
        bob hello offer 2026-05-12
        >>> run.feed("2026-05-02").num_rows
        2
        """
        if not isinstance(history, OrderHistory):
            raise ConfigError(
                (Option("history"), f" is a {type(history).__name__}, no OrderHistory"),
                remedy="build one with OrderHistory.build(orders)",
            )
        given = {} if streams is None else streams
        replay = replay_of(self, history, memberships, given, as_of, ledger, after)
        return JourneyRun(Replayed(replay, replay.found()))

    def _before(self, after: Any) -> list[Journey]:
        """Return the versions before this one, or raise a ConfigError."""
        given = [after] if isinstance(after, Journey) else after
        if not isinstance(given, Sequence) or not all(isinstance(one, Journey) for one in given):
            raise ConfigError((Option("after"), " are no journeys"), remedy="pass a list of them")
        versions = [one._definition for one in (*given, self)]  # noqa: SLF001 - of this class
        for one, following in pairwise(versions):
            if one.name != following.name:
                raise ConfigError(
                    printable(f"{one.name!r} is no version of {following.name!r}"),
                    remedy="versions of a journey have one name",
                )
            end, start = one.ends_on, following.starts_on
            if end is None or start is None:
                raise ConfigError(
                    (Option("after"), " has a version without an end, or the next has no start"),
                    remedy=("say ", Option("ends_on"), " of it, and ", Option("starts_on")),
                )
            if start <= end or (one.migrate and start != end + 1):
                raise ConfigError(
                    f"a version ends on {date_of(end)}, and the next starts on {date_of(start)}",
                    remedy="let the next one start on the day after; later, where none migrate",
                )
        return list(given)

    @property
    def _arms(self) -> Arms:
        return Arms.of("arms", self.arms, self.name, fewest=1)

    @property
    def _definition(self) -> Definition:
        starts_on, ends_on = self.starts_on, self.ends_on
        return Definition(
            self.name,
            self.digest,
            self.trigger,
            self._steps,
            None if starts_on is None else day_number(starts_on, "starts_on"),
            None if ends_on is None else day_number(ends_on, "ends_on"),
            self.already_in,
            self.reentry,
            self.conversion,
            tuple(self.exit),
            self._arms,
            self.migrate,
        )


def versions_of(journey: Journey, after: Any) -> list[Journey]:
    """Return the versions of a journey, the oldest first, or raise what `Journey.replay` does."""
    return [*journey._before(after), journey]  # noqa: SLF001 - of the class above


def replay_of(
    journey: Journey,
    history: OrderHistory,
    memberships: Mapping[str, Any],
    streams: Mapping[str, Any],
    as_of: date | str,
    ledger: Any,
    after: Any = (),
) -> Replay:
    """Return what `Journey.replay` runs, with its errors, for clusters."""
    definition = journey._definition  # noqa: SLF001 - of the class above
    sources = Sources.of(definition, memberships, streams)
    day = day_number(as_of, "as_of")
    replay = Replay.of(definition, history, sources, memberships, day, ledger)
    for one in journey._before(after):  # noqa: SLF001 - of the class above
        replay = replay.after(replay_of(one, history, memberships, streams, as_of, ledger))
    return replay


def _check_trigger(given: Any, what: str, allowed: tuple[str, ...]) -> None:
    checked(given, what, allowed, ("enters", "of"))
    text_of(given["of"], f"'of' of the {what}")
    for key in ("enters", "from"):
        names = given.get(key, [])
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, Sequence) or (key == "enters" and not names):
            raise ConfigError(printable(f"{key!r} of the {what} is {names!r}"), remedy="name one")
        for name in names:
            text_of(name, f"a segment in {key!r} of the {what}")
    if given.get("where") is not None:
        text_of(given["where"], f"'where' of the {what}")


def _check_span(starts_on: date | str | None, ends_on: date | str | None) -> None:
    first = None if starts_on is None else day_number(starts_on, "starts_on")
    last = None if ends_on is None else day_number(ends_on, "ends_on")
    if first is not None and last is not None and last < first:
        raise ConfigError(
            (
                Option("ends_on", str(ends_on)),
                " is before ",
                Option("starts_on", str(starts_on)),
            ),
            remedy="say the first and the last day of entries",
        )


def _check_reentry(given: Any) -> None:
    policy = checked(given, "reentry", ("policy", "days"), ("policy",))["policy"]
    check_choice("policy", policy, REENTRY)
    if (policy == "after_days") != ("days" in given):
        raise ConfigError(
            "reentry has days where, and only where, its policy is 'after_days'",
            remedy='write { policy = "after_days", days = 180 }',
        )
    if "days" in given:
        days_of(given["days"], "days of reentry", 1)


def _check_conversion(given: Any) -> None:
    if isinstance(given, Mapping) and "enters" in given:
        _check_trigger(given, "conversion", ("enters", "of", "within_days"))
    else:
        checked(given, "conversion", ("event", "where", "within_days"), ("event",))
        check_choice("event", given["event"], [ORDER])
        if given.get("where") is not None:
            text_of(given["where"], "'where' of the conversion")
    if "within_days" not in given:
        raise ConfigError("conversion lacks 'within_days'", remedy="say for how long it counts")
    days_of(given["within_days"], "within_days of the conversion", 1)


def _check_exit(given: Any) -> None:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigError((Option("exit", given), " is no list"), remedy='write ["converted"]')
    for one in given:
        if not (isinstance(one, str) and one.startswith(EVENT) and len(one) > len(EVENT)):
            check_choice("exit", one, EXITS)
