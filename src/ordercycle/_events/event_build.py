"""From a table of events to customers: read, laid out, then grouped a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle._events.event_format import EventFormat
from ordercycle._events.event_grouping import EventGrouper, rows_of
from ordercycle._events.event_options import EventOptions
from ordercycle._events.event_spec import EventSpec
from ordercycle._events.stored_events import EventCounts, StoredEvents
from ordercycle._grouping.details import DetailWriter
from ordercycle._grouping.event_writer import EventWriter
from ordercycle._grouping.total_order import TotalOrder
from ordercycle._history.build import batch_rows_of, batches_for
from ordercycle._history.grouped import Run, as_parts, keep
from ordercycle._history.options import RowProgress
from ordercycle._history.reading import Table, kind_of_ids, kinds_of_details, knowing
from ordercycle._ingest.attributes import Codes
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import CUSTOMER_IDS, partition_sizes
from ordercycle._ingest.event_reader import EventReader
from ordercycle._ingest.pipeline import Ingested, ingest
from ordercycle._ingest.spill_file import SpillFile
from ordercycle._sources.read_request import ReadAgain, ReadRequest
from ordercycle._spec import DetailSpec
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
        spec, codes = _spec(reader, options, like)
        details = spec.details
        made = EventFormat(spec)
        grouper = EventGrouper(
            blocks=ingested.blocks,
            partition_bits=ingested.partition_bits,
            layout=reader.layout,
            ids=spec.ids,
            customer_column=spec.columns.customer,
            order=TotalOrder.of(details, codes),
            writer=EventWriter(DetailWriter(details.payload, codes), workers.workspace),
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


def spec_of_events(events: Any, options: EventOptions) -> EventSpec:
    """Return what histories of a table have in common, checked as far as no row is read."""
    table = _opened(events, options, None)
    with closing(table.source):
        return _spec(table.reader, options, None)[0]


def _spec(
    reader: EventReader, options: EventOptions, like: EventSpec | None
) -> tuple[EventSpec, Mapping[str, Codes]]:
    """Return the spec, and the codes of attributes that are kept, by those of the reader."""
    details, codes = DetailSpec.of(reader.details, None if like is None else like.details)
    spec = EventSpec(
        ids=reader.id_readers[CUSTOMER_IDS],
        columns=options.columns,
        policies=options.policies,
        day_instants=options.day_instants,
        details=details,
    )
    return spec.with_lookups(options.lookups), codes


def _opened(events: Any, options: EventOptions, like: EventSpec | None) -> Table[EventReader]:
    columns = options.columns

    def reader_of(schema: pa.Schema, problems: Problems) -> EventReader:
        reader = EventReader(
            schema, columns, problems, options.policies, day_instants=options.day_instants
        )
        if like is not None:
            like.details.begin(reader.details)
            reader.widen()
        return reader

    ids_in = (columns.customer, *columns.keys, columns.id)
    request = options.wanted if like is None else _known(options.wanted, like)
    return Table(events, request, options, ids_in, reader_of)


def _read(
    events: Any, options: EventOptions, workers: Workers, like: EventSpec | None
) -> tuple[EventReader, Ingested]:
    """Read the events: again, where text holds what its first rows did not show."""
    table = _opened(events, options, like)
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
    kinds = {like.columns.customer: kind_of_ids(like.ids)}
    return knowing(request, kinds | kinds_of_details(like.details))


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
    room = None if ingested.is_spilled else grouper.room(rows)

    def group(batch: int) -> tuple[Run, EventCounts]:
        first, last = int(ends[batch * width]), int(ends[(batch + 1) * width])
        here = grouper.room(last - first) if room is None else rows_of(room, slice(first, last))
        found = grouper.batch(range(batch * width, (batch + 1) * width), here, last - first)
        counts = EventCounts.of(found.customers, found.repeated)
        return keep(found.customers, made, file, workers.workspace), counts

    runs, counts = [], []
    ahead = TASKS_AHEAD if spill is None else LARGE_TASKS_AHEAD
    for batch, (run, counted) in enumerate(workers.in_order(group, range(number), ahead=ahead)):
        report(int(ends[(batch + 1) * width] - ends[batch * width]))
        runs.append(run)
        counts.append(counted)
    return runs, reduce(EventCounts.plus, counts)
