"""The report as Arrow tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ordercycle._report.metric_values import Reported, Values
from ordercycle._report.metrics import Metric

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
    metrics: Sequence[Metric], reported: Reported, previous: Reported | None
) -> pa.Table:
    """Return metrics of a period beside those of another one, both named in the metadata."""
    columns = []
    for metric in metrics:
        now = reported.values(metric)
        before: Values = [None] * len(now) if previous is None else previous.values(metric)
        columns.append(list(zip(now, before, strict=True)))
    rows = [
        (
            segment,
            metric.name,
            *of_metric[row],
            _change(*of_metric[row]),
            change_ratio(*of_metric[row]),
        )
        for row, segment in enumerate(reported.rows)
        for metric, of_metric in zip(metrics, columns, strict=True)
    ]
    named = {"period": str(reported.period)}
    if previous is not None:
        named["previous"] = str(previous.period)
    return _table(rows, COMPARISON_SCHEMA).replace_schema_metadata(named)


def dynamics_table(metric: Metric, months: Sequence[Reported]) -> pa.Table:
    """Return a metric of each month by itself; the metadata have the last day of the last one."""
    by_month = [(month.period.first_day, month.values(metric)) for month in months]
    rows = [
        (segment, day, values[row])
        for row, segment in enumerate(months[0].rows)
        for day, values in by_month
    ]
    as_of = str(months[-1].period.last_day)
    return _table(rows, DYNAMICS_SCHEMA).replace_schema_metadata({"as_of": as_of})


def change_ratio(value: float | None, previous: float | None) -> float | None:
    """Return the change as a share of the size of what was before: its sign is the change's."""
    if value is None or not previous:
        return None
    return _finite((value - previous) / abs(previous))


def _change(value: float | None, previous: float | None) -> float | None:
    return None if value is None or previous is None else _finite(value - previous)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _table(rows: list[Any], schema: pa.Schema) -> pa.Table:
    arrays = [pa.array([row[place] for row in rows], one.type) for place, one in enumerate(schema)]
    return pa.table(arrays, schema=schema)
