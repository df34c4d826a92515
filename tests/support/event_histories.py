"""Histories of events as the library makes them, in the oracle's terms."""

from dataclasses import replace

import pyarrow as pa
from oracle.events import Stream
from support.events import CUSTOMER, ID, TIME, EventCase
from support.layouts import Layout

import ordercycle as oc
from ordercycle._ingest.id_bytes import hashes_of


def kept(value):
    """Return what the library keeps of a key: integers as they are, others by their hash."""
    if isinstance(value, int):
        return value
    return int(hashes_of(pa.array([value]))[0])


def stream_of(case: EventCase) -> Stream:
    """Return the oracle's stream, with keys as the library keeps them."""
    return replace(case, reading=replace(case.reading, kept=kept)).stream()


def event_columns(case: EventCase) -> oc.EventColumns:
    """Return the columns of a case."""
    return oc.EventColumns(
        customer=CUSTOMER,
        time=TIME,
        id=ID if case.has_ids else None,
        attributes=case.names.attributes,
        keys=case.names.keys,
        values=case.names.values,
    )


def build(case: EventCase, events: object, layout: Layout, **options: object) -> oc.EventHistory:
    """Build the library's history of a case."""
    reading = case.reading
    return oc.EventHistory.build(
        events,
        columns=event_columns(case),
        lookups=case.lookups(layout),
        timezone=reading.timezone,
        anonymous=reading.anonymous,
        day_instants=reading.day_instants,
        times_without_zone=reading.times_without_zone,
        **options,
    )


def customers_of(history: oc.EventHistory) -> dict:
    """Return the events of each customer, each as the values of its columns."""
    found = {}
    for batch in history.to_batches():
        ids = batch.column(0)
        plain = ids.dictionary_decode() if pa.types.is_dictionary(ids.type) else ids
        for customer, events in zip(
            plain.to_pylist(), batch.column("events").to_pylist(), strict=True
        ):
            assert customer not in found
            found[customer] = [tuple(event.values()) for event in events]
    return found


def expected_customers(stream: Stream, case: EventCase) -> dict:
    """Return what the library should give."""
    names = case.names
    return {
        customer: [
            (
                event.day if event.instant is None else event.instant,
                *((event.id,) if case.has_ids else ()),
                *(event.fields[name] for name in names.all),
            )
            for event in events
        ]
        for customer, events in stream.customers.items()
    }
