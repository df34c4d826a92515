"""The segment report of two years, month by month, against DuckDB.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.report --orders 100000000
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time

import numpy as np
import pyarrow as pa

import ordercycle as oc
from ordercycle._report.catalogue import Catalogue

from .compare import RELATIVE_TOLERANCE
from .duckdb_report import reports
from .generate import Workload, order_table
from .verdicts import Figure, print_figures
from .worker import peak_memory, reset_peak

MONTHS = ("2024-01", "2025-12")
#: What orders alone tell.
METRICS = Catalogue(has_money=True).metrics
OURS, THEIRS = "report", "report, DuckDB"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.report",
        description="All metrics of nine segments in each of 24 months, against DuckDB.",
    )
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check-orders", type=int, default=1_000_000)
    parser.add_argument(
        "--duckdb-orders", type=int, default=20_000_000, help="above that, DuckDB gets so many"
    )
    options = parser.parse_args()
    small = order_table(Workload(orders=min(options.orders, options.check_orders)))
    check(dynamics(oc.OrderHistory.build(small)), reports(small))
    history = oc.OrderHistory.build(order_table(Workload(orders=options.orders)))
    given = min(options.orders, options.duckdb_orders)
    orders = order_table(Workload(orders=given))
    held = reset_peak()
    dynamics(history)
    memory = None if held is None else (peak_memory() - held) / 1e9
    work: dict[str, tuple[int, Callable[[], object]]] = {
        OURS: (options.orders, lambda: dynamics(history)),
        THEIRS: (given, lambda: reports(orders)),
    }
    wall: dict[str, list[float]] = {name: [] for name in work}
    busy: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(options.rounds):
        for name, (size, call) in work.items():
            gc.collect()
            seconds, cpu = perf_counter(), process_time()
            call()
            wall[name].append((perf_counter() - seconds) / size * 1e9)
            busy[name].append((process_time() - cpu) / size * 1e9)
    times = median(theirs / ours for theirs, ours in zip(wall[THEIRS], wall[OURS], strict=True))
    busier = median(theirs / ours for theirs, ours in zip(busy[THEIRS], busy[OURS], strict=True))
    print(f"{options.orders:,} orders, {given:,} for DuckDB; the history is built beforehand")
    figures = [
        Figure(OURS, median(wall[OURS]), "ns/order", most=25.0),
        Figure(f"{OURS}, CPU", median(busy[OURS]), "ns/order"),
        Figure(THEIRS, median(wall[THEIRS]), "ns/order"),
        Figure(f"{THEIRS}, CPU", median(busy[THEIRS]), "ns/order"),
        Figure("DuckDB takes", times, "times as long", least=20.0),
        Figure("DuckDB takes", busier, "times the CPU"),
    ]
    if memory is not None:
        figures.append(Figure("extra memory", memory, "GB", most=1.0))
    return 1 if print_figures(figures) else 0


def dynamics(history: oc.OrderHistory) -> dict[str, pa.Table]:
    """Return every metric of each segment and month, from the history on."""
    membership = oc.Lifecycle().membership(history)
    report = oc.SegmentReport.build(history, membership, period=MONTHS, compare=None)
    return {metric.name: report.dynamics(metric.name, MONTHS) for metric in METRICS}


def check(ours: dict[str, pa.Table], theirs: pa.Table) -> None:
    """Compare all numbers before they are timed."""
    rows = zip(theirs["segment"].to_pylist(), theirs["month"].to_pylist(), strict=True)
    places = {key: row for row, key in enumerate(rows)}
    for name, table in ours.items():
        keys = zip(table["segment"].to_pylist(), table["month"].to_pylist(), strict=True)
        taken = theirs[name].take(pa.array([places[key] for key in keys]))
        pair = [_numbers(column) for column in (table["value"], taken)]
        same = np.isclose(*pair, rtol=RELATIVE_TOLERANCE, atol=0, equal_nan=True)
        if not same.all() or len(table) != len(theirs):
            row = int(np.argmin(same))
            raise RuntimeError(f"{name}: {table.slice(row, 1).to_pylist()}, DuckDB {taken[row]}")


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)


if __name__ == "__main__":
    sys.exit(main())
