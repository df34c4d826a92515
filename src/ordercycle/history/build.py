"""Building a history: read the customers, read the orders, group both by customer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from ordercycle.columns import Columns
from ordercycle.days import date_of
from ordercycle.errors import ColumnError, DataError
from ordercycle.grouping.batches import CustomerBatch, OrderRoom
from ordercycle.grouping.grouper import GroupedBatch, Grouper
from ordercycle.grouping.hot_customers import Division, Stretch
from ordercycle.grouping.order_writer import OrderWriter
from ordercycle.history.batch_files import put_on_disk
from ordercycle.history.parts import Counts, Held, Kind, Policies, Run, count
from ordercycle.history.summary import HistorySummary
from ordercycle.ingest.blocks import AMOUNT, CUSTOMER_IDS, DAY, HASH, ORDER_IDS, partition_sizes
from ordercycle.ingest.laying_out import Ingested, ingest
from ordercycle.ingest.problems import Problems
from ordercycle.ingest.readers import IdReader
from ordercycle.ingest.row_readers import CustomerReader, OrderReader, Tally
from ordercycle.ingest.spill import Spill, SpillFile
from ordercycle.sources.opening import open_source
from ordercycle.workspace import Spare, Workers, Workspace

REFUNDS = ("net", "drop", "count")
ANONYMOUS = ("drop", "error")
UNKNOWN = ("add", "drop", "error")

#: Rows of a batch to aim for: large enough that Python's share is nothing, small enough to stream.
BATCH_ROWS = 2**21
#: Smaller tables have as many batches as they can, up to this, for the threads to share.
LEAST_BATCHES = 16

Progress = Callable[[int, int | None, str], object]


@dataclass(frozen=True)
class Grouped:
    """The customers of two tables, grouped, and what reading them counted."""

    kind: Kind
    runs: list[Run]  # of ranges of hashes that are equally wide
    counts: Counts
    tally: Tally
    spill: Spill | None  # where the runs are on disk
    spare: Spare


def group(
    orders: Any,
    customers: Any,
    columns: Columns,
    policies: Policies,
    threads: int,
    progress: Progress | None,
    *,
    most_batches: int | None = None,
    spill: Spill | None = None,
) -> Grouped:
    """Read and group; the parameters are those of OrderHistory.build, checked.

    most_batches: a power of two, or None for as many as the number of rows asks for; spill: what
    to do past a memory limit, None without one.
    """
    wanted = [columns.customer, columns.time, columns.amount]
    if columns.order is not None:
        wanted.append(columns.order)
    # Both sources are opened first: a wrong path or name is told before any work.
    order_source = open_source(orders, wanted, "orders", threads)
    problems = Problems("orders", order_source.place)
    order_reader = OrderReader(
        order_source.schema,
        columns,
        problems,
        timezone=policies.timezone,
        anonymous=policies.anonymous,
        drop_refunds=policies.refunds == "drop",
    )
    ids = order_reader.id_readers[CUSTOMER_IDS]
    customer_source = None
    customer_problems = Problems("customers")
    if customers is not None:
        names = [columns.customer] + ([columns.registered] if columns.registered else [])
        customer_source = open_source(customers, names, "customers", threads)
        customer_problems = Problems("customers", customer_source.place)
        customer_reader = CustomerReader(
            customer_source.schema, columns, customer_problems, timezone=policies.timezone
        )
        ids = _common_ids(ids, customer_reader.id_readers[CUSTOMER_IDS], columns)
    with Workers(threads) as workers:
        read = _Counter(progress, "read", order_source.rows)
        with closing(order_source):
            ingested = ingest(
                order_source,
                order_reader,
                problems,
                partition_bits=None,
                workers=workers,
                report=read,
                spill=spill,
            )
        listed = None
        if customer_source is not None:
            with closing(customer_source):
                listed = ingest(
                    customer_source,
                    customer_reader,
                    customer_problems,
                    partition_bits=ingested.partition_bits,
                    workers=workers,
                    report=_Counter(progress, "read customers", customer_source.rows),
                    spill=spill,
                )
        days = (ingested.tally.first_day or 0, ingested.tally.last_day or 0)
        writer = OrderWriter(
            ids=ids,
            amount=order_reader.amount,
            has_lines=columns.order is not None,
            days=days,
            amount_column=columns.amount,
            customer_column=columns.customer,
            workspace=workers.workspace,
        )
        grouper = Grouper(
            orders=ingested.blocks,
            customers=None if listed is None else listed.blocks,
            partition_bits=ingested.partition_bits,
            ids=ids,
            writer=writer,
            refunds=policies.refunds,
            unknown=policies.unknown,
            customer_column=columns.customer,
            customer_problems=customer_problems,
            workspace=workers.workspace,
            divided=_divided(ingested, order_reader, days, workers),
        )
        orders_of_lines = order_reader.id_readers.get(ORDER_IDS)
        kind = Kind(
            ids, order_reader.amount, orders_of_lines, columns, policies, customers is not None
        )
        kept_on_disk = spill if ingested.is_spilled else None
        file = None if kept_on_disk is None else SpillFile(kept_on_disk)
        keep = _Keeper(kind, file, workers.workspace)
        kept = _grouped(grouper, ingested, keep, workers, progress, most_batches)
    customer_problems.check()
    found = [batch for batch in kept if batch is not None]
    tally = ingested.tally
    tally.dropped_refunds += sum(batch.dropped_refunds for batch in found)
    counts = reduce(Counts.plus, (batch.counts for batch in found))
    spare = Spare(block.hashes for block in ingested.blocks if not ingested.is_spilled)
    return Grouped(kind, [batch.run for batch in found], counts, tally, kept_on_disk, spare)


class _Kept(NamedTuple):
    """A batch where it stays, and what it counts."""

    run: Run
    counts: Counts
    dropped_refunds: int


@dataclass(frozen=True)
class _Keeper:
    """Where grouped customers stay: in memory, or past a limit in a file."""

    kind: Kind
    file: SpillFile | None
    workspace: Workspace

    def room(self, rows: int, grouper: Grouper) -> OrderRoom | None:
        """Return memory for all orders where they stay in it."""
        return grouper.room(rows) if self.file is None else None

    def keep(self, batch: GroupedBatch) -> _Kept:
        """Take a batch over."""
        counts = count(self.kind, batch.customers)
        run: Run = Held(batch.customers)
        if self.file is not None:
            run = put_on_disk(batch.customers, self.kind, self.file, self.workspace)
        return _Kept(run, counts, batch.dropped_refunds)


def _divided(
    ingested: Ingested, reader: OrderReader, days: tuple[int, int], workers: Workers
) -> dict[int, list[Stretch]]:
    """Take hot customers out of their partitions, where their rows are orders of plain columns."""
    if set(reader.names) != {HASH, DAY, AMOUNT} or not reader.id_readers[CUSTOMER_IDS].is_integer:
        return {}
    division = Division(days, reader.amount.is_float, workers)
    return division.of(ingested.blocks, 1 << ingested.partition_bits)


def batches_for(rows: int) -> int:
    """Return how many batches so many rows are cut to: a power of two, whatever their source."""
    return max(LEAST_BATCHES, 1 << max(0, -(-rows // BATCH_ROWS) - 1).bit_length())


def _grouped(
    grouper: Grouper,
    ingested: Ingested,
    keeper: _Keeper,
    workers: Workers,
    progress: Progress | None,
    most_batches: int | None,
) -> list[_Kept | None]:
    """Group all partitions, a batch of them at a time."""
    partitions = 1 << ingested.partition_bits
    sizes = partition_sizes(ingested.blocks, partitions)
    rows = int(sizes.sum())
    report = _Counter(progress, "group", rows)
    batches = min(partitions, batches_for(rows), most_batches or partitions)
    width = partitions // batches
    ends = np.concatenate([[0], np.cumsum(sizes)])[::width]
    # Grouped in place, a batch is where its rows are: with room between partitions, perhaps.
    in_place = keeper.file is None and len(ingested.blocks) == 1
    begins = ingested.blocks[0].offsets[::width] if in_place else ends
    # Memory for all at once: many small arrays would cost several times as much to touch first.
    room = keeper.room(rows, grouper)

    def group_batch(number: int) -> _Kept | None:
        part = slice(int(begins[number]), int(begins[number + 1]))
        partitions_of_batch = range(number * width, (number + 1) * width)
        here = grouper.scratch_room(part.stop - part.start) if room is None else room.part(part)
        batch = grouper.batch(partitions_of_batch, here)
        return None if batch is None else keeper.keep(batch)

    grouped = []
    for number, batch in enumerate(workers.in_order(group_batch, range(batches))):
        grouped.append(batch)
        report(int(ends[number + 1] - ends[number]))
    return grouped


class _Counter:
    """Adds up rows and passes them on to the caller's progress function."""

    def __init__(self, progress: Progress | None, stage: str, total: int | None) -> None:
        self._progress = progress
        self._stage = stage
        self._total = total
        self._done = 0

    def __call__(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total, self._stage)


def _common_ids(orders: IdReader, customers: IdReader, columns: Columns) -> IdReader:
    """Return the reader of both tables' ids, or raise a ColumnError where there is no such type."""
    common = orders.together_with(customers)
    if common is None:
        raise ColumnError(
            f"{columns.customer} is {orders.given} in orders and {customers.given} in customers; "
            "cast one of them, so that the same customer has the same id"
        )
    return common


def refuse_unknown(parts: Iterable[CustomerBatch], columns: Columns) -> None:
    """Raise a DataError where customers have orders and are not listed."""
    unknown = 0
    example = None
    for batch in parts:
        strangers = ~batch.listed & (batch.offsets[1:] > batch.offsets[:-1])
        if strangers.any():
            unknown += int(np.count_nonzero(strangers))
            example = batch.ids[int(np.argmax(strangers))] if example is None else example
    if unknown:
        such = "1 such customer" if unknown == 1 else f"{unknown:,} such customers"
        raise DataError(
            f"orders: {columns.customer} {example} is not in customers ({such}); "
            'add them there, or pass unknown="add" or unknown="drop"'
        )


def summarised(kind: Kind, tally: Tally, counts: Counts, held: int) -> HistorySummary:
    """Return the summary of a history of `held` bytes."""
    return HistorySummary(
        rows=tally.rows,
        orders=counts.orders - (counts.refunds if kind.net_refunds else 0),
        customers=counts.customers,
        refunds=counts.refunds + tally.dropped_refunds,
        anonymous=tally.anonymous,
        unknown=counts.unknown,
        undated=counts.undated,
        first_day=None if tally.first_day is None else date_of(tally.first_day),
        last_day=None if tally.last_day is None else date_of(tally.last_day),
        bytes=held,
    )
