"""Events grouped by customer, and features of them, against sorts and filters of other engines.

From the repository's root, with ordercycle and the extra `benchmarks` installed:

    python -m benchmarks.peers.events --events 100000000

Grouping begins with the table of events; features with the history that came of it, and with the
table of events in the other engines.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from time import perf_counter, process_time

import pyarrow as pa

from . import duckdb_events, ordercycle_events, polars_events
from .asked_features import ASKED, MIXED
from .compare import differences
from .generate import AS_OF
from .generate_events import ATTRIBUTES, EventWorkload, event_table
from .verdicts import Figure, print_figures

CHECKED_EVENTS = 200_000
OURS = "ordercycle"
PEERS = {"DuckDB": duckdb_events, "Polars": polars_events}
#: What is to be reached: times as long as ours, ns of a processor an event, bytes an event.
LEAST_RATIO = 5.0
MOST_BUSY = {"8 counts": 12.0, "64 counts": 40.0}
MOST_BYTES = 24.0
MIXED_NAME = f"{len(MIXED)} of all kinds"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.events",
        description="Events by customer and time, and features of them.",
    )
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int, help="default: 2 %% of the events")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    checked = EventWorkload(events=min(options.events, CHECKED_EVENTS))
    check(event_table(checked), event_table(checked, with_values=True))
    workload = EventWorkload(events=options.events, customers=options.customers)
    found = [*grouping(event_table(workload), options.rounds)]
    found += features(event_table(workload, with_values=True), options.rounds)
    return 1 if print_figures(found) else 0


def grouping(events: pa.Table, rounds: int) -> Iterator[Figure]:
    """Yield what grouping takes, and the history that comes of it."""
    calls = {OURS: partial(ordercycle_events.build, events)}
    calls |= {name: partial(module.sort, events) for name, module in PEERS.items()}
    yield from _figures("group", calls, events.num_rows, rounds, LEAST_RATIO)
    history = ordercycle_events.build(events)
    held = history.summary().bytes / events.num_rows - len(ATTRIBUTES)
    yield Figure("held, attributes aside", held, "bytes/event", most=MOST_BYTES)


def features(events: pa.Table, rounds: int) -> Iterator[Figure]:
    """Yield what features take."""
    history = ordercycle_events.build(events)
    profile = ordercycle_events.customers(history)
    for number, asked in ASKED.items():
        what = f"{number} counts"
        ours = partial(ordercycle_events.count, history, profile, asked, AS_OF)
        calls = {OURS: ours}
        calls |= {
            name: partial(module.count, events, asked, AS_OF) for name, module in PEERS.items()
        }
        yield from _figures(what, calls, events.num_rows, rounds, LEAST_RATIO)
    calls = {
        OURS: partial(ordercycle_events.count, history, profile, MIXED, AS_OF),
        "DuckDB": partial(duckdb_events.aggregate, events, MIXED, AS_OF),
    }
    yield from _figures(MIXED_NAME, calls, events.num_rows, rounds, LEAST_RATIO)


def _figures(
    what: str, calls: dict[str, Callable[[], object]], events: int, rounds: int, least: float
) -> Iterator[Figure]:
    """Yield nanoseconds an event, by the clock and of the processors, and peers' against ours."""
    wall, busy = _timed(calls, rounds)
    for name in calls:
        yield Figure(f"{what}, {name}", median(wall[name]) * 1e9 / events, "ns/event")
        most = MOST_BUSY.get(what) if name == OURS else None
        cost = median(busy[name]) * 1e9 / events
        yield Figure(f"{what}, {name}, CPU", cost, "ns/event", most=most)
    for name in calls:
        if name != OURS:
            ratio = median(wall[name]) / median(wall[OURS])
            yield Figure(f"{what}, {name} against {OURS}", ratio, "x", least=least)
            ratio = median(busy[name]) / median(busy[OURS])
            yield Figure(f"{what}, {name} against {OURS}, CPU", ratio, "x")


def _timed(
    calls: dict[str, Callable[[], object]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return seconds and processor seconds of each round, which all take in turn."""
    wall: dict[str, list[float]] = {name: [] for name in calls}
    busy: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            gc.collect()
            seconds, cpu = perf_counter(), process_time()
            call()
            wall[name].append(perf_counter() - seconds)
            busy[name].append(process_time() - cpu)
    return wall, busy


def check(events: pa.Table, with_values: pa.Table) -> None:
    """Compare the results of all engines before they are timed.

    The second table has the values as well, of which other features than counts are made.
    """
    engines = {OURS: ordercycle_events, **PEERS}
    tables = {name: in_total_order(module.sort(events)) for name, module in engines.items()}
    for name, table in tables.items():
        if not table.equals(tables["DuckDB"]):
            raise RuntimeError(f"{name} and DuckDB do not sort alike")
    history = ordercycle_events.build(with_values)
    profile = ordercycle_events.customers(history)
    for number, asked in ASKED.items():
        expected = duckdb_events.count(events, asked, AS_OF)
        made = {name: module.count(events, asked, AS_OF) for name, module in PEERS.items()}
        made[OURS] = ordercycle_events.count(history, profile, asked, AS_OF)
        for name, table in made.items():
            if found := differences(expected, table):
                raise RuntimeError(f"{name} and DuckDB, {number} counts: {found[0]}")
    expected = duckdb_events.aggregate(with_values, MIXED, AS_OF)
    found = differences(expected, ordercycle_events.count(history, profile, MIXED, AS_OF))
    if found:
        raise RuntimeError(f"{OURS} and DuckDB, {MIXED_NAME}: {found[0]}")


def in_total_order(table: pa.Table) -> pa.Table:
    """Return sorted events, those of one customer and instant by their attributes as well.

    Raises where customer and time are not in order: nothing is to be mended here.
    """
    keys = table.select(["customer_id", "occurred_at"])
    whole = table.sort_by([(name, "ascending") for name in table.column_names])
    if not whole.select(keys.column_names).combine_chunks().equals(keys.combine_chunks()):
        raise RuntimeError("events are not by customer and time")
    return whole.combine_chunks()


if __name__ == "__main__":
    sys.exit(main())
