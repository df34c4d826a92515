"""Who is held out and who is touched, and sums of what both spend: they add up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._attribution.credit_scan import CreditScan, Meeting
from ordercycle._days import number_of
from ordercycle._errors import ConfigError, Option, check_choice
from ordercycle._experiments.window_scan import summed_amounts
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.forgetting import forgotten_in
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._membership.intervals import Intervals
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle._months import Months
from ordercycle._workspace import Workspace
from ordercycle_kernels import windows as kernels
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.credit_shares import NO_ORDER
from ordercycle_kernels.exact_sums import FLOAT_CHUNKS, INTEGER_CHUNKS, carry_sums

ARMS = TREATED, CONTROL = 0, 1
#: Products of two months each are kept.
MOST_MONTHS = 60


class HoldoutSums(NamedTuple):
    """Sums by cell, a segment and an arm, which add up over parts of a history.

    customers: (s,); revenue, attributed: (months, s, chunks); products, of two months each:
    (pairs, s, chunks); both: (1,), customers who are in both arms.
    """

    customers: NDArray[np.int64]
    revenue: NDArray[np.int64]
    attributed: NDArray[np.int64]
    products: NDArray[np.int64]
    both: NDArray[np.int64]

    def plus(self, other: HoldoutSums) -> HoldoutSums:
        """Return both together."""
        made = HoldoutSums(*(one + another for one, another in zip(self, other, strict=True)))
        for sums in (made.revenue, made.attributed, made.products):
            for rows in sums:
                carry_sums(rows)
        return made


@dataclass(frozen=True)
class LiftRequest:
    """What is compared: segments of a holdout, by name, over months, and how sure intervals are.

    treated: None for all who are not in control.
    """

    control: tuple[str, ...]
    treated: tuple[str, ...] | None
    months: Months
    alpha: float

    @classmethod
    def of(
        cls,
        control: str | Sequence[str],
        period: str | tuple[str, str],
        treated: str | Sequence[str] | None,
        alpha: float,
    ) -> LiftRequest:
        """Return the request, or raise a ConfigError that says what makes no sense."""
        if isinstance(alpha, bool) or not isinstance(alpha, float) or not 0.0 < alpha < 0.5:
            raise ConfigError(
                (Option("alpha", alpha), " is not between 0 and 0.5"), remedy="pass 0.05, or less"
            )
        months = Months.of(period, "period")
        if months.size > MOST_MONTHS:
            raise ConfigError(
                (Option("period", period), f" has {months.size} months, more than {MOST_MONTHS}"),
                remedy="compare fewer at a time",
            )
        names = _names("control", control)
        others = None if treated is None else _names("treated", treated)
        if others is not None and set(names) & set(others):
            raise ConfigError(
                (Option("treated", treated), " is among ", Option("control", control)),
                remedy="name each segment of the membership once",
            )
        return cls(names, others, months, alpha)

    def check_names(self, there: Sequence[str]) -> None:
        """Raise a ConfigError for segments that are not among those of the holdout."""
        for option, names in (("control", self.control), ("treated", self.treated or ())):
            for name in names:
                check_choice(option, name, there)

    def check_amounts(self, orders: GroupedOrders) -> None:
        """Raise a ConfigError for orders without amounts."""
        if not orders.spec.has_amount:
            raise ConfigError(
                "the orders have no amounts, and lift is about revenue",
                remedy=("build their history with ", Option("Columns.amount")),
            )

    def arms(
        self, orders: GroupedOrders, holdout: Membership, segments: Membership | None
    ) -> HoldoutArms:
        """Return who is in which arm; names that the holdout does not have are nobody's."""
        codes = [
            None
            if names is None
            else tuple(code for code, name in enumerate(holdout.segments) if name in names)
            for names in (self.control, self.treated)
        ]
        control, treated = codes
        of = intervals_of(holdout)
        return HoldoutArms(orders, of, control or (), treated, segments, self.months)


def _names(option: str, given: str | Sequence[str]) -> tuple[str, ...]:
    several = (given,) if isinstance(given, str) else tuple(given)
    if not several:
        raise ConfigError(
            (Option(option, given), " names no segment"), remedy="name one of the membership"
        )
    return several


@dataclass(frozen=True)
class HoldoutArms:
    """Who is in which arm and segment: as of the first day of the months.

    orders: whose customers they are, but for those who are forgotten; control, treated: codes of
    the segments of `holdout`; None: all who are not in control.
    """

    orders: GroupedOrders
    holdout: Intervals
    control: tuple[int, ...]
    treated: tuple[int, ...] | None
    segments: Membership | None
    months: Months

    @property
    def names(self) -> tuple[str, ...]:
        """The segments that are compared."""
        return () if self.segments is None else self.segments.segments

    @property
    def cells(self) -> int:
        """Of each segment, and of those in none, an arm after the other."""
        return (len(self.names) + 1) * len(ARMS)

    def cells_of(self, batch: CustomerBatch) -> tuple[NDArray[np.int32], int]:
        """Return the cell of each customer, negative for none, and how many are in both arms."""
        day = number_of(self.months.first_day)
        there = (batch.visible != NO_DAY) & (batch.visible <= day)
        forgotten = forgotten_in(self.orders, batch.ids)
        if forgotten is not None:
            there &= ~forgotten
        arms = [
            there if codes is None else there & _are_in(self.holdout, codes, batch, day)
            for codes in (self.treated, self.control)
        ]
        if self.treated is None:
            arms[TREATED] = there & ~arms[CONTROL]
        both = arms[TREATED] & arms[CONTROL]
        cells = np.full(there.size, -1, np.int32)
        segments = self._segments_of(batch, day, there)
        for arm, own in enumerate(arms):
            its = own & ~both
            cells[its] = segments[its] * len(ARMS) + arm
        return cells, int(np.count_nonzero(both))

    def _segments_of(
        self, batch: CustomerBatch, day: int, there: NDArray[np.bool_]
    ) -> NDArray[np.int32]:
        found = np.full(there.size, len(self.names), np.int32)
        if self.segments is None:
            return found
        owners, codes = _held(intervals_of(self.segments), batch, day)
        several = there & (np.bincount(owners, minlength=there.size) > 1)
        if several.any():
            who = batch.called(int(np.argmax(several)))
            raise ConfigError(
                (Option("segments"), f" has {who} in several segments at once"),
                remedy="pass memberships of which a customer has one segment a day",
            )
        found[owners] = codes
        return found

    def nothing(self) -> HoldoutSums:
        """Return the sums over nobody."""
        months, size = self.months.size, self.cells
        chunks = FLOAT_CHUNKS if self.orders.spec.amount.is_float else INTEGER_CHUNKS
        return HoldoutSums(
            np.zeros(size, np.int64),
            np.zeros((months, size, chunks), np.int64),
            np.zeros((months, size, chunks), np.int64),
            np.zeros((months * (months + 1) // 2, size, chunks), np.int64),
            np.zeros(1, np.int64),
        )

    def summed(self, scan: CreditScan) -> HoldoutSums:
        """Return the sums over the customers of orders that are credited to touches."""

        def work(met: Meeting) -> HoldoutSums:
            rows = scan.rows(met, scan.paths(met))
            return _sums_of(met, rows.entries, rows.touches, self)

        return reduce(HoldoutSums.plus, scan.scan(work), self.nothing())


def pairs_of(months: int) -> Iterator[tuple[int, int]]:
    """Yield the pairs of months whose products are kept, in their order."""
    return combinations_with_replacement(range(months), 2)


def _held(
    intervals: Intervals, batch: CustomerBatch, day: int
) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    """Return who is in a segment on a day, as rows of a batch, and in which."""
    timeline = intervals.timeline(0, batch, Workspace())
    holds = (timeline.starts <= day) & (timeline.stops > day)
    owners = np.repeat(np.arange(len(batch.ids)), np.diff(timeline.offsets))[holds]
    return owners, timeline.codes[holds]


def _are_in(
    intervals: Intervals, wanted: tuple[int, ...], batch: CustomerBatch, day: int
) -> NDArray[np.bool_]:
    owners, codes = _held(intervals, batch, day)
    found = np.zeros(len(batch.ids), np.bool_)
    found[owners[np.isin(codes, wanted)]] = True
    return found


def _sums_of(
    met: Meeting, entries: NDArray[np.int64], touches: NDArray[np.int64], arms: HoldoutArms
) -> HoldoutSums:
    """Return the sums over the customers of a batch; entries, touches: of rows of credits."""
    batch = met.orders.batch
    is_float = batch.words.lows.dtype == np.float64
    cells, both = arms.cells_of(batch)
    months, size = arms.months.size, arms.cells
    add = kernels.add_float_products if is_float else kernels.add_integer_products
    kind = np.float64 if is_float else np.int64
    ones: NDArray[Any] = np.ones(cells.size, kind)
    begins = _begins(batch, arms.months)
    values = [
        summed_amounts(batch, begins[month], begins[month + 1], is_float=is_float)
        for month in range(months)
    ]
    _, revenue, attributed, products, _ = made = arms.nothing()
    for month, own in enumerate(values):
        add(cells, own, ones, revenue[month])
        carry_sums(revenue[month])
    for place, (one, other) in enumerate(pairs_of(months)):
        add(cells, values[one], values[other], products[place])
        carry_sums(products[place])
    won = np.unique(entries[touches != NO_ORDER])
    owners = np.repeat(np.arange(cells.size), np.diff(batch.offsets))[won]
    amounts = summed_amounts(batch, won, won + 1, is_float=is_float)
    for month in range(months):
        its = (won >= begins[month][owners]) & (won < begins[month + 1][owners])
        own_cells = np.where(its, cells[owners], np.int32(-1)).astype(np.int32)
        add(own_cells, amounts, np.ones(won.size, kind), attributed[month])
        carry_sums(attributed[month])
    customers = np.bincount(cells[cells >= 0], minlength=size)
    return made._replace(customers=customers, both=np.array([both], np.int64))


def _begins(batch: CustomerBatch, months: Months) -> list[NDArray[np.int64]]:
    """Return of each customer where the rows of every month begin, and where the last one's end."""
    days = [number_of(one.first_day) for one in months.each()]
    days.append(number_of(months.last_day) + 1)
    found = []
    for day in days:
        before = np.concatenate([[0], np.cumsum(batch.days < day)])
        own = before[batch.offsets[1:]] - before[batch.offsets[:-1]]
        found.append(batch.offsets[:-1] + own)
    return found
