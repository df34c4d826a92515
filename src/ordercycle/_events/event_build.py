"""From a table of events to customers: read, laid out, then grouped a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._events.event_format import EventFormat
from ordercycle._events.event_grouping import EventGrouper, EventOrder
from ordercycle._events.event_options import EventOptions
from ordercycle._events.event_spec import EventSpec, Values
from ordercycle._events.stored_events import EventCounts, StoredEvents
from ordercycle._history.build import batch_rows_of, batches_for
from ordercycle._history.grouped import Run, as_parts, keep
from ordercycle._history.options import RowProgress
from ordercycle._history.reading import Table, kind_of_amounts, kind_of_ids
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import CUSTOMER_IDS, partition_sizes
from ordercycle._ingest.event_reader import EventReader
from ordercycle._ingest.pipeline import Ingested, ingest
from ordercycle._ingest.spill_file import SpillFile
from ordercycle._sources.read_request import ReadAgain, ReadRequest
from ordercycle._workspace import LARGE_TASKS_AHEAD, TASKS_AHEAD, Workers


def build(
    events: Any,
    options: EventOptions,
    *,
    like: EventSpec | None = None,
    most_batches: int | None = None,
) -> StoredEvents:
    """Read and group a table of events.

    like: the history to which they are added, whose codes are kept and whose types text is read
    in; most_batches: a power of two, or None for as many as the rows ask for.
    """
    with Workers(options.most_threads) as workers:
        reader, ingested = _read(events, options, workers, like)
        spill = options.spill
        if spill is not None:
            workers.free_workspace()
        spec, codes = _spec_of(reader, options, like)
        spec = spec.with_lookups({name: _table(one) for name, one in options.lookups.items()})
        made = EventFormat(spec)
        grouper = EventGrouper(
            blocks=ingested.blocks,
            partition_bits=ingested.partition_bits,
            ids=spec.ids,
            customer_column=spec.columns.customer,
            order=EventOrder(
                payload=spec.payload,
                ranks={name: spec.attributes[name].places[own] for name, own in codes.items()},
                keys=spec.keys,
                values=spec.values,
                event_id=spec.event_id,
            ),
            codes=codes,
            days=(ingested.tally.first_day or 0, ingested.tally.last_day or 0),
            workspace=workers.workspace,
        )
        runs, counts = _grouped(grouper, made, ingested, options, workers, most_batches)
        return StoredEvents(
            made,
            as_parts(made, runs),
            ingested.tally,
            counts,
            options.most_threads,
            spill=spill if ingested.is_spilled else None,
        )


def _table(lookup: Any) -> pa.Table:
    return lookup if isinstance(lookup, pa.Table) else pa.table(lookup)


def _read(
    events: Any, options: EventOptions, workers: Workers, like: EventSpec | None
) -> tuple[EventReader, Ingested]:
    """Read the events: again, where text holds what its first rows did not show."""
    columns = options.columns

    def reader_of(schema: pa.Schema, problems: Problems) -> EventReader:
        reader = EventReader(
            schema, columns, problems, options.policies, day_instants=options.day_instants
        )
        if like is not None:
            for name, known in like.attributes.items():
                reader.attributes[name].begin_with(known.values)
        return reader

    ids_in = (columns.customer, *columns.keys, columns.id)
    request = options.wanted if like is None else _known(options.wanted, like)
    table = Table(events, request, options, ids_in, reader_of)
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


def _known(request: ReadRequest, like: EventSpec) -> ReadRequest:
    """Return a request in the types of a history."""
    columns = like.columns
    kinds = {columns.customer: kind_of_ids(like.ids)}
    kinds |= {name: kind_of_ids(reader) for name, reader in like.keys.items()}
    if like.event_id is not None:
        kinds[columns.id] = kind_of_ids(like.event_id)
    kinds |= {name: kind_of_amounts(reader) for name, reader in like.values.items()}
    for name, known in like.attributes.items():
        kind = known.values.type
        if pa.types.is_integer(kind):
            kinds[name] = pa.int64()
        else:
            kinds[name] = kind if pa.types.is_boolean(kind) else pa.string()
    for name, kind in kinds.items():
        if kind is not None:
            request = request.knowing(name, kind)
    return request


def _spec_of(
    reader: EventReader, options: EventOptions, like: EventSpec | None
) -> tuple[EventSpec, Mapping[str, NDArray[np.uint32]]]:
    """Return what the events have in common, and the codes that are kept by those of the reader."""
    attributes, codes = {}, {}
    for name, attribute in reader.attributes.items():
        known = None if like is None else like.attributes[name]
        values, codes[name] = attribute.sorted(0 if known is None else len(known.values))
        if known is None:
            attributes[name] = Values(values)
        else:
            attributes[name] = known if len(values) == len(known.values) else Values.of(values)
    spec = EventSpec(
        ids=reader.id_readers[CUSTOMER_IDS],
        columns=options.columns,
        policies=options.policies,
        day_instants=options.day_instants,
        payload=reader.payload,
        keys=reader.keys,
        values=reader.values,
        event_id=reader.event_id,
        attributes=attributes,
    )
    return spec, codes


def _grouped(
    grouper: EventGrouper,
    made: EventFormat,
    ingested: Ingested,
    options: EventOptions,
    workers: Workers,
    most_batches: int | None,
) -> tuple[list[Run], EventCounts]:
    partitions = 1 << ingested.partition_bits
    ends = np.concatenate([[0], np.cumsum(partition_sizes(ingested.blocks, partitions))])
    rows, spill = int(ends[-1]), options.spill
    report = RowProgress(options.progress, "group", rows)
    batch_rows = batch_rows_of(ingested.blocks, rows, spill, workers.threads)
    number = min(partitions, batches_for(rows, batch_rows), most_batches or partitions)
    width = partitions // number
    file = SpillFile(spill.folder) if spill is not None and ingested.is_spilled else None

    def group(batch: int) -> tuple[Run, EventCounts]:
        found = grouper.batch(range(batch * width, (batch + 1) * width))
        customers = found.customers
        counts = EventCounts(len(customers.ids), customers.days.size, found.repeated)
        return keep(customers, made, file, workers.workspace), counts

    runs, counts = [], []
    ahead = TASKS_AHEAD if spill is None else LARGE_TASKS_AHEAD
    for batch, (run, counted) in enumerate(workers.in_order(group, range(number), ahead=ahead)):
        report(int(ends[(batch + 1) * width] - ends[batch * width]))
        runs.append(run)
        counts.append(counted)
    return runs, reduce(EventCounts.plus, counts)
