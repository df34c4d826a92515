"""How the caller says that files are to be read: what their names and bytes do not show."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

from ordercycle._errors import ConfigError, Option, renamed_error, suggestion, whole_number
from ordercycle._public import public
from ordercycle._sources.text.time_formats import time_formats

TYPES = ("text", "integer", "decimal(12,2)")
DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
MOST_DIGITS = 38
#: What separates neither fields nor digits: a number would no longer be one.
OF_NUMBERS = "0123456789+-eE"


@public()
@dataclass(frozen=True, kw_only=True)
class CsvFormat:
    r"""How to read CSV and its kin: everything that such files do not say of themselves.

    Files are read as CSV whatever their names are, unless these say that they are Parquet, Arrow,
    Excel or JSON. Quoted values may hold line ends. Whatever is not given is as in RFC 4180.

    Parameters
    ----------
    delimiter
        The character between fields; None: a tab in files named ``.tsv`` or ``.tab``, a comma in
        all others.
    decimal
        The decimal mark of numbers.
    thousands
        The character between groups of digits, as the comma in ``1,500.00``; None: there is none.
    currency
        What stands before or behind numbers that are money, as ``"$"`` or ``"EUR"``; None: there
        is nothing. Any other sign is an error, as sums of two currencies mean nothing.
    encoding
        How text is encoded, by a name that Python knows, such as ``"cp1252"`` or ``"utf-16"``.
    skip_rows
        How many lines there are above the header.
    time_formats
        How times are written, as patterns of ``strptime``: ``"%d/%m/%Y %H:%M"``. Where there are
        several, a value is read by the first that fits. None given: ISO 8601 dates and
        timestamps. ``%z`` makes instants of them, as does ``UTC``, ``GMT`` or ``Z`` at the end of
        a pattern; ``%s`` is seconds since 1970; ``%Z`` is refused, as names of zones are
        ambiguous.
    null_values
        Texts that mean that there is no value, as ``"NULL"``; an empty field always does.
    types
        What columns hold, by name: ``"text"``, ``"integer"`` or ``"decimal(12,2)"`` (digits in
        all, and behind the decimal mark). Others are read for what they are: order ids as text;
        customer ids as integers where all of them are written without sign, exponent and leading
        zero, else as text; amounts as integers, or else float64.

    Raises
    ------
    ConfigError
        Where an option makes no sense, or two contradict each other.

    Examples
    --------
    >>> CsvFormat(delimiter=";", decimal=",", time_formats=("%d.%m.%Y",)).delimiter
    ';'
    """

    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    currency: str | None = None
    encoding: str = "utf-8"
    skip_rows: int = 0
    time_formats: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.delimiter is not None:
            _check_mark("delimiter", self.delimiter, "as ';' or a tab")
            if not self.delimiter.isascii() or self.delimiter.isalnum():
                raise _nonsense("delimiter", self.delimiter, "pass an ASCII mark, as ';' or a tab")
        _check_mark("decimal", self.decimal, "as '.' or ','")
        if self.thousands is not None:
            _check_mark("thousands", self.thousands, "as ',' or '.'")
        if self.thousands == self.decimal:
            both = (_given("thousands", self.thousands), " is the decimal mark as well")
            raise ConfigError(
                both, remedy=("pass ", _option("decimal"), " and ", _option("thousands"),
                              " as they stand in the files, as in 1.234,56"),
            )  # fmt: skip
        if self.currency is not None:
            object.__setattr__(self, "currency", _currency(self.currency))
        object.__setattr__(self, "encoding", _encoding(self.encoding))
        object.__setattr__(self, "skip_rows", _row_count("CsvFormat", self.skip_rows))
        object.__setattr__(self, "time_formats", _texts("time_formats", self.time_formats))
        object.__setattr__(self, "null_values", _texts("null_values", self.null_values))
        object.__setattr__(self, "types", _types(self.types))
        time_formats(self.time_formats)


@public()
@dataclass(frozen=True, kw_only=True)
class NdJson:
    """JSON with one object on each line, as in files named ``.ndjson``, ``.jsonl`` or ``.json``.

    Numbers are numbers and strings are text; times are strings. Only the columns that are read have
    to be plain values; a key that a line lacks is a missing value.

    Parameters
    ----------
    time_formats
        How times are written, as for :class:`CsvFormat`. None given: ISO 8601.
    null_values
        Strings that mean that there is no value, as ``"N/A"``; ``null`` always does.
    types
        What columns hold, as for :class:`CsvFormat`. ``"decimal(12,2)"`` keeps the digits of
        numbers and strings as they are written; ``"text"`` takes both in one column.

    Raises
    ------
    ConfigError
        Where an option makes no sense.

    Examples
    --------
    >>> NdJson(types={"amount": "decimal(12,2)"}).types["amount"]
    'decimal(12,2)'
    """

    time_formats: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        try:
            checked = as_csv(self)
        except ConfigError as error:
            raise renamed_error(error, of_json) from None
        for name in ("time_formats", "null_values", "types"):
            object.__setattr__(self, name, getattr(checked, name))


def as_csv(given: NdJson) -> CsvFormat:
    """Return how strings are read: as the same texts in CSV."""
    return CsvFormat(
        time_formats=given.time_formats, null_values=given.null_values, types=given.types
    )


def of_json(name: str) -> str:
    """Return the name of an argument of CsvFormat as NdJson has it."""
    return name.replace("CsvFormat.", "NdJson.")


@public()
@dataclass(frozen=True, kw_only=True)
class ExcelSheet:
    """A sheet of Excel files; reading them needs the extra ``excel``.

    Parameters
    ----------
    sheet
        The name of the sheet; None: the only one there is.
    skip_rows
        How many rows there are above the header.

    Examples
    --------
    >>> ExcelSheet(sheet="Orders").skip_rows
    0
    """

    sheet: str | None = None
    skip_rows: int = 0

    def __post_init__(self) -> None:
        if self.sheet is not None and not (isinstance(self.sheet, str) and self.sheet):
            raise ConfigError(
                (Option("ExcelSheet.sheet", self.sheet), " is not the name of a sheet"),
                remedy="pass the name as the workbook shows it, or None where it has only one",
            )
        object.__setattr__(self, "skip_rows", _row_count("ExcelSheet", self.skip_rows))


def _currency(given: object) -> str:
    """Return the sign of a currency without space around it."""
    sign = given.strip() if isinstance(given, str) else ""
    if not sign or any(mark.isdecimal() or mark in "+-.,'\"\r\n" for mark in sign):
        raise _nonsense("currency", given, "pass what stands beside numbers, as '$' or 'EUR'")
    return sign


FileFormat: TypeAlias = CsvFormat | NdJson | ExcelSheet


def check_read(read: object) -> None:
    """Raise a ConfigError unless `read` says how to read files."""
    if read is not None and not isinstance(read, (CsvFormat, NdJson, ExcelSheet)):
        raise ConfigError(
            (Option("read", read), " does not say how to read files"),
            remedy="pass ordercycle.CsvFormat(...), NdJson() or ExcelSheet(...)",
        )


def arrow_type(declared: str) -> pa.DataType:
    """Return the type that an entry of `types` stands for.

    Examples
    --------
    >>> arrow_type("decimal(12,2)")
    Decimal128Type(decimal128(12, 2))
    """
    found = DECIMAL.fullmatch(declared)
    if found:
        return pa.decimal128(int(found[1]), int(found[2]))
    return {"text": pa.string(), "integer": pa.int64()}[declared]


def _option(name: str) -> Option:
    return Option(f"CsvFormat.{name}")


def _given(name: str, value: object) -> Option:
    return Option(f"CsvFormat.{name}", value)


def _nonsense(name: str, value: object, remedy: str) -> ConfigError:
    return ConfigError((_given(name, value), " makes no sense"), remedy=remedy)


def _check_mark(name: str, value: object, example: str) -> None:
    if not isinstance(value, str) or len(value) != 1:
        raise _nonsense(name, value, f"pass one character, {example}")
    if value in '"\r\n\0' or (name != "delimiter" and value in OF_NUMBERS):
        raise ConfigError(
            (_given(name, value), " has a meaning of its own"), remedy=f"pass another, {example}"
        )


def _encoding(name: object) -> str:
    try:
        found = codecs.lookup(name)  # type: ignore[arg-type]
    except (LookupError, TypeError, ValueError):
        found = None
    if found is None or not found._is_text_encoding:  # noqa: SLF001 - CodecInfo has no other way
        known = ["utf-8", "utf-16", "cp1252", "latin-1", "mac_roman", "cp1250", "cp437", "cp850"]
        raise ConfigError(
            (_given("encoding", name), f" is no encoding{suggestion(str(name), known)}"),
            remedy="pass a name that Python knows, such as 'cp1252', 'latin-1' or 'utf-16'",
        )
    return found.name


def _row_count(owner: str, value: object) -> int:
    number = whole_number(value)
    if number is None or number < 0:
        raise ConfigError(
            (Option(f"{owner}.skip_rows", value), " is no number of lines"),
            remedy="pass how many lines are above the header, 0 or more",
        )
    return number


def _texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        example = (value,) if isinstance(value, str) else ("...",)
        raise ConfigError(
            (_given(name, value), " is not a tuple of texts"),
            remedy=("pass ", _given(name, example)),
        )
    texts = tuple(value)
    for one in texts:
        if not isinstance(one, str):
            raise ConfigError(
                (_given(name, texts), f" holds {one!r}, which is no text"),
                remedy="pass texts only",
            )
    if len(set(texts)) < len(texts):
        raise _nonsense(name, texts, "name everything once")
    return texts


def _types(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _nonsense("types", value, 'pass a dict of columns and types, as {"id": "text"}')
    checked = {}
    for column, declared in value.items():
        if not isinstance(column, str) or not column:
            raise _nonsense("types", {column: declared}, "pass the names of columns as texts")
        plain = declared.strip().lower() if isinstance(declared, str) else ""
        found = DECIMAL.fullmatch(plain)
        fits = found and 1 <= int(found[1]) <= MOST_DIGITS and int(found[2]) <= int(found[1])
        if not fits and plain not in ("text", "integer"):
            raise ConfigError(
                (_given("types", {column: declared}), " is no type"),
                remedy=f"choose from {', '.join(map(repr, TYPES))}, with up to 38 digits in all",
            )
        checked[column] = f"decimal({found[1]},{found[2]})" if found else plain
    return checked
