"""The report as Arrow tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ordercycle._days import number_of
from ordercycle._errors import ConfigError, Option, whole_number
from ordercycle._report.metric_values import Grain, Reported, Values
from ordercycle._report.metrics import Metric
from ordercycle._report.quantities import CAMPAIGN

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
CHANNELS_SCHEMA = pa.schema(
    [
        COMPARISON_SCHEMA.field("segment"),
        pa.field("channel", pa.string(), nullable=False),
        *(COMPARISON_SCHEMA.field(place) for place in range(1, 6)),
    ]
)
#: On which day what a campaign brought is counted: that of the send.
SEND = "send"
CAMPAIGNS_SCHEMA = pa.schema(
    [
        pa.field("campaign", pa.string(), nullable=False),
        pa.field("segment", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("anchor", pa.string(), nullable=False),
        pa.field("open", pa.bool_(), nullable=False),
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
    return _table(rows, COMPARISON_SCHEMA).replace_schema_metadata(_named(reported, previous))


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


def channels_table(
    metrics: Sequence[Metric],
    row: int,
    grains: Sequence[Grain],
    reported: Reported,
    previous: Reported | None,
) -> pa.Table:
    """Return metrics of a row by channel or type, beside those of another period."""
    rows = []
    for grain in grains:
        for metric in metrics:
            value = reported.values(metric, grain)[row]
            before = None if previous is None else previous.values(metric, grain)[row]
            rows.append(
                (
                    reported.rows[row],
                    grain.value,
                    metric.name,
                    value,
                    before,
                    _change(value, before),
                    change_ratio(value, before),
                )
            )
    return _table(rows, CHANNELS_SCHEMA).replace_schema_metadata(
        _named(reported, previous) | {"by": grains[0].kind if grains else ""}
    )


def campaigns_table(metric: Metric, reported: Reported, campaigns: int, segments: int) -> pa.Table:
    """Return the campaigns with most of a metric, by all customers, and their segments."""
    for option, number in (("campaigns", campaigns), ("segments", segments)):
        if whole_number(number) is None or number < 0:
            raise ConfigError(
                (Option(option, number), " is no number of rows"),
                remedy="pass a whole number, 0 or more",
            )
    counted = reported.figures.counted
    names = () if counted is None else counted.sources.campaigns
    days = (number_of(reported.period.first_day), number_of(reported.period.last_day))
    found = [(name, reported.values(metric, Grain(CAMPAIGN, name))) for name in names]
    ranked = sorted(
        ((name, values) for name, values in found if values[-1]),
        key=lambda one: (-(one[1][-1] or 0.0), one[0]),
    )
    rows = []
    for name, values in ranked[:campaigns]:
        is_open = counted is not None and counted.is_unfinished(name, *days)
        rows.append((name, reported.rows[-1], values[-1], SEND, is_open))
        of_segments = [
            (segment, value)
            for segment, value in zip(reported.rows[:-1], values, strict=False)
            if value
        ]
        of_segments.sort(key=lambda one: -(one[1] or 0.0))
        rows += [(name, segment, value, SEND, is_open) for segment, value in of_segments[:segments]]
    return _table(rows, CAMPAIGNS_SCHEMA).replace_schema_metadata(
        _named(reported, None) | {"metric": metric.name, "anchor": SEND}
    )


def _named(reported: Reported, previous: Reported | None) -> dict[str, str]:
    """Return the names of periods, for metadata."""
    named = {"period": str(reported.period)}
    if previous is not None:
        named["previous"] = str(previous.period)
    return named
