"""From a profile to segments: each scheme, RFM beside pandas and Polars, transitions beside DuckDB.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.segments --customers 10000000
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple

import pyarrow as pa

import ordercycle as oc

from . import transitions
from .generate_profiles import profile_table
from .processes import ROOT
from .rfm_scores import pandas_scores, polars_scores
from .verdicts import Figure, print_figures
from .worker import peak_memory, reset_peak

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
    parser.add_argument("--memory-of", choices=WORK, help="print its memory, and nothing else")
    options = parser.parse_args()
    if options.memory_of:
        _print_memory(WORK[options.memory_of], options.customers)
        return 0
    check(profile_table(min(options.customers, CHECKED_CUSTOMERS)))
    table = profile_table(options.customers)
    figures = [*_schemes(table, options.rounds), *_peers(table, options)]
    del table
    figures += transitions.figures(options.customers, "int64", options.rounds)
    print(f"{options.customers:,} customers")
    return 1 if print_figures(figures) else 0


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


class Work(NamedTuple):
    """Something to do with a profile: in two steps, of which the second is measured."""

    prepare: Callable[[pa.Table], Any]
    run: Callable[[Any, pa.Table], object]
    columns: tuple[str, ...]  # that are read
    most: float | None = None  # nanoseconds per customer


GAPS = ("orders", "lifetime_days", "gap_square_sum")
RFM = ("days_since_last_order", "orders", "revenue")
WORK = {
    "lifecycle, assign": Work(
        lambda _: oc.Lifecycle(),
        lambda scheme, table: scheme.assign(table),
        ("days_since_registration", "days_since_last_order", "orders"),
        most=5.0,
    ),
    "cadence, fit": Work(lambda _: oc.Cadence(), lambda scheme, table: scheme.fit(table), GAPS),
    "cadence, assign": Work(
        lambda table: oc.Cadence().fit(table),
        lambda scheme, table: scheme.assign(table),
        ("days_since_last_order", *GAPS),
        most=10.0,
    ),
    "rfm, fit": Work(lambda _: oc.Rfm(), lambda scheme, table: scheme.fit(table), RFM),
    "rfm, assign": Work(
        lambda table: oc.Rfm().fit(table), lambda scheme, table: scheme.assign(table), RFM
    ),
    "rfm, fit and assign": Work(
        lambda _: oc.Rfm(), lambda scheme, table: scheme.fit(table).assign(table), RFM, most=60.0
    ),
}


def _schemes(table: pa.Table, rounds: int) -> list[Figure]:
    customers = table.num_rows
    figures = []
    for name, work in WORK.items():
        prepared = work.prepare(table)
        wall, busy = _timed(lambda work=work, made=prepared: work.run(made, table), rounds)
        figures.append(Figure(name, wall / customers * 1e9, "ns/customer", most=work.most))
        figures.append(Figure(f"{name}, processor", busy / customers * 1e9, "ns/customer"))
        command = [sys.executable, "-m", "benchmarks.peers.segments", "--memory-of", name]
        command += ["--customers", str(customers)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        if done.stdout.strip():
            share = float(done.stdout)
            figures.append(Figure(f"{name}, memory", share, "x columns read", most=2.0))
    return figures


def _print_memory(work: Work, customers: int) -> None:
    """Print the most memory held beside the profile, result included, in a fresh process."""
    small, table = profile_table(CHECKED_CUSTOMERS), profile_table(customers)
    work.run(work.prepare(small), small)
    prepared = work.prepare(small)
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:  # what the making of the profile left would be used first, and not be counted
        trim(0)
    before = reset_peak()
    result = work.run(prepared, table)
    peak = peak_memory()
    del result
    if before is not None:  # Linux
        print((peak - before) / sum(table.column(name).nbytes for name in work.columns))


def _peers(table: pa.Table, options) -> list[Figure]:
    read = table.select(list(RFM))
    frames = {"pandas": read.to_pandas(), "Polars": _polars_frame(read)}
    calls = {"pandas": pandas_scores, "Polars": polars_scores}

    def ours():
        return oc.Rfm().fit(table).assign(table)

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


if __name__ == "__main__":
    sys.exit(main())
