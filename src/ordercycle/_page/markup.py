"""The page's controls, as HTML: native ones, so that keyboards and screen readers know them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby

from ordercycle._page.content import Content, ShownMetric

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: What the metrics begin with.
FIRST_METRICS = (
    "Revenue", "Orders", "Average Order Value", "Customers", "Customer Share",
    "Revenue from Campaigns", "Days Since Last Order",
)  # fmt: skip
COMPARED = {
    "previous_year": "same months a year earlier",
    "previous_period": "months before",
    "nothing": "nothing",
}


def month_name(number: int) -> str:
    """Return a month, counted as 12 * year + month - 1, as people write it."""
    return f"{MONTHS[number % 12]} {number // 12}"


def month_options(content: Content, selected: int) -> str:
    """Return the months of a page by year, the latest first."""
    numbers = [one.number for one in reversed(content.months)]
    years = groupby(numbers, key=lambda number: number // 12)
    return "".join(
        f'<optgroup label="{year}">'
        + "".join(_option(str(one), month_name(one), is_selected=one == selected) for one in months)
        + "</optgroup>"
        for year, months in years
    )


def compare_options(content: Content) -> str:
    """Return what a period can be compared with."""
    chosen = content.compare or "nothing"
    return "".join(_option(key, text, is_selected=key == chosen) for key, text in COMPARED.items())


def choices(content: Content) -> str:
    """Return a box of brands, and one of target actions, each where there is more than one."""
    brands = {"": "all brands"} | {one.brand: one.brand for one in content.slices if one.brand}
    targets = {one.target: one.target for one in content.slices}
    there = (("brand", "Brand", brands), ("target", "Target action", targets))
    return "".join(
        f'<label class="pick">{title} <select name="{key}">'
        + "".join(_option(value, text) for value, text in names.items())
        + "</select></label>"
        for key, title, names in there
        if len(names) > 1
    )


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
        f'<button type="button" data-months="{start} {end}">{name}</button>'
        for name, (start, end) in wanted.items()
        if first <= start <= end
    )


def segment_options(content: Content) -> str:
    """Return a checkbox and a toggle for the chart per segment, under the names of their groups."""
    chosen = set(content.chosen) or {one.name for one in content.segments}
    everybody = len(content.segments)
    name = content.all_customers
    html = [
        f'<div class="option"><label>{_named(name)}</label>{_toggle(name, everybody)}</div>'
    ]  # fmt: skip
    numbered = enumerate(content.segments)
    for group, segments in groupby(numbered, key=lambda item: item[1].group):
        html.append(f'<p class="label">{_named(group)}</p>' if group else "")
        for row, segment in segments:
            checked = " checked" if segment.name in chosen else ""
            html.append(
                f'<div class="option"><label><input type="checkbox" name="segment" value="{row}"'
                f"{checked}>{_named(segment.name)}</label>{_toggle(segment.name, row)}</div>"
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
                f'value="{escape(one.export)}"{mark}>{_named(one.name)}</label></div>'
            )
    return "".join(html)


def metric_choices(metrics: Iterable[ShownMetric]) -> str:
    """Return the metrics as options of a box."""
    return "".join(_option(one.export, one.name) for one in metrics)


def tabs(content: Content) -> str:
    """Return the tabs of the views that there are."""
    there = {
        "report": ("Report", True),
        "map": ("Lifecycle map", content.moves),
        "rfm": ("RFM", content.grid),
        "cohorts": ("Cohorts", content.cohorts),
    }
    return "".join(
        f'<button type="button" role="tab" id="tab-{key}" aria-controls="{key}">{name}</button>'
        for key, (name, is_there) in there.items()
        if is_there
    )


def panels(content: Content) -> str:
    """Return the views beside the report, to be filled in."""
    html = []
    if content.moves:
        html.append(
            _panel(
                "map",
                _card("Who moved where", '<p class="hint" id="map-note"></p>')
                + '<div id="flows" class="plot" role="img" '
                'aria-label="Who moved where; all numbers are in the table below"></div></section>'
                + _card("The same as numbers")
                + _heats("map-table", "The same as numbers")
                + "</section>",
            )
        )
    if content.grid:
        box = _values("grid-value", content.grid.values)
        note = f'<p class="hint">{escape(content.grid.note)}</p>'
        table = _heats("grid-table", content.grid.title)
        html.append(_panel("rfm", _card(content.grid.title, note, box) + table + "</section>"))
    if content.cohorts:
        box = _values("cohort-value", content.cohorts.values)
        note = '<p class="hint">Of the buyers of each first month, by months since.</p>'
        table = _heats("cohort-table", "Who comes back")
        html.append(_panel("cohorts", _card("Who comes back", note, box) + table + "</section>"))
    return "".join(html)


def about(facts: Mapping[str, str], licences: str) -> str:
    """Return what a reader may want to know of the page itself."""
    items = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items()
    )
    return (
        f"<h2>About this page</h2><dl>{items}</dl><details><summary>Licences</summary>"
        f"<pre>{escape(licences)}</pre></details>"
    )


def _panel(key: str, inner: str) -> str:
    return f'<div id="{key}" role="tabpanel" aria-labelledby="tab-{key}" hidden>{inner}</div>'


def _card(title: str, note: str = "", box: str = "") -> str:
    return (
        f'<section class="card"><div class="card-head"><div><h2>{escape(title)}</h2>{note}</div>'
        f"{box}</div>"
    )


def _heats(key: str, title: str) -> str:
    return (
        f'<div class="scroller" tabindex="0" role="region" aria-label="{escape(title)}: table">'
        f'<table class="heats" id="{key}"></table></div>'
    )


def _values(key: str, names: Iterable[str]) -> str:
    options = "".join(_option(name, name) for name in names)
    return f'<select id="{key}" aria-label="Numbers shown">{options}</select>'


def _toggle(name: str, row: int) -> str:
    return (
        f'<button type="button" class="show" data-row="{row}" aria-pressed="false" '
        f'aria-label="Show {escape(name)} in the chart"></button>'
    )


def _option(value: str, text: str, *, is_selected: bool = False) -> str:
    mark = " selected" if is_selected else ""
    return f'<option value="{escape(value)}"{mark}>{escape(text)}</option>'


def _named(text: str) -> str:
    return f'<bdi class="name">{escape(text)}</bdi>'
