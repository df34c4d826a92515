"""Batches appended to a saved history, each with whom it moved: what one takes, one after another.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.live --customers 10000000
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, timedelta
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
import pyarrow as pa

import ordercycle as oc

from .verdicts import Figure, print_figures

FIRST_DAY, AS_OF = date(2022, 1, 1), date(2025, 12, 31)
ORDERS_PER_CUSTOMER = 5
#: Of those who order, how many are new.
NEWCOMERS = 0.02


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.live",
        description="Append batches to a saved history, and say whom each moved.",
    )
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, default=1_000)
    parser.add_argument("--batch-orders", type=int, default=1_000)
    parser.add_argument("--folder", help="where the history is saved; default: a temporary one")
    options = parser.parse_args()
    random = np.random.default_rng(1)
    people = options.customers
    lifecycle = oc.Lifecycle()
    with TemporaryDirectory(dir=options.folder) as folder:
        there = random.integers(0, people, people * ORDERS_PER_CUSTOMER)
        there[:people] = np.arange(people)
        span = (AS_OF - FIRST_DAY).days
        history = oc.OrderHistory.build(_orders(there, random.integers(0, span, there.size)))
        history = history.save(folder)
        del there
        wall, busy, moved = [], [], 0
        for number in range(options.batches + 1):
            whose = random.integers(0, int(people * (1 + NEWCOMERS)), options.batch_orders)
            batch = _orders(whose, np.full(whose.size, span))
            seconds, cpu = perf_counter(), process_time()
            history, moves = history.append_and_compare(
                batch, lifecycle, as_of=AS_OF, batch=str(number)
            )
            wall.append((perf_counter() - seconds) * 1e3)
            busy.append((process_time() - cpu) * 1e3)
            moved += moves.num_rows
        _check(history, folder)
    wall, busy = wall[1:], busy[1:]  # the first compiles or loads kernels
    print(f"{people:,} customers, {len(wall):,} batches of {options.batch_orders:,} orders")
    print(f"{moved:,} moves")
    return 1 if print_figures(
        [
            Figure("median", median(wall), "ms", most=100.0),
            Figure("99 % take at most", float(np.quantile(wall, 0.99)), "ms", most=300.0),
            Figure("longest", max(wall), "ms"),
            Figure("median, CPU", median(busy), "ms"),
            Figure("99 % take at most, CPU", float(np.quantile(busy, 0.99)), "ms"),
        ]
    ) else 0  # fmt: skip


def _orders(customers: np.ndarray, days: np.ndarray) -> pa.Table:
    first = (FIRST_DAY - date(1970, 1, 1)) // timedelta(days=1)
    return pa.table(
        {
            "customer_id": customers,
            "ordered_at": pa.array((first + days).astype(np.int32)).cast(pa.date32()),
            "amount": (customers * 7 + days) % 20_000 / 100,
        }
    )


def _check(history: oc.OrderHistory, folder: str) -> None:
    """Compare what all batches came to with what the folder holds."""
    kept, opened = (one.profile(AS_OF) for one in (history, oc.OrderHistory.open(folder)))
    if not kept.equals(opened):
        raise RuntimeError("the folder does not hold what was appended to it")


if __name__ == "__main__":
    sys.exit(main())
