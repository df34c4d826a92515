"""The verb of dashboards, with its documentation, once for all engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from typing import Any, Generic

from ordercycle._attribution.attribution import Attribution
from ordercycle._columns import Columns
from ordercycle._dashboard.dashboard import Dashboard
from ordercycle._dashboard.page_options import PageOptions
from ordercycle._engines.cluster_views import Compared, of_features
from ordercycle._engines.engine import Engine, F
from ordercycle._engines.interval_plans import among, in_tasks
from ordercycle._engines.journey_tasks import ClusterJourneyRun
from ordercycle._engines.page_tasks import PageRequest
from ordercycle._engines.partition_tasks import ORDERS
from ordercycle._engines.report_tasks import stream_of_schemes
from ordercycle._engines.report_verbs import ReportStreams
from ordercycle._engines.verbs import ClusterHistory
from ordercycle._experiments.result import ExperimentResult
from ordercycle._features.scan import by_stream
from ordercycle._journeys.run import JourneyRun
from ordercycle._membership.membership import Membership
from ordercycle._report.own_metrics import Metric, check_own
from ordercycle._segments.rules import Rules
from ordercycle._segments.rules import features_of as features_of_rules
from ordercycle._segments.scheme import Scheme


class PageVerbs(Generic[F]):
    """Verbs of pages on one engine."""

    def __init__(self, engine: Engine[F]) -> None:
        self._engine = engine

    def dashboard(  # noqa: PLR0913 - every option is keyword-only
        self,
        orders_df: Any,
        schemes: Sequence[Scheme],
        customers_df: Any = None,
        *,
        memberships: Mapping[str, Membership | F] | None = None,
        segments: Sequence[str] | None = None,
        months: str | Sequence[str] | None = None,
        as_of: date | str | None = None,
        touches: Any = None,
        visits: Any = None,
        model: Attribution | None = None,
        subscriptions: F | None = None,
        loyalty: Mapping[str, Any] | None = None,
        brand: str | None = None,
        targets: Mapping[str, Any] | None = None,
        metrics: Sequence[Metric] = (),
        journeys: Sequence[JourneyRun | ClusterJourneyRun[F]] = (),
        experiments: Mapping[str, ExperimentResult] | None = None,
        streams: Mapping[str, Any] | None = None,
        changes: Mapping[str, date | str | Sequence[date | str]] | None = None,
        title: str = "Segments",
        currency: str = "EUR",
        min_customers: int = 0,
        columns: Columns | Mapping[str, Any] | None = None,
        timezone: str | None = None,
        where: Any = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        **options: Any,
    ) -> Dashboard:
        """Return what :meth:`ordercycle.Dashboard.build` returns, of which only sums come back.

        Each stream passes the shuffle once and is held: what the page shows is counted in three
        passes over it, one more with `min_customers`, and one for each round in which the schemes
        that are fitted again are fitted, as of all months at once.

        Parameters
        ----------
        orders_df, customers_df
            Frames, or paths of files.
        schemes
            As for :meth:`ordercycle.Dashboard.build`; those that have to be fitted once are fitted
            to the profiles as of the last order.
        memberships
            By name: frames of intervals, with the columns that `membership` returns, whose segments
            are in alphabetical order. Or of tables what :meth:`ordercycle.Membership.from_table`
            returns, which travels to all tasks.
        journeys
            What `journey` returns: the streams of each are held while it is asked.
        segments, months, as_of, experiments, changes, title, currency, min_customers
            As for :meth:`ordercycle.Dashboard.build`. `experiments` are what `measure` returns.
        touches, visits, model, subscriptions, loyalty, brand, targets, metrics
            As for `segment_report`.
        streams
            What schemes read, frames or paths by the names that their features have for them; also
            where `touches` are the same. Whether a text that they compare equals any value is known
            when all rows were read.
        columns, timezone, where, missing, stream_options, partitions, **options
            As for `segment_report`; those of `streams` by their names, too.

        Returns
        -------
        Dashboard
            With the page of one machine, to the last byte. Its report cannot be audited, as no
            order is here.

        Raises
        ------
        ConfigError, ColumnError
            As for :meth:`ordercycle.Dashboard.build`; a scheme is fitted to a whole profile.

        Examples
        --------
        ::

            page = engine.dashboard(orders, [oc.Lifecycle(), oc.Rfm()], as_of="2025-12-31")
            page.save("segments.html")
        """
        look = PageOptions.of(
            title=title,
            currency=currency,
            min_customers=min_customers,
            changes=changes,
            experiments=experiments,
        )
        with ExitStack() as held_runs:  # the streams of each are computed here, on Dask
            runs: Any = journeys
            if isinstance(journeys, Sequence):
                runs = [
                    held_runs.enter_context(one.held())
                    if isinstance(one, ClusterJourneyRun)
                    else one
                    for one in journeys
                ]
            look = look.with_journeys(runs)
        there = memberships or {}
        beside = ReportStreams(
            touches,
            visits,
            model,
            subscriptions,
            loyalty,
            brand,
            targets,
            check_own(metrics),
            among(self._engine, there),
            streams or {},
        )
        both = (orders_df, customers_df)
        history, _ = beside.planned(
            self._engine, both, partitions, columns, timezone, missing, options, stream_options
        )
        history = history.where(where, missing, has_streams=bool(beside.events))
        given = (schemes,) if isinstance(schemes, Scheme) else tuple(schemes)
        if missing == "error":
            history = _comparing(history, given, streams or {})
        further = in_tasks(self._engine, there)
        request = PageRequest(beside.sources, given, further, segments, months, as_of, look)
        request.check(history.job.nobody)
        with history.held() as held:
            return request.dashboard(held.added, history.job.nobody)


def _comparing(
    history: ClusterHistory[F], schemes: Sequence[Any], streams: Mapping[str, Any]
) -> ClusterHistory[F]:
    """Return the same with texts of the features of rules looked for."""
    compared: dict[str, list[Compared]] = {}
    for one in schemes:
        if isinstance(one, Rules) and one.reads_streams:
            own = by_stream(features_of_rules(one), dict.fromkeys((ORDERS, *streams)))
            for name, features in own.items():
                compared.setdefault(stream_of_schemes(name), []).extend(
                    of_features(features.items())
                )
    return replace(history, job=history.job.comparing(compared))
