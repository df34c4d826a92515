"""Walks, and who enters a version of a journey behind those of other versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle_kernels import journeys as kernels
from ordercycle_kernels._types import as_input

#: Places of a program's options.
POLICY, POLICY_DAYS, LEAVES, LAST_KNOWN = 0, 1, 4, 6


class Entering(NamedTuple):
    """Days on which customers would enter, ascending: offsets: (c + 1,), the others (k,).

    stops: when they leave the segment; codes: which it is; kept: whether they may enter.
    """

    offsets: NDArray[np.int64]
    days: NDArray[np.int32]
    stops: NDArray[np.int32]
    codes: NDArray[np.int16]
    kept: NDArray[np.bool_]

    @property
    def owners(self) -> NDArray[np.int64]:
        """The customer of each day: (k,)."""
        return np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))

    def rows(self, chosen: NDArray[Any]) -> Entering:
        """Return some of the days, whose offsets are of no use."""
        return Entering(self.offsets, *(column[chosen] for column in self[1:]))

    def joined(
        self, owners: NDArray[np.int64], more: Entering, theirs: NDArray[np.int64]
    ) -> Entering:
        """Return days with more of them; owners, theirs: whose they are."""
        whose = np.concatenate([owners, theirs])
        columns = [
            np.concatenate([one, other]) for one, other in zip(self[1:], more[1:], strict=True)
        ]
        order = np.lexsort((columns[0], whose))
        sizes = np.bincount(whose, minlength=self.offsets.size - 1)
        return Entering(
            np.concatenate([[0], np.cumsum(sizes)]), *(column[order] for column in columns)
        )


class Walk(NamedTuple):
    """Walks of a part's customers: entries, places and visits as of the kernel, (rows, k) each.

    entering: who could have entered, as walked; stops: (k,), when they leave the segment; valued:
    as of replays; on_the_way: (k,), whose walks a next version takes up.
    """

    entries: NDArray[np.int32]
    places: NDArray[np.int64]
    visits: NDArray[np.int32]
    entering: Entering
    stops: NDArray[np.int32]
    walked: Walked
    valued: NDArray[np.bool_] | None
    on_the_way: NDArray[np.bool_] | None = None


class Walked(NamedTuple):
    """What walks are a function of, beside the days of entry."""

    happened: kernels.Happened
    sent: kernels.Sent
    program: kernels.Program

    def written(
        self,
        entering: Entering,
        entries: NDArray[np.int32],
        places: NDArray[np.int64],
        visits: NDArray[np.int32],
        valued: NDArray[np.bool_] | None,
    ) -> Walk:
        """Walk, into room that is given."""
        counts = np.zeros(2, np.int64)
        candidates = kernels.Candidates(
            *(
                as_input(one)
                for one in (entering.offsets, entering.days, entering.stops, entering.kept)
            )
        )
        kernels.walk_journeys(
            candidates, self.happened, self.program, self.sent, entries, places, visits, counts
        )
        entered, visited = counts.tolist()
        return Walk(
            entries[:, :entered],
            places[:, :entered],
            visits[:, :visited],
            entering,
            entering.stops,
            self,
            valued,
        )

    def anew(self, entering: Entering, steps: int, valued: NDArray[np.bool_] | None = None) -> Walk:
        """Walk, into room of its own."""
        size = entering.days.size
        return self.written(
            entering,
            np.empty((kernels.ENTRY_ROWS, size), np.int32),
            np.empty((kernels.PLACE_ROWS, size), np.int64),
            np.empty((kernels.VISIT_ROWS, size * steps), np.int32),
            valued,
        )


def with_options(program: kernels.Program, changed: Mapping[int, int]) -> kernels.Program:
    """Return a program with some options changed, by their place."""
    options = program.options.copy()
    for place, value in changed.items():
        options[place] = value
    return program._replace(options=as_input(options))


def entering_after(
    walk: Walk, steps: int, entering: Entering, program: kernels.Program, *, start: int | None
) -> Entering:
    """Return who enters a version after an earlier one: as the version's policy has it.

    walk, steps: of the earlier one; program: the version's; start: the day on which those enter
    whom the earlier one lets go, None where it lets nobody.
    """
    owners, whose = entering.owners, walk.places[kernels.CUSTOMER]
    lasts = _lasts(whose)
    free = np.full(entering.offsets.size - 1, -kernels.NEVER)
    policy = int(program.options[POLICY])
    if policy == kernels.ONCE:
        free[whose] = kernels.NEVER
    elif policy == kernels.AFTER_DAYS:
        triggered = walk.entries[kernels.TRIGGERED][lasts].astype(np.int64)
        free[whose[lasts]] = triggered + program.options[POLICY_DAYS]
    elif policy == kernels.AFTER_END:
        # Where the last walk of the earlier one ends: that walk itself says who enters behind it.
        last = walk.entering.rows(walk.places[kernels.CANDIDATE][lasts])
        has_entered = np.zeros(free.size, np.bool_)
        has_entered[whose] = True
        later = np.flatnonzero(has_entered[owners])
        both = entering.rows(later)
        both = both._replace(kept=np.ones_like(both.kept)).joined(owners[later], last, whose[lasts])
        ending = walk.walked._replace(
            program=with_options(walk.walked.program, {POLICY: kernels.AFTER_END})
        ).anew(both, steps)
        free[whose] = kernels.NEVER
        second = ending.entries[kernels.NUMBER] == 2
        free[ending.places[kernels.CUSTOMER, second]] = ending.entries[kernels.TRIGGERED, second]
    allowed = entering._replace(kept=entering.kept & (entering.days >= free[owners]))
    if start is None or walk.on_the_way is None:
        return allowed
    moved = np.flatnonzero(walk.on_the_way)
    moved = moved[_lasts(whose[moved])]
    candidates = walk.places[kernels.CANDIDATE][moved]
    taken = walk.entering.rows(candidates)._replace(
        days=np.full(moved.size, start, np.int32),
        stops=walk.stops[candidates],
        kept=np.ones(moved.size, np.bool_),
    )
    is_moved = np.zeros(free.size, np.bool_)
    is_moved[whose[moved]] = True
    others = ~(is_moved[owners] & (allowed.days == start))
    return allowed.rows(others).joined(owners[others], taken, whose[moved])


def _lasts(whose: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the last row of each customer, whose rows are side by side."""
    return np.flatnonzero(np.append(whose[1:] != whose[:-1], [True])[: whose.size])
