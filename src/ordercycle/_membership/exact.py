"""Memberships in closed form: from registration, orders and thresholds, without walking days."""

from __future__ import annotations

from abc import abstractmethod
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import date_of, day_number
from ordercycle._errors import ConfigError, Option
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._grouping.order_lines import OrderSigns
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.intervals import OfHistory, check_history
from ordercycle._membership.timeline import Timeline
from ordercycle._workspace import Workspace
from ordercycle_kernels import timeline as kernels
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY


class Span(NamedTuple):
    """The first and the last day that a membership speaks of."""

    first: int
    last: int

    @classmethod
    def of(cls, start: date | str | None, end: date | str | None) -> Span:
        """Return the days from start to end, both included; None: all accepted days."""
        span = cls(
            int(FIRST_DAY) if start is None else day_number(start, "start"),
            int(LAST_DAY) if end is None else day_number(end, "end"),
        )
        if span.first > span.last:
            first, last = str(date_of(span.first)), str(date_of(span.last))
            raise ConfigError(
                (Option("start", first), " is after ", Option("end", last)),
                remedy="pass the first and the last day",
            )
        return span


class ExactIntervals(OfHistory):
    """Intervals without gaps that a kernel writes for the orders of a part's customers."""

    #: How many there can be, per order and per customer.
    most: tuple[int, int]
    is_held = False

    def __init__(self, history: OrderHistory, span: Span) -> None:
        check_history(history)
        super().__init__(history, *span)
        self._span = np.array(span, np.int64)

    @abstractmethod
    def write(
        self,
        customers: CustomerBatch,
        *,
        signs: OrderSigns,
        out_offsets: NDArray[np.int64],
        out_codes: NDArray[np.int16],
        out_starts: NDArray[np.int32],
    ) -> None:
        """Write where intervals start; signs: which entries are no orders."""

    def timeline(
        self,
        number: int,  # noqa: ARG002 - a part's intervals follow from its orders
        customers: CustomerBatch,
        workspace: Workspace,
    ) -> Timeline:
        """Return the intervals of a part's customers; the arrays are the workspace's."""
        count = customers.offsets.size - 1
        per_order, per_customer = self.most
        most = per_order * customers.days.size + per_customer * count
        # A report asks several memberships about a part before it goes on to the next.
        use = f"membership.{id(self)}"
        offsets = workspace.array(f"{use}.offsets", count + 1, np.int64)
        codes = workspace.array(f"{use}.codes", most, np.int16)
        starts = workspace.array(f"{use}.starts", most, np.int32)
        self.write(
            customers,
            signs=customers.order_signs(net_refunds=grouped_orders(self.history).spec.net_refunds),
            out_offsets=offsets,
            out_codes=codes,
            out_starts=starts,
        )
        size = int(offsets[-1])
        stops = workspace.array(f"{use}.stops", size, np.int32)
        kernels.close_intervals(offsets, starts[:size], stops)
        return Timeline(offsets, codes[:size], starts[:size], stops)


class LifecycleIntervals(ExactIntervals):
    """Intervals of lifecycle segments with given thresholds."""

    most = (kernels.LIFECYCLE_PER_ORDER, kernels.LIFECYCLE_PER_CUSTOMER)

    def __init__(self, history: OrderHistory, thresholds: tuple[int, int, int], span: Span) -> None:
        super().__init__(history, span)
        self._thresholds = np.array(thresholds, np.int32)

    def write(
        self,
        customers: CustomerBatch,
        *,
        signs: OrderSigns,
        out_offsets: NDArray[np.int64],
        out_codes: NDArray[np.int16],
        out_starts: NDArray[np.int32],
    ) -> None:
        """Write where intervals start."""
        kernels.lifecycle_intervals(
            customers.offsets,
            customers.days,
            *signs,
            customers.registered,
            customers.visible,
            self._thresholds,
            self._span,
            out_offsets,
            out_codes,
            out_starts,
        )


class CadenceIntervals(ExactIntervals):
    """Intervals of cadence groups with the rhythm of all customers given."""

    most = (kernels.CADENCE_PER_ORDER, 0)

    def __init__(
        self,
        history: OrderHistory,
        just_ordered_days: int,
        rhythm: NDArray[np.float64],
        span: Span,
    ) -> None:
        super().__init__(history, span)
        self._just_ordered_days = just_ordered_days
        self._rhythm = rhythm

    def write(
        self,
        customers: CustomerBatch,
        *,
        signs: OrderSigns,
        out_offsets: NDArray[np.int64],
        out_codes: NDArray[np.int16],
        out_starts: NDArray[np.int32],
    ) -> None:
        """Write where intervals start."""
        kernels.cadence_intervals(
            customers.offsets,
            customers.days,
            *signs,
            customers.visible,
            self._just_ordered_days,
            self._rhythm,
            self._span,
            out_offsets,
            out_codes,
            out_starts,
        )
