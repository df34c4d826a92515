"""Memberships: the segment of every customer on every day, as intervals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.imported import ImportedIntervals
from ordercycle._membership.interval_tables import read_intervals
from ordercycle._membership.intervals import Intervals, OwnedIntervals, check_history
from ordercycle._membership.timeline import INTERVAL_FIELDS
from ordercycle._public import public

MEMBERSHIPS = pa.large_list(pa.field("item", pa.struct(INTERVAL_FIELDS), nullable=False))


@public()
class Membership:
    """Who was in which segment, and when: intervals per customer.

    Made by the ``membership`` method of a scheme, such as :meth:`Lifecycle.membership`, or by
    :meth:`from_table`. Intervals of a part of the history are computed when they are needed.
    """

    def __init__(self, segments: tuple[str, ...], intervals: Intervals) -> None:
        self.segments = segments
        self._intervals = intervals

    def __repr__(self) -> str:
        until = f"; known until {self.known_until}" if self.known_until else ""
        return f"Membership({', '.join(map(repr, self.segments))}{until})"

    @property
    def known_from(self) -> date | None:
        """The first day of which it speaks; None: it knows no beginning."""
        return self._intervals.known_from

    @property
    def known_until(self) -> date | None:
        """The day as of which it was made: what is open then says nothing of later days.

        None: it knows no end, as a lifecycle membership made without `end`, whose customers leave
        segments by doing nothing.
        """
        return self._intervals.known_until

    @property
    def is_held(self) -> bool:
        """Whether segments stay what they are after `known_until`, until they are calculated again.

        Not those of a lifecycle or a cadence, which customers also leave by doing nothing.
        """
        return self._intervals.is_held

    @classmethod
    def from_table(cls, table: Any) -> Membership:
        """Return memberships that somebody else made: of another system, or a list.

        A customer may be in several segments at once. Intervals of one segment must not overlap;
        those that touch become one.

        Parameters
        ----------
        table
            A pyarrow Table, or any source of rows that :meth:`OrderHistory.build` takes, with
            these columns. ``customer_id``: ids as in the orders. ``segment``: strings, or a
            dictionary of them, whose order is then that of the segments; otherwise they come in
            the order in which the rows name them. ``valid_from``: the first day. ``valid_to``:
            the day after the last, null while there is none; a day after 2199-12-31 means the
            same. Days are dates; of timestamps without a time zone, the day counts.

        Returns
        -------
        Membership
            For a history, an interval counts from the day on from which its customer exists.
            Customers whom the history does not have are left out, and counted by
            :meth:`unknown_intervals`.

        Raises
        ------
        SourceError
            The table cannot be read.
        ColumnError
            A column is missing or has another type.
        DataError
            An id, a segment or ``valid_from`` is null, a day is outside the years 1900 to 2199,
            an interval has no day, or two of one customer and segment overlap.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> table = pa.table({
        ...     "customer_id": ["ann", "bob", "ann"],
        ...     "segment": ["VIP", "VIP", "Newsletter"],
        ...     "valid_from": [datetime.date(2025, 1, 1)] * 3,
        ...     "valid_to": [datetime.date(2025, 7, 1), None, None],
        ... })
        >>> membership = Membership.from_table(table)
        >>> membership
        Membership('VIP', 'Newsletter')
        >>> membership.to_table().num_rows
        3
        """
        rows = read_intervals(table)
        return cls(rows.segments, ImportedIntervals(rows))

    def unknown_intervals(self, history: OrderHistory) -> int:
        """Count the intervals of customers whom a history does not have.

        They change nothing in a report of the history. Of memberships that come from a history
        itself there are none.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> day = datetime.date(2025, 1, 1)
        >>> orders = pa.table({"customer_id": ["ann"], "ordered_at": [day], "amount": [20.0]})
        >>> members = {"customer_id": ["ann", "eve"], "segment": ["VIP", "VIP"]}
        >>> members = pa.table({**members, "valid_from": [day] * 2, "valid_to": [None] * 2})
        >>> Membership.from_table(members).unknown_intervals(OrderHistory.build(orders))
        1
        """
        check_history(history)
        return self._intervals.unknown(history)

    def belongs_to(self, history: OrderHistory) -> bool:
        """Return whether a history can be reported by it: its own, or any where it is a list.

        A history that was opened or extended since is another one.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> day = datetime.date(2025, 1, 1)
        >>> orders = pa.table({"customer_id": ["ann"], "ordered_at": [day], "amount": [20.0]})
        >>> history = OrderHistory.build(orders)
        >>> more = history.append(orders)
        >>> membership = oc.Lifecycle().membership(history)
        >>> membership.belongs_to(history), membership.belongs_to(more)
        (True, False)
        """
        check_history(history)
        return self._intervals.belong_to(history)

    def to_table(self) -> pa.Table:
        """Return all intervals.

        Returns
        -------
        pyarrow.Table
            ``customer_id``; ``segment``: dictionary<int16, string>; ``valid_from``: date32, the
            first day; ``valid_to``: date32, the day after the last, null while there is none.
            Customers ascend by hash, the intervals of a customer by day.
        """
        schema = pa.schema([self._id_field(), *INTERVAL_FIELDS])

        def flat(owned: OwnedIntervals) -> pa.RecordBatch:
            rows = np.repeat(np.arange(len(owned.ids), dtype=np.int32), np.diff(owned.offsets))
            arrays = [owned.ids.take(pa.array(rows)), *owned.columns]
            return pa.RecordBatch.from_arrays(arrays, schema=schema)

        batches = list(self._intervals.batches(self.segments, flat))
        return pa.Table.from_batches(batches, schema=schema)

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the intervals of each customer as a list, part by part, in bounded memory.

        Yields
        ------
        pyarrow.RecordBatch
            ``customer_id``, and ``memberships``: large_list of struct ``segment``,
            ``valid_from``, ``valid_to``, as in :meth:`to_table`.
        """
        schema = pa.schema([self._id_field(), pa.field("memberships", MEMBERSHIPS, nullable=False)])

        def listed(owned: OwnedIntervals) -> pa.RecordBatch:
            items = pa.StructArray.from_arrays(owned.columns, fields=list(INTERVAL_FIELDS))
            buffers = [None, pa.py_buffer(owned.offsets)]
            lists = pa.Array.from_buffers(MEMBERSHIPS, len(owned.ids), buffers, children=[items])
            return pa.RecordBatch.from_arrays([owned.ids, lists], schema=schema)

        return self._intervals.batches(self.segments, listed)

    def _id_field(self) -> pa.Field:
        return pa.field("customer_id", self._intervals.id_type, nullable=False)


def intervals_of(membership: Membership) -> Intervals:
    """Return where the intervals of a membership come from, for reports to walk part by part."""
    return membership._intervals  # noqa: SLF001 - what users have no use for
