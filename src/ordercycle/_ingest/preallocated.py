"""One section for a stream whose length is known: partitions have room for their share of the rows.

Blocks of a stream hold every partition in pieces, which grouping would have to join in memory of
its own. Hashes divide rows so evenly that the place of each partition can be known beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ordercycle._ingest.blocks import Section

#: Room beyond the even share, in sixteenths of it and in rows: five times the spread of partitions
#: of a hundred thousand rows of customers with a dozen orders each. Memory that is not written to
#: is not taken.
SPARE_SHARE = 16
SPARE_ROWS = 64


class Preallocated(Section):
    """A section that is filled in several steps."""

    @classmethod
    def of(cls, types: Mapping[str, DTypeLike], rows: int, partitions: int) -> Self:
        """Return memory for so many rows, about as many in each partition."""
        share = -(-rows // partitions)
        room = share + share // SPARE_SHARE + SPARE_ROWS
        begins = np.arange(partitions, dtype=np.int64) * room
        columns = {name: np.empty(partitions * room, kind) for name, kind in types.items()}
        return cls(columns, begins, begins.copy())

    def take(self, sizes: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return where so many more rows of each partition go; None where there is no room."""
        room = self.begins[1] if self.begins.size > 1 else len(next(iter(self.columns.values())))
        if np.any(self.ends + sizes > self.begins + room):
            return None
        begins = self.ends.copy()
        self.ends[:] += sizes
        return begins
