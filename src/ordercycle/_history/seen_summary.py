"""What is counted of the orders that a view has, and of their attributes and values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.counts import Counts, count
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.summary import HistorySummary, summarised
from ordercycle._ingest.morsels import Tally
from ordercycle._spec import HistorySpec


@dataclass(frozen=True)
class SeenOrders:
    """What is counted of the orders and refunds of some customers."""

    counts: Counts = field(default_factory=Counts)
    days: Tally = field(default_factory=Tally)
    bytes: int = 0
    nulls: Mapping[str, int] = field(default_factory=dict)
    codes: Mapping[str, set[int]] = field(default_factory=dict)  # of attributes with lookups

    @classmethod
    def of(cls, batch: CustomerBatch, spec: HistorySpec) -> SeenOrders:
        """Count a batch."""
        days = Tally()
        if batch.days.size:
            days.see_days(int(batch.days.min()), int(batch.days.max()))
        seen = cls(count(spec, batch), days, batch.nbytes)
        if spec.details is None or batch.details is None:
            return seen
        values, codes = batch.details.values, batch.details.codes
        return replace(
            seen,
            nulls={
                name: int(np.count_nonzero(~words.known))
                for name, words in values.items()
                if words.known is not None
            },
            codes={
                name: set(np.flatnonzero(np.bincount(codes[name])).tolist())
                for name in spec.details.attributes.lookups
            },
        )

    def plus(self, other: SeenOrders) -> SeenOrders:
        """Return both together."""
        days = replace(self.days)
        days.add(other.days)
        return SeenOrders(
            self.counts.plus(other.counts),
            days,
            self.bytes + other.bytes,
            dict(Counter(self.nulls) + Counter(other.nulls)),
            {name: self.codes.get(name, set()) | codes for name, codes in other.codes.items()},
        )

    def summarised(self, spec: HistorySpec, tally: Tally, counts: Counts) -> HistorySummary:
        """Return the summary of a view that has these; tally, counts: of the whole history."""
        own = self.counts
        counts = counts._replace(
            orders=own.orders, refunds=own.refunds, further=own.further, split=own.split
        )
        first, last = self.days.first_day, self.days.last_day
        tally = replace(tally, dropped_refunds=0, first_day=first, last_day=last)
        return summarised(spec, tally, counts, self.bytes)


def seen_summary(grouped: GroupedOrders) -> HistorySummary:
    """Return the summary of a history or view, of which all orders are looked at."""
    spec = grouped.spec
    scanned = grouped.scan(lambda _, batch, __: SeenOrders.of(batch, spec))
    seen = reduce(SeenOrders.plus, scanned, SeenOrders())
    made = (
        seen.summarised(spec, grouped.tally, grouped.counts)
        if grouped.views
        else summarised(spec, grouped.tally, grouped.counts, grouped.nbytes)
    )
    if spec.details is None:
        return made
    unmatched = spec.details.attributes.unmatched_codes()
    return replace(
        made,
        nulls={name: seen.nulls.get(name, 0) for name in spec.details.values},
        unmatched={
            name: len(codes & seen.codes.get(name, set())) for name, codes in unmatched.items()
        },
    )
