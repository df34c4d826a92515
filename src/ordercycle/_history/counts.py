"""What a history counts: its customers, orders and refunds, and on which days orders have rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._grouping.batches import CustomerBatch, DroppedDays
from ordercycle._history.places import Places
from ordercycle._spec import HistorySpec
from ordercycle_kernels import population


class Counts(NamedTuple):
    """What a part adds to a history's summary."""

    customers: int = 0
    orders: int = 0  # all entries: further days and, where they are kept, refunds included
    refunds: int = 0
    unknown: int = 0
    undated: int = 0
    further: int = 0  # entries that are no orders though they are no refunds
    split: int = 0  # orders with rows of several days

    def plus(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(*(one + another for one, another in zip(self, other, strict=True)))

    def minus(self, other: Counts) -> Counts:
        """Return the counts without those of some of the customers."""
        return Counts(*(one - another for one, another in zip(self, other, strict=True)))

    def with_days(self, further: int, split: int) -> Counts:
        """Return the counts with other ones of the days of orders."""
        return self._replace(further=further, split=split)


def count(
    spec: HistorySpec,
    there: CustomerBatch,
    arriving: CustomerBatch | None = None,
    places: Places | None = None,
    *,
    split: int | None = None,
) -> Counts:
    """Count what one batch holds, or two together: without merging their orders.

    Days of orders are counted in one batch only. split: how many orders of all customers have
    several days, None where that is not known.
    """
    listed, given, offsets = there.listed, there.given, there.offsets
    batches = [there]
    # Where the customers of each batch are in the columns above.
    rows: list[Any] = [slice(0, len(there.ids))]
    if arriving is not None and places is not None:
        found, new = places.found, ~places.found
        of_arriving = np.empty(found.size, np.int64)
        of_arriving[found] = places.positions[found]
        of_arriving[new] = len(there.ids) + np.arange(np.count_nonzero(new))
        batches.append(arriving)
        rows.append(of_arriving)
        size = len(there.ids) + int(np.count_nonzero(new))
        listed, given, sizes = (
            np.concatenate([values, np.zeros(size - values.size, values.dtype)])
            for values in (listed, given, np.diff(offsets))
        )
        listed[of_arriving] |= arriving.listed
        given[of_arriving[new]] = arriving.given[new]
        given[of_arriving[found]] = np.maximum(given[of_arriving[found]], arriving.given[found])
        sizes[of_arriving] += np.diff(arriving.offsets)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
    counts = np.empty(population.COUNTS, np.int64)
    population.count_customers(offsets, given, listed, spec.drop_unknown, counts)
    customers, orders, unlisted, undated = counts.tolist()
    refunds = sum(batch.negative for batch in batches)
    if refunds and customers < listed.size:
        shown = listed if spec.drop_unknown else listed | (offsets[1:] > offsets[:-1])
        refunds = sum(
            _negative(batch, shown[where]) for batch, where in zip(batches, rows, strict=True)
        )
    counted = Counts(
        customers=customers,
        orders=orders,
        refunds=refunds,
        unknown=unlisted if spec.has_listing else 0,
        undated=undated,
    )
    return counted if arriving is not None else counted.with_days(*_days(spec, there, split))


def _days(spec: HistorySpec, batch: CustomerBatch, split: int | None) -> tuple[int, int]:
    """Count further days, and orders with several days, of the customers of the population."""
    hidden = batch.hidden(drop_unknown=spec.drop_unknown)
    if batch.further is None and not split and batch.keys is None:
        return 0, 0
    if split == 0 and batch.further is None:
        return 0, 0
    if hidden is not None:
        batch = batch.select(~hidden)
    further = 0 if batch.further is None else int(np.count_nonzero(batch.further))
    if split is None or (split and hidden is not None):
        split = _split_orders(batch)
    return further, split


def _split_orders(batch: CustomerBatch) -> int:
    """Count orders with several days."""
    if batch.keys is None:
        return 0
    again = DaysOfOrders.of(batch, np.arange(len(batch.ids))).again
    return int(np.count_nonzero(again & ~np.concatenate([[False], again])[:-1]))


class DaysOfOrders(NamedTuple):
    """Days on which orders have rows, sorted by owner, key and day: (k,) each."""

    owners: NDArray[np.int64]  # which of the customers that were looked at
    keys: NDArray[np.uint64]
    days: NDArray[np.int32]

    @classmethod
    def of(cls, batch: CustomerBatch, rows: NDArray[np.int64]) -> DaysOfOrders:
        """Return those of the orders of some customers, dropped refunds included."""
        found = [] if batch.dropped is None else [cls._within(batch.dropped, rows)]
        if batch.keys is not None:
            found.append(cls._within(DroppedDays(batch.offsets, batch.keys, batch.days), rows))
        return cls.together(found)

    @classmethod
    def together(cls, parts: Sequence[DaysOfOrders]) -> DaysOfOrders:
        """Return all of several parts."""
        owners, keys, days = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        order = np.lexsort((days, keys, owners))
        return cls(owners[order], keys[order], days[order])

    @property
    def again(self) -> NDArray[np.bool_]:
        """Which of all but the first are of the same order as the one before."""
        same: NDArray[np.bool_] = self.owners[1:] == self.owners[:-1]
        same &= self.keys[1:] == self.keys[:-1]
        return same

    @classmethod
    def _within(cls, lists: DroppedDays, rows: NDArray[np.int64]) -> DaysOfOrders:
        starts, sizes = lists.offsets[rows], lists.offsets[rows + 1] - lists.offsets[rows]
        before = np.cumsum(sizes) - sizes
        places = np.arange(sizes.sum()) + np.repeat(starts - before, sizes)
        return cls(np.repeat(np.arange(rows.size), sizes), lists.keys[places], lists.days[places])


def _negative(batch: CustomerBatch, shown: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(batch.words.signs[np.repeat(shown, np.diff(batch.offsets))] < 0))
