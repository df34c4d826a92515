"""The profile: one row per customer, as of a day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from ordercycle.arrow_views import array_of, bitmap, mask_of
from ordercycle.columns import NEVER, NO_CADENCE, NO_ORDER, PROFILE_COLUMNS, UNDER_2, UNDER_3
from ordercycle.errors import DataError
from ordercycle.grouping.amount_words import DECIMAL_BOUNDS, INT64_BOUNDS
from ordercycle.grouping.batches import CustomerBatch
from ordercycle.ingest.readers import AmountReader, IdReader
from ordercycle.workspace import Spare, Workspace
from ordercycle_kernels import profile as kernels
from ordercycle_kernels import sums
from ordercycle_kernels.calendar import NO_DAY

Int64s = NDArray[np.int64]

#: What the computed columns of one customer need at most, with room to align each array.
BYTES_PER_CUSTOMER = 160
ALIGNMENT = 64
ROOM_TO_ALIGN = 16 * ALIGNMENT


def room_for(customers: int, batches: int) -> int:
    """Return how many bytes the computed columns of so many customers take at most."""
    return customers * BYTES_PER_CUSTOMER + batches * ROOM_TO_ALIGN


class Room:
    """Memory for arrays of different types: spare memory first, then fresh in one piece."""

    def __init__(self, size: int, spare: Spare | None) -> None:
        self._left = size + ROOM_TO_ALIGN
        self._spare = spare
        self._fresh = np.empty(0, np.uint8)

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of its own."""
        needed = math.prod(shape) * np.dtype(dtype).itemsize
        size = needed + ALIGNMENT
        piece = self._spare.take(size) if self._spare else None
        if piece is None:
            if self._fresh.size < size:
                self._fresh = np.empty(max(self._left, size), np.uint8)
            piece, self._fresh = self._fresh[:size], self._fresh[size:]
        self._left -= size
        start = -piece.ctypes.data % ALIGNMENT
        return piece[start : start + needed].view(dtype).reshape(shape)


@dataclass(frozen=True)
class Profiler:
    """Profiles batches of customers from their orders of the days (after, as_of]."""

    as_of: int
    after: int | None
    last_day: int  # of the whole history, so that a later `as_of` need not look for it
    schema: pa.Schema
    amount: AmountReader
    net_refunds: bool
    spare: Spare | None  # memory to write the columns to, as far as it goes

    def existing(self, customers: CustomerBatch) -> NDArray[np.bool_]:
        """Return which of the customers have a row in the profile."""
        existing: NDArray[np.bool_] = customers.visible <= self.as_of
        existing &= customers.visible != NO_DAY
        return existing

    def batch(self, customers: CustomerBatch, workspace: Workspace) -> pa.RecordBatch:
        """Return the profile of a batch of customers; workspace: scratch arrays of the thread."""
        existing = self.existing(customers)
        starts, stops = self._orders_within(customers)
        ids, registered = customers.ids, customers.registered
        if customers.visible is not registered:
            # Before the first order, the first refund stands for the registration.
            registered = np.where(registered > self.as_of, customers.visible, registered)
        if not existing.all():
            starts, stops, registered = starts[existing], stops[existing], registered[existing]
            ids = ids.filter(mask_of(existing))
        count = registered.size
        # One piece of memory for all columns: many small ones cost several times as much to touch.
        room = Room(count * BYTES_PER_CUSTOMER, self.spare)
        counts = room.array((kernels.COUNT_ROWS, count), np.int64)
        days = room.array((kernels.DAY_ROWS, count), np.int32)
        gap_median = room.array((count,), np.float64)
        longest = int((stops - starts).max(initial=0))
        kernels.order_rhythm(
            starts,
            stops,
            customers.days,
            customers.words.signs,
            self.net_refunds and customers.negative > 0,
            workspace.array("gaps", longest, np.int32),
            counts,
            days,
            gap_median,
        )
        durations = room.array((kernels.DURATION_ROWS, count), np.int32)
        ratios = room.array((kernels.RATIO_ROWS, count), np.float64)
        kernels.durations(self.as_of, registered, counts, days, durations, ratios)
        orders = counts[kernels.ORDERS]
        money = self._money(customers, starts, stops, registered, orders, ids, room)
        values: dict[str, NDArray[Any]] = {
            "registered_on": registered,
            "first_order_on": days[kernels.FIRST_ORDER],
            "last_order_on": days[kernels.LAST_ORDER],
            "orders": orders,
            "order_days": counts[kernels.ORDER_DAYS],
            "days_since_registration": durations[kernels.SINCE_REGISTRATION],
            "days_since_last_order": durations[kernels.SINCE_LAST_ORDER],
            "days_to_first_order": durations[kernels.TO_FIRST_ORDER],
            "lifetime_days": durations[kernels.LIFETIME],
            "time_between_orders": ratios[kernels.BETWEEN_ORDERS],
            "gap_min": days[kernels.GAP_MIN],
            "gap_max": days[kernels.GAP_MAX],
            "last_gap": days[kernels.LAST_GAP],
            "gap_median": gap_median,
            "gap_square_sum": counts[kernels.GAP_SQUARE_SUM],
            "gap_std": ratios[kernels.GAP_STD],
            "missed_purchase_cycles": ratios[kernels.MISSED_CYCLES],
            "next_order_expected_on": durations[kernels.NEXT_EXPECTED],
            **money,
        }
        valid = {
            NEVER: None,
            NO_ORDER: bitmap(orders > 0),
            UNDER_2: bitmap(orders > 1),
            UNDER_3: bitmap(orders > 2),
            NO_CADENCE: bitmap((orders > 1) & (durations[kernels.LIFETIME] > 0)),
        }
        arrays = [IdReader.as_produced(ids, self.schema.field(0).type)]
        arrays += [
            array_of(values[column.name], self.schema.field(column.name).type, valid[column.null])
            for column in PROFILE_COLUMNS[1:]
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _orders_within(self, customers: CustomerBatch) -> tuple[Int64s, Int64s]:
        """Return where each customer's orders of the days (after, as_of] start and stop."""
        offsets = customers.offsets
        if self.after is None and self.as_of >= self.last_day:
            return offsets[:-1], offsets[1:]
        starts, stops = np.empty(offsets.size - 1, np.int64), np.empty(offsets.size - 1, np.int64)
        first = -(2**31) if self.after is None else self.after
        kernels.orders_within(offsets, customers.days, first, self.as_of, starts, stops)
        return starts, stops

    def _money(
        self,
        customers: CustomerBatch,
        starts: Int64s,
        stops: Int64s,
        registered: NDArray[np.int32],
        orders: Int64s,
        ids: pa.Array,
        room: Room,
    ) -> dict[str, NDArray[Any]]:
        """Return revenue, revenue_first_90_days and average_order_value."""
        lows, highs = customers.words
        count = registered.size
        average = room.array((count,), np.float64)
        revenue: NDArray[Any]
        first_revenue: NDArray[Any]
        if self.amount.is_float:
            revenue = room.array((count,), np.float64)
            first_revenue = room.array((count,), np.float64)
            overflow = sums.sum_floats(
                starts, stops, customers.days, lows, registered, revenue, first_revenue
            )
            sums.average_floats(revenue, orders, average)
        else:
            revenue = room.array((count, 2), np.uint64)
            first_revenue = room.array((count, 2), np.uint64)
            bounds = DECIMAL_BOUNDS if self.amount.is_decimal else INT64_BOUNDS
            overflow = sums.sum_integers(
                starts, stops, customers.days, lows, highs, registered, bounds,
                revenue, first_revenue,
            )  # fmt: skip
            unit = 10.0 ** getattr(self.amount.given, "scale", 0)
            sums.average_integers(revenue, unit, orders, average)
            if not self.amount.is_decimal:
                revenue, first_revenue = revenue[:, 0], first_revenue[:, 0]
        if overflow >= 0:
            raise DataError(
                f"revenue of customer {ids[overflow]} exceeds what {self.amount.produced} holds; "
                f"{self.amount.remedy_for_overflow}"
            )
        return {
            "revenue": revenue,
            "revenue_first_90_days": first_revenue,
            "average_order_value": average,
        }
