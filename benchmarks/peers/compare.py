"""Are two engines' profiles the same table? Column by column, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Engines add floats in different orders; a relative 1e-9 is a millionth of a cent in ten dollars.
RELATIVE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Difference:
    """One column that does not agree."""

    column: str
    rows: int
    example: str

    def __str__(self):
        return f"{self.column}: {self.rows} rows differ, for example {self.example}"


def differences(
    ours: pa.Table,
    theirs: pa.Table,
    *,
    key: str = "customer_id",
    tolerance: float = RELATIVE_TOLERANCE,
) -> list[Difference]:
    """Return every disagreement; an empty list means equal.

    The rows are matched by a key. Integers, days and names must be equal, floats to a relative
    tolerance; a null only equals a null.
    """
    if sorted(ours.column_names) != sorted(theirs.column_names):
        missing = set(ours.column_names) ^ set(theirs.column_names)
        return [Difference(name, ours.num_rows, "in one table only") for name in sorted(missing)]
    ids = (_plain(ours[key]), _plain(theirs[key]))
    orders = [pc.sort_indices(column) for column in ids]
    sorted_ids = [column.take(order) for column, order in zip(ids, orders, strict=True)]
    if not sorted_ids[0].equals(sorted_ids[1]):
        counts = f"{ours.num_rows} rows here, {theirs.num_rows} there, not the same ids"
        return [Difference(key, abs(ours.num_rows - theirs.num_rows), counts)]
    found = []
    for name in ours.column_names:
        left = _plain(ours[name]).take(orders[0])
        right = _plain(theirs[name]).take(orders[1])
        unequal = _unequal(left, right, tolerance)
        if unequal.any():
            row = int(np.argmax(unequal))
            example = f"{key} {sorted_ids[0][row]}: {left[row]} here, {right[row]} there"
            found.append(Difference(name, int(unequal.sum()), example))
    return found


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """Bring the spellings of one type to one: dictionaries and string kinds, in one chunk."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        kind = pa.large_string()
    column = column.cast(kind)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _unequal(left: pa.Array, right: pa.Array, tolerance: float) -> np.ndarray:
    if left.type != right.type:
        return np.ones(len(left), bool)
    if pa.types.is_null(left.type):
        return np.zeros(len(left), bool)
    nulls = (_as_mask(left.is_null()), _as_mask(right.is_null()))
    if pa.types.is_floating(left.type):
        values = [column.to_numpy(zero_copy_only=False) for column in (left, right)]
        with np.errstate(invalid="ignore"):
            same = np.isclose(*values, rtol=tolerance, atol=0, equal_nan=True)
        different = ~same
    else:
        different = _as_mask(pc.fill_null(pc.not_equal(left, right), fill_value=False))
    return different | (nulls[0] != nulls[1])


def _as_mask(column: pa.Array) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False).astype(bool)
