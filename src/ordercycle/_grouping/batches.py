"""Customers with their orders: what a history is made of, and what it is written to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import mask_of
from ordercycle._errors import printable
from ordercycle._grouping.amount_words import AmountWords
from ordercycle._grouping.details import Columns, Details, taken_ids
from ordercycle._grouping.order_lines import OrderSigns, PartitionOrders, order_signs
from ordercycle._ingest.payload import Payload


class DroppedDays(NamedTuple):
    """Days of orders that were refunds, and dropped: offsets (c + 1,), keys and days (k,).

    Kept so that rows which arrive later, of a day that an order has already, are noticed.
    """

    offsets: NDArray[np.int64]
    keys: NDArray[np.uint64]
    days: NDArray[np.int32]

    @classmethod
    def of(cls, orders: PartitionOrders, dropped: NDArray[np.bool_]) -> DroppedDays:
        """Return the entries that are dropped, of orders with keys."""
        left = orders.keep(dropped)
        keys = np.zeros(0, np.uint64) if left.keys is None else left.keys
        return cls(left.offsets, keys, left.days)

    def slice(self, start: int, stop: int) -> DroppedDays:
        """Return those of the customers from start to stop."""
        offsets = self.offsets[start : stop + 1]
        part = slice(int(offsets[0]), int(offsets[-1]))
        return DroppedDays(offsets - part.start, self.keys[part], self.days[part])

    @classmethod
    def joined(cls, parts: Sequence[DroppedDays | None]) -> DroppedDays | None:
        """Return those of the customers of all parts, None where no part has any."""
        there = [part for part in parts if part is not None]
        if not there:
            return None
        return cls(
            joined_offsets([part.offsets for part in there]),
            np.concatenate([part.keys for part in there]),
            np.concatenate([part.days for part in there]),
        )

    def select(self, kept: NDArray[np.bool_]) -> DroppedDays:
        """Return those of some of the customers."""
        offsets, items = _selected(self.offsets, kept)
        return DroppedDays(offsets, self.keys[items], self.days[items])


@dataclass(frozen=True)
class CustomerBatch:
    """Customers in ascending order of their hash, and their orders sorted by (day, amount)."""

    ids: pa.Array  # (c,) plain: integers, strings or binaries
    given: NDArray[np.int32]  # (c,) registration in the customers table, NO_DAY without one
    listed: NDArray[np.bool_]  # (c,) whether the customers table lists them
    registered: NDArray[np.int32]  # (c,) effective registration, NO_DAY where there is none
    visible: NDArray[np.int32]  # (c,) from when on in profiles, NO_DAY for never
    offsets: NDArray[np.int64]  # (c + 1,)
    days: NDArray[np.int32]  # (n,) of entries: orders, their further days, refunds unless dropped
    words: AmountWords  # (n,)
    negative: int  # how many of the n are refunds, or would be
    #: (n,) of which order each entry is, by the hash of its id, where an order column is named
    keys: NDArray[np.uint64] | None = None
    #: (n,) entries that are no order though they are no refund; None where there are none
    further: NDArray[np.bool_] | None = None
    dropped: DroppedDays | None = None  # where order lines are added up and refunds dropped
    details: Details | None = None  # of entries, where they have more than a day and an amount
    order_ids: pa.Array | None = None  # (n,) plain, where they are kept and keys do not tell them

    @classmethod
    def joined(
        cls, batches: Sequence[CustomerBatch], payload: Payload | None = None
    ) -> CustomerBatch:
        """Return the customers of several batches of a history, one behind the other.

        payload: of what orders have beside day and amount, if anything.
        """
        details = [
            (batch.details, batch.days.size) for batch in batches if batch.details is not None
        ]
        ids = [batch.order_ids for batch in batches if batch.order_ids is not None]
        return cls(
            ids=pa.concat_arrays([batch.ids for batch in batches]),
            given=np.concatenate([batch.given for batch in batches]),
            listed=np.concatenate([batch.listed for batch in batches]),
            registered=np.concatenate([batch.registered for batch in batches]),
            visible=np.concatenate([batch.visible for batch in batches]),
            offsets=joined_offsets([batch.offsets for batch in batches]),
            days=np.concatenate([batch.days for batch in batches]),
            words=AmountWords.joined([batch.words for batch in batches]),
            negative=sum(batch.negative for batch in batches),
            keys=joined_arrays([batch.keys for batch in batches]),
            further=joined_marks(batches),
            dropped=DroppedDays.joined([batch.dropped for batch in batches]),
            details=Details.joined(details, payload) if details and payload else None,
            order_ids=pa.concat_arrays(ids) if ids else None,
        )

    def called(self, customer: int) -> str:
        """Return what a message calls a customer, by the place in the batch."""
        return printable(f"customer {self.ids[customer].as_py()!r}")

    def owner_of(self, entry: int) -> int:
        """Return the place of the customer whose entry it is."""
        return int(np.searchsorted(self.offsets, entry, side="right")) - 1

    def order_signs(self, *, net_refunds: bool) -> OrderSigns:
        """Return which entries are no orders, for the kernels."""
        return order_signs(
            self.words, self.further, net_refunds=net_refunds, has_refunds=self.negative > 0
        )

    def are_orders(self, *, net_refunds: bool) -> NDArray[np.bool_]:
        """Return which entries are orders: (n,)."""
        signs, matter = self.order_signs(net_refunds=net_refunds)
        return signs >= 0 if matter else np.ones(self.days.size, np.bool_)

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
        arrays += [array for array in (self.keys, self.further) if array is not None]
        arrays += self.dropped or ()
        held = sum(one.nbytes for one in (self.details, self.order_ids) if one is not None)
        return int(self.ids.nbytes + held + sum(array.nbytes for array in arrays))

    def hidden(self, *, drop_unknown: bool) -> NDArray[np.bool_] | None:
        """Return which customers are not of the population, or None where all are.

        They are kept because what is appended later may bring them in: customers whom a table
        that leaves out unknown customers does not list, and those with nothing but dropped refunds.
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
            keys=None if self.keys is None else self.keys[orders],
            further=None if self.further is None else self.further[orders],
            dropped=None if self.dropped is None else self.dropped.slice(start, stop),
            details=None if self.details is None else self.details.take(orders),
            order_ids=None if self.order_ids is None else taken_ids(self.order_ids, orders),
        )

    def select(self, kept: NDArray[np.bool_]) -> CustomerBatch:
        """Return some of the customers."""
        offsets, orders = _selected(self.offsets, kept)
        words = self.words.take(orders)
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
            keys=None if self.keys is None else self.keys[orders],
            further=None if self.further is None else self.further[orders],
            dropped=None if self.dropped is None else self.dropped.select(kept),
            details=None if self.details is None else self.details.take(orders),
            order_ids=None if self.order_ids is None else taken_ids(self.order_ids, orders),
        )


class _Marked(Protocol):
    """Customers of whose entries some may be further days."""

    @property
    def offsets(self) -> NDArray[np.int64]: ...
    @property
    def further(self) -> NDArray[np.bool_] | None: ...


def joined_arrays(parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    """Return arrays one behind the other, None where there are none."""
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None


def joined_marks(parts: Sequence[_Marked]) -> NDArray[np.bool_] | None:
    """Return which entries are further days, None where no part has any."""
    if all(part.further is None for part in parts):
        return None
    return np.concatenate(
        [
            np.zeros(part.offsets[-1], np.bool_) if part.further is None else part.further
            for part in parts
        ]
    )


def joined_offsets(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the offsets of all parts, each of which begins at 0."""
    offsets = np.zeros(sum(part.size - 1 for part in parts) + 1, np.int64)
    filled = 0
    for part in parts:
        end = filled + part.size - 1
        np.add(part[1:], offsets[filled], out=offsets[filled + 1 : end + 1])
        filled = end
    return offsets


def _selected(
    offsets: NDArray[np.int64], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the offsets of the lists that are kept, and which of their items are."""
    sizes = np.diff(offsets)
    items = np.repeat(kept, sizes)
    return np.concatenate([[0], np.cumsum(sizes[kept])]), items


class OrderRoom(NamedTuple):
    """Memory for the orders of a range of partitions: (rows,) each.

    columns: what they have beside day and amount, by the names of a block.
    """

    days: NDArray[np.int32]
    words: AmountWords
    columns: Columns

    def part(self, rows: slice) -> OrderRoom:
        """Return a part of the room."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return OrderRoom(self.days[rows], self.words.take(rows), columns)

    def copy(self) -> OrderRoom:
        """Return what it holds in memory of its own."""
        return OrderRoom(
            self.days.copy(),
            AmountWords(self.words.lows.copy(), self.words.highs.copy()),
            {name: values.copy() for name, values in self.columns.items()},
        )

    def fill(self, orders: PartitionOrders) -> None:
        """Copy orders to the beginning of the room."""
        size = orders.days.size
        self.days[:size] = orders.days
        self.words.lows[:size] = orders.words.lows
        if orders.words.highs.size:
            self.words.highs[:size] = orders.words.highs
        for name, values in (orders.columns or {}).items():
            self.columns[name][:size] = values
