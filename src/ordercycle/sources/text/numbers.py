"""Numbers in text: with the marks that the caller names, read as Arrow reads plain ones."""

from __future__ import annotations

import re

import pyarrow as pa

from ordercycle.errors import ConfigError, Option, Text
from ordercycle.sources.file_formats import CsvFormat

#: Marks of numbers that are tried where a message is about values that could not be read.
COMMON_MARKS = ((",", None), (".", ","), (",", "."), (",", " "), (".", " "), (".", "'"),
                (",", "\u00a0"), (",", "\u202f"), (".", "\u2019"))  # fmt: skip


class Misread(Exception):  # noqa: N818 - caught by whoever knows the column
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
    if given.thousands is None and given.decimal == ".":
        return texts
    fits = pc.match_substring_regex(texts, _pattern(given))
    if pc.any(pc.invert(fits)).as_py():
        raise Misread(pc.index(fits, pa.scalar(value=False)).as_py(), "is no number")
    if given.thousands is not None:
        texts = pc.replace_substring(texts, given.thousands, "")
    return pc.replace_substring(texts, given.decimal, ".")


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
        return texts.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        low, high = 0, len(texts)
        while high - low > 1:  # the first is in texts[low:high]
            middle = (low + high) // 2
            low, high = (low, middle) if fails(texts[low:middle], kind) else (middle, high)
        what = "is no number" if fails(texts[low:high], pa.float64()) else f"does not fit {kind}"
        raise Misread(low, what) from None


def fails(texts: pa.StringArray, kind: pa.DataType) -> bool:
    """Return whether some plain number is none of a type."""
    try:
        texts.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return True
    return False


def remedy_for_numbers(texts: pa.StringArray, given: CsvFormat) -> Text:
    """Return what to say about numbers that could not be read."""
    ways = []
    for decimal, thousands in COMMON_MARKS:
        try:
            marks = CsvFormat(decimal=decimal, thousands=thousands)
            cast_numbers(as_plain(texts, marks), pa.float64())
        except (Misread, ConfigError):
            continue
        ways.append((decimal, thousands))
    if not ways:
        return (
            "where that is one, make a number of it by an expression as ",
            Option("Columns.amount"),
            ", or say how it is written with ",
            Option("CsvFormat.decimal"),
            " and ",
            Option("CsvFormat.thousands"),
        )
    pieces: list[str | Option] = ["it fits "]
    for number, (decimal, thousands) in enumerate(ways):
        pieces += [", or " if number else ""]
        if decimal != given.decimal or thousands is None:
            pieces.append(Option("CsvFormat.decimal", decimal))
            pieces += [" with "] if thousands is not None else []
        if thousands is not None:
            pieces.append(Option("CsvFormat.thousands", thousands))
    return (*pieces, *([": say which"] if len(ways) > 1 else []))
