"""Streams of the same customers, walked side by side: orders, touches, visits.

All histories group customers by one hash, and a part of each is a range of hashes whose width is a
power of two: so the parts of one lie within those of another, and customers meet without a table
of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._history.grouped import Grouped
from ordercycle._history.places import find_places
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._workspace import LARGE_TASKS_AHEAD, TASKS_AHEAD, Workers, Workspace

R = TypeVar("R")
Int64s = NDArray[np.int64]

HASH_BITS = 64


class HashSpan(NamedTuple):
    """Hashes from the first to the last, both included."""

    first: int
    last: int

    def of_batch(self, batch: Any) -> Any:
        """Return the customers of a batch who are in it, as a slice."""
        ids = batch.ids
        # Few of the hashes are looked at, and none is kept.
        start = bisect_left(range(len(ids)), self.first, key=lambda row: _hash_at(ids, row))
        stop = bisect_right(range(len(ids)), self.last, key=lambda row: _hash_at(ids, row))
        return batch if stop - start == len(ids) else batch.slice(start, stop)


def _hash_at(ids: pa.Array, row: int) -> int:
    return int(hashes_of(ids.slice(row, 1))[0])


class Rows(NamedTuple):
    """Where the rows of each of c customers are in a batch: from begins to ends, (c,) each."""

    begins: Int64s
    ends: Int64s

    @classmethod
    def of(cls, batch: Any, ids: pa.Array) -> Rows:
        """Find those of customers in ascending order of their hash, ties by id."""
        if not len(batch.ids) or not len(ids):
            none = np.zeros(len(ids), np.int64)
            return cls(none, none)
        positions, found = find_places(batch.ids, ids)
        starts = np.minimum(positions, len(batch.ids) - 1)
        begins, ends = batch.offsets[starts], batch.offsets[starts + 1]
        return cls(begins * found, ends * found)

    @classmethod
    def none(cls, customers: int) -> Rows:
        """Return those of a stream that is not there."""
        return cls(np.zeros(customers, np.int64), np.zeros(customers, np.int64))


@dataclass(frozen=True)
class SideBySide:
    """Histories of the same customers, the one that says who they are first."""

    histories: tuple[Grouped[Any], ...]
    threads: int

    def scan(self, work: Callable[[Sequence[Any]], R]) -> Iterator[R]:
        """Yield what work makes of each range of hashes: of a batch of each history, in order.

        Batches are valid until work returns.
        """
        ranges = max(len(one.parts) for one in self.histories)
        # What is merged while it is read is in arrays of the thread, which are each history's own.
        rooms = [Workspace() for _ in self.histories]

        def on_range(number: int) -> R:
            streams = zip(self.histories, rooms, strict=True)
            made = work([_batch(one, number, ranges, room) for one, room in streams])
            for one in self.histories:
                one.parts[number * len(one.parts) // ranges].release()
            return made

        has_spilled = any(one.spill is not None for one in self.histories)
        ahead = LARGE_TASKS_AHEAD if has_spilled else TASKS_AHEAD
        with Workers(min(self.threads, ranges)) as workers:
            yield from workers.in_order(on_range, range(ranges), ahead=ahead)

    def of_customer(self, hashes: HashSpan, work: Callable[[Sequence[Any]], R]) -> R:
        """Return what work makes of the customers of few hashes, in the span of a range."""
        ranges = max(len(one.parts) for one in self.histories)
        number = hashes.first * ranges >> HASH_BITS
        batches = [_batch(one, number, ranges, Workspace()) for one in self.histories]
        return work([hashes.of_batch(batch) for batch in batches])


def _batch(history: Grouped[Any], number: int, ranges: int, room: Workspace) -> Any:
    """Return the customers of one of so many ranges of hashes of equal width."""
    share = ranges // len(history.parts)
    part = history.parts[number // share]
    if share == 1:
        batch = part.read(room)
    else:
        width = (1 << HASH_BITS) // ranges
        hashes = HashSpan(number * width, (number + 1) * width - 1)
        base, *later = (hashes.of_batch(run.read()) for run in part.runs)
        merge = part.format.merge
        batch = merge(base, reduce(merge, later), room) if later else base
    return history.seen(batch) if history.views else batch
