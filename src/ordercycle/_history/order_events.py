"""Orders as a stream: what conditions and features ask of them, and what a view keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._grouping.batches import CustomerBatch
from ordercycle._grouping.details import taken_ids
from ordercycle._grouping.order_lines import entries_marked
from ordercycle._spec import HistorySpec
from ordercycle._streams.columns import Codes, Keys, StreamColumns, Words
from ordercycle_kernels import hashing

#: What the amount of orders is called in conditions and features, whatever the input's name.
AMOUNT = "amount"


@dataclass(frozen=True)
class OrderEvents:
    """Customers with their orders and refunds as events, whose amount is a value."""

    batch: CustomerBatch
    spec: HistorySpec

    @property
    def ids(self) -> pa.Array:
        """The customers: (c,)."""
        return self.batch.ids

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where the entries of each customer begin: (c + 1,)."""
        return self.batch.offsets

    @property
    def days(self) -> NDArray[np.int32]:
        """The day of each entry: (n,)."""
        return self.batch.days

    @property
    def instants(self) -> NDArray[np.int64] | None:
        """The instant of each entry: (n,), or None."""
        return None if self.batch.details is None else self.batch.details.instants

    @property
    def codes(self) -> Mapping[str, Codes]:
        """The codes of attributes."""
        return {} if self.batch.details is None else self.batch.details.codes

    @cached_property
    def keys(self) -> dict[str, Keys]:
        """Of which order each entry is, and which order it refunds, where these are known."""
        found, reader = {}, self.spec.order_ids
        if reader is not None and self.batch.keys is not None:
            words = self.batch.keys
            if reader.is_integer:  # kept as their hashes
                integers = np.empty(words.size, np.int64)
                hashing.integers_of_hashes(words, integers)
                words = integers.view(np.uint64)
            found[str(self.spec.columns.order)] = Keys(words)
        return found if self.batch.details is None else found | dict(self.batch.details.keys)

    @property
    def values(self) -> dict[str, Words]:
        """The amounts, if there are any, and further numbers."""
        found = {}
        if self.spec.has_amount:
            lows, highs = self.batch.words
            found[AMOUNT] = Words(lows.view(np.int64), highs)
        return found if self.batch.details is None else found | dict(self.batch.details.values)

    @property
    def counted(self) -> NDArray[np.bool_] | None:
        """Which of the entries are orders: (n,); None where all are."""
        signs, matter = self.batch.order_signs(net_refunds=self.spec.net_refunds)
        return signs >= 0 if matter else None

    def of_customers(self, kept: NDArray[np.bool_]) -> OrderEvents:
        """Return some of the customers: kept: (c,)."""
        return self if kept.all() else OrderEvents(self.batch.select(kept), self.spec)


def columns_of_orders(spec: HistorySpec, *, has_orders: bool) -> StreamColumns:
    """Return what conditions and features can ask of orders."""
    revenue = spec.revenue
    amounts = {} if revenue is None else {AMOUNT: revenue}
    keys = () if spec.order_ids is None else (str(spec.columns.order),)
    own = StreamColumns(
        keys=keys,
        values=amounts,
        amount=None if revenue is None else AMOUNT,
        all_counted=False,
        has_events=has_orders,
        timezone=spec.policies.timezone,
    )
    return own if spec.details is None else spec.details.stream_with(own)


def seen_orders(batch: CustomerBatch, kept: NDArray[np.bool_], spec: HistorySpec) -> CustomerBatch:
    """Return customers with some of their orders and refunds: kept: (n,).

    Who they are and since when stays as it was. Which entries are orders is found again: of what is
    kept, as if there had never been more.
    """
    if kept.all():
        return batch
    part = part_of_orders(batch, kept, spec)
    further = entries_marked(
        part.offsets,
        part.days,
        part.words.signs,
        part.keys,
        once_a_day=spec.once_a_day,
        net_refunds=spec.net_refunds,
    )
    return replace(part, further=further)


def part_of_orders(
    batch: CustomerBatch, kept: NDArray[np.bool_], spec: HistorySpec
) -> CustomerBatch:
    """Return customers with a part of their orders and refunds: kept: (n,).

    Which entries are orders stays as it was in the whole, so that the orders of parts add up.
    """
    if kept.all():
        return batch
    offsets = np.concatenate([[0], np.cumsum(kept)])[batch.offsets]
    words = batch.words.take(kept)
    hidden = batch.hidden(drop_unknown=spec.drop_unknown)
    return replace(
        batch,
        # Those of the population stay in it, though they have no orders left.
        listed=np.ones(len(batch.ids), np.bool_) if hidden is None else ~hidden,
        offsets=offsets,
        days=batch.days[kept],
        words=words,
        negative=int(np.count_nonzero(words.signs < 0)) if batch.negative else 0,
        keys=None if batch.keys is None else batch.keys[kept],
        further=None if batch.further is None else batch.further[kept],
        details=None if batch.details is None else batch.details.take(kept),
        order_ids=None if batch.order_ids is None else taken_ids(batch.order_ids, kept),
    )
