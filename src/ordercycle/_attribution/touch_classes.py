"""The classes of touches: what is known of a touch by its kind and channel alone.

Touches of one class compete in one competition, have one window and one tier, so that of them the
latest matters first. Everything that an attribution says of kinds and channels is looked up here,
once per stream, never per touch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import is_text
from ordercycle._attribution.attribution_options import AttributionOptions
from ordercycle._attribution.durations import LONGEST, in_microseconds
from ordercycle._attribution.option_checks import (
    ALL,
    CHANNEL,
    DEFAULT_GROUPS,
    PRESETS,
    Name,
)
from ordercycle._errors import ColumnError, ConfigError, Option, counted, suggestion, warn
from ordercycle._events.stored_events import StoredEvents
from ordercycle._streams.columns import Attribute, StreamColumns
from ordercycle_kernels._types import as_input
from ordercycle_kernels.touch_paths import Rules

KIND, CHANNEL_COLUMN, CAMPAIGN, FORM, MESSAGE = "kind", "channel", "campaign", "form", "message"
#: Kinds by channels, all of which are looked at.
MOST_PAIRS = 1 << 22
#: What a touch has that is in no class, or in no group.
NONE = -1
CLICK, SMS_DELIVERY = "click", ("SMS", "delivery")
#: Names that the library itself proposes: that a stream has none of them is no mistake of anybody.
PROPOSED: frozenset[Name] = frozenset(
    (
        CLICK,
        SMS_DELIVERY,
        *(name for preset in PRESETS.values() for name in preset.get("qualify", ())),
        *(name for preset in PRESETS.values() for name in preset.get("windows", {})),
        *(channel for channels in DEFAULT_GROUPS.values() for channel in channels or ()),
    )
)


class TouchClass(NamedTuple):
    """What touches of one class have in common; competition: a number."""

    competition: int
    tier: int
    window: timedelta


@dataclass(frozen=True)
class TouchClasses:
    """The classes of a stream's touches, by the codes of kind and channel.

    classes, places (in `qualify`): (kinds * channels,), NONE where a touch cannot win; named: which
    of these `qualify` names, though their channel may be in no group; groups: by
    channel, NONE where it is in none.
    """

    known: tuple[TouchClass, ...]
    classes: NDArray[np.int32]
    places: NDArray[np.int32]
    named: NDArray[np.bool_]
    groups: NDArray[np.int32]
    channels: int
    group_names: tuple[str, ...]

    @classmethod
    def of(cls, model: AttributionOptions, columns: StreamColumns) -> TouchClasses:
        """Look up what a model says of the kinds and channels of a stream.

        Raises
        ------
        ColumnError
            The stream has no kinds or channels, or they are no texts.
        ConfigError
            There are too many of them.
        """
        kinds, channels = (_texts(columns, name) for name in (KIND, CHANNEL_COLUMN))
        if len(kinds) * len(channels) > MOST_PAIRS:
            raise ConfigError(
                f"the touches have {counted(len(kinds) - 1, 'kind')} and "
                f"{counted(len(channels) - 1, 'channel')}",
                remedy=f"pairs of them may be {MOST_PAIRS:,}: is it the right column?",
            )
        names = list(model.groups)
        of_channels: dict[str | None, str | None] = {
            one: name for name, some in model.groups.items() for one in some or ()
        }
        rest = next((name for name, some in model.groups.items() if some is None), None)
        groups = [
            NONE if group is None else names.index(group)
            for group in (of_channels.get(one, rest) for one in channels)
        ]
        ranks = _attribute(columns, CHANNEL_COLUMN).in_order.places
        order = np.arange(len(channels)) if ranks is None else ranks
        found: dict[tuple[int, int], tuple[tuple[int, ...], int, timedelta]] = {}
        places = np.full((len(kinds), len(channels)), NONE, np.int32)
        named = np.zeros(places.shape, np.bool_)
        for kind, channel in _pairs(kinds, channels, model.qualify):
            named[kind, channel] = True
            if groups[channel] == NONE:
                continue
            pair = (channels[channel], kinds[kind])
            places[kind, channel] = _place(model.qualify, pair)
            rival = {
                ALL: (),
                CHANNEL: (groups[channel], int(order[channel])),
            }.get(model.compete, (groups[channel],))
            found[kind, channel] = (rival, _place(model.tiers, pair), _window(model, pair))
        rivals = sorted({one[0] for one in found.values()})
        known = sorted({_class_of(one, rivals) for one in found.values()})
        classes = np.full_like(places, NONE)
        for (kind, channel), one in found.items():
            classes[kind, channel] = known.index(_class_of(one, rivals))
        made = cls(
            tuple(known),
            classes.ravel(),
            places.ravel(),
            named.ravel(),
            np.array(groups, np.int32),
            len(channels),
            tuple(names),
        )
        if columns.has_events:
            warn_of_absent(model, set(kinds), set(channels))
        return made

    @property
    def competitions(self) -> NDArray[np.int32]:
        """The competition of each class."""
        return np.array([one.competition for one in self.known], np.int32)

    @property
    def competition_count(self) -> int:
        """How many competitions there are."""
        return len({one.competition for one in self.known})

    @cached_property
    def has_channels_of_no_group(self) -> bool:
        """Whether there are such channels."""
        return bool((self.groups == NONE).any())

    def rules(self) -> Rules:
        """Return the classes for the kernels."""
        windows = [in_microseconds(one.window) for one in self.known]
        firsts = np.searchsorted(self.competitions, np.arange(self.competition_count + 1))
        return Rules(
            as_input(np.array(windows, np.int64)),
            as_input(np.array([one.tier for one in self.known], np.int64)),
            as_input(firsts.astype(np.int64)),
        )

    def scaled(self, model: AttributionOptions, days: int) -> TouchClasses:
        """Return the classes with windows as much longer as so many days are than the window.

        Windows are made up to whole microseconds, in which ages are, and are not longer than the
        longest age.
        """
        factor = Fraction(
            days * in_microseconds(timedelta(days=1)), in_microseconds(model.lengths[None])
        )

        def longer(window: timedelta) -> timedelta:
            exact = in_microseconds(window) * factor
            whole = -(-exact.numerator // exact.denominator)
            return timedelta(microseconds=min(whole, in_microseconds(LONGEST)))

        known = (one._replace(window=longer(one.window)) for one in self.known)
        return replace(self, known=tuple(known))


def _attribute(columns: StreamColumns, name: str) -> Attribute:
    found = columns.attributes.get(name)
    if found is None:
        raise ColumnError(
            f"the touches have no attribute {name!r}{suggestion(name, columns.attributes)}",
            remedy=("name it in ", Option("EventColumns.attributes", (KIND, CHANNEL_COLUMN))),
            column=name,
        )
    if not is_text(found.type) and len(found.values):
        raise ColumnError(
            f"{name} is {found.type} in the touches, and has to be text",
            remedy="name what it stands for by text",
            column=name,
        )
    return found


def _texts(columns: StreamColumns, name: str) -> list[str | None]:
    """Return the values of an attribute by code."""
    found: list[str | None] = _attribute(columns, name).by_code.to_pylist()
    return found


def _pairs(
    kinds: Sequence[str | None], channels: Sequence[str | None], names: Sequence[Name]
) -> Iterator[tuple[int, int]]:
    """Yield the codes of kinds and channels that have one of the names."""
    wanted = set(names)
    for kind, its in enumerate(kinds):
        for channel, one in enumerate(channels):
            if its in wanted or (one, its) in wanted:
                yield kind, channel


def _place(names: Sequence[Name], pair: tuple[str | None, str | None]) -> int:
    """Return the place of the first name of a channel and kind, or how many names there are."""
    return next((place for place, name in enumerate(names) if name in (pair, pair[1])), len(names))


def _window(model: AttributionOptions, pair: tuple[str | None, str | None]) -> timedelta:
    lengths = model.lengths
    return lengths.get(pair, lengths.get(pair[1], lengths[None]))


def _class_of(
    found: tuple[tuple[int, ...], int, timedelta], rivals: Sequence[tuple[int, ...]]
) -> TouchClass:
    rival, tier, window = found
    return TouchClass(rivals.index(rival), tier, window)


def warn_of_absent(
    model: AttributionOptions, kinds: set[str | None], channels: set[str | None]
) -> None:
    """Warn of kinds and channels that an attribution names and no touch has."""
    named = {
        "qualify": model.qualify,
        "windows": tuple(model.windows),
        "tiers": model.tiers,
        "groups": tuple(one for some in model.groups.values() for one in some or ()),
    }
    absent = [
        f"{name!r} of {option}="
        for option, names in named.items()
        for name in names
        if name not in PROPOSED and not _occurs(option, name, kinds, channels)
    ]
    if absent:
        warn(f"no touch has {', '.join(absent)}: is it a typo?")


def _occurs(option: str, name: Name, kinds: set[str | None], channels: set[str | None]) -> bool:
    if isinstance(name, tuple):
        return name[0] in channels and name[1] in kinds
    return name in (channels if option == "groups" else kinds)


def campaign_ranks(columns: StreamColumns) -> NDArray[np.uint32] | None:
    """Return the place of each campaign's code among campaigns, null first; None without any."""
    found = columns.attributes.get(CAMPAIGN)
    if found is None:
        return None
    places = found.in_order.places
    return np.arange(len(found.values) + 1, dtype=np.uint32) if places is None else places


def campaigns_without_row(touches: StoredEvents) -> list[str]:
    """Return the campaigns that the lookup of campaigns does not have, where there is one."""
    codes = touches.spec.details.attributes.unmatched_codes().get(CAMPAIGN)
    if not codes:
        return []
    values = touches.columns.attributes[CAMPAIGN].by_code
    return [str(values[code].as_py()) for code in sorted(codes)]


def codes_elsewhere(own: Attribute, other: Attribute) -> NDArray[np.int64]:
    """Return the code of each value of an attribute in another one, NONE where it is not there.

    Raises
    ------
    pyarrow.ArrowException
        They are of types that have no values in common.
    """
    import pyarrow.compute as pc

    values = own.values.cast(other.values.type)
    places = pc.index_in(values, other.values)
    codes = np.asarray(pc.add(places.cast(pa.int64()), 1).fill_null(NONE), np.int64)
    return np.concatenate([[0], codes])
