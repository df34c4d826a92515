"""Every verb on a cluster: ordercycle in Spark and Dask, beside what these engines offer.

From the repository's root, with ordercycle and the extra `benchmarks` installed (and Java 17 for
Spark):

    python -m benchmarks.peers.clusters --engine spark --orders 20000000
    python -m benchmarks.peers.clusters --engine dask --orders 20000000
    python -m benchmarks.peers.clusters --engine dask --orders 5000000 --verbs profile attribution

A cluster of two worker processes is started on this machine: of one core each in Spark, of one
thread each in Dask. Streams come from Parquet, a file for each million rows; results are computed
and thrown away where they are. `cluster_cases` says what is measured, and of how many rows: most of
it of a quarter of the orders. All formulations of a case take turns; their results are compared
beforehand, on fewer rows (`--check-orders`). A row of the table, in Markdown, is printed when it is
known. What fails, or takes longer than `--limit` seconds, is a row that says so, and the next case
begins with a new cluster.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from operator import methodcaller
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple, Self

import psutil
import pyarrow as pa

from .cluster_cases import CASES, FILES, FRAMES, Case, Given
from .cluster_shop import Shop, Size
from .compare import differences

ROOT = Path(__file__).resolve().parents[2]
#: What ours is called, by what it is given.
OURS = "ordercycle, given "
HEADER = (
    "| | verb | case | rows | seconds, from frames | from files | the engine's own | µs of "
    "processors a row, from frames | from files | the engine's own | the engine's own takes, of "
    "frames | of files | by |"
)


class Engine(NamedTuple):
    """A running cluster: our verbs, how to read files, what to do with frames, and the peers."""

    verbs: Any
    read: Callable[[str], Any]
    frame: type
    run: Callable[[Any], object]
    collect: Callable[[Any], pa.Table]
    peers: Any


class Took(NamedTuple):
    """Seconds: elapsed, and of processors."""

    elapsed: float
    busy: float


@dataclass
class Measured:
    """A formulation of a case, and what it took; failed: why it was not measured."""

    name: str
    work: Callable[[Shop], Any]
    rounds: list[Took] = field(default_factory=list)
    failed: str = ""

    @property
    def median(self) -> Took:
        """What it took, typically."""
        return Took(*map(median, zip(*self.rounds, strict=True)))


class TooLong(BaseException):
    """A case takes longer than it may: no error, which something on the way could catch."""


def main() -> int:
    options = _parser().parse_args()
    cases = [
        case
        for case in CASES
        if options.engine in case.engines
        and (options.verbs is None or {case.name, case.verb} & set(options.verbs))
    ]
    print(f"two workers, {options.partitions} partitions, {os.cpu_count()} cores\n")
    print(HEADER)
    print("|" + "---|" * (HEADER.count("|") - 1), flush=True)
    signal.signal(signal.SIGALRM, _too_long)
    bad = []
    with (
        TemporaryDirectory(prefix="ordercycle-clusters-", dir=options.folder) as folder,
        Cluster(options) as cluster,
    ):
        for case in cases:
            bench = Bench(case, options, Path(folder))
            signal.alarm(options.limit)
            try:
                with noting(bench):
                    bench.measure(cluster.engine)
            except TooLong:
                bench.failed = f"more than {options.limit} seconds"
            finally:
                signal.alarm(0)
            if bench.failed:
                cluster.stop()
            print(bench.row(), flush=True)
            if bench.is_bad:
                bad.append(case.name)
    if bad:
        print("not measured, or not equal:", ", ".join(bad), file=sys.stderr)
    return 1 if bad else 0


def _too_long(*_: object) -> None:
    raise TooLong


@contextmanager
def noting(one: Bench | Measured) -> Iterator[None]:
    """Note a failure, and go on: the figures of others are not to be lost."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is
        traceback.print_exc()
        one.failed = said(error)


def said(error: Exception) -> str:
    """Return an error in a line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[-1]}"[:120].replace("|", "/")


class Cluster:
    """A cluster that is started when it is needed, again where it was stopped."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._running: AbstractContextManager[Engine] | None = None
        self._engine: Engine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def engine(self) -> Engine:
        """The engine, running."""
        if self._engine is None:
            self._running = ENGINES[self._options.engine](self._options)
            self._engine = self._running.__enter__()
        return self._engine

    def stop(self) -> None:
        """End it, whatever state it is in."""
        running, self._running, self._engine = self._running, None, None
        if running is not None:
            with noting(Measured("stopping", print)):
                running.__exit__(None, None, None)


class Bench:
    """A case that is compared and measured."""

    def __init__(self, case: Case, options: argparse.Namespace, folder: Path) -> None:
        self.case, self.options, self.folder = case, options, folder
        self.ours: list[Measured] = []
        self.peers: list[Measured] = []
        self.failed = ""
        self.unequal: list[str] = []
        self.counted = 0

    @property
    def is_bad(self) -> bool:
        """Whether something failed, or is not equal."""
        both = [*self.ours, *self.peers]
        return bool(self.failed or self.unequal or any(one.failed for one in both))

    def measure(self, engine: Engine) -> None:
        """Compare all formulations, then measure them in turn."""
        case, options = self.case, self.options
        given = partial(Given, engine.verbs, engine.peers.keep, partitions=options.partitions)
        self.ours = [
            Measured(OURS + kind, lambda shop, kind=kind: case.ours(given(shop=shop, kind=kind)))
            for kind in case.given
        ]
        self.peers = [
            Measured(name, lambda shop, make=make: make(given(shop=shop)))
            for name, make in engine.peers.FORMULATIONS.get(case.name, {}).items()
        ]
        if options.check_orders:
            self._compare(engine, self._shop(engine, options.check_orders, None))
        orders = max(1, round(options.orders * case.share))
        customers = options.customers and max(1, round(options.customers * case.share))
        shop = self._shop(engine, orders, customers)
        self.counted = shop.rows(case.counted) if case.counted else 0
        begun = perf_counter()
        for turn in range(options.rounds + 1):
            for one in (*self.ours, *self.peers):
                if not one.failed:
                    self._take_turn(engine, one, shop, turn)
            if turn and perf_counter() - begun > options.seconds:
                break

    def _shop(self, engine: Engine, orders: int, customers: int | None) -> Shop:
        size = Size.of(orders, customers)
        return Shop(size, self.folder / f"{size.orders}-{size.customers}", engine.read)

    def _compare(self, engine: Engine, shop: Shop) -> None:
        first, *others = (*self.ours, *self.peers)
        wanted = done(engine, first.work(shop), engine.collect)
        for one in others:
            with noting(one):
                found = done(engine, one.work(shop), engine.collect)
                differing = self._differing(wanted, found, whole=one in self.ours)
                same = "; ".join(differing) or "equal"
                print(f"check {self.case.name}, {one.name}: {same}", file=sys.stderr, flush=True)
                self.unequal += differing

    def _differing(self, wanted: Any, found: Any, *, whole: bool) -> list[str]:
        """Return how two results differ; whole: in all columns, not only those peers have."""
        case = self.case
        if not isinstance(wanted, pa.Table):
            return [] if wanted == found else [f"{wanted!r:.80} here, {found!r:.80} there"]
        if case.key not in wanted.column_names:
            both = [in_order(table) for table in (wanted, found)]
            return [] if both[0].equals(both[1]) else ["other rows"]
        if not whole and case.columns is not None:
            wanted, found = wanted.select(case.columns), found.select(case.columns)
        return [
            str(one) for one in differences(wanted, found, key=case.key, tolerance=case.tolerance)
        ]

    def _take_turn(self, engine: Engine, one: Measured, shop: Shop, turn: int) -> None:
        start, busy = perf_counter(), busy_seconds()
        with noting(one):
            done(engine, one.work(shop), engine.run)
        if one.failed:
            return
        took = Took(perf_counter() - start, busy_seconds() - busy)
        print(
            f"{self.case.name}, round {turn}, {one.name}: {took.elapsed:.2f} s, "
            f"of processors {took.busy:.2f} s",
            file=sys.stderr,
            flush=True,
        )
        if turn:  # the first one starts processes, loads code and warms Java
            one.rounds.append(took)

    def row(self) -> str:
        """Return the row of the table."""
        case = self.case
        what = f"{self.counted:,} {case.counted}" if case.counted else ""
        best = min(
            (one for one in self.peers if one.rounds), key=lambda one: one.median, default=None
        )
        ours = {one.name.removeprefix(OURS): one for one in self.ours}
        all_of_them = [*(ours.get(kind) for kind in FRAMES + FILES), best]
        took = [one.median if one is not None and one.rounds else None for one in all_of_them]
        *own, theirs = took
        failed = [one.failed for one in (*self.ours, *self.peers) if one.failed]
        remarks = [
            *(["NOT EQUAL"] if self.unequal else []),
            *(f"not measured: {why}" for why in (self.failed, *failed) if why),
        ]
        cells = [
            *(case.of, f"`{case.verb}`", case.name, what),
            *("" if one is None else f"{one.elapsed:.2f}" for one in took),
            *(
                "" if one is None or not self.counted else f"{one.busy / self.counted * 1e6:.2f}"
                for one in took
            ),
            *(
                "" if one is None or theirs is None else f"{theirs.elapsed / one.elapsed:.1f} x"
                for one in own
            ),
            "; ".join([*([] if best is None else [best.name]), *remarks]),
        ]
        return "| " + " | ".join(cells) + " |"


def in_order(table: pa.Table) -> pa.Table:
    """Return rows in the order of all of their values."""
    return table.sort_by([(name, "ascending") for name in table.column_names])


def done(engine: Engine, result: Any, work: Callable[[Any], Any]) -> Any:
    """Return what comes of a result: frames are lazy, everything else is there."""
    return work(result) if isinstance(result, engine.frame) else result


def busy_seconds() -> float:
    """Return the processor time of this process and all that it started, those that ended too."""
    own = psutil.Process()
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.clusters",
        description="Every verb on a cluster, beside the engine's own formulations.",
    )
    names = sorted({name for case in CASES for name in (case.name, case.verb)})
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--orders", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, help="of them; default: a tenth")
    parser.add_argument("--verbs", nargs="+", metavar="NAME", choices=names, help=", ".join(names))
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--memory", default="3g", help="of each Spark executor's Java")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=int, default=30, help="of a case, after which no round begins"
    )
    parser.add_argument("--limit", type=int, default=300, help="seconds of a case at most")
    parser.add_argument("--check-orders", type=int, default=100_000, help="0: do not compare")
    parser.add_argument("--folder", help="where the files go for the time of the run")
    return parser


@contextmanager
def spark_cluster(options: argparse.Namespace) -> Iterator[Engine]:
    """Start two executors of one core."""
    from pyspark.sql import DataFrame, SparkSession

    from ordercycle.engines import spark

    from . import spark_peers

    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Workers import the formulations, too.
    known = os.environ.get("PYTHONPATH", "")
    if str(ROOT) not in known.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), known)))
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
        "spark.sql.session.timeZone": "UTC",
        # What docs/scaling/spark.md recommends; nothing that the peers do depends on it.
        "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        yield Engine(
            spark,
            session.read.parquet,
            DataFrame,
            lambda frame: frame.write.format("noop").mode("overwrite").save(),
            methodcaller("toArrow"),
            spark_peers,
        )
    finally:
        session.stop()


@contextmanager
def dask_cluster(options: argparse.Namespace) -> Iterator[Engine]:  # noqa: ARG001 - as Spark's
    """Start two workers of one thread."""
    import dask.dataframe as dd
    import pandas as pd
    from distributed import Client, LocalCluster

    from ordercycle.engines import dask

    from . import dask_peers

    def read(path: str) -> Any:
        # Only profiles have nulls; numbers of NumPy are faster for what the peers do.
        has_nulls = Path(path).name in ("profiles", "histories")
        return dd.read_parquet(path, **({"dtype_backend": "pyarrow"} if has_nulls else {}))

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
            dask,
            read,
            dd.DataFrame,
            run,
            lambda frame: pa.Table.from_pandas(frame.compute(), preserve_index=False),
            dask_peers,
        )


ENGINES = {"spark": spark_cluster, "dask": dask_cluster}

if __name__ == "__main__":
    sys.exit(main())
