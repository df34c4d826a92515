"""Text that spreadsheets take for what it is, and not for a formula that they run."""

from __future__ import annotations

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


def _is_unseen(mark: str) -> bool:
    """Return whether a program may leave a mark out where a cell begins."""
    if mark.isspace() or mark in FILLERS:
        return True
    return unicodedata.category(mark) in (CONTROL, FORMAT)
