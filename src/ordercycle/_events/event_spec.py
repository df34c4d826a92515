"""What all parts of a history of events have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import booleans
from ordercycle._errors import ColumnError, ConfigError, DataError, Option, counted, suggestion
from ordercycle._event_columns import EventColumns
from ordercycle._events.event_grouping import EventOrder
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.event_reader import EventPayload
from ordercycle._policies import Policies
from ordercycle._streams.columns import Attribute, Lookup, StreamColumns


@dataclass(frozen=True)
class Values:
    """The values of an attribute by code: that of code 1 first.

    ranks: by code, of null first, the place of each value in their order; None where codes are.
    """

    values: pa.Array
    ranks: NDArray[np.uint32] | None = None

    @classmethod
    def of(cls, values: pa.Array) -> Values:
        """Return values by code, or raise a ValueError where one is null or there twice."""
        order = np.asarray(pc.array_sort_indices(values))
        if values.null_count or len(values.unique()) < len(values):
            raise ValueError("an attribute has a value twice, or a null")
        if (order[1:] > order[:-1]).all():
            return cls(values)
        ranks = np.zeros(len(values) + 1, np.uint32)
        ranks[1 + order] = np.arange(1, len(values) + 1)
        return cls(values, ranks)

    @property
    def places(self) -> NDArray[np.uint32]:
        """The place of each code's value in the order of values, 0 of null: (codes + 1,)."""
        if self.ranks is not None:
            return self.ranks
        return np.arange(len(self.values) + 1, dtype=np.uint32)


@dataclass(frozen=True, kw_only=True)
class EventSpec:
    """The types, columns and values of a history of events."""

    ids: IdReader
    columns: EventColumns
    policies: Policies
    day_instants: bool
    payload: EventPayload
    keys: Mapping[str, IdReader]
    values: Mapping[str, AmountReader]
    event_id: IdReader | None
    attributes: Mapping[str, Values]
    lookups: Mapping[str, pa.Table] = field(default_factory=dict)

    @property
    def order(self) -> EventOrder:
        """How the events of a customer are ordered, with codes as they are kept."""
        ranks = {name: known.places for name, known in self.attributes.items()}
        return EventOrder(self.payload, ranks, self.keys, self.values, self.event_id)

    def stream(self, *, has_events: bool) -> StreamColumns:
        """Return what conditions and features can ask for."""
        return StreamColumns(
            attributes={
                name: Attribute(known.values, known.ranks, self._lookups_of(name))
                for name, known in self.attributes.items()
            },
            keys=tuple(self.keys),
            values={name: reader.produced for name, reader in self.values.items()},
            has_events=has_events,
            timezone=self.policies.timezone,
        )

    def with_lookups(self, lookups: Mapping[str, pa.Table]) -> EventSpec:
        """Return the same with other tables for the attributes that are named, checked."""
        for name, table in lookups.items():
            if name not in self.attributes:
                hint = suggestion(name, self.attributes)
                raise ConfigError(
                    (Option("lookups"), f": {name!r} is no attribute{hint}"),
                    remedy=("name it in ", Option("EventColumns.attributes", (name,))),
                )
            _check_lookup(name, table, self.attributes[name].values.type)
        return replace(self, lookups={**self.lookups, **lookups})

    def unmatched_codes(self) -> dict[str, set[int]]:
        """Return the codes of each attribute with a lookup whose values have no row there."""
        found = {}
        for name, table in self.lookups.items():
            values = self.attributes[name].values
            rows = pc.index_in(values, _key_column(table, name, values.type))
            found[name] = set((1 + np.flatnonzero(~booleans(rows.is_valid()))).tolist())
        return found

    def _lookups_of(self, name: str) -> dict[str, Lookup]:
        table = self.lookups.get(name)
        if table is None:
            return {}
        values = self.attributes[name].values
        rows = pc.index_in(values, _key_column(table, name, values.type))
        return {
            column: Lookup(one.take(rows), one)
            for column in table.column_names
            if column != name
            for one in [plain_column(table.column(column))]
        }


def plain_column(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, without dictionaries and views."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        kind = pa.large_string()
    found = column.cast(kind).combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _key_column(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    return plain_column(table.column(name)).cast(kind)


def _check_lookup(name: str, table: Any, kind: pa.DataType) -> None:
    """Raise where a table has not exactly one row for each value that it has."""
    what = f"the lookup of {name}"
    if table.column_names.count(name) != 1:
        raise ColumnError(
            f"{what} has no single column {name!r}{suggestion(name, table.column_names)}",
            remedy=f"rename the column with the values of {name}",
            column=name,
        )
    try:
        keys = _key_column(table, name, kind)
    except pa.ArrowException as error:
        raise ColumnError(
            f"{what}: {name} is {table.schema.field(name).type}, and {kind} in the events",
            remedy="cast one of them",
            column=name,
        ) from error
    if keys.null_count:
        row = keys.is_null().index(pa.scalar(value=True)).as_py()
        raise DataError(
            f"{what}: {name} is null at row {row} ({counted(keys.null_count, 'such row')})",
            remedy="drop these rows",
            column=name,
            row=row,
            count=keys.null_count,
        )
    firsts = pc.index_in(keys, keys)
    again = np.flatnonzero(np.asarray(firsts) != np.arange(len(keys)))
    if again.size:
        row = int(again[0])
        raise DataError(
            f"{what} has {name} {keys[row]} a second time at row {row} "
            f"({counted(again.size, 'such row')})",
            remedy="keep one row per value",
            column=name,
            row=row,
            count=int(again.size),
        )
