"""The report for people: as text, and as a table in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
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
)
from ordercycle._report.tables import change_ratio

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


def formatted(metric: Metric, value: float | None) -> str:
    """Return a value as people read it."""
    if value is None:
        return MISSING
    if metric.unit in COUNTED:
        return f"{value:,.2f}" if metric.denominator or value % 1 else f"{value:,.0f}"
    return FORMATS.get(metric.unit, "{:,.2f}").format(value)


def as_text(reported: Reported, previous: Reported | None, remarks: Sequence[str] = ()) -> str:
    """Return the most read metrics of all segments, each with its change, and remarks."""
    names, rows = _cells(IN_TEXT, reported, previous)
    heads = [
        "",
        *(head for name in names for head in ([name] if previous is None else [name, "±"])),
    ]
    lines = [heads, *([printable(name), *cells] for name, cells in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [_title(reported, previous)]
    for first, *others in lines:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        text.append(f"{first:<{widths[0]}}  {'  '.join(cells)}".rstrip())
    return "\n".join([*text, *map(printable, remarks)])


def as_html(reported: Reported, previous: Reported | None, remarks: Sequence[str] = ()) -> str:
    """Return a table of the metrics that people look at first, and remarks."""
    names, rows = _cells(IN_NOTEBOOKS, reported, previous)
    span = "" if previous is None else ' colspan="2"'
    heads = "".join(f"<th{span}>{escape(name)}</th>" for name in names)
    body = []
    for name, cells in rows:
        values = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        body.append(f"<tr><th>{escape(printable(name))}</th>{values}</tr>")
    return (
        f"<table><caption>{escape(_title(reported, previous))}</caption>"
        f"<thead><tr><th></th>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        + "".join(f"<p>{escape(printable(one))}</p>" for one in remarks)
    )


def _title(reported: Reported, previous: Reported | None) -> str:
    title = f"Segment report {reported.period}"
    return title if previous is None else f"{title}, change from {previous.period}"


def _cells(
    names: tuple[str, ...], reported: Reported, previous: Reported | None
) -> tuple[tuple[str, ...], list[tuple[str, list[str]]]]:
    """Return for each row of the report the values, each followed by its change, if any."""
    metrics = [one for one in reported.figures.catalogue.metrics if one.name in names]
    metrics.sort(key=lambda one: names.index(one.name))
    columns: list[list[str]] = []
    for metric in metrics:
        now = reported.values(metric)
        columns.append([formatted(metric, value) for value in now])
        if previous is not None:
            ratios = map(change_ratio, now, previous.values(metric))
            columns.append([MISSING if one is None else f"{one:+.1%}" for one in ratios])
    rows = zip(*columns, strict=True)
    names = tuple(metric.name for metric in metrics)
    return names, [(name, list(cells)) for name, cells in zip(reported.rows, rows, strict=True)]
