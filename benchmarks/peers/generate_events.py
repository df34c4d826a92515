"""Event tables for measuring: deterministic, fast, and no larger in memory than themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .generate import DAYS, FIRST_DAY

CUSTOMERS_PER_EVENT = 0.02  # 2 million customers to 100 million events
#: Four attributes: their values, and how often the first comes against the last.
ATTRIBUTES = {
    "kind": ("delivery", "open", "click", "impression", "submit"),
    "channel": ("Email", "SMS", "Mobile Push", "Web Push", "Popup"),
    "campaign": tuple(f"campaign-{number:03}" for number in range(200)),
    "device": ("phone", "desktop", "tablet"),
}
#: What events may have besides.
VALUES = ("amount",)
SKEW = 2.0  # codes are drawn as size * u**SKEW: the first values are the frequent ones

_MICROSECONDS_PER_DAY = 86_400_000_000
_BLOCK_ROWS = 1 << 18
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd: no two customers onto one id


@dataclass(frozen=True, kw_only=True)
class EventWorkload:
    """What the event table looks like: random instants of three years, in any order.

    Parameters
    ----------
    events : int
        Rows of the table.
    customers : int, optional
        How many customers the events are drawn from; by default 2 % of the events.
    seed : int
        Equal workloads give equal tables.
    """

    events: int
    customers: int | None = None
    seed: int = 7

    @property
    def population(self) -> int:
        if self.customers is not None:
            return self.customers
        return max(1, round(self.events * CUSTOMERS_PER_EVENT))


def event_table(workload: EventWorkload, *, with_values: bool = False) -> pa.Table:
    """Return `customer_id` (int64), `occurred_at` (microseconds, no zone) and the attributes.

    Attributes are dictionaries of text with 8-bit codes: 20 bytes an event in all. With values,
    there is an `amount` (float64) behind them: whole cents.
    """
    random = np.random.Generator(np.random.SFC64(workload.seed))
    keys = np.empty(workload.events, np.int64)
    times = np.empty(workload.events, np.int64)
    codes = {name: np.empty(workload.events, np.uint8) for name in ATTRIBUTES}
    for rows in _blocks(workload.events):
        size = rows.stop - rows.start
        customer = random.integers(1, workload.population + 1, size, dtype=np.uint64)
        keys[rows] = (customer * _SPREAD).view(np.int64)
        times[rows] = random.integers(0, DAYS * _MICROSECONDS_PER_DAY, size)
        for name, values in ATTRIBUTES.items():
            codes[name][rows] = len(values) * random.random(size, np.float32) ** SKEW
    times += np.datetime64(FIRST_DAY, "us").astype(np.int64)
    instants = pa.Array.from_buffers(
        pa.timestamp("us"), workload.events, [None, pa.py_buffer(times)]
    )
    attributes = {
        name: pa.DictionaryArray.from_arrays(pa.array(codes[name]), pa.array(values))
        for name, values in ATTRIBUTES.items()
    }
    columns: dict[str, object] = {"customer_id": keys, "occurred_at": instants, **attributes}
    if with_values:
        cents = np.round(random.gamma(2.0, 2000.0, workload.events))
        columns |= dict.fromkeys(VALUES, pa.array(cents / 100))
    return pa.table(columns)


def _blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _BLOCK_ROWS):
        yield slice(start, min(start + _BLOCK_ROWS, rows))
