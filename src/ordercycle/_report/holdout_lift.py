"""What touches brought, by customers who get none: beside what orders are credited to them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._attribution.credited import Credited, scan_of
from ordercycle._errors import ConfigError, Option, counted, printable
from ordercycle._experiments.window_scan import whole_sum
from ordercycle._membership.membership import Membership
from ordercycle._months import Months
from ordercycle._public import public
from ordercycle._report.holdout_sums import ARMS, HoldoutArms, HoldoutSums, LiftRequest, pairs_of
from ordercycle._statistics.means import Means, Moments, plain_means

EVERYBODY = "All Customers"
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


@public()
class HoldoutLift:
    """What customers who are touched spend more than those who are held out, by any months.

    Customers who are forgotten are in neither arm.

    Made by :meth:`build`; the sums of months and of pairs of months add up, so that the standard
    errors of any range of months are exact without another look at the orders.
    """

    def __init__(self, arms: HoldoutArms, alpha: float, sums: HoldoutSums) -> None:
        self._spec = arms.orders.spec
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
        scan = scan_of(credited)
        asked = LiftRequest.of(control, period, treated, alpha)
        asked.check_names(holdout.segments)
        asked.check_amounts(scan.orders)
        arms = asked.arms(scan.orders, holdout, segments)
        return cls(arms, alpha, arms.summed(scan))

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
        for place, (one, other) in enumerate(pairs_of(self._arms.months.size)):
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
