"""The verbs of reports, with their documentation, once for all engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic

from ordercycle._attribution.attribution import Attribution
from ordercycle._columns import Columns
from ordercycle._engines.credit_tasks import TOUCHES, VISITS
from ordercycle._engines.engine import Engine, F
from ordercycle._engines.given_streams import LOOKUPS, GivenStreams
from ordercycle._engines.partition_tasks import ORDERS, ReportRequest
from ordercycle._engines.report_tasks import (
    MEMBERS,
    OF_ROWS,
    POINTS,
    SUBSCRIPTIONS,
    FullReport,
    SourcesOf,
    stream_of_schemes,
)
from ordercycle._engines.task_memberships import OneScheme, SeveralSchemes
from ordercycle._engines.verbs import ClusterHistory, planned_streams
from ordercycle._errors import ConfigError, Option, suggestion
from ordercycle._event_columns import EventColumns
from ordercycle._report.loyalty import KIND, VALUE, Loyalty
from ordercycle._report.own_metrics import Metric, check_own
from ordercycle._report.segment_report import SegmentReport
from ordercycle._segments.scheme import Scheme

#: What a loyalty programme has on a cluster, as `oc.Loyalty` has it on one machine.
OF_LOYALTY = (MEMBERS, POINTS, "discount")


class ReportVerbs(Generic[F]):
    """Verbs of reports on one engine."""

    def __init__(self, engine: Engine[F]) -> None:
        self._engine = engine

    def segment_report(  # noqa: PLR0913 - every option is keyword-only
        self,
        orders_df: Any,
        scheme: Scheme | F | Sequence[Scheme | F] | Mapping[str, Scheme | F],
        customers_df: Any = None,
        *,
        period: str | Sequence[str],
        compare: str | None = "previous_year",
        months: str | Sequence[str] | None = None,
        segments: Sequence[str] | None = None,
        every: str = "month",
        as_of: date | str | None = None,
        touches: Any = None,
        visits: Any = None,
        model: Attribution | None = None,
        subscriptions: F | None = None,
        loyalty: Mapping[str, Any] | None = None,
        brand: str | None = None,
        targets: Mapping[str, Any] | None = None,
        metrics: Sequence[Metric] = (),
        changes: Any = None,
        columns: Columns | Mapping[str, Any] | None = None,
        timezone: str | None = None,
        where: Any = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        **options: Any,
    ) -> SegmentReport:
        """Return the report that :meth:`ordercycle.SegmentReport.build` makes of the same streams.

        Segments, channels, campaigns and months are counted where the rows are; only sums come
        back, whose number has nothing to do with that of customers.

        Parameters
        ----------
        orders_df, customers_df, timezone, where, missing, partitions, **options
            As for `profile`; ``lookups`` by the names of streams, where there are others.
        scheme
            A scheme: `Lifecycle`, a fitted `Cadence`, `Rules` or `Rfm`; a list of several; or a
            dict of several, whose keys then go before the segments' names. One that is fitted again
            at each recalculation is so as of all days at once, in as many passes as one fit has
            rounds, over rows that are held. In the place of a scheme there may be a frame of
            intervals, with the columns that `membership` returns: of schemes that read streams, or
            of another system. Its segments are in alphabetical order.
        period, compare, segments, as_of
            As for :meth:`ordercycle.SegmentReport.build`. Without `as_of`, a period that turns out
            not to be over is counted a second time, as of the last known day.
        months
            Which months ``dynamics`` knows beside those of the period and the prior one.
        every
            How often `Rules` and `Rfm` are recalculated, as for ``Rules.membership``; the first day
            is that of the first month counted, the last that of the period.
        touches, visits, model
            Events, as frames or paths of files, and the attribution that credits orders to them, as
            for `attribution`: the report has channels, campaigns and messages then.
        subscriptions
            A frame with the columns of `subscriptions` of :meth:`ordercycle.SegmentReport.build`.
        loyalty
            What :class:`ordercycle.Loyalty` has, by name: ``{"members": frame, "points": frame,
            "discount": "discount"}``; members are intervals, points events.
        brand, targets, metrics, changes
            As for :meth:`ordercycle.SegmentReport.build`.
        columns
            A ``Columns`` of the orders; or by name, those of ``"touches"``, ``"visits"`` and
            ``"points"`` an ``EventColumns``.
        stream_options
            By the names of streams, others of their ``build``, and ``where``.

        Returns
        -------
        SegmentReport
            Equal to that of one machine, to the last bit. It cannot be audited, as no order is
            here.

        Raises
        ------
        ConfigError, ColumnError
            At once, where a month or an option makes no sense, a column is missing, or the scheme
            is fitted to a whole profile.

        Warns
        -----
        OrdercycleWarning
            As :meth:`ordercycle.SegmentReport.build` does of periods and streams.

        Examples
        --------
        ::

            report = engine.segment_report(
                orders,
                oc.Lifecycle(),
                period=("2025-10", "2025-12"),
                touches=touches,
                columns={
                    "orders": oc.Columns(order="order_id", instants=True),
                    "touches": oc.EventColumns(attributes=["kind", "channel", "campaign"]),
                },
            )
            report.channels()
        """
        schemes, frames = SeveralSchemes.given(self._engine, scheme, every)
        beside = ReportStreams(
            touches,
            visits,
            model,
            subscriptions,
            loyalty,
            brand,
            targets,
            check_own(metrics),
            frames,
        )
        both = (orders_df, customers_df)
        history, has_more = beside.planned(
            self._engine, both, partitions, columns, timezone, missing, options, stream_options
        )
        history = history.where(where, missing, has_streams=bool(beside.events))
        asked = (period, compare, months, segments)
        schemes.check()
        has_more = has_more or schemes.refits or changes is not None
        if isinstance(schemes, OneScheme) and not has_more:
            return history.segment_report(ReportRequest(schemes.scheme, *asked, every, as_of))
        request = FullReport(beside.sources, schemes, *asked, as_of, changes)
        with history.held(is_asked_again=schemes.refits or as_of is None) as held:
            return request.report(held.added, history.job.nobody)


@dataclass(frozen=True)
class ReportStreams(Generic[F]):
    """What a report is made of beside orders, as frames or paths.

    intervals: frames of memberships, by what tasks call them; read: streams that schemes read.
    """

    touches: Any
    visits: Any
    model: Attribution | None
    subscriptions: F | None
    loyalty: Any
    brand: str | None
    targets: Mapping[str, Any] | None
    own: tuple[Metric, ...]
    intervals: Mapping[str, F]
    read: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sources(self) -> SourcesOf:
        """What tasks make of them."""
        model = Attribution() if self.model is None else self.model
        discount = _programme(self.loyalty).get("discount")
        return SourcesOf(model, discount, self.brand, self.targets, self.own)

    @property
    def events(self) -> dict[str, Any]:
        """The streams of events that are there, by name."""
        points = _programme(self.loyalty).get(POINTS)
        events = {TOUCHES: self.touches, VISITS: self.visits, POINTS: points}
        there = {name: one for name, one in events.items() if one is not None}
        return there | {stream_of_schemes(name): one for name, one in self.read.items()}

    def renamed(self, given: Any) -> Any:
        """Return what is given by the names of streams, those that schemes read under theirs."""
        if not self.read or not isinstance(given, Mapping):
            return given
        of_report = {name: one for name, one in given.items() if name not in self.read}
        of_report |= {name: given[name] for name in self.events if name in given}
        return of_report | {
            stream_of_schemes(name): given[name] for name in self.read if name in given
        }

    def planned(
        self,
        engine: Engine[F],
        both: tuple[Any, Any],
        partitions: int | None,
        columns: Columns | Mapping[str, Any] | None,
        timezone: str | None,
        missing: str,
        options: Mapping[str, Any],
        stream_options: Mapping[str, Mapping[str, Any]] | None,
    ) -> tuple[ClusterHistory[F], bool]:
        """Return orders and customers beside the streams, and whether there is more than orders.

        Raises
        ------
        ConfigError, ColumnError
            As of the verbs, as far as no row is read for it.
        """
        streams, programme = self.events, _programme(self.loyalty)
        if self.touches is None:
            for name, given in ((VISITS, self.visits), ("model", self.model)):
                if given is not None:
                    raise ConfigError(
                        (Option(name), " is about touches, and there are none"),
                        remedy=("add ", Option(TOUCHES), ", or leave it out"),
                    )
        if POINTS in streams:
            of_orders = {} if columns is None else {ORDERS: columns}
            by_name = columns if isinstance(columns, Mapping) else of_orders
            columns = {POINTS: EventColumns(attributes=(KIND,), values=(VALUE,)), **by_name}
        tables = {SUBSCRIPTIONS: self.subscriptions, MEMBERS: programme.get(MEMBERS)}
        rows = {name: (one, OF_ROWS[name]) for name, one in tables.items() if one is not None}
        others = dict(options)
        if LOOKUPS in others:
            others[LOOKUPS] = self.renamed(others[LOOKUPS])
        given_streams = GivenStreams.of(
            streams, self.renamed(columns), timezone, others, self.renamed(stream_options)
        )
        history = planned_streams(
            engine, both, partitions, given_streams, missing, rows, self.intervals
        )
        more = (streams, rows, self.intervals, self.brand, self.targets, self.own)
        return history, any(map(bool, more))


def _programme(loyalty: Any) -> Mapping[str, Any]:
    """Return the parts of a loyalty programme."""
    if loyalty is None:
        return {}
    if isinstance(loyalty, Loyalty):
        raise ConfigError(
            (Option("loyalty"), " is a Loyalty, whose members and points are on one machine"),
            remedy='pass frames: {"members": frame, "points": frame, "discount": "discount"}',
        )
    if not isinstance(loyalty, Mapping) or loyalty.get(MEMBERS) is None:
        raise ConfigError(
            (Option("loyalty"), " has no members"),
            remedy='pass a dictionary such as {"members": frame, "points": frame}',
        )
    for name in loyalty:
        if name not in OF_LOYALTY:
            raise ConfigError(
                (Option("loyalty"), f": there is no {name!r}{suggestion(str(name), OF_LOYALTY)}"),
                remedy=f"there are {', '.join(map(repr, OF_LOYALTY))}",
            )
    return loyalty
