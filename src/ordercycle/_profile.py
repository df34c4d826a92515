"""The profile: one row per customer, as of a day."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from ordercycle._arrow_views import array_of, bitmap, mask_of
from ordercycle._columns import (
    NEVER,
    NEVER_ORDERED,
    NO_CADENCE,
    NO_ORDER,
    PROFILE_COLUMNS,
    UNDER_2,
    UNDER_3,
    WINDOW,
    profile_schema,
)
from ordercycle._errors import ConfigError, DataError, Option, printable, whole_number
from ordercycle._grouping.amount_words import DECIMAL_BOUNDS, INT64_BOUNDS
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._ingest.column_readers import IdReader
from ordercycle._spec import HistorySpec
from ordercycle._workspace import Workspace
from ordercycle_kernels import profile as kernels
from ordercycle_kernels import sums
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY, NO_DAY

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]

#: What the computed columns of one customer need at most, with room to align each array.
BYTES_PER_CUSTOMER = 184
ALIGNMENT = 64
ROOM_TO_ALIGN = 16 * ALIGNMENT
#: NumPy asks the system for huge pages where it allocates so much or more.
HUGE_PAGE_BYTES, HUGE_FROM_BYTES = 2**21, 2**22


class Rows(NamedTuple):
    """Where the orders and refunds of each customer start and stop: (c,) each."""

    starts: Int64s
    stops: Int64s


class Beginnings(NamedTuple):
    """What of the beginning of each customer's history is known: (c,) each, NO_DAY for none."""

    registered: Int32s
    first_orders: Int32s


class Room:
    """Memory for arrays of different types, in one piece: many take several times as long to touch.

    It begins on a huge page: a million customers took 67 ms so, and 77 where it begins anywhere.
    That of earlier results, kept for the next ones, brought 3 % of building and profiling 5 M
    orders.
    """

    def __init__(self, size: int) -> None:
        size += ROOM_TO_ALIGN
        alignment = HUGE_PAGE_BYTES if size >= HUGE_FROM_BYTES else ALIGNMENT
        self._left = _aligned(np.empty(size + alignment, np.uint8), alignment)

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of its own."""
        needed = math.prod(shape) * np.dtype(dtype).itemsize
        left = _aligned(self._left, ALIGNMENT)
        piece, self._left = left[:needed], left[needed:]
        return piece.view(dtype).reshape(shape)


def _aligned(memory: NDArray[np.uint8], alignment: int) -> NDArray[np.uint8]:
    """Return memory from the first multiple of so many bytes on."""
    # What `ctypes` would say, without an object that costs as much as all the rest here.
    return memory[-memory.__array_interface__["data"][0] % alignment :]


def checked_window(days: int | None) -> int | None:
    """Return the window, checked; one longer than all accepted years is as long as they are."""
    if days is None:
        return None
    number = whole_number(days)
    if number is None or number < 1:
        raise ConfigError(
            (Option("window_days", days), " is no number of days"),
            remedy="pass a positive one, or None for all",
        )
    return min(number, int(LAST_DAY - FIRST_DAY) + 1)


class ProfileBuilder:
    """Makes the profiles of batches of customers from their orders of the last days, or of all."""

    def __init__(
        self,
        spec: HistorySpec,
        id_type: pa.DataType,
        last_day: int | None,
        as_of: int,
        window_days: int | None,
    ) -> None:
        """Days are days since 1970-01-01; last_day: of all orders, None without any.

        id_type: the type in which ids are given.
        """
        self.spec = spec
        self.as_of = as_of
        self.window_days = checked_window(window_days)
        self.schema = profile_schema(id_type, spec.revenue, windowed=window_days is not None)
        self._is_after_all = last_day is None or as_of >= last_day

    def existing(self, customers: CustomerBatch) -> NDArray[np.bool_]:
        """Return which of the customers have a row in the profile."""
        existing: NDArray[np.bool_] = customers.visible <= self.as_of
        existing &= customers.visible != NO_DAY
        return existing

    def batch(self, customers: CustomerBatch, workspace: Workspace) -> pa.RecordBatch:
        """Return the profile of a batch of customers; workspace: scratch arrays of the thread."""
        existing = self.existing(customers)
        known = self._known(customers)
        ids, registered = customers.ids, customers.registered
        if customers.visible is not registered:
            # Before the first order, the first refund stands for the registration.
            registered = np.where(registered > self.as_of, customers.visible, registered)
        if not existing.all():
            known = Rows(*(ends[existing] for ends in known))
            registered, ids = registered[existing], ids.filter(mask_of(existing))
        seen = self._seen(customers, known)
        count = registered.size
        room = Room(count * BYTES_PER_CUSTOMER)
        counts = room.array((kernels.COUNT_ROWS, count), np.int64)
        days = room.array((kernels.DAY_ROWS, count), np.int32)
        gap_median = room.array((count,), np.float64)
        longest = int((seen.stops - seen.starts).max(initial=0))
        signs = customers.order_signs(net_refunds=self.spec.net_refunds)
        kernels.order_rhythm(
            *seen,
            customers.days,
            *signs,
            workspace.array("gaps", longest, np.int32),
            counts,
            days,
            gap_median,
        )
        orders = counts[kernels.ORDERS]
        bought = orders > 0
        first_orders = days[kernels.FIRST_ORDER]
        if self.window_days is not None:
            first_orders = room.array((count,), np.int32)
            kernels.first_order_days(*known, customers.days, *signs, first_orders)
        elif not bought.all():
            first_orders = np.where(bought, first_orders, NO_DAY)
        durations = room.array((kernels.DURATION_ROWS, count), np.int32)
        ratios = room.array((kernels.RATIO_ROWS, count), np.float64)
        kernels.durations(self.as_of, registered, first_orders, counts, days, durations, ratios)
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
        }
        if self.spec.has_amount:
            beginnings = Beginnings(registered, first_orders)
            values |= self._money(customers, known, seen, beginnings, orders, ids, room)
        if self.window_days is not None:
            values[WINDOW] = room.array((count,), np.int32)
            values[WINDOW][:] = self.window_days
        has_orders = bitmap(bought)
        valid = {
            NEVER: None,
            NO_ORDER: has_orders,
            NEVER_ORDERED: has_orders if seen is known else bitmap(first_orders != NO_DAY),
            UNDER_2: bitmap(orders > 1),
            UNDER_3: bitmap(orders > 2),
            NO_CADENCE: bitmap((orders > 1) & (durations[kernels.LIFETIME] > 0)),
        }
        arrays = [IdReader.as_produced(ids, self.schema.field(0).type)]
        arrays += [
            array_of(values[column.name], self.schema.field(column.name).type, valid[column.null])
            for column in PROFILE_COLUMNS
            if column.name in values
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _known(self, customers: CustomerBatch) -> Rows:
        """Return each customer's rows up to `as_of`."""
        starts, stops = customers.offsets[:-1], customers.offsets[1:]
        if self._is_after_all:
            return Rows(starts, stops)
        return self._within(Rows(starts, stops), customers, kernels.BEFORE_ALL)

    def _seen(self, customers: CustomerBatch, known: Rows) -> Rows:
        """Return those of the known rows that the window has."""
        if self.window_days is None:
            return known
        return self._within(known, customers, self.as_of - self.window_days)

    def _within(self, rows: Rows, customers: CustomerBatch, after: int) -> Rows:
        """Return those of the rows that are of the days (after, as_of]."""
        found = Rows(np.empty_like(rows.starts), np.empty_like(rows.stops))
        kernels.rows_within(*rows, customers.days, after, self.as_of, *found)
        return found

    def _money(
        self,
        customers: CustomerBatch,
        known: Rows,
        seen: Rows,
        beginnings: Beginnings,
        orders: Int64s,
        ids: pa.Array,
        room: Room,
    ) -> dict[str, NDArray[Any]]:
        """Return the columns of money."""
        count, days, (lows, highs) = orders.size, customers.days, customers.words
        amount = self.spec.amount
        average = room.array((count,), np.float64)
        revenue, of_period, of_day = (self._room_for_sums(count, room) for _ in range(3))
        # Of a window, only the first sums are of all that is known.
        together = (revenue if seen is known else revenue[:0], of_period, of_day)
        windowed = -1
        if amount.is_float:
            overflow = sums.sum_with_first_floats(*known, days, lows, *beginnings, *together)
            if seen is not known:
                windowed = sums.sum_floats(*seen, lows, revenue)
            sums.average_floats(revenue, orders, average)
        else:
            bounds = DECIMAL_BOUNDS if amount.is_decimal else INT64_BOUNDS
            overflow = sums.sum_with_first_integers(
                *known, days, lows, highs, *beginnings, bounds, *together
            )
            if seen is not known:
                windowed = sums.sum_integers(*seen, lows, highs, bounds, revenue)
            unit = 10.0 ** getattr(amount.given, "scale", 0)
            sums.average_integers(revenue, unit, orders, average)
        for customer in (overflow, windowed):
            if customer >= 0:
                called = printable(f"customer {ids[customer].as_py()!r}")
                raise DataError(
                    f"revenue of {called} exceeds what {amount.produced} holds",
                    remedy=amount.remedy_for_overflow,
                    column="revenue",
                )
        money = {
            "revenue": revenue,
            "revenue_first_90_days": of_period,
            "revenue_first_day": of_day,
        }
        if not amount.is_float and not amount.is_decimal:
            money = {name: words[:, 0] for name, words in money.items()}
        return {**money, "average_order_value": average}

    def _room_for_sums(self, count: int, room: Room) -> NDArray[Any]:
        """Return where sums of money go: as floats, or the low and the high word of integers."""
        if self.spec.amount.is_float:
            return room.array((count,), np.float64)
        return room.array((count, 2), np.uint64)
