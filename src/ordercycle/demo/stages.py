"""The demonstration's work: build, profile, segment, and keep what will be told."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

import ordercycle as oc

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from ordercycle.demo.scenes import Scene

SEGMENT = "lifecycle"
SAMPLE_POOL = 64  # customers per segment; the one with the middle number of orders is shown


class Stopwatch:
    """Add up seconds by stage, and pass progress on."""

    def __init__(self, report: Callable[[int, int | None, str], None]) -> None:
        self._report = report
        self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def report(self, done: int, total: int | None, stage: str) -> None:
        """Book the time since the last call on the stage that reports now."""
        self.lap(stage)
        self._report(done, total, stage)

    def lap(self, stage: str) -> None:
        """Book the time since the last call on a stage."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTotals:
    """One segment's customers, their orders and their net revenue, all time."""

    name: str
    customers: int
    orders: int
    revenue: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the demonstration found."""

    scene: Scene
    summary: Any
    preset: str
    thresholds: Any
    as_of: date
    segments: list[SegmentTotals]
    samples: dict[str, dict[str, Any]]


def run(
    scene: Scene,
    *,
    write: Callable[[pa.Table], None],
    clock: Stopwatch,
    threads: int | None = None,
) -> Outcome:
    """Profile and segment a scene as of its last day, batch by batch.

    Parameters
    ----------
    scene
        Where the orders come from.
    write
        Takes each piece of the result.
    clock
        Told of progress; keeps the time of each stage.
    threads
        As for `OrderHistory.build`.
    """
    history = oc.OrderHistory.build(
        scene.orders,
        scene.customers,
        columns=oc.Columns(**scene.columns),
        threads=threads,
        progress=clock.report,
    )
    clock.lap("group")
    clock.seconds["generate"] = sum(scene.generating)
    if "read" in clock.seconds:
        clock.seconds["read"] = max(0.0, clock.seconds["read"] - clock.seconds["generate"])
    summary = history.summary()
    presets = oc.Lifecycle.presets()
    preset = scene.preset if scene.preset in presets else "fashion"
    lifecycle = oc.Lifecycle.preset(preset)
    tally = _Tally(lifecycle.segments)
    done = 0
    for batch in history.profile_batches(summary.last_day):
        done += batch.num_rows
        clock.report(done, summary.customers, "profile")
        table = lifecycle.assign(pa.Table.from_batches([batch]))
        clock.report(done, summary.customers, "segment")
        write(table)
        clock.lap("write")
        tally.add(table)
        clock.lap("show")
    return Outcome(
        scene=scene,
        summary=summary,
        preset=preset,
        thresholds=presets[preset],
        as_of=summary.last_day,
        segments=tally.totals(),
        samples=tally.samples(),
    )


class _Tally:
    """Sums and a few rows per segment, gathered batch by batch."""

    def __init__(self, segments: tuple[str, ...]) -> None:
        self._segments = segments
        self._sums: list[pa.Table] = []
        self._pools: dict[str, list[dict[str, Any]]] = {name: [] for name in segments}

    def add(self, table: pa.Table) -> None:
        names = table.column(SEGMENT).cast(pa.string())
        sums = table.select(["orders", "revenue"]).append_column("segment", names)
        self._sums.append(
            sums.group_by("segment").aggregate(
                [([], "count_all"), ("orders", "sum"), ("revenue", "sum")]
            )
        )
        for name, pool in self._pools.items():
            if len(pool) < SAMPLE_POOL:
                rows = pc.indices_nonzero(pc.equal(names, name))[: SAMPLE_POOL - len(pool)]
                pool.extend(table.take(rows).to_pylist())

    def totals(self) -> list[SegmentTotals]:
        found: dict[str, dict[str, Any]] = {}
        if self._sums:
            merged = pa.concat_tables(self._sums).group_by("segment")
            sums = merged.aggregate(
                [("count_all", "sum"), ("orders_sum", "sum"), ("revenue_sum", "sum")]
            )
            found = {row["segment"]: row for row in sums.to_pylist()}
        return [
            SegmentTotals(
                name=name,
                customers=int(found.get(name, {}).get("count_all_sum") or 0),
                orders=int(found.get(name, {}).get("orders_sum_sum") or 0),
                revenue=float(found.get(name, {}).get("revenue_sum_sum") or 0),
            )
            for name in self._segments
        ]

    def samples(self) -> dict[str, dict[str, Any]]:
        """Return the customer with the middle number of orders of each segment's pool."""
        ranked = {
            name: sorted(pool, key=lambda row: (row["orders"], row["revenue"]))
            for name, pool in self._pools.items()
            if pool
        }
        return {name: pool[len(pool) // 2] for name, pool in ranked.items()}
