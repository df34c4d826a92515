"""What becomes of customers who buy nothing more: their next segment, and from which day on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, fixed_view
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.scheme import (
    Produced,
    refuse_taken,
    refuse_undecided,
    selected,
    worked,
)
from ordercycle_kernels.calendar import LAST_DAY

#: Writes the next segment of each customer of a batch, negative where none comes, and the days
#: until then: the batch, (c,) int8, (c,) int64.
LookAhead: TypeAlias = Callable[[pa.RecordBatch, NDArray[np.int8], NDArray[np.int64]], None]

#: The columns from which the day that a profile is of can be told, row by row.
DAY_COLUMNS = {"registered_on": (pa.date32(),), "days_since_registration": (pa.int32(),)}
NEXT_SEGMENT_ON = pa.field("next_segment_on", pa.date32())


class LooksAhead(ABC):
    """A scheme whose segments change by waiting alone, so that the change can be foretold."""

    @property
    @abstractmethod
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in the order of their codes."""

    @abstractmethod
    def look_ahead(self, table: pa.Table) -> tuple[pa.Table, LookAhead]:
        """Return the columns that decide, checked, and what decides their next segments."""

    def next_transition(self, table: Any, *, threads: int | None = None) -> pa.Table:
        """Add each customer's next segment if nothing more is bought, and from which day on.

        Parameters
        ----------
        table
            A profile, with or without segments: the columns that ``assign`` reads, and
            ``registered_on`` (date32) and ``days_since_registration`` (int32), whose sum is the
            profile's day. From any source, as for ``assign``.
        threads
            How many threads to use; None: every core this process may use.

        Returns
        -------
        pyarrow.Table
            The table with ``next_segment``: dictionary<int8, string>, codes in the order of
            ``segments``, and ``next_segment_on``: date32, the first day on which ``assign`` would
            give that segment instead of the present one. Both are null for customers who stay
            where they are for good, or until after 2199, the last year there is.

        Raises
        ------
        ColumnError, DataError, ConfigError
            As for ``assign``; also where the columns added are there already, or the day is null.

        Examples
        --------
        >>> import datetime, pyarrow as pa, ordercycle as oc
        >>> orders = pa.table({
        ...     "customer_id": ["ann"], "ordered_at": [datetime.date(2026, 1, 1)], "amount": [9.0],
        ... })
        >>> profile = oc.OrderHistory.build(orders).profile("2026-02-15")
        >>> lifecycle = oc.Lifecycle()
        >>> row = lifecycle.next_transition(lifecycle.assign(profile)).to_pylist()[0]
        >>> row["lifecycle"], row["next_segment"], str(row["next_segment_on"])
        ('Promising', 'At-risk', '2026-05-02')
        """
        table = as_table(table)
        following = Produced("next_segment", self.segments, nullable=True)
        refuse_taken(table, [following.field, NEXT_SEGMENT_ON])
        inputs, look_ahead = self.look_ahead(table)
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
