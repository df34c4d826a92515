"""Segments of other memberships that customers were in on days of their own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.places import find_places
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle._workspace import Workspace


def segments_on(
    orders: GroupedOrders, membership: Membership, ids: pa.Array, days: NDArray[np.int32]
) -> NDArray[np.int16]:
    """Return the code of each customer's segment on a day, that after the last one for none.

    ids, days: (k,), in the order of customers, each with one or more days.

    Raises
    ------
    ConfigError
        A customer is in several segments at once.
    """
    bits = len(orders.parts).bit_length() - 1
    numbers = (hashes_of(ids) >> np.uint64(1)) >> np.uint64(63 - bits)
    bounds = np.searchsorted(numbers, np.arange(len(orders.parts) + 1, dtype=np.uint64))
    nowhere = len(membership.segments)
    intervals = intervals_of(membership)

    def of_part(number: int, batch: CustomerBatch, workspace: Workspace) -> NDArray[np.int16]:
        start, stop = bounds[number : number + 2].tolist()
        codes = np.full(stop - start, nowhere, np.int16)
        if start == stop:
            return codes
        owners = find_places(batch.ids, ids.slice(start, stop - start)).positions
        timeline = intervals.timeline(number, batch, workspace)
        whose = np.repeat(np.arange(timeline.offsets.size - 1), np.diff(timeline.offsets))
        same = (whose[1:] == whose[:-1]) & (timeline.stops[:-1] > timeline.starts[1:])
        if same.any():
            who = batch.called(int(whose[np.argmax(same)]))
            raise ConfigError(
                (Option("by"), f" has {who} in several segments at once"),
                remedy="name memberships of which a customer has one segment a day",
            )
        # By customer and day, the last interval that has begun: is it the customer's, and open?
        begun = np.searchsorted(
            _by_day(whose, timeline.starts), _by_day(owners, days[start:stop]), side="right"
        )
        found = begun > 0
        last = np.maximum(begun - 1, 0)
        found[found] = (whose[last] == owners)[found] & (timeline.stops[last] > days[start:stop])[
            found
        ]
        codes[found] = timeline.codes[last[found]]
        return codes

    return np.concatenate([np.empty(0, np.int16), *orders.scan(of_part)])


def _by_day(whose: NDArray[np.int64], days: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return numbers that ascend by customer and, of one customer, by day."""
    return (whose << 32) + days.astype(np.int64)
