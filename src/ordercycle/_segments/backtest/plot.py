"""Pictures of backtests, by matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING = 'pictures are drawn by matplotlib; install it with pip install "ordercycle[plot]"'
ACTUAL_COLOUR = "0.25"
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


def draw_tracking(test: Tables, ax: Axes | None) -> Axes:
    """Draw the orders of each week, foretold and actual."""
    ax = _axes(ax)
    table = test.tracking()
    weeks = table["week"].to_numpy()
    ax.plot(weeks, table["actual"].to_numpy(), color=ACTUAL_COLOUR, label="actual")
    for place, name in enumerate(table.column_names[2:]):
        ax.plot(weeks, table[name].to_numpy(), color=f"C{place}", linestyle="--", label=name)
    ax.set_ylim(bottom=0)
    return _finish(ax, f"Order days by week after {test.split_day}", "week", "order days")


def draw_frequency(test: Tables, ax: Axes | None) -> Axes:
    """Draw the mean orders of customers by how often they had ordered again."""
    ax = _axes(ax)
    table = test.by_frequency()
    frequency = table["frequency"].to_numpy()
    ax.plot(frequency, table["actual"].to_numpy(), color=ACTUAL_COLOUR, marker="o", label="actual")
    for place, name in enumerate(table.column_names[3:]):
        values = table[name].to_numpy()
        ax.plot(frequency, values, color=f"C{place}", linestyle="--", marker=".", label=name)
    labels = [f"{one}+" if one == frequency[-1] and one > 6 else str(one) for one in frequency]
    ax.set_xticks(frequency, labels)
    title = f"Order days of a customer after {test.split_day}"
    return _finish(ax, title, "repeat order days before", "order days, mean")


def draw_gain(test: Tables, ax: Axes | None) -> Axes:
    """Draw the share of all value that the best so many customers brought."""
    ax = _axes(ax)
    place = 0
    for name, values in test._gains().items():  # noqa: SLF001 - its pictures are part of it
        size, total = values.size, float(values.sum())
        if not size or total == 0:
            continue
        points = np.unique(np.linspace(0, size, min(size, MOST_POINTS) + 1).astype(np.int64))
        gained = np.concatenate([[0.0], np.cumsum(values)])[points] / total
        is_best = name == "best"
        ax.plot(
            points / size,
            gained,
            color=ACTUAL_COLOUR if is_best else f"C{place}",
            linestyle="-" if is_best else "--",
            label="the best possible" if is_best else name,
        )
        place += not is_best
    ax.plot([0, 1], [0, 1], color="0.8", linewidth=1, label="by chance")
    title = f"What the customers foretold as the best brought after {test.split_day}"
    return _finish(ax, title, "share of customers", "share of value")


def draw_reliability(test: Tables, ax: Axes | None) -> Axes:
    """Draw how many customers ordered, by the probability foretold."""
    ax = _axes(ax)
    ax.plot([0, 1], [0, 1], color="0.8", linewidth=1, label="as foretold")
    table = test.reliability()
    for place, name in enumerate(dict.fromkeys(table["model"].to_pylist())):
        of_it = table.filter(pc.equal(table["model"], name))
        means, shares = of_it["predicted"].to_numpy(), of_it["actual"].to_numpy()
        ax.plot(means, shares, color=f"C{place}", marker="o", linestyle="--", label=name)
    title = f"Customers who ordered after {test.split_day}"
    return _finish(ax, title, "probability foretold", "share who ordered")


DRAWN: dict[str, Callable[[Any, Any], Any]] = {
    "tracking": draw_tracking,
    "frequency": draw_frequency,
    "gain": draw_gain,
    "reliability": draw_reliability,
}


def _axes(ax: Axes | None) -> Axes:
    """Return the axes to draw on; new ones belong to pyplot, so that notebooks show them."""
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        raise ImportError(MISSING) from None
    return plt.subplots(figsize=(9, 5), layout="constrained")[1] if ax is None else ax


def _finish(ax: Axes, title: str, across: str, up: str) -> Axes:
    ax.set_title(title, loc="left")
    ax.set_xlabel(across)
    ax.set_ylabel(up)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax
