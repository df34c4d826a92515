"""Events grouped by customer: what every answer about a stream is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_format import EventFormat
from ordercycle._events.event_spec import EventSpec
from ordercycle._history.grouped import Grouped
from ordercycle._history.manifest import EVENTS
from ordercycle._ingest.morsels import Tally
from ordercycle._streams.columns import StreamColumns


class EventCounts(NamedTuple):
    """What is counted of the events of all customers.

    repeated: of events that came again, taken once; first_day, last_day: since 1970-01-01, None
    without any; nulls: by the names of values, how many events have none.
    """

    customers: int = 0
    events: int = 0
    repeated: int = 0
    first_day: int | None = None
    last_day: int | None = None
    nulls: Mapping[str, int] = MappingProxyType({})

    @classmethod
    def of(cls, batch: CustomerEvents, repeated: int = 0) -> EventCounts:
        """Count a batch, with what was left out of it."""
        days = batch.days
        return cls(
            customers=len(batch.ids),
            events=days.size,
            repeated=repeated,
            first_day=int(days.min()) if days.size else None,
            last_day=int(days.max()) if days.size else None,
            nulls={
                name: 0 if words.known is None else int(np.count_nonzero(~words.known))
                for name, words in batch.values.items()
            },
        )

    def plus(self, other: EventCounts) -> EventCounts:
        """Return both together, of different customers."""
        firsts, lasts = (
            [day for day in days if day is not None]
            for days in ((self.first_day, other.first_day), (self.last_day, other.last_day))
        )
        return EventCounts(
            self.customers + other.customers,
            self.events + other.events,
            self.repeated + other.repeated,
            min(firsts, default=None),
            max(lasts, default=None),
            {
                name: self.nulls.get(name, 0) + other.nulls.get(name, 0)
                for name in {**self.nulls, **other.nulls}
            },
        )


@dataclass(frozen=True)
class StoredEvents(Grouped[CustomerEvents]):
    """All that a history of events is; :class:`EventHistory` is how users see it."""

    kind = EVENTS

    format: EventFormat
    counts: EventCounts

    @classmethod
    def opened(cls, manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> Self:
        """Return the history of a manifest, still without parts."""
        kept = EventFormat.opened(manifest, tables)
        return cls(kept, (), Tally(**manifest["tally"]), EventCounts(**manifest["counts"]), 1)

    @property
    def spec(self) -> EventSpec:
        """What all parts have in common."""
        return self.format.spec

    @property
    def columns(self) -> StreamColumns:
        """What conditions and features can ask for."""
        return self.spec.stream(has_events=self.tally.first_day is not None)

    @property
    def entries(self) -> int:
        """How many events there are."""
        return self.counts.events

    def seen(self, batch: CustomerEvents) -> CustomerEvents:
        """Return the events of a batch that satisfy the conditions of the views."""
        for _, condition in self.views:
            batch = batch.select(condition.holds(batch))
        return batch
