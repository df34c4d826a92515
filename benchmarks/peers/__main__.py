"""Time ordercycle and its peers in turn and print one table.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers --orders 10000000

Every engine reads the same in-memory Arrow table and hands back an Arrow table. Each measurement
runs in a fresh process; the engines take turns (A B C A B C), so that a slow minute of the machine
falls on all of them.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

from .engines import ENGINES, OURS
from .generate import IDS, Workload
from .processes import JobFailed, run_job

_COPY = "copy"
_QUIET_LOAD = 0.5
_HEADINGS = (
    "engine",
    "seconds",
    "first call",
    "CPU seconds",
    "ns/order",
    "x ordercycle",
    "x copy, warm",
    "x copy, cold",
    "memory beyond input",
)


def main() -> int:
    options = _parser().parse_args()
    workload = Workload(
        orders=options.orders,
        customers=options.customers,
        skew=options.skew,
        ids=options.ids,
    )
    load = os.getloadavg()[0]
    if load > _QUIET_LOAD:
        _note(f"the load average is {load:.1f}: something else is running, times will be too long")
    unequal = 0
    if options.check_orders and OURS in options.engines:
        unequal = _check(options, workload)
    samples, failures = _measure(options, workload)
    _print_table(options, workload, samples, failures)
    return 1 if unequal else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description="Time ordercycle and its peers in turn and print one table.",
    )
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int, help="default: 8.8 %% of the orders")
    parser.add_argument("--skew", type=float, default=0.0, help="share of orders of one customer")
    parser.add_argument("--ids", choices=IDS, default="int64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--engines", nargs="+", choices=tuple(ENGINES), default=list(ENGINES), metavar="ENGINE"
    )
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="ENGINE=ORDERS",
        help="leave ENGINE out of runs with more orders, e.g. pandas=20000000",
    )
    parser.add_argument(
        "--check-orders",
        type=int,
        default=1_000_000,
        help="compare all results on a table of at most this size first; 0: do not",
    )
    parser.add_argument("--markdown", action="store_true", help="print the table of the docs")
    return parser


def _check(options, workload):
    """Compare every complete peer with ordercycle, column by column."""
    small = replace(workload, orders=min(workload.orders, options.check_orders), customers=None)
    unequal = 0
    for name in options.engines:
        if name == OURS or not ENGINES[name].complete:
            continue
        try:
            found = run_job("check", small, name)["differences"]
        except JobFailed as failure:
            found = [str(failure)]
        _note(f"check {name}: " + ("; ".join(found) or f"equal on {small.orders:,} orders"))
        unequal += bool(found)
    return unequal


def _measure(options, workload):
    limits = {name: int(size) for name, size in (text.split("=") for text in options.limit)}
    waiting = [_COPY, *options.engines]
    samples = {name: [] for name in waiting}
    failures = {}
    for name in options.engines:
        if workload.orders > limits.get(name, workload.orders):
            failures[name] = f"not run above {limits[name]:,} orders"
    for turn in range(options.rounds):
        for name in waiting:
            if name in failures:
                continue
            try:
                if name == _COPY:
                    sample = run_job("copy", workload)
                else:
                    sample = run_job("measure", workload, name)
            except JobFailed as failure:
                failures[name] = str(failure)
                _note(f"round {turn + 1} {name}: {failure}")
                continue
            samples[name].append(sample)
            threads = f"CPU {sample['busy']:.3f} s" if sample["busy"] else "one thread"
            _note(
                f"round {turn + 1} {name}: {sample['repeat']:.3f} s, {threads}, "
                f"first {sample['first']:.3f} s"
            )
    return samples, failures


def _print_table(options, workload, samples, failures):
    def typical(name, field):
        values = [sample[field] for sample in samples[name] if sample[field] is not None]
        return median(values) if values else None

    ours = typical(OURS, "repeat") if samples.get(OURS) else None
    warm, cold, size = (typical(_COPY, field) for field in ("repeat", "first", "input"))
    rows = []
    for name in options.engines:
        if name in failures:
            rows.append((ENGINES[name].title, failures[name], *[""] * (len(_HEADINGS) - 2)))
            continue
        seconds, peak = typical(name, "repeat"), typical(name, "peak")
        rows.append(
            (
                ENGINES[name].title,
                f"{seconds:.2f}",
                f"{typical(name, 'first'):.2f}",
                f"{typical(name, 'busy'):.2f}",
                f"{seconds / workload.orders * 1e9:.1f}",
                f"{seconds / ours:.1f}" if ours else "",
                f"{seconds / warm:.1f}",
                f"{seconds / cold:.1f}",
                f"{peak / 1e9:.2f} GB, {peak / size:.2f} x input" if peak is not None else "",
            )
        )
    for name, title, seconds in (
        ("warm", "copy of the input, warm memory", warm),
        ("cold", "copy of the input, fresh memory", cold),
    ):
        rows.append(
            (
                title,
                f"{seconds:.2f}",
                "",
                "",
                f"{seconds / workload.orders * 1e9:.1f}",
                f"{seconds / ours:.2f}" if ours else "",
                "1.0" if name == "warm" else f"{seconds / warm:.1f}",
                "1.0" if name == "cold" else f"{seconds / cold:.1f}",
                f"{size / 1e9:.2f} GB copied",
            )
        )
    print(_description(options, workload))
    print()
    print("\n".join(_lines([_HEADINGS, *rows], markdown=options.markdown)))


def _lines(rows, *, markdown):
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in {0, len(row) - 1} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(cells)} |" if markdown else "  ".join(cells).rstrip())
    marks = ["-" * width for width in widths]
    if markdown:
        marks[1:-1] = [f"{mark[:-1]}:" for mark in marks[1:-1]]
    lines.insert(1, f"| {' | '.join(marks)} |" if markdown else "  ".join(marks))
    return lines


def _description(options, workload):
    skewed = f", one customer with {workload.skew:.0%} of them" if workload.skew else ""
    return (
        f"{workload.orders:,} orders of {workload.population:,} customers{skewed}, "
        f"{workload.ids} ids; medians of {options.rounds} rounds taken in turn; "
        f"{os.cpu_count()} cores ({_processor()}), Python {platform.python_version()}."
    )


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _note(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
