"""What is counted of entries: tables of integers that add up, and what is said of their sums.

One machine counts all entries at once; of a cluster, each partition counts its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, check_choice
from ordercycle._journeys.past_segments import segments_on
from ordercycle._journeys.replayed import CONTROL, HELD_OUT, STATUSES, Replayed
from ordercycle._journeys.survival import LOG_RANK, Times, compared, survival
from ordercycle._segments.counting_rounds import Cells
from ordercycle_kernels import journeys as kernels

GROUPS = ("arm", "cohort", "segment", "version")
TRIGGERED = "(triggered)"
NONE_OF_IT = "(no segment)"

Int64s = NDArray[np.int64]


class Counter(Protocol):
    """Something that is counted of entries."""

    def check(self, replayed: Replayed) -> None:
        """Raise a ConfigError where the journey has no such thing."""

    def cells(self, replayed: Replayed) -> Cells:
        """Return the counts of some entries, which add up with those of others."""

    def table(self, replayed: Replayed, total: Cells) -> pa.Table:
        """Return what all of them come to; of `replayed` no entry is read."""


@dataclass(frozen=True)
class Analytics:
    """How many entered and converted, of each group: the argument of `JourneyRun.analytics`."""

    by: str | None

    #: What is counted of each group, in this order.
    COUNTED: ClassVar = ("entries", "converted", "closed", "closed_converted", "days")

    def check(self, replayed: Replayed) -> None:
        """Refuse what entries are not told apart by."""
        if self.by is not None:
            others = replayed.replay.memberships
            check_choice("by", self.by, (*GROUPS, *(one for one in others if one not in GROUPS)))

    def cells(self, replayed: Replayed) -> Cells:
        """Count by group, the counts of a group side by side."""
        groups = self._groups(replayed)
        if not groups.size:
            return Cells.summed([], [])
        first = int(groups.min())
        codes = groups - first
        triggered, converted = map(replayed.row, (kernels.TRIGGERED, kernels.CONVERTED_ON))
        has = replayed.has_converted
        closed = triggered + replayed.replay.window <= replayed.replay.as_of
        both = closed & has
        size = int(codes.max()) + 1
        days = np.zeros(size, np.int64)
        np.add.at(days, codes[both], (converted - triggered)[both])
        counts = [np.bincount(codes[rows], minlength=size) for rows in (has, closed, both)]
        table = np.stack([np.bincount(codes, minlength=size), *counts, days], axis=1)
        places = np.arange(table.size) + first * len(self.COUNTED)
        return Cells.summed(places, table.reshape(-1))

    def table(self, replayed: Replayed, total: Cells) -> pa.Table:
        """Return shares, null where there is nothing to divide by."""
        groups, kinds = np.divmod(total.cell, len(self.COUNTED))
        labels = self._labels(replayed)
        if labels is None:  # groups are months, and those that nobody entered in are no rows
            there, rows = np.unique(groups, return_inverse=True)
            labels = [str(month) for month in there.astype("datetime64[M]")]
        else:
            rows = groups
        counts = np.zeros((len(labels), len(self.COUNTED)), np.int64)
        counts[rows.reshape(-1), kinds] = total.count
        entries, converted, closed, both, days = counts.T
        columns = {
            "Triggered journey": pa.array(entries),
            "Converted": pa.array(converted),
            "Conversion rate": _shares(both, closed),
            "Days to convert (Avg)": _shares(days, both),
            "conversion_rate_so_far": _shares(converted, entries),
        }
        if self.by is None:
            return pa.table(columns)
        return pa.table({self.by: pa.array(labels, pa.string()), **columns})

    def _groups(self, replayed: Replayed) -> Int64s:
        """Return the group of each entry: its place among the labels, or its month."""
        found, replay = replayed.found, replayed.replay
        if self.by in (None, "version"):
            return np.zeros(found.size, np.int64)
        if self.by == "arm":
            return found.arms.astype(np.int64)
        if self.by == "segment":
            wanted = np.flatnonzero(replay.sources.trigger.wanted)
            return np.searchsorted(wanted, found.segments)
        triggered = replayed.row(kernels.TRIGGERED)
        if self.by == "cohort":
            months = triggered.astype("datetime64[D]").astype("datetime64[M]")
            return months.astype(np.int64)
        membership = replay.memberships[str(self.by)]
        return segments_on(replay.orders, membership, found.ids, triggered).astype(np.int64)

    def _labels(self, replayed: Replayed) -> list[str] | None:
        """Return the names of the groups; None: of months."""
        if self.by is None:
            return [""]
        if self.by == "cohort":
            return None
        definition, trigger = replayed.definition, replayed.replay.sources.trigger
        if self.by == "arm":
            return list(definition.arms.names)
        if self.by == "version":
            return [definition.digest]
        if self.by == "segment":
            wanted = np.flatnonzero(trigger.wanted)
            return [trigger.membership.segments[code] for code in wanted.tolist()]
        return [*replayed.replay.memberships[self.by].segments, NONE_OF_IT]


@dataclass(frozen=True)
class Funnel:
    """How many came to each step, and where they are: the argument of `JourneyRun.funnel`."""

    arm: str | None

    def check(self, replayed: Replayed) -> None:
        """Refuse an arm that the journey does not have."""
        replayed.check_arm(self.arm)

    def cells(self, replayed: Replayed) -> Cells:
        """Count who reached each step, and by how they stand, who came no further."""
        kept = replayed.of_arm(self.arm)
        statuses = replayed.row(kernels.STATUS)[kept]
        steps = replayed.row(kernels.STEP)[kept] + 1
        entries, visited = map(replayed.found.visits, (kernels.ENTRY, kernels.VISITED))
        size = len(replayed.steps) + 1
        reached = np.bincount(visited[kept[entries]] + 1, minlength=size)
        reached[0] = np.count_nonzero(kept)
        of_status = [
            np.bincount(steps[statuses == number], minlength=size) for number in range(HELD_OUT)
        ]
        return _flat([reached, *of_status])

    def table(self, replayed: Replayed, total: Cells) -> pa.Table:
        """Return a row for each step."""
        steps = replayed.steps
        reached, *of_status = _dense(total, 1 + HELD_OUT, len(steps) + 1)
        found = {"step": pa.array([TRIGGERED, *steps]), "reached": pa.array(reached)}
        statuses = zip(STATUSES[:HELD_OUT], of_status, strict=True)
        return pa.table(found | {name: pa.array(counts) for name, counts in statuses})


@dataclass(frozen=True)
class TimeToConvert:
    """On which days entries converted: the argument of `JourneyRun.time_to_convert`."""

    arm: str | None

    def check(self, replayed: Replayed) -> None:
        """Refuse an arm that the journey does not have."""
        replayed.check_arm(self.arm)

    def cells(self, replayed: Replayed) -> Cells:
        """Count the entries by day."""
        return _flat(_days_of(replayed, replayed.of_arm(self.arm)))

    def table(self, replayed: Replayed, total: Cells) -> pa.Table:
        """Return the share that has not converted, by day."""
        [times] = _times(replayed, total, 1)
        rows = survival(*times)
        return pa.table(
            {
                "day": pa.array([one.day for one in rows], pa.int32()),
                "survival": pa.array([one.share for one in rows], pa.float64()),
                "lower": pa.array([one.low for one in rows], pa.float64()),
                "upper": pa.array([one.high for one in rows], pa.float64()),
            }
        )


@dataclass(frozen=True)
class LogRank:
    """On which days the first entries of customers converted, arm by arm."""

    def check(self, replayed: Replayed) -> None:
        """Refuse a journey without control."""
        if CONTROL not in replayed.definition.arms.names:
            raise ConfigError(
                "the journey has no arm 'control': there is nothing to compare with",
                remedy=("hold some back, by ", Option("arms")),
            )

    def cells(self, replayed: Replayed) -> Cells:
        """Count the first entries by arm and day."""
        first = replayed.row(kernels.NUMBER) == 1
        of_arms = (first & replayed.of_arm(name) for name in replayed.definition.arms.names)
        return _flat([days for kept in of_arms for days in _days_of(replayed, kept)])

    def table(self, replayed: Replayed, total: Cells) -> pa.Table:
        """Return a row for each arm but control."""
        names = replayed.definition.arms.names
        times = dict(zip(names, _times(replayed, total, len(names)), strict=True))
        control = times.pop(CONTROL)
        rows = [{"arm": name, **compared(one, control)} for name, one in times.items()]
        columns = {field.name: [row.get(field.name) for row in rows] for field in LOG_RANK}
        return pa.table(
            [pa.array(columns[field.name], field.type) for field in LOG_RANK], schema=LOG_RANK
        )


@dataclass(frozen=True)
class Withdrawn:
    """Which rows of the ledger follow from no entry."""

    def check(self, replayed: Replayed) -> None:
        """Every journey has actions, or none that were sent."""

    def cells(self, replayed: Replayed) -> Cells:
        """Count, of each key of the ledger, how often it follows."""
        sent = replayed.replay.ledger.keys
        if not sent.size:
            return Cells.summed([], [])
        entries, steps, _ = replayed.actions
        keys = replayed.keys(entries, steps)
        places = np.minimum(np.searchsorted(sent, keys), sent.size - 1)
        follows = places[sent[places] == keys]
        return Cells.summed(follows, np.ones(follows.size, np.int64))

    def table(self, replayed: Replayed, total: Cells) -> pa.Table:
        """Return the others."""
        ledger = replayed.replay.ledger
        follows = np.zeros(ledger.keys.size, np.bool_)
        follows[total.cell] = True
        return ledger.table(~follows)


def _days_of(replayed: Replayed, kept: NDArray[np.bool_]) -> list[Int64s]:
    """Return who converted on each day after the entry, and who was seen last on it without."""
    window = replayed.replay.window
    triggered = replayed.row(kernels.TRIGGERED)[kept]
    has = replayed.has_converted[kept]
    converted = replayed.row(kernels.CONVERTED_ON)[kept]
    seen = np.minimum(replayed.replay.as_of - triggered, window)
    days = ((converted - triggered)[has], seen[~has])
    return [np.bincount(one, minlength=window + 1) for one in days]


def _times(replayed: Replayed, total: Cells, arms: int) -> list[Times]:
    """Return the days on which entries of each arm converted, or were seen last."""
    of_arms = _dense(total, 2 * arms, replayed.replay.window + 1)
    made = []
    for events, lost in zip(of_arms[::2], of_arms[1::2], strict=True):
        # Who entered on the last day was not seen yet.
        at_risk = int(events.sum() + lost[1:].sum())
        made.append(Times(at_risk, events[1:].tolist(), lost[1:].tolist()))
    return made


def _flat(rows: Sequence[Int64s]) -> Cells:
    """Return rows of counts of one size, one after the other."""
    counts = np.concatenate(rows)
    return Cells.summed(np.arange(counts.size), counts)


def _dense(total: Cells, rows: int, size: int) -> Int64s:
    """Return what `_flat` has laid out."""
    counts = np.zeros(rows * size, np.int64)
    counts[total.cell] = total.count
    return counts.reshape(rows, size)


def _shares(counts: NDArray[Any], of: NDArray[Any]) -> pa.Array:
    """Return quotients, null where there is nothing to divide by."""
    return pa.array(
        [
            one / all_ if all_ else None
            for one, all_ in zip(counts.tolist(), of.tolist(), strict=True)
        ],
        pa.float64(),
    )
