"""Estimate how long a build and a profile take on more cores than there are.

From the repository's root, with ordercycle installed, on two idle cores or more:

    python -m benchmarks.scaling --orders 5000000 --markdown

Measured are one thread and two: their wall time tells what runs on one thread only, their processor
time what they cost each other. From both follow two estimates for more cores: one in which threads
cost each other no more than two do, and one in which each further thread costs as much again as
the second. Memory has to carry the bytes of the phases; how many a second that would be stands
beside, to be compared with what a machine has.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time

from benchmarks.peers.generate import AS_OF, Workload, order_table

import ordercycle as oc

COLUMNS = oc.Columns(customer="customer_id", time="ordered_at", amount="amount")
WARM_UP_ORDERS = 300_000
CORES = (4, 8, 16, 32, 64)
_QUIET_LOAD = 0.5

#: Bytes an order that each phase moves to or from memory: reads, writes, and pages zeroed.
BYTES = {
    "ids are hashed and counted": 8,
    "columns are read": 24,
    "words and amounts are written to partitions, into fresh pages": 32,
    "partitions are read and grouped": 16,
    "days and amounts are written": 12,
    "the profile reads days and amounts": 12,
}


@dataclass(frozen=True)
class Measured:
    """Medians of a number of threads, in seconds."""

    wall: float
    busy: float


@dataclass(frozen=True)
class Scaling:
    """What one and two threads say of more."""

    one: Measured
    two: Measured

    @property
    def contention(self) -> float:
        """Return how much more processor time two threads take than one."""
        return max(0.0, self.two.busy / self.one.busy - 1)

    @property
    def alone(self) -> float:
        """Return the seconds in which one thread runs, however many there are.

        With `s` of them, two threads take `s + (1 + contention) * (one - s) / 2`.
        """
        share = (1 + self.contention) / 2
        if share >= 1:
            return 0.0
        return min(self.one.wall, max(0.0, (self.two.wall - share * self.one.wall) / (1 - share)))

    def seconds(self, cores: int, contention: float) -> float:
        """Return the wall time on so many cores if they cost each other so much."""
        return self.alone + (1 + contention) * (self.one.wall - self.alone) / cores

    def estimates(self, cores: int) -> tuple[float, float]:
        """Return the wall time if contention stays that of two, and if it grows by each thread."""
        growing = self.contention * (cores - 1)
        return self.seconds(cores, self.contention), self.seconds(cores, growing)


def measure(workload: Workload, rounds: int) -> Scaling:
    """Time one thread and two in turn."""
    orders = order_table(workload)

    def profiled(table, threads):
        history = oc.OrderHistory.build(table, columns=COLUMNS, threads=threads)
        return history.profile(AS_OF)

    profiled(orders.slice(0, WARM_UP_ORDERS), 1)
    profiled(orders, 2)  # the first has to be given its memory
    samples: dict[int, list[Measured]] = {1: [], 2: []}
    for _ in range(rounds):
        for threads, found in samples.items():
            wall, busy = perf_counter(), process_time()
            profiled(orders, threads)
            found.append(Measured(perf_counter() - wall, process_time() - busy))
    one, two = (
        Measured(median(one.wall for one in found), median(one.busy for one in found))
        for found in samples.values()
    )
    return Scaling(one, two)


def rows(scaling: Scaling, orders: int) -> list[tuple[str, ...]]:
    """Return the table: cores, ns an order by both estimates, speed against one core, GB/s."""
    moved = sum(BYTES.values()) * orders
    found = [("cores", "ns an order", "times as fast as one", "GB/s of memory")]
    for cores, (best, worst), kind in [
        (1, (scaling.one.wall,) * 2, " (measured)"),
        (2, (scaling.two.wall,) * 2, " (measured)"),
        *((cores, scaling.estimates(cores), "") for cores in CORES),
    ]:
        costs, gains, speeds = (
            [convert(seconds) for seconds in (best, worst)]
            for convert in (
                lambda seconds: f"{seconds / orders * 1e9:.1f}",
                lambda seconds: f"{scaling.one.wall / seconds:.1f}",
                lambda seconds: f"{moved / seconds / 1e9:.0f}",
            )
        )
        pairs = (f"{a} to {b}" if a != b else a for a, b in (costs, gains, speeds))
        found.append((f"{cores}{kind}", *pairs))
    return found


def main() -> int:
    options = _parser().parse_args()
    load = os.getloadavg()[0]
    if load > _QUIET_LOAD:
        print(
            f"the load average is {load:.1f}: something else is running, and the estimate is wrong",
            file=sys.stderr,
        )
    workload = Workload(orders=options.orders)
    scaling = measure(workload, options.rounds)
    print(
        f"{workload.orders:,} orders of {workload.population:,} customers: two threads take "
        f"{scaling.contention:.1%} more processor time than one, and "
        f"{scaling.alone / scaling.one.wall:.1%} of the time runs on one thread only."
    )
    for number, row in enumerate(rows(scaling, workload.orders)):
        print(f"| {' | '.join(row)} |" if options.markdown else "  ".join(f"{x:>22}" for x in row))
        if options.markdown and not number:
            print("|" + " --- |" * len(row))
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description="Estimate a build and a profile on more cores from those that are there.",
    )
    parser.add_argument("--orders", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--markdown", action="store_true", help="print a table for the docs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
