"""Batches of events as files have them, and what a manifest says of their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, fixed_view, validity
from ordercycle._errors import OrdercycleError
from ordercycle._event_columns import EventColumns
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_merging import merge_events
from ordercycle._events.event_spec import EventSpec, Values, plain_column
from ordercycle._history.manifest import EVENTS, Kind
from ordercycle._history.order_format import as_text, ids_of, schema_of
from ordercycle._ingest.attributes import codes_type
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.event_reader import EventPayload
from ordercycle._ingest.table_readers import DAY, INSTANT
from ordercycle._policies import Policies
from ordercycle._streams.columns import Codes, Keys, Words, arrow_values
from ordercycle._workspace import Workspace
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY

#: What types are called in a manifest: those of keys and values behind these words.
EVENT_ID, KEY, VALUE = "event_id", "key ", "value "
#: What tables of a folder are called: of an attribute's values by code, and of its lookup.
VALUES_OF, LOOKUP_OF = "values ", "lookup "
MICROSECONDS_PER_DAY = 86_400 * 10**6


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

    @property
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
        spec, payload = self.spec, self.spec.payload
        fields = [pa.field(DAY, pa.date32(), nullable=False)]
        if payload.has_instants:
            fields.append(pa.field(INSTANT, pa.timestamp("us", "UTC"), nullable=False))
        for name, column in payload.codes.items():
            kind = pa.from_numpy_dtype(codes_type(len(spec.attributes[name].values)))
            fields.append(pa.field(column, kind, nullable=False))
        fields += [pa.field(column, pa.uint64()) for column in payload.keys.values()]
        for name, (column, _) in payload.values.items():
            fields.append(pa.field(column, spec.values[name].produced))
        if payload.event_id is not None:
            fields.append(pa.field(payload.event_id, pa.uint64()))
        return fields

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The values of attributes by code, and their lookups."""
        spec = self.spec
        values = {
            f"{VALUES_OF}{name}": pa.table({"value": known.values})
            for name, known in spec.attributes.items()
        }
        lookups = {
            # Arrow cannot write all dictionaries that it has.
            f"{LOOKUP_OF}{name}": pa.Table.from_arrays(
                [plain_column(column) for column in table.columns], table.column_names
            )
            for name, table in spec.lookups.items()
        }
        return values | lookups

    def to_arrow(self, batch: CustomerEvents) -> pa.RecordBatch:
        """Return a batch as files have it."""
        spec, payload, fields = self.spec, self.spec.payload, self._fields
        types = {field.name: field.type for field in fields}
        arrays = [array_of(batch.days, pa.date32())]
        if batch.instants is not None:
            arrays.append(array_of(batch.instants, types[INSTANT]))
        for name, column in payload.codes.items():
            # Those of a time with fewer values are narrower.
            codes = batch.codes[name].astype(types[column].to_pandas_dtype(), copy=False)
            arrays.append(array_of(codes, types[column]))
        arrays += [_key_array(batch.keys[name]) for name in payload.keys]
        arrays += [arrow_values(batch.values[name], spec.values[name].produced)
                   for name in payload.values]  # fmt: skip
        if batch.event_ids is not None:
            arrays.append(_key_array(batch.event_ids))
        schema = self.schema
        items = pa.StructArray.from_arrays(arrays, fields=fields)
        offsets = pa.py_buffer(np.ascontiguousarray(batch.offsets))
        lists = pa.Array.from_buffers(
            schema.field("events").type, len(batch.ids), [None, offsets], children=[items]
        )
        return pa.RecordBatch.from_arrays([batch.ids, lists], schema=schema)

    def from_arrow(self, batch: pa.RecordBatch, _: int | None) -> CustomerEvents:
        """Return the batch that `to_arrow` was given, or raise an ArrowInvalid for wrong codes."""
        spec, payload = self.spec, self.spec.payload
        lists = batch.column("events")
        events = lists.values
        return CustomerEvents(
            ids=batch.column("customer_id"),
            offsets=fixed_view(lists.offsets, np.int64),
            days=fixed_view(events.field(DAY), np.int32),
            instants=(
                fixed_view(events.field(INSTANT), np.int64) if payload.has_instants else None
            ),
            codes={
                name: _codes(events.field(column), len(spec.attributes[name].values))
                for name, column in payload.codes.items()
            },
            keys={name: _keys(events.field(column)) for name, column in payload.keys.items()},
            values={
                name: _words(events.field(column), spec.values[name])
                for name, (column, _) in payload.values.items()
            },
            event_ids=(None if payload.event_id is None else _keys(events.field(payload.event_id))),
        )

    def has_columns(self, schema: pa.Schema) -> bool:
        """Return whether a file has the columns: codes as wide as its values needed."""
        expected = self.schema
        if schema.names != expected.names or schema.field(0) != expected.field(0):
            return False
        kind = schema.field(1).type
        if not pa.types.is_large_list(kind) or not pa.types.is_struct(kind.value_type):
            return False
        there, wanted = list(kind.value_type), self._fields
        codes = set(self.spec.payload.codes.values())
        return [field.name for field in there] == [field.name for field in wanted] and all(
            one == other
            or (one.name in codes and pa.types.is_unsigned_integer(one.type) and not one.nullable)
            for one, other in zip(there, wanted, strict=True)
        )

    def check(self, batch: CustomerEvents) -> None:
        """Raise an ArrowInvalid where instants are none."""
        instants = batch.instants
        if instants is not None and instants.size:
            # A day in some zone is not far from the one in UTC.
            first, last = ((int(FIRST_DAY) - 2), (int(LAST_DAY) + 2))
            days = instants // MICROSECONDS_PER_DAY
            if days.min() < first or days.max() > last:
                raise pa.ArrowInvalid("instants are outside the years 1900 to 2199")

    def merge(
        self, there: CustomerEvents, arriving: CustomerEvents, _: Workspace | None = None
    ) -> CustomerEvents:
        """Return the customers of both batches with the events of both, each once."""
        return merge_events(there, arriving, self.spec).customers

    def described(self) -> dict[str, Any]:
        """Return what a manifest says of the history."""
        spec = self.spec
        types = [("given_id", spec.ids.given), ("plain_id", spec.ids.plain)]
        if spec.event_id is not None:
            types.append((EVENT_ID, spec.event_id.plain))
        types += [(f"{KEY}{name}", reader.plain) for name, reader in spec.keys.items()]
        types += [(f"{VALUE}{name}", reader.given) for name, reader in spec.values.items()]
        return {
            "columns": asdict(spec.columns),
            "policies": asdict(spec.policies),
            "day_instants": spec.day_instants,
            "has_instants": spec.payload.has_instants,
            "types": as_text(pa.schema(types)),
        }

    @classmethod
    def opened(cls, manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> EventFormat:
        """Return what a manifest says, or raise a KeyError, TypeError, ValueError or OSError."""
        types = schema_of(manifest["types"])
        columns = EventColumns(**manifest["columns"])
        keys = {name: IdReader.of(types.field(f"{KEY}{name}"), "events") for name in columns.keys}
        values = {
            name: AmountReader.of(types.field(f"{VALUE}{name}"), "events", has_lines=False)
            for name in columns.values
        }
        spec = EventSpec(
            ids=ids_of(types),
            columns=columns,
            policies=Policies(**manifest["policies"]),
            day_instants=manifest["day_instants"],
            payload=EventPayload.of(
                columns,
                {name: reader.is_wide for name, reader in values.items()},
                has_instants=manifest["has_instants"],
            ),
            keys=keys,
            values=values,
            event_id=(None if columns.id is None else IdReader.of(types.field(EVENT_ID), "events")),
            attributes={
                name: Values.of(tables[f"{VALUES_OF}{name}"].column("value").combine_chunks())
                for name in columns.attributes
            },
        )
        lookups = {
            name.removeprefix(LOOKUP_OF): table
            for name, table in tables.items()
            if name.startswith(LOOKUP_OF)
        }
        try:
            return cls(spec.with_lookups(lookups))
        except OrdercycleError as error:
            raise ValueError(str(error)) from error


def _key_array(keys: Keys) -> pa.Array:
    return array_of(keys.words, pa.uint64(), keys.known)


def _keys(array: pa.Array) -> Keys:
    return Keys(fixed_view(array, np.uint64), validity(array))


def _codes(array: pa.Array, values: int) -> Codes:
    codes: Codes = fixed_view(array, array.type.to_pandas_dtype())
    if codes.size and codes.max() > values:
        raise pa.ArrowInvalid("codes stand for no value")
    return codes


def _words(array: pa.Array, reader: AmountReader) -> Words:
    known = validity(array)
    none: NDArray[np.int64] = np.zeros(0, np.int64)
    if not reader.is_decimal:
        return Words(fixed_view(array, np.int64), none, known)
    pairs = fixed_view(array, np.int64, per_row=2)
    highs = np.ascontiguousarray(pairs[1::2]) if reader.is_wide else none
    return Words(np.ascontiguousarray(pairs[::2]), highs, known)
