"""Floats that stand for whole numbers."""

from __future__ import annotations

import numpy as np

from ordercycle_kernels._jit import kernel
from ordercycle_kernels._types import Float64s, Int64Out

# n = floats


@kernel
def integers_of_floats(
    floats: Float64s, limit: float, out_integers: Int64Out, out_counts: Int64Out
) -> None:
    """Write floats as integers: floats, out_integers: (n,); 0 for what is none.

    limit: that no magnitude reaches; out_counts: (2,), NaN, then what else is no such number.
    """
    missing = 0
    refused = 0
    for row in range(floats.size):
        value = floats[row]
        is_nan = value != value  # noqa: PLR0124 - what NaN is
        within = -limit < value < limit
        whole = np.int64(value) if within else np.int64(0)
        is_whole = within and np.float64(whole) == value
        missing += is_nan
        refused += not is_nan and not is_whole
        out_integers[row] = whole if is_whole else np.int64(0)
    out_counts[0] = missing
    out_counts[1] = refused
