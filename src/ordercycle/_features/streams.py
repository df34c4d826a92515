"""Histories as streams: what features need of those of events, and of those of orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, printable
from ordercycle._events.event_batches import CustomerEvents
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.grouped import Grouped
from ordercycle._history.hash_ranges import within
from ordercycle._history.look_ups import look_up
from ordercycle._history.order_events import OrderEvents
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._ingest.column_readers import IdReader
from ordercycle._spec import HistorySpec
from ordercycle._streams.columns import EventBatch, StreamColumns

R = TypeVar("R")

#: To look up a customer takes as long as to scan so many events: 20 ms for 500 or for 3 million.
EVENTS_PER_LOOK_UP = 5_000


class StreamBatch(EventBatch, Protocol):
    """Events with their customers, in ascending order of their hash; ids: (c,), plain."""

    @property
    def ids(self) -> pa.Array: ...
    def of_customers(self, kept: NDArray[np.bool_]) -> Self:
        """Return some of the customers: kept: (c,)."""


class Customers(Protocol):
    """Customers in ascending order of their hash: ids, plain, and hashes: (c,) each."""

    @property
    def ids(self) -> pa.Array: ...
    @property
    def hashes(self) -> NDArray[np.uint64]: ...


@dataclass(frozen=True)
class Stream:
    """A stream: what its events have, how its ids are read, and where it is kept.

    batch_of: returns what features see of a batch of customers.
    """

    columns: StreamColumns
    ids: IdReader
    grouped: Grouped[Any]
    batch_of: Callable[[Any], StreamBatch]

    def scan(
        self, work: Callable[[StreamBatch], R], threads: int, customers: Customers
    ) -> Iterator[R]:
        """Yield what `work` makes of each batch with some of these customers, in order.

        Others may be among them, fewer the fewer are asked for. threads: how many work on it.
        """
        grouped, hashes = replace(self.grouped, threads=threads), customers.hashes
        if not hashes.size:
            return iter(())
        first, last = int(hashes[0]), int(hashes[-1])
        between = grouped.entries * (last - first + 1) / 2**64
        if hashes.size * EVENTS_PER_LOOK_UP < between:
            return look_up(grouped, customers.ids, lambda batch, _: work(self.batch_of(batch)))
        grouped = within(grouped, first, last)
        return grouped.scan(lambda _, batch, __: work(self.batch_of(batch)))


def streams_of(given: Any) -> dict[str, Stream]:
    """Return streams by their names.

    Raises
    ------
    ConfigError
        They are no mapping of names to histories.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(
            (Option("streams", given), " names no streams"),
            remedy='pass a dictionary such as {"lines": history}',
        )
    return {name: _stream(name, history) for name, history in given.items()}


def _stream(name: Any, history: Any) -> Stream:
    if not isinstance(name, str):
        raise ConfigError(
            (Option("streams"), printable(f": {name!r} is no name")), remedy="name streams by text"
        )
    if isinstance(history, EventHistory):
        stored = stored_events(history)
        return Stream(stored.columns, stored.spec.ids, stored, _as_it_is)
    if isinstance(history, OrderHistory):
        grouped = grouped_orders(history)
        spec = grouped.spec
        return Stream(grouped.columns, spec.ids, grouped, partial(_of_orders, spec))
    raise ConfigError(
        (Option("streams"), printable(f": {name!r} is a {type(history).__name__}, no history")),
        remedy="group it by EventHistory.build, or orders by OrderHistory.build",
    )


def _as_it_is(batch: CustomerEvents) -> StreamBatch:
    return batch


def _of_orders(spec: HistorySpec, batch: CustomerBatch) -> StreamBatch:
    hidden = batch.hidden(drop_unknown=spec.drop_unknown)
    return OrderEvents(batch if hidden is None else batch.select(~hidden), spec)
