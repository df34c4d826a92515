"""What was known on a day, and what happened in the days that followed: what backtests compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._columns import WINDOW
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._segments.value.inputs import ClvInputs, as_floats, purchases_of
from ordercycle._workspace import Workspace

WEEK = 7

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]


class Money(NamedTuple):
    """Revenue of each customer: (k,) each.

    means: of the days that count, on such a day, NaN where there are none; so_far: up to the
    split; later: in the horizon; before: in as many days up to the split; repeats: after the
    first day, up to the split.
    """

    means: Floats
    so_far: Floats
    later: Floats
    before: Floats
    repeats: Floats


@dataclass(frozen=True)
class Holdout:
    """Customers with orders on the day of a split, and what they did in the horizon after it.

    profile: all columns that models read, of everybody known by then; repeats, recency, age: of
    the k customers with orders; orders, orders_before: days with an order in the horizon, and in
    as many days up to the split; weekly: (weeks,) days with an order, of all of them together.
    """

    profile: pa.Table
    repeats: Int64s
    recency: NDArray[np.int32]
    age: NDArray[np.int32]
    orders: Int64s
    orders_before: Int64s
    weekly: Int64s
    money: Money | None


@dataclass(frozen=True)
class HoldoutScan:
    """Reads a history around a split: day numbers."""

    history: OrderHistory
    split: int
    horizon_days: int
    inputs: ClvInputs

    def read(self) -> Holdout:
        """Return what was known, and what happened."""
        grouped = grouped_orders(self.history)
        end = self.split + self.horizon_days
        known = grouped.profiles(self.split, None)
        builders = [
            known,
            grouped.profiles(self.split, self.horizon_days),
            grouped.profiles(end, self.horizon_days),
        ]
        net_refunds = grouped.spec.net_refunds

        def work(
            _: int, customers: CustomerBatch, workspace: Workspace
        ) -> tuple[pa.RecordBatch, pa.RecordBatch, pa.RecordBatch, Int64s]:
            here = known.existing(customers)
            if not here.all():
                customers = customers.select(here)
            profile, before, later = (builder.batch(customers, workspace) for builder in builders)
            bought = _bought(profile)
            days = self._weekly(customers, bought, net_refunds=net_refunds)
            return profile, _without_window(before), _without_window(later), days

        parts = list(grouped.scan(work))
        profiles, befores, laters = (
            pa.Table.from_batches([part[place] for part in parts], schema=schema)
            for place, schema in enumerate(
                [known.schema, *(_unwindowed(builder.schema) for builder in builders[1:])]
            )
        )
        weekly = np.zeros(-(-self.horizon_days // WEEK), np.int64)
        for part in parts:
            weekly += part[3]
        return self._holdout(profiles, befores, laters, weekly)

    def _weekly(
        self, customers: CustomerBatch, bought: NDArray[np.bool_], *, net_refunds: bool
    ) -> Int64s:
        """Count the days with an order by week of the horizon, of customers who had bought."""
        of = np.repeat(np.arange(bought.size), np.diff(customers.offsets))
        after = customers.days - np.int32(self.split)
        counts = customers.are_orders(net_refunds=net_refunds) & bought[of]
        counts &= (after > 0) & (after <= self.horizon_days)
        of, after = of[counts], after[counts]
        # Orders ascend by customer and day: those of one day are neighbours.
        first = np.ones(of.size, np.bool_)
        first[1:] = (of[1:] != of[:-1]) | (after[1:] != after[:-1])
        weeks = (after[first] - 1) // WEEK
        return np.bincount(weeks, minlength=-(-self.horizon_days // WEEK)).astype(np.int64)

    def _holdout(
        self, profile: pa.Table, before: pa.Table, later: pa.Table, weekly: Int64s
    ) -> Holdout:
        bought = profile.column("order_days").to_numpy() > 0
        batch = _one_batch(self.inputs.of(profile))
        purchases = purchases_of(batch)
        recency = purchases.lifetimes[bought]
        money = None
        if self.inputs.has_spend:
            so_far, first_day = (_money(profile, name) for name in ("revenue", "revenue_first_day"))
            money = Money(
                self.inputs.means(batch)[bought],
                so_far[bought],
                _money(later, "revenue")[bought],
                _money(before, "revenue")[bought],
                (so_far - first_day)[bought],
            )
        return Holdout(
            profile,
            purchases.order_days[bought] - 1,
            recency,
            recency + purchases.since_last[bought],
            later.column("order_days").to_numpy()[bought],
            before.column("order_days").to_numpy()[bought],
            weekly,
            money,
        )


def _bought(profile: pa.RecordBatch) -> NDArray[np.bool_]:
    days: NDArray[np.int64] = profile.column("order_days").to_numpy()
    return days > 0


def _unwindowed(schema: pa.Schema) -> pa.Schema:
    return schema.remove(schema.get_field_index(WINDOW))


def _without_window(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.drop_columns([WINDOW])


def _money(table: pa.Table, name: str) -> Floats:
    pieces = [as_floats(chunk) for chunk in table.column(name).chunks]
    return np.concatenate([np.zeros(0), *pieces])


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches: list[Any] = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
