"""Customers with their orders: what a history is made of, and what it is written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle.amount_words import AmountWords
from ordercycle.order_lines import PartitionOrders


@dataclass(frozen=True)
class CustomerBatch:
    """Customers in ascending order of their hash, and their orders sorted by (day, amount)."""

    ids: pa.Array  # (c,) plain: integers, strings or binaries
    registered: NDArray[np.int32]  # (c,) effective registration, NO_DAY where there is none
    visible: NDArray[np.int32]  # (c,) from when on in profiles: mostly the registration itself
    offsets: NDArray[np.int64]  # (c + 1,)
    days: NDArray[np.int32]  # (n,) of orders and, unless dropped, refunds
    words: AmountWords  # (n,)
    negative: int  # how many of the n are refunds, or would be
    dropped_refunds: int
    unknown: pa.Array  # ids of customers that the customers table does not list

    @property
    def nbytes(self) -> int:
        """Bytes held, ids included."""
        arrays = (self.registered, self.offsets, self.days, *self.words)
        return int(self.ids.nbytes) + sum(array.nbytes for array in arrays)


class OrderRoom(NamedTuple):
    """Memory for the orders of a range of partitions: (rows,) each."""

    days: NDArray[np.int32]
    words: AmountWords

    def part(self, rows: slice) -> OrderRoom:
        """Return a part of the room."""
        return OrderRoom(self.days[rows], self.words.take(rows))

    def fill(self, orders: PartitionOrders) -> None:
        """Copy orders to the beginning of the room."""
        size = orders.days.size
        self.days[:size] = orders.days
        self.words.lows[:size] = orders.words.lows
        if orders.words.highs.size:
            self.words.highs[:size] = orders.words.highs
