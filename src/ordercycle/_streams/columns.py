"""What is known of the columns of a stream, and what a batch of its events offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

#: Codes of an attribute's values, one to a value, from 1 on: 0 is null.
Codes: TypeAlias = "NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]"


class Words(NamedTuple):
    """Values as 64-bit words.

    lows: (n,), integers, the bits of floats, or the lower words of decimals; highs: (n,), their
    upper words, or (0,) where values fit one word; known: (n,), false for nulls, None without any.
    """

    lows: NDArray[np.int64]
    highs: NDArray[np.int64]
    known: NDArray[np.bool_] | None = None


class Keys(NamedTuple):
    """Identifiers as words, and where there are any: (n,) each; known: None where all are."""

    words: NDArray[np.uint64]
    known: NDArray[np.bool_] | None = None


class EventBatch(Protocol):
    """Events of some customers, grouped by customer and in the order of their time.

    offsets: (c + 1,), where the events of each customer begin; days: (n,), since 1970-01-01;
    instants: (n,), microseconds since 1970 in UTC, None where there are days only; codes, keys and
    values by the names of columns, each (n,); counted: (n,), false for refunds and later days of
    orders, which add to sums and are no events otherwise; None where all are events.
    """

    @property
    def offsets(self) -> NDArray[np.int64]: ...
    @property
    def days(self) -> NDArray[np.int32]: ...
    @property
    def instants(self) -> NDArray[np.int64] | None: ...
    @property
    def codes(self) -> Mapping[str, Codes]: ...
    @property
    def keys(self) -> Mapping[str, Keys]: ...
    @property
    def values(self) -> Mapping[str, Words]: ...
    @property
    def counted(self) -> NDArray[np.bool_] | None: ...


class Places(NamedTuple):
    """Values in their order, nulls left out, and the place of each code's value among them.

    places: (codes,), from 1 on, 0 where there is no value; None where they are the codes.
    """

    values: pa.Array
    places: NDArray[np.uint32] | None


@dataclass(frozen=True)
class Lookup:
    """A further column of what is known of an attribute's values.

    values: by code, null where there is no row, of a plain type; catalogue: those of all rows,
    of values that no event has as well.
    """

    values: pa.Array
    catalogue: pa.Array

    @property
    def type(self) -> pa.DataType:
        """The type of its values."""
        return self.values.type

    @cached_property
    def by_code(self) -> pa.Array:
        """The values by code, of null first."""
        return _after_null(self.values)

    @cached_property
    def in_order(self) -> Places:
        """Its distinct values in their order, and the place of each code's."""
        distinct = self.values.drop_null().unique()
        values = distinct.take(pc.array_sort_indices(distinct))
        places = pc.add(pc.index_in(self.by_code, values, skip_nulls=True), 1).fill_null(0)
        return Places(values, np.asarray(places, np.uint32))


@dataclass(frozen=True)
class Attribute:
    """The values of an attribute.

    values: distinct, of a plain type, without null, that of code 1 first; ranks: by code, the place
    of each value in the order of values from 1 on, that of null 0; None where codes are in it.
    """

    values: pa.Array
    ranks: NDArray[np.uint32] | None = None
    lookups: Mapping[str, Lookup] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is kept: without what is made of it once it is asked for."""
        return {"values": self.values, "ranks": self.ranks, "lookups": self.lookups}

    @property
    def type(self) -> pa.DataType:
        """The type of its values."""
        return self.values.type

    @property
    def catalogue(self) -> pa.Array:
        """What its values may be compared with."""
        return self.values

    @cached_property
    def by_code(self) -> pa.Array:
        """The values by code, null first."""
        return _after_null(self.values)

    @cached_property
    def in_order(self) -> Places:
        """Its values in their order, and the place of each code's."""
        if self.ranks is None:
            return Places(self.values, None)
        order = np.argsort(self.ranks[1:])
        return Places(self.values.take(pa.array(order)), self.ranks)


def _after_null(values: pa.Array) -> pa.Array:
    return pa.concat_arrays([pa.nulls(1, values.type), values])


@dataclass(frozen=True, kw_only=True)
class StreamColumns:
    """What the events of a stream have besides their time.

    values: their types, int64, float64 or decimal128; amount: the one of orders, of which refunds
    are net; all_counted: false where batches may have refunds, or later days of orders; timezone:
    in which the days of instants are.
    """

    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    values: Mapping[str, pa.DataType] = field(default_factory=dict)
    amount: str | None = None
    all_counted: bool = True
    has_events: bool = True
    timezone: str = "UTC"

    @property
    def lookups(self) -> list[tuple[str, str]]:
        """The paths of the columns of lookups: each an attribute and the column's name."""
        return [
            (name, column)
            for name, attribute in self.attributes.items()
            for column in attribute.lookups
        ]

    def by_code(self, path: tuple[str, ...]) -> Attribute | Lookup | None:
        """Return what has a value per code of an attribute: itself, or a column of its lookup."""
        name, *columns = path
        attribute = self.attributes.get(name)
        if attribute is None or not columns:
            return attribute
        return attribute.lookups.get(columns[0]) if len(columns) == 1 else None

    def type_of(self, path: tuple[str, ...]) -> pa.DataType | None:
        """Return the type of a column that conditions may have, None where there is none such."""
        found = self.by_code(path)
        if found is not None:
            return found.type
        return self.values.get(path[0]) if len(path) == 1 else None


def arrow_values(words: Words, kind: pa.DataType) -> pa.Array:
    """Return values of words as an Arrow array."""
    size = words.lows.size
    pair: Any = words.lows
    if pa.types.is_decimal(kind):
        pair = np.empty((size, 2), np.int64)
        pair[:, 0] = words.lows
        pair[:, 1] = words.highs if words.highs.size else words.lows >> np.int64(63)
    validity = None
    if words.known is not None:
        validity = pa.py_buffer(np.packbits(words.known, bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(pair))
    return pa.Array.from_buffers(kind, size, [validity, data])
