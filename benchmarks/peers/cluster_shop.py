"""The streams that verbs of clusters are measured on: Parquet of one shop, written when needed.

Orders are those of `generate`; touches those of `generate_events`, with further orders of the same
customers, a tenth as many. Ids are 64-bit integers, and instants are in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

import ordercycle as oc

from . import clv
from .generate import AS_OF, DAYS, FIRST_DAY, PIECE_ROWS, Workload, order_pieces
from .generate_events import EventWorkload, event_table

#: So many rows there are for one of the other kind.
ORDERS_A_CUSTOMER, TOUCHES_A_CUSTOMER, TOUCHES_AN_ORDER = 10, 100, 10
INSTANTS = pa.timestamp("us", "UTC")
#: Who is sent nothing: one customer in so many, from a day on.
HELD_OUT, ONE_IN, HELD_OUT_SINCE = "held out", 10, date(2025, 1, 1)
#: The orders as text.
CSV = "csv"
#: Rows of a file of customers, each of which has many columns.
FILE_CUSTOMERS = 1 << 18
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # as in generate_events
_MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many orders there are, of how many customers; and as many touches, of fewer of them."""

    orders: int
    customers: int

    @classmethod
    def of(cls, orders: int, customers: int | None = None) -> Size:
        """Return the size of so many orders."""
        return cls(orders=orders, customers=customers or max(1, orders // ORDERS_A_CUSTOMER))

    @property
    def workload(self) -> Workload:
        """The orders."""
        return Workload(orders=self.orders, customers=self.customers)

    @property
    def touched(self) -> int:
        """How many customers the touches are drawn from."""
        return max(1, self.orders // TOUCHES_A_CUSTOMER)

    @property
    def pieces(self) -> Iterator[int]:
        """How many touches are in each file."""
        for start in range(0, self.orders, PIECE_ROWS):
            yield min(PIECE_ROWS, self.orders - start)


def write_orders(workload: Workload, folder: Path) -> Path:
    """Write the order table to Parquet, a file per piece."""
    return _written(folder, order_pieces(workload))


def _written(folder: Path, tables: Iterator[pa.Table]) -> Path:
    folder.mkdir(parents=True)
    kind, write = ("csv", csv.write_csv) if folder.name == CSV else ("parquet", parquet.write_table)
    for number, table in enumerate(tables):
        write(table, folder / f"{folder.name}-{number:04}.{kind}")
    return folder


def _touches(size: Size, _: Shop) -> Iterator[pa.Table]:
    for number, events in enumerate(size.pieces):
        workload = EventWorkload(events=events, customers=size.touched, seed=7 + number)
        table = event_table(workload, with_values=True)
        fields = [
            field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
            for field in table.schema
        ]
        times = table.schema.get_field_index("occurred_at")
        fields[times] = pa.field("occurred_at", INSTANTS)
        yield table.cast(pa.schema(fields))


def _placed(size: Size, _: Shop) -> Iterator[pa.Table]:
    first = np.datetime64(FIRST_DAY, "us").astype(np.int64)
    before = 0
    for number, events in enumerate(size.pieces):
        orders = max(1, events // TOUCHES_AN_ORDER)
        random = np.random.default_rng(number)
        customers = random.integers(1, size.touched + 1, orders, dtype=np.uint64)
        times = first + random.integers(0, DAYS * _MICROSECONDS_PER_DAY, orders)
        yield pa.table(
            {
                "order_id": np.arange(before, before + orders),
                "customer_id": (customers * _SPREAD).view(np.int64),
                "ordered_at": pa.array(times, pa.int64()).cast(INSTANTS),
                "amount": random.integers(100, 20_000, orders) / 100,
            }
        )
        before += orders


def _people(size: Size, _: Shop) -> Iterator[pa.Table]:
    numbers = np.arange(1, size.touched + 1, dtype=np.uint64)
    for start in range(0, size.touched, FILE_CUSTOMERS):
        ids = (numbers[start : start + FILE_CUSTOMERS] * _SPREAD).view(np.int64)
        yield pa.table({"customer_id": ids})


def _holdout(size: Size, shop: Shop) -> Iterator[pa.Table]:
    since = pa.scalar(HELD_OUT_SINCE)
    for table in _people(size, shop):
        is_control = np.asarray(table["customer_id"]) % ONE_IN == 0
        segments = pa.array(np.where(is_control, HELD_OUT, "mail"))
        days = pa.repeat(since, len(table)), pa.nulls(len(table), pa.date32())
        yield (
            table.append_column("segment", segments)
            .append_column("valid_from", days[0])
            .append_column("valid_to", days[1])
        )


def _profiles(_: Size, shop: Shop) -> Iterator[pa.Table]:
    history = oc.OrderHistory.build(shop.path("orders"))
    yield from _pieces(history.profile(AS_OF))


def _segments(day: date) -> Callable[[Size, Shop], Iterator[pa.Table]]:
    def tables(_: Size, shop: Shop) -> Iterator[pa.Table]:
        history = oc.OrderHistory.build(shop.path("orders"))
        made = oc.Lifecycle().assign(history.profile(day)).select(["customer_id", "lifecycle"])
        yield from _pieces(made.set_column(1, "lifecycle", made["lifecycle"].cast(pa.string())))

    return tables


def _histories(size: Size, _: Shop) -> Iterator[pa.Table]:
    table = clv.drawn(size.customers)
    yield from _pieces(table.append_column("customer_id", pa.array(np.arange(1, len(table) + 1))))


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, len(table), FILE_CUSTOMERS):
        yield table.slice(start, FILE_CUSTOMERS)


#: What there is, and what makes it.
STREAMS: Mapping[str, Callable[[Size, Shop], Iterator[pa.Table]]] = {
    "orders": lambda size, _: order_pieces(size.workload),
    CSV: lambda size, _: order_pieces(size.workload),
    "placed": _placed,
    "touches": _touches,
    "people": _people,
    "holdout": _holdout,
    "profiles": _profiles,
    "before": _segments(AS_OF - timedelta(days=31)),
    "after": _segments(AS_OF),
    "histories": _histories,
}


@dataclass(frozen=True)
class Shop:
    """Streams of a size in a folder, as files and as frames of an engine; each is written once."""

    size: Size
    folder: Path
    read: Callable[[str], Any]
    _kept: dict[str, Any] = field(default_factory=dict)

    def path(self, stream: str) -> str:
        """Return the folder of the files of a stream."""
        folder = self.folder / stream
        if not folder.exists():
            _written(folder, STREAMS[stream](self.size, self))
        return str(folder)

    def frame(self, stream: str) -> Any:
        """Return the frame that an engine makes of the files."""
        return self.once(f"frame of {stream}", lambda: self.read(self.path(stream)))

    def table(self, stream: str) -> pa.Table:
        """Return a stream in the memory of this process."""
        return self.once(f"table of {stream}", lambda: parquet.read_table(self.path(stream)))

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what is made the first time that it is asked for."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def rows(self, stream: str) -> int:
        """Return how many there are."""
        if stream == CSV:
            return self.size.orders
        files = Path(self.path(stream)).iterdir()
        return sum(parquet.read_metadata(file).num_rows for file in files)
