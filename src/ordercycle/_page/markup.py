"""The page's controls, as HTML: native ones, so that keyboards and screen readers know them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby

from ordercycle._page.charts import MOST_SERIES
from ordercycle._page.content import Content, ShownMetric
from ordercycle._page.numbers import month_name

#: What the metrics begin with.
FIRST_METRICS = (
    "Revenue", "Orders", "Average Order Value", "Customers", "Customer Share",
    "Revenue from Campaigns", "Days Since Last Order",
)  # fmt: skip
#: How many segments are in the chart first, so that one more has room.
CHARTED = 5
COMPARED = {
    "previous_year": "same months a year earlier",
    "previous_period": "months before",
    "nothing": "nothing",
}


def month_options(content: Content, selected: int) -> str:
    """Return the months of a page by year, the latest first."""
    numbers = [one.number for one in reversed(content.months)]
    years = groupby(numbers, key=lambda number: number // 12)
    return "".join(
        f'<optgroup label="{year}">'
        + "".join(option(str(one), month_name(one), is_selected=one == selected) for one in months)
        + "</optgroup>"
        for year, months in years
    )


def compare_options(content: Content) -> str:
    """Return what a period can be compared with."""
    chosen = content.compare or "nothing"
    return "".join(option(key, text, is_selected=key == chosen) for key, text in COMPARED.items())


def choices(content: Content) -> str:
    """Return a box of brands, and one of target actions, each where there is more than one."""
    brands = {"": "all brands"} | {one.brand: one.brand for one in content.slices if one.brand}
    targets = {one.target: one.target for one in content.slices}
    there = (("brand", "Brand", brands), ("target", "Target action", targets))
    return "".join(
        f'<label class="pick">{title} <select name="{key}">'
        + "".join(option(value, text) for value, text in names.items())
        + "</select></label>"
        for key, title, names in there
        if len(names) > 1
    )


def hidden(content: Content) -> str:
    """Return what is chosen without a box of its own: tab, order, and who is in the chart."""
    shown = charted(content)
    values = [("tab", "report"), ("sort", "")]
    values += [("show", name) for name in (*shown, *[""] * (MOST_SERIES - len(shown)))]
    return "".join(
        f'<input type="hidden" name="{key}" value="{escape(value)}">' for key, value in values
    )


def charted(content: Content) -> list[str]:
    """Return the segments that are in the chart first: those with most of the first metric."""
    begin = content.months[0].number
    name = content.metrics[0].above[0]
    table = content.slices[0].cells[""].get(name)
    chosen = set(content.chosen) or {one.name for one in content.segments}
    rows = [row for row, one in enumerate(content.segments) if one.name in chosen]
    if table is None:
        return [content.segments[row].name for row in rows[:CHARTED]]
    shown = table[:, content.first - begin : content.last - begin + 1].sum(axis=1)
    best = sorted((row for row in rows if shown[row] > 0), key=lambda row: -shown[row])[:CHARTED]
    return [content.segments[row].name for row in sorted(best)]


def channels_hint(content: Content) -> str:
    """Return what is to be known of rows of channels, where there are any."""
    if not any(one.channels for one in content.metrics) or not content.channels:
        return ""
    left_out = ", ".join(content.not_by_channel)
    note = f" Of so many months, these are not counted by channel: {left_out}." if left_out else ""
    return (
        '<span class="in-comparison"> Arrows open channels. Channel rows show channel metrics only.'
        f"{escape(note)}</span>"
    )


def unknown_hint(content: Content) -> str:
    """Return what the page has no metrics of, which is not the same as none of it."""
    if not content.unknown:
        return ""
    *others, last = content.unknown
    listed = f"{', '.join(others)} and {last}" if others else last
    return f'<p class="hint">Not counted, as nothing is known of them: {escape(listed)}.</p>'


def campaigns(content: Content) -> str:
    """Return the card of campaigns, to be filled in, where there are any."""
    known = [one for one in content.metrics if one.campaigns]
    if not (content.campaigns and known):
        return ""
    note = (
        '<p class="hint">By what all customers did; in a row, its segments. What a campaign '
        "brought counts on the day on which it was sent, and not on the days of the orders.</p>"
    )
    box = (
        '<select form="controls" name="campaigns" aria-label="Campaigns with most">'
        f"{metric_choices(known)}</select>"
    )
    return (
        '<section class="card flush" id="campaigns" aria-labelledby="campaigns-title">'
        f'<div class="card-head"><div><h2 id="campaigns-title">Top campaigns</h2>{note}</div>{box}'
        '</div><div class="scroller" tabindex="0" role="region" '
        'aria-label="Numbers of each campaign"><table id="campaigns-table" class="report"></table>'
        '</div><p id="campaigns-more" class="load"></p></section>'
    )


def cubes(packed: Iterable[str]) -> str:
    """Return the numbers of each view, which no browser runs."""
    return "\n".join(
        f'<script type="text/plain" id="cube-{number}">{cube}</script>'
        for number, cube in enumerate(packed)
    )


def presets(content: Content) -> str:
    """Return buttons for the periods that are asked for most."""
    first, last = content.months[0].number, content.months[-1].number
    year = 12 * (last // 12)
    wanted = {
        "Last month": (last, last),
        "3 months": (last - 2, last),
        "12 months": (last - 11, last),
        "This year": (year, last),
        "Last year": (year - 12, year - 1),
        "All": (first, last),
    }
    return "".join(
        f'<button type="button" data-do="months" value="{start} {end}">{name}</button>'
        for name, (start, end) in wanted.items()
        if first <= start <= end
    )


def segment_options(content: Content) -> str:
    """Return a checkbox and a toggle for the chart per segment, under the names of their groups."""
    chosen = set(content.chosen) or {one.name for one in content.segments}
    name = content.all_customers
    html = [f'<div class="option"><label>{named(name)}</label>{_toggle(name)}</div>']
    for group, segments in groupby(content.segments, key=lambda one: one.group):
        html.append(f'<p class="label">{named(group)}</p>' if group else "")
        for segment in segments:
            checked = " checked" if segment.name in chosen else ""
            html.append(
                '<div class="option"><label><input type="checkbox" name="segment" '
                f'value="{escape(segment.name)}"{checked}>{named(segment.name)}</label>'
                f"{_toggle(segment.name)}</div>"
            )
    return "".join(html)


def metric_options(metrics: Sequence[ShownMetric], *, many: bool) -> str:
    """Return a checkbox per metric, or a radio button, under the names of their groups."""
    names = {one.name for one in metrics}
    first = [name for name in FIRST_METRICS if name in names] or [metrics[0].name]
    checked = set(first) if many else {first[0]}
    kind, field = ("checkbox", "metric") if many else ("radio", "dynamic")
    html = []
    groups = dict.fromkeys(one.group for one in metrics)
    for group in groups:
        html.append(f'<p class="label">{escape(group)}</p>')
        for one in metrics:
            if one.group != group:
                continue
            mark = " checked" if one.name in checked else ""
            html.append(
                f'<div class="option"><label><input type="{kind}" name="{field}" '
                f'value="{escape(one.export)}"{mark}>{named(one.name)}</label></div>'
            )
    return "".join(html)


def metric_choices(metrics: Iterable[ShownMetric]) -> str:
    """Return the metrics as options of a box."""
    return "".join(option(one.export, one.name) for one in metrics)


def about(facts: Mapping[str, str], licences: str) -> str:
    """Return what a reader may want to know of the page itself."""
    items = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items()
    )
    return (
        f"<h2>About this page</h2><dl>{items}</dl><details><summary>Licences</summary>"
        f"<pre>{escape(licences)}</pre></details>"
    )


def _toggle(name: str) -> str:
    return (
        f'<button type="button" class="show" data-do="show" value="{escape(name)}" '
        f'aria-pressed="false" aria-label="Show {escape(name)} in the chart"></button>'
    )


def option(value: str, text: str, *, is_selected: bool = False) -> str:
    """Return what can be chosen in a box."""
    mark = " selected" if is_selected else ""
    return f'<option value="{escape(value)}"{mark}>{escape(text)}</option>'


def named(text: str) -> str:
    """Return a name that may be in any script and direction."""
    return f'<bdi class="name">{escape(text)}</bdi>'
