"""The segment report with touches: 24 months, nine segments, eight channels, 200 campaigns.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.attribution_report --touches 5000000

credits orders and makes the report, from grouped histories on. DuckDB does a part of it: deliveries
of each segment, month, channel and campaign, how many of them were opened and clicked, different
customers whom they reached, and the revenue that they won. Compared with the report are messages of
each segment and month, and the revenue of channels. Touches are drawn over two years: a tenth as
many orders, a hundredth as many customers; half of the messages are of campaigns that are sent all
the time, half of some that last a month.

    python -m benchmarks.peers.attribution_report --touches 1000000000 --memory-limit 4GB

draws the touches of one block of customers after the other, and none is held: histories are grouped
under the limit and wait on disk (`--folder`), the report is made from there. Printed are seconds,
the most memory, and bytes on disk.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter, process_time
from typing import Any, NamedTuple, Self

import duckdb
import numpy as np
import pyarrow as pa

import ordercycle as oc

from .verdicts import Figure, print_figures
from .worker import peak_memory, reset_peak

PERIOD = ("2024-01", "2025-12")
FIRST_MONTH, MONTHS, DAY = np.datetime64("2024-01"), 24, 86_400_000_000
CHANNELS = (
    "Email", "SMS", "Mobile Push", "Web Push", "Viber", "WhatsApp", "Popup", "In-App"
)  # fmt: skip
#: Those of no campaigns: the last two.
OF_SITE = 2
KINDS = ("delivery", "open", "click", "unsubscribe")
#: How many of a hundred deliveries are opened, clicked, and unsubscribed from.
ENGAGED = (27, 7, 1)
CAMPAIGNS, LASTING = 200, 104
TYPES = ("bulk", "automated", "transactional")
WINDOW_DAYS = 5
#: Touches that are drawn at a time.
AT_ONCE = 500_000
COLUMNS = oc.EventColumns(
    customer="customer",
    time="moment",
    attributes=("kind", "channel", "campaign"),
    keys=("message",),
)


class Drawn(NamedTuple):
    """Touches and orders of the same customers."""

    touches: pa.Table
    orders: pa.Table


def starts_of_months() -> np.ndarray:
    """Return the first moments of all months, and of the one behind them, in microseconds."""
    months = FIRST_MONTH + np.arange(MONTHS + 1)
    return months.astype("datetime64[us]").astype(np.int64)


def touches_of(size: int, block: int) -> pa.Table:
    """Return about so many touches of a block of customers, who are in no other one."""
    random = np.random.default_rng([block, 0])
    customers = max(1, size // 100)
    deliveries = int(size / (1 + sum(ENGAGED) / 100))
    month = random.integers(0, MONTHS, deliveries)
    passing = LASTING + month + MONTHS * random.integers(0, 4, deliveries)
    lasting = random.integers(0, LASTING, deliveries)
    starts = starts_of_months()
    within = random.random(deliveries) * (starts[month + 1] - starts[month])
    rows = {
        "customer": random.integers(0, customers, deliveries) + block * (AT_ONCE // 100),
        "moment": starts[month] + within.astype(np.int64),
        "campaign": np.where(random.random(deliveries) < 0.5, lasting, passing),
        "message": np.arange(deliveries) + block * AT_ONCE,
    }
    parts, kinds = [rows], [np.zeros(deliveries, np.int8)]
    lots = random.random(deliveries) * 100
    for kind, share in enumerate(ENGAGED, 1):
        its = np.flatnonzero((lots * kind) % 100 < share)
        later = {name: values[its] for name, values in rows.items()}
        later["moment"] = later["moment"] + random.integers(1, 2 * DAY, its.size)
        parts.append(later)
        kinds.append(np.full(its.size, kind, np.int8))
    whole = {name: np.concatenate([one[name] for one in parts]) for name in rows}
    campaigns = whole.pop("campaign")
    codes = {
        "kind": (np.concatenate(kinds), KINDS),
        "channel": ((campaigns % len(CHANNELS)).astype(np.int8), CHANNELS),
        "campaign": (campaigns.astype(np.int16), CAMPAIGN_NAMES),
    }
    names = {name: pa.DictionaryArray.from_arrays(*pair) for name, pair in codes.items()}
    moments = pa.array(whole.pop("moment")).cast(pa.timestamp("us", "UTC"))
    return pa.table({**whole, "moment": moments, **names})


def orders_of(size: int, block: int) -> pa.Table:
    """Return the orders of the customers who have so many touches."""
    random = np.random.default_rng([block, 1])
    customers, count, starts = max(1, size // 100), size // 10, starts_of_months()
    ordered = starts[0] + random.integers(0, starts[-1] - starts[0], count)
    return pa.table(
        {
            "customer": random.integers(0, customers, count) + block * (AT_ONCE // 100),
            "ordered_at": pa.array(ordered).cast(pa.timestamp("us", "UTC")),
            "amount": random.integers(100, 9_000, count),
        }
    )


CAMPAIGN_NAMES = [f"campaign {number:03}" for number in range(CAMPAIGNS)]
LOOKUPS = {
    "campaign": pa.table(
        {
            "campaign": CAMPAIGN_NAMES,
            "type": [TYPES[number % len(TYPES)] for number in range(CAMPAIGNS)],
        }
    )
}


class Histories(NamedTuple):
    """The grouped streams, and where customers are."""

    orders: oc.OrderHistory
    touches: oc.EventHistory
    membership: oc.Membership


def grouped(touches: Any, orders: Any, **options: Any) -> Histories:
    """Group both streams."""
    columns = oc.Columns(customer="customer", instants=True)
    history = oc.OrderHistory.build(orders, columns=columns, **options)
    stream = oc.EventHistory.build(touches, columns=COLUMNS, lookups=LOOKUPS, **options)
    return Histories(history, stream, oc.Lifecycle().membership(history))


def reported(there: Histories) -> oc.SegmentReport:
    """Credit orders, and make the report of all months."""
    window, shorter = f"{WINDOW_DAYS}d", {("SMS", "delivery"): "12h"}
    model = oc.Attribution(window=window, windows=shorter)
    return oc.SegmentReport.build(
        there.orders,
        there.membership,
        period=PERIOD,
        compare=None,
        credited=model.credit(there.orders, there.touches),
    )


# --- In DuckDB ------------------------------------------------------------------------------------

MICROSECONDS = WINDOW_DAYS * DAY
QUERY = """
    WITH sent AS (
        SELECT customer, channel, campaign, message, moment, moment::DATE AS day
        FROM touches WHERE kind = 'delivery' AND channel NOT IN ('Popup', 'In-App')
            AND customer IN (SELECT customer FROM orders)
    ), placed AS (
        SELECT sent.*, segment FROM sent ASOF LEFT JOIN intervals
        ON sent.customer = intervals.customer_id AND sent.day >= intervals.valid_from
    ), marked AS (
        SELECT placed.*, opened.message IS NOT NULL AS opened,
            clicked.message IS NOT NULL AS clicked
        FROM placed
        LEFT JOIN (SELECT DISTINCT message FROM touches WHERE kind = 'open') AS opened
            USING (message)
        LEFT JOIN (SELECT DISTINCT message FROM touches WHERE kind = 'click') AS clicked
            ON placed.message = clicked.message
    )
    SELECT grouping(segment) = 1 AS is_all, segment, date_trunc('month', day)::DATE AS month,
        channel, campaign, count(*) AS deliveries,
        count(*) FILTER (opened) AS opens, count(*) FILTER (clicked) AS clicks,
        count(DISTINCT customer) AS recipients
    FROM marked GROUP BY GROUPING SETS (
        (segment, month), (segment, month, channel), (segment, month, campaign), (month),
        (month, channel), (month, campaign)
    )
"""
CREDIT = f"""
    WITH able AS (
        SELECT *, epoch_us(moment) AS happened,
            CASE WHEN kind = 'click' THEN {MICROSECONDS} ELSE {DAY // 2} END AS width
        FROM touches WHERE (kind = 'click' OR (kind = 'delivery' AND channel = 'SMS'))
            AND channel NOT IN ('Popup', 'In-App')
    ), parted AS (SELECT *, happened // {MICROSECONDS} AS part FROM able
    ), wanting AS (
        SELECT *, epoch_us(ordered_at) AS happened,
            unnest([epoch_us(ordered_at) // {MICROSECONDS},
                    epoch_us(ordered_at) // {MICROSECONDS} - 1]) AS part FROM orders
    ), won AS (
        SELECT wanting.number, any_value(wanting.customer) AS customer,
            any_value(amount) AS amount, any_value(ordered_at)::DATE AS day,
            arg_max(channel, parted.happened) AS channel
        FROM wanting JOIN parted USING (customer, part)
        WHERE parted.happened <= wanting.happened
            AND wanting.happened - parted.happened < width
        GROUP BY 1
    )
    SELECT grouping(segment) = 1 AS is_all, segment, channel, sum(amount) AS revenue
    FROM won ASOF LEFT JOIN intervals
        ON won.customer = intervals.customer_id AND won.day >= intervals.valid_from
    GROUP BY GROUPING SETS ((segment, channel), (channel))
"""


def in_duckdb(connection: duckdb.DuckDBPyConnection) -> tuple[pa.Table, pa.Table]:
    """Return what DuckDB counts: messages, and the revenue of channels."""
    return tuple(connection.sql(query).to_arrow_table() for query in (QUERY, CREDIT))


def loaded(tables: Drawn, there: Histories) -> duckdb.DuckDBPyConnection:
    """Return a database with the streams and the intervals of customers."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    orders = tables.orders.append_column("number", pa.array(np.arange(len(tables.orders))))
    for name, rows in (
        ("touches", tables.touches),
        ("orders", orders),
        ("intervals", there.membership.to_table()),
    ):
        connection.register("rows", rows)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
    return connection


def check(report: oc.SegmentReport, messages: pa.Table, revenue: pa.Table) -> None:
    """Raise a RuntimeError where the report and DuckDB differ."""
    counts: dict[tuple[Any, ...], Any] = {}
    for row in messages.to_pylist():
        if row["channel"] is None and row["campaign"] is None:
            counts[_segment(row), row["month"]] = row
    for metric, value in (
        ("Deliveries", lambda row: row["deliveries"]),
        ("Recipients", lambda row: row["recipients"]),
        ("Open Rate", lambda row: row["opens"] / row["deliveries"]),
        ("Click Rate", lambda row: row["clicks"] / row["deliveries"]),
    ):
        for row in report.dynamics(metric, PERIOD).to_pylist():
            found = counts.get((row["segment"], row["month"]))
            _same(metric, row, row["value"] or 0.0, 0.0 if found is None else value(found))
    totals = {(_segment(row), row["channel"]): float(row["revenue"]) for row in revenue.to_pylist()}
    for row in report.channels(metrics=["Revenue from Campaigns"]).to_pylist():
        wanted = totals.get((row["segment"], row["channel"]), 0.0)
        _same("Revenue from Campaigns", row, row["value"] or 0.0, wanted)


def _segment(row: dict[str, Any]) -> str | None:
    return "All Customers" if row["is_all"] else row["segment"]


def _same(metric: str, row: dict[str, Any], found: float, wanted: float) -> None:
    if found != wanted:
        raise RuntimeError(f"{metric}: {row}, DuckDB {wanted}")


def compare(size: int, rounds: int, most: float | None) -> int:
    """Print what the report takes here, and its part in DuckDB, results compared."""
    tables = Drawn(touches_of(size, 0), orders_of(size, 0))
    there = grouped(*tables)
    rows = len(tables.touches)
    held = reset_peak()
    report = reported(there)
    memory = None if held is None else (peak_memory() - held) / 1e9
    with loaded(tables, there) as connection:
        check(report, *in_duckdb(connection))
        work: dict[str, Callable[[], object]] = {
            "report with touches": lambda: reported(there),
            "a part of it, DuckDB": lambda: in_duckdb(connection),
        }
        wall: dict[str, list[float]] = {name: [] for name in work}
        busy: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(rounds):
            for name, call in work.items():
                gc.collect()
                seconds, cpu = perf_counter(), process_time()
                call()
                wall[name].append((perf_counter() - seconds) / rows * 1e9)
                busy[name].append((process_time() - cpu) / rows * 1e9)
    print(f"{rows:,} touches, {len(tables.orders):,} orders; histories are built beforehand")
    ours, theirs = work
    figures = [
        Figure(ours, median(wall[ours]), "ns/touch", most=most),
        Figure(f"{ours}, CPU", median(busy[ours]), "ns/touch"),
        Figure(theirs, median(wall[theirs]), "ns/touch"),
        Figure(f"{theirs}, CPU", median(busy[theirs]), "ns/touch"),
    ]
    if memory is not None:
        figures.append(Figure("extra memory", memory, "GB", most=2.0))
    return 1 if print_figures(figures) else 0


# --- Under a memory limit -------------------------------------------------------------------------


class Disk:
    """The most bytes that files in a folder take, those without a name included."""

    def __init__(self, folder: Path) -> None:
        self.most = 0
        self._folder = str(folder)
        self._done = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            self.most = max(self.most, self._now())

    def _now(self) -> int:
        found = {}
        for one in Path("/proc/self/fd").iterdir():
            try:
                if one.readlink().parent.is_relative_to(self._folder):
                    file = one.stat()
                    found[file.st_ino] = file.st_blocks * 512
            except FileNotFoundError:  # closed since it was listed
                continue
        return sum(found.values())


def batches(draw: Callable[[int, int], pa.Table], size: int) -> pa.RecordBatchReader:
    """Return what is drawn, of which no more than a block of customers is held."""

    def blocks() -> Iterator[pa.RecordBatch]:
        for number, start in enumerate(range(0, size, AT_ONCE)):
            yield from draw(min(AT_ONCE, size - start), number).to_batches()

    return pa.RecordBatchReader.from_batches(draw(100, 0).schema, blocks())


def bounded(size: int, limit: str, folder: str | None) -> int:
    """Print what it takes to group so many touches and make their report under a limit."""
    with TemporaryDirectory(prefix="ordercycle-report-", dir=folder) as place:
        where = Path(place)
        reset_peak()
        with Disk(where) as disk:
            wall, cpu = perf_counter(), process_time()
            there = grouped(
                batches(touches_of, size),
                batches(orders_of, size),
                memory_limit=limit,
                spill_directory=where,
            )
            built, built_cpu = perf_counter(), process_time()
            report = reported(there)
            made, made_cpu = perf_counter(), process_time()
        rows = there.touches.summary().events
        figures = [
            Figure("touches", rows / 1e6, "million"),
            Figure("drawn and grouped", built - wall, "s"),
            Figure("report", made - built, "s"),
            Figure("report, a touch", (made - built) / rows * 1e9, "ns"),
            Figure("report, a touch, CPU", (made_cpu - built_cpu) / rows * 1e9, "ns"),
            Figure("all, a touch, CPU", (made_cpu - cpu) / rows * 1e9, "ns"),
            Figure("disk at most", disk.most / 1e9, "GB"),
            Figure("disk a touch", disk.most / rows, "bytes"),
        ]
        if peak_memory() is not None:
            figures.append(Figure("memory at most", peak_memory() / 1e9, "GB"))
        print_figures(figures)
        print(report.comparison(["Deliveries", "Reach", "Revenue from Campaigns"]).slice(27))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.attribution_report",
        description="The segment report with touches, and a part of it in DuckDB.",
    )
    parser.add_argument("--touches", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=float, help="nanoseconds a touch that are allowed")
    parser.add_argument("--memory-limit", help="as in 200MB or 6GB: group under it, from batches")
    parser.add_argument("--folder", help="where histories wait on disk under a memory limit")
    given = parser.parse_args()
    if given.memory_limit is not None:
        return bounded(given.touches, given.memory_limit, given.folder)
    return compare(given.touches, given.rounds, given.most)


if __name__ == "__main__":
    sys.exit(main())
