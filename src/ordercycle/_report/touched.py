"""What reports know of touches: names of channels and the like, and the keys of cells by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._attribution.credit_scan import CreditScan
from ordercycle._attribution.option_checks import CAMPAIGNS as CAMPAIGN_GROUP
from ordercycle._attribution.option_checks import CHANNEL as PER_CHANNEL
from ordercycle._attribution.option_checks import FIRST, LAST
from ordercycle._attribution.touch_classes import CAMPAIGN, CHANNEL_COLUMN, FORM
from ordercycle._report.blocks import Key
from ordercycle._report.quantities import CAMPAIGN as BY_CAMPAIGN
from ordercycle._report.quantities import CHANNEL, CRM, FORM_TYPE, MAILING_TYPE
from ordercycle._streams.columns import Attribute, Lookup
from ordercycle._streams.conditions import Condition

Int64s = NDArray[np.int64]

#: What stands for a channel, type or form that is not known.
NONE_TEXT = "(none)"
#: Whole orders of models that divide them: what divides by every number up to 22, and five.
SHARE_UNIT = 5 * 232_792_560
TYPE, SENT_AT = "type", "sent_at"
NO_KEY = -1


@dataclass(frozen=True)
class Names:
    """The values of an attribute of touches as texts, and which of them each code has."""

    texts: tuple[str, ...]
    by_code: Int64s

    @classmethod
    def of(cls, found: Attribute | Lookup | None) -> Names | None:
        """Return the values in their order, and behind them what stands for none.

        A value that is written as what stands for none is one with it.
        """
        if found is None:
            return None
        values, places = found.in_order
        texts = tuple(str(one) for one in values.to_pylist())
        ranks = np.arange(len(found.by_code)) if places is None else places.astype(np.int64)
        distinct = (*dict.fromkeys(one for one in texts if one != NONE_TEXT), NONE_TEXT)
        numbers = {text: number for number, text in enumerate(distinct)}
        places_of = np.array([numbers[one] for one in (*texts, NONE_TEXT)], np.int64)
        return cls(distinct, places_of[ranks - 1])  # of rank 0, that of none: the last

    def with_texts(self, texts: Sequence[str]) -> Names:
        """Return the same with further texts, which no code has."""
        return replace(self, texts=tuple(dict.fromkeys((*self.texts, *texts))))


@dataclass(frozen=True)
class Touched:
    """What reports know of touches: the names of channels, types, forms and campaigns.

    groups: of each code of a channel, as a number; brands: of each code of a brand of touches, its
    view, where they have brands.
    """

    scan: CreditScan
    channels: Names
    types: Names | None
    forms: Names | None
    campaigns: Names | None
    own: Mapping[str, Condition]
    brands: Int64s | None

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups."""
        return self.scan.finder.classes.group_names

    @property
    def group_of_channels(self) -> NDArray[np.int32]:
        """The number of the group of each code of a channel, negative for none."""
        return self.scan.finder.classes.groups

    @property
    def share_unit(self) -> int:
        """How many parts an order has."""
        return 1 if self.scan.model.model in (LAST, FIRST) else SHARE_UNIT


def credit_keys(touched: Touched) -> list[Key]:
    """Return the keys of what touches are credited with."""
    found = [Key(CRM), *(Key(group) for group in touched.groups)]
    channels = touched.channels
    of_channels: dict[tuple[str, str], None] = {}
    for code, place in enumerate(channels.by_code.tolist()):
        number = int(touched.group_of_channels[code])
        if number >= 0:
            of_channels[channels.texts[place], touched.groups[number]] = None
    for channel, group in of_channels:
        found += [Key(group, CHANNEL, channel), Key(CRM, CHANNEL, channel)]
    for grain, names in ((MAILING_TYPE, touched.types), (FORM_TYPE, touched.forms)):
        found += [Key(group, grain, name) for group in touched.groups for name in texts_of(names)]
    return found


def message_keys(touched: Touched) -> list[Key]:
    """Return the keys of messages."""
    named = (
        (CHANNEL, touched.channels),
        (MAILING_TYPE, touched.types),
        (BY_CAMPAIGN, touched.campaigns),
    )
    return [
        Key(),
        *(Key(None, grain, name) for grain, names in named for name in texts_of(names)),
    ]


def texts_of(names: Names | None) -> tuple[str, ...]:
    """Return the names, if there are any."""
    return () if names is None else names.texts


class KeysByGroup(NamedTuple):
    """Keys of what is credited by the codes of an attribute of touches: (groups, codes)."""

    attribute: str
    keys: NDArray[np.int64]


@dataclass(frozen=True)
class KeysByCode:
    """The keys of cells by the codes of touches, negative where there are none: made once.

    credited: one after the other; sent: by the code of a campaign, None where there are none;
    leaves: (l, k), by the code of a campaign and, within it, of a channel.
    """

    credited: tuple[KeysByGroup, ...]
    sent: Int64s | None
    leaves: NDArray[np.int32]

    @classmethod
    def of(
        cls,
        touched: Touched,
        credited: Mapping[Key, int],
        sent: Mapping[Key, int],
        messages: Mapping[Key, int],
    ) -> KeysByCode:
        """Look the keys of blocks up for every code."""
        groups, channels, campaigns = touched.groups, touched.channels, touched.campaigns
        found = [
            KeysByGroup(CHANNEL_COLUMN, _by_group(credited, owners, CHANNEL, channels))
            for owners in ([CRM] * len(groups), groups)
        ]
        if touched.scan.model.compete != PER_CHANNEL:
            own = np.array([credited[Key(one)] for one in groups], np.int64)
            wide = np.repeat(own[:, None], channels.by_code.size, axis=1)
            found.append(KeysByGroup(CHANNEL_COLUMN, wide))
        for grain, names, attribute in (
            (MAILING_TYPE, touched.types, CAMPAIGN),
            (FORM_TYPE, touched.forms, FORM),
        ):
            if names is not None:
                found.append(KeysByGroup(attribute, _by_group(credited, groups, grain, names)))
        of_campaigns = None
        if campaigns is not None and sent:
            of_campaigns = _keys_of(sent, CAMPAIGN_GROUP, BY_CAMPAIGN, campaigns)
        return cls(tuple(found), of_campaigns, _leaf_keys(touched, messages))


def _by_group(
    keys: Mapping[Key, int], groups: Sequence[str], grain: str, names: Names
) -> NDArray[np.int64]:
    return np.stack([_keys_of(keys, group, grain, names) for group in groups])


def _keys_of(keys: Mapping[Key, int], group: str | None, grain: str, names: Names) -> Int64s:
    """Return the key of each code of an attribute, negative where there is none."""
    own = [keys.get(Key(group, grain, name), NO_KEY) for name in names.texts]
    found: Int64s = np.array(own, np.int64)[names.by_code]
    return found


def _leaf_keys(touched: Touched, keys: Mapping[Key, int]) -> NDArray[np.int32]:
    """Return the keys of messages by campaign and channel: of all, and of each that they have."""
    of_channels = _keys_of(keys, None, CHANNEL, touched.channels)
    named = [
        _keys_of(keys, None, grain, names)
        for grain, names in ((MAILING_TYPE, touched.types), (BY_CAMPAIGN, touched.campaigns))
        if names is not None
    ]
    campaigns = 1 if touched.campaigns is None else touched.campaigns.by_code.size
    columns = [
        np.full(campaigns * of_channels.size, keys[Key()]),
        np.tile(of_channels, campaigns),
        *(np.repeat(one, of_channels.size) for one in named),
    ]
    return np.ascontiguousarray(np.stack(columns, axis=1), np.int32)
