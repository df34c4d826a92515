"""The customers of a range of hashes: some parts of a history, of which the outer ones are cut."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pyarrow as pa

from ordercycle._history.grouped import Grouped, Part, Run
from ordercycle._ingest.id_bytes import hashes_of

B = TypeVar("B")

#: Bits of a hash.
BITS = 64


@dataclass(frozen=True)
class CutRun:
    """The customers of a run whose hashes are from the first to the last, both included."""

    run: Run
    first: int
    last: int

    @property
    def nbytes(self) -> int:
        """Bytes of the whole run."""
        return self.run.nbytes

    def read(self) -> Any:
        """Return the batch, cut before it is merged with others."""
        batch = self.run.read()
        ids = batch.ids
        # Few of the hashes are looked at, and none is kept.
        start = bisect_left(range(len(ids)), self.first, key=lambda row: _hash_at(ids, row))
        stop = bisect_right(range(len(ids)), self.last, key=lambda row: _hash_at(ids, row))
        return batch if stop - start == len(ids) else batch.slice(start, stop)

    def release(self) -> None:
        """Give back what reading took."""
        self.run.release()


def _hash_at(ids: pa.Array, row: int) -> int:
    return int(hashes_of(ids.slice(row, 1))[0])


def within(history: Grouped[B], first: int, last: int) -> Grouped[B]:
    """Return what scans only the customers whose hashes are in a range, both ends included.

    Parts are ranges of the highest bits, of equal width, so that no other part is read.
    """
    shift = BITS - (len(history.parts).bit_length() - 1)
    begin, end = first >> shift, last >> shift
    parts = [
        Part(part.format, tuple(CutRun(run, first, last) for run in part.runs))
        if number in (begin, end)
        else part
        for number, part in enumerate(history.parts[begin : end + 1], begin)
    ]
    return replace(history, parts=tuple(parts))
