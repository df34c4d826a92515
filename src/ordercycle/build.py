"""Building a history: read the customers, read the orders, group both by customer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle.batches import CustomerBatch
from ordercycle.blocks import AMOUNT, CUSTOMER_IDS, DAY, HASH, partition_sizes
from ordercycle.columns import Columns
from ordercycle.days import date_of
from ordercycle.errors import ColumnError, DataError
from ordercycle.grouping import Grouper
from ordercycle.hot_customers import Division, Stretch
from ordercycle.ingest import Ingested, ingest
from ordercycle.problems import Problems
from ordercycle.readers import AmountReader, IdReader
from ordercycle.row_readers import CustomerReader, OrderReader
from ordercycle.sources import open_source
from ordercycle.summary import HistorySummary
from ordercycle.workspace import Spare, Workers
from ordercycle_kernels.calendar import NO_DAY

REFUNDS = ("net", "drop", "count")
ANONYMOUS = ("drop", "error")
UNKNOWN = ("add", "drop", "error")

#: Rows of a batch to aim for: large enough that Python's share is nothing, small enough to stream.
BATCH_ROWS = 2**21
#: Smaller tables have as many batches as they can, up to this, for the threads to share.
LEAST_BATCHES = 16

Progress = Callable[[int, int | None, str], object]


@dataclass(frozen=True)
class Policies:
    """How rows are read: the business time zone, and what refunds and strangers are."""

    timezone: str
    refunds: str
    anonymous: str
    unknown: str


@dataclass(frozen=True)
class Built:
    """A grouped history and how it came about."""

    batches: list[CustomerBatch]
    summary: HistorySummary
    ids: IdReader
    amount: AmountReader
    policies: Policies
    threads: int
    spare: Spare


def build(
    orders: Any,
    customers: Any,
    columns: Columns,
    policies: Policies,
    threads: int,
    progress: Progress | None,
) -> Built:
    """Read and group; the parameters are those of OrderHistory.build, checked."""
    wanted = [columns.customer, columns.time, columns.amount]
    if columns.order is not None:
        wanted.append(columns.order)
    # Both sources are opened first: a wrong path or name is told before any work.
    order_source = open_source(orders, wanted, "orders")
    problems = Problems("orders")
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
        customer_source = open_source(customers, names, "customers")
        customer_reader = CustomerReader(
            customer_source.schema, columns, customer_problems, timezone=policies.timezone
        )
        ids = _common_ids(ids, customer_reader.id_readers[CUSTOMER_IDS], columns)
    with Workers(threads) as workers:
        read = _Counter(progress, "read", order_source.rows)
        ingested = ingest(
            order_source, order_reader, problems, partition_bits=None, workers=workers, report=read
        )
        listed = None
        if customer_source is not None:
            listed = ingest(
                customer_source,
                customer_reader,
                customer_problems,
                partition_bits=ingested.partition_bits,
                workers=workers,
                report=_Counter(progress, "read customers", customer_source.rows),
            )
        days = (ingested.tally.first_day or 0, ingested.tally.last_day or 0)
        grouper = Grouper(
            orders=ingested.blocks,
            customers=None if listed is None else listed.blocks,
            partition_bits=ingested.partition_bits,
            ids=ids,
            amount=order_reader.amount,
            has_lines=columns.order is not None,
            refunds=policies.refunds,
            unknown=policies.unknown,
            days=days,
            amount_column=columns.amount,
            customer_column=columns.customer,
            customer_problems=customer_problems,
            workspace=workers.workspace,
            divided=_divided(ingested, order_reader, days, workers),
        )
        batches = _grouped(grouper, ingested, workers, progress)
    customer_problems.check()
    found = [batch for batch in batches if batch is not None]
    if policies.unknown == "error":
        _refuse_unknown(found, columns)
    summary = _summarised(found, ingested, policies)
    spare = Spare(block.columns[HASH] for block in ingested.blocks)
    return Built(found, summary, grouper.ids, grouper.amount, policies, threads, spare)


def _divided(
    ingested: Ingested, reader: OrderReader, days: tuple[int, int], workers: Workers
) -> dict[int, list[Stretch]]:
    """Take hot customers out of their partitions, where their rows are orders of plain columns."""
    if set(reader.names) != {HASH, DAY, AMOUNT} or not reader.id_readers[CUSTOMER_IDS].is_integer:
        return {}
    division = Division(days, reader.amount.is_float, workers)
    return division.of(ingested.blocks, 1 << ingested.partition_bits)


def _grouped(
    grouper: Grouper, ingested: Ingested, workers: Workers, progress: Progress | None
) -> list[CustomerBatch | None]:
    """Group all partitions, a batch of them at a time."""
    partitions = 1 << ingested.partition_bits
    sizes = partition_sizes(ingested.blocks, partitions)
    rows = int(sizes.sum())
    report = _Counter(progress, "group", rows)
    # A power of two, from the number of rows alone: the same batches whatever the source.
    batches = 1 << max(0, -(-rows // BATCH_ROWS) - 1).bit_length()
    batches = min(partitions, max(batches, LEAST_BATCHES))
    width = partitions // batches
    begins = np.concatenate([[0], np.cumsum(sizes)])[::width]
    # Memory for all at once: many small arrays would cost several times as much to touch first.
    room = grouper.room(rows)

    def group(number: int) -> CustomerBatch | None:
        part = slice(int(begins[number]), int(begins[number + 1]))
        return grouper.batch(range(number * width, (number + 1) * width), room.part(part))

    grouped = []
    for number, batch in enumerate(workers.in_order(group, range(batches))):
        grouped.append(batch)
        report(int(begins[number + 1] - begins[number]))
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


def _refuse_unknown(batches: list[CustomerBatch], columns: Columns) -> None:
    unknown = pa.chunked_array([batch.unknown for batch in batches])
    if len(unknown):
        such = "1 such customer" if len(unknown) == 1 else f"{len(unknown):,} such customers"
        raise DataError(
            f"orders: {columns.customer} {unknown[0]} is not in customers ({such}); "
            'add them there, or pass unknown="add" or unknown="drop"'
        )


def _summarised(
    batches: list[CustomerBatch], ingested: Ingested, policies: Policies
) -> HistorySummary:
    tally = ingested.tally
    kept = sum(batch.days.size for batch in batches)
    negative = sum(batch.negative for batch in batches)
    dropped = tally.dropped_refunds + sum(batch.dropped_refunds for batch in batches)
    return HistorySummary(
        rows=tally.rows,
        orders=kept - (negative if policies.refunds == "net" else 0),
        customers=sum(len(batch.ids) for batch in batches),
        refunds=negative + dropped,
        anonymous=tally.anonymous,
        unknown=sum(len(batch.unknown) for batch in batches),
        undated=sum(int(np.count_nonzero(batch.registered == NO_DAY)) for batch in batches),
        first_day=None if tally.first_day is None else date_of(tally.first_day),
        last_day=None if tally.last_day is None else date_of(tally.last_day),
        bytes=sum(batch.nbytes for batch in batches),
    )
