"""How a dashboard's page is made of what was counted, on one machine and on clusters alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ordercycle._dashboard.grid import CUSTOMERS
from ordercycle._dashboard.journeys import Run, shown_experiments, shown_journeys
from ordercycle._dashboard.memberships import Named, changed_months
from ordercycle._dashboard.small import cohorts_without_few, grid_without_few, without_few
from ordercycle._errors import ConfigError, Option
from ordercycle._months import Months, Period
from ordercycle._page.content import Cohorts, Content, Grid, Moves
from ordercycle._page.encoding import checked_currency
from ordercycle._page.journeys import ShownExperiment, ShownJourney
from ordercycle._page.vega import require
from ordercycle._report.page_content import Look
from ordercycle._report.segment_report import SegmentReport, content_of_report

#: How many months a page has, and how many of them it shows first.
MONTHS, SHOWN = 24, 12


@dataclass(frozen=True)
class PageOptions:
    """What a page looks like, checked, and what it shows that was counted before."""

    title: str
    currency: str
    min_customers: int
    changes: Mapping[str, date | str | Sequence[date | str]]
    journeys: tuple[ShownJourney, ...]
    experiments: tuple[ShownExperiment, ...]

    @classmethod
    def of(
        cls,
        *,
        title: str,
        currency: str,
        min_customers: int,
        changes: Mapping[str, Any] | None,
        experiments: Mapping[str, Any] | None,
    ) -> PageOptions:
        """Return the options of a page without journeys, before anything is counted.

        Raises
        ------
        ConfigError
            One makes no sense.
        ImportError
            What draws pages is not installed.
        """
        require()
        code = checked_currency(currency)
        if not isinstance(min_customers, int) or isinstance(min_customers, bool):
            raise ConfigError(
                (Option("min_customers", min_customers), " is no number of customers"),
                remedy="pass a whole number",
            )
        shown = shown_experiments(experiments or {}, min_customers)
        return cls(title, code, min_customers, changes or {}, (), shown)

    def with_journeys(self, runs: Sequence[Run]) -> PageOptions:
        """Return the same with what journeys came to, which is asked of each."""
        return replace(self, journeys=shown_journeys(runs, self.min_customers))

    def content(
        self,
        report: SegmentReport,
        named: Named,
        few: Sequence[str],
        period: Period,
        counted: tuple[Moves | None, Grid | None, Cohorts | None],
    ) -> Content:
        """Return what the page shows; few: segments that were merged; period: of the page."""
        look = Look(
            title=self.title,
            currency=self.currency,
            groups=[named.groups[name] for name in report.segments],
            rules=named.rules,
            changes=changed_months(self.changes, report.segments, few),
            chosen=tuple(name for name in report.segments if name in named.first),
        )
        moves, grid, cohorts = counted
        months, least = period.months, self.min_customers
        # A year beside the one before, or less, so that there is something to compare with.
        shown = min(SHOWN, max(1, months.size // 2))
        return replace(
            content_of_report(report, look, months),
            first=months.last - shown + 1,
            compare="previous_year" if months.size >= shown + 12 else "previous_period",
            min_customers=least,
            moves=without_few(moves, least),
            grid=grid_without_few(grid, CUSTOMERS, least),
            cohorts=cohorts_without_few(cohorts, least),
            journeys=self.journeys,
            experiments=self.experiments,
        )


def page_months(first_day: date | None, end: date, months: str | Sequence[str] | None) -> Months:
    """Return the months of a page that ends on a day; None: the last ones.

    first_day: of the first order, from before which there are none then.
    """
    if months is not None:
        return Months.of(months, "months")
    last = Months.between(end, end).first
    first = last - MONTHS + 1
    if first_day is not None:
        first = min(last, max(first, Months.between(first_day, first_day).first))
    return Months(first, last)


def few_people(report: SegmentReport, months: Months, least: int) -> list[str]:
    """Return the segments that have fewer customers at the end of all months."""
    table = report.dynamics("Customers", tuple(str(months.each()[at]) for at in (0, -1)))
    most: dict[str, float] = dict.fromkeys(report.segments, 0)
    for row in table.to_pylist():
        if row["segment"] in most:
            most[row["segment"]] = max(most[row["segment"]], row["value"])
    return [name for name, customers in most.items() if customers < least]
