"""What a report gives to a page: all months that it has counted."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import reduce
from math import prod
from operator import or_
from typing import Any, TypeAlias

from ordercycle._months import Months, Period
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
from ordercycle._report.metrics import COUNTED, PERIOD, Metric
from ordercycle._report.quantities import DISTINCT, LAST_DAY, Quantity, derived_of, of_known
from ordercycle._report.report_spec import ALL_CUSTOMERS
from ordercycle._spreadsheets import harmless

#: Metrics that are better when they are smaller.
BETTER_SMALL = {
    "Time to First Order", "Time Between Orders", "Days Since Last Order", "Missed Purchase Cycles",
}  # fmt: skip

#: A quantity of each row, by name.
Counted: TypeAlias = Callable[[str], list[int]]
#: The quantities of a month that ends on an earlier day; None where they are not counted.
CountedUpTo: TypeAlias = Callable[[Period], Counted | None]


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
    count_up_to: CountedUpTo,
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
    count_up_to
        Counts months up to an earlier day.
    """
    plan = figures.plan
    last = months.each()[-1]
    as_of = plan.ends(last)
    is_partial = as_of < last.last_day
    ends, cuts = [], []
    for month in months.each():
        cut = Period.to(last, as_of).earlier(last.first - month.first) if is_partial else None
        ends.append(ShownMonth(month.first, plan.ends(month), cut and cut.last_day))
        cuts.append(cut if month != last else None)
    numbers, units = _numbers(figures, months, cuts, count_up_to)
    return Content(
        title=look.title,
        currency=look.currency,
        as_of=as_of,
        is_partial=is_partial,
        months=tuple(ends),
        segments=_segments(plan.segments, look),
        all_customers=ALL_CUSTOMERS,
        metrics=tuple(_shown(metric, units) for metric in metrics_of(figures)),
        numbers=numbers,
        first=shown.first,
        last=shown.last,
        compare=compare,
        chosen=look.chosen,
        place=PLACE,
        brand="",
        target=figures.first_view.target,
    )


def metrics_of(figures: Figures) -> list[Metric]:
    """Return the metrics of a page: all whose quantities add up over months."""
    return [
        metric
        for metric in figures.catalogue.metrics
        if all(one.over != DISTINCT for one in figures.catalogue.quantities(metric))
    ]


def _shown(metric: Metric, units: Mapping[str, Fraction]) -> ShownMetric:
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
        better=LESS_IS_BETTER if metric.name in BETTER_SMALL else MORE_IS_BETTER,
    )


def _segments(names: Sequence[str], look: Look) -> tuple[ShownSegment, ...]:
    groups = look.groups or [""] * len(names)
    rules, changes = look.rules or {}, look.changes or {}
    return tuple(
        ShownSegment(
            name=name,
            short=name.removeprefix(f"{group}: "),
            csv=_csv_field(name),
            group=group,
            rule=rules.get(name, ""),
            changed=changes.get(name, ()),
        )
        for name, group in zip(names, groups, strict=True)
    )


def _csv_field(name: str) -> str:
    """Return a name as a field of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([harmless(name)])
    return text.getvalue()


def _numbers(
    figures: Figures,
    months: Months,
    cuts: Sequence[Period | None],
    count_up_to: CountedUpTo,
) -> tuple[Numbers, dict[str, Fraction]]:
    """Return the numbers, and how many whole numbers of each quantity make one."""
    catalogue = figures.catalogue
    metrics = metrics_of(figures)
    bases = {one.name: one for metric in metrics for one in catalogue.quantities(metric)}
    # By which pages hide the numbers of few customers.
    bases.setdefault("customers", catalogue.quantity(of_known("customers")))
    cells = {
        name: _by_row(figures.quantity(one.name, month) for month in months.each())
        for name, one in bases.items()
    }
    cut: dict[str, list[list[Any]]] = {}
    if any(cuts):
        nothing: list[int | None] = [None] * len(figures.rows)
        counted = [one and count_up_to(one) for one in cuts]
        for name, one in bases.items():
            cut[name] = _by_row(nothing if found is None else found(one.name) for found in counted)
    units: dict[str, Fraction] = {LAST_DAY: Fraction(1)}
    for kind, unit in figures.plan.units.items():
        names = [name for name, one in bases.items() if one.unit == kind]
        shift = _common_zeros([cells, cut], names) if unit.numerator >= 2**1074 else 0
        units |= dict.fromkeys(names, unit / 2**shift)
        for table in (cells, cut):
            for name in names if shift else ():
                table[name] = [[one and one >> shift for one in row] for row in table.get(name, ())]
    used = {name for metric in metrics for name in metric.parts}
    derived = {name: found.terms for name in used if (found := derived_of(name)) is not None}
    for name, terms in derived.items():
        units[name] = prod((units[part] for part in terms[0][1]), start=Fraction(1))
    return Numbers(_overs(bases), dict(sorted(derived.items())), cells, cut), units


def _by_row(months: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Return the numbers of each row, given those of each month."""
    return [list(row) for row in zip(*months, strict=True)]


def _common_zeros(tables: Sequence[Mapping[str, Any]], names: Sequence[str]) -> int:
    """Return how many bits all amounts end with that are 0."""
    rows = (row for table in tables for name in names for row in table.get(name, ()))
    bits = reduce(or_, (abs(amount) for row in rows for amount in row if amount), 0)
    return min((bits & -bits).bit_length() - 1, 1074) if bits else 1074


def _overs(quantities: Mapping[str, Quantity]) -> dict[str, str]:
    return {name: one.over for name, one in quantities.items()}


def month_numbers(days: Sequence[date]) -> tuple[int, ...]:
    """Return the months of days, each once."""
    return tuple(sorted({12 * day.year + day.month - 1 for day in days}))
