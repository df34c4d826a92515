"""Charts of forecasts beside what came, declared in Vega-Lite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ordercycle._page.charts import (
    DASHES,
    MOST_SERIES,
    Colours,
    Rows,
    _axis,
    _data,
    _finished,
)
from ordercycle._page.vega import altair

if TYPE_CHECKING:
    from altair import LayerChart

WIDTH, HEIGHT = 640, 320


def _dash(place: int) -> Sequence[int]:
    """Return the dashes of a line: others where its colour comes again."""
    return DASHES[(place + place // MOST_SERIES * (MOST_SERIES // 2)) % MOST_SERIES]


class Titles(NamedTuple):
    """What a chart and its axes are called."""

    chart: str
    across: str
    up: str


def forecasts(
    colours: Colours,
    rows: Rows,
    names: Sequence[str],
    titles: Titles,
    *,
    wanted: str | None = None,
    diagonal: str | None = None,
    is_share: bool = False,
    has_points: bool = False,
) -> LayerChart:
    """Draw a line per forecast, and what came as a line of its own.

    Parameters
    ----------
    colours
        What to draw with.
    rows
        ``name``, ``at`` (a number, or text in the order of the rows) and ``value``, null where
        there is none.
    names
        The forecasts, in the order of the legend; behind the first six, colours come again.
    titles
        Of the chart and its axes.
    wanted
        The name of what came, or would be best: before the forecasts, in the colour of text.
    diagonal
        What the line from (0, 0) to (1, 1) means; None: there is none.
    is_share
        Whether both axes are shares.
    has_points
        Whether the points of lines are drawn.
    """
    alt = altair()
    first = [one for one in (wanted, diagonal) if one is not None]
    plain = [colours.text] * (wanted is not None) + [colours.muted] * (diagonal is not None)
    places = range(len(names))
    colour = alt.Color(
        "name:N",
        scale=alt.Scale(
            domain=[*first, *names],
            range=[*plain, *(colours.series[place % MOST_SERIES] for place in places)],
        ),
        legend=alt.Legend(title=None, labelLimit=0, symbolType="stroke", symbolStrokeWidth=2.2),
    )
    dash = alt.StrokeDash(
        "name:N",
        scale=alt.Scale(
            domain=[*first, *names],
            range=[[1, 0]] * len(first) + [_dash(place) for place in places],
        ),
        legend=None,
    )
    is_number = not rows or not isinstance(rows[0]["at"], str)
    form = ".0%" if is_share else "~s"
    x = alt.X(
        "at:Q" if is_number else "at:O",
        sort=None,
        axis=alt.Axis(title=titles.across, labelAngle=0, grid=False, format=form)
        if is_number
        else alt.Axis(title=titles.across, labelAngle=0),
        scale=alt.Scale(zero=False, nice=False) if is_number else alt.Undefined,
    )
    y = alt.Y("value:Q", title=titles.up, axis=_axis(), scale=alt.Scale(zero=True))
    base = alt.Chart(_data("rows", rows)).encode(x=x, y=y, color=colour)
    number = ".1%" if is_share else ",.4~g"
    tips = [
        alt.Tooltip("name:N", title=" "),
        alt.Tooltip("at:Q", title=titles.across, format=number)
        if is_number
        else alt.Tooltip("at:O", title=titles.across),
        alt.Tooltip("value:Q", title=titles.up, format=number),
    ]
    layers: list[Any] = []
    if diagonal is not None:
        ends = [{"name": diagonal, "at": place, "value": place} for place in (0, 1)]
        even = alt.Chart(_data("even", ends)).encode(x=x, y=y, color=colour)
        layers.append(even.mark_line(strokeWidth=1))
    layers.append(base.mark_line(strokeWidth=2.2).encode(strokeDash=dash))
    size, opacity = (50, 1) if has_points else (120, 0)
    layers.append(base.mark_point(filled=True, size=size, opacity=opacity).encode(tooltip=tips))
    chart = alt.layer(*layers).properties(
        width=WIDTH, height=HEIGHT, title=alt.TitleParams(titles.chart, anchor="start")
    )
    return _finished(chart, colours, is_share=is_share, before="")
