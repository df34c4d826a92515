"""The report as CSV, in the usual columns."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from datetime import date
from typing import IO, NamedTuple

from ordercycle._durable import path_of, replacing
from ordercycle._errors import ConfigError, Option, StorageError, check_choice
from ordercycle._report.metric_values import EVERYTHING, Grain, Reported
from ordercycle._report.metrics import COUNTED, Metric
from ordercycle._report.quantities import GRAINS
from ordercycle._report.report_numbers import ReportNumbers
from ordercycle._report.sources import View
from ordercycle._spreadsheets import harmless

#: The columns before those of the metrics; an empty one means all.
BEFORE = ("PeriodStart", "PeriodEnd", "Date", "Brand", "TargetAction", "SegmentName")
PLACE = (*BEFORE, "Channel", "MailingType", "FormType")
END = "\r\n"
MODES = COMPARISON, DYNAMICS = "comparison", "dynamics"

Row = list[str]


class Keys(NamedTuple):
    """Which rows there are: of a brand and target action, and of channels behind their segment."""

    view: View = EVERYTHING
    grains: tuple[Grain, ...] = ()


def report_csv(
    numbers: ReportNumbers,
    keys: Sequence[Keys],
    mode: str,
    metric: str | None,
    months: str | Sequence[str] | None,
) -> str:
    """Return a report as CSV: each of the views by mode, or raise a ConfigError."""
    check_choice("mode", mode, MODES)
    metrics = numbers.catalogue.metrics
    if mode == DYNAMICS:
        filled = metrics if metric is None else (numbers.catalogue.metric(metric),)
        by_month = [(one, numbers.by_month(months, one.view)) for one in keys]
        return dynamics_csv(metrics, filled, by_month)
    if metric is not None or months is not None:
        raise ConfigError(
            (Option("metric"), " and ", Option("months"), " choose dynamics"),
            remedy=("add ", Option("mode", DYNAMICS)),
        )
    compared = [(one, numbers.compared(one.view)) for one in keys]
    return comparison_csv(
        metrics, [(one, [each for each in periods if each]) for one, periods in compared]
    )


def comparison_csv(
    metrics: Sequence[Metric], views: Sequence[tuple[Keys, Sequence[Reported]]]
) -> str:
    """Return a row per view, period and segment."""
    rows: list[Row] = []
    for keys, periods in views:
        for reported in periods:
            ends = reported.period.first_day, reported.period.last_day
            rows += _rows(keys, metrics, metrics, reported, ends, None)
    return _csv(metrics, rows)


def dynamics_csv(
    metrics: Sequence[Metric],
    filled: Sequence[Metric],
    views: Sequence[tuple[Keys, Sequence[Reported]]],
) -> str:
    """Return a row per view, month and segment; metrics that are not filled stay empty."""
    rows: list[Row] = []
    for keys, months in views:
        ends = months[0].period.first_day, months[-1].period.last_day
        for month in months:
            rows += _rows(keys, metrics, filled, month, ends, month.period.first_day)
    return _csv(metrics, rows)


def write_text(text: str, target: str | os.PathLike[str] | IO[str]) -> None:
    """Write to a stream, or to a file that appears whole or not at all."""
    if hasattr(target, "write"):
        target.write(text)
        return
    path = path_of("path", target)
    try:
        with replacing(path) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error


def _rows(
    keys: Keys,
    metrics: Sequence[Metric],
    filled: Sequence[Metric],
    reported: Reported,
    ends: tuple[date, date],
    day: date | None,
) -> list[Row]:
    """Return the rows of each segment: metrics of a period, which is within the days of `ends`."""
    view = keys.view
    head = [*map(str, ends), "" if day is None else str(day), view.brand or "", view.target]
    by_grain = []
    for grain in (None, *keys.grains):
        columns = [
            [_text(metric, value) for value in reported.values(metric, grain)]
            if metric in filled and (grain is None or grain.kind in metric.grains)
            else [""] * len(reported.rows)
            for metric in metrics
        ]
        place = [grain.value if grain and grain.kind == kind else "" for kind in GRAINS]
        by_grain.append((place, columns))
    return [
        [
            *map(harmless, head),
            harmless(segment),
            *map(harmless, place),
            *(column[row] for column in columns),
        ]
        for row, segment in enumerate(reported.rows)
        for place, columns in by_grain
    ]


def _text(metric: Metric, value: float | None) -> str:
    """Write a number with as many digits as it takes to read the same one."""
    if value is None:
        return ""
    is_whole = metric.unit in COUNTED and not metric.denominator and value.is_integer()
    return str(int(value)) if is_whole else repr(value)


def _csv(metrics: Sequence[Metric], rows: list[Row]) -> str:
    lines: list[str] = []
    header = [*PLACE, *(metric.export for metric in metrics)]
    # The writer quotes only those marks of line ends that it writes itself: so it writes both.
    csv.writer(_Lines(lines)).writerows([header, *rows])
    return "".join(f"{line.removesuffix(END)}\n" for line in lines)


class _Lines:
    """A stream of lines, as a writer of CSV ends them."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append
