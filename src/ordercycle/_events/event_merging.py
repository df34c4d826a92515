"""Two batches of the same range of customers as one: their events in one order, each once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_spec import EventSpec
from ordercycle._grouping.details import Details
from ordercycle._grouping.total_order import TotalOrder
from ordercycle._history.places import find_places, merged_ids, merged_rows
from ordercycle._ingest.payload import DAY, Payload
from ordercycle._streams.columns import Keys
from ordercycle_kernels.event_order import mark_repeats


class MergedEvents(NamedTuple):
    """Customers with the events of both batches, and how many events both had."""

    customers: CustomerEvents
    repeated: int


def with_repeats(there: CustomerEvents, arriving: CustomerEvents) -> NDArray[np.bool_]:
    """Return which arriving customers have an event whose id one of theirs there has: (a,)."""
    again = np.zeros(len(arriving.ids), np.bool_)
    if there.details.event_ids is None or arriving.details.event_ids is None:
        return again
    places = find_places(there.ids, arriving.ids)
    found = np.flatnonzero(places.found)
    slots = np.full(len(there.ids), -1, np.int64)
    slots[places.positions[found]] = found
    both = [
        _ids_of(there, there.details.event_ids, slots),
        _ids_of(
            arriving, arriving.details.event_ids, np.where(places.found, np.arange(again.size), -1)
        ),
    ]
    owners, words, known = (np.concatenate(pair) for pair in zip(*both, strict=True))
    order = np.argsort(owners, kind="stable")  # of two that ascend: merged
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=again.size))])
    table = np.zeros(1 << (2 * owners.size + 1).bit_length(), np.int32)
    kept = np.empty(owners.size, np.bool_)
    if mark_repeats(offsets, order.astype(np.int32), words, known, table, kept):
        again[owners[order[~kept]]] = True
    return again


def _ids_of(
    events: CustomerEvents, ids: Keys, slots: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.bool_]]:
    """Return of some customers' events whose they are, and their ids and which they have.

    slots: (c,), a number for each customer, -1 for those left out.
    """
    owners = np.repeat(slots, np.diff(events.offsets))
    kept = owners >= 0
    known = np.ones(owners.size, np.bool_) if ids.known is None else ids.known
    return owners[kept], ids.words[kept], known[kept]


def merge_events(there: CustomerEvents, arriving: CustomerEvents, spec: EventSpec) -> MergedEvents:
    """Return the customers of both batches with the events of both, each once."""
    payload = spec.details.payload
    places = find_places(there.ids, arriving.ids)
    before, new = _columns_of(there, payload), _columns_of(arriving, payload)
    order = TotalOrder.of(spec.details)
    merged = merged_rows(there.offsets, arriving.offsets, before, new, places, order)
    columns = {
        name: np.concatenate([values, new[name]]).take(merged.rows)
        for name, values in before.items()
    }
    ids = merged_ids(there.ids, arriving.ids, places)
    details = Details.of(columns, payload)
    customers = CustomerEvents(ids, merged.offsets, columns[DAY], details)
    return MergedEvents(customers, merged.repeated)


def _columns_of(events: CustomerEvents, payload: Payload) -> dict[str, NDArray[Any]]:
    return {DAY: events.days, **events.details.columns(events.days.size, payload)}
