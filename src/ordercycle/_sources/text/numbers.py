"""Numbers in text: with the marks that the caller names, read as Arrow reads plain ones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa

from ordercycle._errors import ConfigError, Option, Text
from ordercycle._sources.file_formats import CsvFormat

#: Marks of numbers that are tried where a message is about values that could not be read.
COMMON_MARKS = ((".", None), (",", None), (".", ","), (",", "."), (",", " "), (".", " "),
                (".", "'"), (",", "\u00a0"), (",", "\u202f"), (".", "\u2019"))  # fmt: skip

#: Up to it, every integer is a float; and how a number without an exponent is written.
MOST_EXACT = 2.0**53
PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?")


class Misread(Exception):  # noqa: N818 - caught where the column is known
    """A text is no number: in which row, and why."""

    def __init__(self, row: int, what: str) -> None:
        super().__init__(row, what)
        self.row = row
        self.what = what


def as_plain(texts: pa.StringArray, given: CsvFormat) -> pa.StringArray:
    """Return numbers with a point as their decimal mark and nothing between digits.

    Raises
    ------
    Misread
        Where the marks are not where the caller says.
    """
    import pyarrow.compute as pc

    texts = pc.utf8_trim(texts, " \t")
    if given.currency is not None:
        texts = _without_currency(texts, given.currency)
    if given.thousands is None and given.decimal == ".":
        return texts
    fits = pc.match_substring_regex(texts, _pattern(given))
    if pc.any(pc.invert(fits)).as_py():
        raise Misread(pc.index(fits, pa.scalar(value=False)).as_py(), "is no number")
    if given.thousands is not None:
        texts = pc.replace_substring(texts, given.thousands, "")
    return pc.replace_substring(texts, given.decimal, ".")


def _without_currency(texts: pa.StringArray, sign: str) -> pa.StringArray:
    """Return numbers without the sign of their currency, which stands before or behind."""
    import pyarrow.compute as pc

    written, space = re.escape(sign), r"[\s\x{a0}\x{202f}]*"
    before = rf"^([+-]?){space}{written}{space}([+-]?[^+-].*)$"
    behind = rf"^(.*[0-9.,]){space}{written}$"
    is_before = pc.match_substring_regex(texts, before)
    bare = pc.replace_substring_regex(texts, before, r"\1\2")
    return pc.if_else(is_before, bare, pc.replace_substring_regex(texts, behind, r"\1"))


def _pattern(given: CsvFormat) -> str:
    """Return the pattern of a number with these marks; groups are of three, or Indian."""
    decimal = re.escape(given.decimal)
    whole = r"\d*"
    if given.thousands is not None:
        mark = re.escape(given.thousands)
        whole = rf"(?:\d*|\d{{1,3}}(?:{mark}\d{{3}})+|\d{{1,2}}(?:{mark}\d{{2}})*{mark}\d{{3}})"
    return rf"^[+-]?{whole}(?:{decimal}\d*)?(?:[eE][+-]?\d+)?$"


def cast_numbers(texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """Return plain numbers in a type, or raise a Misread at the first that is none of it."""
    try:
        return _cast(texts, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        low, high = 0, len(texts)
        while high - low > 1:  # the first is in texts[low:high]
            middle = (low + high) // 2
            low, high = (low, middle) if fails(texts[low:middle], kind) else (middle, high)
        what = "is no number" if fails(texts[low:high], pa.float64()) else f"does not fit {kind}"
        raise Misread(low, what) from None


def lost_digits(texts: pa.StringArray, floats: pa.DoubleArray) -> int | None:
    """Return the first row with a plain number whose digits no float64 has; None without one.

    Numbers within 2**53 have fractions at most that are rounded, as all floats have.
    """
    for row in large_rows(floats):
        text = texts[row].as_py().lstrip("+")
        if PLAIN_NUMBER.fullmatch(text) and Decimal(text) != Decimal(floats[row].as_py()):
            return row
    return None


def large_rows(floats: pa.DoubleArray) -> list[int]:
    """Return the rows of finite numbers from 2**53 on, where float64 has not every integer."""
    import pyarrow.compute as pc

    limits = pc.min_max(floats)
    low, high = limits["min"].as_py(), limits["max"].as_py()
    if low is None or (low > -MOST_EXACT and high < MOST_EXACT):
        return []
    large = pc.and_(pc.greater_equal(pc.abs(floats), MOST_EXACT), pc.is_finite(floats))
    rows: list[int] = pc.indices_nonzero(large).to_pylist()
    return rows


def fails(texts: pa.StringArray, kind: pa.DataType) -> bool:
    """Return whether some plain number is none of a type."""
    try:
        _cast(texts, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return True
    return False


def _cast(texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """Return texts in a type of numbers; Arrow alone would take 0x1F for an integer."""
    import pyarrow.compute as pc

    if (
        pa.types.is_integer(kind)
        and pc.any(pc.match_substring(texts, "x", ignore_case=True)).as_py()
    ):
        raise pa.ArrowInvalid("digits that are hexadecimal")
    return texts.cast(kind)


def _signs(texts: pa.StringArray) -> Iterator[str]:
    """Yield what stands beside a number in some texts and may be the sign of a currency."""
    for text in dict.fromkeys(texts.to_pylist()):
        beside = re.split(r"[0-9](?:.*[0-9])?[.,]?", text or "", maxsplit=1, flags=re.DOTALL)
        found = [one.strip(" \t\u00a0\u202f+-") for one in beside]
        signs = [one for one in found if one and all(map(_is_of_a_sign, one))]
        if len(beside) > 1 and len(signs) == 1:
            yield signs[0]


def _is_of_a_sign(mark: str) -> bool:
    return mark.isalpha() or unicodedata.category(mark) == "Sc"


def remedy_for_numbers(texts: pa.StringArray, given: CsvFormat, declared: str | None) -> Text:
    """Return what to say about numbers that could not be read.

    declared: the type that the caller says the column has.
    """
    ways = list(_ways(texts, given, COMMON_MARKS))
    if not ways and given.currency is None:
        for sign in _signs(texts):
            ways += _ways(texts, replace(given, currency=sign), COMMON_MARKS)
    if not ways and declared is not None:
        return (f"where it is not {declared!r}, say what it is with ", Option("CsvFormat.types"))
    if not ways:
        return (
            "say how numbers are written with ",
            Option("CsvFormat.decimal"),
            ", ",
            Option("CsvFormat.thousands"),
            " and ",
            Option("CsvFormat.currency"),
            ", or what means no value with ",
            Option("CsvFormat.null_values"),
        )
    pieces: list[str | Option] = ["it fits "]
    for number, way in enumerate(ways):
        named = [
            Option(f"CsvFormat.{name}", getattr(way, name))
            for name in ("currency", "decimal", "thousands")
            if getattr(way, name) != getattr(given, name) and getattr(way, name) is not None
        ] or [Option("CsvFormat.decimal", way.decimal)]
        pieces += [", or "] if number else []
        for place, option in enumerate(named):
            pieces += [" with ", option] if place else [option]
    return (*pieces, *([": say which"] if len(ways) > 1 else []))


def _ways(
    texts: pa.StringArray, given: CsvFormat, marks: Sequence[tuple[str, str | None]]
) -> Iterator[CsvFormat]:
    """Yield ways to read all of some texts as numbers; none with a mark that is in no text."""
    used = set("".join(filter(None, texts.to_pylist())))
    for decimal, thousands in marks:
        if not {decimal, thousands} - {given.decimal, None} <= used:
            continue
        try:
            way = replace(given, decimal=decimal, thousands=thousands)
            cast_numbers(as_plain(texts, way), pa.float64())
        except (Misread, ConfigError):
            continue
        yield way
