"""Charts of the report, of the same declarations as those of pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ordercycle._errors import ConfigError, Option, check_choice, printable
from ordercycle._months import Months, Period
from ordercycle._page.charts import LIGHT, bars, lines
from ordercycle._report.export import DYNAMICS, MODES
from ordercycle._report.metric_values import Reported
from ordercycle._report.metrics import SHARE, Metric
from ordercycle._report.rendering import formatted
from ordercycle._report.report_numbers import ReportNumbers
from ordercycle._report.report_spec import ALL_CUSTOMERS, DEFAULT_TARGET
from ordercycle._report.sources import View
from ordercycle._report.tables import change_ratio

if TYPE_CHECKING:
    from altair import LayerChart


def chart_of(
    numbers: ReportNumbers,
    metric: str,
    mode: str,
    months: str | Sequence[str] | None,
    view: View,
) -> LayerChart:
    """Draw a metric of a view by mode, or raise a ConfigError."""
    check_choice("mode", mode, MODES)
    chosen = numbers.catalogue.metric(metric)
    if mode == DYNAMICS:
        return line_chart(chosen, numbers.by_month(months, view))
    if months is not None:
        raise ConfigError(
            (Option("months"), " chooses dynamics"), remedy=("add ", Option("mode", DYNAMICS))
        )
    return bar_chart(chosen, *numbers.compared(view))


def line_chart(metric: Metric, months: Sequence[Reported]) -> LayerChart:
    """Draw a line per segment over the months; segments without any value have none."""
    names = [f"{month.period.first_day:%b %Y}" for month in months]
    by_month = [month.values(metric) for month in months]
    drawn = [
        (name, values)
        for name, *values in zip(months[0].rows, *by_month, strict=True)
        if name != ALL_CUSTOMERS and any(value is not None for value in values)
    ]
    is_open = not months[-1].period.is_whole
    rows = []
    for slot, (name, values) in enumerate(drawn):
        last = max(place for place, value in enumerate(values) if value is not None)
        for place, (month, value) in enumerate(zip(names, values, strict=True)):
            end = "open" if is_open and place == len(names) - 1 else "done"
            rows.append(
                {
                    "month": month,
                    "slot": slot,
                    "name": name,
                    "value": value,
                    "shown": formatted(metric, value),
                    "end": end if place == last else None,
                }
            )
    chart = lines(LIGHT, rows, [], series=max(1, len(drawn)), is_share=metric.unit == SHARE)
    return chart.properties(title=_title(metric, f"{_span(months)}", months[0].view))


def bar_chart(metric: Metric, reported: Reported, previous: Reported | None) -> LayerChart:
    """Draw a bar per segment for the period, above one for the prior period."""
    now = reported.values(metric)
    before = [None] * len(now) if previous is None else previous.values(metric)
    rows = []
    for slot, (name, value, prior) in enumerate(zip(reported.rows, now, before, strict=True)):
        if name == ALL_CUSTOMERS:
            continue
        ratio = change_ratio(value, prior)
        change = "" if ratio is None else f"{ratio:+.1%} from "
        rows.append(
            {
                "row": slot,
                "slot": slot,
                "name": name,
                "now": value,
                "prior": prior,
                "shown": formatted(metric, value),
                "change": "" if previous is None else change + formatted(metric, prior),
                "tone": "flat",
            }
        )
    chart = bars(LIGHT, rows, series=max(1, len(rows)), is_share=metric.unit == SHARE)
    beside = "" if previous is None else f", beside {previous.period}"
    return chart.properties(title=_title(metric, f"{reported.period}{beside}", reported.view))


def _title(metric: Metric, when: str, view: View | None) -> str:
    """Return what a chart is of: the metric, the brand and target action, if any, and when."""
    words = [metric.name]
    if view is not None and view.brand is not None:
        words.append(f"brand {view.brand}")
    if view is not None and view.target != DEFAULT_TARGET:
        words.append(f"target action {view.target}")
    return printable(", ".join([*words, when]))


def _span(months: Sequence[Reported]) -> Period:
    """Return the period of consecutive months."""
    ends = Months(months[0].period.months.first, months[-1].period.months.last)
    return Period(ends, months[-1].period.last_day)
