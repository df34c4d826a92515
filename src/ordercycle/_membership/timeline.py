"""Intervals of customers, as arrays and as Arrow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, array_of_texts
from ordercycle_kernels.timeline import OPEN

SEGMENT_TYPE = pa.dictionary(pa.int16(), pa.string())

#: Of an interval, wherever intervals are shown.
INTERVAL_FIELDS = (
    pa.field("segment", SEGMENT_TYPE, nullable=False),
    pa.field("valid_from", pa.date32(), nullable=False),
    pa.field("valid_to", pa.date32()),
)


@dataclass(frozen=True)
class Timeline:
    """The intervals of the customers of one part of a history, in the order of the customers.

    Those of a customer ascend by start, then code.
    """

    offsets: NDArray[np.int64]  # (c + 1,) customer's intervals: from offsets[customer] on
    codes: NDArray[np.int16]  # (m,) into the membership's segments
    starts: NDArray[np.int32]  # (m,) the first day, counted from 1970-01-01
    stops: NDArray[np.int32]  # (m,) the day after the last, OPEN while there is none

    def columns(self, segments: tuple[str, ...]) -> list[pa.Array]:
        """Return the columns of INTERVAL_FIELDS, in memory of their own."""
        codes = array_of(self.codes.copy(), pa.int16())
        closed = self.stops != OPEN
        stops = np.where(closed, self.stops, np.int32(0))
        return [
            pa.DictionaryArray.from_arrays(codes, array_of_texts(segments)),
            array_of(self.starts.copy(), pa.date32()),
            array_of(stops, pa.date32(), None if closed.all() else closed),
        ]
