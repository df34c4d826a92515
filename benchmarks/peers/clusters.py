"""The full profile on a cluster: ordercycle in Spark and Dask against what these engines offer.

From the repository's root, with ordercycle and the extra `benchmarks` installed (and Java 17 for
Spark):

    python -m benchmarks.peers.clusters --engine spark --orders 20000000 --customers 2000000
    python -m benchmarks.peers.clusters --engine dask --orders 20000000 --customers 2000000

A cluster of two worker processes is started on this machine: of one core each in Spark, of one
thread each in Dask. Orders come from Parquet, a file for each million; every profile column and
the lifecycle segment are computed and thrown away where they are. Both sides take turns. The
results are compared column by column beforehand, on fewer orders (`--check-orders`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

import psutil
import pyarrow as pa
from pyarrow import parquet

import ordercycle as oc

from .compare import differences
from .generate import AS_OF, Workload, order_pieces
from .verdicts import Figure, print_figures

#: What ours is called: given frames, as the peers are, and given the files that frames are of.
OURS, OF_FILES = "ordercycle", "ordercycle, given files"
LEAST = 3.0


class Orders(NamedTuple):
    """Orders as the engine's frame, and the files that it is of."""

    frame: Any
    folder: Path


class Engine(NamedTuple):
    """A running cluster: how to read orders, profile them, and what to do with the result."""

    read: Callable[[str], Any]
    profiles: dict[str, Callable[[Orders], Any]]
    run: Callable[[Any], object]
    collect: Callable[[Any], pa.Table]


def main() -> int:
    options = _parser().parse_args()
    workload = Workload(orders=options.orders, customers=options.customers)
    with (
        TemporaryDirectory(prefix="ordercycle-clusters-", dir=options.folder) as folder,
        ENGINES[options.engine](options) as engine,
    ):
        unequal = _check(engine, workload, options.check_orders, Path(folder, "small"))
        orders = orders_of(engine, workload, Path(folder, "orders"))
        seconds = {name: [] for name in engine.profiles}
        for turn in range(options.rounds + 1):
            for name, profile in engine.profiles.items():
                start, busy = perf_counter(), busy_seconds()
                engine.run(profile(orders))
                took, busy = perf_counter() - start, busy_seconds() - busy
                print(f"round {turn} {name}: {took:.2f} s, CPU {busy:.2f} s", file=sys.stderr)
                if turn:  # the first one starts processes, loads code and warms Java
                    seconds[name].append((took, busy))
    typical, cpu = (
        {name: median(one[place] for one in found) for name, found in seconds.items()}
        for place in range(2)
    )
    print(
        f"{workload.orders:,} orders of {workload.population:,} customers from Parquet, "
        f"{options.engine}, two workers, {options.partitions} partitions; medians of "
        f"{options.rounds} rounds; {os.cpu_count()} cores"
    )
    figures = [Figure(name, value, "s") for name, value in typical.items()]
    figures += [Figure(f"{name}, processor time", value, "s") for name, value in cpu.items()]
    figures += [
        Figure(f"{name} against {ours}{what}", of[name] / of[ours], "x", least=least)
        for ours in (OURS, OF_FILES)
        for what, of, least in (("", typical, LEAST), (", processor time", cpu, None))
        for name in of
        if name not in (OURS, OF_FILES)
    ]
    return 1 if print_figures(figures) or unequal else 0


def busy_seconds() -> float:
    """Return the processor time of this process and all that it started."""
    own = psutil.Process()
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.clusters",
        description="Profile orders on a cluster with ordercycle and with the engine itself.",
    )
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--orders", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, default=2_000_000)
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--memory", default="3g", help="of each Spark executor's Java")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check-orders", type=int, default=200_000, help="0: do not compare")
    parser.add_argument("--folder", help="where the files go for the time of the run")
    return parser


def write_orders(workload: Workload, folder: Path) -> Path:
    """Write the order table to Parquet, a file per piece."""
    folder.mkdir()
    for number, piece in enumerate(order_pieces(workload)):
        parquet.write_table(piece, folder / f"orders-{number:04}.parquet")
    return folder


def orders_of(engine: Engine, workload: Workload, folder: Path) -> Orders:
    """Write the order table and open it."""
    return Orders(engine.read(str(write_orders(workload, folder))), folder)


def compare_results(engine: Engine, orders: Orders) -> dict[str, list[str]]:
    """Return how each result differs from ordercycle's."""
    tables = {name: engine.collect(profile(orders)) for name, profile in engine.profiles.items()}
    ours = tables.pop(OURS)
    return {name: [str(one) for one in differences(ours, table)] for name, table in tables.items()}


def _check(engine: Engine, workload: Workload, orders: int, folder: Path) -> int:
    if not orders:
        return 0
    small = replace(workload, orders=min(orders, workload.orders))
    found = compare_results(engine, orders_of(engine, small, folder))
    for name, differing in found.items():
        same = "; ".join(differing) or f"equal on {small.orders:,} orders"
        print(f"check {name}: {same}", file=sys.stderr, flush=True)
    return sum(map(bool, found.values()))


def both(profile: Callable[[Any], Any]) -> dict[str, Callable[[Orders], Any]]:
    """Return ours, given the frame and given the files."""
    return {
        OURS: lambda orders: profile(orders.frame),
        OF_FILES: lambda orders: profile(orders.folder),
    }


@contextmanager
def spark_cluster(options: argparse.Namespace) -> Iterator[Engine]:
    """Start two executors of one core."""
    from pyspark.sql import SparkSession

    from ordercycle.engines import spark

    from .spark_profile import MEDIANS, profile

    os.environ["PYSPARK_PYTHON"] = sys.executable
    megabytes = int(options.memory.removesuffix("g")) * 1024
    builder = SparkSession.builder.master(f"local-cluster[2,1,{megabytes}]")
    for name, value in {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.executor.memory": options.memory,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
        "spark.sql.shuffle.partitions": str(options.partitions),
        # What docs/scaling/spark.md recommends; nothing that the peers do depends on it.
        "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()

    def ours(orders: Any) -> Any:
        return spark.assign(spark.profile(orders, as_of=AS_OF), oc.Lifecycle())

    peers = {
        f"Spark SQL, {name}": lambda orders, name=name: profile(orders.frame, AS_OF, name)
        for name in MEDIANS
    }
    try:
        yield Engine(
            session.read.parquet,
            {**both(ours), **peers},
            lambda frame: frame.write.format("noop").mode("overwrite").save(),
            methodcaller("toArrow"),
        )
    finally:
        session.stop()


@contextmanager
def dask_cluster(options: argparse.Namespace) -> Iterator[Engine]:
    """Start two workers of one thread."""
    import dask.dataframe as dd
    import pandas as pd
    from distributed import Client, LocalCluster

    from ordercycle.engines import dask

    from . import dask_expressions, dask_profile

    def ours(orders: Any) -> Any:
        profiles = dask.profile(orders, as_of=AS_OF, partitions=options.partitions)
        return dask.assign(profiles, oc.Lifecycle())

    peers = {
        "Dask DataFrame expressions": dask_expressions.profile,
        "Dask, custom pandas per partition": dask_profile.profile,
    }

    def run(frame: Any) -> None:
        # Every column is there before its rows are counted; only the counts come back.
        counts = frame.map_partitions(lambda part: pd.Series([len(part)]), meta=(None, "int64"))
        # Of itself, `compute` leaves expressions unfused: theirs take a sixth longer.
        counts.optimize().compute()

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs="ERROR",
        ) as cluster,
        Client(cluster),
    ):
        yield Engine(
            dd.read_parquet,
            {
                **both(ours),
                **{
                    name: lambda orders, profile=profile: profile(
                        orders.frame, AS_OF, options.partitions
                    )
                    for name, profile in peers.items()
                },
            },
            run,
            lambda frame: pa.Table.from_pandas(frame.compute(), preserve_index=False),
        )


ENGINES = {"spark": spark_cluster, "dask": dask_cluster}

if __name__ == "__main__":
    sys.exit(main())
