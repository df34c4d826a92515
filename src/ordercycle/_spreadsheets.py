"""Text that spreadsheets take for what it is, and not for a formula that they run."""

from __future__ import annotations

import csv
import io
import unicodedata

#: What spreadsheets take for the beginning of a formula, in full width and small forms as well.
FORMULA_STARTS = frozenset("=+-@＝＋－＠﹦﹢﹣﹫")
#: Letters, and marks of other categories than those below, that nobody sees.
FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
#: Unicode's categories of marks without a picture.
CONTROL, FORMAT = "Cc", "Cf"


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula.

    Examples
    --------
    >>> harmless("=HYPERLINK(...)"), harmless("At-risk")
    ("'=HYPERLINK(...)", 'At-risk')
    """
    first = text[:1]
    if first.isascii() and first.isalnum():
        return text
    seen = next((mark for mark in text if not _is_unseen(mark)), "")
    risky = seen in FORMULA_STARTS or unicodedata.category(first or "a") == CONTROL
    return f"'{text}" if risky else text


def csv_field(text: str) -> str:
    """Return harmless text as a field of a CSV file.

    Examples
    --------
    >>> csv_field("Shoes, bags"), csv_field("+1")
    ('"Shoes, bags"', "'+1")
    """
    line = io.StringIO()
    csv.writer(line).writerow([harmless(text), ""])  # with a neighbour: nothing alone has quotes
    return line.getvalue().removesuffix(",\r\n")


def _is_unseen(mark: str) -> bool:
    """Return whether a program may leave a mark out where a cell begins."""
    if mark.isspace() or mark in FILLERS:
        return True
    return unicodedata.category(mark) in (CONTROL, FORMAT)
