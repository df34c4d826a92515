"""The parts of an attribution, checked one by one; the presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from ordercycle._attribution.durations import duration_of
from ordercycle._errors import ConfigError, Option, check_choice, counted, whole_number

#: A kind of touches, or a channel and a kind.
Name: TypeAlias = "str | tuple[str, str]"
#: Channels by the names of groups; None: all that no other group has.
Groups: TypeAlias = "Mapping[str, tuple[str, ...] | None]"

LAST, FIRST, LINEAR, POSITION, DECAY = (
    "last_touch",
    "first_touch",
    "linear",
    "position",
    "time_decay",
)
MODELS = (LAST, FIRST, LINEAR, POSITION, DECAY)
COMPETE = GROUP, ALL, CHANNEL = "group", "all", "channel"
CLOCKS = TOUCH, DELIVERY = "touch", "delivery"
#: Weights of so many touches, and what is divided by them, fit the words of kernels.
MOST_TOUCHES = 1000
#: Of a burst.
MOST_CLICKS = 10_000

CAMPAIGNS, PERSONALIZATION, IN_APP = "campaigns", "personalization", "in_app"
DEFAULT_GROUPS: Groups = {
    CAMPAIGNS: None,
    PERSONALIZATION: ("Popup", "Embedded", "Recommendations"),
    IN_APP: ("In-App",),
}
#: What metrics call the groups that the defaults have.
GROUP_TITLES = {CAMPAIGNS: "Campaigns", PERSONALIZATION: "Personalization", IN_APP: "In-App"}

#: Options by the names of models of vendors, where they are not the defaults.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "maestra": {"windows": {}},
    "klaviyo": {
        "window": "5d",
        "windows": {
            ("SMS", "open"): "1d",
            ("SMS", "delivery"): "12h",
            ("Mobile Push", "open"): "24h",
            ("WhatsApp", "open"): "12h",
        },
        "qualify": (
            ("Email", "open"),
            ("Email", "click"),
            ("SMS", "click"),
            ("SMS", "open"),
            ("SMS", "delivery"),
            ("Mobile Push", "open"),
            ("WhatsApp", "click"),
            ("WhatsApp", "open"),
        ),
        "groups": {CAMPAIGNS: None},
        "clock": DELIVERY,
    },
    "last_click": {
        "window": "30d",
        "windows": {},
        "qualify": ("click",),
        "groups": {CAMPAIGNS: None},
        "compete": ALL,
    },
}


def checked_names(option: str, given: Any, *, least: int = 0) -> tuple[Name, ...]:
    """Return kinds, or channels and kinds, each once.

    Raises
    ------
    ConfigError
        They are others, or too few.
    """
    several = (given,) if isinstance(given, str) else given
    if not isinstance(several, Sequence) or len(several) < least:
        raise ConfigError(
            (Option(f"Attribution.{option}", given), " names no touches"),
            remedy='pass kinds, or pairs of channel and kind: ("click", ("SMS", "delivery"))',
        )
    names = tuple(checked_name(option, one) for one in several)
    if len(set(names)) < len(names):
        raise ConfigError(
            (Option(f"Attribution.{option}", given), " has a name twice"),
            remedy="name each kind, or channel and kind, once",
        )
    return names


def checked_name(option: str, given: Any) -> Name:
    """Return a kind, or a channel and a kind."""
    if isinstance(given, str) and given:
        return given
    if isinstance(given, tuple | list) and len(given) == 2:
        channel, kind = given
        if isinstance(channel, str) and isinstance(kind, str) and channel and kind:
            return (channel, kind)
    raise ConfigError(
        (Option(f"Attribution.{option}", given), " is no kind of touches"),
        remedy='name a kind, such as "click", or a channel and a kind: ("SMS", "delivery")',
    )


def checked_windows(given: Any) -> dict[Name, timedelta]:
    """Return windows by kinds, or channels and kinds."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigError(
            (Option("Attribution.windows", given), " names no windows"),
            remedy='pass a dictionary such as {("SMS", "delivery"): "12h"}',
        )
    return {
        checked_name("windows", name): duration_of(
            window, Option("Attribution.windows"), f": {window!r} of {name!r}"
        )
        for name, window in given.items()
    }


def checked_groups(given: Any) -> dict[str, tuple[str, ...] | None]:
    """Return the channels of each group.

    Raises
    ------
    ConfigError
        They are others, or overlap.
    """
    if not isinstance(given, Mapping) or not given:
        raise ConfigError(
            (Option("Attribution.groups", given), " names no groups"),
            remedy='pass a dictionary such as {"campaigns": None, "site": ("Popup",)}',
        )
    groups: dict[str, tuple[str, ...] | None] = {}
    for name, channels in given.items():
        several = (channels,) if isinstance(channels, str) else channels
        is_sound = several is None or (
            isinstance(several, Sequence) and all(isinstance(one, str) for one in several)
        )
        if not (isinstance(name, str) and name and is_sound):
            raise ConfigError(
                (Option("Attribution.groups"), f": {name!r}: {channels!r} is no group"),
                remedy="name it by text, and its channels as a tuple; None: all other channels",
            )
        groups[name] = None if several is None else tuple(several)
    _refuse_overlap(groups)
    return groups


def _refuse_overlap(groups: Groups) -> None:
    of_others = [name for name, channels in groups.items() if channels is None]
    if len(of_others) > 1:
        raise ConfigError(
            (
                Option("Attribution.groups"),
                f": {of_others[0]!r} and {of_others[1]!r} both have all other channels",
            ),
            remedy="give one of them channels by name",
        )
    seen: dict[str, str] = {}
    for name, channels in groups.items():
        for channel in channels or ():
            if channel in seen:
                both = f"{seen[channel]!r} and in {name!r}"
                where = both if seen[channel] != name else f"{name!r} twice"
                raise ConfigError(
                    (Option("Attribution.groups"), f": {channel!r} is in {where}"),
                    remedy="leave it in one group, as each has a winner of its own",
                )
            seen[channel] = name


def check_model(model: object, compete: object, clock: object) -> None:
    """Raise a ConfigError unless the model and its modes are known."""
    check_choice("Attribution.model", model, MODELS)
    check_choice("Attribution.compete", compete, COMPETE)
    check_choice("Attribution.clock", clock, CLOCKS)


def check_flags(*, reuse: object, strict: object, model: str, tiers: Sequence[Name]) -> None:
    """Raise a ConfigError unless flags are true or false, and strict fits the model."""
    for name, given in (("reuse", reuse), ("strict", strict)):
        if not isinstance(given, bool):
            raise ConfigError(
                (Option(f"Attribution.{name}", given), " is not true or false"),
                remedy="pass True or False",
            )
    if strict and model != LAST:
        raise ConfigError(
            (Option("Attribution.strict", strict), f" means nothing for {model}"),
            remedy=("leave it out, or pass ", Option("Attribution.model", LAST)),
        )
    if strict and tiers:
        raise ConfigError(
            (Option("Attribution.strict", strict), " and ", Option("tiers"), " contradict"),
            remedy="strict takes the latest touch of all, whatever its tier: leave one out",
        )


def checked_bursts(given: Any) -> tuple[tuple[int, timedelta], ...]:
    """Return numbers of clicks and the lengths of time in which as many are a machine's.

    Raises
    ------
    ConfigError
        They are others.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ConfigError(
            (Option("Attribution.bursts", given), " names no bursts"),
            remedy='pass pairs such as ((4, "1s"), (5, "10s"))',
        )
    bursts = []
    for one in given:
        is_pair = isinstance(one, tuple | list) and len(one) == 2
        number = whole_number(one[0]) if is_pair else None
        if number is None or not 2 <= number <= MOST_CLICKS:
            raise ConfigError(
                (Option("Attribution.bursts"), f": {one!r} is no number of clicks and a time"),
                remedy=f'pass from 2 to {MOST_CLICKS:,} clicks and a duration, as (4, "1s")',
            )
        where = (Option("Attribution.bursts"), f": {one[1]!r} of {number} clicks")
        bursts.append((number, duration_of(one[1], *where)))
    return tuple(bursts)


def checked_most(given: object) -> int:
    """Return how many touches a path may have."""
    number = whole_number(given)
    if number is None or not 1 <= number <= MOST_TOUCHES:
        raise ConfigError(
            (Option("Attribution.most_touches", given), " is no number of touches"),
            remedy=f"pass a number from 1 to {counted(MOST_TOUCHES, 'touch', 'touches')}",
        )
    return number
