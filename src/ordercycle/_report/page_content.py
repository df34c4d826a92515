"""What a report gives to a page: all months that it has counted."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ordercycle._page.content import (
    LESS_IS_BETTER,
    MORE_IS_BETTER,
    Content,
    Numbers,
    ShownMetric,
    ShownMonth,
    ShownSegment,
)
from ordercycle._report.export import PLACE
from ordercycle._report.metric_values import Figures
from ordercycle._report.metrics import (
    COUNTED,
    DERIVED,
    PERIOD,
    QUANTITIES,
    Metric,
    known_metrics,
)
from ordercycle._report.months import Months, Period
from ordercycle._report.report_spec import ALL_CUSTOMERS
from ordercycle._spreadsheets import harmless

#: Metrics that are better when they are smaller.
BETTER_SMALL = {
    "Time to First Order", "Time Between Orders", "Days Since Last Order", "Missed Purchase Cycles",
}  # fmt: skip

#: The numbers of a month that ends on an earlier day, None where they are not counted.
CutFigures = Callable[[Period], Figures | None]


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


def content_of(
    figures: Figures,
    months: Months,
    shown: Months,
    compare: str | None,
    look: Look,
    cut_figures: CutFigures,
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
    cut_figures
        Counts months up to an earlier day.
    """
    plan = figures.plan
    metrics = known_metrics(has_money=plan.has_money)
    last = months.each()[-1]
    as_of = plan.ends(last)
    is_partial = as_of < last.last_day
    ends, cuts = [], []
    for month in months.each():
        cut = Period.to(last, as_of).earlier(last.first - month.first) if is_partial else None
        ends.append(ShownMonth(month.first, plan.ends(month), cut and cut.last_day))
        cuts.append(cut if month != last else None)
    return Content(
        title=look.title,
        currency=look.currency,
        as_of=as_of,
        is_partial=is_partial,
        months=tuple(ends),
        segments=_segments(plan.segments, look),
        all_customers=ALL_CUSTOMERS,
        metrics=tuple(map(shown_metric, metrics)),
        numbers=_numbers(figures, metrics, months, cuts, cut_figures),
        first=shown.first,
        last=shown.last,
        compare=compare,
        chosen=look.chosen,
        place=PLACE,
    )


def shown_metric(metric: Metric) -> ShownMetric:
    """Return a metric for a page."""
    money = sum(map(_is_money, metric.numerator)) - sum(map(_is_money, metric.denominator))
    return ShownMetric(
        name=metric.name,
        export=metric.export,
        unit=metric.unit,
        counts=metric.unit in COUNTED and not metric.denominator,
        group="Of the period" if metric.scope == PERIOD else "Of those in the segment, all time",
        above=metric.numerator,
        below=metric.denominator,
        of_all=metric.of_all,
        money=money,
        doc=metric.doc,
        better=LESS_IS_BETTER if metric.name in BETTER_SMALL else MORE_IS_BETTER,
    )


def _segments(names: Sequence[str], look: Look) -> tuple[ShownSegment, ...]:
    groups = look.groups or [""] * len(names)
    rules, changes = look.rules or {}, look.changes or {}
    return tuple(
        ShownSegment(name, _csv_field(name), group, rules.get(name, ""), changes.get(name, ()))
        for name, group in zip(names, groups, strict=True)
    )


def _csv_field(name: str) -> str:
    """Return a name as a field of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([harmless(name)])
    return text.getvalue()


def _numbers(
    figures: Figures,
    metrics: Sequence[Metric],
    months: Months,
    cuts: Sequence[Period | None],
    cut_figures: CutFigures,
) -> Numbers:
    names = dict.fromkeys(
        name for metric in metrics for name in (*metric.numerator, *metric.denominator)
    )
    cells: dict[str, list[list[int]]] = {}
    for name in names:
        by_month = [figures.quantity(name, month) for month in months.each()]
        cells[name] = [list(row) for row in zip(*by_month, strict=True)]
    cut: dict[str, list[list[int | None]]] = {}
    if any(cuts):
        nothing: list[int | None] = [None] * len(figures.rows)
        counted = [one and cut_figures(one) for one in cuts]
        for name in names:
            by_month_cut = [
                nothing if found is None or period is None else found.quantity(name, period.months)
                for found, period in zip(counted, cuts, strict=True)
            ]
            cut[name] = [list(row) for row in zip(*by_month_cut, strict=True)]
    money = frozenset(filter(_is_money, names))
    unit = figures.plan.unit
    shift = _common_zeros([cells, cut], money) if figures.plan.amount.is_float else 0
    for table in (cells, cut):
        for name in money & table.keys():
            table[name] = [[_shifted(one, shift) for one in row] for row in table[name]]
    return Numbers(
        over={name: _over(name) for name in names},
        money=money,
        unit=int(unit) >> shift,
        cells=cells,
        cut=cut,
    )


def _shifted(amount: int | None, shift: int) -> Any:
    return None if amount is None else amount >> shift


def _common_zeros(tables: Sequence[Mapping[str, Any]], money: frozenset[str]) -> int:
    """Return how many bits all amounts end with that are 0."""
    bits = 0
    for table in tables:
        for name in money & table.keys():
            for row in table[name]:
                for amount in row:
                    bits |= abs(amount or 0)
    return min((bits & -bits).bit_length() - 1, 1074) if bits else 1074


def _over(name: str) -> str:
    """Return what a quantity is about; those that are derived, like all of their parts."""
    derived = DERIVED.get(name)
    if derived is None:
        return QUANTITIES[name].over
    (over,) = {QUANTITIES[part].over for part in derived.parts}
    return over


def _is_money(name: str) -> bool:
    return name in QUANTITIES and QUANTITIES[name].is_money


def month_numbers(days: Sequence[date]) -> tuple[int, ...]:
    """Return the months of days, each once."""
    return tuple(sorted({12 * day.year + day.month - 1 for day in days}))
