"""Two batches of the same range of customers as one: their events in one order, each once.

Whoever gets nothing keeps what is there; the events of all others are put together and ordered as
those of a build are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._events.event_batches import CustomerEvents, columns_of, events_of
from ordercycle._events.event_grouping import EventOrder
from ordercycle._events.event_spec import EventSpec
from ordercycle._history.merging import Places, find_places, merged_ids
from ordercycle._ingest.table_readers import DAY

Int64s = NDArray[np.int64]


class MergedEvents(NamedTuple):
    """Customers with the events of both batches, and how many events both had."""

    customers: CustomerEvents
    repeated: int


def count_merged(
    there: CustomerEvents, arriving: CustomerEvents, spec: EventSpec
) -> tuple[int, int, int]:
    """Return how many customers and events both are together, and how many events both had."""
    places = find_places(there.ids, arriving.ids)
    customers = len(there.ids) + int(np.count_nonzero(~places.found))
    repeated = 0
    if spec.payload.event_id is not None:
        touched = np.zeros(len(there.ids), np.bool_)
        touched[places.positions[places.found]] = True
        got = there.select(np.repeat(touched, np.diff(there.offsets)))
        repeated = merge_events(got, arriving, spec).repeated
    return customers, there.days.size + arriving.days.size - repeated, repeated


class _Touched(NamedTuple):
    """The events of the customers who got some: their rows there, then all that arrive.

    offsets: (a + 1,) into order, of the arriving customers; order: (k,) of these rows.
    """

    rows_there: Int64s
    offsets: Int64s
    order: NDArray[np.int32]
    repeated: int


def merge_events(there: CustomerEvents, arriving: CustomerEvents, spec: EventSpec) -> MergedEvents:
    """Return the customers of both batches with the events of both, each once."""
    order, payload = spec.order, spec.payload
    places = find_places(there.ids, arriving.ids)
    before, new = columns_of(there, payload), columns_of(arriving, payload)
    touched = _ordered(there.offsets, arriving.offsets, before, new, places, order)
    # Where each customer of either batch is among all.
    added = np.cumsum(~places.found)
    of_arriving = places.positions + added - ~places.found
    are_touched = np.zeros(len(there.ids) + int(added[-1]) if added.size else len(there.ids), bool)
    are_touched[of_arriving] = True
    kept = np.ones(len(there.ids), np.bool_)
    kept[places.positions[places.found]] = False
    sizes = np.empty(are_touched.size, np.int64)
    sizes[of_arriving] = np.diff(touched.offsets)
    sizes[~are_touched] = np.diff(there.offsets)[kept]
    # Rows of both, those that arrive behind those there.
    rows = np.empty(int(sizes.sum()), np.int64)
    got = np.repeat(are_touched, sizes)
    rows[~got] = np.flatnonzero(np.repeat(kept, np.diff(there.offsets)))
    arrived = there.days.size + np.arange(arriving.days.size)
    rows[got] = np.concatenate([touched.rows_there, arrived])[touched.order]
    columns = {
        name: np.concatenate([values, new[name]]).take(rows) for name, values in before.items()
    }
    ids: pa.Array = merged_ids(there.ids, arriving.ids, places)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return MergedEvents(events_of(ids, offsets, columns, payload), touched.repeated)


def _ordered(
    there: Int64s,
    arriving: Int64s,
    before: dict[str, NDArray[Any]],
    new: dict[str, NDArray[Any]],
    places: Places,
    order: EventOrder,
) -> _Touched:
    """Order the events of those who got some; there, arriving: offsets of all customers."""
    found = np.flatnonzero(places.found)
    positions = places.positions[found]
    starts, sizes_there = there[positions], np.diff(there)[positions]
    ends = np.cumsum(sizes_there)
    total = int(ends[-1]) if ends.size else 0
    rows_there = np.arange(total) + np.repeat(starts - ends + sizes_there, sizes_there)
    sizes = np.diff(arriving)
    columns = {
        name: np.concatenate([values[rows_there], new[name]]) for name, values in before.items()
    }
    owners = np.repeat(found, sizes_there), np.repeat(np.arange(sizes.size), sizes)
    sizes = sizes.copy()
    sizes[found] += sizes_there
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    # By customer and day; both sides are already.
    one, other = (
        (own << 32) + days.astype(np.int64)
        for own, days in zip(owners, (columns[DAY][:total], columns[DAY][total:]), strict=True)
    )
    between = np.searchsorted(one, other, side="right")
    rows = np.insert(np.arange(total), between, total + np.arange(other.size)).astype(np.int32)
    begins, scratch = np.empty(rows.size, np.bool_), np.empty(rows.size, np.int32)
    order.order_days(columns, offsets, rows, begins, scratch)
    offsets, kept = order.once(columns, offsets, rows)
    return _Touched(rows_there, offsets, kept, rows.size - kept.size)
