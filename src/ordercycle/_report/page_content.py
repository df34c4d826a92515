"""What a report gives to a page: all months that it has counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from math import prod

from ordercycle._months import PRIOR, Months, Period
from ordercycle._page.content import (
    LESS_IS_BETTER,
    MORE_IS_BETTER,
    NEITHER,
    Campaign,
    Content,
    ShownMetric,
    ShownMonth,
    ShownSegment,
)
from ordercycle._report.export import PLACE
from ordercycle._report.metric_values import Figures
from ordercycle._report.metrics import COUNTED, PERIOD, Metric
from ordercycle._report.page_cells import PageCells
from ordercycle._report.quantities import CHANNEL
from ordercycle._report.rendering import as_html
from ordercycle._report.report_numbers import ReportNumbers
from ordercycle._report.report_spec import ALL_CUSTOMERS

#: Metrics that are better when they are smaller.
BETTER_SMALL = {
    "Time to First Order", "Time Between Orders", "Days Since Last Order", "Missed Purchase Cycles",
}  # fmt: skip
#: Metrics of which more or less is neither: no segment is better for being large.
NOT_JUDGED = ("Customers", "Customer Share")
#: What a page without the streams of metrics says of these, by what they need.
UNKNOWN = {
    "credited": "channels and campaigns",
    "subscriptions": "subscribers",
    "loyalty": "members of a loyalty program",
    "Loyalty.discount": "discounts of members",
    "Loyalty.points": "points of members",
}


@dataclass(frozen=True)
class Look:
    """How a page looks at first, and what is said on it.

    groups: of segments, in their order; rules: of segments, by name; changes: months in which
    segments became something else, by name.
    """

    title: str = "Segments"
    currency: str = "EUR"
    groups: Sequence[str] = ()
    rules: Mapping[str, str] | None = None
    changes: Mapping[str, tuple[int, ...]] | None = None
    chosen: tuple[str, ...] = ()


def content_of_numbers(numbers: ReportNumbers, look: Look, months: Months | None = None) -> Content:
    """Return what a page shows: of some months, or of all from the first customer's on."""
    figures, as_of = numbers.figures, numbers.as_of
    period, previous = as_of.period.months, as_of.previous
    compare = None
    if previous is not None:
        is_year = period.first - previous.months.first == PRIOR["previous_year"](period.size)
        compare = "previous_year" if is_year else "previous_period"
    shown = months or Months(min(figures.first_month, period.first), period.last)
    made = content_of(figures, shown, period, compare, look, numbers.halves(shown))
    return replace(made, plain=as_html(*numbers.compared()))


def content_of(
    figures: Figures,
    months: Months,
    shown: Months,
    compare: str | None,
    look: Look,
    halves: Figures | None,
) -> Content:
    """Return what a page needs of counted months.

    Parameters
    ----------
    figures
        Of all the months.
    months
        Those of the page.
    shown
        Those shown first.
    compare
        What they are compared with at first.
    look
        Words.
    halves
        Of months in two halves, where the last month is not over.
    """
    plan = figures.plan
    last = months.each()[-1]
    as_of = plan.ends(last)
    is_partial = as_of < last.last_day
    ends = []
    for month in months.each():
        cut = Period.to(last, as_of).earlier(last.first - month.first) if is_partial else None
        ends.append(ShownMonth(month.first, plan.ends(month), cut and cut.last_day))
    cells = PageCells(figures, months, halves if is_partial else None)
    numbers, slices, units = cells.numbers()
    return Content(
        title=look.title,
        currency=look.currency,
        as_of=as_of,
        is_partial=is_partial,
        months=tuple(ends),
        segments=_segments(plan.segments, look),
        all_customers=ALL_CUSTOMERS,
        metrics=tuple(_shown(metric, units, cells) for metric in cells.metrics),
        numbers=numbers,
        slices=slices,
        channels=cells.channels,
        campaigns=tuple(Campaign(name, cells.open_months(name)) for name in cells.campaigns),
        first=shown.first,
        last=shown.last,
        compare=compare,
        chosen=look.chosen,
        place=PLACE,
        unknown=_unknown(cells),
        not_by_channel=tuple(
            one.name
            for one in cells.metrics
            if CHANNEL in one.grains and not cells.is_by_channel(one)
        ),
    )


def _unknown(cells: PageCells) -> tuple[str, ...]:
    """Return what the page has no metrics of, as nothing is known of it."""
    catalogue = cells.figures.catalogue
    money = () if catalogue.has_money else ("amounts of money",)
    return (*money, *(UNKNOWN[need] for need in catalogue.not_given))


def _shown(metric: Metric, units: Mapping[str, Fraction], cells: PageCells) -> ShownMetric:
    """Return a metric for a page; units: how many of a quantity's whole numbers make one."""
    above, below = (
        prod((units[name] for name in names), start=Fraction(1))
        for names in (metric.numerator, metric.denominator)
    )
    unit = above / below
    return ShownMetric(
        name=metric.name,
        export=metric.export,
        unit=metric.unit,
        counts=metric.unit in COUNTED and not metric.denominator,
        group="Of the period" if metric.scope == PERIOD else "Of those in the segment, all time",
        above=metric.numerator,
        below=metric.denominator,
        of_all=metric.of_all,
        scale=(unit.denominator, unit.numerator),
        doc=metric.doc,
        better=_better(metric.name),
        channels=cells.is_by_channel(metric),
        campaigns=cells.is_by_campaign(metric),
    )


def _better(name: str) -> int:
    if name in NOT_JUDGED:
        return NEITHER
    return LESS_IS_BETTER if name in BETTER_SMALL else MORE_IS_BETTER


def _segments(names: Sequence[str], look: Look) -> tuple[ShownSegment, ...]:
    groups = look.groups or [""] * len(names)
    rules, changes = look.rules or {}, look.changes or {}
    return tuple(
        ShownSegment(
            name=name,
            short=name.removeprefix(f"{group}: "),
            group=group,
            rule=rules.get(name, ""),
            changed=changes.get(name, ()),
        )
        for name, group in zip(names, groups, strict=True)
    )


def month_numbers(days: Sequence[date]) -> tuple[int, ...]:
    """Return the months of days, each once."""
    return tuple(sorted({12 * day.year + day.month - 1 for day in days}))
