"""What models of value read of a profile: purchases and spend, checked, as arrays and as cells."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view
from ordercycle._columns import has_no_money
from ordercycle._errors import ColumnError, ConfigError, DataError, Option
from ordercycle._history.order_history import OrderHistory
from ordercycle._segments.assigning import refuse_undecided, refuse_window, selected
from ordercycle._segments.counting_rounds import Cells, as_of_cells
from ordercycle._segments.profile_tables import as_table
from ordercycle._value_models import GapRatios, total_of
from ordercycle_kernels import purchase_cells as kernels
from ordercycle_kernels._types import as_input
from ordercycle_kernels.elementary import exponentials
from ordercycle_kernels.spends import STEP_BITS, STEPS, SpendCells, steps_of_means

#: Whether spend is that of repeat days, or of all days with orders.
SPEND_OF = ("repeat", "all")
#: The profile columns of purchases and of money, and their types.
PURCHASES = {
    "order_days": (pa.int64(),),
    "lifetime_days": (pa.int32(),),
    "days_since_last_order": (pa.int32(),),
}
MONEY_TYPES = (pa.float64(), pa.int64(), pa.decimal128(1))
#: Read where it is there: of it, the regularity of gaps follows.
SQUARES = "gap_square_sum"
WINDOW_REASON = "and a model needs every purchase since the first"

#: What the cells of a fit count, by their highest bits.
TAG_SHIFT = 56
TAGS = PURCHASE_TAG, SPEND_TAG, BELOW_TAG, TOTAL_TAG, UNKNOWN_TAG = range(5)
#: The totals, by their lowest bits.
NO_ORDERS, NO_SPEND, RATIOS, RATIO_CUSTOMERS = range(4)
NONE = np.zeros(0, np.int64)


class Purchases(NamedTuple):
    """The purchases of some customers: (n,) each; of those without orders, order_days is 0."""

    order_days: NDArray[np.int64]
    lifetimes: NDArray[np.int32]
    since_last: NDArray[np.int32]

    def of(self, rows: NDArray[np.int64]) -> Purchases:
        """Return those of some rows."""
        return Purchases(self.order_days[rows], self.lifetimes[rows], self.since_last[rows])

    @property
    def has_orders(self) -> NDArray[np.bool_]:
        """Who has orders."""
        return self.order_days > 0


@dataclass(frozen=True)
class ClvInputs:
    """The columns of a profile that a model reads.

    has_spend: whether it has one of spend; spend_of: of :data:`SPEND_OF`.
    """

    has_spend: bool
    spend_of: str

    @property
    def repeats_only(self) -> bool:
        """Whether the spend of the first day is left out."""
        return self.spend_of == "repeat"

    @property
    def money(self) -> tuple[str, ...]:
        """The columns of money."""
        if not self.has_spend:
            return ()
        return ("revenue", "revenue_first_day") if self.repeats_only else ("revenue",)

    @property
    def columns(self) -> dict[str, tuple[pa.DataType, ...]]:
        """The columns, by the types that they may have."""
        return {**PURCHASES, **dict.fromkeys(self.money, MONEY_TYPES)}

    def of(self, table: Any) -> pa.Table:
        """Return the columns of a profile, checked.

        Raises
        ------
        ConfigError
            Where the profile has a window, or no money.
        ColumnError
            Where a column is missing or has another type.
        DataError
            Where a value is null or not finite that the orders call for.
        """
        table = as_table(table)
        refuse_window(table, WINDOW_REASON)
        if self.has_spend and has_no_money(table.column_names):
            raise ConfigError(
                "the orders of this profile have no amounts, and spend is made of them",
                remedy=(
                    "take ",
                    Option("spend", None),
                    ", or build the history with ",
                    Option("Columns.amount"),
                ),
            )
        inputs = selected(table, self.columns)
        kinds = {name: inputs.schema.field(name).type for name in self.money}
        if len({*kinds.values()}) > 1:
            raise ColumnError(
                " and ".join(f"{name} is {kind}" for name, kind in kinds.items()),
                remedy="cast them to one type",
                column=self.money[-1],
            )
        _check(inputs)
        return inputs

    def counted(self, table: Any) -> Cells:
        """Count the customers of a profile, checked, by what a fit needs of them."""
        inputs = self.of(table)
        whole = as_table(table)
        squares = whole.column(SQUARES) if SQUARES in whole.column_names else None
        if squares is not None:
            inputs = inputs.append_column(SQUARES, squares)
        tables, first = [], 0
        for batch in inputs.to_batches():
            tables.append(self._counted(batch, first))
            first += batch.num_rows
        return Cells.total(tables).plus(as_of_cells(whole))

    def _counted(self, batch: pa.RecordBatch, first_row: int) -> Cells:
        purchases = purchases_of(batch)
        keys = packed(purchases, first_row)
        made = {PURCHASE_TAG: _counted_keys(keys)}
        totals = np.zeros(4, np.int64)
        totals[NO_ORDERS] = batch.num_rows - keys.size
        if self.has_spend:
            means = self.means(batch)
            spends, below = _positive_spends(purchases, means, repeats_only=self.repeats_only)
            totals[NO_SPEND] = np.count_nonzero(~np.isnan(means)) - spends.size
            made[SPEND_TAG], made[BELOW_TAG] = counted_sums(spends, below)
        if SQUARES in batch.schema.names:
            squares = batch.column(SQUARES)
            order_days = purchases.order_days
            if squares.null_count:
                unknown = order_days[squares.is_null().to_numpy(zero_copy_only=False)] - 1
                made[UNKNOWN_TAG] = Cells.summed(
                    *np.unique(unknown[unknown > 1], return_counts=True)
                )
                order_days = np.where(squares.is_valid(), order_days, 0)
            totals[RATIOS] = kernels.sum_gap_ratios(
                order_days, purchases.lifetimes, fixed_view(squares, np.int64)
            )
            totals[RATIO_CUSTOMERS] = np.count_nonzero(order_days > 2)
        made[TOTAL_TAG] = Cells.summed(np.arange(4), totals)
        tagged = [
            Cells(made[tag].cell | np.int64(tag << TAG_SHIFT), made[tag].count)
            for tag in sorted(made)
        ]
        return Cells(
            np.concatenate([cells.cell for cells in tagged]),
            np.concatenate([cells.count for cells in tagged]),
        )

    def means(self, batch: pa.RecordBatch) -> NDArray[np.float64]:
        """Return the mean spend of each customer's days that count; NaN where there are none."""
        return money_per_day(
            batch.column("order_days"),
            batch.column("revenue"),
            batch.column("revenue_first_day") if self.repeats_only else None,
        )


def day_of(source: Any, as_of: date | str | None) -> date | str | None:
    """Return the day to profile a history as of; None: the source is a profile.

    Raises
    ------
    ConfigError
        Where a history lacks a day, or a profile is given one.
    """
    is_history = isinstance(source, OrderHistory)
    if is_history and as_of is None:
        raise ConfigError("a history is fitted to as of a day", remedy=("pass ", Option("as_of")))
    if not is_history and as_of is not None:
        raise ConfigError(
            (Option("as_of", as_of), " goes with a history: a profile has its day"),
            remedy="leave it out",
        )
    return as_of


def read_of(history: OrderHistory, as_of: date | str, names: Collection[str]) -> pa.Table:
    """Return some columns of the profile of a history, a batch at a time."""
    batches = [
        batch.select([name for name in batch.schema.names if name in names])
        for batch in history.profile_batches(as_of)
    ]
    return pa.Table.from_batches(batches)


def purchases_of(batch: pa.RecordBatch) -> Purchases:
    """Return the purchases of a checked batch, without copying."""
    return Purchases(
        fixed_view(batch.column("order_days"), np.int64),
        fixed_view(batch.column("lifetime_days"), np.int32),
        fixed_view(batch.column("days_since_last_order"), np.int32),
    )


def packed(purchases: Purchases, first_row: int = 0) -> NDArray[np.int64]:
    """Return the cells of the customers with orders, in the order of the rows.

    Raises
    ------
    DataError
        Where no orders can have a customer's numbers; first_row: of all, for the message.
    """
    keys = np.empty(purchases.order_days.size, np.int64)
    filled = kernels.purchase_keys(*purchases, keys)
    if filled < 0:
        row = -1 - filled
        days, lifetime, since = (int(column[row]) for column in purchases)
        raise DataError(
            f"no orders have order_days {days:,}, lifetime_days {lifetime:,} and "
            f"days_since_last_order {since:,}, as at row {first_row + row}",
            remedy="take the three columns from one profile",
            column="order_days",
            row=first_row + row,
        )
    return keys[:filled]


def money_per_day(
    order_days: pa.Array, revenue: pa.Array, first_day: pa.Array | None
) -> NDArray[np.float64]:
    """Return revenue by days with orders, without the first day and its revenue where given."""
    days = fixed_view(order_days, np.int64)
    means = np.empty(days.size, np.float64)
    repeats_only = first_day is not None
    less = revenue if first_day is None else first_day
    if revenue.type == pa.float64():
        floats = fixed_view(revenue, np.float64), fixed_view(less, np.float64)
        kernels.mean_spends(days, *floats, repeats_only, means)
        return means
    words = 2 if pa.types.is_decimal128(revenue.type) else 1
    unit = 10.0 ** getattr(revenue.type, "scale", 0)
    integers = (
        fixed_view(revenue, np.uint64, per_row=words),
        fixed_view(less, np.uint64, per_row=words),
    )
    kernels.mean_spends_of_words(days, *integers, words, unit, repeats_only, means)
    return means


def as_floats(money: pa.Array) -> NDArray[np.float64]:
    """Return an amount of money for each row."""
    if money.type == pa.float64():
        return fixed_view(money, np.float64)
    return money_per_day(pa.array(np.ones(len(money), np.int64)), money, None)


def purchase_cells(
    keys: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Return x (int64), t_x and T (int32) of packed purchases."""
    days = np.int64(kernels.MOST_DAYS)
    return (
        keys >> kernels.REPEAT_SHIFT,
        ((keys >> kernels.RECENCY_SHIFT) & days).astype(np.int32),
        (keys & days).astype(np.int32),
    )


@dataclass(frozen=True)
class ClvCounts:
    """What was counted of all customers together."""

    purchases: Cells  # of packed purchases
    spends: SpendCells
    without_orders: int
    #: Customers whose spend of the days that count is not positive.
    without_spend: int
    #: The sum of squared gaps against squared lifetimes, and of how many customers; None: unknown.
    gap_ratios: tuple[float, int] | None
    #: Customers with gaps of whom nothing more is known, by repeat days.
    unknown_gaps: Cells

    @classmethod
    def of(cls, total: Cells) -> ClvCounts:
        """Return what the cells of all batches say."""
        purchases, spends, below, totals, unknown = (tagged(total, tag) for tag in TAGS)
        found = totals.to_dict()
        ratio_customers = found.get(RATIO_CUSTOMERS, 0)
        ratios = (found.get(RATIOS, 0) / kernels.RATIO_UNITS, ratio_customers)
        return cls(
            purchases,
            _spend_cells(spends, below),
            found.get(NO_ORDERS, 0),
            found.get(NO_SPEND, 0),
            ratios if ratio_customers else None,
            unknown,
        )

    @property
    def gaps(self) -> GapRatios | None:
        """How regular the gaps are of customers whose gaps are known; None: of nobody."""
        if self.gap_ratios is None:
            return None
        repeats = self.purchases.cell >> kernels.REPEAT_SHIFT
        several = repeats > 1
        gaps = Cells.summed(
            np.concatenate([repeats[several], self.unknown_gaps.cell]),
            np.concatenate([self.purchases.count[several], -self.unknown_gaps.count]),
        )
        sizes, customers = gaps.cell.astype(np.float64), gaps.count.astype(np.float64)
        return GapRatios(sizes, customers, self.gap_ratios[0])

    def correlation(self) -> float | None:
        """Return the correlation of days that count and mean spend; None where nothing varies."""
        weights = self.spends.customers.astype(np.float64)
        size = float(self.spends.customers.sum())
        if size < 3:
            return None
        one, other = (
            values - total_of(weights, values) / size
            for values in (self.spends.days.astype(np.float64), means_of(self.spends))
        )
        spread = total_of(weights, one * one) * total_of(weights, other * other)
        return total_of(weights, one * other) / math.sqrt(spread) if spread > 0 else None


def _check(inputs: pa.Table) -> None:
    """Raise a DataError where a customer with orders lacks a value."""
    order_days = inputs.column("order_days")
    if order_days.null_count or (len(order_days) and pc.min_max(order_days)["min"].as_py() < 0):
        bad = pc.fill_null(pc.less(order_days, 0), fill_value=True)
        refuse_undecided("order_days is null or negative", bad)
    for name in inputs.column_names[1:]:
        column = inputs.column(name)
        if column.null_count:
            bad = pc.and_(column.is_null(), pc.greater(order_days, 0))
            refuse_undecided(f"{name} is null though there are orders", bad)
        if column.type == pa.float64() and not pc.all(pc.is_finite(column), min_count=0).as_py():
            bad = pc.and_(pc.invert(pc.is_finite(column)), pc.greater(order_days, 0))
            refuse_undecided(f"{name} is NaN or infinite", pc.fill_null(bad, fill_value=False))


def _positive_spends(
    purchases: Purchases, means: NDArray[np.float64], *, repeats_only: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cells of positive mean spends, and what is below their bits."""
    steps, keys, below = (np.empty(means.size, np.int64) for _ in range(3))
    steps_of_means(means, steps)
    filled = kernels.spend_keys(purchases.order_days, steps, repeats_only, keys, below)
    return keys[:filled], below[:filled]


def _counted_keys(keys: NDArray[np.int64]) -> Cells:
    """Count keys, which are sorted for it."""
    other = np.empty_like(keys)
    ordered = other if kernels.sort_keys(keys, NONE, other, NONE) else keys
    cells, counts = np.empty_like(keys), np.empty_like(keys)
    filled = kernels.count_keys(ordered, NONE, cells, counts, NONE)
    return Cells(cells[:filled].copy(), counts[:filled].copy())


def counted_sums(keys: NDArray[np.int64], below: NDArray[np.int64]) -> tuple[Cells, Cells]:
    """Count keys, which are sorted for it, and add up what belongs to them: a sum of 0 is left out.

    Both arrays may be overwritten.
    """
    other_keys, other_below = np.empty_like(keys), np.empty_like(below)
    if kernels.sort_keys(keys, below, other_keys, other_below):
        keys, below = other_keys, other_below
    cells, counts, sums = (np.empty_like(keys) for _ in range(3))
    filled = kernels.count_keys(keys, below, cells, counts, sums)
    cells, counts, sums = (array[:filled].copy() for array in (cells, counts, sums))
    kept = sums != 0
    return Cells(cells, counts), Cells(cells[kept], sums[kept])


def tagged(total: Cells, tag: int) -> Cells:
    """Return the cells with a tag, without it."""
    first, last = np.searchsorted(total.cell, np.array([tag, tag + 1], np.int64) << TAG_SHIFT)
    return Cells(total.cell[first:last] - np.int64(tag << TAG_SHIFT), total.count[first:last])


def _spend_cells(spends: Cells, below: Cells) -> SpendCells:
    """Return spends as the model of spend takes them."""
    sums = np.zeros(spends.cell.size, np.int64)
    sums[np.searchsorted(spends.cell, below.cell)] = below.count
    levels = (spends.cell & ((1 << kernels.LEVEL_BITS) - 1)) - kernels.LEVEL_OFFSET
    days = spends.cell >> kernels.LEVEL_SHIFT
    return SpendCells(*map(as_input, (days, levels, spends.count, sums)))


def means_of(spends: SpendCells) -> NDArray[np.float64]:
    """Return the mean spend of each cell, to a part in ten thousand at least."""
    steps = (spends.levels << int(STEP_BITS)) + spends.steps / spends.customers
    means = np.empty(steps.size)
    exponentials(steps / STEPS, means)
    return means
