"""From tables to customers: both are read and laid out, then grouped a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ordercycle._columns import Columns
from ordercycle._errors import DataError, Option, counted
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._grouping.detailed_orders import DetailedOrders
from ordercycle._grouping.grouper import Grouper
from ordercycle._grouping.grouping_tally import (
    Counted,
    GroupingTally,
    refuse_contradictions,
    refuse_totals,
)
from ordercycle._grouping.heavy_hitters import Division, HashRange
from ordercycle._grouping.order_writer import OrderWriter
from ordercycle._history.counts import Counts, count
from ordercycle._history.grouped import Run, as_parts, keep
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.options import BuildOptions, RowProgress
from ordercycle._history.order_format import OrderFormat
from ordercycle._history.reading import ReadTables, read_tables
from ordercycle._history.row_warnings import Signs, check_signs
from ordercycle._ingest.blocks import CUSTOMER_IDS, HASH, Block, partition_sizes
from ordercycle._ingest.morsels import Tally
from ordercycle._ingest.payload import DAY
from ordercycle._ingest.pipeline import Ingested
from ordercycle._ingest.spill import Spill
from ordercycle._ingest.spill_file import SpillFile
from ordercycle._ingest.table_readers import AMOUNT, OrderReader
from ordercycle._spec import HistorySpec
from ordercycle._workspace import LARGE_TASKS_AHEAD, TASKS_AHEAD, Workers

R = TypeVar("R")

#: Rows of a batch to aim for: large enough that Python's share is nothing, small enough to stream.
BATCH_ROWS = 2**21
#: Smaller tables have as many batches as they can, up to this, for the threads to share.
LEAST_BATCHES = 16


class _Made(NamedTuple):
    """What a batch of customers became, and what was counted on the way."""

    result: Any
    counts: Counts
    found: GroupingTally
    unknown: Counted


@dataclass
class LaidOutRows:
    """The rows of two tables, waiting to be grouped, and what is known of them so far."""

    tables: ReadTables
    grouper: Grouper
    workers: Workers
    options: BuildOptions
    #: Of the customers, once they are grouped.
    counts: Counts = field(default_factory=Counts)

    @property
    def spec(self) -> HistorySpec:
        """What their history is like."""
        return self.tables.spec

    @property
    def tally(self) -> Tally:
        """What reading the orders counted."""
        return self.tables.ingested.tally

    @property
    def most_customers(self) -> int:
        """How many customers there are at most."""
        listed = self.tables.listed
        return self.tally.rows + (0 if listed is None else listed.tally.rows)

    @property
    def blocks(self) -> list[Block]:
        """The orders."""
        return self.tables.ingested.blocks

    @property
    def is_spilled(self) -> bool:
        """Whether rows of either table wait on disk."""
        listed = self.tables.listed
        return self.tables.ingested.is_spilled or (listed is not None and listed.is_spilled)

    def grouped(
        self,
        work: Callable[[CustomerBatch], R],
        *,
        most_batches: int | None = None,
    ) -> Iterator[R]:
        """Group all rows by customer; yield what `work` makes of each batch, in order.

        most_batches: a power of two, or None for as many as the number of rows asks for. Rows
        that are in one block in memory are grouped in place, and stay. Others are in memory of
        their own, or where they wait on disk, in scratch memory, until `work` returns.

        Raises
        ------
        DataError
            After the last batch: where customers are listed twice, or not and have to be.
        """
        tables, spill = self.tables, self.options.spill
        partitions = 1 << tables.ingested.partition_bits
        sizes = partition_sizes(self.blocks, partitions)
        rows = int(sizes.sum())
        report = RowProgress(self.options.progress, "group", rows)
        most = max(rows, self.most_customers - self.tally.rows)
        batch_rows = batch_rows_of(self.blocks, rows, spill, self.workers.threads)
        batches = min(partitions, batches_for(most, batch_rows), most_batches or partitions)
        width = partitions // batches
        ends = np.concatenate([[0], np.cumsum(sizes)])[::width]
        # Grouped in place, a batch is where its rows are: with room between partitions, perhaps.
        in_place = not self.is_spilled and len(self.blocks) == 1
        begins = self.blocks[0].rows.bounds[::width] if in_place else ends
        # Memory for all at once: many small arrays would cost several times as much to touch first.
        room = None if self.is_spilled else self.grouper.room(rows)
        judged = self.spec.policies.unknown == "error"

        signs = Signs(self.tally) if tables.source.is_whole else None

        def group_batch(number: int) -> _Made | None:
            part = slice(int(begins[number]), int(begins[number + 1]))
            here = (
                self.grouper.scratch_room(part.stop - part.start)
                if room is None
                else room.part(part)
            )
            batch = self.grouper.batch(range(number * width, (number + 1) * width), here)
            if batch is None:
                return None
            customers = batch.customers
            if signs is not None:
                signs.see(customers)
            return _Made(
                work(customers),
                count(self.spec, customers, split=batch.found.split),
                batch.found,
                unknown_customers(customers) if judged else Counted(),
            )

        found, unknown = GroupingTally(), Counted()
        ahead = TASKS_AHEAD if spill is None else LARGE_TASKS_AHEAD
        made_in_order = self.workers.in_order(group_batch, range(batches), ahead=ahead)
        for number, made in enumerate(made_in_order):
            report(int(ends[number + 1] - ends[number]))
            if made is not None:
                self.counts = self.counts.plus(made.counts)
                found = found.plus(made.found)
                unknown = unknown.plus(made.unknown)
                yield made.result
        self.tally.dropped_refunds += found.dropped_refunds
        self.tally.duplicates += found.duplicates
        tables.order_problems.check()
        refuse_totals(found, self.spec.columns)
        refuse_contradictions(found, self.spec.columns)
        tables.customer_problems.check()
        refuse_unknown_customers(unknown, self.spec.columns)
        if signs is not None:
            check_signs(signs, self.spec.columns, self.tally, self.counts, tables.source.written)


@contextmanager
def laid_out_rows(
    orders: Any, customers: Any, options: BuildOptions, like: HistorySpec | None = None
) -> Iterator[LaidOutRows]:
    """Read both tables; the threads that group them end with the block.

    like: the history to which they are added, whose types text is read in.
    """
    with Workers(options.most_threads) as workers:
        tables = read_tables(orders, customers, options, workers, like)
        if options.spill is not None:
            workers.free_workspace()
        ingested, listed = tables.ingested, tables.listed
        days = (ingested.tally.first_day or 0, ingested.tally.last_day or 0)
        grouper = Grouper(
            spec=tables.spec,
            orders=ingested.blocks,
            customers=None if listed is None else listed.blocks,
            partition_bits=ingested.partition_bits,
            writer=OrderWriter(
                spec=tables.spec,
                has_dropped=tables.orders.drops_refunds,
                days=days,
                workspace=workers.workspace,
                detailed=DetailedOrders.of(tables.spec, tables.codes, workers.workspace),
            ),
            order_problems=tables.order_problems,
            customer_problems=tables.customer_problems,
            workspace=workers.workspace,
            divided=_divided(ingested, tables.orders, days, workers),
        )
        yield LaidOutRows(tables, grouper, workers, options)


def _divided(
    ingested: Ingested, reader: OrderReader, days: tuple[int, int], workers: Workers
) -> dict[int, list[HashRange]]:
    """Take heavy hitters out of their partitions, where their rows are orders of plain columns."""
    are_plain = set(reader.columns) == {HASH, DAY, AMOUNT} and not reader.compares_rows
    if not are_plain or not reader.id_readers[CUSTOMER_IDS].is_integer:
        return {}
    division = Division(days, reader.amount.is_float, workers)
    return division.of(ingested.blocks, 1 << ingested.partition_bits)


def group(
    orders: Any,
    customers: Any,
    options: BuildOptions,
    *,
    most_batches: int | None = None,
    like: HistorySpec | None = None,
) -> GroupedOrders:
    """Read and group two tables.

    most_batches: a power of two, or None for as many as the rows ask for; like: the history to
    which they are added, if any.
    """
    with laid_out_rows(orders, customers, options, like) as rows:
        made = OrderFormat(rows.spec)
        spill = options.spill if rows.is_spilled else None
        file = None if spill is None else SpillFile(spill.folder)

        def kept(batch: CustomerBatch) -> Run:
            return keep(batch, made, file, rows.workers.workspace)

        runs = rows.grouped(kept, most_batches=most_batches)
        parts = as_parts(made, runs)
        threads = options.most_threads
        return GroupedOrders(made, parts, rows.tally, rows.counts, threads, spill=spill)


def batch_rows_of(blocks: Sequence[Block], rows: int, spill: Spill | None, threads: int) -> int:
    """Return how many rows a batch of blocks may have: fewer where a limit asks for it."""
    if spill is None:
        return BATCH_ROWS
    row_bytes = sum(block.nbytes for block in blocks) // max(1, rows)
    return min(BATCH_ROWS, spill.batch_rows(row_bytes, threads))


def batches_for(rows: int, batch_rows: int | None = None) -> int:
    """Return how many batches so many rows are cut to: a power of two, whatever their source.

    batch_rows: of a batch, at most, where hashes divide them evenly; None: as many as are best.
    """
    return max(LEAST_BATCHES, 1 << max(0, -(-rows // (batch_rows or BATCH_ROWS)) - 1).bit_length())


def unknown_customers(customers: CustomerBatch) -> Counted:
    """Count the customers of a batch who order but are not listed."""
    unknown = ~customers.listed & (customers.offsets[1:] > customers.offsets[:-1])
    number = int(np.count_nonzero(unknown))
    return Counted(number, customers.ids[int(np.argmax(unknown))] if number else None)


def refuse_unknown_customers(found: Counted, columns: Columns) -> None:
    """Raise a DataError where customers who order are not listed, and have to be."""
    if found.number:
        raise DataError(
            f"orders: {columns.customer} {found.example} is not in customers "
            f"({counted(found.number, 'such customer')})",
            remedy=(
                "add them there, or pass ",
                Option("unknown", "add"),
                " or ",
                Option("unknown", "drop"),
            ),
            column=columns.customer,
            count=found.number,
        )
