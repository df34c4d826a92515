"""Orders grouped by customer: what every answer is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa

from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.counts import Counts
from ordercycle._history.grouped import Grouped
from ordercycle._history.manifest import ORDERS
from ordercycle._history.order_format import OrderFormat
from ordercycle._ingest.morsels import Tally
from ordercycle._profile import ProfileBuilder
from ordercycle._spec import HistorySpec


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
