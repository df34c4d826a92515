"""Pictures of the report, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ordercycle._report.metric_values import Reported
from ordercycle._report.metrics import SHARE, Metric
from ordercycle._report.months import Months, Period
from ordercycle._report.rendering import formatted
from ordercycle._report.report_spec import ALL_CUSTOMERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING = 'pictures are drawn by matplotlib; install it with pip install "ordercycle[plot]"'
#: Dashes tell lines apart once the colours of matplotlib's cycle come again.
COLOURS, DASHES = 10, ("-", "--", ":")
BAR_WIDTH = 0.4


def draw_dynamics(metric: Metric, months: Sequence[Reported], ax: Axes | None) -> Axes:
    """Draw a line per segment over the months; segments without any value have none."""
    ax = _axes(ax, (9, 5))
    from matplotlib import dates

    concise: Any = dates.ConciseDateFormatter
    days: list[Any] = [month.period.first_day for month in months]
    by_month = [month.values(metric) for month in months]
    for row, name in enumerate(months[0].rows):
        values = [of_month[row] for of_month in by_month]
        if name == ALL_CUSTOMERS or not any(value is not None for value in values):
            continue
        # A month without a value is a gap in the line.
        drawn: list[Any] = [float("nan") if value is None else value for value in values]
        ax.plot(
            days, drawn, label=name, color=f"C{row % COLOURS}",
            linestyle=DASHES[row // COLOURS % len(DASHES)],
            marker="o" if len(days) <= 24 else "", markersize=3,
        )  # fmt: skip
    ax.xaxis.set_major_formatter(concise(ax.xaxis.get_major_locator()))
    _finish(ax, metric, ax.yaxis, f"{metric.name}, {_span(months)}")
    if ax.lines:
        ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def draw_comparison(
    metric: Metric, reported: Reported, previous: Reported | None, ax: Axes | None
) -> Axes:
    """Draw a bar per segment for the period, above one for the prior period."""
    ax = _axes(ax, (9, 1.5 + 0.4 * len(reported.rows)))
    names = [name for name in reported.rows if name != ALL_CUSTOMERS]
    shown = [reported] if previous is None else [reported, previous]
    for place, one in enumerate(shown):
        values = one.values(metric)[: len(names)]
        offset = (place - (len(shown) - 1) / 2) * BAR_WIDTH
        places = [row + offset for row in range(len(names))]
        bars = ax.barh(
            places,
            [0.0 if value is None else value for value in values],
            BAR_WIDTH,
            label=str(one.period),
            color="C0" if place == 0 else "0.75",
        )
        ax.bar_label(bars, [formatted(metric, value) for value in values], padding=3, fontsize=8)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()  # the first segment on top
    ax.margins(x=0.2)  # room for the numbers at the ends of the bars
    # The legend says of when the bars are, on a line of its own: titles can be long.
    _finish(ax, metric, ax.xaxis, metric.name, pad=22)
    ax.legend(
        frameon=False, fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0, 1),
        borderaxespad=0.2, borderpad=0.2,
    )  # fmt: skip
    return ax


def _span(months: Sequence[Reported]) -> Period:
    """Return the period of consecutive months."""
    ends = Months(months[0].period.months.first, months[-1].period.months.last)
    return Period(ends, months[-1].period.last_day)


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the axes to draw on; new ones belong to pyplot, so that notebooks show them."""
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        raise ImportError(MISSING) from None
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def _finish(ax: Axes, metric: Metric, axis: Any, title: str, pad: float | None = None) -> None:
    """Say what the values are."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _place: _on_axis(metric, value)))
    axis.set_label_text("" if metric.unit == SHARE else metric.unit)
    ax.set_title(title, loc="left", pad=pad)
    ax.spines[["top", "right"]].set_visible(False)


def _on_axis(metric: Metric, value: float) -> str:
    """Return a tick's label: no more digits than it takes."""
    return f"{value:.0%}" if metric.unit == SHARE else f"{value:,.10g}"
