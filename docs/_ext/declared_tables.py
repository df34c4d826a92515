"""Directives for what the package declares: its columns, metrics, presets and commands."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import ordercycle as oc
from ordercycle._cli.app import cli
from ordercycle._columns import PROFILE_COLUMNS
from ordercycle._features.functions import FUNCTIONS, Function
from ordercycle._report.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sphinx.application import Sphinx

#: Characters in a line of a command's help.
HELP_WIDTH = 88


def setup(app: Sphinx) -> dict[str, Any]:
    """Declare the directives."""
    app.add_directive("profile-columns", ProfileColumns)
    app.add_directive("metrics", Metrics)
    app.add_directive("presets", Presets)
    app.add_directive("feature-functions", FeatureFunctions)
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class ProfileColumns(SphinxDirective):
    """The columns of a profile."""

    def run(self) -> list[nodes.Node]:
        """Return one table."""
        rows = []
        for column in PROFILE_COLUMNS:
            kind = column.type if isinstance(column.type, str) else str(column.type)
            rows.append(
                [_code(column.name), kind.partition("[")[0], column.unit, column.null, column.doc]
            )
        return [table(["column", "type", "unit", "null", "meaning"], rows)]


class Metrics(SphinxDirective):
    """The metrics of a segment report."""

    def run(self) -> list[nodes.Node]:
        """Return one table."""
        rows = [[one.name, _code(one.export), one.unit, one.scope, one.doc] for one in METRICS]
        return [table(["metric", "exported as", "unit", "of", "meaning"], rows)]


class Presets(SphinxDirective):
    """The presets of the lifecycle."""

    def run(self) -> list[nodes.Node]:
        """Return one table."""
        rows = [
            [
                _code(name),
                str(one.new_days),
                str(one.active_days),
                str(one.churned_days),
                one.source,
            ]
            for name, one in oc.Lifecycle.presets().items()
        ]
        return [table(["preset", "new_days", "active_days", "churned_days", "where from"], rows)]


class FeatureFunctions(SphinxDirective):
    """The functions of features."""

    def run(self) -> list[nodes.Node]:
        """Return one table."""
        rows = [
            [
                _code(_form(name, one)),
                _result(one),
                "null" if one.nothing is None else str(one.nothing).lower(),
                one.meaning,
            ]
            for name, one in FUNCTIONS.items()
        ]
        return [table(["function", "type", "without events", "meaning"], rows)]


def _form(name: str, function: Function) -> str:
    """Return what a function is called with, windows left out."""
    column = f"s.{'|'.join(function.takes)}" if function.takes else "s"
    values = ", ('x', 'y')" if function.wants_values else ""
    return f"{name}({column}{values}{', condition' if function.wants_condition else ''})"


def _result(function: Function) -> str:
    """Return the type of a result in words."""
    if isinstance(function.result, pa.DataType):
        return {"double": "float64"}.get(str(function.result), str(function.result))
    found = function.result(pa.int64())
    return "dictionary<int32, …>" if pa.types.is_dictionary(found) else "as the value"


class Commands(SphinxDirective):
    """The help of every command, as the terminal shows it."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each command."""
        return [self._section(name, command) for name, command in sorted(cli.commands.items())]

    def _section(self, name: str, command: click.Command) -> nodes.section:
        title = f"ordercycle {name}"
        context = click.Context(command, info_name=title, max_content_width=HELP_WIDTH)
        section = nodes.section(ids=[nodes.make_id(title)], names=[title])
        text = inspect.cleandoc(command.get_help(context))
        section += [nodes.title(text=title), nodes.literal_block(text, text, language="text")]
        self.state.document.note_implicit_target(section, section)
        return section


def table(heads: Sequence[str], rows: Sequence[Sequence[str | nodes.Node]]) -> nodes.table:
    """Return a table with a line of heads; text is taken as it stands."""
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=1) for _ in heads]
    group += nodes.thead("", _row(heads))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group)


def _row(cells: Sequence[str | nodes.Node]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        shown = nodes.Text(cell) if isinstance(cell, str) else cell
        row += nodes.entry("", nodes.paragraph("", "", shown))
    return row


def _code(text: str) -> nodes.Node:
    return nodes.literal(text, text)
