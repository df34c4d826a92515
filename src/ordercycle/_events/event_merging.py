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

#: Odd, so that no two ids of a customer have the same product, and no two customers.
OF_CUSTOMER, OF_ID = np.uint64(0xD1B54A32D192ED03), np.uint64(0x9E3779B97F4A7C15)


class MergedEvents(NamedTuple):
    """Customers with the events of both batches, and how many events both had."""

    customers: CustomerEvents
    repeated: int


def with_repeats(
    there: CustomerEvents, arriving: CustomerEvents
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which customers of both have an event with the same id on both sides.

    By hashes of ids: there may be some who have none. (c,) of those there, (a,) of those arriving.
    """
    places = find_places(there.ids, arriving.ids)
    found = np.flatnonzero(places.found)
    slots = np.full(len(there.ids), -1, np.int64)
    slots[places.positions[found]] = found
    words, _ = _words_of_ids(there, slots)
    arriving_words, arriving_owners = _words_of_ids(
        arriving, np.where(places.found, np.arange(places.found.size), -1)
    )
    again = np.zeros(len(arriving.ids), np.bool_)
    again[arriving_owners[np.isin(arriving_words, words)]] = True
    again_there = np.zeros(len(there.ids), np.bool_)
    again_there[places.positions[again]] = True
    return again_there, again


def _words_of_ids(
    events: CustomerEvents, slots: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return a word for the customer and id of events that have one, and whose they are.

    slots: (c,), a number for each customer, -1 for those left out.
    """
    ids = events.details.event_ids
    if ids is None:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    owners = np.repeat(slots, np.diff(events.offsets))
    kept = owners >= 0 if ids.known is None else (owners >= 0) & ids.known
    owners = owners[kept]
    return (owners.astype(np.uint64) * OF_CUSTOMER) ^ (ids.words[kept] * OF_ID), owners


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
