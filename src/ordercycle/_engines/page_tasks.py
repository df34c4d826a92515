"""Dashboards on a cluster: what tasks count beside a report, and the page that it makes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle._dashboard.cohorts import cohort_plan, cohorts_in, counted_cohorts
from ordercycle._dashboard.dashboard import Dashboard
from ordercycle._dashboard.grid import grid_in, grid_sums, schemes_of_grid
from ordercycle._dashboard.memberships import (
    Named,
    RecalculatedElsewhere,
    last_day_of,
    named_memberships,
)
from ordercycle._dashboard.moves import counted_moves, month_ends, moves_in
from ordercycle._dashboard.page_options import PageOptions, few_people, page_months
from ordercycle._days import date_of, number_of
from ordercycle._engines.interval_plans import GivenIntervals
from ordercycle._engines.named_sums import to_batch
from ordercycle._engines.partition_tasks import (
    ORDERS,
    PartitionTask,
    Streams,
    SumTask,
    first_round,
    of_a_partition,
)
from ordercycle._engines.refits import Added, Profiled, fits_of, fitted_as_of
from ordercycle._engines.report_sums import ReportSums, cells_of
from ordercycle._engines.report_tasks import (
    DAYS,
    FullReport,
    SourcesOf,
    is_of_schemes,
    stream_of_schemes,
)
from ordercycle._errors import ConfigError, Option, OrdercycleWarning, printable, warn
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.membership import Membership
from ordercycle._months import Months, Period
from ordercycle._page.content import Cohorts, Grid, Moves
from ordercycle._report.as_of import Known
from ordercycle._report.checks import refuse_foreign, warnings_of_unknown
from ordercycle._report.cube import Cube
from ordercycle._report.known_days import KnownDays, cells_of_days
from ordercycle._report.report_spec import Memberships
from ordercycle._segments.rfm import Rfm
from ordercycle._segments.scheme import Scheme

#: What sums are about, as the first part of their names.
MOVES, COHORTS, GRID, ORDERED, SEEN = "moves", "cohorts", "grid", "ordered", "seen"
UNKNOWN, PARTITIONS = "unknown", "partitions"


@dataclass(frozen=True)
class CountDays(SumTask):
    """Tells the days on which anything happened, and those between which there are orders.

    further: memberships of tables, of which intervals are told whose customers are not here.
    """

    further: Mapping[str, Membership]

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the days, each of which counts."""
        history: OrderHistory = streams[ORDERS]
        days, made = cells_of_days(history), history.summary()
        yield cells_of((DAYS,), days.cell, days.count)
        orders = grouped_orders(history)
        ordered = [day for day in (orders.first_day, orders.last_day) if day is not None]
        seen = [number_of(day) for day in (made.first_day, made.last_day) if day is not None]
        for name, those in ((ORDERED, ordered), (SEEN, seen)):
            yield to_batch(dict.fromkeys([(name, day) for day in those], 1))
        unknown = {name: one.unknown_intervals(history) for name, one in self.further.items()}
        yield to_batch({(UNKNOWN, name): many for name, many in unknown.items()})
        yield to_batch({(PARTITIONS,): 1})

    def unknown(self, sums: ReportSums, nobody: OrderHistory) -> Iterator[int]:
        """Yield of each table how many intervals are of customers whom no partition has.

        nobody: a history without customers, which knows none of them.
        """
        partitions = int(sums.others[PARTITIONS,])
        for name, one in self.further.items():
            # Each partition counted the customers of all others as well.
            by_all = int(sums.others.get((UNKNOWN, name), 0))
            yield by_all - (partitions - 1) * one.unknown_intervals(nobody)


@dataclass(frozen=True)
class PageSchemes:
    """The memberships of a page; few: segments that are merged, of those that are reported.

    further: memberships of tables, or of frames, by name.
    """

    schemes: tuple[Scheme, ...]
    further: Mapping[str, Membership | GivenIntervals]
    elsewhere: RecalculatedElsewhere
    few: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()

    @property
    def profiled(self) -> Profiled:
        """The profiles that the schemes are fitted and assigned to."""
        schemes = (one for one in self.schemes if isinstance(one, Scheme))
        names = (name for one in schemes for name in one.reads_streams)
        return Profiled(read={name: stream_of_schemes(name) for name in names})

    def named(self, streams: Streams) -> tuple[Named, list[str]]:
        """Return the memberships of streams by name, and the segments, where some are merged."""
        history: OrderHistory = streams[ORDERS]
        further = {
            name: one.of(streams) if isinstance(one, GivenIntervals) else one
            for name, one in self.further.items()
        }
        named = named_memberships(
            history,
            self.schemes,
            further,
            self.profiled.there(streams),
            "empty",  # texts were compared with those of all partitions before
            self.elsewhere,
        )
        return named.merged(history, self.few, self.segments) if self.few else (named, [])

    def of(self, streams: Streams, _: Period) -> Memberships:
        """Return the memberships of streams."""
        return self.named(streams)[0].passed

    def prepared(self, _: Added, __: OrderHistory, ___: Sequence[Period]) -> PageSchemes:
        """Return the same, which knows all that it has to."""
        return self


@dataclass(frozen=True)
class CountPage(SumTask):
    """Counts what a page shows beside the report: moves, cohorts and the grid.

    grid: the scheme of it, fitted; before_grid: those that are assigned before it, fitted too.
    """

    schemes: PageSchemes
    period: Period
    before_grid: tuple[Scheme, ...]
    grid: Rfm | None

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the sums."""
        history: OrderHistory = streams[ORDERS]
        if self.period.months.size > 1:
            membership = self.moving(streams)
            if membership is not None:
                moves = counted_moves(history, membership, month_ends(self.period)).reshape(-1)
                places = np.flatnonzero(moves)
                yield cells_of((MOVES,), places, moves[places])
            yield cells_of((COHORTS,), *counted_cohorts(history, self.period).sparse())
        if self.grid is None:
            return
        with of_a_partition():
            day = number_of(self.period.last_day)
            for table in self.schemes.profiled.after(streams, day, self.before_grid):
                sums = grid_sums(table, self.grid)
                yield to_batch({(GRID, *name): total for name, total in sums.items()})

    def moving(self, streams: Streams) -> Membership | None:
        """Return the membership of which moves are shown; None without schemes."""
        named, _ = self.schemes.named(streams)
        return None if named.scheme is None else named.memberships[named.scheme]

    def shown(
        self, table: pa.Table, nobody: Streams
    ) -> tuple[Moves | None, Grid | None, Cohorts | None]:
        """Return what the page shows of the sums of all partitions; nobody: streams of it."""
        sums = ReportSums.of(table, (MOVES, COHORTS))
        spec = grouped_orders(nobody[ORDERS]).spec
        moves, grid, cohorts = None, None, None
        if self.period.months.size > 1:
            none = (np.zeros(0, np.int64), np.zeros(0, np.int64))
            membership = self.moving(nobody)
            if membership is not None:
                places = len(membership.segments) + 1
                counts = np.zeros((self.period.months.size - 1, places, places), np.int64)
                where, values = sums.cells.get((MOVES,), none)
                counts.reshape(-1)[where] = values
                moves = moves_in(membership.segments, counts)
            counted = sums.cells.get((COHORTS,), none)
            cohorts = cohorts_in(Cube.dense(cohort_plan(spec, self.period), *counted))
        if self.grid is not None:
            of_grid = {name[1:]: total for name, total in sums.others.items() if name[0] == GRID}
            grid = grid_in(of_grid, self.grid, self.period.last_day, spec.revenue)
        return moves, grid, cohorts


@dataclass(frozen=True)
class OrdersAlone(SumTask):
    """Does another task without the streams of events beside orders."""

    task: PartitionTask

    def results(self, streams: Streams) -> Iterator[pa.RecordBatch]:
        """Yield the results of the other task."""
        return self.task.results(_without_events(streams))


@dataclass(frozen=True)
class PageRequest:
    """The arguments of a dashboard on a cluster."""

    of: SourcesOf
    schemes: tuple[Scheme, ...]
    further: Mapping[str, Membership | GivenIntervals]
    segments: Sequence[str] | None
    months: str | Sequence[str] | None
    as_of: date | str | None
    options: PageOptions

    def check(self, nobody: Streams) -> None:
        """Raise a ConfigError for what are no schemes, and for what tasks cannot compute.

        nobody: streams without customers.
        """
        for name, one in self.further.items():
            if not isinstance(one, Membership | GivenIntervals):
                raise ConfigError(
                    (Option("memberships"), printable(f": {name!r} is a {type(one).__name__}")),
                    remedy="pass a frame of intervals, or what Membership.from_table() returns",
                )
        refuse_foreign(list(self._of_tables.values()), nobody[ORDERS])
        lacking = [one for one in self.schemes if isinstance(one, Scheme) and _is_lacking(one)]
        fitted = [one for one in self.schemes if one not in lacking]
        if fitted or self.further or not lacking:
            elsewhere = RecalculatedElsewhere(None, None, {})
            PageSchemes(tuple(fitted), self.further, elsewhere).named(nobody)
        for scheme in self.schemes:
            if scheme.refits or _is_lacking(scheme):
                first_round(scheme)

    def dashboard(self, added: Added, nobody: Streams) -> Dashboard:
        """Return the page of the sums that `added` adds up; nobody: streams without customers."""
        orders: OrderHistory = nobody[ORDERS]
        task = CountDays(self._of_tables)
        sums = ReportSums.of(added(task), (DAYS,))
        known = KnownDays.of_cells(sums.places((DAYS,)))
        ordered = _days_of(sums, ORDERED)
        schemes = self._fitted(added, _days_of(sums, SEEN))
        elsewhere = RecalculatedElsewhere(
            min(ordered, default=None), max(ordered, default=None), {}
        )
        days = elsewhere.schedule(orders).days
        profiled = PageSchemes(schemes, self.further, elsewhere).profiled
        fits = fits_of(added, nobody, schemes, days, profiled)
        of_page = PageSchemes(schemes, self.further, replace(elsewhere, fits=fits))
        named, _ = of_page.named(nobody)
        end = last_day_of(Known(lambda: known), named, self.months, self.as_of)
        first_day = min(_days_of(sums, SEEN), default=None)
        period = Period.to(page_months(first_day, end, self.months), end)
        of_page, kept = self._without_few(added, nobody, of_page, period)
        named, _ = of_page.named(nobody)
        counted = period.months
        if first_day is not None and first_day < period.first_day:
            counted = Months.between(first_day, period.last_day)
        months = _span(period.months), None, _span(counted)
        request = FullReport(self.of, of_page, *months, kept, period.last_day, halved=True)
        report = request.report(added, nobody)
        for many in task.unknown(sums, orders):
            for warning in warnings_of_unknown(many):
                warn(warning)
        page = CountPage(of_page, period, *_of_grid(added, nobody, of_page, end))
        shown = page.shown(added(page), nobody)
        content = self.options.content(report, named, of_page.few, period, shown)
        return Dashboard(content, report)

    def _fitted(self, added: Added, seen: Sequence[date]) -> tuple[Scheme, ...]:
        """Return the schemes with the numbers that they need, as of the day of the last order."""
        day = number_of(max(seen, default=date_of(0)))
        return tuple(
            fitted_as_of(added, one, day) if _is_lacking(one) else one for one in self.schemes
        )

    def _without_few(
        self, added: Added, nobody: Streams, of_page: PageSchemes, period: Period
    ) -> tuple[PageSchemes, Sequence[str] | None]:
        """Return the memberships with few people's segments merged, and what is reported."""
        least = self.options.min_customers
        if least <= 1:
            return of_page, self.segments
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OrdercycleWarning)  # the report says it again
            counts = FullReport(
                SourcesOf(self.of.model),
                of_page,
                _span(period.months),
                None,
                None,
                self.segments,
                period.last_day,
            ).report(lambda task: added(OrdersAlone(task)), _without_events(nobody))
        few = few_people(counts, period.months, least)
        if not few:
            return of_page, self.segments
        of_page = replace(of_page, few=tuple(few), segments=counts.segments)
        return of_page, of_page.named(nobody)[1]

    @property
    def _of_tables(self) -> dict[str, Membership]:
        """The memberships that travel to all tasks."""
        return {name: one for name, one in self.further.items() if isinstance(one, Membership)}


def _of_grid(
    added: Added, nobody: Streams, of_page: PageSchemes, end: date
) -> tuple[tuple[Scheme, ...], Rfm | None]:
    """Return the schemes before that of the grid, and this, fitted as of the last day."""
    before, scheme = schemes_of_grid(of_page.schemes)
    if scheme is None:
        return (), None
    day = number_of(end)
    fits = fits_of(added, nobody, (*before, scheme), [day], of_page.profiled)
    *earlier, last = (fits.get((one.name, day), one) for one in (*before, scheme))
    there = tuple(one for one in earlier if one is not None)
    if len(there) < len(earlier) or not isinstance(last, Rfm):  # nobody was there to fit one to
        return (), None
    return there, last


def _without_events(streams: Streams) -> dict[str, Any]:
    """Return the orders, memberships of frames, and what schemes read."""
    return {
        name: one
        for name, one in streams.items()
        if name == ORDERS or is_of_schemes(name) or isinstance(one, Membership)
    }


def _is_lacking(scheme: Scheme) -> bool:
    """Return whether a scheme has to be fitted once, before it can be assigned."""
    return scheme.fitted_to is not None and not scheme.is_fitted and not scheme.refits


def _span(months: Months) -> tuple[str, ...]:
    return tuple(str(months.each()[at]) for at in (0, -1))


def _days_of(sums: ReportSums, name: str) -> list[date]:
    return [date_of(int(one[1] or 0)) for one in sums.others if one[0] == name]
