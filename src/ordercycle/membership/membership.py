"""Memberships: the segment of every customer on every day, as intervals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from ordercycle.grouping.batches import CustomerBatch
from ordercycle.history.order_history import OrderHistory
from ordercycle.ingest.readers import IdReader
from ordercycle.membership.timeline import INTERVAL_FIELDS, Timeline
from ordercycle.workspace import Workspace

MEMBERSHIPS = pa.large_list(pa.field("item", pa.struct(INTERVAL_FIELDS), nullable=False))


class Placed(NamedTuple):
    """Intervals and whose they are."""

    ids: pa.Array  # (c,) in the type of results
    offsets: pa.Array  # (c + 1,) int64
    columns: list[pa.Array]  # of INTERVAL_FIELDS, (m,)


class Intervals(Protocol):
    """Where intervals come from: the orders, profiles, or somebody's table."""

    @property
    def id_type(self) -> pa.DataType:
        """The type in which results give customer ids."""

    def timeline(self, number: int, customers: CustomerBatch, workspace: Workspace) -> Timeline:
        """Return the intervals of a part's customers, valid until the thread's next call."""

    def placed(self, segments: tuple[str, ...]) -> Iterator[Placed]:
        """Yield all intervals, part by part."""


class Membership:
    """Who was in which segment, and when: intervals per customer.

    Made by the ``membership`` method of a scheme, such as :meth:`Lifecycle.membership`, or by
    :meth:`from_table`. Intervals of a part of the history are computed when they are asked for.
    """

    def __init__(self, segments: tuple[str, ...], intervals: Intervals) -> None:
        self.segments = segments
        self._intervals = intervals

    def __repr__(self) -> str:
        return f"Membership({', '.join(map(repr, self.segments))})"

    def timeline(self, number: int, customers: CustomerBatch, workspace: Workspace) -> Timeline:
        """Return the intervals of the customers of a part of the history.

        The arguments are those that :meth:`OrderHistory.scan` gives. The arrays may be the
        workspace's: valid until this membership is asked for the next part.
        """
        return self._intervals.timeline(number, customers, workspace)

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
        batches = []
        for ids, offsets, columns in self._intervals.placed(self.segments):
            rows = np.repeat(np.arange(len(ids)), np.diff(offsets.to_numpy()))
            arrays = [ids.take(pa.array(rows)), *columns]
            batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
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
        for ids, offsets, columns in self._intervals.placed(self.segments):
            items = pa.StructArray.from_arrays(columns, fields=list(INTERVAL_FIELDS))
            lists = pa.Array.from_buffers(
                MEMBERSHIPS, len(ids), [None, offsets.buffers()[1]], children=[items]
            )
            yield pa.RecordBatch.from_arrays([ids, lists], schema=schema)

    def _id_field(self) -> pa.Field:
        return pa.field("customer_id", self._intervals.id_type, nullable=False)


class OfHistory(ABC):
    """What all intervals that come from a history share."""

    def __init__(self, history: OrderHistory) -> None:
        self.history = history

    @property
    def id_type(self) -> pa.DataType:
        """The type in which the history's results give customer ids."""
        return self.history.id_type

    @abstractmethod
    def timeline(self, number: int, customers: CustomerBatch, workspace: Workspace) -> Timeline:
        """Return the intervals of a part's customers, valid until the thread's next call."""

    def placed(self, segments: tuple[str, ...]) -> Iterator[Placed]:
        """Yield all intervals, part by part; customers who are never there have none."""
        id_type = self.id_type

        def place(number: int, customers: CustomerBatch, workspace: Workspace) -> Placed:
            timeline = self.timeline(number, customers, workspace)
            columns = timeline.columns(segments)
            sizes = np.diff(timeline.offsets)
            offsets = np.concatenate([[0], np.cumsum(sizes[sizes > 0])])
            ids = customers.ids if (sizes > 0).all() else customers.ids.filter(pa.array(sizes > 0))
            return Placed(IdReader.as_produced(ids, id_type), pa.array(offsets), columns)

        return self.history.scan(place)
