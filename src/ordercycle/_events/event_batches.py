"""Customers with their events: what a history of events is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import mask_of
from ordercycle._grouping.details import Details, Rows
from ordercycle._streams.columns import Codes, Keys, Words


@dataclass(frozen=True)
class CustomerEvents:
    """Customers in ascending order of their hash, and their events in their order.

    ids: (c,), plain; offsets: (c + 1,); days, since 1970-01-01, and details are of the n events.
    """

    ids: pa.Array
    offsets: NDArray[np.int64]
    days: NDArray[np.int32]
    details: Details

    #: All of them are events: (n,) marks would say nothing.
    counted: None = None
    #: None of them is a refund.
    negative: ClassVar[int] = 0

    @property
    def instants(self) -> NDArray[np.int64] | None:
        """Microseconds since 1970 in UTC: (n,), or None."""
        return self.details.instants

    @property
    def codes(self) -> Mapping[str, Codes]:
        """The codes of attributes."""
        return self.details.codes

    @property
    def keys(self) -> Mapping[str, Keys]:
        """Identifiers of other things."""
        return self.details.keys

    @property
    def values(self) -> Mapping[str, Words]:
        """Numbers."""
        return self.details.values

    @property
    def nbytes(self) -> int:
        """Bytes held, ids included."""
        arrays = self.offsets.nbytes + self.days.nbytes + self.details.nbytes
        return int(self.ids.nbytes + arrays)

    def slice(self, start: int, stop: int) -> CustomerEvents:
        """Return the customers from start to stop, as views."""
        events = slice(int(self.offsets[start]), int(self.offsets[stop]))
        ids = self.ids.slice(start, stop - start)
        return self._taken(ids, self.offsets[start : stop + 1] - events.start, events)

    def select(self, kept: NDArray[np.bool_]) -> CustomerEvents:
        """Return some of the events, and the customers who have any of them: kept: (n,)."""
        before = np.concatenate([[0], np.cumsum(kept)])
        offsets = before[self.offsets]
        remain = offsets[1:] > offsets[:-1]
        ids = self.ids.filter(mask_of(remain))
        return self._taken(ids, np.concatenate([[0], offsets[1:][remain]]), kept)

    def _taken(self, ids: pa.Array, offsets: NDArray[np.int64], rows: Rows) -> CustomerEvents:
        """Return some of the events, for these customers."""
        return CustomerEvents(ids, offsets, self.days[rows], self.details.take(rows))

    def of_customers(self, kept: NDArray[np.bool_]) -> CustomerEvents:
        """Return some of the customers, who all have events: kept: (c,)."""
        return self if kept.all() else self.select(np.repeat(kept, np.diff(self.offsets)))
