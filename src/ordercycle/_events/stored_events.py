"""Events grouped by customer: what every answer about a stream is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import pyarrow as pa

from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_format import EventFormat
from ordercycle._events.event_spec import EventSpec
from ordercycle._history.grouped import Grouped
from ordercycle._history.manifest import EVENTS
from ordercycle._ingest.morsels import Tally
from ordercycle._streams.columns import StreamColumns


class EventCounts(NamedTuple):
    """What is counted of the events of all customers."""

    customers: int = 0
    events: int = 0
    repeated: int = 0  # events that came again, taken once

    def plus(self, other: EventCounts) -> EventCounts:
        """Return both together."""
        return EventCounts(*(one + another for one, another in zip(self, other, strict=True)))


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
