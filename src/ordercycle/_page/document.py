"""The page as one file."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib import resources
from string import Template

from ordercycle._page import charts, markup, vega, views
from ordercycle._page.charts import MOST_SERIES, PAGE
from ordercycle._page.content import Content
from ordercycle._page.encoding import as_json, cubes_of, head_of, packed
from ordercycle._page.numbers import day_name, month_name

#: In this order they are one script.
SCRIPTS = ("cube.js", "format.js", "tables.js", "charts.js", "page.js")
MOST_SEGMENTS = 30


def document(content: Content) -> str:
    """Return the whole page: it needs nothing else, and asks no network for anything."""
    drawn = vega.script()
    script = _script()
    there = views.views(content)
    metrics, cubes = content.metrics, [packed(one) for one in cubes_of(content)]
    return Template(_asset("page.html")).substitute(
        policy=_policy(drawn, script),
        title=escape(content.title),
        style=_asset("page.css"),
        as_of=day_name(content.as_of),
        file=escape(re.sub(r"[^\w-]+", "-", content.title).strip("-").lower() or "segments"),
        presets=markup.presets(content),
        first_months=markup.month_options(content, content.first),
        last_months=markup.month_options(content, content.last),
        compares=markup.compare_options(content),
        hidden=markup.hidden(content),
        choices=markup.choices(content),
        channels=markup.channels_hint(content),
        unknown=markup.unknown_hint(content),
        campaigns=markup.campaigns(content),
        segments=markup.segment_options(content),
        metrics=markup.metric_options(metrics, many=True),
        metric=markup.metric_options(metrics, many=False),
        chart_metrics=markup.metric_choices(metrics),
        beside_metrics=markup.metric_choices(metrics),
        tabs=views.tabs(there),
        panels=views.panels(there),
        noscript=f"<noscript>{content.plain}</noscript>",
        about=markup.about(_about(content, cubes), vega.licences()),
        most_segments=MOST_SEGMENTS,
        most_series=MOST_SERIES,
        head=as_json(head_of(content)),
        cubes=markup.cubes(cubes),
        specs=_specifications(),
        vega=drawn,
        script=script,
    )


def framed(page: str) -> str:
    """Return a page within another one, such as a notebook, to which it has no access."""
    return (
        f'<iframe srcdoc="{escape(page)}" sandbox="allow-scripts allow-downloads" '
        'style="width:100%;height:900px;border:0" title="Segments"></iframe>'
    )


def _about(content: Content, cubes: Sequence[str]) -> dict[str, str]:
    """Return what a reader may ask of the page; the same numbers have the same digest."""
    first, last = content.months[0].number, content.months[-1].number
    small = f"fewer than {content.min_customers} customers are not shown"
    return {
        "Months": f"{month_name(first)} – {month_name(last)}",
        "Last day": day_name(content.as_of),
        "Currency": content.currency,
        "Segments": str(len(content.segments)),
        **({"Small numbers": small} if content.min_customers > 1 else {}),
        "Customers": "none are in this file: it holds sums per segment and month",
        "Digest of the numbers": hashlib.sha256("".join(cubes).encode()).hexdigest()[:16],
    }


def _policy(*scripts: str) -> str:
    """Return what the page may do: run these scripts and nothing that comes from elsewhere.

    Styles within elements are allowed because Vega sets them in what it draws.
    """
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
        "trusted-types 'none'"
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _asset(name: str) -> str:
    return (resources.files("ordercycle._page") / "assets" / name).read_text(encoding="utf-8")


@cache
def _specifications() -> str:
    """Return the charts, which are the same in every page."""
    return as_json(
        {
            "lines": vega.specification(charts.lines(PAGE)),
            "bars": vega.specification(charts.bars(PAGE)),
            "sparkline": vega.specification(charts.sparkline(PAGE)),
            "flows": charts.flows(PAGE),
        }
    )


@cache
def _script() -> str:
    parts = "".join(_asset(name) for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'
