"""What touches brought, by customers who get none: beside what orders are credited to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._attribution.credit_scan import Meeting
from ordercycle._attribution.credited import Credited, scan_of
from ordercycle._days import number_of
from ordercycle._errors import ConfigError, Option, check_choice, counted, printable
from ordercycle._experiments.window_scan import summed_amounts, whole_sum
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.forgetting import forgotten_in
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._membership.intervals import Intervals
from ordercycle._membership.membership import Membership, intervals_of
from ordercycle._months import Months
from ordercycle._public import public
from ordercycle._statistics.means import Means, Moments, plain_means
from ordercycle._workspace import Workspace
from ordercycle_kernels import windows as kernels
from ordercycle_kernels.calendar import NO_DAY
from ordercycle_kernels.credit_shares import NO_ORDER
from ordercycle_kernels.exact_sums import FLOAT_CHUNKS, INTEGER_CHUNKS, carry_sums

EVERYBODY = "All Customers"
ARMS = TREATED, CONTROL = 0, 1
#: Products of two months each are kept.
MOST_MONTHS = 60
#: What the table has of each segment, after its name.
NUMBERS = (
    "revenue_per_customer",
    "control_revenue_per_customer",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "lift",
    "lift_low",
    "lift_high",
    "incremental_revenue",
    "incremental_low",
    "incremental_high",
    "attributed_revenue",
    "control_attributed_revenue",
    "incremental_share",
)


class _Sums(NamedTuple):
    """Sums by cell, a segment and an arm, which add up over parts of a history.

    customers: (s,); revenue, attributed: (months, s, chunks); products, of two months each:
    (pairs, s, chunks); both: (1,), customers who are in both arms.
    """

    customers: NDArray[np.int64]
    revenue: NDArray[np.int64]
    attributed: NDArray[np.int64]
    products: NDArray[np.int64]
    both: NDArray[np.int64]

    def plus(self, other: _Sums) -> _Sums:
        """Return both together."""
        made = _Sums(*(one + another for one, another in zip(self, other, strict=True)))
        for sums in (made.revenue, made.attributed, made.products):
            for rows in sums:
                carry_sums(rows)
        return made


@dataclass(frozen=True)
class _Arms:
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
        if (np.bincount(owners, minlength=there.size)[there] > 1).any():
            raise ConfigError(
                (Option("segments"), " has customers in several segments at once"),
                remedy="pass memberships of which a customer has one segment a day",
            )
        found[owners] = codes
        return found


@public()
class HoldoutLift:
    """What customers who are touched spend more than those who are held out, by any months.

    Customers who are forgotten are in neither arm.

    Made by :meth:`build`; the sums of months and of pairs of months add up, so that the standard
    errors of any range of months are exact without another look at the orders.
    """

    def __init__(self, credited: Credited, arms: _Arms, alpha: float, sums: _Sums) -> None:
        self._spec = scan_of(credited).orders.spec
        self._arms, self._alpha, self._sums = arms, alpha, sums

    @classmethod
    def build(
        cls,
        credited: Credited,
        holdout: Membership,
        *,
        control: str | Sequence[str],
        period: str | tuple[str, str],
        treated: str | Sequence[str] | None = None,
        segments: Membership | None = None,
        alpha: float = 0.05,
    ) -> HoldoutLift:
        """Compare the revenue of customers who are held out with that of the others.

        Who is in which arm, and in which segment, is decided on the first day of the period, and
        holds for all of it: whoever is touched nevertheless, or not at all, stays where they are.

        Parameters
        ----------
        credited
            Orders that are credited to touches: their revenue, and how much of it is attributed.
        holdout
            Who is held out, as a membership: a list of controls is one
            (:meth:`Membership.from_table`).
        control
            Its segment, or segments, that get no touches.
        period
            Months such as ``("2025-10", "2025-12")``, 60 at most.
        treated
            Its segments that are compared with them. None: all other customers who are there on
            the first day.
        segments
            Memberships whose segments are compared one by one as well.
        alpha
            How often an interval may miss.

        Returns
        -------
        HoldoutLift
            Of the whole period: :meth:`to_table`; of any months in it: :meth:`between`.

        Raises
        ------
        ConfigError
            A segment is none of the membership's, months are none, orders have no amounts, or
            somebody is in several segments.
        DataError
            A customer's revenue is too large to be squared.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> data = oc.datasets.generated(customers=1_000, touches=True)
        >>> orders = oc.OrderHistory.build(data.orders, data.customers, columns=data.columns)
        >>> touches = oc.EventHistory.build(
        ...     data.touches(), columns=oc.EventColumns(attributes=["kind", "channel"])
        ... )
        >>> held_out = oc.Membership.from_table(pa.table({
        ...     "customer_id": range(1, 1_001, 10),
        ...     "segment": ["held out"] * 100,
        ...     "valid_from": [datetime.date(2020, 1, 1)] * 100,
        ...     "valid_to": pa.nulls(100, pa.date32()),
        ... }))
        >>> lift = oc.HoldoutLift.build(
        ...     oc.Attribution().credit(orders, touches), held_out,
        ...     control="held out", period=("2025-01", "2025-12"),
        ... )
        >>> row = lift.between("2025-07", "2025-12").to_pylist()[0]
        >>> row["segment"], row["difference_low"] < 0 < row["difference_high"]
        ('All Customers', True)
        """
        if not isinstance(credited, Credited):
            raise ConfigError(
                (Option("credited"), printable(f" is a {type(credited).__name__}, no Credited")),
                remedy="pass what Attribution().credit(history, touches) returns",
            )
        for name, given in (("holdout", holdout), ("segments", segments)):
            if not (isinstance(given, Membership) or (name == "segments" and given is None)):
                raise ConfigError(
                    (Option(name), printable(f" is a {type(given).__name__}, no Membership")),
                    remedy="make one with Membership.from_table, or of a scheme",
                )
        if isinstance(alpha, bool) or not isinstance(alpha, float) or not 0.0 < alpha < 0.5:
            raise ConfigError(
                (Option("alpha", alpha), " is not between 0 and 0.5"), remedy="pass 0.05, or less"
            )
        if not scan_of(credited).orders.spec.has_amount:
            raise ConfigError(
                "the orders have no amounts, and lift is about revenue",
                remedy=("build their history with ", Option("Columns.amount")),
            )
        months = Months.of(period, "period")
        if months.size > MOST_MONTHS:
            raise ConfigError(
                (Option("period", period), f" has {months.size} months, more than {MOST_MONTHS}"),
                remedy="compare fewer at a time",
            )
        codes = _codes("control", control, holdout)
        others = None if treated is None else _codes("treated", treated, holdout)
        if others is not None and set(codes) & set(others):
            raise ConfigError(
                (Option("treated", treated), " is among ", Option("control", control)),
                remedy="name each segment of the membership once",
            )
        scan = scan_of(credited)
        arms = _Arms(scan.orders, intervals_of(holdout), codes, others, segments, months)

        def work(met: Meeting) -> _Sums:
            rows = scan.rows(met, scan.paths(met))
            return _sums_of(met, rows.entries, rows.touches, arms)

        return cls(credited, arms, alpha, reduce(_Sums.plus, scan.scan(work)))

    @property
    def in_both(self) -> int:
        """How many customers are in both arms on the first day: they count in none."""
        return int(self._sums.both[0])

    def to_table(self) -> pa.Table:
        """Return the comparison over the whole period, as :meth:`between`."""
        months = self._arms.months
        return self._table(range(months.size))

    def between(self, first: str, last: str) -> pa.Table:
        """Return the comparison over some of the months.

        Parameters
        ----------
        first, last
            Months of the period, such as ``"2025-11"``, both included.

        Returns
        -------
        pyarrow.Table
            A row for All Customers and for each segment: ``segment``; ``customers`` and
            ``control_customers``; of both the revenue per customer; ``difference`` with the bounds
            of its interval and ``p`` (Welch); ``lift``, the difference as a share of control, with
            Fieller's interval; ``incremental_revenue``, the difference for all who are treated,
            with its bounds; ``attributed_revenue``, what is credited to touches of their orders;
            ``control_attributed_revenue``, the same of control, of which there should be none;
            ``incremental_share``: of what is attributed, how much is incremental. Null where an
            arm has fewer than two customers; where the revenue of an arm does not vary, such as
            that of nobody who ordered, ``difference`` alone.

        Raises
        ------
        ConfigError
            They are no months of the period.
        """
        months, own = Months.of((first, last), "months"), self._arms.months
        if not own.covers(months):
            raise ConfigError(
                (Option("months", (first, last)), f" are not in the period, {own}"),
                remedy="build it with a longer period",
            )
        return self._table(range(months.first - own.first, months.last - own.first + 1))

    def _table(self, months: range) -> pa.Table:
        names = self._arms.names
        places = [range(len(names) + 1), *([place] for place in range(len(names)))]
        rows = [
            {"segment": name, **self._row(its, months)}
            for name, its in zip((EVERYBODY, *names), places, strict=True)
        ]
        schema = pa.schema(
            [
                pa.field("segment", pa.string(), nullable=False),
                pa.field("customers", pa.int64(), nullable=False),
                pa.field("control_customers", pa.int64(), nullable=False),
                *(pa.field(name, pa.float64()) for name in NUMBERS),
            ]
        )
        return pa.Table.from_pylist(rows, schema=schema)

    def _row(self, segments: Sequence[int], months: range) -> dict[str, Any]:
        arms = [[place * len(ARMS) + arm for place in segments] for arm in ARMS]
        one, control = (self._moments(cells, months) for cells in arms)
        attributed, of_control = (
            float(sum((self._sum(self._sums.attributed[m], cells) for m in months), Fraction(0)))
            for cells in arms
        )
        row: dict[str, Any] = {
            "customers": one.n,
            "control_customers": control.n,
            "attributed_revenue": attributed,
            "control_attributed_revenue": of_control,
        }
        if one.n:
            row["revenue_per_customer"] = one.mean
        if control.n:
            row["control_revenue_per_customer"] = control.mean
        if min(one.n, control.n) < 2:
            return row
        means = plain_means(one, control)
        if means is None:
            return {**row, "difference": one.mean - control.mean}
        return {**row, **self._compared(means, one.n, attributed)}

    def _compared(self, means: Means, customers: int, attributed: float) -> dict[str, Any]:
        critical = means.critical(self._alpha)
        low, high = means.interval(critical)
        lift = means.lift_interval(critical)
        incremental = means.difference * customers
        return {
            "difference": means.difference,
            "difference_low": low,
            "difference_high": high,
            "p": means.p(),
            "lift": means.lift,
            "lift_low": None if lift is None else lift[0],
            "lift_high": None if lift is None else lift[1],
            "incremental_revenue": incremental,
            "incremental_low": low * customers,
            "incremental_high": high * customers,
            "incremental_share": incremental / attributed if attributed else None,
        }

    def _moments(self, cells: list[int], months: range) -> Moments:
        """Return the sums over customers of their revenue in all months, and of its square."""
        sums = self._sums
        y = sum((self._sum(sums.revenue[month], cells) for month in months), Fraction(0))
        yy = Fraction(0)
        for place, (one, other) in enumerate(_pairs(self._arms.months.size)):
            if one in months and other in months:
                product = self._sum(sums.products[place], cells, 2)
                yy += product if one == other else 2 * product
        return Moments(int(sums.customers[cells].sum()), y, yy)

    def _sum(self, rows: NDArray[np.int64], cells: list[int], factors: int = 1) -> Fraction:
        revenue = self._spec.revenue
        scale = int(revenue.scale) if revenue is not None and pa.types.is_decimal(revenue) else 0
        chunks = rows[cells].sum(axis=0)
        return whole_sum(chunks, factors * scale, is_float=self._spec.amount.is_float)

    def __repr__(self) -> str:
        row = self.to_table().slice(0, 1).to_pylist()[0]
        lift = "" if row["lift"] is None else f", lift {row['lift']:+.1%}"
        sizes = f"{counted(row['customers'], 'customer')}, {row['control_customers']:,} held out"
        return f"{type(self).__name__}({self._arms.months}: {sizes}{lift})"


def _pairs(months: int) -> Iterator[tuple[int, int]]:
    return combinations_with_replacement(range(months), 2)


def _codes(option: str, given: str | Sequence[str], holdout: Membership) -> tuple[int, ...]:
    several = (given,) if isinstance(given, str) else tuple(given)
    if not several:
        raise ConfigError(
            (Option(option, given), " names no segment"), remedy="name one of the membership"
        )
    for name in several:
        check_choice(option, name, holdout.segments)
    return tuple(holdout.segments.index(name) for name in several)


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
    met: Meeting, entries: NDArray[np.int64], touches: NDArray[np.int64], arms: _Arms
) -> _Sums:
    """Return the sums over the customers of a batch; entries, touches: of rows of credits."""
    batch = met.orders.batch
    is_float = batch.words.lows.dtype == np.float64
    cells, both = arms.cells_of(batch)
    months, size = arms.months.size, arms.cells
    chunks = FLOAT_CHUNKS if is_float else INTEGER_CHUNKS
    add = kernels.add_float_products if is_float else kernels.add_integer_products
    kind = np.float64 if is_float else np.int64
    ones: NDArray[Any] = np.ones(cells.size, kind)
    begins = _begins(batch, arms.months)
    values = [
        summed_amounts(batch, begins[month], begins[month + 1], is_float=is_float)
        for month in range(months)
    ]
    revenue, attributed = np.zeros((2, months, size, chunks), np.int64)
    products = np.zeros((months * (months + 1) // 2, size, chunks), np.int64)
    for month, own in enumerate(values):
        add(cells, own, ones, revenue[month])
        carry_sums(revenue[month])
    for place, (one, other) in enumerate(_pairs(months)):
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
    return _Sums(customers, revenue, attributed, products, np.array([both], np.int64))


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
