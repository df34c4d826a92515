"""More events for a history: grouped by themselves, with its codes, and put on top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

from ordercycle._errors import ColumnError
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_build import build
from ordercycle._events.event_format import EventFormat
from ordercycle._events.event_merging import count_merged
from ordercycle._events.event_options import EventOptions
from ordercycle._events.event_spec import EventSpec
from ordercycle._events.stored_events import EventCounts, StoredEvents
from ordercycle._history.appending import extended, is_there, pieces_of
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.event_reader import EventPayload
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

    reading: read, filesystem and progress.
    """
    if is_there(history, batch, repeated):
        return history
    spec = history.spec
    options = EventOptions(
        columns=spec.columns,
        policies=spec.policies,
        day_instants=spec.day_instants,
        threads=history.threads,
        **reading,
    )
    arriving = build(events, options, like=spec, most_batches=len(history.parts))
    made = EventFormat(_common(spec, arriving.spec))
    pieces = pieces_of(arriving, len(history.parts), made)

    def count(number: int, there: CustomerEvents, _: Workspace) -> EventCounts:
        return EventCounts(*count_merged(there, pieces[number], made.spec))

    counts = reduce(EventCounts.plus, history.scan(count))
    before = history.counts.repeated + arriving.counts.repeated
    counts = counts._replace(repeated=counts.repeated + before)
    return extended(replace(history, format=made, counts=counts), arriving.tally, pieces, batch)


def _common(there: EventSpec, arriving: EventSpec) -> EventSpec:
    """Return what both have in common, or raise a ColumnError where types contradict each other."""
    columns = there.columns
    _together(columns.customer, there.ids, arriving.ids)
    event_id = there.event_id
    if event_id is not None and arriving.event_id is not None:
        event_id = _together(columns.id, event_id, arriving.event_id)
    if there.payload.has_instants != arriving.payload.has_instants:
        kinds = ("dates", "timestamps")
        before = kinds[there.payload.has_instants]
        raise ColumnError(
            f"{columns.time} has {kinds[arriving.payload.has_instants]}, and {before} in the "
            "history",
            remedy=f"cast it to {before}",
            column=columns.time,
        )
    values = {
        name: _wider(name, reader, arriving.values[name]) for name, reader in there.values.items()
    }
    return replace(
        there,
        keys={
            name: _together(name, reader, arriving.keys[name])
            for name, reader in there.keys.items()
        },
        values=values,
        event_id=event_id,
        attributes=arriving.attributes,
        payload=EventPayload.of(
            columns,
            {name: reader.is_wide for name, reader in values.items()},
            has_instants=there.payload.has_instants,
        ),
    )


def _together(column: str, there: IdReader, arriving: IdReader) -> IdReader:
    """Return the reader of ids of both."""
    common = there.together_with(arriving)
    if common is None:
        raise ColumnError(
            f"{column} is {arriving.given}, and {there.given} in the history",
            remedy="cast it, so that the same thing has the same id",
            column=column,
        )
    return common


def _wider(column: str, there: AmountReader, arriving: AmountReader) -> AmountReader:
    """Return the reader of values of both: of decimals, the one with more digits."""
    if there.produced != arriving.produced:
        raise ColumnError(
            f"{column} is {arriving.given}, and {there.given} in the history",
            remedy=f"cast it to {there.given}",
            column=column,
        )
    return there.wider(arriving)
