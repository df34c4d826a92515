"""The report as Arrow tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ordercycle.report.figures import Figures, Values
from ordercycle.report.metrics import Metric
from ordercycle.report.months import Months

COMPARISON_SCHEMA = pa.schema(
    [
        pa.field("segment", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("previous", pa.float64()),
        pa.field("change", pa.float64()),
        pa.field("change_ratio", pa.float64()),
    ]
)
DYNAMICS_SCHEMA = pa.schema(
    [
        pa.field("segment", pa.string(), nullable=False),
        pa.field("month", pa.date32(), nullable=False),
        pa.field("value", pa.float64()),
    ]
)


def comparison_table(
    figures: Figures, metrics: Sequence[Metric], period: Months, previous: Months | None
) -> pa.Table:
    """Return metrics of a period beside those of another one."""
    columns = []
    for metric in metrics:
        now = figures.values(metric, period)
        before: Values = [None] * len(now)
        if previous is not None:
            before = figures.values(metric, previous)
        columns.append(list(zip(now, before, strict=True)))
    rows = [
        (segment, metric.name, *of_metric[row], *_change(*of_metric[row]))
        for row, segment in enumerate(figures.rows)
        for metric, of_metric in zip(metrics, columns, strict=True)
    ]
    return _table(rows, COMPARISON_SCHEMA)


def dynamics_table(figures: Figures, metric: Metric, months: Months) -> pa.Table:
    """Return a metric of each month by itself."""
    by_month = [(month.first_day, figures.values(metric, month)) for month in months.each()]
    rows = [
        (segment, day, values[row])
        for row, segment in enumerate(figures.rows)
        for day, values in by_month
    ]
    return _table(rows, DYNAMICS_SCHEMA)


def _change(value: float | None, previous: float | None) -> tuple[float | None, float | None]:
    """Return the change, and its ratio to the size of what was before: its sign is the change's."""
    if value is None or previous is None:
        return None, None
    change = value - previous
    return _finite(change), _finite(change / abs(previous)) if previous else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _table(rows: list[Any], schema: pa.Schema) -> pa.Table:
    arrays = [pa.array([row[place] for row in rows], one.type) for place, one in enumerate(schema)]
    return pa.table(arrays, schema=schema)
