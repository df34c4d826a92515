"""A journey of three steps replayed, and an experiment measured, against DuckDB.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.journeys --orders 100000000
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from time import perf_counter, process_time

import duckdb
import pyarrow as pa

import ordercycle as oc

from .duckdb_membership import memberships
from .generate import AS_OF, Workload, order_table
from .verdicts import Figure, print_figures

JOURNEY = oc.Journey(
    "win-back",
    oc.enters("At-risk", of="lifecycle"),
    [
        {"name": "hello", "action": "mail/we-miss-you"},
        {"name": "bought", "wait_for": {"event": "order", "within_days": 7}, "then": "end"},
        {"name": "offer", "action": "mail/offer", "wait_days": 3},
    ],
)
EXPERIMENT = oc.Experiment("banner", {"control": 50, "banner": 50})
SINCE, WINDOW = AS_OF - timedelta(days=60), 30

#: The same entries: at-risk for the first time, what was bought in the thirty days after, and the
#: step that was reached before.
REPLAY = """
with entered as (
    select customer_id, min(valid_from) as triggered_on from intervals
    where segment = 'At-risk' and valid_from <= $as_of group by customer_id
), bought as (
    select e.customer_id, e.triggered_on, min(o.day) as converted_on,
        count(o.day)::int as conversions, coalesce(sum(o.amount), 0) as value
    from entered e left join orders o on o.customer_id = e.customer_id
        and o.day > e.triggered_on and o.day <= least(e.triggered_on + 30, $as_of)
    group by all
)
select *, not coalesce(converted_on <= triggered_on + 11, false)
    and triggered_on + 11 <= $as_of as is_completed from bought
"""

MEASURE = """
with assigned as (
    select arm, (
        select count(*) from orders o where o.customer_id = a.customer_id
            and o.day > $since and o.day <= $since + 30
    ) as conversions from arms a
)
select arm, count(*) as customers, count(*) filter (conversions > 0) as converted
from assigned group by arm order by arm
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.journeys",
        description="A journey replayed and an experiment measured, against DuckDB.",
    )
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check-orders", type=int, default=1_000_000)
    parser.add_argument(
        "--duckdb-orders", type=int, default=20_000_000, help="above that, leave DuckDB out"
    )
    options = parser.parse_args()
    _check(_Shop(order_table(Workload(orders=options.check_orders))))
    shop = _Shop(order_table(Workload(orders=options.orders)), options.duckdb_orders)
    work: dict[str, Callable[[], object]] = {
        "replay": shop.replay,
        "replay, entries as a table": lambda: shop.replay().entries(),
        "experiment": shop.measure,
    }
    if shop.peer is not None:
        work["replay, entries as a table, DuckDB"] = shop.peer_replay
        work["experiment, DuckDB"] = shop.peer_measure
    wall: dict[str, list[float]] = {name: [] for name in work}
    busy: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(options.rounds):
        for name, call in work.items():
            gc.collect()
            seconds, cpu = perf_counter(), process_time()
            call()
            wall[name].append((perf_counter() - seconds) / options.orders * 1e9)
            busy[name].append((process_time() - cpu) / options.orders * 1e9)
    limits = {"replay": 15.0}
    figures = []
    for name in work:
        figures.append(Figure(name, median(wall[name]), "ns/order", most=limits.get(name)))
        figures.append(Figure(f"{name}, CPU", median(busy[name]), "ns/order"))
    customers = shop.history.summary().customers
    seconds = median(wall["experiment"]) * options.orders / 1e9
    figures.append(
        Figure("experiment, 10 million customers", seconds * 1e7 / customers, "s", most=1.0)
    )
    print(f"{options.orders:,} orders of {customers:,} customers; {shop.replay()!r}")
    return 1 if print_figures(figures) else 0


class _Shop:
    """Orders as both have them, with the memberships built."""

    def __init__(self, orders: pa.Table, most: int | None = None) -> None:
        self.history = oc.OrderHistory.build(orders)
        self.lifecycle = oc.Lifecycle().membership(self.history)
        self.peer: duckdb.DuckDBPyConnection | None = None
        if most is None or orders.num_rows <= most:
            self.peer = duckdb.connect()
            known = {
                "given": orders,
                "found": memberships(orders),
                "assigned": EXPERIMENT.assign(self.history.profile(AS_OF).select(["customer_id"])),
            }
            for name, table in known.items():
                self.peer.register(name, table)
            self.peer.execute("set timezone = 'UTC'")
            self.peer.execute(
                "create table orders as select customer_id, ordered_at::date as day, amount "
                "from given"
            )
            self.peer.execute("create table intervals as from found")
            self.peer.execute("create table arms as select customer_id, arm from assigned")

    def replay(self) -> oc.JourneyRun:
        return JOURNEY.replay(self.history, memberships={"lifecycle": self.lifecycle}, as_of=AS_OF)

    def measure(self) -> oc.ExperimentResult:
        return EXPERIMENT.measure(self.history, since=SINCE, as_of=AS_OF, window_days=WINDOW)

    def peer_replay(self) -> pa.Table:
        return self.peer.sql(REPLAY, params={"as_of": AS_OF}).to_arrow_table()

    def peer_measure(self) -> pa.Table:
        return self.peer.sql(MEASURE, params={"since": SINCE}).to_arrow_table()


def _check(shop: _Shop) -> None:
    """Compare the results of both before they are timed."""
    run = shop.replay()
    entries, states = run.entries(), run.states()
    ours = {
        row["customer_id"]: (
            row["triggered_on"], row["converted_on"], row["conversions"], round(row["value"], 6),
            state["step"] == "offer",
        )
        for row, state in zip(entries.to_pylist(), states.to_pylist(), strict=True)
    }  # fmt: skip
    theirs = {
        row["customer_id"]: (
            row["triggered_on"], row["converted_on"], row["conversions"], round(row["value"], 6),
            row["is_completed"],
        )
        for row in shop.peer_replay().to_pylist()
    }  # fmt: skip
    if ours != theirs:
        raise RuntimeError("DuckDB and ordercycle do not find the same entries")
    measured = {
        row["arm"]: (row["customers"], row["Conversion"])
        for row in shop.measure().to_table().to_pylist()
    }
    counted = {
        row["arm"]: (row["customers"], row["converted"]) for row in shop.peer_measure().to_pylist()
    }
    if measured != counted:
        raise RuntimeError("DuckDB and ordercycle do not count the same conversions")


if __name__ == "__main__":
    sys.exit(main())
