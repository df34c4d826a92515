"""The features that are timed: many counts, and a few of every kind."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Protocol

KINDS = ("delivery", "open", "click", "submit")
CHANNELS = ("Email", "SMS", "Mobile Push", "Popup")
WINDOWS = (7, 30, 90, 365)


class Asked(Protocol):
    """A column: its name, and what it is in the features' language."""

    @property
    def name(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True)
class Counted:
    """Events of a kind in a channel, of the last days up to the as-of day."""

    kind: str
    channel: str
    days: int

    @property
    def name(self) -> str:
        channel = self.channel.lower().replace(" ", "_")
        return f"{self.kind}_{channel}_{self.days}"

    @property
    def text(self) -> str:
        condition = f"kind == '{self.kind}' and channel == '{self.channel}'"
        return f"count(touches, {condition}, last={self.days})"


@dataclass(frozen=True)
class Mixed:
    """A column of another function: in the language, and as an aggregate in SQL.

    {start} stands for the instant at which the last 365 days begin, {end} for the as-of day.
    """

    name: str
    text: str
    sql: str


#: Every kind, channel and window: 64 columns.
MANY = tuple(Counted(*one) for one in product(KINDS, CHANNELS, WINDOWS))
#: Eight of them, of all kinds, channels and windows.
FEW = MANY[::9][:8]
ASKED = {len(FEW): FEW, len(MANY): MANY}

#: Codes are the places of values in `generate_events.ATTRIBUTES`.
MIXED = (
    Mixed(
        "orders_email",
        "sum(touches.amount, channel == 'Email')",
        "coalesce(sum(amount) FILTER (channel = 0), 0)",
    ),
    Mixed(
        "year_mean",
        "mean(touches.amount, last=365)",
        "avg(amount) FILTER (occurred_at >= {start})",
    ),
    Mixed(
        "email_share",
        "share(touches.amount, channel == 'Email')",
        "coalesce(sum(amount) FILTER (channel = 0), 0) / sum(amount)",
    ),
    Mixed(
        "campaigns",
        "distinct(touches.campaign, last=365)",
        "count(DISTINCT campaign) FILTER (occurred_at >= {start})",
    ),
    Mixed(
        "days_since_click",
        "days_since(touches, kind == 'click')",
        "date_diff('day', (max(occurred_at) FILTER (kind = 2))::DATE, {end})::INTEGER",
    ),
    Mixed("first_device", "first(touches.device)", "arg_min(device, occurred_at)"),
    Mixed("submitted", "has(touches, kind == 'submit')", "bool_or(kind = 4)"),
    Mixed(
        "clicks_and_opens",
        "has_all(touches.kind, ('click', 'open'), last=365)",
        "coalesce((bool_or(kind = 2) FILTER (occurred_at >= {start})) "
        "AND (bool_or(kind = 1) FILTER (occurred_at >= {start})), false)",
    ),
)
