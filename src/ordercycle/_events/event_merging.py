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


class MergedEvents(NamedTuple):
    """Customers with the events of both batches, and how many events both had."""

    customers: CustomerEvents
    repeated: int


def count_merged(
    there: CustomerEvents, arriving: CustomerEvents, spec: EventSpec
) -> tuple[int, int, int]:
    """Return how many customers and events both are together, and how many events both had."""
    places = find_places(there.ids, arriving.ids)
    customers = len(there.ids) + int(np.count_nonzero(~places.found))
    repeated = 0
    if spec.details.payload.event_id is not None:
        touched = np.zeros(len(there.ids), np.bool_)
        touched[places.positions[places.found]] = True
        got = there.select(np.repeat(touched, np.diff(there.offsets)))
        repeated = merge_events(got, arriving, spec).repeated
    return customers, there.days.size + arriving.days.size - repeated, repeated


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
