"""Customers with their orders: what a history is made of, and what it is written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle.arrow_views import mask_of
from ordercycle.grouping.amount_words import AmountWords
from ordercycle.grouping.order_lines import PartitionOrders


class OrderKeys(NamedTuple):
    """Which orders of several lines customers have: offsets (c + 1,), keys (k,) in any order.

    A key is the hash of the order's id. Kept so that lines which arrive later, of an order that
    is already there, are noticed.
    """

    offsets: NDArray[np.int64]
    keys: NDArray[np.uint64]


@dataclass(frozen=True)
class CustomerBatch:
    """Customers in ascending order of their hash, and their orders sorted by (day, amount)."""

    ids: pa.Array  # (c,) plain: integers, strings or binaries
    given: NDArray[np.int32]  # (c,) registration in the customers table, NO_DAY without one
    listed: NDArray[np.bool_]  # (c,) whether the customers table lists them
    registered: NDArray[np.int32]  # (c,) effective registration, NO_DAY where there is none
    visible: NDArray[np.int32]  # (c,) from when on in profiles, NO_DAY for never
    offsets: NDArray[np.int64]  # (c + 1,)
    days: NDArray[np.int32]  # (n,) of orders and, unless dropped, refunds
    words: AmountWords  # (n,)
    negative: int  # how many of the n are refunds, or would be
    order_keys: OrderKeys | None  # of orders with lines

    @property
    def nbytes(self) -> int:
        """Bytes held, ids included."""
        arrays: list[NDArray[Any]] = [
            self.given,
            self.listed,
            self.registered,
            self.offsets,
            self.days,
            *self.words,
        ]
        if self.visible is not self.registered:
            arrays.append(self.visible)
        arrays += self.order_keys or ()
        return int(self.ids.nbytes + sum(array.nbytes for array in arrays))

    def hidden(self, *, drop_unknown: bool) -> NDArray[np.bool_] | None:
        """Return which customers are not of the population, or None where all are.

        They are kept because what is appended later may bring them in: customers whom a table
        that leaves out strangers does not list, and those with nothing but dropped refunds.
        """
        if drop_unknown:
            hidden = ~self.listed
        else:
            hidden = ~self.listed & (self.offsets[1:] == self.offsets[:-1])
        return hidden if hidden.any() else None

    def slice(self, start: int, stop: int) -> CustomerBatch:
        """Return the customers from start to stop, as views."""
        orders = slice(int(self.offsets[start]), int(self.offsets[stop]))
        words = self.words.take(orders)
        keys = self.order_keys
        if keys is not None:
            of_slice = keys.offsets[start : stop + 1]
            keys = OrderKeys(of_slice - of_slice[0], keys.keys[of_slice[0] : of_slice[-1]])
        return CustomerBatch(
            ids=self.ids.slice(start, stop - start),
            given=self.given[start:stop],
            listed=self.listed[start:stop],
            registered=self.registered[start:stop],
            visible=self.visible[start:stop],
            offsets=self.offsets[start : stop + 1] - orders.start,
            days=self.days[orders],
            words=words,
            negative=int(np.count_nonzero(words.signs < 0)) if self.negative else 0,
            order_keys=keys,
        )

    def select(self, kept: NDArray[np.bool_]) -> CustomerBatch:
        """Return some of the customers."""
        offsets, orders = _selected(self.offsets, kept)
        words = self.words.take(orders)
        keys = self.order_keys
        if keys is not None:
            key_offsets, of_kept = _selected(keys.offsets, kept)
            keys = OrderKeys(key_offsets, keys.keys[of_kept])
        return CustomerBatch(
            ids=self.ids.filter(mask_of(kept)),
            given=self.given[kept],
            listed=self.listed[kept],
            registered=self.registered[kept],
            visible=self.visible[kept],
            offsets=offsets,
            days=self.days[orders],
            words=words,
            negative=int(np.count_nonzero(words.signs < 0)),
            order_keys=keys,
        )


def _selected(
    offsets: NDArray[np.int64], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the offsets of the lists that are kept, and which of their items are."""
    sizes = np.diff(offsets)
    items = np.repeat(kept, sizes)
    return np.concatenate([[0], np.cumsum(sizes[kept])]), items


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
