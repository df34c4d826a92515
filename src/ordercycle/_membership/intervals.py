"""Where memberships come from: the orders, profiles, or a table of the user's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import date
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import mask_of
from ordercycle._days import date_of
from ordercycle._errors import ConfigError
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._ingest.column_readers import IdReader
from ordercycle._membership.timeline import Timeline
from ordercycle._workspace import Workspace
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY


class OwnedIntervals(NamedTuple):
    """Intervals and whose they are."""

    ids: pa.Array  # (c,) in the type of results
    offsets: NDArray[np.int64]  # (c + 1,)
    columns: list[pa.Array]  # of INTERVAL_FIELDS, (m,)


#: Makes a record batch of intervals; called by the threads that make these.
BatchOf: TypeAlias = Callable[[OwnedIntervals], pa.RecordBatch]


class Intervals(Protocol):
    """Where intervals come from: the orders, profiles, or a table of the user's."""

    @property
    def id_type(self) -> pa.DataType:
        """The type in which results give customer ids."""

    @property
    def known_from(self) -> date | None:
        """The first day of which they speak; None: they know no beginning."""

    @property
    def known_until(self) -> date | None:
        """The last day of which they speak; None: they know no end."""

    @property
    def is_held(self) -> bool:
        """Whether segments stay what they are after the last day, until they are computed again."""

    def belong_to(self, history: OrderHistory) -> bool:
        """Return whether they can be those of a history's customers."""

    def timeline(self, number: int, customers: CustomerBatch, workspace: Workspace) -> Timeline:
        """Return the intervals of a part's customers, valid until the thread's next call."""

    def batches(self, segments: tuple[str, ...], batch_of: BatchOf) -> Iterator[pa.RecordBatch]:
        """Yield what `batch_of` makes of all intervals, part by part."""

    def unknown(self, history: OrderHistory) -> int:
        """Count the intervals of customers whom a history does not have."""


def check_history(history: object) -> None:
    """Raise a ConfigError for anything but a history."""
    if not isinstance(history, OrderHistory):
        raise ConfigError(
            f"a membership takes an OrderHistory, not a {type(history).__name__}",
            remedy="build one with OrderHistory.build(orders)",
        )


class OfHistory(ABC):
    """What all intervals that come from a history share."""

    is_held = True

    def __init__(self, history: OrderHistory, first_day: int, last_day: int) -> None:
        self.history = history
        self._first_day, self._last_day = first_day, last_day

    @property
    def id_type(self) -> pa.DataType:
        """The type in which the history's results give customer ids."""
        return grouped_orders(self.history).id_type

    @property
    def known_from(self) -> date | None:
        """The first day of which they speak; None: they know no beginning."""
        return None if self._first_day == FIRST_DAY else date_of(self._first_day)

    @property
    def known_until(self) -> date | None:
        """The last day of which they speak; None: they know no end."""
        return None if self._last_day == LAST_DAY else date_of(self._last_day)

    def belong_to(self, history: OrderHistory) -> bool:
        """Return whether a history is theirs: its refunds are read, its schemes fitted, alike."""
        return history is self.history

    @abstractmethod
    def timeline(self, number: int, customers: CustomerBatch, workspace: Workspace) -> Timeline:
        """Return the intervals of a part's customers, valid until the thread's next call."""

    def batches(self, segments: tuple[str, ...], batch_of: BatchOf) -> Iterator[pa.RecordBatch]:
        """Yield what `batch_of` makes of the intervals of a part, for customers who have some."""
        id_type = self.id_type

        def work(number: int, customers: CustomerBatch, workspace: Workspace) -> pa.RecordBatch:
            timeline = self.timeline(number, customers, workspace)
            columns = timeline.columns(segments)
            sizes = np.diff(timeline.offsets)
            offsets = np.concatenate([[0], np.cumsum(sizes[sizes > 0])])
            ids = customers.ids if (sizes > 0).all() else customers.ids.filter(mask_of(sizes > 0))
            return batch_of(OwnedIntervals(IdReader.as_produced(ids, id_type), offsets, columns))

        return grouped_orders(self.history).scan(work)

    def unknown(self, history: OrderHistory) -> int:  # noqa: ARG002 - of the protocol
        """Return 0: all customers are those of a history."""
        return 0
