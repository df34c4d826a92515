"""What becomes of customers who buy nothing more: their next segment, and from which day on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, fixed_view
from ordercycle._segments.assigning import (
    Produced,
    refuse_taken,
    refuse_undecided,
    selected,
    worked,
)
from ordercycle._segments.profile_tables import as_table
from ordercycle_kernels.calendar import LAST_DAY

#: Writes the next segment of each customer of a batch, negative where none comes, and the days
#: until then: the batch, (c,) int8, (c,) int64.
LookAhead: TypeAlias = Callable[[pa.RecordBatch, NDArray[np.int8], NDArray[np.int64]], None]

#: The columns from which the day that a profile is of follows, row by row.
DAY_COLUMNS = {"registered_on": (pa.date32(),), "days_since_registration": (pa.int32(),)}
NEXT_SEGMENT_ON = pa.field("next_segment_on", pa.date32())


def next_segments(
    table: Any,
    segments: tuple[str, ...],
    looking: Callable[[pa.Table], tuple[pa.Table, LookAhead]],
    *,
    threads: int | None,
) -> pa.Table:
    """Return a profile with each customer's next segment and its day: Scheme.next_transition.

    looking: returns the columns that decide, checked, and what decides their next segments.
    """
    table = as_table(table)
    following = Produced("next_segment", segments, nullable=True)
    refuse_taken(table, [following.field, NEXT_SEGMENT_ON])
    inputs, look_ahead = looking(table)
    for name, column in zip(DAY_COLUMNS, selected(table, DAY_COLUMNS).columns, strict=True):
        if column.null_count:
            refuse_undecided(f"{name} is null", column.is_null())
    codes, days = np.empty(table.num_rows, np.int8), np.empty(table.num_rows, np.int32)

    def work(task: tuple[int, pa.Table]) -> None:
        start, rows = task
        for batch in rows.to_batches():
            part = slice(start, start + batch.num_rows)
            waiting = np.empty(batch.num_rows, np.int64)
            look_ahead(batch.select(inputs.column_names), codes[part], waiting)
            for name in DAY_COLUMNS:
                waiting += fixed_view(batch.column(name), np.int32)
            codes[part][waiting > LAST_DAY] = -1
            days[part] = waiting  # those that are too far away are null
            start = part.stop

    read = dict.fromkeys([*inputs.column_names, *DAY_COLUMNS])
    for _ in worked(work, table.select(list(read)), threads=threads):
        pass
    on = array_of(days, pa.date32(), codes >= 0)
    table = table.append_column(following.field, following.column(codes))
    return table.append_column(NEXT_SEGMENT_ON, pa.chunked_array([on]))
