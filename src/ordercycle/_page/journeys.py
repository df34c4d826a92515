"""Journeys and experiments on a page: what it shows of them, and their pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

from ordercycle._page.charts import PAGE, Colours, Rows, bands, bars
from ordercycle._page.numbers import NONE
from ordercycle._page.vega import picture

if TYPE_CHECKING:
    from altair import LayerChart

#: Pictures are as large as phones have room for, and names in them as long.
WIDTH, BAND_HEIGHT, MOST_LETTERS = 330, 210, 18


@dataclass(frozen=True)
class Column:
    """A column of a table that is written with the page; unit: as of metrics, or "text"."""

    name: str
    unit: str


@dataclass(frozen=True)
class Table:
    """Rows of names and values; None where there is no value."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[float | str | None, ...]], ...]


@dataclass(frozen=True)
class Curve:
    """Points of a line within its interval: at, value, low, high."""

    name: str
    points: tuple[tuple[int | str, float | None, float | None, float | None], ...]


@dataclass(frozen=True)
class ShownJourney:
    """What a journey came to.

    reached: by step, how many entries came to it; curves: the share converted, by days after the
    entry.
    """

    name: str
    note: str
    metrics: Table
    steps: Table
    reached: tuple[tuple[str, int | None], ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class ShownExperiment:
    """What arms did; paths: differences of the rate beside control, by day."""

    name: str
    note: str
    control: str
    arms: Table
    paths: tuple[Curve, ...]


def funnel(colours: Colours, reached: Iterable[tuple[str, int | None]], of: str) -> LayerChart:
    """Draw a bar for each step that was reached; of: whose they are."""
    rows = [
        {
            "row": place,
            "slot": 0,
            "name": name,
            "now": count,
            "prior": None,
            "shown": NONE if count is None else f"{count:,}",
            "change": "",
            "tone": "flat",
        }
        for place, (name, count) in enumerate(reached)
    ]
    return bars(colours, rows, series=1, with_prior=False).properties(title=f"Steps reached: {of}")


def converted(colours: Colours, curves: Sequence[Curve], of: str) -> LayerChart:
    """Draw the shares that have converted, by day, within their intervals."""
    chart = bands(
        colours, _points(curves), across="Q", title="days after entry", series=len(curves)
    )
    return chart.properties(title=f"Converted: {of}")


def always_valid(colours: Colours, paths: Sequence[Curve], control: str) -> LayerChart:
    """Draw differences beside control, by day, within their always-valid intervals."""
    chart = bands(colours, _points(paths), across="T", title="day", series=len(paths))
    return chart.properties(title=f"Difference from {control}, always valid")


def _points(curves: Sequence[Curve]) -> Rows:
    return [
        {"at": at, "slot": slot, "name": one.name, "value": value, "low": low, "high": high}
        for slot, one in enumerate(curves)
        for at, value, low, high in one.points
    ]


def pictures_of_journey(shown: ShownJourney) -> str:
    """Return the funnel, and the time to convert where somebody was seen, as HTML."""
    reached = [(_short(name), count) for name, count in shown.reached]
    drawn = _figure(funnel(PAGE, reached, _short(shown.name)), "Steps reached")
    if shown.curves:
        curves = converted(PAGE, _named_shortly(shown.curves), _short(shown.name))
        drawn += _figure(curves.properties(height=BAND_HEIGHT), "Time to convert")
    return _beside_each_other(drawn)


def pictures_of_experiment(shown: ShownExperiment) -> str:
    """Return the paths of its arms, as HTML; nothing where there are none."""
    if not shown.paths:
        return ""
    drawn = always_valid(PAGE, _named_shortly(shown.paths), _short(shown.control))
    return _beside_each_other(
        _figure(drawn.properties(height=BAND_HEIGHT), "Difference, day by day")
    )


def _beside_each_other(drawn: str) -> str:
    return f'<div class="pictures">{drawn}</div>'


def _figure(chart: LayerChart, says: str) -> str:
    """Return a picture that styles colour, small enough for phones."""
    drawn = picture(json.dumps(chart.properties(width=WIDTH).to_dict(), sort_keys=True))
    drawn = drawn.replace("<svg ", '<svg aria-hidden="true" ', 1)
    return f'<div class="picture" role="img" aria-label="{escape(says)}">{drawn}</div>'


def _named_shortly(curves: Sequence[Curve]) -> list[Curve]:
    return [replace(one, name=_short(one.name)) for one in curves]


def _short(name: str) -> str:
    """Return a name that has room in a picture; tables have it in full."""
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
