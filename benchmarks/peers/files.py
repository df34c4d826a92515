"""Time ordercycle and its peers from file to file and print one table.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.files --orders 20000000 --rounds 3 --markdown
    python -m benchmarks.peers.files --orders 100000000 --memory-limit 1GB \
        --engines ordercycle duckdb
    python -m benchmarks.peers.files --orders 1000000000 --customers 100000000 \
        --memory-limit 6GB --rounds 1 --engines ordercycle duckdb --folder /large/disk

The input is generated on disk, piece by piece. Every engine then reads that file and writes a
Parquet file of all profile columns and the lifecycle segment, in a fresh process that is timed from
its start to its end: imports included, compilation of kernels not, which is done before. The
engines take turns. A virtual machine may give memory that nobody uses back to its host, and to get
it again costs ten times as much as to clear it (2 against 0.1 ns a byte where this was seen), so
that whoever comes after a pause pays: with --settle 8GB, so much memory is touched and freed
before every run. Sizes and compression of the results are each engine's own; ordercycle alone
sees to it that its result is on the disk when it says so.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from .compare import differences
from .engines import ENGINES
from .generate import AS_OF, Workload, order_pieces

ROOT = Path(__file__).resolve().parents[2]
PEER = "from benchmarks.peers.{0}_profile import profile_file; from datetime import date; "
CALL = "profile_file({0!r}, {1!r}, date.fromisoformat({2!r}), {3!r}, {4!r})"
COMMAND = (sys.executable, "-m", "ordercycle")
OURS, TWICE = "ordercycle", "ordercycle, two commands"
#: Every engine's modules are compiled once, as they are where they were installed.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
HEADINGS = (
    "engine",
    "seconds",
    "CPU seconds",
    "of the system",
    "ns/order",
    "x ordercycle",
    "peak memory",
    "result",
)


@dataclass(frozen=True)
class Sample:
    """What one run from file to file took."""

    seconds: float
    busy: float  #: seconds of the processors, and of them the system's: files and fresh memory
    system: float
    peak: int
    size: int


def main() -> int:
    options = _parser().parse_args()
    workload = Workload(orders=options.orders, customers=options.customers, ids=options.ids)
    with tempfile.TemporaryDirectory(prefix="ordercycle-files-", dir=options.folder) as folder:
        unequal = _check(options, workload, Path(folder))
        samples, failures = _measure(options, workload, Path(folder))
    _print_table(options, workload, samples, failures)
    return 1 if unequal else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.files",
        description="Time ordercycle and its peers from file to file and print one table.",
    )
    parser.add_argument("--orders", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, help="default: 8.8 %% of the orders")
    parser.add_argument("--memory-limit", help="passed to every engine that has one, as in 1GB")
    parser.add_argument("--ids", choices=("int64", "string"), default="int64")
    parser.add_argument("--input", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--rounds", type=int, default=3)
    engines = (OURS, TWICE, "duckdb", "polars")
    parser.add_argument("--engines", nargs="+", choices=engines, default=engines, metavar="ENGINE")
    parser.add_argument("--check-orders", type=int, default=1_000_000, help="0: do not compare")
    parser.add_argument(
        "--settle", default="0GB", help="memory to touch before every run, as in 8GB"
    )
    parser.add_argument("--folder", help="where the files go for the time of the run")
    parser.add_argument("--markdown", action="store_true", help="print the table of the docs")
    return parser


def write_orders(workload: Workload, path: Path) -> None:
    """Write the order table, with pyarrow's own settings: one row group per piece.

    In CSV, numbers with a sign are no ids of customers but text: theirs have none.
    """
    writer = None
    for piece in order_pieces(workload):
        if path.suffix == ".csv" and pa.types.is_int64(piece.schema.field("customer_id").type):
            ids = pc.bit_wise_and(piece["customer_id"], 2**63 - 1)
            piece = piece.set_column(0, "customer_id", ids)  # noqa: PLW2901
        if writer is None:
            make = csv.CSVWriter if path.suffix == ".csv" else parquet.ParquetWriter
            writer = make(str(path), piece.schema)
        writer.write_table(piece)
    writer.close()


def commands(
    engine: str, source: Path, result: Path, memory_limit: str | None
) -> list[tuple[str, ...]]:
    """Return what an engine has to run, one process after the other."""
    as_of, folder = AS_OF.isoformat(), str(result.parent)
    if engine in (OURS, TWICE):
        profile = (*COMMAND, "profile", str(source), "--as-of", as_of, "--quiet", "--overwrite")
        if memory_limit is not None:
            profile += ("--memory-limit", memory_limit, "--spill-directory", folder)
        if engine == OURS:
            return [(*profile, "--lifecycle", "fashion", "--out", str(result))]
        first = result.with_name("first-" + result.name)
        segment = (*COMMAND, "segment", str(first), "--quiet", "--overwrite")
        return [(*profile, "--out", str(first)), (*segment, "--out", str(result))]
    code = PEER.format(engine) + CALL.format(str(source), str(result), as_of, memory_limit, folder)
    return [(sys.executable, "-c", code)]


class RunFailed(RuntimeError):  # noqa: N818 - reads better where it is caught
    """An engine did not come to an end; the message says why."""


def run(engine: str, source: Path, result: Path, memory_limit: str | None = None) -> Sample:
    """Run an engine from file to file, in processes of its own."""
    seconds = busy = system = peak = 0
    for command in commands(engine, source, result, memory_limit):
        start = perf_counter()
        with subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
        ) as child:
            errors = child.stderr.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        seconds += perf_counter() - start
        if child.returncode:
            last = errors.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
            raise RunFailed(f"failed after {seconds:.0f} s: {last[0]}")
        busy += usage.ru_utime + usage.ru_stime
        system += usage.ru_stime
        peak = max(peak, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
    return Sample(seconds, busy, system, peak, result.stat().st_size)


def settle(size: str) -> None:
    """Touch so much memory and free it, in a process of its own, whose peak is not the engine's."""
    touch = f"import numpy; numpy.ones(int({size.removesuffix('GB')} * 1e9), numpy.uint8)"
    subprocess.run([sys.executable, "-c", touch], check=True)


def compare_results(workload: Workload, engines: list[str], folder: Path, kind: str) -> dict:
    """Return how the result of each engine differs from ordercycle's."""
    source = folder / f"small.{kind}"
    write_orders(workload, source)
    tables = {}
    for engine in dict.fromkeys([OURS, *engines]):
        result = folder / "small-result.parquet"
        run(engine, source, result)
        tables[engine] = _in_memory(result)
    return {
        engine: [str(one) for one in differences(tables[OURS], table)]
        for engine, table in tables.items()
        if engine != OURS
    }


def _in_memory(result: Path) -> pa.Table:
    with result.open("rb") as file:
        return parquet.read_table(pa.BufferReader(file.read()))


def _check(options, workload, folder):
    if not options.check_orders:
        return 0
    small = replace(workload, orders=min(workload.orders, options.check_orders))
    found = compare_results(small, options.engines, folder, options.input)
    for engine, differing in found.items():
        same = "; ".join(differing) or f"equal on {small.orders:,} orders"
        _note(f"check {engine}: {same}")
    return sum(map(bool, found.values()))


def _measure(options, workload, folder):
    source, result = folder / f"orders.{options.input}", folder / "result.parquet"
    write_orders(workload, source)
    samples = {engine: [] for engine in options.engines}
    failures = {}
    for turn in range(options.rounds):
        for engine in options.engines:
            if engine in failures:
                continue
            try:
                settle(options.settle)
                sample = run(engine, source, result, options.memory_limit)
            except RunFailed as failure:
                failures[engine] = str(failure)
                _note(f"round {turn + 1} {engine}: {failure}")
                continue
            samples[engine].append(sample)
            _note(
                f"round {turn + 1} {engine}: {sample.seconds:.2f} s, CPU {sample.busy:.2f} s, "
                f"{sample.system:.2f} of them the system's"
            )
    return samples, failures


def _limit(options):
    return f"memory limit {options.memory_limit}" if options.memory_limit else "no memory limit"


def _note(text):
    print(text, file=sys.stderr, flush=True)


def _print_table(options, workload, samples, failures):
    def typical(engine, field):
        return median(getattr(sample, field) for sample in samples[engine])

    rows = [HEADINGS]
    for engine in options.engines:
        if engine in failures:
            rows.append((ENGINES[engine].title, failures[engine], *[""] * (len(HEADINGS) - 2)))
            continue
        seconds = typical(engine, "seconds")
        ratio = f"{seconds / typical(OURS, 'seconds'):.1f}" if samples.get(OURS) else ""
        rows.append(
            (
                ENGINES[engine].title if engine in ENGINES else engine,
                f"{seconds:.2f}",
                f"{typical(engine, 'busy'):.2f}",
                f"{typical(engine, 'system'):.2f}",
                f"{seconds / workload.orders * 1e9:.1f}",
                ratio,
                f"{typical(engine, 'peak') / 1e9:.2f} GB",
                f"{typical(engine, 'size') / 1e6:.0f} MB",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        [cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in
         enumerate(zip(row, widths, strict=True))]
        for row in rows
    ]  # fmt: skip
    marks = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in
             enumerate(widths)]  # fmt: skip
    print(
        f"{workload.orders:,} orders of {workload.population:,} customers, {workload.ids} ids, "
        f"{options.input} to Parquet, {_limit(options)}; medians of {options.rounds} rounds taken "
        f"in turn; {os.cpu_count()} cores.\n"
    )
    for line in [lines[0], marks, *lines[1:]]:
        print(f"| {' | '.join(line)} |" if options.markdown else "  ".join(line))


if __name__ == "__main__":
    sys.exit(main())
