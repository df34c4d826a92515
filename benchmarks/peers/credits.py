"""Credit orders to touches, beside DuckDB: last touch, eight classes, one winner of all.

``python -m benchmarks.peers.credits --touches 5000000`` measures, in one run:

- ordercycle: from the grouped histories to the audit table;
- DuckDB, a hash join on customer and bucket of the longest window, then the last by time;
- DuckDB, an ASOF join for each class, then the last by time;

and compares which touch wins each order. Touches are drawn evenly over two years: a tenth as many
orders, a hundredth as many customers; six in a hundred touches are clicks.

``python -m benchmarks.peers.credits --memory-limit 300MB --touches 5000000 20000000`` writes
touches and orders to Parquet and credits them by the command line, in a process of its own whose
memory is sampled from outside: memory stays where the limit is, and a touch takes as long whatever
their number. What a billion would take follows from the largest, and is said to be an estimate.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

import ordercycle as oc

from .memory import ALLOWANCE, UNITS, peak_of

KINDS = ("click", "delivery", "open")
KIND_SHARES = (0.06, 0.74, 0.2)
CHANNELS = ("Email", "SMS", "Mobile Push", "Web Push", "Viber", "Popup", "In-App")
CHANNEL_SHARES = (0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
FIRST, SPAN_DAYS, DAY = 1_600_000_000_000_000, 730, 86_400_000_000
WINDOW, SMS_WINDOW = 5 * DAY, DAY // 2
CODE_OF_SMS = CHANNELS.index("SMS")
#: Touches that may win, with their windows: clicks, and deliveries of SMS.
QUALIFIED = (
    f"SELECT *, CASE WHEN kind = 0 THEN {WINDOW} ELSE {SMS_WINDOW} END AS width FROM touches "
    f"WHERE kind = 0 OR (kind = 1 AND channel = {CODE_OF_SMS})"
)
HASH_JOIN = f"""
    WITH able AS (SELECT *, moment // {WINDOW} AS bucket FROM ({QUALIFIED})),
    wanting AS (
        SELECT *, unnest([moment // {WINDOW}, moment // {WINDOW} - 1]) AS bucket FROM orders
    )
    SELECT wanting.id, arg_max(able.id, (able.moment, able.id)) AS touch
    FROM wanting JOIN able USING (customer, bucket)
    WHERE able.moment <= wanting.moment AND wanting.moment - able.moment < able.width GROUP BY 1
"""


def asof_joins() -> str:
    """Return an ASOF join for each class, and the last of what they find."""
    classes = [(0, channel, WINDOW) for channel in range(len(CHANNELS))]
    found = " UNION ALL ".join(
        f"SELECT orders.id, able.id AS touch, able.moment FROM orders ASOF JOIN "
        f"(SELECT * FROM touches WHERE kind = {kind} AND channel = {channel}) AS able "
        f"ON orders.customer = able.customer AND orders.moment >= able.moment "
        f"WHERE orders.moment - able.moment < {width}"
        for kind, channel, width in [*classes, (1, CODE_OF_SMS, SMS_WINDOW)]
    )
    return f"SELECT id, arg_max(touch, (moment, touch)) AS touch FROM ({found}) GROUP BY 1"


def drawn(touches: int, seed: int = 1, customers: int | None = None) -> tuple[pa.Table, pa.Table]:
    """Return touches and orders, kinds and channels as codes."""
    random = np.random.default_rng(seed)
    customers = customers or max(1, touches // 100)

    def rows(size: int) -> dict[str, Any]:
        return {
            "id": np.arange(size),
            "customer": random.integers(0, customers, size),
            "moment": FIRST + random.integers(0, SPAN_DAYS * DAY, size),
        }

    kinds = random.choice(len(KINDS), touches, p=KIND_SHARES).astype(np.int8)
    channels = random.choice(len(CHANNELS), touches, p=CHANNEL_SHARES).astype(np.int8)
    return (
        pa.table({**rows(touches), "kind": kinds, "channel": channels}),
        pa.table({**rows(touches // 10), "amount": random.integers(100, 9_000, touches // 10)}),
    )


def credited(touches: pa.Table, orders: pa.Table) -> oc.Credited:
    """Return the credits of grouped histories."""
    names = {"kind": KINDS, "channel": CHANNELS}
    events = {
        name: pa.DictionaryArray.from_arrays(touches[name].combine_chunks(), values)
        for name, values in names.items()
    }
    instants = pa.timestamp("us", "UTC")
    history = oc.OrderHistory.build(
        orders.set_column(2, "ordered_at", orders["moment"].cast(instants)),
        columns=oc.Columns(customer="customer", order="id", instants=True),
    )
    stream = oc.EventHistory.build(
        pa.table(
            {
                "customer": touches["customer"],
                "moment": touches["moment"].cast(instants),
                "id": touches["id"],
                **events,
            }
        ),
        columns=oc.EventColumns(
            customer="customer", time="moment", id="id", attributes=("kind", "channel")
        ),
    )
    return oc.Attribution(compete="all").credit(history, stream)


def timed(work: Callable[[], pa.Table], rounds: int) -> tuple[pa.Table, float, float]:
    """Return what work makes, and the median seconds it takes: elapsed, and of processors."""
    walls, processors = [], []
    for _ in range(rounds):
        wall, processor = time.perf_counter(), time.process_time()
        made = work()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return made, statistics.median(walls), statistics.median(processors)


def asked(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Return what a query finds."""
    return connection.sql(query).to_arrow_table()


#: What the second history may take beside the allowance of one: libraries, parts of the first.
OF_SECOND = 50e6
#: Touches of a file, which are drawn, written and let go of at a time.
FILE_TOUCHES = 2_500_000
BILLION = 1_000_000_000


class Bounded(NamedTuple):
    """What crediting so many touches took: bytes at most, seconds elapsed and of processors."""

    touches: int
    resident: float
    seconds: float
    processor: float

    def __str__(self) -> str:
        per_touch = (self.seconds / self.touches * 1e9, self.processor / self.touches * 1e9)
        return (
            f"{self.touches:>13,} touches {self.resident / 1e6:6.0f} MB resident "
            f"{self.seconds:7.1f} s {per_touch[0]:6.1f} ns elapsed {per_touch[1]:6.1f} ns of "
            "processors a touch"
        )


def write_files(folder: Path, touches: int) -> None:
    """Write touches and orders of the same customers, a file of each at a time."""
    instants = pa.timestamp("us", "UTC")
    for number, before in enumerate(range(0, touches, FILE_TOUCHES)):
        size = min(FILE_TOUCHES, touches - before)
        events, orders = drawn(size, seed=number + 1, customers=max(1, touches // 100))
        names = {"kind": KINDS, "channel": CHANNELS}
        columns = {
            "event_id": pa.array(np.asarray(events["id"]) + before),
            "customer_id": events["customer"],
            "occurred_at": events["moment"].cast(instants),
            **{
                name: pa.DictionaryArray.from_arrays(events[name].combine_chunks(), values)
                for name, values in names.items()
            },
        }
        parquet.write_table(pa.table(columns), folder / f"touches-{number:04}.parquet")
        rows = {
            "order_id": pa.array(np.asarray(orders["id"]) + before // 10),
            "customer_id": orders["customer"],
            "ordered_at": orders["moment"].cast(instants),
            "amount": orders["amount"],
        }
        parquet.write_table(pa.table(rows), folder / f"orders-{number:04}.parquet")


def bounded(touches: int, limit: str, folder: str | None) -> Bounded:
    """Return what the command line takes to credit so many touches under a memory limit."""
    with TemporaryDirectory(prefix="ordercycle-credits-", dir=folder) as place:
        write_files(Path(place), touches)
        before = _children()
        peak = peak_of(
            *("-m", "ordercycle", "attribution", f"{place}/orders-*.parquet"),
            *("--order", "order_id", "--touches", f"{place}/touches-*.parquet"),
            *("--memory-limit", limit, "--spill-directory", place, "--quiet"),
            *("--out", f"{place}/credits.parquet"),
        )
        rows = parquet.ParquetFile(f"{place}/credits.parquet").metadata.num_rows
        if rows < touches // 10:
            raise RuntimeError(f"{rows} rows of {touches // 10} orders")
        return Bounded(touches, peak.resident, peak.seconds, _children() - before)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def print_bounded(sizes: list[int], limit: str, folder: str | None) -> int:
    """Print what growing numbers of touches take, and what a billion would."""
    allowed = float(limit[:-2]) * UNITS[limit[-2:]] + ALLOWANCE + OF_SECOND
    broken = 0
    for size in sizes:
        found = bounded(size, limit, folder)
        kept = found.resident <= allowed
        broken += not kept
        print(found, "" if kept else "BROKEN", flush=True)
    minutes = found.seconds / found.touches * BILLION / 60
    print(f"a billion, estimated from the last of these: {minutes:.0f} minutes")
    return 1 if broken else 0


def winners(ids: pa.ChunkedArray, touches: pa.ChunkedArray) -> dict[int, int]:
    """Return the touch that wins each order."""
    pairs = zip(ids.to_pylist(), touches.to_pylist(), strict=True)
    return {order: touch for order, touch in pairs if touch is not None}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.credits", description="Credit orders to touches."
    )
    parser.add_argument("--touches", type=int, nargs="+", default=[5_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--memory-limit", help="as in 300MB or 4GB: from files, by the command line"
    )
    parser.add_argument("--folder", help="where files go: about 60 bytes a touch")
    given = parser.parse_args()
    if given.memory_limit is not None:
        return print_bounded(given.touches, given.memory_limit, given.folder)
    for size in given.touches:
        compare(size, given.rounds)
    return 0


def compare(size: int, rounds: int) -> None:
    """Print what crediting takes here and with DuckDB, and whether the same touches win."""
    touches, orders = drawn(size)
    made = credited(touches, orders)
    made.to_table()
    table, *ours = timed(made.to_table, rounds)
    wanted = winners(table["order"], table["event"])
    with duckdb.connect() as connection:
        for name, rows in (("touches", touches), ("orders", orders)):
            connection.register("rows", rows)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
        lines = [("ordercycle, with its table", *ours, True)]
        for name, query in (("DuckDB, hash join", HASH_JOIN), ("DuckDB, ASOF", asof_joins())):
            found, *seconds = timed(partial(asked, connection, query), rounds)
            lines.append((name, *seconds, winners(found["id"], found["touch"]) == wanted))
    for name, wall, processor, is_equal in lines:
        per_touch = [f"{seconds / size * 1e9:6.1f} ns" for seconds in (wall, processor)]
        same = "same winners" if is_equal else "OTHER WINNERS"
        print(f"{name:27} {per_touch[0]} elapsed {per_touch[1]} of processors a touch, {same}")


if __name__ == "__main__":
    sys.exit(main())
