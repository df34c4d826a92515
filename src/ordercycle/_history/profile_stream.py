"""Profiles of grouped customers: of a history that is kept, or as soon as they are grouped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa

from ordercycle._days import day_number
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.build import laid_out_rows
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.options import BuildOptions
from ordercycle._history.order_format import OrderFormat
from ordercycle._history.seen_summary import SeenOrders
from ordercycle._history.summary import HistorySummary, summarised
from ordercycle._profile import ProfileBuilder, checked_window


class ProfileStream:
    """Profiles of orders whose history nobody keeps.

    The rows of ``OrderHistory.build(orders, customers, ...).profile(as_of, window_days)``, made
    as soon as customers are grouped: past a memory limit their orders need not go to disk again,
    and whoever writes the rows does so while the next customers are grouped. How many customers
    there are is not known then: dictionary ids whose codes are narrower than the number of rows
    asks for come with codes of int32.
    """

    def __init__(
        self,
        orders: Any,
        customers: Any,
        options: BuildOptions,
        *,
        as_of: date | str,
        window_days: int | None = None,
        where: tuple[str, str] | None = None,
    ) -> None:
        """where: the condition of a view of the history, and what becomes of missing values."""
        self._orders = orders
        self._customers = customers
        self._options = options
        self._as_of = day_number(as_of, "as_of")
        self._window = checked_window(window_days)
        self._where = where
        self._summary: HistorySummary | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Read, group and profile; where that fails, it may do so after the last batch."""
        with laid_out_rows(self._orders, self._customers, self._options) as rows:
            profiles = ProfileBuilder(
                rows.spec,
                rows.spec.ids.produced(rows.most_customers),
                rows.tally.last_day,
                self._as_of,
                self._window,
            )
            workspace = rows.workers.workspace
            if self._where is None:
                yield from rows.grouped(lambda customers: profiles.batch(customers, workspace))
                self._summary = summarised(rows.spec, rows.tally, rows.counts, 0)
                return
            view = GroupedOrders(OrderFormat(rows.spec), (), rows.tally, rows.counts, 1)
            view = view.where(*self._where)

            def seen(customers: CustomerBatch) -> tuple[SeenOrders, pa.RecordBatch]:
                there = view.seen(customers)  # counted first: profiles may be written over it
                return SeenOrders.of(there, rows.spec), profiles.batch(there, workspace)

            every = SeenOrders()
            for counted, profile in rows.grouped(seen):
                every = every.plus(counted)
                yield profile
            made = every.summarised(rows.spec, rows.tally, rows.counts)
            self._summary = replace(made, bytes=0)

    @property
    def summary(self) -> HistorySummary | None:
        """What the profiles were made from, once all are there; None before."""
        return self._summary
