"""From a profile to segments: each scheme, and RFM beside pandas and Polars.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.segments --customers 10000000
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

from .rfm_scores import pandas_scores, polars_scores
from .verdicts import Figure, print_figures
from .worker import peak_memory, reset_peak

#: Customers of a chunk, about as many as a profile of `OrderHistory` has.
CHUNK_ROWS = 16_384
CHECKED_CUSTOMERS = 200_000
RFM_COLUMNS = ("recency_score", "frequency_score", "monetary_score", "rfm")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.segments",
        description="Fit and assign schemes to a profile, RFM beside pandas and Polars.",
    )
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-rounds", type=int, default=3)
    options = parser.parse_args()
    check(profile_table(min(options.customers, CHECKED_CUSTOMERS)))
    table = profile_table(options.customers)
    figures = [*_schemes(table, options.rounds), *_peers(table, options)]
    print(f"{options.customers:,} customers")
    return 1 if print_figures(figures) else 0


def profile_table(customers: int) -> pa.Table:
    """Return what schemes read of a profile, in chunks."""
    random = np.random.default_rng(20260101)
    orders = np.ceil(random.lognormal(1.5, 0.8, customers)).astype(np.int64)
    since = random.integers(0, 1096, customers).astype(np.int32)
    lifetime = np.where(orders > 1, random.integers(0, 1096, customers), 0).astype(np.int32)
    gaps = np.maximum(orders - 1, 1)
    # Gaps that are equal but for a spread of some days.
    squares = lifetime.astype(np.int64) ** 2 // gaps + gaps * random.integers(1, 400, customers)
    table = pa.table(
        {
            "days_since_registration": since + lifetime,
            "days_since_last_order": since,
            "orders": orders,
            "revenue": np.round(random.lognormal(4, 1, customers) * orders, 2),
            "lifetime_days": lifetime,
            "gap_square_sum": squares,
        }
    )
    return pa.Table.from_batches(table.to_batches(max_chunksize=CHUNK_ROWS))


def check(table: pa.Table) -> None:
    """Raise where a peer finds other scores or names."""
    ours = oc.Rfm().fit(table).assign(table).select(RFM_COLUMNS).to_pandas()
    pandas = pandas_scores(table.to_pandas())[list(RFM_COLUMNS)]
    polars = polars_scores(_polars_frame(table)).select(RFM_COLUMNS).to_pandas()
    for name, found in (("pandas", pandas), ("Polars", polars)):
        for column in RFM_COLUMNS:
            differing = int((found[column].astype(str) != ours[column].astype(str)).sum())
            if differing:
                raise RuntimeError(f"{name}: {column} differs for {differing:,} customers")


def _schemes(table: pa.Table, rounds: int) -> list[Figure]:
    customers = table.num_rows
    cadence, rfm = oc.Cadence().fit(table), oc.Rfm().fit(table)
    work: dict[str, tuple[Callable[[], object], float | None, tuple[str, ...]]] = {
        "lifecycle, assign": (lambda: oc.Lifecycle().assign(table), 5.0, (
            "days_since_registration", "days_since_last_order", "orders")),
        "cadence, fit": (lambda: oc.Cadence().fit(table), None, ("orders", *CADENCE)),
        "cadence, assign": (lambda: cadence.assign(table), 10.0, (
            "days_since_last_order", "orders", *CADENCE)),
        "rfm, fit": (lambda: oc.Rfm().fit(table), None, RFM),
        "rfm, assign": (lambda: rfm.assign(table), None, RFM),
        "rfm, fit and assign": (lambda: oc.Rfm().fit(table).assign(table), 60.0, RFM),
    }  # fmt: skip
    figures = []
    for name, (call, most, columns) in work.items():
        wall, busy = _timed(call, rounds)
        figures.append(Figure(name, wall / customers * 1e9, "ns/customer", most=most))
        figures.append(Figure(f"{name}, processor", busy / customers * 1e9, "ns/customer"))
        memory = _extra_memory(call)
        if memory is not None:
            read = sum(table.column(column).nbytes for column in columns)
            figures.append(Figure(f"{name}, memory", memory / read, "x columns read", most=2.0))
    return figures


CADENCE = ("lifetime_days", "gap_square_sum")
RFM = ("days_since_last_order", "orders", "revenue")


def _peers(table: pa.Table, options) -> list[Figure]:
    read = table.select(list(RFM))
    frames = {"pandas": read.to_pandas(), "Polars": _polars_frame(read)}
    calls = {"pandas": pandas_scores, "Polars": polars_scores}
    ours = lambda: oc.Rfm().fit(table).assign(table)  # noqa: E731
    figures = []
    for name, least in (("pandas", 5.0), ("Polars", 3.0)):
        ratios, seconds = [], []
        for _ in range(options.peer_rounds):
            theirs = _timed(lambda name=name: calls[name](frames[name]), 1)[0]
            ratios.append(theirs / _timed(ours, 1)[0])
            seconds.append(theirs)
        each = median(seconds) / table.num_rows * 1e9
        figures.append(Figure(f"rfm, fit and assign, {name}", each, "ns/customer"))
        figures.append(Figure(f"rfm, {name} against ordercycle", median(ratios), "x", least=least))
    return figures


def _polars_frame(table: pa.Table):
    import polars as pl

    return pl.from_arrow(table, rechunk=True)


def _timed(call: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return median seconds, by the clock and of the processor."""
    wall, busy = [], []
    for _ in range(rounds):
        gc.collect()
        seconds, cpu = perf_counter(), process_time()
        call()
        wall.append(perf_counter() - seconds)
        busy.append(process_time() - cpu)
    return median(wall), median(busy)


def _extra_memory(call: Callable[[], object]) -> int | None:
    """Return the most memory held beside the input and the result; None where it is unknown."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    before = reset_peak()
    result = call()
    peak = peak_memory()
    del result
    return None if before is None or peak is None else max(0, peak - before)


if __name__ == "__main__":
    sys.exit(main())
