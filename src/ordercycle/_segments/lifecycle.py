"""The nine lifecycle segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.exact import LifecycleIntervals, Span
from ordercycle._membership.membership import Membership
from ordercycle._public import public
from ordercycle._segments.next_transition import LookAhead, LooksAhead
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.scheme import (
    Produced,
    appended,
    refuse_bad_orders,
    refuse_missing,
    refuse_taken,
    refuse_undecided,
    refuse_window,
    selected,
    views,
)
from ordercycle._segments.thresholds import Thresholds
from ordercycle_kernels.lifecycle import lifecycle_codes, next_lifecycle_codes

#: In the order of the kernel's codes.
SEGMENTS = (
    "New – no orders",
    "New – 1 order",
    "New – 2+ orders",
    "Promising",
    "Active",
    "Loyal",
    "At-risk",
    "Churned",
    "Inactive (no orders)",
)
PRODUCED = (Produced("lifecycle", SEGMENTS, nullable=False),)

#: The profile columns that decide the segment, and their types.
INPUTS = {
    "days_since_registration": (pa.int32(),),
    "days_since_last_order": (pa.int32(),),
    "orders": (pa.int64(),),
}


@public()
@dataclass(frozen=True, kw_only=True, repr=False)
class Lifecycle(LooksAhead, Thresholds):
    """Nine segments from registration, number of orders and days since the last order.

    With A = days_since_registration, r = days_since_last_order, n = orders:

    ======================  =========================================
    New – no orders         A <= new_days, n = 0
    New – 1 order           A <= new_days, n = 1
    New – 2+ orders         A <= new_days, n >= 2
    Promising               n = 1, r <= active_days
    Active                  n = 2, r <= active_days
    Loyal                   n >= 3, r <= active_days
    At-risk                 n >= 1, active_days < r <= churned_days
    Churned                 n >= 1, r > churned_days
    Inactive (no orders)    n = 0
    ======================  =========================================

    The last six apply to customers with A > new_days; every customer is in exactly one.

    Parameters
    ----------
    new_days, active_days, churned_days
        The thresholds in days; the defaults are published for fashion.
    account
        What the thresholds were fitted from: set by :meth:`fit`.

    Examples
    --------
    >>> Lifecycle(active_days=60, churned_days=180)
    Lifecycle(new_days=30, active_days=60, churned_days=180)
    """

    name = "lifecycle"

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in the order of their codes."""
        return SEGMENTS

    def assign(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Add each customer's segment to a profile.

        Parameters
        ----------
        table
            A profile (:meth:`OrderHistory.profile`), or any table with its columns
            ``days_since_registration`` (int32), ``days_since_last_order`` (int32, null without
            orders) and ``orders`` (int64); from any source that :meth:`OrderHistory.build`
            takes. Integers of any width, whole floats, midnights, text and dictionaries become
            the types above; NaN and empty text are missing values.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with a column ``lifecycle``: dictionary<int8, string>, codes in the order
            of :attr:`segments`, never null.

        Raises
        ------
        ColumnError
            Where a column is missing, has another type, or ``lifecycle`` is there already.
        DataError
            Where a value does not fit its column, one that decides the segment is null, or orders
            are negative.
        ConfigError
            Where the profile has a window: what lies before it decides too.

        Examples
        --------
        >>> import pyarrow as pa
        >>> profile = pa.table({
        ...     "days_since_registration": pa.array([400, 10], pa.int32()),
        ...     "days_since_last_order": pa.array([200, None], pa.int32()),
        ...     "orders": pa.array([4, 0], pa.int64()),
        ... })
        >>> Lifecycle().assign(profile)["lifecycle"].to_pylist()
        ['At-risk', 'New – no orders']
        """
        table = as_table(table)
        refuse_taken(table, PRODUCED)
        inputs, thresholds = _checked(table), self._days

        def write(batch: pa.RecordBatch, codes: Sequence[NDArray[np.int8]]) -> None:
            registered, last_order, orders = views(batch)
            lifecycle_codes(registered, last_order, orders, thresholds, codes[0])

        return appended(table, inputs, PRODUCED, write, threads=threads)

    def look_ahead(self, table: pa.Table) -> tuple[pa.Table, LookAhead]:
        """Return the columns that decide, and what decides their next segments."""
        thresholds = self._days

        def write(batch: pa.RecordBatch, codes: NDArray[np.int8], days: NDArray[np.int64]) -> None:
            registered, last_order, orders = views(batch)
            next_lifecycle_codes(registered, last_order, orders, thresholds, codes, days)

        return _checked(table), write

    @property
    def _days(self) -> NDArray[np.int32]:
        return np.array([self.new_days, self.active_days, self.churned_days], np.int32)

    def membership(
        self,
        history: OrderHistory,
        start: date | str | None = None,
        end: date | str | None = None,
    ) -> Membership:
        """Return who was in which segment, and when, to the day.

        The segment on a day is that of the profile as of the day: orders of the day are in it.
        Memberships change at the registration, at orders and when a threshold expires, and are
        computed from these, not day by day.

        Parameters
        ----------
        history
            The orders.
        start
            The first day of interest: intervals begin no earlier. None: with the registration.
        end
            The last day, as of which the membership is known: orders and registrations of later
            days are not looked at, and the interval that holds this day stays open. None: the
            last day there is, 2199-12-31, as if nothing more were ever bought.

        Returns
        -------
        Membership
            For each customer, intervals without gaps from the registration on, of which no two
            neighbours have the same segment.

        Raises
        ------
        ConfigError
            Where `start` or `end` is no day, or `start` is after `end`.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": ["ann", "ann"],
        ...     "ordered_at": [datetime.date(2025, 12, 3), datetime.date(2025, 12, 20)],
        ...     "amount": [20.0, 30.0],
        ... })
        >>> history = OrderHistory.build(orders)
        >>> for row in Lifecycle().membership(history, end="2026-06-30").to_table().to_pylist():
        ...     print(row["segment"], row["valid_from"], row["valid_to"])
        New – 1 order 2025-12-03 2025-12-20
        New – 2+ orders 2025-12-20 2026-01-03
        Active 2026-01-03 2026-04-20
        At-risk 2026-04-20 None
        """
        thresholds = (self.new_days, self.active_days, self.churned_days)
        intervals = LifecycleIntervals(history, thresholds, Span.of(start, end))
        return Membership(self.segments, intervals)


def _checked(table: pa.Table) -> pa.Table:
    """Return the columns that decide a segment; none of their values is null or makes no sense."""
    refuse_window(table, "in which a loyal customer looks like a newcomer")
    inputs = selected(table, INPUTS)
    registered = inputs.column("days_since_registration")
    if registered.null_count:
        refuse_undecided("days_since_registration is null", registered.is_null())
    refuse_bad_orders(inputs.column("orders"))
    refuse_missing(inputs, "days_since_last_order", at_least=1)
    return inputs
