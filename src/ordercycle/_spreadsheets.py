"""Text that spreadsheets take for what it is, and not for a formula that they run."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

import pyarrow as pa

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


def harmless_table(table: pa.Table, columns: Collection[str] | None) -> pa.Table:
    """Return a table whose texts in some columns (None: in all), and names, are harmless."""
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if columns is None or name in columns:
            chunks = [_harmless_array(chunk) for chunk in column.chunks]
            table = table.set_column(place, name, pa.chunked_array(chunks, column.type))
    return table.rename_columns([harmless(name) for name in table.column_names])


def _harmless_array(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_dictionary(kind):
        entries = _harmless_array(array.dictionary)
        return pa.DictionaryArray.from_arrays(array.indices, entries, ordered=kind.ordered)
    if not (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    ):
        return array
    texts = array.to_pylist()
    changed = [text if text is None else harmless(text) for text in texts]
    return array if changed == texts else pa.array(changed, kind)
