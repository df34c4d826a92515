"""Fits to a profile: what their rounds share."""

from __future__ import annotations

from datetime import date
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._days import date_of
from ordercycle._segments.counting_rounds import Cells, Round, fit
from ordercycle._segments.scheme import ROWS_PER_TASK, worked
from ordercycle._workspace import thread_count

S = TypeVar("S")

#: Read where it is there: with days_since_last_order it says as of which day a profile is.
AS_OF_COLUMN = "last_order_on"
#: Cells below 0 count customers by the day as of which their profile is.
AS_OF_BASE = -(2**31)


def fit_profile(
    first: Round[pa.Table, S], table: pa.Table, *, threads: int | None, whole: bool = False
) -> S:
    """Run rounds over a profile, by several threads; whole: in few tasks, as tables are large."""
    rows = -(-table.num_rows // (2 * thread_count(threads))) if whole else 0
    return fit(
        first,
        lambda current: worked(
            lambda task: current.count(task[1]),
            table,
            threads=threads,
            rows_per_task=max(rows, ROWS_PER_TASK),
        ),
    )


def as_of_cells(table: pa.Table) -> Cells:
    """Count buyers by the day as of which their profile is; none where the table hides it."""
    if AS_OF_COLUMN not in table.column_names:
        return Cells.summed([], [])
    days = pc.add(
        table.column(AS_OF_COLUMN).cast(pa.int32()), table.column("days_since_last_order")
    )
    days = days.drop_null().to_numpy()
    if days.size and days.min() == days.max():
        return Cells.summed([AS_OF_BASE + int(days[0])], [days.size])
    found, counts = np.unique(days, return_counts=True)
    return Cells.summed(AS_OF_BASE + found.astype(np.int64), counts)


def as_of_in(total: Cells) -> date | None:
    """Return the day as of which the profile is that was counted, the latest of several."""
    days = total.cell[total.cell < 0] - AS_OF_BASE
    return date_of(int(days[-1])) if days.size else None


def of_day(as_of: date | None) -> str:
    """Return the words for a day that may be unknown."""
    return f" as of {as_of}" if as_of else ""
