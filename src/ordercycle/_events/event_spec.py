"""What all parts of a history of events have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ordercycle._event_columns import EventColumns
from ordercycle._ingest.column_readers import IdReader
from ordercycle._policies import Policies
from ordercycle._spec import DetailSpec
from ordercycle._streams.columns import StreamColumns


@dataclass(frozen=True, kw_only=True)
class EventSpec:
    """The types, columns and values of a history of events."""

    ids: IdReader
    columns: EventColumns
    policies: Policies
    day_instants: bool
    details: DetailSpec

    def stream(self, *, has_events: bool) -> StreamColumns:
        """Return what conditions and features can ask for."""
        own = StreamColumns(has_events=has_events, timezone=self.policies.timezone)
        return self.details.stream_with(own)

    def with_lookups(self, lookups: Mapping[str, Any]) -> EventSpec:
        """Return the same with other tables for the attributes that are named, checked."""
        details = self.details.with_lookups(lookups, "EventColumns.attributes")
        return replace(self, details=details)
