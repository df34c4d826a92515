"""A journey as a replay reads it: checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ordercycle._experiments.arms import Arms
from ordercycle._journeys.steps import Action, Wait


@dataclass(frozen=True)
class Definition:
    """What a journey says.

    digest: its version; starts_on, ends_on: days since 1970-01-01, None: any day; migrate: whether
    walks that are not over on the last of them end on the next day.
    """

    name: str
    digest: str
    trigger: Mapping[str, Any]
    steps: tuple[Action | Wait, ...]
    starts_on: int | None
    ends_on: int | None
    already_in: str
    reentry: Mapping[str, Any]
    conversion: Mapping[str, Any]
    exit: tuple[str, ...]
    arms: Arms
    migrate: bool = False
