"""Building a report: its streams are walked once for each period that it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._months import Months, Period
from ordercycle._report.as_of import AsOf, Known
from ordercycle._report.checks import months_of
from ordercycle._report.counting import Counted, ReportScan
from ordercycle._report.cube import Cube, count
from ordercycle._report.report_numbers import ReportNumbers
from ordercycle._report.report_spec import HalfMonths, Memberships, Plan, listed
from ordercycle._report.sources import Sources


class Asked(NamedTuple):
    """Which periods and segments a report is to have."""

    months: Months
    compare: str | None
    segments: Sequence[str] | None
    as_of: date | str | None


@dataclass(frozen=True)
class PeriodCount:
    """Counts periods, each in one pass over all streams."""

    history: OrderHistory
    membership: Memberships
    segments: Sequence[str] | None
    scan: ReportScan
    as_of: AsOf

    def of(self, part: Period, *, halved: bool = False) -> Cube | Counted:
        """Count a period; halved: its months in two halves."""
        orders, scan = grouped_orders(self.history), self.scan
        plan = Plan.of(
            self.membership,
            period=part,
            segments=self.segments,
            kind=orders.spec,
            catalogue=scan.sources.catalogue(has_money=orders.spec.has_amount),
            units=scan.sources.units,
        )
        if halved:
            plan = HalfMonths.of_plan(plan)
        if scan.sources.is_of_orders:
            cube = count(self.history, scan.memberships, plan)
            if orders.forgotten:
                cube.known = count(self.history, scan.memberships, plan, known_only=True)
            return cube
        until = self.as_of.until(part)
        found = scan.count(plan, until)
        if orders.forgotten:
            found.known = scan.count(plan, until, known_only=True)
        return found


def numbers_of(
    history: OrderHistory, membership: Memberships, sources: Sources, asked: Asked
) -> ReportNumbers:
    """Count the periods that are asked for, and all months from the first order on."""
    memberships = listed(membership)
    known = Known.of(history, sources.last_touch)
    chosen = AsOf.chosen(asked.months, asked.compare, asked.as_of, known, memberships)
    scan = ReportScan(sources, tuple(memberships), chosen.horizon)
    counter = PeriodCount(history, membership, asked.segments, scan, chosen)
    ordered = months_of(history)
    first = asked.months.first if ordered is None else min(asked.months.first, ordered.first)
    covered = Months(first, chosen.period.months.last)
    counted = [counter.of(part) for part in chosen.counted(covered)]
    return ReportNumbers(counted, chosen, counter.of, scan)
