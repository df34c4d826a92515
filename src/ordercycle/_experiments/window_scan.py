"""What customers of each arm did in their windows, as sums that add up over parts of a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import fixed_view, validity
from ordercycle._days import date_of
from ordercycle._errors import ColumnError, ConfigError, DataError, Option, counted, suggestion
from ordercycle._events.stored_events import StoredEvents
from ordercycle._experiments.arms import Arms
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.side_by_side import Rows, SideBySide
from ordercycle._ingest.id_bytes import hashes_of
from ordercycle._membership.intervals import Intervals
from ordercycle._profile import ProfileBuilder
from ordercycle._statistics.means import Moments
from ordercycle._workspace import Workspace
from ordercycle_kernels import windows as kernels
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.exact_sums import FLOAT_CHUNKS, INTEGER_CHUNKS, carry_sums

#: Products whose sums are kept: of value y, covariate x, and 1.
PRODUCTS = ("y", "yy", "x", "xx", "xy")
OF_VALUE = 2  # of them, those that need no covariate
#: Between these, products of floats neither over- nor underflow.
LARGEST, SMALLEST = 2.0**500, 2.0**-450
#: Whole numbers that floats hold exactly.
EXACT = 2**53
FLOAT_UNIT = 2**1074
CHUNK_BITS = 32
AMOUNTS = "amounts"


class Sums(NamedTuple):
    """Sums by cell, which add up: a cell is a group of customers, an arm and a closing day.

    customers, converted: (s,); products: (p, s, chunks); assigned, viewers: by group and arm, (t,),
    of all customers, also those whose window is open; early: (1,), who had views before that.
    """

    customers: NDArray[np.int64]
    converted: NDArray[np.int64]
    products: NDArray[np.int64]
    assigned: NDArray[np.int64]
    viewers: NDArray[np.int64]
    early: NDArray[np.int64]

    def plus(self, other: Sums) -> Sums:
        """Return both together."""
        return Sums(*(one + another for one, another in zip(self, other, strict=True)))


@dataclass(frozen=True, kw_only=True)
class WindowScan:
    """What is measured of a history, batch by batch.

    since, as_of: days since 1970-01-01; groups: memberships whose segments on `since` divide the
    customers, with the number of segments; from_views: whether windows start at the first view.
    """

    arms: Arms
    orders: GroupedOrders
    views: StoredEvents | None
    since: int
    as_of: int
    width: int
    covariate: str | None = None
    groups: Intervals | None = None
    segments: int = 0
    from_views: bool = False

    @property
    def days(self) -> int:
        """How many days there are on which windows close."""
        return self.as_of - self.since - self.width + 1

    @property
    def is_float(self) -> bool:
        """Whether sums are of floats; otherwise of whole units of money's last digit."""
        money = self.orders.spec.has_amount and self.orders.spec.amount.is_float
        return money or (self.covariate is not None and self._covariate_scale is None)

    @property
    def scales(self) -> tuple[int, int]:
        """By how many decimal places the units of value and covariate are smaller than 1."""
        revenue = self.orders.spec.revenue
        of_value = 0
        if revenue is not None and pa.types.is_decimal(revenue):
            of_value = int(revenue.scale)
        return of_value, self._covariate_scale or 0

    @property
    def _builder(self) -> ProfileBuilder:
        return self.orders.profiles(self.since)

    @property
    def _covariate_scale(self) -> int | None:
        """The decimal places of a covariate of whole numbers; None of floats, or of none."""
        if self.covariate is None:
            return None
        kind = self._builder.schema.field(self.covariate).type
        if pa.types.is_floating(kind):
            return None
        return int(kind.scale) if pa.types.is_decimal(kind) else 0

    def check_covariate(self) -> None:
        """Raise a ColumnError where the covariate is no number of a profile."""
        if self.covariate is None:
            return
        schema = self._builder.schema
        numbers = [
            field.name
            for field in schema
            if pa.types.is_integer(field.type)
            or pa.types.is_floating(field.type)
            or pa.types.is_decimal(field.type)
            if field.name != schema.names[0]
        ]
        if self.covariate not in numbers:
            raise ColumnError(
                (
                    Option("covariate", self.covariate),
                    f" is no number of a profile{suggestion(str(self.covariate), numbers)}",
                ),
                remedy=f"there are {', '.join(numbers)}",
                column=str(self.covariate),
            )

    def sums(self) -> Sums:
        """Return the sums over all customers who were there on the day of assignment.

        Raises
        ------
        DataError
            Views are before the assignment.
        """
        total = self.summed()
        self.check(total)
        return total

    def summed(self) -> Sums:
        """Return the sums as they are, of a part of the customers or of all."""
        if self.views is None:
            found = self.orders.scan(lambda _, batch, workspace: self._of([batch], workspace))
        else:
            streams = SideBySide((self.orders, self.views), self.orders.threads)
            found = streams.scan(lambda batches: self._of(batches, Workspace()))
        return reduce(Sums.plus, found, self.nothing())

    def nothing(self) -> Sums:
        """Return the sums over nobody."""
        size = len(self.arms.names) * (self.segments + 1 if self.groups is not None else 1)
        cells = size * self.days
        chunks = FLOAT_CHUNKS if self.is_float else INTEGER_CHUNKS
        return Sums(
            np.zeros(cells, np.int64),
            np.zeros(cells, np.int64),
            np.zeros((self._products_kept, cells, chunks), np.int64),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(1, np.int64),
        )

    @property
    def _products_kept(self) -> int:
        """How many products are summed."""
        if not self.orders.spec.has_amount and self.covariate is None:
            return 0
        return OF_VALUE if self.covariate is None else len(PRODUCTS)

    def check(self, total: Sums) -> None:
        """Raise a DataError where the sums of all customers have views before the assignment."""
        if number := int(total.early[0]):
            which = f"before the assignment on {date_of(self.since)}"
            raise DataError(
                (Option("exposures"), f" has {which} views of {counted(number, 'customer')}"),
                remedy=(
                    "leave out other views by exposures.where(), or pass an earlier ",
                    Option("since"),
                ),
                count=number,
            )

    def _of(self, batches: Sequence[Any], workspace: Workspace) -> Sums:
        """Return the sums over the customers of a batch."""
        batch: CustomerBatch = batches[0]
        there = self._builder.existing(batch)
        arms = self.arms.codes(batch.ids, hashes_of(batch.ids)).astype(np.int32)
        cells = arms + len(self.arms.names) * self._groups_of(batch, there, workspace)
        starts = np.where(there, np.int32(self.since), NO_DAY)
        groups = max(1, self.segments + 1 if self.groups is not None else 1)
        size = len(self.arms.names) * groups
        viewers, early = np.zeros(size, np.int64), np.zeros(1, np.int64)
        if self.views is not None:
            first_views = self._first_views(batch, batches[1])
            viewed = there & (first_views != NO_DAY)
            early[0] = np.count_nonzero(viewed & (first_views < self.since))
            viewers = np.bincount(cells[viewed], minlength=size)
            if self.from_views:
                # A window that closed before the first view stays as it is: no customer who is
                # counted changes afterwards.
                within = viewed & (first_views <= self.since + self.width)
                starts[within] = first_views[within]
        assigned = np.bincount(cells[there], minlength=size)
        return self._in_windows(batch, cells, starts, workspace, (assigned, viewers, early))

    def _in_windows(
        self,
        batch: CustomerBatch,
        cells: NDArray[np.int32],
        starts: NDArray[np.int32],
        workspace: Workspace,
        totals: tuple[NDArray[np.int64], ...],
    ) -> Sums:
        count, days = starts.size, self.days
        orders = np.empty(count, np.int32)
        begins, ends = np.empty((2, count), np.int64)
        signs = batch.order_signs(net_refunds=self.orders.spec.net_refunds)
        kernels.rows_in_windows(
            batch.offsets, batch.days, *signs, starts, self.width, orders, begins, ends
        )
        # Windows that close after the last day are open: of no cell.
        closing = starts.astype(np.int64) - self.since
        closed = (starts != NO_DAY) & (closing < days)
        at = np.where(closed, cells * days + closing, -1).astype(np.int32)
        size = totals[0].size * days
        customers = np.bincount(at[closed], minlength=size)
        converted = np.bincount(at[closed & (orders > 0)], minlength=size)
        products = self._products(batch, (begins, ends), at, size, workspace)
        return Sums(customers, converted, products, *totals)

    def _products(
        self,
        batch: CustomerBatch,
        rows: tuple[NDArray[np.int64], NDArray[np.int64]],
        at: NDArray[np.int32],
        size: int,
        workspace: Workspace,
    ) -> NDArray[np.int64]:
        wanted = self._products_kept
        chunks = FLOAT_CHUNKS if self.is_float else INTEGER_CHUNKS
        sums = np.zeros((wanted, size, chunks), np.int64)
        if not wanted:
            return sums
        ones: NDArray[Any] = np.ones(at.size, np.float64 if self.is_float else np.int64)
        values = {"1": ones}
        values["y"] = self._values(batch, *rows)
        if self.covariate is not None:
            values["x"] = self._covariates(batch, workspace)
        add = kernels.add_float_products if self.is_float else kernels.add_integer_products
        for place, product in enumerate(PRODUCTS[:wanted]):
            one, other = values[product[0]], values[product[1:] or "1"]
            add(at, one, other, sums[place])
            carry_sums(sums[place])
        return sums

    def _values(
        self, batch: CustomerBatch, begins: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[Any]:
        """Return what each customer's rows add up to."""
        if not self.orders.spec.has_amount:
            return np.zeros(begins.size, np.float64 if self.is_float else np.int64)
        found = summed_amounts(batch, begins, ends, is_float=self.orders.spec.amount.is_float)
        return found if found.dtype == np.float64 else self._as_wanted(found, AMOUNTS, batch)

    def _covariates(self, batch: CustomerBatch, workspace: Workspace) -> NDArray[Any]:
        """Return the covariate of each customer as of the day of assignment, 0 where null."""
        builder, name = self._builder, str(self.covariate)
        existing = builder.existing(batch)
        column = builder.batch(batch, workspace).column(name)
        kind, known = column.type, validity(column)
        if pa.types.is_floating(kind):
            found: NDArray[Any] = fixed_view(column, np.float64)
        elif pa.types.is_decimal(kind):
            pairs = fixed_view(column, np.int64, per_row=2).reshape(-1, 2)
            wide = (pairs[:, 0] >> 63) != pairs[:, 1]
            if known is not None:
                wide &= known
            if wide.any():
                raise _too_large(name, batch, int(np.flatnonzero(existing)[np.argmax(wide)]))
            found = np.ascontiguousarray(pairs[:, 0])
        else:
            found = fixed_view(column, kind.to_pandas_dtype()).astype(np.int64)
        if known is not None:
            found = np.where(known, found, 0)
        spread = np.zeros(existing.size, found.dtype)
        spread[existing] = found
        is_float = spread.dtype == np.float64
        if is_float:
            return _checked(spread, name, batch)
        return self._as_wanted(spread, name, batch)

    def _as_wanted(self, whole: NDArray[np.int64], what: str, batch: CustomerBatch) -> NDArray[Any]:
        """Return whole numbers of customers as floats where sums are of floats."""
        if not self.is_float:
            return whole
        if whole.size and max(-int(whole.min()), int(whole.max())) > EXACT:
            too_large = (whole > EXACT) | (whole < -EXACT)
            raise _too_large(what, batch, int(np.argmax(too_large)))
        return whole.astype(np.float64)

    def _first_views(self, batch: CustomerBatch, views: Any) -> NDArray[np.int32]:
        """Return the day of each customer's first view, NO_DAY where there is none yet."""
        begins, ends = Rows.of(views, batch.ids)
        found = begins < ends
        days = np.full(begins.size, NO_DAY)
        days[found] = views.days[begins[found]]
        days[found & (days > self.as_of)] = NO_DAY
        return days

    def _groups_of(
        self, batch: CustomerBatch, there: NDArray[np.bool_], workspace: Workspace
    ) -> NDArray[np.int32]:
        """Return the segment of each customer on the day of assignment, the last one for none."""
        count = len(batch.ids)
        if self.groups is None:
            return np.zeros(count, np.int32)
        timeline = self.groups.timeline(0, batch, workspace)
        holds = (timeline.starts <= self.since) & (timeline.stops > self.since)
        owners = np.repeat(np.arange(count), np.diff(timeline.offsets))[holds]
        several = there & (np.bincount(owners, minlength=count) > 1)
        if several.any():
            who = batch.called(int(np.argmax(several)))
            raise ConfigError(
                (Option("by"), f" has {who} in several segments at once"),
                remedy="pass memberships of which a customer has one segment a day",
            )
        groups = np.full(count, self.segments, np.int32)
        groups[owners] = timeline.codes[holds]
        return groups


def summed_amounts(
    batch: CustomerBatch, begins: NDArray[np.int64], ends: NDArray[np.int64], *, is_float: bool
) -> NDArray[Any]:
    """Return what ranges of rows add up to: floats, or whole units, that can be squared.

    Raises
    ------
    DataError
        One of the sums cannot.
    """
    lows, highs = batch.words
    if is_float:
        floats = np.empty(begins.size, np.float64)
        kernels.sum_float_rows(begins, ends, lows, floats)
        return _checked(floats, AMOUNTS, batch, begins)
    whole = np.empty(begins.size, np.int64)
    bad = kernels.sum_integer_rows(begins, ends, lows.view(np.int64), highs, whole)
    if bad >= 0:
        raise _too_large(AMOUNTS, batch, batch.owner_of(begins[bad]))
    return whole


def whole_sum(chunks: NDArray[np.int64], places: int, *, is_float: bool) -> Fraction:
    """Return an exact sum of its chunks; places: decimal ones by which its unit is smaller."""
    whole = sum(chunk << (CHUNK_BITS * place) for place, chunk in enumerate(chunks.tolist()))
    return Fraction(whole, 10**places * (FLOAT_UNIT if is_float else 1))


def _checked(
    values: NDArray[np.float64],
    what: str,
    batch: CustomerBatch,
    begins: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return floats whose products neither over- nor underflow.

    begins: the first row of each value, where values are of rows and not of customers.
    """
    sizes = np.abs(values)
    unfit = (sizes > LARGEST) | ((sizes < SMALLEST) & (sizes > 0.0))
    if unfit.any():
        place = int(np.argmax(unfit))
        raise _too_large(what, batch, place if begins is None else batch.owner_of(begins[place]))
    return values


def _too_large(what: str, batch: CustomerBatch, customer: int) -> DataError:
    return DataError(
        f"{what}: what {batch.called(customer)} has is too large, or too close to 0, to be squared",
        remedy="look for values that are far too large, or cast them to other units",
    )


def moments(scan: WindowScan, sums: Sums, cells: NDArray[np.int64] | list[int]) -> Moments:
    """Return the sums of some cells together, as fractions in units of money and covariate."""
    count = int(sums.customers[cells].sum())
    of_value, of_covariate = scan.scales
    found = {}
    for product, rows in zip(PRODUCTS, sums.products, strict=False):
        places = product.count("y") * of_value + product.count("x") * of_covariate
        found[product] = whole_sum(rows[cells].sum(axis=0), places, is_float=scan.is_float)
    return Moments(count, **found)
