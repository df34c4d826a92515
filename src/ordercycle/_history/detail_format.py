"""What orders and events have beside their day, as files have it and as a manifest says it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, fixed_view, validity
from ordercycle._errors import OrdercycleError
from ordercycle._grouping.details import Details
from ordercycle._ingest.attributes import codes_type
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.payload import INSTANT, DetailColumns, Payload
from ordercycle._spec import DetailSpec
from ordercycle._streams.attributes import Attributes, Values, plain_column
from ordercycle._streams.columns import Codes, Keys, Words, arrow_values
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY

#: What types are called in a manifest: those of keys and values behind these words.
EVENT_ID, KEY, VALUE = "event_id", "key ", "value "
#: What tables of a folder are called: of an attribute's values by code, and of its lookup.
VALUES_OF, LOOKUP_OF = "values ", "lookup "
MICROSECONDS_PER_DAY = 86_400 * 10**6
INSTANTS = pa.timestamp("us", "UTC")


def file_fields(spec: DetailSpec) -> list[pa.Field]:
    """Return the fields of a file."""
    payload = spec.payload
    fields = []
    if payload.has_instants:
        fields.append(pa.field(INSTANT, INSTANTS, nullable=False))
    for name, column in payload.codes.items():
        kind = pa.from_numpy_dtype(codes_type(len(spec.attributes[name].values)))
        fields.append(pa.field(column, kind, nullable=False))
    fields += [pa.field(column, pa.uint64()) for column in payload.keys.values()]
    for name, (column, _) in payload.values.items():
        fields.append(pa.field(column, spec.values[name].produced))
    if payload.event_id is not None:
        fields.append(pa.field(payload.event_id, pa.uint64()))
    return fields


def file_arrays(details: Details, spec: DetailSpec) -> list[pa.Array]:
    """Return details as files have them, one array for each field."""
    arrays = [] if details.instants is None else [array_of(details.instants, INSTANTS)]
    for name, codes in details.codes.items():
        # Those of a time with fewer values are narrower.
        kept = codes_type(len(spec.attributes[name].values))
        arrays.append(array_of(codes.astype(kept, copy=False), pa.from_numpy_dtype(kept)))
    arrays += [_key_array(details.keys[name]) for name in spec.payload.keys]
    arrays += [
        arrow_values(details.values[name], spec.values[name].produced)
        for name in spec.payload.values
    ]
    if details.event_ids is not None:
        arrays.append(_key_array(details.event_ids))
    return arrays


def details_of(items: pa.StructArray, spec: DetailSpec) -> Details:
    """Return what `file_arrays` was given, or raise an ArrowInvalid for wrong codes."""
    payload = spec.payload
    instants = None
    if payload.has_instants:
        instants = fixed_view(items.field(INSTANT), np.int64)
    return Details(
        instants=instants,
        codes={
            name: _codes(items.field(column), len(spec.attributes[name].values))
            for name, column in payload.codes.items()
        },
        keys={name: _keys(items.field(column)) for name, column in payload.keys.items()},
        values={
            name: _words(items.field(column), spec.values[name])
            for name, (column, _) in payload.values.items()
        },
        event_ids=None if payload.event_id is None else _keys(items.field(payload.event_id)),
    )


def are_fields(there: Collection[pa.Field], wanted: Collection[pa.Field], payload: Payload) -> bool:
    """Return whether a file has fields: codes as wide as its values needed."""
    codes = set(payload.codes.values())
    return [field.name for field in there] == [field.name for field in wanted] and all(
        one == other
        or (one.name in codes and pa.types.is_unsigned_integer(one.type) and not one.nullable)
        for one, other in zip(there, wanted, strict=True)
    )


def check_instants(details: Details) -> None:
    """Raise an ArrowInvalid where instants are none."""
    instants = details.instants
    if instants is not None and instants.size:
        # A day in some zone is not far from the one in UTC.
        first, last = ((int(FIRST_DAY) - 2), (int(LAST_DAY) + 2))
        days = instants // MICROSECONDS_PER_DAY
        if days.min() < first or days.max() > last:
            raise pa.ArrowInvalid("instants are outside the years 1900 to 2199")


def tables_of(attributes: Attributes) -> dict[str, pa.Table]:
    """Return what a folder keeps beside batches: values of attributes by code, and lookups."""
    values = {
        f"{VALUES_OF}{name}": pa.table({"value": known.values})
        for name, known in attributes.items()
    }
    lookups = {
        # Arrow cannot write all dictionaries that it has.
        f"{LOOKUP_OF}{name}": pa.Table.from_arrays(
            [plain_column(column) for column in table.columns], table.column_names
        )
        for name, table in attributes.lookups.items()
    }
    return values | lookups


def types_of(spec: DetailSpec) -> list[tuple[str, pa.DataType]]:
    """Return the types that a manifest has."""
    types = [] if spec.event_id is None else [(EVENT_ID, spec.event_id.plain)]
    types += [(f"{KEY}{name}", reader.plain) for name, reader in spec.keys.items()]
    types += [(f"{VALUE}{name}", reader.given) for name, reader in spec.values.items()]
    return types


def opened_details(
    types: pa.Schema,
    tables: Mapping[str, pa.Table],
    table: str,
    columns: DetailColumns,
    *,
    has_instants: bool,
    named: str,
) -> DetailSpec:
    """Return what a manifest and the tables of a folder say, or raise a KeyError or ValueError."""
    attributes, keys, values, event_id, has_lines = columns
    of_values = {
        name: AmountReader.of(types.field(f"{VALUE}{name}"), table, has_lines=has_lines)
        for name in values
    }
    are_wide = {name: reader.is_wide for name, reader in of_values.items()}
    spec = DetailSpec(
        payload=Payload.of(attributes, keys, are_wide, event_id, has_instants=has_instants),
        keys={name: IdReader.of(types.field(f"{KEY}{name}"), table) for name in keys},
        values=of_values,
        event_id=None if event_id is None else IdReader.of(types.field(EVENT_ID), table),
        attributes=Attributes(
            {
                name: Values.of(tables[f"{VALUES_OF}{name}"].column("value").combine_chunks())
                for name in attributes
            }
        ),
    )
    lookups = {
        name.removeprefix(LOOKUP_OF): one
        for name, one in tables.items()
        if name.startswith(LOOKUP_OF)
    }
    try:
        return spec.with_lookups(lookups, named)
    except OrdercycleError as error:
        raise ValueError(str(error)) from error


# --- As users see them ------------------------------------------------------------------------


def shown_fields(spec: DetailSpec) -> list[pa.Field]:
    """Return the fields of attributes, keys and values as results have them."""
    fields = [
        pa.field(name, pa.dictionary(_index_type(len(known.values)), known.values.type))
        for name, known in spec.attributes.items()
    ]
    fields += [pa.field(name, key_type(reader)) for name, reader in spec.keys.items()]
    fields += [pa.field(name, reader.produced) for name, reader in spec.values.items()]
    return fields


def shown_arrays(details: Details, spec: DetailSpec) -> list[pa.Array]:
    """Return attributes, keys and values as results have them, one array for each field."""
    arrays = []
    for name, known in spec.attributes.items():
        kind = _index_type(len(known.values))
        places = known.places[details.codes[name]]
        indices = places.astype(kind.to_pandas_dtype()) - 1
        present = places > 0
        codes = array_of(indices, kind, None if present.all() else present)
        order = np.argsort(known.places[1:])
        values = known.values.take(array_of(order.astype(np.int64), pa.int64()))
        arrays.append(pa.DictionaryArray.from_arrays(codes, values))
    arrays += [shown_keys(details.keys[name], reader) for name, reader in spec.keys.items()]
    arrays += [
        arrow_values(details.values[name], reader.produced) for name, reader in spec.values.items()
    ]
    return arrays


def key_type(reader: IdReader) -> pa.DataType:
    """Return the type in which results have keys: integers as they are, others by their hash."""
    return reader.plain if reader.is_integer else pa.uint64()


def hashed_keys(spec: DetailSpec | None) -> tuple[str, ...]:
    """Return the names of keys that results have as hashes, which say nothing to a reader."""
    keys = {} if spec is None else spec.keys
    return tuple(name for name, reader in keys.items() if not reader.is_integer)


def shown_keys(keys: Keys, reader: IdReader) -> pa.Array:
    """Return keys as results have them."""
    kind = key_type(reader)
    words = keys.words.view(np.int64).astype(kind.to_pandas_dtype(), copy=False)
    return array_of(words, kind, keys.known)


def _index_type(values: int) -> pa.DataType:
    kinds = (pa.int8(), pa.int16(), pa.int32())
    return next(kind for kind in kinds if values < 2 ** (kind.bit_width - 1))


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
    pairs: Any = fixed_view(array, np.int64, per_row=2)
    highs = np.ascontiguousarray(pairs[1::2]) if reader.is_wide else none
    return Words(np.ascontiguousarray(pairs[::2]), highs, known)
