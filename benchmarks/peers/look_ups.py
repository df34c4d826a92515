"""Some customers of a saved history, against the profile of all.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.look_ups --customers 10000000
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import ordercycle as oc

from .generate import AS_OF, IDS, Workload, order_table
from .verdicts import Figure, print_figures

COLUMNS = oc.Columns(customer="customer_id", time="ordered_at", amount="amount")
ASKED = 100
#: Of other customers each time; of the profile of all, once.
REPEATS = 50


class Timed(NamedTuple):
    """Medians, in milliseconds."""

    wall: float
    cpu: float


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.look_ups",
        description="Profile some customers of a saved history, against all of them.",
    )
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--orders-per-customer", type=int, default=3)
    parser.add_argument("--ids", choices=IDS, default="int64")
    parser.add_argument("--folder", help="where the history is saved; default: a temporary one")
    options = parser.parse_args()
    orders = options.customers * options.orders_per_customer
    table = order_table(Workload(orders=orders, customers=options.customers, ids=options.ids))
    oc.warmup()
    with TemporaryDirectory(dir=options.folder) as folder:
        oc.OrderHistory.build(table, columns=COLUMNS).save(folder)
        random = np.random.default_rng(1)
        ids = table["customer_id"].take(pa.array(random.integers(0, orders, REPEATS * ASKED)))
        del table
        return 1 if print_figures(_figures(folder, ids.to_pylist())) else 0


def _figures(folder: str, ids: list[Any]) -> list[Figure]:
    history = oc.OrderHistory.open(folder, verify=False)
    groups = [ids[start : start + ASKED] for start in range(0, len(ids), ASKED)]
    every = history.profile(AS_OF)
    _check(history, every, groups[0])
    print(f"{every.num_rows:,} customers, {history.summary().orders:,} orders")
    whole = _timed(lambda _: history.profile(AS_OF), [None])
    some = _timed(lambda group: history.profile(AS_OF, customers=group), groups)
    one = _timed(lambda group: history.profile(AS_OF, customers=group[:1]), groups)
    lifecycle = oc.Lifecycle()
    explained = _timed(lambda group: lifecycle.explain(history, group[0], AS_OF), groups)
    return [
        Figure("profile of all", whole.wall, "ms"),
        Figure(f"profile of {ASKED}", some.wall, "ms", most=5.0),
        Figure(f"profile of {ASKED}, CPU", some.cpu, "ms"),
        Figure(f"profile of all against {ASKED}", whole.wall / some.wall, "x"),
        Figure("profile of one", one.wall, "ms"),
        Figure("explain one", explained.wall, "ms"),
    ]


def _timed(call: Callable[[Any], object], inputs: list[Any]) -> Timed:
    """Time a call with each input, once it has run with all of them."""
    for one in inputs:
        call(one)
    wall, cpu = [], []
    for one in inputs:
        began, worked = perf_counter(), process_time()
        call(one)
        wall.append(perf_counter() - began)
        cpu.append(process_time() - worked)
    return Timed(1e3 * median(wall), 1e3 * median(cpu))


def _check(history: oc.OrderHistory, every: pa.Table, group: list[Any]) -> None:
    """Raise an AssertionError where some profiles are not those of all."""
    asked = pc.is_in(every["customer_id"], pa.array(group, every["customer_id"].type))
    if not history.profile(AS_OF, customers=group).equals(every.filter(asked)):
        raise AssertionError("the profiles of some customers are not those of all")


if __name__ == "__main__":
    sys.exit(main())
