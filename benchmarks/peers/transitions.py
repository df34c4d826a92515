"""Who changed segments between two days, against a join of both tables in DuckDB.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.transitions --customers 10000000
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from statistics import median
from time import perf_counter, process_time

import numpy as np
import pyarrow as pa

import ordercycle as oc

from . import duckdb_transitions
from .generate import AS_OF, IDS, Workload, order_table
from .verdicts import Figure, print_figures

ORDERS_PER_CUSTOMER = 3
DAYS_BETWEEN = 30
CHECKED_CUSTOMERS = 100_000


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.transitions",
        description="Transitions between two tables of segments, against DuckDB.",
    )
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--ids", choices=IDS, default="int64")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = list(figures(options.customers, options.ids, options.rounds))
    return 1 if print_figures(found) else 0


def figures(customers: int, ids: str, rounds: int) -> Iterator[Figure]:
    """Yield what transitions of so many customers cost, a month apart."""
    few = a_month_apart(min(customers, CHECKED_CUSTOMERS), ids)
    check(*few)
    check(*map(shuffled, few))
    yield from _compared(*a_month_apart(customers, ids), rounds)


def a_month_apart(customers: int, ids: str) -> tuple[pa.Table, pa.Table]:
    """Return the lifecycle segments of some customers, and the same a month later."""
    workload = Workload(orders=customers * ORDERS_PER_CUSTOMER, customers=customers, ids=ids)
    history = oc.OrderHistory.build(order_table(workload))
    return tuple(_segments(history, AS_OF - timedelta(days)) for days in (DAYS_BETWEEN, 0))


def shuffled(table: pa.Table) -> pa.Table:
    """Return the rows in any order."""
    return table.take(np.random.default_rng(7).permutation(table.num_rows))


def _segments(history: oc.OrderHistory, day: date) -> pa.Table:
    """Return nothing but the segments, so that two tables need little memory."""
    lifecycle = oc.Lifecycle()
    return pa.concat_tables(
        lifecycle.assign(batch).select(["customer_id", "lifecycle"])
        for batch in history.profile_batches(day)
    )


def _compared(before: pa.Table, after: pa.Table, rounds: int) -> Iterator[Figure]:
    in_any_order = shuffled(before), shuffled(after)
    work: dict[str, Callable[[], object]] = {
        "transitions": lambda: oc.transitions(before, after),
        "transitions, rows in any order": lambda: oc.transitions(*in_any_order),
        "transitions, DuckDB": lambda: duckdb_transitions.transitions(before, after),
        "matrix": lambda: oc.transition_matrix(before, after),
        "matrix, DuckDB": lambda: duckdb_transitions.transition_matrix(before, after),
    }
    wall, busy = _timed(work, rounds)
    for name in work:
        per_customer = 1e9 / after.num_rows
        yield Figure(name, median(wall[name]) * per_customer, "ns/customer")
        yield Figure(f"{name}, CPU", median(busy[name]) * per_customer, "ns/customer")
    for name in ("transitions", "matrix"):
        pairs = zip(wall[f"{name}, DuckDB"], wall[name], strict=True)
        times = median(theirs / ours for theirs, ours in pairs)
        yield Figure(f"{name}: DuckDB against ordercycle", times, "x", least=3.0)


def _timed(
    work: dict[str, Callable[[], object]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return seconds and processor seconds of each round, which all take in turn."""
    wall: dict[str, list[float]] = {name: [] for name in work}
    busy: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, call in work.items():
            gc.collect()
            seconds, cpu = perf_counter(), process_time()
            call()
            wall[name].append(perf_counter() - seconds)
            busy[name].append(process_time() - cpu)
    return wall, busy


def check(before: pa.Table, after: pa.Table) -> None:
    """Compare the results of both engines before they are timed."""
    pairs = {
        "transitions": (oc.transitions, duckdb_transitions.transitions),
        "matrix": (oc.transition_matrix, duckdb_transitions.transition_matrix),
    }
    for name, (ours, theirs) in pairs.items():
        if _rows(ours(before, after)) != _rows(theirs(before, after)):
            raise RuntimeError(f"DuckDB and ordercycle do not find the same {name}")


def _rows(table: pa.Table) -> list[tuple[str, ...]]:
    return sorted(tuple(map(str, row.values())) for row in table.to_pylist())


if __name__ == "__main__":
    sys.exit(main())
