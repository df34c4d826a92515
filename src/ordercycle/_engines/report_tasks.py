"""Reports of several streams on a cluster: what tasks count, and the report that it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle._attribution.attribution import Attribution
from ordercycle._attribution.touch_classes import CAMPAIGN, CHANNEL_COLUMN, FORM, KIND
from ordercycle._engines.credit_tasks import TOUCHES, VISITS
from ordercycle._engines.named_sums import Name, to_batch
from ordercycle._engines.partition_tasks import (
    ORDERS,
    Streams,
    SumTask,
    of_a_partition,
)
from ordercycle._engines.refits import Added
from ordercycle._engines.report_sums import ANY_OTHER, OF_CELLS, ReportSums, batches_of, cells_of
from ordercycle._engines.task_memberships import TaskMemberships
from ordercycle._engines.vocabularies import Vocabulary
from ordercycle._errors import warn, without_warnings
from ordercycle._events.event_history import EventHistory, stored_events
from ordercycle._expressions.expression_text import as_text
from ordercycle._expressions.language import parsed
from ordercycle._expressions.nodes import Node
from ordercycle._history.grouped import WITH_PATHS
from ordercycle._history.order_history import grouped_orders
from ordercycle._membership.interval_tables import CUSTOMER, FROM, TO
from ordercycle._membership.membership import Membership
from ordercycle._months import Months, Period
from ordercycle._report.as_of import AsOf, Known
from ordercycle._report.checks import warnings_of_orders, warnings_of_unknown
from ordercycle._report.counting import Counted, ReportScan
from ordercycle._report.event_log import EventLog
from ordercycle._report.known_days import KnownDays, cells_of_days
from ordercycle._report.loyalty import KIND as OF_POINTS
from ordercycle._report.loyalty import Loyalty
from ordercycle._report.metadata import given_of, notes_of
from ordercycle._report.own_metrics import Metric, condition_of
from ordercycle._report.report_numbers import ReportNumbers
from ordercycle._report.report_spec import HalfMonths, Plan, listed
from ordercycle._report.segment_report import SegmentReport
from ordercycle._report.sources import Sources
from ordercycle._report.subscriptions import CHANNEL, DATES, TOPIC
from ordercycle._report.touched import TYPE, Names, texts_of
from ordercycle_kernels.calendar import LAST_DAY

SUBSCRIPTIONS, MEMBERS, POINTS = "subscriptions", "members", "points"
#: Streams of rows that are no events, and their columns.
OF_ROWS: Mapping[str, tuple[str, ...]] = {
    SUBSCRIPTIONS: (CUSTOMER, CHANNEL, TOPIC, *DATES),
    MEMBERS: (CUSTOMER, FROM, TO),
}
DAYS, UNKNOWN = "days", "unknown intervals"


OF_SCHEMES = "of schemes: "


def stream_of_schemes(name: str) -> str:
    """Return what tasks call a stream that schemes read: touches of a report may be others."""
    return name if name == ORDERS else f"{OF_SCHEMES}{name}"


def is_of_schemes(name: str) -> bool:
    """Return whether schemes read a stream, and nothing else does."""
    return name.startswith(OF_SCHEMES)


@dataclass(frozen=True)
class SourcesOf:
    """What a report is made of beside orders and memberships, but for the streams themselves."""

    model: Attribution
    discount: str | tuple[str, ...] | None = None
    brand: str | None = None
    targets: Mapping[str, Any] | None = None
    own: tuple[Metric, ...] = ()

    def sources(self, streams: Streams, *, is_part: bool = False) -> Sources:
        """Return the sources of streams; is_part: whether others are elsewhere."""
        orders, touches = streams[ORDERS], streams.get(TOUCHES)
        credited = None
        if touches is not None:
            credited = self.model.credit(orders, touches, streams.get(VISITS))
        loyalty = None
        if MEMBERS in streams:
            members, points = streams[MEMBERS], streams.get(POINTS)
            loyalty = Loyalty(members=members, points=points, discount=self.discount)
        return Sources.of(
            grouped_orders(orders),
            credited=credited,
            subscriptions=streams.get(SUBSCRIPTIONS),
            loyalty=loyalty,
            brand=self.brand,
            targets=self.targets,
            own=self.own,
            further_brands=self._brands_elsewhere(touches) if is_part else (),
        )

    def _brands_elsewhere(self, touches: EventHistory | None) -> Sequence[str]:
        """Return brands that orders of other partitions may have: of touches, and any other one."""
        if self.brand is None:
            return ()
        attributes = {} if touches is None else stored_events(touches).columns.attributes
        return (ANY_OTHER, *texts_of(Names.of(attributes.get(self.brand))))

    def vocabularies(self, streams: Streams) -> Iterator[tuple[str, Vocabulary]]:
        """Yield what a partition knows of each stream of events."""
        brand = () if self.brand is None else (self.brand,)
        targets = [one for one in (self.targets or {}).values() if one is not None]
        of_orders = [parsed(str(as_text(one)), WITH_PATHS) for one in targets]
        yield ORDERS, Vocabulary.of(streams[ORDERS], brand, of_orders)
        touches = streams.get(TOUCHES)
        if touches is not None:
            named = (KIND, CHANNEL_COLUMN, CAMPAIGN, FORM, *brand)
            yield TOUCHES, Vocabulary.of(touches, named, self._of_touches(touches))
        for name, named in ((VISITS, ()), (POINTS, (OF_POINTS,))):
            if streams.get(name) is not None:
                yield name, Vocabulary.of(streams[name], named, ())

    def _of_touches(self, touches: Any) -> Iterator[Node]:
        if self.model.exclude is not None:
            yield parsed(self.model.exclude, WITH_PATHS)
        has_type = TYPE in stored_events(touches).columns.attributes
        for one in self.own:
            if one.where is not None:
                yield condition_of(str(one.where), has_type=has_type)

    def sent_since(self, sources: Sources, until: int | None) -> int:
        """Return a day that is no later than that of all partitions together.

        Touches of other classes, whose windows may be longer, may be elsewhere.
        """
        if sources.touched is None:
            return int(LAST_DAY)
        scan = sources.touched.scan
        days = (scan.orders.tally.last_day, scan.touches.tally.last_day)
        last = min(
            max((day for day in days if day), default=0), LAST_DAY if until is None else until
        )
        longest = max(self.model.lengths.values())
        return int(last) + 1 - -(-longest // timedelta(days=1))


@dataclass(frozen=True)
class CountSources(SumTask):
    """Counts segment reports of several streams.

    memberships: say who is in which segment; plans: of a report for each range of months, with the
    day after which orders do not exist;
    horizon: that after which nothing marks a message; with_days: whether the known days are told as
    well.
    """

    of: SourcesOf
    memberships: TaskMemberships
    plans: tuple[tuple[Plan, int | None], ...]
    horizon: int | None
    with_days: bool

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the sums."""
        orders = streams[ORDERS]
        with without_warnings(), of_a_partition():  # what a partition lacks may be elsewhere
            sources = self.of.sources(streams, is_part=True)
        for number, (plan, until) in enumerate(self.plans):
            memberships = self.memberships.of(streams, plan.period)
            scan = ReportScan(sources, tuple(listed(memberships)), self.horizon)
            since = self.of.sent_since(sources, until)
            yield from batches_of(scan.count(plan, until, sent_since=since), number)
        if self.with_days:
            days = cells_of_days(orders)
            yield cells_of((DAYS,), days.cell, days.count)
            unknown: dict[Name, int] = {
                (UNKNOWN, name): one.unknown_intervals(orders)
                for name, one in streams.items()
                if isinstance(one, Membership)
            }
            yield to_batch(unknown)
            for name, known in self.of.vocabularies(streams):
                yield to_batch(known.sums(name))
            if sources.subscriptions is not None:
                channels = Vocabulary({CHANNEL: set(sources.subscriptions.channels)})
                yield to_batch(channels.sums(SUBSCRIPTIONS))


@dataclass(frozen=True)
class FullReport:
    """The arguments of a segment report of several streams on a cluster.

    halved: whether months are counted up to the day of the last one as well, as pages show them.
    """

    of: SourcesOf
    memberships: TaskMemberships
    period: str | Sequence[str]
    compare: str | None
    months: str | Sequence[str] | None
    segments: Sequence[str] | None
    as_of: date | str | None
    changes: Any = None
    halved: bool = False

    def report(self, added: Added, nobody: Streams) -> SegmentReport:
        """Return the report of the sums that `added` adds up.

        nobody: the streams without customers. Whether the period is over is known once all is
        counted: if it is not, it is counted again.
        """
        log = EventLog.of(self.changes)
        months = Months.of(self.period, "period")
        given = None if self.months is None else Months.of(self.months, "months")
        self.of.sources(nobody)  # which checks all that is known without rows
        unknown = Known(lambda: KnownDays.of_cells(np.zeros(0, np.int64)))
        chosen = AsOf.chosen(months, self.compare, self.as_of, unknown)
        periods, orders = _periods(chosen, given), nobody[ORDERS]
        memberships = self.memberships.prepared(added, orders, periods)
        task = self._task(memberships, periods, chosen, nobody, with_days=True)
        sums = ReportSums.of(added(task), (*OF_CELLS, DAYS))
        sources, sums_of_all = self._sources(sums, nobody), sums
        days = KnownDays.of_cells(sums.places((DAYS,)))
        known = Known(lambda: days, touched=sources.last_touch)
        chosen = AsOf.chosen(months, self.compare, self.as_of, known)
        counted = self._counted(task, sums, sources)
        done = [plan.period for plan, _ in task.plans]
        lacking = [period for period in _periods(chosen, given) if period not in done]
        if lacking:
            memberships = memberships.prepared(added, orders, lacking)
            task = self._task(memberships, lacking, chosen, nobody, with_days=False)
            sums = ReportSums.of(added(task), OF_CELLS)
            counted = self._counted(task, sums, sources) + counted
        is_halved = isinstance(counted[-1].plan, HalfMonths)
        of_orders = warnings_of_orders(chosen.period, days.first_order, days.last_order)
        of_frames = (
            warning
            for name in nobody
            for warning in warnings_of_unknown(int(sums_of_all.others.get((UNKNOWN, name), 0)))
        )
        notes = notes_of(counted[0])
        for warning in (*chosen.warnings(), *of_orders, *of_frames, *notes):
            warn(warning)
        cubes: list[Any] = (
            [one.views[sources.views[0]] for one in counted] if sources.is_of_orders else counted
        )
        shown = listed(memberships.of(nobody, chosen.period))
        made_with = given_of(shown, self.of.targets, self.compare)
        halves = cubes.pop() if is_halved else None
        return SegmentReport(ReportNumbers(cubes, chosen, halves=halves), log, made_with)

    def _sources(self, sums: ReportSums, nobody: Streams) -> Sources:
        """Return the sources with all that is known of their streams, but for customers."""
        there = {
            name: one if name in OF_ROWS else Vocabulary.of_sums(sums.others, name).history(one)
            for name, one in nobody.items()
            if not (isinstance(one, Membership) or is_of_schemes(name))
        }
        sources = self.of.sources(there)
        if sources.subscriptions is None:
            return sources
        channels = Vocabulary.of_sums(sums.others, SUBSCRIPTIONS).values.get(CHANNEL, set())
        named = sources.subscriptions._replace(named=tuple(sorted(channels)))
        return replace(sources, subscriptions=named)

    def _task(
        self,
        memberships: TaskMemberships,
        periods: Sequence[Period],
        chosen: AsOf,
        nobody: Streams,
        *,
        with_days: bool,
    ) -> CountSources:
        plans: list[tuple[Plan, int | None]] = []
        for period in periods:
            plan = Plan.of(
                memberships.of(nobody, period),
                period=period,
                segments=self.segments,
                kind=grouped_orders(nobody[ORDERS]).spec,
            )
            plans.append((plan, chosen.until(period)))
        if self.halved and with_days and not chosen.period.is_whole:
            of_period, until = plans[0]
            plans.append((HalfMonths.of_plan(of_period), until))
        return CountSources(self.of, memberships, tuple(plans), chosen.horizon, with_days)

    def _counted(self, task: CountSources, sums: ReportSums, sources: Sources) -> list[Counted]:
        has_money = sources.orders.spec.has_amount
        catalogue = sources.catalogue(has_money=has_money)
        return [
            sums.counted(
                number,
                replace(plan, catalogue=catalogue, further_units=sources.units),
                sources,
                until,
            )
            for number, (plan, until) in enumerate(task.plans)
        ]


def _periods(chosen: AsOf, given: Months | None) -> Sequence[Period]:
    # Months of a period that begin after its last known day are not counted.
    return chosen.counted(chosen.period.months if given is None else given)
