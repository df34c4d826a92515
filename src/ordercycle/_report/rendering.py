"""The report for people: as text, and as a table in a notebook."""

from __future__ import annotations

from html import escape

from ordercycle._errors import printable
from ordercycle._report.metric_values import Reported
from ordercycle._report.metrics import (
    COUNTED,
    CYCLES,
    DAYS,
    REVENUE,
    SHARE,
    Metric,
    metric_named,
)

#: What one sees at once; everything else is in `comparison()`.
IN_TEXT = ("Customers", "Revenue", "Orders", "Average Order Value")
IN_NOTEBOOKS = (
    *IN_TEXT,
    "Orders per Buyer per Month",
    "New Customer Registrations",
    "Customer Share",
    "Returning Customer Rate (last month)",
    "Days Since Last Order",
)
FORMATS = {REVENUE: "{:,.2f}", SHARE: "{:.1%}", DAYS: "{:,.1f}", CYCLES: "{:,.2f}"}
MISSING = "–"


def spelt(metric: Metric, value: float | None) -> str:
    """Return a value as people read it."""
    if value is None:
        return MISSING
    if metric.unit in COUNTED:
        return f"{value:,.2f}" if metric.denominator else f"{value:,.0f}"
    return FORMATS[metric.unit].format(value)


def as_text(reported: Reported, previous: Reported | None) -> str:
    """Return the most asked metrics of all segments, each with its change."""
    names, rows = _cells(IN_TEXT, reported, previous)
    heads = ["", *(column for name in names for column in (name, "" if previous is None else "±"))]
    lines = [heads, *([printable(name), *cells] for name, cells in rows)]
    if previous is None:
        lines = [[line[0], *line[1::2]] for line in lines]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    text = [_title(reported, previous)]
    for line in lines:
        first, *others = line
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        text.append(f"{first:<{widths[0]}}  {'  '.join(cells)}".rstrip())
    return "\n".join(text)


def as_html(reported: Reported, previous: Reported | None) -> str:
    """Return a table of the metrics that people look at first."""
    names, rows = _cells(IN_NOTEBOOKS, reported, previous)
    span = "" if previous is None else ' colspan="2"'
    heads = "".join(f"<th{span}>{escape(name)}</th>" for name in names)
    body = []
    for name, cells in rows:
        shown = cells if previous is not None else cells[::2]
        values = "".join(f"<td>{escape(cell)}</td>" for cell in shown)
        body.append(f"<tr><th>{escape(printable(name))}</th>{values}</tr>")
    return (
        f"<table><caption>{escape(_title(reported, previous))}</caption>"
        f"<thead><tr><th></th>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _title(reported: Reported, previous: Reported | None) -> str:
    title = f"Segment report {reported.period}"
    return title if previous is None else f"{title}, change from {previous.period}"


def _cells(
    names: tuple[str, ...], reported: Reported, previous: Reported | None
) -> tuple[tuple[str, ...], list[tuple[str, list[str]]]]:
    """Return for each row of the report the values, each followed by its change."""
    has_money = reported.figures.plan.has_money
    metrics = [metric_named(name) for name in names]
    metrics = [metric for metric in metrics if has_money or not metric.is_money]
    columns: list[list[str]] = []
    for metric in metrics:
        now = reported.values(metric)
        columns.append([spelt(metric, value) for value in now])
        if previous is None:
            columns.append([""] * len(now))
            continue
        before = previous.values(metric)
        columns.append([_change(*pair) for pair in zip(now, before, strict=True)])
    rows = zip(*columns, strict=True)
    names = tuple(metric.name for metric in metrics)
    return names, [(name, list(cells)) for name, cells in zip(reported.rows, rows, strict=True)]


def _change(value: float | None, previous: float | None) -> str:
    if value is None or not previous:
        return MISSING
    return f"{(value - previous) / abs(previous):+.1%}"
