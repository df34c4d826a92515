"""Orders grouped by customer: what every answer is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Self

import numpy as np
import pyarrow as pa

from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.counts import Counts
from ordercycle._history.grouped import Grouped
from ordercycle._history.manifest import ORDERS
from ordercycle._history.order_events import OrderEvents, columns_of_orders, seen_orders
from ordercycle._history.order_format import OrderFormat
from ordercycle._ingest.morsels import Tally
from ordercycle._profile import ProfileBuilder
from ordercycle._spec import HistorySpec
from ordercycle._streams.columns import StreamColumns


@dataclass(frozen=True)
class GroupedOrders(Grouped[CustomerBatch]):
    """All that a history is, wherever it is kept; :class:`OrderHistory` is how users see it."""

    kind = ORDERS

    format: OrderFormat
    counts: Counts

    @classmethod
    def opened(cls, manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> Self:
        """Return the history of a manifest, still without parts."""
        kept = OrderFormat.opened(manifest, tables)
        return cls(kept, (), Tally(**manifest["tally"]), Counts(**manifest["counts"]), 1)

    @property
    def spec(self) -> HistorySpec:
        """What all parts have in common."""
        return self.format.spec

    @property
    def columns(self) -> StreamColumns:
        """What conditions and features can ask of orders."""
        return columns_of_orders(self.spec, has_orders=self.first_day is not None)

    def seen(self, batch: CustomerBatch) -> CustomerBatch:
        """Return a batch with those of its orders and refunds that the views have."""
        events = OrderEvents(batch, self.spec)
        held = (condition.holds(events) for _, condition in self.views)
        return seen_orders(batch, reduce(np.logical_and, held), self.spec)

    @property
    def whole(self) -> GroupedOrders:
        """The history of which this is a view, or itself."""
        return replace(self, views=())

    @property
    def entries(self) -> int:
        """How many orders and refunds there are."""
        return self.counts.orders + self.counts.refunds

    @property
    def first_day(self) -> int | None:
        """The day of the first order, in days since 1970-01-01; None without orders."""
        return self.tally.first_day

    @property
    def last_day(self) -> int | None:
        """The day of the last order, in days since 1970-01-01; None without orders."""
        return self.tally.last_day

    def profiles(self, as_of: int, window_days: int | None = None) -> ProfileBuilder:
        """Return what makes the profiles of the customers, part by part.

        as_of: days since 1970-01-01.
        """
        return ProfileBuilder(self.spec, self.id_type, self.last_day, as_of, window_days)
