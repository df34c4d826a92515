"""The options of a build as data: what a source is, in a file that anyone can write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from ordercycle._columns import OPTIONAL, Columns
from ordercycle._errors import ConfigError, Option
from ordercycle._expressions.expression_text import ExpressionText, as_text
from ordercycle._history.options import OPTIONS, BuildOptions, refuse_unknown
from ordercycle._public import public
from ordercycle._sources.file_formats import CsvFormat, ExcelSheet, FileFormat, NdJson

#: Options that no file holds: places and functions of the one who runs it.
NOT_DATA = ("columns", "lookups", "read", "filesystem", "spill_directory", "progress")
#: The keys of a description: options, and two tables.
KEYS = (*(name for name in OPTIONS if name not in NOT_DATA), "columns", "read")
COLUMNS = tuple(one.name for one in fields(Columns))
FORMATS: dict[str, type[FileFormat]] = {"csv": CsvFormat, "ndjson": NdJson, "excel": ExcelSheet}


@public()
@dataclass(frozen=True)
class SourceOptions:
    """Options of :meth:`OrderHistory.build` that describe a source; pass it as ``source=``.

    What is given beside it comes first. Made by :func:`source_from_dict`.

    Attributes
    ----------
    given
        The options, by name.
    """

    given: Mapping[str, Any]

    def __post_init__(self) -> None:
        refuse_unknown(self.given, OPTIONS, "option")
        BuildOptions.of(self.given)
        given = {name: as_text(value) for name, value in self.given.items()}
        if "nobody" in given:
            given["nobody"] = tuple(given["nobody"])
        object.__setattr__(self, "given", given)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain data, which TOML and JSON can hold.

        Raises
        ------
        ConfigError
            Where an expression has no text.

        Examples
        --------
        >>> source_from_dict({"columns": {"amount": ""}, "only": "paid"}).to_dict()
        {'only': 'paid', 'columns': {'amount': ''}}
        """
        made: dict[str, Any] = {}
        for name, value in self.given.items():
            if name == "columns":
                made[name] = _columns_as_data(value)
            elif name == "read":
                made[name] = _read_as_data(value)
            elif isinstance(value, tuple):
                made[name] = list(value)
            else:
                made[name] = _text(name, value)
        there = {name: value for name, value in made.items() if value is not None}
        # In TOML, what stands behind a table belongs to it.
        return dict(sorted(there.items(), key=lambda item: isinstance(item[1], dict)))


@public()
def source_from_dict(given: Mapping[str, Any]) -> SourceOptions:
    """Return the options that data describes, such as a TOML file.

    Parameters
    ----------
    given
        The options of :meth:`OrderHistory.build` by name, but for places (``spill_directory``,
        ``filesystem``) and ``progress``. ``columns`` is a table of the fields of :class:`Columns`,
        with ``""`` for None. ``read`` is a table of the fields of :class:`CsvFormat`, or of what
        its ``format`` says: ``"csv"``, ``"ndjson"`` or ``"excel"``.

    Returns
    -------
    SourceOptions
        To pass as ``source=``; what is given beside it comes first.

    Raises
    ------
    ConfigError
        Where a key is unknown, or its value makes no sense.

    Examples
    --------
    >>> source = source_from_dict({
    ...     "only": "status == 'paid'", "timezone": "Europe/Madrid",
    ...     "columns": {"customer": "lower(Email)", "amount": "Price * Quantity"},
    ...     "read": {"delimiter": ";", "decimal": ","},
    ... })
    >>> source.given["columns"].amount, source.given["read"].delimiter
    ('Price * Quantity', ';')
    """
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"a {type(given).__name__} describes no source",
            remedy="pass a dict such as tomllib.load returns",
        )
    refuse_unknown(given, KEYS, "key")
    options = dict(given)
    if "columns" in given:
        options["columns"] = columns_from_dict(given["columns"])
    if "read" in given:
        options["read"] = read_from_dict(given["read"])
    return SourceOptions(options)


def columns_from_dict(given: Any) -> Columns:
    """Return the columns that a table names; empty text is None."""
    table = _table("columns", given)
    refuse_unknown(table, COLUMNS, "column in [columns]")
    named: dict[str, Any] = {
        name: None if value == "" and name in OPTIONAL else value for name, value in table.items()
    }
    return Columns(**named)


def read_from_dict(given: Any) -> FileFormat:
    """Return how to read files, as a table says."""
    options = dict(_table("read", given))
    name = options.pop("format", "excel" if "sheet" in options else "csv")
    if name not in FORMATS:
        raise ConfigError(
            f"there is no format {name!r}", remedy=f"choose from {', '.join(map(repr, FORMATS))}"
        )
    kind = FORMATS[name]
    refuse_unknown(options, [one.name for one in fields(kind)], f"option of {name} in [read]")
    return kind(**options)


def _table(name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ConfigError((Option(name, given), " is no table"), remedy=f"write it as [{name}]")
    return given


def _columns_as_data(columns: Columns) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for one in fields(Columns):
        value = getattr(columns, one.name)
        named = f"Columns.{one.name}"
        if isinstance(value, tuple):
            if value:
                made[one.name] = [_text(named, item) for item in value]
        elif value != one.default:
            made[one.name] = "" if value is None else _text(named, value)
    return made


def _read_as_data(read: FileFormat | None) -> dict[str, Any] | None:
    if read is None:
        return None
    name = next(name for name, kind in FORMATS.items() if isinstance(read, kind))
    made: dict[str, Any] = {"format": name}
    for one in fields(read):
        value = getattr(read, one.name)
        default = one.default if one.default is not MISSING else {}
        if value != default:
            made[one.name] = list(value) if isinstance(value, tuple) else value
    return made


def _text(name: str, value: Any) -> Any:
    """Return a value as data: an expression as text that says the same."""
    if not isinstance(value, str):
        return value
    if isinstance(value, ExpressionText) and not value.is_language:
        raise ConfigError(
            (Option(name, str(value)), " is an expression that has no text"),
            remedy="give it as text of the language of Rules to keep it as data",
        )
    return str(value)
