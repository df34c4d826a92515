"""More events for a history: grouped by themselves, with its codes, and put on top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_build import build
from ordercycle._events.event_format import EventFormat
from ordercycle._events.event_merging import merge_events, with_repeats
from ordercycle._events.event_options import EventOptions
from ordercycle._events.event_spec import EventSpec
from ordercycle._events.stored_events import EventCounts, StoredEvents
from ordercycle._history.appending import as_described, extended, is_there, names_kept, pieces_of
from ordercycle._history.common_details import common_details, together
from ordercycle._history.places import find_places
from ordercycle._workspace import Workspace


def append(
    history: StoredEvents,
    events: Any,
    *,
    batch: str | None,
    repeated: str,
    reading: Mapping[str, Any],
) -> StoredEvents:
    """Return the history with more events; the parameters are those of EventHistory.append.

    reading: source, read, filesystem and progress.
    """
    if is_there(history, batch, repeated):
        return history
    spec = history.spec
    options = _options(history, reading)
    with names_kept():
        arriving = build(events, options, like=spec, most_batches=len(history.parts))
    made = EventFormat(_common(spec, arriving.spec))
    pieces = pieces_of(arriving, len(history.parts), made)

    def count(number: int, there: CustomerEvents, _: Workspace) -> EventCounts:
        return _together(there, pieces[number], made.spec)

    counts = reduce(EventCounts.plus, history.scan(count))
    before = history.counts.repeated + arriving.counts.repeated
    counts = counts._replace(repeated=counts.repeated + before)
    return extended(replace(history, format=made, counts=counts), arriving.tally, pieces, batch)


def _options(history: StoredEvents, reading: Mapping[str, Any]) -> EventOptions:
    """Return how more events are read: as those of the history, from where the caller says."""
    spec = history.spec
    return replace(
        as_described(spec, reading, EventOptions.of),
        columns=spec.columns,
        policies=spec.policies,
        day_instants=spec.day_instants,
        threads=history.threads,
    )


def _together(there: CustomerEvents, arriving: CustomerEvents, spec: EventSpec) -> EventCounts:
    """Count the events of two batches; repeated are those that both have."""
    places, repeats = find_places(there.ids, arriving.ids), with_repeats(there, arriving)
    found = []
    if repeats.any():  # of events that are there twice, the order of all says which one stays
        repeats_there = np.zeros(len(there.ids), np.bool_)
        repeats_there[places.positions[repeats]] = True
        merged, repeated = merge_events(
            there.of_customers(repeats_there), arriving.of_customers(repeats), spec
        )
        found.append(EventCounts.of(merged, repeated))
        there, arriving = (
            one.of_customers(~some) for one, some in ((there, repeats_there), (arriving, repeats))
        )
    found += [EventCounts.of(there), EventCounts.of(arriving)]
    counts = reduce(EventCounts.plus, found)
    return counts._replace(
        customers=counts.customers - int(np.count_nonzero(places.found & ~repeats))
    )


def _common(there: EventSpec, arriving: EventSpec) -> EventSpec:
    """Return what both have in common, or raise a ColumnError where types contradict each other."""
    customer = there.columns.customer
    together(customer, there.ids, arriving.ids)
    return replace(
        there, details=common_details(there.details, arriving.details, there.columns.time)
    )
