"""Who was in which segment, and when: the whole history of memberships, against DuckDB.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.membership --orders 100000000
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time

import pyarrow as pa

import ordercycle as oc
from ordercycle._history.order_history import grouped_orders
from ordercycle._membership.membership import intervals_of

from .duckdb_membership import memberships
from .generate import AS_OF, Workload, order_table
from .verdicts import Figure, print_figures


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.membership",
        description="Lifecycle and cadence memberships of a whole history, against DuckDB.",
    )
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check-orders", type=int, default=1_000_000)
    parser.add_argument(
        "--duckdb-orders", type=int, default=20_000_000, help="above that, leave DuckDB out"
    )
    options = parser.parse_args()
    _check(order_table(Workload(orders=options.check_orders)))
    orders = order_table(Workload(orders=options.orders))
    history = oc.OrderHistory.build(orders)
    lifecycle = oc.Lifecycle().membership(history)
    cadence = oc.Cadence().fit(history.profile(AS_OF)).membership(history)
    work: dict[str, Callable[[], object]] = {
        "lifecycle, part by part": lambda: _through(history, lifecycle),
        "lifecycle, as a table": lifecycle.to_table,
        "cadence, part by part": lambda: _through(history, cadence),
    }
    if options.orders <= options.duckdb_orders:
        work["lifecycle, as a table, DuckDB"] = lambda: memberships(orders)
    limits = {"lifecycle, part by part": 15.0, "lifecycle, as a table": 15.0}
    wall: dict[str, list[float]] = {name: [] for name in work}
    busy: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(options.rounds):
        for name, call in work.items():
            gc.collect()
            seconds, cpu = perf_counter(), process_time()
            call()
            wall[name].append((perf_counter() - seconds) / options.orders * 1e9)
            busy[name].append((process_time() - cpu) / options.orders * 1e9)
    figures = []
    for name in work:
        figures.append(Figure(name, median(wall[name]), "ns/order", most=limits.get(name)))
        figures.append(Figure(f"{name}, CPU", median(busy[name]), "ns/order"))
    print(f"{options.orders:,} orders; {_through(history, lifecycle):,} lifecycle intervals")
    return 1 if print_figures(figures) else 0


def _through(history: oc.OrderHistory, membership: oc.Membership) -> int:
    """Make the intervals of every part, as a report does, and count them."""

    def count(number, customers, workspace):
        return intervals_of(membership).timeline(number, customers, workspace).codes.size

    return sum(grouped_orders(history).scan(count))


def _check(orders: pa.Table) -> None:
    """Compare the intervals of both before they are timed."""
    membership = oc.Lifecycle().membership(oc.OrderHistory.build(orders))
    if not in_one_order(membership.to_table()).equals(in_one_order(memberships(orders))):
        raise RuntimeError("DuckDB and ordercycle do not find the same intervals")


def in_one_order(table: pa.Table) -> pa.Table:
    """Return intervals by customer and day, in plain types."""
    plain = pa.schema(
        [
            pa.field("customer_id", table.schema.field("customer_id").type),
            pa.field("segment", pa.string()),
            pa.field("valid_from", pa.date32()),
            pa.field("valid_to", pa.date32()),
        ]
    )
    ordered = table.cast(plain).sort_by([("customer_id", "ascending"), ("valid_from", "ascending")])
    return ordered.combine_chunks()


if __name__ == "__main__":
    sys.exit(main())
