"""From a table of events to customers: read, laid out, then grouped a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_grouping import EventGrouper, EventOrder, GroupedEvents
from ordercycle._events.event_options import EventOptions
from ordercycle._events.event_spec import EventSpec, Values
from ordercycle._history.build import batches_for
from ordercycle._history.options import RowProgress
from ordercycle._history.reading import Table
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import CUSTOMER_IDS, partition_sizes
from ordercycle._ingest.event_reader import EventReader
from ordercycle._ingest.morsels import Tally
from ordercycle._ingest.pipeline import Ingested, ingest
from ordercycle._sources.read_request import ReadAgain
from ordercycle._workspace import TASKS_AHEAD, Workers


class BuiltEvents(NamedTuple):
    """Grouped events, and what reading and grouping counted."""

    spec: EventSpec
    batches: list[CustomerEvents]
    tally: Tally
    repeated: int


def build(events: Any, options: EventOptions) -> BuiltEvents:
    """Read and group a table of events."""
    with Workers(options.most_threads) as workers:
        reader, ingested = _read(events, options, workers)
        spec, ranks = _spec_of(reader, options)
        spec = spec.with_lookups({name: _table(one) for name, one in options.lookups.items()})
        grouper = EventGrouper(
            blocks=ingested.blocks,
            partition_bits=ingested.partition_bits,
            ids=spec.ids,
            customer_column=spec.columns.customer,
            order=EventOrder(
                payload=spec.payload,
                ranks=ranks,
                keys=spec.keys,
                values=spec.values,
                event_id=spec.event_id,
            ),
            days=(ingested.tally.first_day or 0, ingested.tally.last_day or 0),
            workspace=workers.workspace,
        )
        batches, repeated = _grouped(grouper, ingested, options, workers)
        return BuiltEvents(spec, batches, ingested.tally, repeated)


def _table(lookup: Any) -> pa.Table:
    return lookup if isinstance(lookup, pa.Table) else pa.table(lookup)


def _read(events: Any, options: EventOptions, workers: Workers) -> tuple[EventReader, Ingested]:
    """Read the events: again, where text holds what its first rows did not show."""
    columns = options.columns

    def reader_of(schema: pa.Schema, problems: Problems) -> EventReader:
        return EventReader(
            schema, columns, problems, options.policies, day_instants=options.day_instants
        )

    ids_in = (columns.customer, *columns.keys, columns.id)
    table = Table(events, options.wanted, options, ids_in, reader_of)
    while True:
        try:
            with closing(table.source):
                return table.reader, ingest(
                    table.identified,
                    table.reader,
                    table.problems,
                    partition_bits=None,
                    workers=workers,
                    report=RowProgress(options.progress, "read", table.source.rows),
                    spill=options.spill,
                )
        except ReadAgain as again:
            table = table.knowing(again.column, again.kind)


def _spec_of(
    reader: EventReader, options: EventOptions
) -> tuple[EventSpec, Mapping[str, np.ndarray[Any, Any]]]:
    """Return what the events have in common, and the places of the codes that were read."""
    found = {name: attribute.sorted() for name, attribute in reader.attributes.items()}
    spec = EventSpec(
        ids=reader.id_readers[CUSTOMER_IDS],
        columns=options.columns,
        policies=options.policies,
        day_instants=options.day_instants,
        payload=reader.payload,
        keys=reader.keys,
        values=reader.values,
        event_id=reader.event_id,
        attributes={name: Values(values) for name, (values, _) in found.items()},
    )
    return spec, {name: places for name, (_, places) in found.items()}


def _grouped(
    grouper: EventGrouper, ingested: Ingested, options: EventOptions, workers: Workers
) -> tuple[list[CustomerEvents], int]:
    partitions = 1 << ingested.partition_bits
    ends = np.concatenate([[0], np.cumsum(partition_sizes(ingested.blocks, partitions))])
    report = RowProgress(options.progress, "group", int(ends[-1]))
    number = min(partitions, batches_for(int(ends[-1])))
    width = partitions // number

    def group(batch: int) -> GroupedEvents:
        return grouper.batch(range(batch * width, (batch + 1) * width))

    batches, repeated = [], 0
    for batch, made in enumerate(workers.in_order(group, range(number), ahead=TASKS_AHEAD)):
        report(int(ends[(batch + 1) * width] - ends[batch * width]))
        batches.append(made.customers)
        repeated += made.repeated
    return batches, repeated
