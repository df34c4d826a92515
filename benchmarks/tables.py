"""Make the tables of docs/benchmarks.md anew, one command after the other.

From the repository's root, with ordercycle and the extra `benchmarks` installed, on a machine with
nothing else to do, 24 GB of memory and 60 GB of disk:

    python -m benchmarks.tables > tables.txt

The table "In short", which the README has as well, is the rows of the two below it:
`--only "In memory" "From Parquet to Parquet"`.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]

#: What each section of docs/benchmarks.md is made by.
COMMANDS = {
    "In memory": (
        "peers --orders 100000000 --limit pandas=20000000 --markdown",
        (
            "peers --orders 50000000 --customers 5000000 --ids uuid"
            " --engines ordercycle duckdb polars --markdown"
        ),
    ),
    "From Parquet to Parquet": (
        "peers.files --orders 100000000 --rounds 3 --settle 6GB --markdown",
        (
            "peers.files --orders 100000000 --memory-limit 1GB --rounds 1 --settle 6GB"
            " --engines ordercycle duckdb --markdown"
        ),
        (
            "peers.files --orders 1000000000 --customers 100000000 --memory-limit 6GB --rounds 1"
            " --engines ordercycle duckdb --markdown"
        ),
    ),
    "Phases": (
        "phases --orders 20000000",
        'phases --orders 20000000 --rows "by customer"',
    ),
    "On more cores": ("scaling --orders 20000000 --markdown",),
    "Everything else": (
        "peers.segments --customers 10000000",
        "peers.transitions --customers 10000000",
        "peers.membership --orders 100000000",
        "peers.report --orders 100000000",
        "peers.limits --largest 100000000",
        "peers.nightly --orders 100000000",
        "peers.live --customers 10000000",
        "peers.journeys --orders 100000000",
        "peers.audiences --customers 10000000",
    ),
    "Events": ("peers.events --events 100000000",),
    "Attribution": (
        "peers.credits --touches 5000000 --rounds 7",
        "peers.credits --memory-limit 150MB --touches 5000000 20000000",
        "peers.attribution_report --touches 5000000",
        "peers.attribution_report --touches 1000000000 --memory-limit 4GB",
    ),
    "A page": ("page_size",),
    "On a cluster": (
        "peers.clusters --engine spark --orders 20000000",
        "peers.clusters --engine dask --orders 20000000",
    ),
    "From CSV": (
        "peers.files --orders 10000000 --input csv --rounds 3 --engines ordercycle duckdb",
        "peers.csv_files --shape daily --rounds 3",
    ),
}


def run(command: str) -> int:
    """Run a command, and say what it was and how long it took."""
    module, *arguments = shlex.split(command)
    print(f"\n$ python -m benchmarks.{command}", flush=True)
    start = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments], cwd=ROOT, check=False
    )
    print(f"exit code {done.returncode} after {perf_counter() - start:,.0f} s", flush=True)
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tables",
        description="Make the tables of docs/benchmarks.md anew, one after the other.",
    )
    parser.add_argument("--list", action="store_true", help="print the commands, run none")
    parser.add_argument(
        "--only", nargs="+", choices=tuple(COMMANDS), default=tuple(COMMANDS), metavar="SECTION"
    )
    options = parser.parse_args()
    failures = 0
    for section in options.only:
        print(f"\n## {section}")
        for command in COMMANDS[section]:
            if options.list:
                print(f"python -m benchmarks.{command}")
            else:
                failures += run(command) != 0
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
