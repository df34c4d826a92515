"""Batches of events as files have them, and what a manifest says of their history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, fixed_view
from ordercycle._event_columns import EventColumns
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_merging import merge_events
from ordercycle._events.event_spec import EventSpec
from ordercycle._grouping.batches import joined_offsets
from ordercycle._grouping.details import Details
from ordercycle._history.detail_format import (
    are_fields,
    check_instants,
    details_of,
    file_arrays,
    file_fields,
    opened_details,
    tables_of,
    types_of,
)
from ordercycle._history.manifest import EVENTS, Kind
from ordercycle._history.order_format import as_text, ids_of, schema_of
from ordercycle._ingest.column_readers import IdReader
from ordercycle._ingest.payload import DAY, DetailColumns
from ordercycle._policies import Policies
from ordercycle._workspace import Workspace


@dataclass(frozen=True)
class EventFormat:
    """How customers with events are kept, by what their history has in common."""

    kind: ClassVar[Kind] = EVENTS

    spec: EventSpec

    @property
    def ids(self) -> IdReader:
        """Who reads the ids of customers."""
        return self.spec.ids

    @property
    def customer_column(self) -> str:
        """The column of customers."""
        return str(self.spec.columns.customer)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of a file."""
        events = pa.field("item", pa.struct(self._fields), nullable=False)
        return pa.schema(
            [
                pa.field("customer_id", self.ids.plain, nullable=False),
                pa.field("events", pa.large_list(events), nullable=False),
            ]
        )

    @property
    def _fields(self) -> list[pa.Field]:
        return [pa.field(DAY, pa.date32(), nullable=False), *file_fields(self.spec.details)]

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The values of attributes by code, and their lookups."""
        return tables_of(self.spec.details.attributes)

    def to_arrow(self, batch: CustomerEvents) -> pa.RecordBatch:
        """Return a batch as files have it."""
        schema = self.schema
        arrays = [array_of(batch.days, pa.date32()), *file_arrays(batch.details, self.spec.details)]
        items = pa.StructArray.from_arrays(arrays, fields=self._fields)
        offsets = pa.py_buffer(np.ascontiguousarray(batch.offsets))
        lists = pa.Array.from_buffers(
            schema.field("events").type, len(batch.ids), [None, offsets], children=[items]
        )
        return pa.RecordBatch.from_arrays([batch.ids, lists], schema=schema)

    def from_arrow(self, batch: pa.RecordBatch, _: int | None) -> CustomerEvents:
        """Return the batch that `to_arrow` was given, or raise an ArrowInvalid for wrong codes."""
        lists = batch.column("events")
        events = lists.values
        return CustomerEvents(
            ids=batch.column("customer_id"),
            offsets=fixed_view(lists.offsets, np.int64),
            days=fixed_view(events.field(DAY), np.int32),
            details=details_of(events, self.spec.details),
        )

    def has_columns(self, schema: pa.Schema) -> bool:
        """Return whether a file has the columns: codes as wide as its values needed."""
        expected = self.schema
        if schema.names != expected.names or schema.field(0) != expected.field(0):
            return False
        kind = schema.field(1).type
        if not pa.types.is_large_list(kind) or not pa.types.is_struct(kind.value_type):
            return False
        return are_fields(list(kind.value_type), self._fields, self.spec.details.payload)

    def check(self, batch: CustomerEvents) -> None:
        """Raise an ArrowInvalid where instants are none."""
        check_instants(batch.details)

    def merge(
        self, there: CustomerEvents, arriving: CustomerEvents, _: Workspace | None = None
    ) -> CustomerEvents:
        """Return the customers of both batches with the events of both, each once."""
        return merge_events(there, arriving, self.spec).customers

    def joined(self, batches: Sequence[CustomerEvents]) -> CustomerEvents:
        """Return the customers of several batches, one behind the other."""
        details = [(batch.details, batch.days.size) for batch in batches]
        return CustomerEvents(
            pa.concat_arrays([batch.ids for batch in batches]),
            joined_offsets([batch.offsets for batch in batches]),
            np.concatenate([batch.days for batch in batches]),
            Details.joined(details, self.spec.details.payload),
        )

    def of_customers(self, batch: CustomerEvents, kept: NDArray[np.bool_]) -> CustomerEvents:
        """Return some of the customers of a batch."""
        return batch.of_customers(kept)

    def hidden(self, _: CustomerEvents) -> NDArray[np.bool_] | None:
        """Return which customers are not of the population: none."""
        return None

    def described(self) -> dict[str, Any]:
        """Return what a manifest says of the history."""
        spec = self.spec
        ids = [("given_id", spec.ids.given), ("plain_id", spec.ids.plain)]
        return {
            "columns": asdict(spec.columns),
            "policies": asdict(spec.policies),
            "day_instants": spec.day_instants,
            "has_instants": spec.details.payload.has_instants,
            "types": as_text(pa.schema(ids + types_of(spec.details))),
        }

    @classmethod
    def opened(cls, manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> EventFormat:
        """Return what a manifest says, or raise a KeyError, TypeError, ValueError or OSError."""
        types = schema_of(manifest["types"])
        columns = EventColumns(**manifest["columns"])
        return cls(
            EventSpec(
                ids=ids_of(types),
                columns=columns,
                policies=Policies(**manifest["policies"]),
                day_instants=manifest["day_instants"],
                details=opened_details(
                    types,
                    tables,
                    "events",
                    DetailColumns(columns.attributes, columns.keys, columns.values, columns.id),
                    has_instants=manifest["has_instants"],
                    named="EventColumns.attributes",
                ),
            )
        )
