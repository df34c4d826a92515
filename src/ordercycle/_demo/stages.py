"""The demonstration's work: build, profile, segment, and keep what will be shown."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

import ordercycle as oc
from ordercycle._demo.channels import channels
from ordercycle._errors import SourceError
from ordercycle_kernels._jit import prepared_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from ordercycle._demo.channels import Channels
    from ordercycle._demo.scenes import Scene

SEGMENT = "lifecycle"
ROWS_PER_WRITE = 131_072
#: Scores of RFM are fitted again for every month: of more customers, this would take longer than
#: all else that is shown.
MOST_FITTED = 200_000
#: The kernels that take longest to be compiled, in the order of their use: at the first run, the
#: other cores begin with the last. On two, the demo on groceries took 47 s alone, and takes 28.
LONGEST_COMPILED = (
    "runs.count_runs",
    "runs.find_runs",
    "calendar.local_days",
    "runs.copy_runs_uint64",
    "runs.copy_runs_uint32",
    "ordering.order_rows_by_pair",
    "lines.mark_further_days",
    "profile.order_rhythm",
    "profile.durations",
    "sums.sum_with_first_floats",
    "partition.deposit_uint8",
    "lines.choose_lines",
    "event_order.break_ties",
    "event_sorting.order_events",
    "event_order.mark_repeats",
    "credit_shares.link_orders",
    "touch_paths.select_touches_uint8",
    "timeline.lifecycle_intervals",
    "cube.add_to_cells",
    "touch_paths.follow_touches",
    "messages.link_messages_uint8",
    "messages.count_messages",
    "report_facts.add_facts_at",
    "selection.count_digits",
    "scores.count_below_int32",
)
SAMPLE_POOL = 64  # customers per segment, of whom the one with the middle number of orders is shown


class Stopwatch:
    """Add up seconds by stage, and pass progress on."""

    def __init__(self, report: Callable[[int, int | None, str], None]) -> None:
        self._report = report
        self._last, self._prepared = time.perf_counter(), prepared_seconds()
        self.seconds: dict[str, float] = {}

    def report(self, done: int, total: int | None, stage: str) -> None:
        """Book the time since the last call on the stage that reports now."""
        self.lap(stage)
        self._report(done, total, stage)

    def lap(self, stage: str) -> None:
        """Book the time since the last call on a stage, but for that of preparing kernels."""
        now, prepared = time.perf_counter(), prepared_seconds()
        preparing = prepared - self._prepared
        spent = max(0.0, now - self._last - preparing)
        for name, seconds in ((stage, spent), ("prepare", preparing)):
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self._last, self._prepared = now, prepared


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
    page: oc.Dashboard | None
    samples: dict[str, dict[str, Any]]
    channels: Channels


def run(
    scene: Scene,
    *,
    write: Callable[[pa.Table], None],
    clock: Stopwatch,
    threads: int | None = None,
) -> Outcome:
    """Profile and segment a scene as of its last day.

    Parameters
    ----------
    scene
        Where the orders come from.
    write
        Takes each piece of the result.
    clock
        Receives progress, and keeps the time of each stage.
    threads
        As for `OrderHistory.build`.
    """
    history = oc.OrderHistory.build(
        scene.orders,
        scene.customers,
        columns=scene.columns,
        threads=threads,
        progress=clock.report,
    )
    clock.lap("group")
    generating = sum(scene.generating)
    reading = sum(clock.seconds.pop(stage, 0.0) for stage in ("read", "read customers"))
    clock.seconds |= {"generate": generating, "read": max(0.0, reading - generating)}
    summary = history.summary()
    presets = oc.Lifecycle.presets()
    preset = scene.preset if scene.preset in presets else "fashion"
    lifecycle = oc.Lifecycle.preset(preset)
    as_of = scene.as_of or summary.last_day
    if as_of is None:
        raise SourceError("there is no order to show: the source has no rows")
    table = lifecycle.assign(_profiles(history, as_of, clock))
    clock.report(table.num_rows, table.num_rows, "segment")
    for start in range(0, table.num_rows, ROWS_PER_WRITE):
        piece = table.slice(start, ROWS_PER_WRITE)
        write(piece)
        clock.report(start + piece.num_rows, table.num_rows, "write")
    names = table.column(SEGMENT).cast(pa.string())
    brought = channels()
    clock.lap("channels")
    return Outcome(
        scene=scene,
        summary=summary,
        preset=preset,
        thresholds=presets[preset],
        as_of=as_of,
        segments=_totals(table, names, lifecycle.segments),
        page=_page(history, lifecycle, scene, as_of),
        samples={name: _sample(table, names, name) for name in pc.unique(names).to_pylist()},
        channels=brought,
    )


def _page(
    history: oc.OrderHistory, lifecycle: oc.Lifecycle, scene: Scene, as_of: date
) -> oc.Dashboard | None:
    """Return the dashboard of a scene; None where there is nothing to draw it with."""
    if find_spec("altair") is None or find_spec("vl_convert") is None:
        return None
    schemes: list[oc.Scheme] = [lifecycle]
    if history.summary().customers <= MOST_FITTED:
        schemes.append(oc.Rfm())
    return oc.Dashboard.build(history, schemes, as_of=as_of, title=scene.title, currency=scene.code)


def _profiles(history: oc.OrderHistory, as_of: date, clock: Stopwatch) -> pa.Table:
    """Compute all profiles before anything else is done with them.

    Profiles are computed ahead in threads: work done between two batches would hide their time.
    """
    customers, batches, done = history.summary().customers, [], 0
    for batch in history.profile_batches(as_of):
        batches.append(batch)
        done += batch.num_rows
        clock.report(done, customers, "profile")
    return pa.Table.from_batches(batches) if batches else history.profile(as_of)


def _totals(table: pa.Table, names: Any, segments: tuple[str, ...]) -> list[SegmentTotals]:
    sums = table.select(["orders", "revenue"]).append_column("segment", names)
    grouped = sums.group_by("segment").aggregate(
        [([], "count_all"), ("orders", "sum"), ("revenue", "sum")]
    )
    found = {row["segment"]: row for row in grouped.to_pylist()}
    empty = {"count_all": 0, "orders_sum": 0, "revenue_sum": 0}
    return [
        SegmentTotals(
            name=name,
            customers=found.get(name, empty)["count_all"],
            orders=found.get(name, empty)["orders_sum"],
            revenue=float(found.get(name, empty)["revenue_sum"] or 0),
        )
        for name in segments
    ]


def _sample(table: pa.Table, names: Any, segment: str) -> dict[str, Any]:
    """Return the customer with the middle number of orders among some of a segment."""
    pool = table.take(pc.indices_nonzero(pc.equal(names, segment))[:SAMPLE_POOL])
    ranked: list[dict[str, Any]] = sorted(
        pool.to_pylist(), key=lambda row: (row["orders"], row["revenue"])
    )
    return ranked[len(ranked) // 2]
