"""The entries of a replay with what is read of them: what rows are made of, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ordercycle._errors import check_choice
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._journeys.definition import Definition
from ordercycle._journeys.replaying import Found, Replay
from ordercycle._journeys.steps import Action
from ordercycle_kernels import journeys as kernels

CONTROL = "control"
#: In the order of the kernel's numbers; the last one is of the arm that gets nothing.
STATUSES = ("waiting", "completed", "converted", "left", "held_out")
HELD_OUT = len(STATUSES) - 1


@dataclass(frozen=True)
class Replayed:
    """A replay, and the entries that it found: (k,) in each row."""

    replay: Replay
    found: Found

    @property
    def definition(self) -> Definition:
        """The journey."""
        return self.replay.definition

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps."""
        return tuple(one.name for one in self.definition.steps)

    def row(self, number: int) -> NDArray[Any]:
        """Return a row of the kernel's entries."""
        return self.found.row(number)

    @property
    def has_converted(self) -> NDArray[np.bool_]:
        """Which entries have a conversion."""
        known: NDArray[np.bool_] = self.row(kernels.CONVERTED_ON) != kernels.NEVER
        return known

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """Which entries are of control."""
        names = self.definition.arms.names
        control = names.index(CONTROL) if CONTROL in names else -1
        held: NDArray[np.bool_] = self.found.arms == control
        return held

    @property
    def statuses(self) -> NDArray[np.int64]:
        """How entries stand, those of control as held out."""
        return np.where(self.held_out, HELD_OUT, self.row(kernels.STATUS))

    @cached_property
    def actions(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """The entry, the step and the day of all actions but those of control."""
        entries, steps, days = map(self.found.visits, range(kernels.VISIT_ROWS))
        is_action = np.array([isinstance(one, Action) for one in self.definition.steps])
        sent = is_action[steps] & ~self.held_out[entries]
        return entries[sent].astype(np.int64), steps[sent].astype(np.int64), days[sent]

    def keys(self, entries: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the keys of actions."""
        keys = np.empty(entries.size, np.uint64)
        kernels.action_keys(
            self._hashes[entries],
            self.replay.salt,
            self.row(kernels.TRIGGERED)[entries].astype(np.int32),
            steps.astype(np.uint8),
            keys,
        )
        return keys

    @cached_property
    def _hashes(self) -> NDArray[np.uint64]:
        return hashes_of(self.found.ids)

    def of_arm(self, arm: str | None) -> NDArray[np.bool_]:
        """Return which entries are of an arm, or of any."""
        if arm is None:
            return np.ones(self.found.size, np.bool_)
        kept: NDArray[np.bool_] = self.found.arms == self.definition.arms.names.index(arm)
        return kept

    def check_arm(self, arm: str | None) -> None:
        """Raise a ConfigError where there is no such arm."""
        if arm is not None:
            check_choice("arm", arm, self.definition.arms.names)
