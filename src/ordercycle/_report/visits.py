"""Visits by people who are no customers yet, and those in which they left a contact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ordercycle._attribution.credit_scan import Meeting
from ordercycle._attribution.touch_classes import CAMPAIGN, CHANNEL_COLUMN, KIND
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._report.facts import Facts, chosen, listed
from ordercycle._report.quantities import COLLECTED, VISITED
from ordercycle._report.sources import Sources
from ordercycle._report.touched import Touched
from ordercycle_kernels.calendar import LAST_DAY

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Kinds of touches, and the key of those that belong to one visit.
VISIT, SUBMIT, VISIT_KEY = "visit", "submit", "visit"


class VisitReader:
    """Finds the visits of a batch of touches that were made without a customer.

    Those are visits by people whom the history of orders does not have, or not yet: before the day
    on which they come, or on that day with a form that they submit then. A submitted form is of the
    visit with the same key, else of the visitor's last one.
    """

    def __init__(self, sources: Sources, touched: Touched, horizon: int | None) -> None:
        self.sources = sources
        self.touched = touched
        self._horizon = horizon
        kinds = touched.scan.touches.columns.attributes[KIND].by_code.to_pylist()
        self._are_visits = np.array([one == VISIT for one in kinds], np.bool_)
        self._are_submits = np.array([one == SUBMIT for one in kinds], np.bool_)

    @classmethod
    def of(cls, sources: Sources, horizon: int | None) -> VisitReader | None:
        """Return one for the touches of a report; None where none of them is a visit."""
        if sources.touched is None:
            return None
        found = cls(sources, sources.touched, horizon)
        return found if found._are_visits.any() else None

    def facts(self, met: Meeting) -> Iterator[Facts]:
        """Yield all of them, and those that ended in a submit; grouped by all who have touches."""
        batch = met.touches
        counts = np.ones(batch.days.size, np.bool_)
        if met.qualified.excluded.size:
            counts &= ~met.qualified.excluded
        if self._horizon is not None:
            counts &= batch.days <= self._horizon
        kinds = batch.codes[KIND]
        visits = np.flatnonzero(counts & self._are_visits[kinds])
        submits = np.flatnonzero(counts & self._are_submits[kinds])
        ended = _ended(batch, visits, submits)
        came = _came_on(met)[visits]
        days = batch.days[visits]
        own = (days < came) | ((days == came) & _submits_on_its_day(batch, visits, submits))
        for block, kept in ((VISITED, own), (COLLECTED, own & ended)):
            rows = visits[kept]
            are_there = np.zeros(batch.days.size, np.bool_)
            are_there[rows] = True
            yield Facts(
                block,
                chosen(batch.offsets, are_there),
                batch.days[rows],
                self._keys(batch, block, rows),
                np.ones(rows.size, np.int64),
                rows,
                of_orders=False,
            )

    def _keys(self, batch: CustomerEvents, block: str, rows: Int64s) -> tuple[Int64s, ...]:
        """Return the keys of visits: of all, of their channel and so on, and those of brands."""
        by_code, touched = self.sources.keys_by_code, self.touched
        if by_code is None:
            raise AssertionError("there are touches: looked at where this is made")
        leaves = batch.codes[CHANNEL_COLUMN][rows].astype(np.int64)
        if touched.campaigns is not None:
            campaigns = batch.codes[CAMPAIGN][rows].astype(np.int64)
            leaves += campaigns * touched.channels.by_code.size
        keys = tuple(by_code.leaves[leaves].T.astype(np.int64))
        if touched.brands is None or self.sources.brand is None:
            return keys
        brands = touched.brands[batch.codes[self.sources.brand][rows]]
        behind = brands * len(self.sources.keys[block])
        of_brands = tuple(np.where((one < 0) | (brands < 0), -1, one + behind) for one in keys)
        return keys + of_brands


def _came_on(met: Meeting) -> NDArray[np.int32]:
    """Return for each touch the day on which its customer came: the last day for nobody's."""
    found = np.full(met.touches.days.size, LAST_DAY, np.int32)
    offsets, rows = listed(met.own)
    found[rows] = np.repeat(met.orders.batch.visible, np.diff(offsets))
    return found


def _owners(batch: CustomerEvents) -> Int64s:
    return np.repeat(np.arange(len(batch.ids)), np.diff(batch.offsets))


def _ended(batch: CustomerEvents, visits: Int64s, submits: Int64s) -> Bools:
    """Return which visits ended in a submit: (v,)."""
    found = np.zeros(visits.size, np.bool_)
    if not visits.size or not submits.size:
        return found
    owners = _owners(batch)
    left = np.ones(submits.size, np.bool_)
    keys = batch.keys.get(VISIT_KEY)
    if keys is not None:
        both = np.concatenate([visits, submits])
        known = np.ones(both.size, np.bool_) if keys.known is None else keys.known[both]
        pairs = np.stack([owners[both].astype(np.uint64), keys.words[both]])
        _, numbers = np.unique(pairs, axis=1, return_inverse=True)
        numbers = np.where(known, numbers.ravel(), -1)
        of_visits, of_submits = numbers[: visits.size], numbers[visits.size :]
        found |= np.isin(of_visits, of_submits) & (of_visits >= 0)
        left &= ~(np.isin(of_submits, of_visits) & (of_submits >= 0))
    # Of one instant, the visit comes first.
    moments = _moments(batch, owners)
    last = np.searchsorted(moments[visits], moments[submits], side="right") - 1
    left &= (last >= 0) & (owners[visits[last]] == owners[submits])
    found[last[left]] = True
    return found


def _submits_on_its_day(batch: CustomerEvents, visits: Int64s, submits: Int64s) -> Bools:
    """Return after which visits their visitor submits on the same day: (v,)."""
    if not visits.size or not submits.size:
        return np.zeros(visits.size, np.bool_)
    owners = _owners(batch)
    moments = _moments(batch, owners)
    place = np.searchsorted(moments[submits], moments[visits], side="left")
    following = submits[np.minimum(place, submits.size - 1)]
    found: Bools = (
        (place < submits.size)
        & (owners[following] == owners[visits])
        & (batch.days[following] == batch.days[visits])
    )
    return found


def _moments(batch: CustomerEvents, owners: Int64s) -> Int64s:
    """Return the number of each touch's customer and instant among all of them: ascending."""
    if batch.instants is None:
        raise AssertionError("touches have instants: checked where they are credited")
    is_new = np.ones(owners.size, np.bool_)
    is_new[1:] = (owners[1:] != owners[:-1]) | (batch.instants[1:] != batch.instants[:-1])
    return np.cumsum(is_new)
