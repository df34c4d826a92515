"""Who comes back: the buyers of each first month, in the months after.

Each first month is a segment that its buyers enter with their first order and never leave. So the
cells of a report are those of cohorts as well: exact, and by the same rules of refunds.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ordercycle._days import number_of
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.intervals import OfHistory
from ordercycle._membership.membership import Membership
from ordercycle._membership.timeline import Timeline
from ordercycle._months import Months, Period
from ordercycle._page.content import Cohorts
from ordercycle._report.catalogue import Catalogue
from ordercycle._report.cube import Cube, count
from ordercycle._report.metric_values import Figures
from ordercycle._report.quantities import MONEY
from ordercycle._report.report_spec import Plan
from ordercycle._spec import HistorySpec
from ordercycle._workspace import Workspace
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY, NO_DAY
from ordercycle_kernels.timeline import OPEN

RETURNED, ORDERS, REVENUE = "Buyers who came back", "Orders per buyer", "Revenue per buyer"


class FirstMonths(OfHistory):
    """From the first order on, everybody is in the segment of its month."""

    def __init__(self, history: OrderHistory, months: Months, *, net_refunds: bool) -> None:
        super().__init__(history, int(FIRST_DAY), int(LAST_DAY))
        self._net_refunds = net_refunds
        self._begin = number_of(months.first_day)
        self._months = months.columns_of_days()

    def timeline(
        self,
        number: int,  # noqa: ARG002 - a part's first orders follow from its orders
        customers: CustomerBatch,
        workspace: Workspace,  # noqa: ARG002
    ) -> Timeline:
        """Return the intervals of a part's customers."""
        orders = np.flatnonzero(customers.are_orders(net_refunds=self._net_refunds))
        owners = np.searchsorted(customers.offsets, orders, side="right") - 1
        buyers, firsts = np.unique(owners, return_index=True)
        days = customers.days[orders[firsts]]
        at = days.astype(np.int64) - self._begin
        there = (at >= 0) & (at < self._months.size) & (customers.visible[buyers] != NO_DAY)
        buyers, days, at = buyers[there], days[there], at[there]
        sizes = np.bincount(buyers, minlength=len(customers.ids))
        codes = (self._months[at] - 1).astype(np.int16)
        stops = np.full(days.size, OPEN, np.int32)
        return Timeline(np.concatenate([[0], np.cumsum(sizes)]), codes, days, stops)


def cohorts_of(history: OrderHistory, period: Period) -> Cohorts:
    """Return what buyers did in each month after their first, as far as it is over.

    Customers who are forgotten are left out, as of all metrics of customers.
    """
    return cohorts_in(counted_cohorts(history, period))


def cohort_plan(spec: HistorySpec, period: Period) -> Plan:
    """Return what is counted: a segment for each first month."""
    names = tuple(map(str, period.months.each()))
    return Plan(
        period=period,
        segments=names,
        rows=(np.arange(len(names)),),
        amount=spec.amount,
        net_refunds=spec.net_refunds,
        catalogue=Catalogue(spec.has_amount),
    )


def counted_cohorts(history: OrderHistory, period: Period) -> Cube:
    """Count the buyers of each first month, in the months after."""
    spec = grouped_orders(history).spec
    plan = cohort_plan(spec, period)
    first_months = FirstMonths(history, period.months, net_refunds=spec.net_refunds)
    return count(history, [Membership(plan.segments, first_months)], plan, known_only=True)


def cohorts_in(counted: Cube) -> Cohorts:
    """Return the cohorts of counts."""
    plan, figures = counted.plan, Figures(counted)
    months = plan.period.months
    over = months.size if plan.period.is_whole else months.size - 1
    by_month = {
        name: [figures.quantity(name, month) for month in months.each()]
        for name in ("monthly buyers", "orders", "revenue")
        if name != "revenue" or plan.catalogue.has_money
    }
    sizes = tuple(by_month["monthly buyers"][row][row] for row in range(months.size))
    units = {"monthly buyers": Fraction(1), "orders": Fraction(1), "revenue": plan.units[MONEY]}

    def later(name: str) -> tuple[tuple[float | None, ...], ...]:
        """Return a quantity per buyer; None where the month is not over, or there is no buyer."""
        return tuple(
            tuple(
                _ratio(by_month[name][row + after][row], sizes[row], units[name])
                if row + after < over
                else None
                for after in range(1, months.size)
            )
            for row in range(months.size)
        )

    shown = {RETURNED: ("monthly buyers", "share"), ORDERS: ("orders", "orders")}
    if plan.catalogue.has_money:
        shown[REVENUE] = ("revenue", "currency")
    return Cohorts(
        months=tuple(month.first for month in months.each()),
        sizes=sizes,
        values={title: later(name) for title, (name, _) in shown.items()},
        units={title: unit for title, (_, unit) in shown.items()},
    )


def _ratio(amount: int, size: int, unit: Fraction) -> float | None:
    return amount * unit.denominator / (size * unit.numerator) if size else None
