"""What a journey came to, as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from ordercycle._page.charts import LIGHT, bands, bars

if TYPE_CHECKING:
    from altair import LayerChart


def funnel_chart(funnel: pa.Table, of: str) -> LayerChart:
    """Draw a bar for each step that was reached; of: whose they are."""
    rows = [
        {
            "row": place,
            "slot": 0,
            "name": step["step"],
            "now": step["reached"],
            "prior": None,
            "shown": f"{step['reached']:,}",
            "change": "",
            "tone": "flat",
        }
        for place, step in enumerate(funnel.to_pylist())
    ]
    return bars(LIGHT, rows, series=1, with_prior=False).properties(title=f"Steps reached: {of}")


def conversion_chart(survival: pa.Table, of: str) -> LayerChart:
    """Draw the share that has converted, by day, within its interval."""
    curve = [{"at": 0, "slot": 0, "name": of, "value": 0.0, "low": 0.0, "high": 0.0}]
    curve += [
        {
            "at": row["day"],
            "slot": 0,
            "name": of,
            "value": 1.0 - row["survival"],
            "low": 1.0 - row["upper"],
            "high": 1.0 - row["lower"],
        }
        for row in survival.to_pylist()
    ]
    chart = bands(LIGHT, curve, across="Q", title="days after the entry", series=1)
    return chart.properties(title=f"Converted: {of}")
