"""The oracle's streams as the library's features see them: columns, and batches of customers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context

import numpy as np
import pyarrow as pa
from oracle.events import Stream, place
from support.events import RANK, TEXT

from ordercycle._streams.columns import Attribute, Keys, Lookup, StreamColumns, Words

EPOCH = date(1970, 1, 1)
WIDE = Context(prec=80)
LOOKUP_TYPES = {TEXT: pa.string(), RANK: pa.int32()}


@dataclass(frozen=True)
class Batch:
    """Events of some customers."""

    offsets: np.ndarray
    days: np.ndarray
    codes: Mapping[str, np.ndarray]
    keys: Mapping[str, Keys]
    values: Mapping[str, Words]
    counted: np.ndarray | None
    instants: np.ndarray | None = None


def plain(kind: pa.DataType) -> pa.DataType:
    """Return the type that an attribute's values are kept in."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.large_string() if pa.types.is_string_view(kind) else kind


def summed(kind: pa.DataType) -> pa.DataType:
    """Return the type that values are kept in."""
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    return pa.decimal128(38, kind.scale)


@dataclass(frozen=True)
class Kept:
    """A stream of the oracle, and the codes and words of what its events have.

    dictionaries: the values of attributes in the order of their codes, which need not be their own;
    width: the type of codes.
    """

    stream: Stream
    types: Mapping[str, pa.DataType]
    dictionaries: Mapping[str, list]
    width: type

    @classmethod
    def of(
        cls,
        stream: Stream,
        types: Mapping[str, pa.DataType],
        *,
        seed: int = 0,
        width: type = np.uint8,
    ) -> "Kept":
        """Return a stream with codes in the order of values (seed 0) or in another."""
        found = {}
        for name in stream.names.attributes:
            values = sorted(stream.values_of(name), key=place)
            if seed:
                np.random.default_rng(seed).shuffle(values)
            found[name] = values
        return cls(stream, types, found, width)

    @property
    def columns(self) -> StreamColumns:
        """What the library knows of the columns."""
        names = self.stream.names
        return StreamColumns(
            attributes={name: self._attribute(name) for name in names.attributes},
            keys=names.keys,
            values={name: summed(self.types[name]) for name in names.amount + names.values},
            amount=names.amount[0] if names.amount else None,
            all_counted=not names.amount,
            has_events=bool(self.stream.events()),
        )

    def _attribute(self, name: str) -> Attribute:
        values = self.dictionaries[name]
        ranks = np.zeros(len(values) + 1, np.uint32)
        in_order = sorted(values, key=place)
        ranks[1:] = [in_order.index(value) + 1 for value in values]
        is_ordered = (np.diff(ranks.astype(int)) > 0).all()
        lookups = {}
        if name in self.stream.lookups:
            rows = self.stream.lookups[name]
            for column, kind in LOOKUP_TYPES.items():
                by_code = [rows.get(value, {}).get(column) for value in values]
                catalogue = [row[column] for row in rows.values()]
                lookups[column] = Lookup(pa.array(by_code, kind), pa.array(catalogue, kind))
        return Attribute(
            pa.array(values, plain(self.types[name])), None if is_ordered else ranks, lookups
        )

    def batches(self, customers: Sequence[object], size: int) -> Iterator[Batch]:
        """Yield batches of so many of these customers, in their order."""
        for begin in range(0, max(len(customers), 1), size):
            yield self._batch(customers[begin : begin + size])

    def _batch(self, customers: Sequence[object]) -> Batch:
        names = self.stream.names
        groups = [self.stream.customers.get(one, []) for one in customers]
        events = [event for group in groups for event in group]
        counted = np.array([event.is_counted for event in events], bool)
        return Batch(
            np.cumsum([0, *map(len, groups)], dtype=np.int64),
            np.array([(event.day - EPOCH).days for event in events], np.int32),
            {name: self._codes(name, events) for name in names.attributes},
            {name: self._keys(name, events) for name in names.keys},
            {name: self._words(name, events) for name in names.amount + names.values},
            None if counted.all() else counted,
        )

    def _codes(self, name: str, events: list) -> np.ndarray:
        codes = {value: code for code, value in enumerate([None, *self.dictionaries[name]])}
        return np.array([codes[event.fields[name]] for event in events], self.width)

    def _keys(self, name: str, events: list) -> Keys:
        words: dict[object, int] = {}
        found = [words.setdefault(event.fields[name], 7 * len(words)) for event in events]
        return Keys(np.array(found, np.uint64), self._known(name, events))

    def _known(self, name: str, events: list) -> np.ndarray | None:
        known = np.array([event.fields[name] is not None for event in events], bool)
        return None if known.all() else known

    def _words(self, name: str, events: list) -> Words:
        kind = summed(self.types[name])
        given = [event.fields[name] for event in events]
        known = self._known(name, events)
        none = np.empty(0, np.int64)
        if pa.types.is_decimal(kind):
            whole = [0 if one is None else int(one.scaleb(kind.scale, WIDE)) for one in given]
            lows = np.array([one & (2**64 - 1) for one in whole], np.uint64).view(np.int64)
            highs = np.array([one >> 64 for one in whole], np.int64)
            return Words(lows, highs if self.types[name].precision > 18 else none, known)
        if pa.types.is_floating(kind):
            floats = np.array([77.5 if one is None else one for one in given], np.float64)
            return Words(floats.view(np.int64), none, known)
        return Words(np.array([77 if one is None else one for one in given], np.int64), none, known)
