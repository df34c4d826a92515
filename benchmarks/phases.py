"""Where the time of a build and a profile goes, phase by phase, and what memory they take.

From the repository's root, with ordercycle installed:

    python -m benchmarks.phases --orders 5000000

Each kernel's processor time is counted around its calls, threads together; what is left is NumPy,
Arrow, Python, and pages that the system provides outside of kernels. Stages are timed without the
counting as well, in turn with it.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, process_time, thread_time

import pyarrow as pa
from benchmarks.peers.generate import AS_OF, IDS, Workload, order_table
from benchmarks.peers.worker import peak_memory, reset_peak

import ordercycle as oc
from ordercycle_kernels._jit import Kernel

COLUMNS = oc.Columns(customer="customer_id", time="ordered_at", amount="amount")
WARM_UP_ORDERS = 300_000
LEAST_NANOSECONDS = 0.05  # an order; kernels below it are shown together
PLAIN_CALL = Kernel.__call__


@dataclass
class Counts:
    """Processor seconds and calls of each kernel."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Sample:
    """One run of a stage."""

    wall: float
    busy: float
    system: float
    memory: int | None
    counts: Counts | None


@contextmanager
def counted(counts: Counts) -> Iterator[None]:
    """Count what kernels take that are called from Python, on whatever thread."""
    lock = threading.Lock()

    def call(kernel, *arguments, **named):
        start = thread_time()
        try:
            return PLAIN_CALL(kernel, *arguments, **named)
        finally:
            seconds = thread_time() - start
            with lock:
                counts.seconds[kernel.name] += seconds
                counts.calls[kernel.name] += 1

    Kernel.__call__ = call
    try:
        yield
    finally:
        Kernel.__call__ = PLAIN_CALL


def measured(stage: Callable[[], object], *, with_kernels: bool) -> Sample:
    """Run a stage once; its memory is what it holds at most beyond what was there."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    before = reset_peak()
    counts = Counts() if with_kernels else None
    system = resource.getrusage(resource.RUSAGE_SELF).ru_stime
    busy, wall = process_time(), perf_counter()
    if counts is None:
        made = stage()
    else:
        with counted(counts):
            made = stage()
    wall, busy = perf_counter() - wall, process_time() - busy
    system = resource.getrusage(resource.RUSAGE_SELF).ru_stime - system
    memory = None if before is None else peak_memory() - before
    del made
    return Sample(wall, busy, system, memory, counts)


def stages(workload: Workload, threads: int | None) -> dict[str, Callable[[], object]]:
    """Return the steps from orders to segments, each with what comes before it made."""
    orders = order_table(workload)

    def build(table=orders):
        return oc.OrderHistory.build(table, columns=COLUMNS, threads=threads)

    oc.Lifecycle().assign(build(orders.slice(0, WARM_UP_ORDERS)).profile(AS_OF))
    history = build()
    profile = history.profile(AS_OF)
    return {
        "build": build,
        "profile": lambda: history.profile(AS_OF),
        "segments": lambda: oc.Lifecycle().assign(profile),
    }


def typical(samples: list[Sample], name: str) -> float:
    return median(getattr(sample, name) for sample in samples)


def lines(name: str, plain: list[Sample], detailed: list[Sample], orders: int) -> Iterator[str]:
    """Yield the table of a stage."""
    per_order = 1e9 / orders
    # Later runs find memory of earlier ones that is still the process's.
    peaks = [sample.memory for sample in plain if sample.memory is not None]
    memory = f", {max(peaks) / 1e6:,.0f} MB" if peaks else ""
    yield (
        f"{name}: {typical(plain, 'wall') * per_order:.1f} ns an order, processors "
        f"{typical(plain, 'busy') * per_order:.1f}, of it in the system "
        f"{typical(plain, 'system') * per_order:.1f}{memory}"
    )
    names = {kernel for sample in detailed for kernel in sample.counts.seconds}
    costs = {
        kernel: median(sample.counts.seconds[kernel] for sample in detailed) * per_order
        for kernel in names
    }
    shown = sorted((one for one in costs if costs[one] >= LEAST_NANOSECONDS), key=costs.get)
    for kernel in reversed(shown):
        calls = median(sample.counts.calls[kernel] for sample in detailed)
        yield f"  {kernel:<42}{costs[kernel]:7.2f} {calls:9,.0f} calls"
    small = sum(cost for kernel, cost in costs.items() if kernel not in shown)
    rest = typical(detailed, "busy") * per_order - sum(costs.values())
    yield f"  {f'{len(costs) - len(shown)} kernels below {LEAST_NANOSECONDS} ns':<42}{small:7.2f}"
    yield f"  {'the rest':<42}{rest:7.2f}"


def main() -> int:
    options = _parser().parse_args()
    workload = Workload(
        orders=options.orders,
        customers=options.customers,
        skew=options.skew,
        ids=options.ids,
        rows=options.rows,
    )
    print(
        f"{workload.orders:,} orders of {workload.population:,} customers, {workload.rows}, "
        f"{workload.ids} ids; medians of {options.rounds} rounds; load {os.getloadavg()[0]:.1f}"
    )
    for name, stage in stages(workload, options.threads).items():
        plain, detailed = [], []
        for _ in range(options.rounds):
            plain.append(measured(stage, with_kernels=False))
            detailed.append(measured(stage, with_kernels=True))
        print()
        print("\n".join(lines(name, plain, detailed, workload.orders)))
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.phases",
        description="Print where the time and the memory of a build and a profile go.",
    )
    parser.add_argument("--orders", type=int, default=5_000_000)
    parser.add_argument("--customers", type=int, help="default: 8.8 %% of the orders")
    parser.add_argument("--skew", type=float, default=0.0, help="share of orders of one customer")
    parser.add_argument("--ids", choices=IDS, default="int64")
    parser.add_argument("--rows", choices=("shuffled", "by customer"), default="shuffled")
    parser.add_argument("--threads", type=int, help="default: every core")
    parser.add_argument("--rounds", type=int, default=5)
    return parser


if __name__ == "__main__":
    sys.exit(main())
