"""Hold ordercycle against its memory limit: inputs that ask for more, seen from outside.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.memory --memory-limit 200MB --folder /large/disk

Every input is written to disk, then profiled by the command line in a process of its own, whose
memory is sampled. "Resident" is the most that the system counted, pages of libraries included;
"own" is what the process itself asked for. The limit is kept where resident memory exceeds it by
400 MB at most.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import NamedTuple

from .generate import AS_OF
from .memory_inputs import INPUTS
from .processes import ROOT

ALLOWANCE = 400e6
SAMPLE_SECONDS = 0.005
UNITS = {"MB": 1e6, "GB": 1e9}

_KEPT = """
import sys, ordercycle
history = ordercycle.OrderHistory.build(
    sys.argv[1], memory_limit=sys.argv[2], spill_directory=sys.argv[3]
)
day = sys.argv[4]
print(sum(batch.num_rows for batch in history.profile_batches(day)))
lifecycle, made = ordercycle.Lifecycle(), history.summary()
if made.orders > made.customers:  # else there is no gap to fit to
    lifecycle = lifecycle.fit(history, day)
membership = lifecycle.membership(history)
period = (day[:7], day[:7])
print(ordercycle.SegmentReport.build(history, membership, period=period).comparison().num_rows)
"""


class Peak(NamedTuple):
    """The most memory of a process, in bytes, and the seconds that it took."""

    resident: float
    own: float
    seconds: float


def main() -> int:
    options = _parser().parse_args()
    limit = float(options.memory_limit[:-2]) * UNITS[options.memory_limit[-2:]]
    broken = 0
    print(f"memory limit {options.memory_limit}; peaks in MB\n")
    print("| input | asked | resident | own | seconds | |\n|---|---|---:|---:|---:|---|")
    for name in options.inputs:
        for asked, peak in _peaks(name, options):
            kept = peak.resident <= limit + ALLOWANCE
            broken += not kept
            print(
                f"| {name} | {asked} | {peak.resident / 1e6:.0f} | {peak.own / 1e6:.0f} | "
                f"{peak.seconds:.1f} | {'' if kept else 'BROKEN'} |",
                flush=True,
            )
    return 1 if broken else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.memory",
        description="Hold ordercycle against its memory limit.",
    )
    parser.add_argument("--memory-limit", default="200MB", help="as in 200MB or 1GB")
    parser.add_argument("--scale", type=float, default=1.0, help="of all inputs, 0.3 to 1 GB each")
    parser.add_argument("--inputs", nargs="+", choices=INPUTS, default=list(INPUTS))
    parser.add_argument("--folder", help="where files go for the time of the run: 3 GB")
    return parser


def _peaks(name: str, options) -> Iterator[tuple[str, Peak]]:
    """Yield what is asked of an input, and the peak of the process that answers."""
    limit, day = options.memory_limit, AS_OF.isoformat()
    with TemporaryDirectory(prefix="ordercycle-memory-", dir=options.folder) as folder:
        source, extra = INPUTS[name](Path(folder), options.scale)
        out = str(Path(folder) / "profile.parquet")
        bounds = ("--memory-limit", limit, "--spill-directory", folder)
        command = ("-m", "ordercycle", "profile", str(source), "--as-of", day, "--quiet")
        yield "profile", peak_of(*command, *bounds, "--out", out, *extra)
        if not extra:
            yield "history", peak_of("-c", _KEPT, str(source), limit, folder, day)


def peak_of(*arguments: str) -> Peak:
    """Run Python with some arguments; return its peak, as seen from here."""
    start = perf_counter()
    resident = own = 0.0
    command = (sys.executable, *arguments)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as child:
        while child.poll() is None:
            found = _status(child.pid)
            resident = max(resident, found.get("VmHWM", 0))
            own = max(own, found.get("RssAnon", 0))
            sleep(SAMPLE_SECONDS)
    if child.returncode:
        raise RuntimeError(f"exit code {child.returncode}: {' '.join(command)}")
    return Peak(resident, own, perf_counter() - start)


def _status(process: int) -> dict[str, int]:
    """Return the sizes that the system tells of a process, in bytes."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    fields = (line.replace(":", "").split() for line in lines if line.endswith(" kB"))
    return {name: 1024 * int(size) for name, size, _ in fields}


if __name__ == "__main__":
    sys.exit(main())
