"""Profiles of customers as of days of their own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, rows_of
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._profile import ProfileBuilder
from ordercycle._workspace import Workspace
from ordercycle_kernels.calendar import LAST_DAY, NO_DAY


def profiles_on(
    orders: GroupedOrders,
    batch: CustomerBatch,
    customers: NDArray[np.int64],
    days: NDArray[np.int32],
) -> pa.Table:
    """Return the profile of each of some customers as of a day: customers, days: (k,).

    As of a day that is k days before the last one, a customer is what one is as of the last one
    whose orders all came k days later: all are profiled at once, and their dates put back.
    """
    last = int(days.max(initial=0))
    later = np.int32(last) - days
    sizes = np.diff(batch.offsets)[customers]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    owners = np.repeat(np.arange(customers.size), sizes)
    rows = np.arange(offsets[-1]) + (batch.offsets[customers] - offsets[:-1])[owners]

    def moved(of_customers: NDArray[np.int32]) -> NDArray[np.int32]:
        taken = of_customers[customers]
        return np.where(taken == NO_DAY, NO_DAY, taken + later)

    words = batch.words.take(rows)
    moved_batch = CustomerBatch(
        ids=batch.ids.take(rows_of(customers)),
        given=moved(batch.given),
        listed=batch.listed[customers],
        registered=moved(batch.registered),
        visible=moved(batch.visible),
        offsets=offsets,
        days=batch.days[rows] + later[owners],
        words=words,
        negative=int(np.count_nonzero(words.signs < 0)) if batch.negative else 0,
        further=None if batch.further is None else batch.further[rows],
    )
    # Orders that come later than the day may be moved behind every day that is accepted.
    after_all = 2 * int(LAST_DAY)
    builder = ProfileBuilder(
        orders.spec, orders.spec.ids.produced(customers.size), after_all, last, None
    )
    table = pa.Table.from_batches([builder.batch(moved_batch, Workspace())])
    for place, field in enumerate(table.schema):
        if field.type == pa.date32():
            put_back = pc.subtract(
                table.column(place).cast(pa.int32()), array_of(later, pa.int32())
            )
            table = table.set_column(place, field, put_back.cast(pa.date32()))
    return table
