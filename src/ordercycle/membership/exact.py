"""Memberships in closed form: from registration, orders and thresholds, without walking days."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np

from ordercycle.days import date_of, day_number
from ordercycle.errors import ConfigError
from ordercycle.grouping.batches import CustomerBatch
from ordercycle.history.order_history import OrderHistory
from ordercycle.membership.intervals import OfHistory
from ordercycle.membership.timeline import Timeline
from ordercycle.workspace import Workspace
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
            raise ConfigError(
                f"start={date_of(span.first)} is after end={date_of(span.last)}; pass the first "
                "and the last day"
            )
        return span


class LifecycleIntervals(OfHistory):
    """Intervals of lifecycle segments with given thresholds."""

    def __init__(self, history: OrderHistory, thresholds: tuple[int, int, int], span: Span) -> None:
        super().__init__(history)
        self._thresholds = np.array(thresholds, np.int32)
        self._span = np.array(span, np.int64)

    def timeline(
        self,
        number: int,  # noqa: ARG002 - a part's intervals follow from its orders
        customers: CustomerBatch,
        workspace: Workspace,
    ) -> Timeline:
        """Return the intervals of a part's customers; the arrays are the workspace's."""
        count = customers.offsets.size - 1
        most = (
            kernels.LIFECYCLE_PER_ORDER * customers.days.size
            + kernels.LIFECYCLE_PER_CUSTOMER * count
        )
        # A report asks several memberships about a part before it goes on to the next.
        use = f"membership.{id(self)}"
        offsets = workspace.array(f"{use}.offsets", count + 1, np.int64)
        codes = workspace.array(f"{use}.codes", most, np.int16)
        starts = workspace.array(f"{use}.starts", most, np.int32)
        kernels.lifecycle_intervals(
            customers.offsets,
            customers.days,
            customers.words.signs,
            self.history.kind.net_refunds and customers.negative > 0,
            customers.registered,
            customers.visible,
            self._thresholds,
            self._span,
            offsets,
            codes,
            starts,
        )
        size = int(offsets[-1])
        stops = workspace.array(f"{use}.stops", size, np.int32)
        kernels.close_intervals(offsets, starts[:size], stops)
        return Timeline(offsets, codes[:size], starts[:size], stops)
