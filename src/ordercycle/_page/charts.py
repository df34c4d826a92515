"""The charts, each declared once in Vega-Lite: for pages, notebooks and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ordercycle._page.vega import altair

if TYPE_CHECKING:
    from altair import LayerChart

Rows: TypeAlias = Sequence[Mapping[str, Any]]

#: Lines that have a colour of their own.
MOST_SERIES = 6
DASHES = ([1, 0], [1, 0], [1, 0], [7, 3], [3, 3], [9, 3, 3, 3])
LABEL_HEIGHT = 16
#: Days on an axis, such as 3 Sep; ticks within a day say nothing.
DAY_LABEL = "utchours(datum.value) ? '' : utcFormat(datum.value, '%-d %b')"
#: Axes: short numbers with a sign before them, such as €1.2M or 40%.
AXIS_TEXT = (
    "share ? format(datum.value, '.0~%') : before + (abs(datum.value) >= 1 "
    "? replace(format(datum.value, '.3~s'), 'k', 'K') : format(datum.value, '.2~f'))"
)
#: Of a move between segments.
KIND_OF_MOVE = (
    "datum.from == none ? 'new' : datum.from == datum.to ? 'stayed' "
    ": datum.to == none || ranks[datum.to] < ranks[datum.from] ? 'down' : 'up'"
)
TEXT_OF_MOVE = (
    "(names[datum.from] || 'New customers') + ' → ' + (names[datum.to] || 'in no segment') "
    "+ ': ' + format(datum.size, ',')"
)


@dataclass(frozen=True)
class Colours:
    """What a chart is drawn with: names of CSS variables, or colours."""

    text: str
    muted: str
    line: str
    card: str
    notice: str
    good: str
    bad: str
    series: tuple[str, ...]
    font: str


#: In a page, styles decide: so light, dark and print need no second drawing.
PAGE = Colours(
    "var(--text)", "var(--muted)", "var(--line)", "var(--card)", "var(--notice-mark)",
    "var(--good)", "var(--bad)", tuple(f"var(--series-{slot})" for slot in range(MOST_SERIES)),
    "system-ui, sans-serif",
)  # fmt: skip
LIGHT = Colours(
    "#1B1F27", "#596273", "#E3E6EB", "#FFFFFF", "#8A6A00", "#0A6E5C", "#A8420B",
    ("#2F6BE0", "#B88400", "#720F46", "#5B299F", "#A52513", "#895880"), "sans-serif",
)  # fmt: skip


def isolated(name: str) -> str:
    """Return the expression of a name that may be in any direction, beside other text."""
    return f"'\u2068' + {name} + '\u2069'"


def lines(
    colours: Colours,
    rows: Rows | None = None,
    marks: Rows | None = None,
    *,
    series: int = MOST_SERIES,
    is_share: bool = False,
    before: str = "",
) -> LayerChart:
    """Draw a line per segment over months, named at its end.

    Parameters
    ----------
    colours
        What to draw with.
    rows
        ``month`` (text), ``slot``, ``name``, ``value``, ``shown``, ``end`` (``"open"`` or
        ``"done"`` at the last value of a line, else null). None: given later, as data `rows`.
    marks
        Months to mark: ``month``, ``text``; as data `marks`.
    series
        How many slots there are; behind the first six, colours come again.
    is_share, before
        How the axis is written.
    """
    alt = altair()
    data = _data("rows", rows)
    known = [] if rows is None else list(dict.fromkeys(row["month"] for row in rows))
    months = alt.param(name="months", value=known)
    month = alt.X(
        "month:O",
        sort=None,
        scale=alt.Scale(type="point", padding=0.1, domain=alt.expr("months")),
        axis=alt.Axis(
            title=None, labelAngle=0, labelOverlap="parity", labelSeparation=8, labelPadding=8
        ),
    )
    value = alt.Y("value:Q", title=None, axis=_axis())
    slots = list(range(series))
    range_of = [colours.series[place % MOST_SERIES] for place in slots]
    dashes = [DASHES[place % MOST_SERIES] for place in slots]
    scale = alt.Scale(domain=slots, range=range_of)
    colour = alt.Color("slot:N", scale=scale, legend=None)
    dash = alt.StrokeDash("slot:N", scale=alt.Scale(domain=slots, range=dashes), legend=None)
    base = alt.Chart(data).encode(x=month)
    drawn = base.mark_line(strokeWidth=2.2, strokeJoin="round").encode(
        y=value, color=colour, strokeDash=dash, detail="name:N"
    )
    ends = (
        base.transform_filter("datum.end != null")
        .mark_point(filled=True, size=60, opacity=1, strokeWidth=2)
        .encode(
            y=value,
            stroke=alt.Stroke("slot:N", scale=scale, legend=None),
            fill=alt.condition("datum.end == 'open'", alt.value(colours.card), colour),
        )
    )  # fmt: skip
    cursor = base.transform_filter("datum.month == cursor").mark_rule(
        strokeDash=[2, 2], color=colours.text
    )
    points = base.mark_point(filled=True, size=160, opacity=0).encode(
        y=value, tooltip=[alt.Tooltip("month:N"), alt.Tooltip("name:N"), alt.Tooltip("shown:N")]
    )
    changed = alt.Chart(_data("marks", marks)).encode(x=month)
    badge = alt.value(8)
    layers = [
        changed.mark_rule(strokeDash=[4, 3], color=colours.notice).encode(
            y=badge, y2=alt.value(alt.expr("height"))
        ),
        changed.mark_point(filled=True, size=240, color=colours.notice, opacity=1).encode(
            y=badge, tooltip=alt.Tooltip("text:N", title=" ")
        ),
        changed.mark_text(color=colours.card, fontWeight="bold", text="!", fontSize=12).encode(
            y=badge
        ),
        cursor,
        drawn,
        points,
        ends,
        _end_labels(base, colours),
    ]
    chart = alt.layer(*layers).add_params(months, alt.param(name="cursor", value=""))
    chart = chart.properties(width=760, height=300)
    return _finished(chart, colours, is_share=is_share, before=before)


def _end_labels(base: Any, colours: Colours) -> Any:
    """Write the names of lines beside their ends, pushed up until none covers another."""
    alt = altair()
    return (
        _pushed(
            base.transform_joinaggregate(top="max(value)", low="min(value)").transform_filter(
                "datum.end != null"
            ),
            f"(max(datum.top, 0) - min(datum.low, 0)) * {LABEL_HEIGHT} / height",
        )
        .transform_calculate(label=f"{isolated('datum.name')} + '  ' + datum.shown")
        .mark_text(align="left", fontSize=12, fontWeight=600, color=colours.text)
        .encode(x=alt.value(alt.expr("width + 14")), y=alt.Y("place:Q", title=None), text="label:N")
    )


def _pushed(ends: Any, step: str) -> Any:
    """Add the places at which labels of values are written, a step apart at least."""
    alt = altair()
    order = [alt.SortField("value"), alt.SortField("slot")]
    return (
        ends.transform_window(rank="row_number()", sort=order)
        .transform_calculate(gap=step, level="datum.value - datum.rank * datum.gap")
        .transform_window(level_so_far="max(level)", sort=order, frame=[None, 0])
        .transform_calculate(place="datum.level_so_far + datum.rank * datum.gap")
    )


def bars(
    colours: Colours,
    rows: Rows | None = None,
    *,
    series: int = MOST_SERIES,
    is_share: bool = False,
    before: str = "",
    with_prior: bool = True,
) -> LayerChart:
    """Draw a bar per segment, above an outlined one for the prior period.

    Parameters
    ----------
    colours
        What to draw with.
    rows
        ``row`` (0, 1, …), ``name``, ``slot``, ``now``, ``shown``, ``prior``, ``change`` (text),
        ``tone`` (``"good"``, ``"bad"`` or ``"flat"``). None: given later, as data `rows`.
    series
        As for :func:`lines`.
    is_share, before
        How the axis is written.
    with_prior
        Whether there is a prior period: its bars have room below.
    """
    alt = altair()
    slots = list(range(series))
    range_of = [colours.series[place % MOST_SERIES] for place in slots]
    colour = {"scale": alt.Scale(domain=slots, range=range_of), "legend": None}
    base = alt.Chart(_data("rows", rows)).encode(
        y=alt.Y("row:O", sort=None, axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    )
    now = alt.X("now:Q", title=None, axis=_axis())
    prior = alt.X("prior:Q", title=None)
    end = {"align": "left", "dx": 7, "fontSize": 12}
    tone = alt.Color(
        "tone:N",
        scale=alt.Scale(
            domain=["good", "bad", "flat"], range=[colours.good, colours.bad, colours.muted]
        ),
        legend=None,
    )
    above = alt.param(name="above", value=-8 if with_prior else 0)
    below = alt.param(name="below", value=11)
    has_value = base.transform_filter("datum.now != null")
    has_prior = base.transform_filter("datum.prior != null")
    layers = [
        has_value.mark_bar(
            height=16, yOffset={"expr": "above"}, cornerRadiusEnd=2
        ).encode(x=now, color=alt.Color("slot:N", **colour)),
        has_prior.mark_bar(
            height=8, yOffset={"expr": "below"}, cornerRadiusEnd=2, strokeWidth=1.5,
            fill="transparent",
        ).encode(x=prior, stroke=alt.Stroke("slot:N", **colour)),
        base.mark_text(fontWeight=600, dy={"expr": "above"}, color=colours.text, **end).encode(
            x=alt.X("place:Q", title=None), text="shown:N"
        ).transform_calculate(place="max(0, isValid(datum.now) ? datum.now : 0)"),
        base.mark_text(dy={"expr": "below"}, **end).encode(
            x=alt.X("place:Q", title=None), text="change:N", color=tone
        ).transform_calculate(place="max(0, isValid(datum.prior) ? datum.prior : 0)"),
        base.mark_text(align="right", color=colours.text, fontSize=13).encode(
            x=alt.value(-12), text="name:N"
        ),
    ]  # fmt: skip
    chart = alt.layer(*layers).add_params(above, below)
    chart = chart.resolve_scale(color="independent", stroke="independent")
    height = 220 if rows is None else 52 * max(1, len(rows))
    chart = chart.properties(width=560, height=height)
    return _finished(chart, colours, is_share=is_share, before=before)


def bands(colours: Colours, rows: Rows, *, across: str, title: str, series: int) -> LayerChart:
    """Draw a line per name within its interval, as shares.

    Parameters
    ----------
    colours
        What to draw with.
    rows
        ``at`` (a number of days, or a day as text), ``slot``, ``name``, ``value``, ``low``,
        ``high``; null where there is none.
    across
        ``"Q"`` where `at` is a number, ``"T"`` where it is a day.
    title
        Of that axis.
    series
        How many slots there are; behind the first six, colours come again.
    """
    alt = altair()
    slots = list(range(series))
    range_of = [colours.series[place % MOST_SERIES] for place in slots]
    colour = alt.Color("slot:N", scale=alt.Scale(domain=slots, range=range_of), legend=None)
    dashes = alt.Scale(domain=slots, range=[DASHES[place % MOST_SERIES] for place in slots])
    is_day = across == "T"  # the same days in every zone
    base = alt.Chart(_data("rows", rows)).encode(
        x=alt.X(
            f"at:{across}",
            axis=alt.Axis(
                title=title,
                titleColor=colours.muted,
                titleFontWeight=400,
                labelAngle=0,
                **({"labelExpr": DAY_LABEL, "labelSeparation": 12} if is_day else {}),
            ),
            **({"scale": alt.Scale(type="utc")} if is_day else {}),
        ),
        detail="slot:N",
    )
    shown = [
        alt.Tooltip(
            f"at:{across}", title=title, **({"timeUnit": "utcyearmonthdate"} if is_day else {})
        ),
        alt.Tooltip("name:N", title=" "),
        *(alt.Tooltip(f"{name}:Q", format=".2%") for name in ("value", "low", "high")),
    ]
    chart = alt.layer(
        base.mark_area(opacity=0.18, interpolate="step-after").encode(
            y=alt.Y("low:Q", title=None, axis=_axis()), y2="high:Q", color=colour
        ),
        base.mark_line(strokeWidth=2.2, interpolate="step-after").encode(
            y=alt.Y("value:Q", title=None),
            color=colour,
            strokeDash=alt.StrokeDash("slot:N", scale=dashes, legend=None),
        ),
        base.mark_point(filled=True, size=120, opacity=0).encode(y="value:Q", tooltip=shown),
        alt.Chart(_data("zero", [{"zero": 0}]))
        .mark_rule(color=colours.muted, strokeDash=[2, 2])
        .encode(y="zero:Q"),
    )
    if series > 1:
        last = (
            base.transform_joinaggregate(top="max(high)", low_end="min(low)")
            .transform_filter("isValid(datum.value)")
            .transform_joinaggregate(end="max(at)", groupby=["slot"])
            .transform_filter("datum.at == datum.end")
        )
        step = f"(max(datum.top, 0) - min(datum.low_end, 0)) * {LABEL_HEIGHT} / height"
        chart += (
            _pushed(last, step)
            .mark_text(align="left", dx=6, fontSize=12, fontWeight=600)
            .encode(y=alt.Y("place:Q", title=None), text="name:N", color=colour)
        )
    return _finished(chart.properties(width=760, height=300), colours, is_share=True, before="")


def sparkline(colours: Colours) -> LayerChart:
    """Draw a small line, given later as data `rows` of ``month``, ``value`` and ``end``."""
    alt = altair()
    base = alt.Chart(_data("rows", None)).encode(
        x=alt.X("month:O", sort=None, axis=None, scale=alt.Scale(type="point", padding=0)),
        y=alt.Y("value:Q", axis=None, scale=alt.Scale(zero=False, nice=False)),
    )
    chart = alt.layer(
        base.mark_line(strokeWidth=1.8, strokeJoin="round", color=colours.series[0]),
        base.transform_filter("datum.end != null").mark_point(
            filled=True, size=26, opacity=1, color=colours.series[0]
        ),
    ).properties(width=110, height=34)
    return _finished(chart, colours, is_share=False, before="")


def flows(colours: Colours) -> dict[str, Any]:
    """Return the picture of who moved from where to where, in Vega: Vega-Lite has no ribbons.

    Data `rows`, given later: ``from`` and ``to`` (places in the order of the segments, behind
    these that of no segment), ``size``. Signals: ``names``, ``from_names`` and ``to_names``, the
    latter two as they are written; ``ranks`` of the segments, the higher the better; ``none``, the
    place of no segment.
    """
    space = "12 * height / 480"
    sides = []
    for side, x, align, dx in (
        ("from", {"value": 0}, "right", -8),
        ("to", {"signal": "width - 10"}, "left", 18),
    ):
        top = {"signal": f"scale('size', datum.{side}_low) + datum.{side} * space"}
        bottom = {"signal": f"scale('size', datum.{side}_high) + datum.{side} * space"}
        middle = {
            "signal": f"scale('size', (datum.{side}_low + datum.{side}_high) / 2) "
            f"+ datum.{side} * space"
        }
        data = f"{side}_nodes"
        name = isolated(f"{side}_names[datum.{side}]")
        sides += [
            {
                "type": "rect",
                "from": {"data": data},
                "encode": {
                    "update": {
                        "x": x, "width": {"value": 10}, "y": top, "y2": bottom,
                        "fill": {"value": colours.text},
                    }
                },
            },
            {
                "type": "text",
                "from": {"data": data},
                "encode": {
                    "update": {
                        "x": x, "dx": {"value": dx}, "y": middle, "align": {"value": align},
                        "baseline": {"value": "middle"}, "fill": {"value": colours.text},
                        "fontSize": {"value": 13}, "font": {"value": colours.font},
                        "text": {"signal": f"{name} + '  ' + datum.shown"},
                    }
                },
            },
        ]  # fmt: skip
    nodes = [
        {
            "name": f"{side}_nodes",
            "source": "rows",
            "transform": [
                {
                    "type": "aggregate",
                    "groupby": [side],
                    "fields": [f"{side}_low", f"{side}_high", "size"],
                    "ops": ["min", "max", "sum"],
                    "as": [f"{side}_low", f"{side}_high", "size"],
                },
                {
                    "type": "formula",
                    "as": "shown",
                    "expr": "datum.size < 1000 ? format(datum.size, ',') : "
                    "replace(format(datum.size, '.3~s'), 'k', 'K')",
                },
            ],
        }
        for side in ("from", "to")
    ]
    start, stop = (
        f"scale('size', (datum.{side}_low + datum.{side}_high) / 2) + datum.{side} * space"
        for side in ("from", "to")
    )
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "width": 760,
        "height": 480,
        "padding": {"left": 170, "right": 190, "top": 12, "bottom": 12},
        "autosize": "none",
        "signals": [
            {"name": "space", "update": space},
            {"name": "none", "value": 0},
            *({"name": name, "value": []} for name in ("names", "from_names", "to_names", "ranks")),
        ],
        "data": [
            {
                "name": "rows",
                "transform": [
                    {
                        "type": "stack",
                        "field": "size",
                        "sort": {"field": ["from", "to"]},
                        "as": ["from_low", "from_high"],
                    },
                    {
                        "type": "stack",
                        "field": "size",
                        "sort": {"field": ["to", "from"]},
                        "as": ["to_low", "to_high"],
                    },
                ],
            },
            *nodes,
            {
                "name": "ribbons",
                "source": "rows",
                "transform": [
                    {"type": "formula", "as": "kind", "expr": KIND_OF_MOVE},
                    {"type": "formula", "as": "text", "expr": TEXT_OF_MOVE},
                    {"type": "formula", "as": "y0", "expr": start},
                    {"type": "formula", "as": "y1", "expr": stop},
                    {
                        "type": "formula",
                        "as": "thick",
                        "expr": "max(0.75, scale('size', datum.from_high) "
                        "- scale('size', datum.from_low))",
                    },
                    {
                        "type": "linkpath",
                        "orient": "horizontal",
                        "shape": "diagonal",
                        "sourceX": {"expr": "10"},
                        "sourceY": "y0",
                        "targetX": {"expr": "width - 10"},
                        "targetY": "y1",
                    },
                ],
            },
        ],
        "scales": [
            {
                "name": "size",
                "type": "linear",
                "domain": {"data": "rows", "field": "from_high"},
                "domainMin": 0,
                "range": [0, {"signal": "max(10, height - none * space)"}],
            },
            {
                "name": "kind",
                "type": "ordinal",
                "domain": ["stayed", "up", "down", "new"],
                "range": [colours.muted, colours.good, colours.bad, colours.series[0]],
            },
        ],
        "marks": [
            {
                "type": "path",
                "from": {"data": "ribbons"},
                "encode": {
                    "update": {
                        "path": {"field": "path"},
                        "stroke": {"scale": "kind", "field": "kind"},
                        "strokeWidth": {"field": "thick"},
                        "strokeOpacity": {"signal": "datum.kind == 'stayed' ? 0.22 : 0.55"},
                        "fill": {"value": "transparent"},
                        "tooltip": {"field": "text"},
                    },
                    "hover": {"strokeOpacity": {"value": 0.8}},
                },
            },
            *sides,
        ],
    }


def _data(name: str, rows: Rows | None) -> Any:
    alt = altair()
    return alt.NamedData(name=name) if rows is None else alt.InlineData(values=list(rows))


def _axis() -> Any:
    return altair().Axis(
        labelExpr=AXIS_TEXT,
        tickCount=5,
        labelPadding=8,
        labelOverlap="greedy",
        labelSeparation=8,
        domain=False,
        ticks=False,
    )


def _finished(chart: Any, colours: Colours, *, is_share: bool, before: str) -> LayerChart:
    alt = altair()
    params = [alt.param(name="share", value=is_share), alt.param(name="before", value=before)]
    finished: LayerChart = (
        chart.add_params(*params)
        .configure(font=colours.font, background="transparent", aria=False)
        .configure_view(stroke=None)
        .configure_title(anchor="start", color=colours.text, fontWeight=600, offset=14)
        .configure_axis(
            gridColor=colours.line,
            labelColor=colours.muted,
            labelFontSize=12,
            domainColor=colours.line,
            tickColor=colours.line,
        )
        .configure_axisX(grid=False)
    )
    return finished
