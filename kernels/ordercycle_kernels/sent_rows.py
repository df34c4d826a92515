"""Rows of two tables side by side: which of those that are in both have other words."""

from __future__ import annotations

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import BoolOut, Int32s, UInt64s

# p = pairs, b = rows before, a = rows after


@kernel
def mark_changed(
    before_rows: Int32s,
    after_rows: Int32s,
    before_words: UInt64s,
    after_words: UInt64s,
    width: int,
    out_changed: BoolOut,
) -> None:
    """Mark pairs of rows, in both tables, of which a word differs; marks that are there stay.

    before_rows, after_rows: (p,), below 0 where there is no row; before_words: (b * width,);
    after_words: (a * width,); out_changed: (p,).
    """
    for pair in range(before_rows.size):
        before, after = before_rows[pair], after_rows[pair]
        if before < 0 or after < 0:
            continue
        one, other = before * width, after * width
        differs = False
        for word in range(width):
            differs |= before_words[one + word] != after_words[other + word]
        out_changed[pair] |= differs
