"""Hold ordercycle against its own limits: start-up, growth, skew and the order of the rows.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.limits --largest 100000000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from .engines import ENGINES, OURS
from .generate import AS_OF, Workload, order_table
from .processes import ROOT, run_job
from .verdicts import Figure, print_figures

SIZES = (1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000)
#: Orders whose profile is compared in both orders of the rows.
CHECKED_ORDERS = 1_000_000

_IMPORT = (
    "from time import perf_counter; start = perf_counter(); import ordercycle; "
    "print(perf_counter() - start)"
)
_FIRST_RESULT = """
import datetime, pyarrow, ordercycle
orders = pyarrow.table({
    "customer_id": [1, 1, 2],
    "ordered_at": [datetime.datetime(2025, 1, day) for day in (1, 5, 9)],
    "amount": [10.0, 20.0, 30.0],
})
history = ordercycle.OrderHistory.build(orders)
print(ordercycle.Lifecycle().assign(history.profile("2025-02-01")).num_rows)
"""


def main() -> int:
    options = _parser().parse_args()
    lines = [*_start_up(options.repeats), *_growth(options), *_skew(options), *_order(options)]
    return 1 if print_figures(lines) else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.limits",
        description="Hold ordercycle against its own limits: start-up, growth, skew, row order.",
    )
    parser.add_argument("--largest", type=int, default=10_000_000, help="largest table to grow to")
    parser.add_argument("--skew-orders", type=int, default=10_000_000)
    parser.add_argument("--sorted-orders", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=7, help="fresh processes for start-up times")
    return parser


def _start_up(repeats):
    with TemporaryDirectory() as warm_cache:
        cold = [_cold_start() for _ in range(2)]
        _first_result(warm_cache)
        imports = [float(_fresh_process(_IMPORT, warm_cache)[1]) for _ in range(repeats)]
        warm = [_first_result(warm_cache) for _ in range(repeats)]
    return [
        Figure("import ordercycle", median(imports), "s", most=0.5),
        Figure("first result, fresh process, warm cache", median(warm), "s", most=1.5),
        Figure("first result, fresh process, cold cache", median(cold), "s", most=30.0),
    ]


def _cold_start():
    with TemporaryDirectory() as empty:
        return _first_result(empty)


def _first_result(cache_directory):
    """Seconds from the start of the interpreter to its end, a tiny profile in between."""
    return _fresh_process(_FIRST_RESULT, cache_directory)[0]


def _fresh_process(code, cache_directory):
    environment = {**os.environ, "ORDERCYCLE_CACHE_DIR": cache_directory}
    start = perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"a fresh process failed:\n{done.stderr}")
    return perf_counter() - start, done.stdout


def _growth(options):
    sizes = [size for size in SIZES if size <= options.largest]
    lines = []
    costs = _nanoseconds_per_order([Workload(orders=size) for size in sizes], options.rounds)
    for size, cost in zip(sizes, costs, strict=True):
        lines.append(Figure(f"{size:,} orders", cost, "ns/order"))
    if len(sizes) > 1:
        growth = costs[-1] / costs[0]
        lines.append(Figure("largest against smallest, per order", growth, "x", most=1.5))
    return lines


def _skew(options):
    even = Workload(orders=options.skew_orders)
    skewed = Workload(orders=options.skew_orders, skew=0.5)
    costs = _nanoseconds_per_order([even, skewed], options.rounds)
    return [
        Figure(f"{even.orders:,} orders, even", costs[0], "ns/order"),
        Figure(f"{even.orders:,} orders, one customer with half", costs[1], "ns/order"),
        Figure("one customer with half against even", costs[1] / costs[0], "x", most=2.0),
    ]


def _order(options):
    shuffled = Workload(orders=options.sorted_orders)
    by_customer = replace(shuffled, rows="by customer")
    _check_same_result(replace(shuffled, orders=min(shuffled.orders, CHECKED_ORDERS)))
    busy = _nanoseconds_per_order([shuffled, by_customer], options.rounds, "busy")
    return [
        Figure(f"{shuffled.orders:,} orders, shuffled", busy[0], "CPU ns/order"),
        Figure(f"{shuffled.orders:,} orders, sorted by customer", busy[1], "CPU ns/order"),
        Figure("shuffled against sorted by customer, CPU", busy[0] / busy[1], "x", least=2.0),
    ]


def _check_same_result(shuffled):
    profile = ENGINES[OURS].load()
    tables = [order_table(shuffled), order_table(replace(shuffled, rows="by customer"))]
    one, other = (profile(table, AS_OF) for table in tables)
    if not one.equals(other):
        raise RuntimeError("the same orders, sorted by customer, gave another profile")


def _nanoseconds_per_order(workloads, rounds, measure="repeat"):
    """Median cost of each workload, the workloads taken in turn."""
    samples = [[] for _ in workloads]
    for _ in range(rounds):
        for workload, seconds in zip(workloads, samples, strict=True):
            seconds.append(run_job("measure", workload, OURS)[measure])
    return [
        median(seconds) / workload.orders * 1e9
        for workload, seconds in zip(workloads, samples, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
