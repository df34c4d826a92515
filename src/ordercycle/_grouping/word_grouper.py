"""Orders that lie as words, by customer: neighbouring partitions at a time, in the cache."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._grouping.amount_words import AmountWords
from ordercycle._grouping.batches import OrderRoom
from ordercycle._grouping.order_lines import PartitionOrders
from ordercycle._ingest.blocks import Block, partition_sizes
from ordercycle._ingest.order_words import WORD, WordBlock, words_together
from ordercycle._ingest.table_readers import AMOUNT
from ordercycle._workspace import Workspace
from ordercycle_kernels import order_words as kernels
from ordercycle_kernels import ordering
from ordercycle_kernels.calendar import NO_DAY

#: Rows of the partitions that are grouped together: few enough that what is asked of their
#: customers next is still in the cache, many enough that Python's share is nothing.
STRETCH_ROWS = 2**17
#: A partition of more is grouped as others are: what passes over it needs would leave the cache.
MOST_ROWS = 2**18
#: The fewest and the most bits of a hash by which rows of a partition are divided.
LEAST_BUCKET_BITS, MOST_BUCKET_BITS = 4, 14


class WordRoom(NamedTuple):
    """Memory for orders where their words are: the days of some begin where their words do."""

    words: NDArray[np.uint64]
    amounts: AmountWords

    def part(self, rows: slice) -> OrderRoom:
        """Return a part of the room."""
        words = self.words[rows]
        return OrderRoom(words.view(np.int32)[: words.size], self.amounts.take(rows), {})


class WordCustomers(NamedTuple):
    """The customers of some partitions by ascending hash: (c,), and their orders."""

    hashes: NDArray[np.uint64]
    orders: PartitionOrders
    given: NDArray[np.int32]  # (c,) registration in the customers table, NO_DAY without one
    listed: NDArray[np.bool_]  # (c,) whether the customers table lists them

    def with_listed(
        self, hashes: NDArray[np.uint64], registered: NDArray[np.int32]
    ) -> WordCustomers:
        """Return them with those of a customers table: hashes, registered: (l,), none twice."""
        order = np.argsort(hashes)
        most = self.hashes.size + hashes.size
        all_hashes, offsets = np.empty(most, np.uint64), np.empty(most + 1, np.int64)
        given, listed = np.full(most, NO_DAY, np.int32), np.zeros(most, np.bool_)
        size = kernels.list_customers(
            self.hashes,
            self.orders.offsets,
            hashes[order],
            registered[order],
            all_hashes,
            offsets,
            given,
            listed,
        )
        orders = self.orders._replace(offsets=offsets[: size + 1])
        return WordCustomers(all_hashes[:size], orders, given[:size], listed[:size])


def stretches(
    orders: Sequence[Block], partitions: range, divided: Collection[int]
) -> Iterator[tuple[range, list[WordBlock] | None]]:
    """Yield ranges of partitions to group at once, with the blocks of those that are words.

    divided: partitions that cannot be among others.
    """
    blocks = words_together(orders)
    if blocks is None:
        for number in partitions:
            yield range(number, number + 1), None
        return
    sizes = partition_sizes(blocks, 1 << blocks[0].bits)
    start, rows = partitions.start, 0
    for number in partitions:
        alone = number in divided or sizes[number] > MOST_ROWS
        if start < number and (alone or rows + sizes[number] > STRETCH_ROWS):
            yield range(start, number), blocks
            start, rows = number, 0
        if alone:
            yield range(number, number + 1), None
            start = number + 1
        else:
            rows += int(sizes[number])
    if start < partitions.stop:
        yield range(start, partitions.stop), blocks


class _Words(NamedTuple):
    """The words and amounts of some partitions, and where each of these begins and ends."""

    words: NDArray[np.uint64]
    amounts: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, blocks: Sequence[WordBlock], partitions: range, workspace: Workspace) -> _Words:
        """Return those of a block where they are, of several gathered in memory of the thread."""
        here = slice(partitions.start, partitions.stop)
        if len(blocks) == 1:
            rows = blocks[0].rows
            return cls(rows.columns[WORD], rows.columns[AMOUNT], rows.begins[here], rows.ends[here])
        sizes = np.sum([block.sizes[here] for block in blocks], axis=0)
        ends = np.cumsum(sizes)
        words = workspace.array("word.gathered", int(ends[-1]), np.uint64)
        amounts = workspace.array("word.amounts", int(ends[-1]), np.int64)
        places = ends - sizes
        for block in blocks:
            rows = block.rows
            kernels.gather_partitions(
                rows.columns[WORD], rows.columns[AMOUNT], rows.begins[here], rows.ends[here],
                places, words, amounts,
            )  # fmt: skip
        return cls(words, amounts, ends - sizes, ends)


def group_words(
    blocks: Sequence[WordBlock],
    partitions: range,
    room: OrderRoom,
    workspace: Workspace,
    *,
    are_floats: bool,
) -> WordCustomers:
    """Write the orders of neighbouring partitions to the beginning of the room, by customer."""
    there = _Words.of(blocks, partitions, workspace)
    sizes = there.ends - there.begins
    rows, largest = int(sizes.sum()), int(sizes.max())
    bucket_bits = (rows // sizes.size).bit_length()
    bucket_bits = min(MOST_BUCKET_BITS, max(LEAST_BUCKET_BITS, bucket_bits))
    counters = max(1 << blocks[0].bits, int(ordering.DIGITS * ordering.RADIX))
    days, words, _ = room.part(slice(rows))
    hashes = workspace.array("word.hashes", rows, np.uint64)
    offsets = workspace.array("word.offsets", rows + 1, np.int64)
    size = kernels.group_words(
        *there,
        blocks[0].bits,
        partitions.start,
        min(block.first_day for block in blocks),
        are_floats,
        workspace.array("word.counters", counters, np.uint32),
        workspace.array("word.buckets", 1 << bucket_bits, np.uint32),
        workspace.array("word.spare", 2 * largest, np.uint64),
        workspace.array("word.pairs", 2 * largest, np.uint64),
        days,
        words.lows.view(np.int64),
        hashes,
        offsets,
    )
    orders = PartitionOrders(offsets[: size + 1].copy(), days, words)
    unlisted = np.full(size, NO_DAY, np.int32), np.zeros(size, np.bool_)
    return WordCustomers(hashes[:size].copy(), orders, *unlisted)
