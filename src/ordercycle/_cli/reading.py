"""How a command describes files: the options of a CSV file and its kin, and SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = ("csv", "ndjson", "excel")
#: Options by the argument of the description of a format that they give.
CSV = {
    "delimiter": "delimiter",
    "decimal": "decimal",
    "thousands": "thousands",
    "currency": "currency",
    "encoding": "encoding",
    "skip_rows": "skip_rows",
    "time_format": "time_formats",
    "null_value": "null_values",
    "column_type": "types",
}
NDJSON = {name: CSV[name] for name in ("time_format", "null_value", "column_type")}
EXCEL = {"sheet": "sheet", "skip_rows": "skip_rows"}
NAMES = ("file_format", *CSV, "sheet")


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
        type=click.Choice(FORMATS),
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
    import ordercycle as oc

    given = {name: options.pop(name) for name in NAMES}
    chosen = given.pop("file_format")
    given = {name: value for name, value in given.items() if value not in (None, (), {})}
    kinds: dict[str, Any] = {"csv": oc.CsvFormat, "ndjson": oc.NdJson, "excel": oc.ExcelSheet}
    if chosen is None and not given:
        return None
    if chosen is None:
        chosen = next((name for name, kind in kinds.items() if type(described) is kind), None)
    if chosen is None:
        chosen = "excel" if "sheet" in given else "csv"
    known = {"csv": CSV, "ndjson": NDJSON, "excel": EXCEL}[chosen]
    _refuse_others(given, known, chosen)
    named = {known[name]: value for name, value in given.items()}
    if type(described) is kinds[chosen]:
        from dataclasses import replace

        if "types" in named:  # of other columns, the types that are described stay
            named["types"] = {**described.types, **named["types"]}
        return replace(described, **named)
    return kinds[chosen](**named)


def _refuse_others(given: Mapping[str, Any], known: Mapping[str, str], chosen: str) -> None:
    for name in given:
        if name not in known:
            option = "type" if name == "column_type" else name.replace("_", "-")
            what = {"csv": "CSV", "ndjson": "NDJSON", "excel": "Excel"}[chosen]
            raise click.UsageError(f"--{option} says nothing of {what} files; leave it out")
