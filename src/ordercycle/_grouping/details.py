"""What orders and events have beside their day: instants, codes, keys, values and ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import rows_of
from ordercycle._ingest.attributes import codes_type
from ordercycle._ingest.payload import INSTANT, Payload
from ordercycle._streams.columns import Codes, Keys, Words
from ordercycle_kernels.partition import as_moved, gather, gather_places

#: Which rows: marks of all, a range, or a list.
Rows: TypeAlias = "NDArray[np.bool_] | slice | NDArray[np.int64] | NDArray[np.int32]"

#: Columns as a block has them, by their names there.
Columns: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Details:
    """Columns of n orders or events, by the names of the table: (n,) each.

    instants: microseconds since 1970 in UTC, or None; codes from 1 on, 0 for null; event_ids, where
    events have ids.
    """

    instants: NDArray[np.int64] | None
    codes: Mapping[str, Codes]
    keys: Mapping[str, Keys]
    values: Mapping[str, Words]
    event_ids: Keys | None = None

    @classmethod
    def of(cls, columns: Columns, payload: Payload) -> Details:
        """Return those of columns that are named as in a block."""

        def known(name: str) -> NDArray[np.bool_] | None:
            marks = payload.known_in(columns, name)
            return None if marks.all() else marks

        none = np.zeros(0, np.int64)
        return cls(
            instants=columns.get(INSTANT),
            codes={name: columns[column] for name, column in payload.codes.items()},
            keys={
                name: Keys(columns[column], known(name)) for name, column in payload.keys.items()
            },
            values={
                name: Words(columns[low], none if high is None else columns[high], known(name))
                for name, (low, high) in payload.values.items()
            },
            event_ids=(
                None
                if payload.event_id is None
                else Keys(columns[payload.event_id], known(payload.id_column))
            ),
        )

    @classmethod
    def joined(cls, parts: Sequence[tuple[Details, int]], payload: Payload) -> Details:
        """Return those of several parts, one behind the other: each with its number of rows."""
        columns = [details.columns(size, payload) for details, size in parts]
        joined = {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}
        return cls.of(joined, payload)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        arrays: list[NDArray[Any] | None] = [self.instants, *self.codes.values()]
        for tuples in (self.keys.values(), self.values.values(), (self.event_ids or (),)):
            for one in tuples:
                arrays += one
        return sum(array.nbytes for array in arrays if array is not None)

    def take(self, rows: Rows) -> Details:
        """Return those of some rows; of a range, as views."""
        return Details(
            instants=None if self.instants is None else self.instants[rows],
            codes={name: codes[rows] for name, codes in self.codes.items()},
            keys={name: _taken(keys, rows) for name, keys in self.keys.items()},
            values={name: _taken(words, rows) for name, words in self.values.items()},
            event_ids=None if self.event_ids is None else _taken(self.event_ids, rows),
        )

    def columns(self, size: int, payload: Payload) -> dict[str, NDArray[Any]]:
        """Return the columns, named as in a block: the opposite of `of`; size: n."""
        columns: dict[str, NDArray[Any]] = {}
        if self.instants is not None:
            columns[INSTANT] = self.instants
        columns |= {column: self.codes[name] for name, column in payload.codes.items()}
        for column, _ in payload.known.values():
            columns[column] = np.zeros(size, np.uint8)

        def note(name: str, known: NDArray[np.bool_] | None) -> None:
            column, bit = payload.known[name]
            marks = np.ones(size, np.uint8) if known is None else known.view(np.uint8)
            columns[column] |= marks << np.uint8(bit)

        for name, column in payload.keys.items():
            columns[column] = self.keys[name].words
            note(name, self.keys[name].known)
        for name, (low, high) in payload.values.items():
            words = self.values[name]
            columns[low] = words.lows
            if high is not None:  # what came before wider numbers has low words only
                columns[high] = words.highs if words.highs.size else words.lows >> np.int64(63)
            note(name, words.known)
        if payload.event_id is not None and self.event_ids is not None:
            columns[payload.event_id] = self.event_ids.words
            note(payload.id_column, self.event_ids.known)
        return columns


def taken_ids(ids: pa.Array, rows: Rows) -> pa.Array:
    """Return some of the ids of orders; of a range, as a view."""
    if isinstance(rows, slice):
        start, stop, _ = rows.indices(len(ids))
        return ids.slice(start, stop - start)
    listed = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
    return ids.take(rows_of(listed.astype(np.int64, copy=False)))


def _taken(arrays: Any, rows: Rows) -> Any:
    """Return some rows of a tuple of arrays, of which some may be missing or empty."""
    return type(arrays)(
        *(array if array is None or array.size == 0 else array[rows] for array in arrays)
    )


@dataclass(frozen=True)
class DetailWriter:
    """Writes the columns of a payload as a history keeps them.

    codes: of each attribute, those that are kept, by code of the rows.
    """

    payload: Payload
    codes: Mapping[str, NDArray[np.uint32]]

    @property
    def types(self) -> dict[str, Any]:
        """The columns, and their types: of codes, as narrow as the values are few."""
        types: dict[str, Any] = dict(self.payload.types)
        for name, column in self.payload.codes.items():
            types[column] = codes_type(self.codes[name].size - 1)
        return types

    def room(self, rows: int) -> dict[str, NDArray[Any]]:
        """Return memory for so many rows."""
        return {name: np.empty(rows, kind) for name, kind in self.types.items()}

    def write(self, columns: Columns, rows: NDArray[np.int32], out: Columns) -> None:
        """Write columns of rows as a block has them in another order; codes as they are kept."""
        attributes = {column: name for name, column in self.payload.codes.items()}
        for name in self.payload.types:
            column, values = out[name], as_moved(columns[name])
            if name in attributes:
                kept = self.codes[attributes[name]].astype(column.dtype, copy=False)
                gather_places[column.dtype.name](values, rows, kept, column)
            else:
                moved = as_moved(column)
                gather[moved.dtype.name](values, rows, moved)
