"""What a journey came to, as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from ordercycle._page.charts import LIGHT
from ordercycle._page.journeys import Curve, converted, funnel

if TYPE_CHECKING:
    from altair import LayerChart


def funnel_chart(steps: pa.Table, of: str) -> LayerChart:
    """Draw a bar for each step that was reached; of: whose they are."""
    return funnel(LIGHT, [(row["step"], row["reached"]) for row in steps.to_pylist()], of)


def conversion_chart(survival: pa.Table, of: str) -> LayerChart:
    """Draw the share that has converted, by day, within its interval."""
    return converted(LIGHT, [conversion_curve(survival, of)], of)


def conversion_curve(survival: pa.Table, name: str) -> Curve:
    """Return the share that has converted by day, from the day of entry on."""
    later = tuple(
        (row["day"], 1.0 - row["survival"], 1.0 - row["upper"], 1.0 - row["lower"])
        for row in survival.to_pylist()
    )
    return Curve(name, ((0, 0.0, 0.0, 0.0), *later))
