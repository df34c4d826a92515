"""Customers with their events: what a history of events is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import mask_of
from ordercycle._streams.columns import Codes, Keys, Words


@dataclass(frozen=True)
class CustomerEvents:
    """Customers in ascending order of their hash, and their events in their order.

    ids: (c,), plain; offsets: (c + 1,); all else is of the n events: days, since 1970-01-01;
    instants, microseconds since 1970 in UTC, or None; codes from 1 on, 0 for null, keys and values
    by their names; event_ids, where events have ids.
    """

    ids: pa.Array
    offsets: NDArray[np.int64]
    days: NDArray[np.int32]
    instants: NDArray[np.int64] | None
    codes: Mapping[str, Codes]
    keys: Mapping[str, Keys]
    values: Mapping[str, Words]
    event_ids: Keys | None

    #: All of them are events: (n,) marks would say nothing.
    counted: None = None

    @property
    def nbytes(self) -> int:
        """Bytes held, ids included."""
        arrays: list[NDArray[Any] | None] = [self.offsets, self.days, self.instants]
        arrays += self.codes.values()
        for tuples in (self.keys.values(), self.values.values(), (self.event_ids or (),)):
            for one in tuples:
                arrays += one
        return int(self.ids.nbytes + sum(array.nbytes for array in arrays if array is not None))

    def select(self, kept: NDArray[np.bool_]) -> CustomerEvents:
        """Return some of the events, and the customers who have any of them: kept: (n,)."""
        before = np.concatenate([[0], np.cumsum(kept)])
        offsets = before[self.offsets]
        remain = offsets[1:] > offsets[:-1]
        return CustomerEvents(
            ids=self.ids.filter(mask_of(remain)),
            offsets=np.concatenate([[0], offsets[1:][remain]]),
            days=self.days[kept],
            instants=None if self.instants is None else self.instants[kept],
            codes={name: codes[kept] for name, codes in self.codes.items()},
            keys={name: _taken(keys, kept) for name, keys in self.keys.items()},
            values={name: _taken(words, kept) for name, words in self.values.items()},
            event_ids=None if self.event_ids is None else _taken(self.event_ids, kept),
        )

    def of_customers(self, kept: NDArray[np.bool_]) -> CustomerEvents:
        """Return some of the customers, who all have events: kept: (c,)."""
        return self if kept.all() else self.select(np.repeat(kept, np.diff(self.offsets)))


def _taken(arrays: Any, rows: NDArray[Any]) -> Any:
    """Return some rows of a tuple of arrays, of which some may be missing or empty."""
    return type(arrays)(
        *(array if array is None or array.size == 0 else array[rows] for array in arrays)
    )
