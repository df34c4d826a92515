"""Since when and until when a history knows what happened: not all periods are whole and over."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import date_of
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._months import Months
from ordercycle._segments.counting_rounds import Cells
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY, NO_DAY

#: How many days show how quiet a history can be.
LOOKED_AT = 90
#: All days that can be.
DAY_COUNT = int(LAST_DAY - FIRST_DAY) + 1


def days_of(customers: CustomerBatch, *, drop_unknown: bool) -> Cells:
    """Return the days of orders and refunds, and those of registrations, as cells that add up.

    A cell is a day, counted from the first there can be; registrations come behind all days. What
    is kept of customers who are not of the population does not count.
    """
    hidden = customers.hidden(drop_unknown=drop_unknown)
    if hidden is not None:
        customers = customers.select(~hidden)
    there = np.zeros(2 * DAY_COUNT, np.bool_)
    there[customers.days - FIRST_DAY] = True
    there[customers.given[customers.given != NO_DAY] - FIRST_DAY + DAY_COUNT] = True
    cells = np.flatnonzero(there)
    return Cells(cells, np.ones(cells.size, np.int64))


def cells_of_days(history: OrderHistory) -> Cells:
    """Return the days of all customers of a history."""
    grouped = grouped_orders(history).whole  # of a view, too, the days on which anything is known
    drop_unknown = grouped.spec.drop_unknown
    days = grouped.scan(lambda _, batch, __: days_of(batch, drop_unknown=drop_unknown))
    return Cells.total(days)


class KnownDays(NamedTuple):
    """The days on which anything happened, ascending: since 1970-01-01.

    Examples
    --------
    >>> known = KnownDays(np.array([20760, 20767]), np.array([20000]))
    >>> known.last, known.quiet_end  # nothing is known of the 82 days before November 3
    (datetime.date(2026, 11, 10), 82)
    >>> known.end_of(Months.of("2026-11", "period"))
    datetime.date(2026, 11, 30)
    """

    ordered: NDArray[np.int64]  # of orders and refunds
    registered: NDArray[np.int64]

    @classmethod
    def of(cls, history: OrderHistory) -> KnownDays:
        """Read the days of a history, in one pass."""
        return cls.of_cells(cells_of_days(history).cell)

    @classmethod
    def of_cells(cls, cells: NDArray[np.int64]) -> KnownDays:
        """Return the days of the cells of all parts."""
        first = np.searchsorted(cells, DAY_COUNT)
        return cls(cells[:first] + FIRST_DAY, cells[first:] - DAY_COUNT + FIRST_DAY)

    @property
    def first_order(self) -> date | None:
        """The first day of any order or refund."""
        return date_of(int(self.ordered[0])) if self.ordered.size else None

    @property
    def last_order(self) -> date | None:
        """The last day of any order or refund."""
        return date_of(int(self.ordered[-1])) if self.ordered.size else None

    @property
    def last(self) -> date | None:
        """The last day of any order, refund or registration."""
        days = self._all
        return date_of(int(days[-1])) if days.size else None

    @property
    def quiet_end(self) -> int:
        """The largest number of consecutive days without anything of the 90 up to the last."""
        days = self._all
        return _longest_quiet(days, days[-1] - LOOKED_AT + 1, days[-1])

    @property
    def quiet_begin(self) -> int:
        """The largest number of consecutive days without an order of the 90 from the first on."""
        days = self.ordered
        return _longest_quiet(days, days[0], days[0] + LOOKED_AT - 1)

    @property
    def _all(self) -> NDArray[np.int64]:
        return np.union1d(self.ordered, self.registered)

    def end_of(self, months: Months, touched: date | None = None) -> date:
        """Return the last day of months, or the last known day where they are not over.

        They are not over where the last known day lies in them, and they end more days later than
        the longest quiet stretch of the 90 days before: so long, nothing has been without orders.
        touched: the day of the last touch, which is known as well.
        """
        last = max((day for day in (self.last, touched) if day is not None), default=None)
        if last is None or not months.first_day <= last < months.last_day:
            return months.last_day
        is_over = self.last is not None and (months.last_day - last).days <= self.quiet_end
        return months.last_day if is_over else last

    def begins_by(self, day: date) -> bool:
        """Return whether orders are known from a day on: the mirror of `end_of`."""
        first = self.first_order
        return first is None or first <= day or (first - day).days <= self.quiet_begin


def _longest_quiet(days: NDArray[np.int64], begin: int, end: int) -> int:
    """Return the largest number of consecutive days of begin to end without any of the days."""
    looked_at = days[(days >= begin) & (days <= end)]
    return int(np.diff(looked_at, prepend=begin - 1, append=end + 1).max()) - 1
