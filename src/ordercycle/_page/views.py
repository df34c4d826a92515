"""The views beside the report, each a tab that is there where the page knows anything of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from ordercycle._page.content import Cohorts, Content, Grid, Moves
from ordercycle._page.encoding import symbol_of, trimmed
from ordercycle._page.journeys import Table, pictures_of_experiment, pictures_of_journey
from ordercycle._page.markup import named, option
from ordercycle._page.numbers import NONE, digits, month_name, shown

#: How many shades cells have.
LEVELS = 8


class Cell(NamedTuple):
    """A cell of a table of colours: its text, its number, how dark it is and what is below it."""

    text: str
    value: float | None
    level: float | None = None
    kind: str = ""
    note: str = ""


def heats(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[Cell]], key: str) -> str:
    """Return a table of coloured numbers; key: what chooses it among those of one card."""
    heads = "".join(f'<th scope="col">{named(one)}</th>' for one in columns)
    lines = "".join(
        f'<tr><th scope="row">{named(name)}</th>{"".join(map(_cell, cells))}</tr>'
        for name, cells in rows.items()
    )
    return (
        f'<table class="heats" data-of="{escape(key)}"><caption class="sr">{escape(title)}: '
        f"{escape(key)}</caption><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
    )


def _cell(cell: Cell) -> str:
    level = "" if cell.level is None else f" level-{round(min(1.0, max(0.0, cell.level)) * LEVELS)}"
    value = "" if cell.value is None else repr(cell.value)
    note = f"<small>{named(cell.note)}</small>" if cell.note else ""
    text = escape(cell.text)
    return f'<td class="heat {cell.kind}{level}" data-value="{value}">{text}{note}</td>'


def switched(title: str, tables: Mapping[str, str]) -> str:
    """Return tables of which one is shown: what it is of is chosen in the box of their card."""
    shown_first = next(iter(tables))
    inner = "".join(
        table if of == shown_first else table.replace("<table ", "<table hidden ", 1)
        for of, table in tables.items()
    )
    return scroller(title, inner)


def scroller(title: str, inner: str) -> str:
    """Return what may be wider than the page."""
    return (
        f'<div class="scroller" tabindex="0" role="region" aria-label="{escape(title)}: table">'
        f"{inner}</div>"
    )


def card(title: str, inner: str, note: str = "", values: Iterable[str] = ()) -> str:
    """Return a part of a view; values: what its tables are of, to be chosen in a box."""
    options = "".join(option(one, one) for one in values)
    box = f'<select aria-label="Numbers shown" autocomplete="off">{options}</select>'
    return (
        f'<section class="card"><div class="card-head"><div><h2>{escape(title)}</h2>{note}</div>'
        f"{box if options else ''}</div>{inner}</section>"
    )


def _moves(moves: Moves | None, _symbol: str) -> str:
    """Return the places of the picture and the table of a month, which the script fills in."""
    if moves is None:
        return ""
    kinds = {"stayed": "stayed", "up": "moved up", "down": "moved down", "new": "new customers"}
    keys = "".join(
        f'<span class="kind"><span class="key {key}"></span>{name}</span>'
        for key, name in kinds.items()
    )
    note = f'<p class="hint" id="map-months"></p><p class="legend">{keys}</p>'
    picture = (
        '<div id="flows" class="plot" role="img" '
        'aria-label="Who moved where; all numbers are in the table below"></div>'
    )
    table = scroller("The same as numbers", '<table class="heats" id="map-table"></table>')
    return card("Who moved where", picture, note) + card("The same as numbers", table)


def _grid(grid: Grid | None, symbol: str) -> str:
    if grid is None:
        return ""
    tables = {}
    for of, values in grid.values.items():
        most = max([value for line in values for value in line if value] or [1])
        unit = grid.units[of]
        rows = {
            name: [
                Cell(
                    shown(unit, value, symbol, counts=unit == "customers"),
                    value,
                    (value or 0) / most,
                    "large",
                    note,
                )
                for value, note in zip(values[at], grid.names[at], strict=True)
            ]
            for at, name in enumerate(grid.rows)
        }
        tables[of] = heats(grid.title, ["Frequency ↓ Recency →", *grid.columns], rows, of)
    note = f'<p class="hint">{escape(grid.note)}</p>'
    return card(grid.title, switched(grid.title, tables), note, tables)


def _cohorts(cohorts: Cohorts | None, symbol: str) -> str:
    if cohorts is None:
        return ""
    title, tables = "Who comes back", {}
    for of, values in cohorts.values.items():
        unit = cohorts.units[of]
        most = max([value for line in values for value in line if value] or [1])
        # Months of which no cohort knows anything yet have no column.
        known = max(len(trimmed(list(line), None)) for line in values)
        rows = {}
        for month, size, line in zip(cohorts.months, cohorts.sizes, values, strict=True):
            buyers = Cell(NONE if size is None else digits(size, 0), size, kind="plain")
            later = [
                Cell("", None)
                if value is None
                else Cell(_of_cohort(unit, value, symbol), value, value / most)
                for value in line[:known]
            ]
            rows[month_name(month)] = [buyers, *later]
        columns = ["First order in", "Buyers", *map(str, range(1, known + 1))]
        tables[of] = heats(title, columns, rows, of)
    note = '<p class="hint">Of the buyers of each first month, by months since.</p>'
    return card(title, switched(title, tables), note, tables)


def _of_cohort(unit: str, value: float, symbol: str) -> str:
    return f"{digits(value * 100, 0)}%" if unit == "share" else shown(unit, value, symbol)


def _journeys(content: Content, symbol: str) -> str:
    """Return what journeys and experiments came to."""
    of_journeys = (
        _card_of(
            one.name,
            one.note,
            _table(f"Journey {one.name}", one.metrics, symbol)
            + pictures_of_journey(one)
            + _table(f"Journey {one.name}", one.steps, symbol),
        )
        for one in content.journeys
    )
    of_experiments = (
        _card_of(
            one.name,
            one.note,
            _table(f"Experiment {one.name}", one.arms, symbol) + pictures_of_experiment(one),
        )
        for one in content.experiments
    )
    return "".join((*of_journeys, *of_experiments))


def _card_of(name: str, note: str, inner: str) -> str:
    return card(name, inner, f'<p class="hint">{escape(note)}</p>')


def _table(of: str, table: Table, symbol: str) -> str:
    """Return a table whose rows have names; of: what it is of, as several have one title."""
    heads = "".join(f'<th scope="col">{escape(one.name)}</th>' for one in table.columns)
    lines = "".join(
        f'<tr><th scope="row">{named(name)}</th>'
        + "".join(
            _plain_cell(value, one.unit, symbol)
            for value, one in zip(values, table.columns, strict=True)
        )
        + "</tr>"
        for name, values in table.rows
    )
    return scroller(
        f"{of}, {table.title}",
        f'<table class="report"><thead><tr><th scope="col">{escape(table.title)}</th>{heads}</tr>'
        f"</thead><tbody>{lines}</tbody></table>",
    )


def _plain_cell(value: float | str | None, unit: str, symbol: str) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    exact = "" if value is None else repr(value)
    text = digits(value, 3) if unit == "p" and value is not None else None
    return f'<td data-value="{exact}">{text or shown(unit, value, symbol, counts=True)}</td>'


class View(NamedTuple):
    """A tab: its name, and what it shows of a page and its currency; nothing: it is not there."""

    key: str
    name: str
    inner: Callable[[Content, str], str]


#: The tabs behind the report, in their order. The script draws the map; all others are complete.
VIEWS = (
    View("map", "Lifecycle map", lambda content, symbol: _moves(content.moves, symbol)),
    View("rfm", "RFM", lambda content, symbol: _grid(content.grid, symbol)),
    View("cohorts", "Cohorts", lambda content, symbol: _cohorts(content.cohorts, symbol)),
    View("journeys", "Journeys", _journeys),
)


def views(content: Content) -> list[tuple[View, str]]:
    """Return the views of which a page knows anything, with what they show."""
    symbol = symbol_of(content.currency)
    found = [(view, view.inner(content, symbol)) for view in VIEWS]
    return [(view, inner) for view, inner in found if inner]


def tabs(there: Iterable[tuple[View, str]]) -> str:
    """Return the tabs of views, behind that of the report."""
    names = [("report", "Report"), *((view.key, view.name) for view, _ in there)]
    return "".join(
        f'<button type="button" role="tab" id="tab-{key}" data-do="tab" value="{key}" '
        f'aria-controls="{key}">{name}</button>'
        for key, name in names
    )


def panels(there: Iterable[tuple[View, str]]) -> str:
    """Return the views beside the report."""
    return "".join(
        f'<div id="{view.key}" role="tabpanel" aria-labelledby="tab-{view.key}" hidden>{inner}'
        "</div>"
        for view, inner in there
    )
