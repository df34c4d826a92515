"""Pictures of backtests: what is drawn of their tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._page.charts import LIGHT
from ordercycle._page.scored_charts import Titles, forecasts

if TYPE_CHECKING:
    from altair import LayerChart

ACTUAL, BEST = "actual", "the best possible"
#: Points of a gain curve: more cannot be told apart.
MOST_POINTS = 1_000


class Tables(Protocol):
    """What is drawn of a backtest."""

    @property
    def split_day(self) -> Any: ...
    def tracking(self) -> pa.Table: ...
    def by_frequency(self) -> pa.Table: ...
    def reliability(self) -> pa.Table: ...
    def _gains(self) -> dict[str, NDArray[np.float64]]: ...


def draw_tracking(test: Tables) -> LayerChart:
    """Draw the orders of each week, foretold and actual."""
    table = test.tracking()
    return forecasts(
        LIGHT,
        list(_lines(table, "week", table.column_names[1:])),
        table.column_names[2:],
        Titles(f"Order days by week after {test.split_day}", "week", "order days"),
        wanted=ACTUAL,
    )


def draw_frequency(test: Tables) -> LayerChart:
    """Draw the mean orders of customers by how often they had ordered again."""
    table = test.by_frequency()
    frequency = table["frequency"].to_pylist()
    labels = [f"{one}+" if one == frequency[-1] and one > 6 else str(one) for one in frequency]
    table = table.set_column(0, "frequency", pa.array(labels, pa.string()))
    return forecasts(
        LIGHT,
        list(_lines(table, "frequency", table.column_names[2:])),
        table.column_names[3:],
        Titles(
            f"Order days of a customer after {test.split_day}",
            "repeat order days before",
            "order days, mean",
        ),
        wanted=ACTUAL,
        has_points=True,
    )


def draw_gain(test: Tables) -> LayerChart:
    """Draw the share of all value that the best so many customers brought."""
    rows: list[dict[str, Any]] = []
    gains = test._gains()  # noqa: SLF001 - its pictures are part of it
    for name, values in gains.items():
        size, total = values.size, float(values.sum())
        if not size or total == 0:
            continue
        points = np.unique(np.linspace(0, size, min(size, MOST_POINTS) + 1).astype(np.int64))
        gained = np.concatenate([[0.0], np.cumsum(values)])[points] / total
        shown = BEST if name == "best" else name
        rows += (
            {"name": shown, "at": float(at), "value": float(value)}
            for at, value in zip(points / size, gained, strict=True)
        )
    return forecasts(
        LIGHT,
        rows,
        [name for name in gains if name != "best"],
        Titles(
            f"What the customers foretold as the best brought after {test.split_day}",
            "share of customers",
            "share of value",
        ),
        wanted=BEST,
        diagonal="by chance",
        is_share=True,
    )


def draw_reliability(test: Tables) -> LayerChart:
    """Draw how many customers ordered, by the probability foretold."""
    table = test.reliability().select(["model", "predicted", "actual"])
    rows = table.rename_columns(["name", "at", "value"]).to_pylist()
    return forecasts(
        LIGHT,
        rows,
        list(dict.fromkeys(table["model"].to_pylist())),
        Titles(
            f"Customers who ordered after {test.split_day}",
            "probability foretold",
            "share who ordered",
        ),
        diagonal="as foretold",
        is_share=True,
        has_points=True,
    )


DRAWN: dict[str, Callable[[Any], LayerChart]] = {
    "tracking": draw_tracking,
    "frequency": draw_frequency,
    "gain": draw_gain,
    "reliability": draw_reliability,
}


def _lines(table: pa.Table, across: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the points of some columns over another."""
    at = table[across].to_pylist()
    for name in names:
        for place, value in zip(at, table[name].to_pylist(), strict=True):
            yield {"name": name, "at": place, "value": value}
