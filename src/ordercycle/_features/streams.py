"""Histories as streams: what features need of those of events, and of those of orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import ConfigError, Option, printable
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._history.grouped_orders import GroupedOrders
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._ingest.column_readers import IdReader
from ordercycle._spec import HistorySpec
from ordercycle._streams.columns import Codes, EventBatch, Keys, StreamColumns, Words
from ordercycle._workspace import Workspace

R = TypeVar("R")

#: What the amount of orders is called in features, whatever the input's name.
AMOUNT = "amount"


class StreamBatch(EventBatch, Protocol):
    """Events with their customers, in ascending order of their hash; ids: (c,), plain."""

    @property
    def ids(self) -> pa.Array: ...
    def of_customers(self, kept: NDArray[np.bool_]) -> Self:
        """Return some of the customers: kept: (c,)."""


@dataclass(frozen=True)
class Stream:
    """A stream: what its events have, how its ids are read, and what goes through its batches.

    `scan` yields what work makes of each batch, in order, by so many threads.
    """

    columns: StreamColumns
    ids: IdReader
    scan: Callable[[Callable[[Any], Any], int], Iterator[Any]]


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

        def scan_events(work: Callable[[StreamBatch], R], threads: int) -> Iterator[R]:
            return replace(stored, threads=threads).scan(lambda _, batch, __: work(batch))

        return Stream(stored.columns, stored.spec.ids, scan_events)
    if isinstance(history, OrderHistory):
        grouped = grouped_orders(history)

        def scan_orders(work: Callable[[StreamBatch], R], threads: int) -> Iterator[R]:
            return _scan_orders(replace(grouped, threads=threads), work)

        return Stream(_columns_of_orders(grouped), grouped.spec.ids, scan_orders)
    raise ConfigError(
        (Option("streams"), printable(f": {name!r} is a {type(history).__name__}, no history")),
        remedy="group it by EventHistory.build, or orders by OrderHistory.build",
    )


# --- Orders -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class OrderEvents:
    """Customers with their orders and refunds as events, whose amount is a value."""

    batch: CustomerBatch
    spec: HistorySpec

    instants: None = None
    codes: Mapping[str, Codes] = field(default_factory=dict)
    keys: Mapping[str, Keys] = field(default_factory=dict)

    @property
    def ids(self) -> pa.Array:
        """The customers: (c,)."""
        return self.batch.ids

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where the entries of each customer begin: (c + 1,)."""
        return self.batch.offsets

    @property
    def days(self) -> NDArray[np.int32]:
        """The day of each entry: (n,)."""
        return self.batch.days

    @property
    def values(self) -> dict[str, Words]:
        """The amounts, if there are any."""
        if not self.spec.has_amount:
            return {}
        lows, highs = self.batch.words
        return {AMOUNT: Words(lows.view(np.int64), highs)}

    @property
    def counted(self) -> NDArray[np.bool_] | None:
        """Which of the entries are orders: (n,); None where all are."""
        signs, matter = self.batch.order_signs(net_refunds=self.spec.net_refunds)
        return signs >= 0 if matter else None

    def of_customers(self, kept: NDArray[np.bool_]) -> OrderEvents:
        """Return some of the customers: kept: (c,)."""
        return self if kept.all() else OrderEvents(self.batch.select(kept), self.spec)


def _columns_of_orders(grouped: GroupedOrders) -> StreamColumns:
    spec = grouped.spec
    revenue = spec.revenue
    return StreamColumns(
        values={} if revenue is None else {AMOUNT: revenue},
        amount=None if revenue is None else AMOUNT,
        all_counted=False,
        has_events=grouped.first_day is not None,
        timezone=spec.policies.timezone,
    )


def _scan_orders(grouped: GroupedOrders, work: Callable[[StreamBatch], R]) -> Iterator[R]:
    spec = grouped.spec

    def on_batch(_: int, batch: CustomerBatch, __: Workspace) -> R:
        hidden = batch.hidden(drop_unknown=spec.drop_unknown)
        return work(OrderEvents(batch if hidden is None else batch.select(~hidden), spec))

    return grouped.scan(on_batch)
