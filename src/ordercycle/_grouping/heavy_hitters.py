"""A customer with a large part of all orders: taken out of its partition, ordered by all threads.

Partitions are about equally large but for such customers: a marketplace's own account, an
unregistered till. Grouped as others are, one would keep one thread busy long after the others
are done, in memory far larger than any cache. Its orders are laid out by day instead, and the
amounts of a day sorted in the cache. The rows around it are grouped as always: what comes out is
the same, bit for bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.blocks import HASH, Block, PartitionRows, collect, partition_sizes
from ordercycle._ingest.payload import DAY
from ordercycle._ingest.table_readers import AMOUNT
from ordercycle._workspace import Workers
from ordercycle_kernels import heavy_hitters as kernels
from ordercycle_kernels import ordering

T = TypeVar("T")

#: A partition with more rows is searched for a heavy hitter: one thread would need 40 ms for it.
HEAVY_ROWS = 2**20
#: Rows that are looked at to find one, and how many of them it needs to have.
SAMPLE = 1024
ENOUGH = SAMPLE // 8
SAMPLE_STEP = 16
#: Rows of a chunk, or more where there are so many days that counting them would take longer.
CHUNK_ROWS = 2**18
CHUNK_ROWS_PER_DAY = 8
LAST_HASH = 2**64 - 1


class HashRange(NamedTuple):
    """Rows of a partition: of the customers between two hashes, or ordered ones of a single."""

    rows: PartitionRows
    first: int  # the lowest and the highest hash that a customer here can have
    last: int

    @property
    def is_one_customer(self) -> bool:
        """Whether all rows are a single customer's; they are ordered then."""
        return self.first == self.last


@dataclass(frozen=True)
class Division:
    """How the orders of heavy hitters are read, and who orders them."""

    days: tuple[int, int]  # first and last day of all orders
    are_floats: bool
    workers: Workers

    def of(self, blocks: Sequence[Block], partitions: int) -> dict[int, list[HashRange]]:
        """Divide the partitions that have a heavy hitter into ranges of ascending hashes."""
        found = {}
        for number in np.flatnonzero(partition_sizes(blocks, partitions) > HEAVY_ROWS).tolist():
            workspace, use = self.workers.workspace, f"divided.{number}"
            only = range(number, number + 1)
            there = [
                block.loaded(only, workspace, f"{use}.{place}")
                for place, block in enumerate(blocks)
            ]
            sample = [block.hashes_of(number)[::SAMPLE_STEP] for block in there]
            if _heavy_hitter(np.concatenate(sample)) is None:
                continue
            rows = collect(there, number, workspace, use).by_row()
            ranges = self._divide(HashRange(rows, 0, LAST_HASH))
            if len(ranges) > 1:
                found[number] = ranges
        return found

    def _divide(self, hash_range: HashRange) -> list[HashRange]:
        rows = hash_range.rows
        hitter = _heavy_hitter(rows.columns[HASH]) if rows.size > HEAVY_ROWS else None
        if hitter is None:
            return [hash_range]
        below, own, above = self._around(rows, hitter)
        return [
            *self._divide(HashRange(below, hash_range.first, int(hitter) - 1)),
            HashRange(own, int(hitter), int(hitter)),
            *self._divide(HashRange(above, int(hitter) + 1, hash_range.last)),
        ]

    def _around(
        self, rows: PartitionRows, hitter: np.uint64
    ) -> tuple[PartitionRows, PartitionRows, PartitionRows]:
        """Return the rows below, of and above a hash; its own are ordered, in their old memory."""
        hashes, days, words = (rows.columns[name] for name in (HASH, DAY, AMOUNT))
        first, last = self.days
        chunk_rows = max(CHUNK_ROWS, CHUNK_ROWS_PER_DAY * (last - first + 1))
        chunks = [slice(at, at + chunk_rows) for at in range(0, rows.size, chunk_rows)]
        # Counted one chunk down, so that the running sums are where each chunk's rows go.
        around = np.zeros((len(chunks) + 1, 2), np.int64)
        by_day = np.zeros((len(chunks) + 1, last - first + 1), np.int64)

        def count(number: int) -> None:
            part, below = chunks[number], number + 1
            kernels.count_around(
                hashes[part], days[part], hitter, first, around[below], by_day[below]
            )

        self._each(count, range(len(chunks)))
        np.cumsum(around, axis=0, out=around)
        np.cumsum(by_day, axis=0, out=by_day)
        begins = np.concatenate([[0], np.cumsum(by_day[-1])])
        by_day += begins[:-1]
        below = int(around[-1, kernels.BELOW])
        around[:, kernels.ABOVE] += below
        own = slice(below, below + int(begins[-1]))
        others = {
            name: np.empty(rows.size - int(begins[-1]), values.dtype)
            for name, values in rows.columns.items()
        }
        own_words = np.empty(int(begins[-1]), np.int64)

        def move(number: int) -> None:
            part = hashes[chunks[number]], days[chunks[number]], words[chunks[number]]
            targets = others[HASH], others[DAY], others[AMOUNT]
            kernels.move_around(*part, hitter, around[number], *targets)
            kernels.lay_out_by_day(*part, hitter, first, by_day[number], own_words)

        self._each(move, range(len(chunks)))

        def order(span: slice) -> None:
            begin, end = int(begins[span.start]), int(begins[span.stop])
            days_of_span, words_of_span = days[own][begin:end], own_words[begin:end]
            first_of_span = first + span.start
            kernels.repeat_days(begins[span.start : span.stop + 1], first_of_span, days_of_span)
            self._sort_days(days_of_span, words_of_span)
            words[own][begin:end] = words_of_span

        self._each(order, _spans(begins))
        only = {DAY: days[own], AMOUNT: words[own]}
        return (
            _part(others, slice(below)),
            PartitionRows(only, {}, own.stop - own.start),
            _part(others, slice(below, None)),
        )

    def _sort_days(self, days: NDArray[np.int32], words: NDArray[np.int64]) -> None:
        scratch = self.workers.workspace.array("scratch", words.size, np.int64)
        size = int(ordering.DIGITS * ordering.RADIX)
        histogram = self.workers.workspace.array("radix", size, np.int64)
        whole = np.array([0, words.size], np.int64)
        ordering.order_amounts_of_a_day(whole, days, words, self.are_floats, scratch, histogram)

    def _each(self, work: Callable[[T], None], tasks: Iterable[T]) -> None:
        deque(self.workers.in_order(work, tasks), maxlen=0)


def _heavy_hitter(hashes: NDArray[np.uint64]) -> np.uint64 | None:
    """Return a hash that many rows share, looked for in evenly spaced ones."""
    found, counts = np.unique(hashes[:: -(-hashes.size // SAMPLE)], return_counts=True)
    most = int(np.argmax(counts))
    return np.uint64(found[most]) if counts[most] >= ENOUGH else None


def _spans(begins: NDArray[np.int64]) -> Iterator[slice]:
    """Yield ranges of days of about CHUNK_ROWS rows, at least one day."""
    start = 0
    for day in range(1, begins.size):
        if begins[day] - begins[start] >= CHUNK_ROWS or day == begins.size - 1:
            yield slice(start, day)
            start = day


def _part(columns: Mapping[str, NDArray[Any]], part: slice) -> PartitionRows:
    taken = {name: values[part] for name, values in columns.items()}
    return PartitionRows(taken, {}, taken[HASH].size)
