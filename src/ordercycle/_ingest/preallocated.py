"""One block for a stream whose length is known: partitions have room for their share of the rows.

Blocks of a stream hold every partition in pieces, which grouping would have to join in memory of
its own. Hashes divide rows so evenly that the place of each partition can be known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.blocks import COLUMN_TYPES, Block

#: Room beyond the even share, in sixteenths of it and in rows: five times the spread of partitions
#: of a hundred thousand rows of customers with a dozen orders each. Memory that is not written to
#: is not taken.
SPARE_SHARE = 16
SPARE_ROWS = 64


class ReservedBlock:
    """A block that is filled in several steps."""

    def __init__(self, names: Iterable[str], rows: int, partition_bits: int) -> None:
        partitions = 1 << partition_bits
        share = -(-rows // partitions)
        capacity = share + share // SPARE_SHARE + SPARE_ROWS
        offsets = np.arange(partitions + 1, dtype=np.int64) * capacity
        columns = {name: np.empty(int(offsets[-1]), COLUMN_TYPES[name]) for name in names}
        self.block = Block(columns, offsets, stops=offsets[:-1].copy())

    def take(self, sizes: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return where so many rows of each partition go; None where there is no room."""
        stops = self.block.stops
        if np.any(stops + sizes > self.block.offsets[1:]):
            return None
        begins = stops.copy()
        stops += sizes
        return begins
