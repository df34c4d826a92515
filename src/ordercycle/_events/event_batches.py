"""Customers with their events: what a history of events is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import mask_of
from ordercycle._ingest.event_reader import EventPayload
from ordercycle._ingest.table_readers import DAY, INSTANT
from ordercycle._streams.columns import Codes, Keys, Words

#: Which rows: marks of all, or a range.
Rows: TypeAlias = "NDArray[np.bool_] | slice"


@dataclass(frozen=True)
class CustomerEvents:
    """Customers in ascending order of their hash, and their events in their order.

    ids: (c,), plain; offsets: (c + 1,); all else is of the n events: days, since 1970-01-01;
    instants, microseconds since 1970 in UTC, or None; codes from 1 on, 0 for null, keys and values
    by their names; event_ids, where events have ids.
    """

    ids: pa.Array
    offsets: NDArray[np.int64]
    days: NDArray[np.int32]
    instants: NDArray[np.int64] | None
    codes: Mapping[str, Codes]
    keys: Mapping[str, Keys]
    values: Mapping[str, Words]
    event_ids: Keys | None

    #: All of them are events: (n,) marks would say nothing.
    counted: None = None
    #: None of them is a refund.
    negative: ClassVar[int] = 0

    @property
    def nbytes(self) -> int:
        """Bytes held, ids included."""
        arrays: list[NDArray[Any] | None] = [self.offsets, self.days, self.instants]
        arrays += self.codes.values()
        for tuples in (self.keys.values(), self.values.values(), (self.event_ids or (),)):
            for one in tuples:
                arrays += one
        return int(self.ids.nbytes + sum(array.nbytes for array in arrays if array is not None))

    def slice(self, start: int, stop: int) -> CustomerEvents:
        """Return the customers from start to stop, as views."""
        events = slice(int(self.offsets[start]), int(self.offsets[stop]))
        return self._taken(
            self.ids.slice(start, stop - start),
            self.offsets[start : stop + 1] - events.start,
            events,
        )

    def select(self, kept: NDArray[np.bool_]) -> CustomerEvents:
        """Return some of the events, and the customers who have any of them: kept: (n,)."""
        before = np.concatenate([[0], np.cumsum(kept)])
        offsets = before[self.offsets]
        remain = offsets[1:] > offsets[:-1]
        ids = self.ids.filter(mask_of(remain))
        return self._taken(ids, np.concatenate([[0], offsets[1:][remain]]), kept)

    def _taken(self, ids: pa.Array, offsets: NDArray[np.int64], rows: Rows) -> CustomerEvents:
        """Return some of the events, for these customers."""
        return CustomerEvents(
            ids=ids,
            offsets=offsets,
            days=self.days[rows],
            instants=None if self.instants is None else self.instants[rows],
            codes={name: codes[rows] for name, codes in self.codes.items()},
            keys={name: _taken(keys, rows) for name, keys in self.keys.items()},
            values={name: _taken(words, rows) for name, words in self.values.items()},
            event_ids=None if self.event_ids is None else _taken(self.event_ids, rows),
        )

    def of_customers(self, kept: NDArray[np.bool_]) -> CustomerEvents:
        """Return some of the customers, who all have events: kept: (c,)."""
        return self if kept.all() else self.select(np.repeat(kept, np.diff(self.offsets)))


def _taken(arrays: Any, rows: Rows) -> Any:
    """Return some rows of a tuple of arrays, of which some may be missing or empty."""
    return type(arrays)(
        *(array if array is None or array.size == 0 else array[rows] for array in arrays)
    )


def known_in(
    columns: Mapping[str, NDArray[Any]], payload: EventPayload, name: str
) -> NDArray[np.bool_]:
    """Return which rows of a block's columns are not null in a key, value or id: (n,)."""
    column, bit = payload.known[name]
    return ((columns[column] >> np.uint8(bit)) & np.uint8(1)).astype(np.bool_)


def events_of(
    ids: pa.Array,
    offsets: NDArray[np.int64],
    columns: Mapping[str, NDArray[Any]],
    payload: EventPayload,
) -> CustomerEvents:
    """Return customers with the events whose columns are named as in a block."""

    def known(name: str) -> NDArray[np.bool_] | None:
        marks = known_in(columns, payload, name)
        return None if marks.all() else marks

    none = np.zeros(0, np.int64)
    return CustomerEvents(
        ids=ids,
        offsets=offsets,
        days=columns[DAY],
        instants=columns.get(INSTANT),
        codes={name: columns[column] for name, column in payload.codes.items()},
        keys={name: Keys(columns[column], known(name)) for name, column in payload.keys.items()},
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


def columns_of(events: CustomerEvents, payload: EventPayload) -> dict[str, NDArray[Any]]:
    """Return the columns of events, named as in a block: the opposite of `events_of`."""
    size = events.days.size
    columns: dict[str, NDArray[Any]] = {DAY: events.days}
    if events.instants is not None:
        columns[INSTANT] = events.instants
    columns |= {column: events.codes[name] for name, column in payload.codes.items()}
    for column, _ in payload.known.values():
        columns[column] = np.zeros(size, np.uint8)

    def note(name: str, known: NDArray[np.bool_] | None) -> None:
        column, bit = payload.known[name]
        marks = np.ones(size, np.uint8) if known is None else known.view(np.uint8)
        columns[column] |= marks << np.uint8(bit)

    for name, column in payload.keys.items():
        columns[column] = events.keys[name].words
        note(name, events.keys[name].known)
    for name, (low, high) in payload.values.items():
        words = events.values[name]
        columns[low] = words.lows
        if high is not None:  # what came before wider numbers has low words only
            columns[high] = words.highs if words.highs.size else words.lows >> np.int64(63)
        note(name, words.known)
    if payload.event_id is not None and events.event_ids is not None:
        columns[payload.event_id] = events.event_ids.words
        note(payload.id_column, events.event_ids.known)
    return columns
