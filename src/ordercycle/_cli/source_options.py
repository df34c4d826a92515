"""How a command describes files: the options of a CSV file and its kin, and SQL."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import click

from ordercycle._cli.errors import flag
from ordercycle._errors import Option
from ordercycle._history.source_options import FORMATS
from ordercycle._sources.file_formats import ExcelSheet

#: Options that are called otherwise than the argument of a description that they give.
ARGUMENTS = {"time_format": "time_formats", "null_value": "null_values", "column_type": "types"}
#: Options by the argument that they give, of whichever description has it.
OPTION_OF = {
    one.name: {argument: name for name, argument in ARGUMENTS.items()}.get(one.name, one.name)
    for kind in FORMATS.values()
    for one in fields(kind)
}
NAMES = ("file_format", *OPTION_OF.values())
#: What messages call files, by the name of their format.
SHOWN = {"csv": "CSV", "ndjson": "NDJSON", "excel": "Excel"}


def _types(_ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for one in given:
        column, sign, kind = one.rpartition("=")
        if not sign or not column:
            raise click.BadParameter(f"{one!r} names no column and type, as in customer_id=text")
        found[column] = kind
    return found


OPTIONS = (
    click.option(
        "--format",
        "file_format",
        type=click.Choice(tuple(FORMATS)),
        help="What the files are. Default: as their names say.",
    ),
    click.option("--delimiter", metavar="CHARACTER", help="CSV: between fields. Default: a comma."),
    click.option("--decimal", metavar="CHARACTER", help="CSV: the decimal mark. Default: a point."),
    click.option("--thousands", metavar="CHARACTER", help="CSV: between groups of digits."),
    click.option("--currency", metavar="SIGN", help="CSV: beside amounts, as $ or EUR."),
    click.option("--encoding", metavar="NAME", help="CSV: as cp1252. Default: utf-8."),
    click.option(
        "--skip-rows",
        type=click.IntRange(min=0),
        metavar="N",
        help="CSV and Excel: lines above the header.",
    ),
    click.option(
        "--time-format",
        multiple=True,
        metavar="PATTERN",
        help="CSV and NDJSON: how times are written, as %d/%m/%Y; may be given several times. "
        "Default: ISO 8601.",
    ),
    click.option(
        "--null-value",
        multiple=True,
        metavar="TEXT",
        help="CSV and NDJSON: what means no value, as NULL; may be given several times.",
    ),
    click.option(
        "--type",
        "column_type",
        multiple=True,
        callback=_types,
        metavar="COLUMN=TYPE",
        help="CSV and NDJSON: text, integer or decimal(12,2); may be given several times.",
    ),
    click.option("--sheet", metavar="NAME", help="Excel: the sheet. Default: the only one."),
)


def read_of(options: dict[str, Any], described: Any) -> Any:
    """Take the options of reading files out; return what they say, or None where they say nothing.

    described: what a source file says, which comes after the options.
    """
    given = {argument: options.pop(name) for argument, name in OPTION_OF.items()}
    given = {argument: value for argument, value in given.items() if value not in (None, (), {})}
    chosen = options.pop("file_format")
    if chosen is None and not given:
        return None
    if chosen is None:
        chosen = next((name for name, kind in FORMATS.items() if type(described) is kind), None)
    if chosen is None:
        chosen = "excel" if "sheet" in given else "csv"
    kind = FORMATS[chosen]
    known = [one.name for one in fields(kind)]
    for argument in (one for one in given if one not in known):
        option = flag(Option(f"{kind.__name__}.{argument}"))
        raise click.UsageError(f"{option} says nothing of {SHOWN[chosen]} files; leave it out")
    if not isinstance(described, kind):
        return kind(**given)
    if (
        not isinstance(described, ExcelSheet) and "types" in given
    ):  # of other columns, the types that are described stay
        given["types"] = {**described.types, **given["types"]}
    return replace(described, **given)
