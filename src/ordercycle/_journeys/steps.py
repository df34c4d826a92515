"""The steps of a journey: actions and waits, read, checked, and as the numbers of a walk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ordercycle._errors import ConfigError, printable, suggestion, whole_number
from ordercycle_kernels import journeys as kernels

#: The target that ends a walk, and the event that orders are.
LAST, ORDER = "end", "order"
MOST_STEPS, MOST_DAYS = 64, 36_500


def checked(given: Any, what: str, allowed: Sequence[str], needed: Sequence[str] = ()) -> Any:
    """Return a mapping of known keys, or raise a ConfigError that names what is wrong."""
    if not isinstance(given, Mapping):
        raise ConfigError(
            printable(f"{what} is {given!r}, which has no {needed[0] if needed else allowed[0]}"),
            remedy=f"write it as a table of {', '.join(allowed)}",
        )
    for name in given:
        if name not in allowed:
            hint = suggestion(str(name), allowed)
            raise ConfigError(
                printable(f"{what} has no option {name!r}{hint}"),
                remedy=f"there are {', '.join(allowed)}",
            )
    for name in needed:
        if name not in given:
            raise ConfigError(f"{what} lacks {name!r}", remedy=f"say its {name}")
    return given


def days_of(given: Any, what: str, fewest: int) -> int:
    """Return a number of days, or raise a ConfigError."""
    days = whole_number(given)
    if days is None or not fewest <= days <= MOST_DAYS:
        raise ConfigError(
            printable(f"{what} is {given!r}"),
            remedy=f"pass a whole number of days from {fewest} to {MOST_DAYS:,}",
        )
    return days


def text_of(given: Any, what: str) -> str:
    """Return text that is not empty, or raise a ConfigError."""
    if not isinstance(given, str) or not given:
        raise ConfigError(printable(f"{what} is {given!r}, which is no name"), remedy="pass text")
    return given


@dataclass(frozen=True)
class Action:
    """Something that is sent, so many days after the step before."""

    name: str
    action: str
    wait_days: int
    then: str

    kind: ClassVar[int] = kernels.ACTION
    keys: ClassVar[tuple[str, ...]] = ("name", "action", "wait_days", "then")

    @property
    def targets(self) -> tuple[str, ...]:
        """Where a walk goes on."""
        return (self.then,)

    @property
    def days(self) -> int:
        """How long it waits."""
        return self.wait_days

    def to_dict(self, following: str) -> dict[str, Any]:
        """Return it as data; following: the step that is next by itself."""
        found: dict[str, Any] = {"name": self.name, "action": self.action}
        if self.wait_days:
            found["wait_days"] = self.wait_days
        return found if self.then == following else {**found, "then": self.then}


@dataclass(frozen=True)
class Wait:
    """A wait for an event, which decides where a walk goes on."""

    name: str
    event: str
    of_step: str | None
    within_days: int
    then: str
    otherwise: str

    kind: ClassVar[int] = kernels.WAIT
    keys: ClassVar[tuple[str, ...]] = ("name", "wait_for", "then", "otherwise")

    @property
    def targets(self) -> tuple[str, ...]:
        """Where a walk goes on."""
        return (self.then, self.otherwise)

    @property
    def days(self) -> int:
        """How long it waits."""
        return self.within_days

    def to_dict(self, following: str) -> dict[str, Any]:
        """Return it as data; following: the step that is next by itself."""
        waited: dict[str, Any] = {"event": self.event}
        if self.of_step is not None:
            waited["step"] = self.of_step
        waited["within_days"] = self.within_days
        found: dict[str, Any] = {"name": self.name, "wait_for": waited}
        targets = {"then": self.then, "otherwise": self.otherwise}
        return found | {name: one for name, one in targets.items() if one != following}


def read_steps(given: Any) -> tuple[Action | Wait, ...]:
    """Return the steps of a journey.

    Raises
    ------
    ConfigError
        There are none, one has no name or the same as another, a target is none of them, a step is
        never reached, or steps go round in a loop.
    """
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise ConfigError("the journey has no steps", remedy="give it one action at least")
    if len(given) > MOST_STEPS:
        raise ConfigError(f"the journey has {len(given)} steps, more than {MOST_STEPS}")
    names = []
    for number, one in enumerate(given, 1):
        allowed = (*Action.keys, *Wait.keys[1:])
        name = text_of(checked(one, f"step {number}", allowed, ("name",))["name"], f"step {number}")
        if name == LAST or name in names:
            why = "is the word for the end" if name == LAST else "is there twice"
            raise ConfigError(printable(f"the name of a step, {name!r}, {why}"), remedy="rename it")
        names.append(name)
    following = [*names[1:], LAST]
    steps = tuple(_read(one, next_) for one, next_ in zip(given, following, strict=True))
    _check_targets(steps, names)
    _check_ways(steps)
    return steps


def _read(given: Mapping[str, Any], following: str) -> Action | Wait:
    what = printable(f"step {given['name']!r}")
    if ("action" in given) == ("wait_for" in given):
        raise ConfigError(f"{what} has to have either an action or a wait_for")
    then = given.get("then", following)
    if "action" in given:
        checked(given, what, Action.keys)
        wait = days_of(given.get("wait_days", 0), f"wait_days of {what}", 0)
        return Action(given["name"], text_of(given["action"], f"action of {what}"), wait, then)
    checked(given, what, Wait.keys)
    waited = checked(
        given["wait_for"],
        f"wait_for of {what}",
        ("event", "step", "within_days"),
        ("event", "within_days"),
    )
    return Wait(
        given["name"],
        text_of(waited["event"], f"event of {what}"),
        waited.get("step"),
        days_of(waited["within_days"], f"within_days of {what}", 1),
        then,
        given.get("otherwise", following),
    )


def _check_targets(steps: Sequence[Action | Wait], names: Sequence[str]) -> None:
    for one in steps:
        for target in one.targets:
            if target != LAST and target not in names:
                hint = suggestion(str(target), [*names, LAST])
                raise ConfigError(
                    printable(f"step {one.name!r} leads to {target!r}, which is no step{hint}"),
                    remedy=f"name a step, or {LAST!r}",
                )
        if isinstance(one, Wait) and one.of_step is not None:
            actions = [other.name for other in steps if isinstance(other, Action)]
            if one.of_step not in actions:
                hint = suggestion(str(one.of_step), actions)
                raise ConfigError(
                    printable(f"step {one.name!r} waits for {one.of_step!r}, no action{hint}"),
                    remedy="name the action whose events count",
                )
            if one.event == ORDER:
                raise ConfigError(
                    printable(f"step {one.name!r} waits for orders, which are of no step"),
                    remedy="leave out its step",
                )


def _check_ways(steps: Sequence[Action | Wait]) -> None:
    """Raise a ConfigError where steps go round in a loop, or are never reached."""
    by_name = {one.name: one for one in steps}
    done: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            loop = " > ".join([*way[way.index(name) :], name])
            raise ConfigError(
                printable(f"the steps go round in a loop: {loop}"),
                remedy="lead one of them to a later step, or to 'end'",
            )
        if name == LAST or name in done:
            return
        for target in by_name[name].targets:
            follow(target, (*way, name))
        done.add(name)

    follow(steps[0].name, ())
    unreached = [one.name for one in steps if one.name not in done]
    if unreached:
        raise ConfigError(
            printable(f"no way leads to the step {unreached[0]!r}"),
            remedy="lead a step to it, or leave it out",
        )


def longest_days(steps: Sequence[Action | Wait]) -> int:
    """Return how many days the longest way from the first action to the last one takes."""
    by_name = {one.name: one for one in steps}
    known = {LAST: 0}  # ways part and meet again: there are many more of them than steps

    def from_step(name: str) -> int:
        if name not in known:
            one = by_name[name]
            known[name] = one.days + from_step(one.then)
            if isinstance(one, Wait):
                known[name] = max(known[name], one.days + 1 + from_step(one.otherwise))
        return known[name]

    return from_step(steps[0].name)


def before(steps: Sequence[Action | Wait], name: str) -> Iterator[str]:
    """Yield the steps from which a way leads to another."""
    found, pending = set(), [name]
    while pending:
        target = pending.pop()
        for one in steps:
            if target in one.targets and one.name not in found:
                found.add(one.name)
                pending.append(one.name)
                yield one.name
