"""The verbs over several streams, with their documentation, once for all engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Generic

import pyarrow as pa

from ordercycle._attribution.attribution import Attribution
from ordercycle._columns import Columns
from ordercycle._engines.cluster_credited import ClusterCredited
from ordercycle._engines.cluster_views import Compared
from ordercycle._engines.credit_tasks import TOUCHES, VISITS
from ordercycle._engines.engine import Engine, F, check_frame
from ordercycle._engines.experiment_tasks import (
    EXPOSURES,
    AssignedArms,
    MeasuredSums,
    measured,
    on_day,
)
from ordercycle._engines.feature_tasks import AssignedRows, FeaturesOfRows
from ordercycle._engines.given_streams import GivenStreams
from ordercycle._engines.interval_plans import among, in_tasks
from ordercycle._engines.journey_tasks import ClusterJourneyRun, Replaying
from ordercycle._engines.partition_tasks import ORDERS
from ordercycle._engines.rehearsal_tasks import RehearsedSums, rehearsed_on
from ordercycle._engines.verbs import clv_intervals, planned, planned_rows, planned_streams
from ordercycle._errors import ConfigError, Option, check_choice
from ordercycle._experiments.experiment import Experiment
from ordercycle._experiments.result import ExperimentResult
from ordercycle._expressions.language import parsed
from ordercycle._history.grouped import WITH_PATHS
from ordercycle._journeys.journey import Journey
from ordercycle._segments.customer_features import MISSING, parsed_features
from ordercycle._segments.rules import Rules
from ordercycle._segments.rules import features_of as features_of_rules
from ordercycle._segments.scheme import Scheme
from ordercycle._segments.value.clv import Clv


class StreamVerbs(Generic[F]):
    """Verbs over several streams on one engine."""

    def __init__(self, engine: Engine[F]) -> None:
        self._engine = engine

    def features(  # noqa: PLR0913 - every option is keyword-only
        self,
        profile_df: F,
        features: Mapping[str, str],
        *,
        as_of: date | str,
        streams: Mapping[str, Any],
        columns: Mapping[str, Any] | None = None,
        lookups: Mapping[str, Any] | None = None,
        timezone: str | None = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        **options: Any,
    ) -> F:
        """Add features of streams to a table of customers, as :func:`ordercycle.features` does.

        Lazy. The table and each stream pass the shuffle once; `profile` with ``features=`` spares
        the table that.

        Parameters
        ----------
        profile_df
            A profile, or any frame with ``customer_id``, one row per customer.
        features, as_of, missing
            As for :func:`ordercycle.features`. Whether a text of a condition equals any value is
            known when all events were read.
        streams
            Frames, or paths of files, by the names that features have for them.
        columns
            By the names of streams: an ``EventColumns``; or a ``Columns``, where they are orders.
            None, or for those that are not there: ``EventColumns()``.
        lookups
            By the names of streams, what is ``lookups`` of :meth:`ordercycle.EventHistory.build`.
        timezone
            The business time zone, of all streams.
        stream_options
            By the names of streams, others of their ``build``, and ``where``: a condition of which
            a view is made.
        partitions
            Into how many the customers are divided; None: as for `profile`. The rows are the same
            for any number.
        **options
            ``memory_limit`` and ``spill_directory`` of each task.

        Returns
        -------
        frame
            The table with a column for each feature: where :func:`ordercycle.features` has
            dictionaries, their values. Within a partition customers ascend by hash.

        Raises
        ------
        ColumnError, ConfigError
            At once, where names, types, features or options are wrong.
        DataError, ConfigError
            When the frame is computed, where values are wrong, a customer is there twice, or a
            text of a condition equals no value.

        Examples
        --------
        ::

            rows = engine.features(
                profiles,
                {"coffee": "sum(lines.amount, category == 'coffee', last=90)"},
                as_of="2026-11-01",
                streams={"lines": lines},
                columns={"lines": oc.EventColumns(attributes=["category"], values=["amount"])},
            )
        """
        check_choice("missing", missing, MISSING)
        wanted = parsed_features(features)
        given = GivenStreams.beside_rows(
            streams, columns, lookups, timezone, options, stream_options
        )
        history = planned_rows(self._engine, profile_df, partitions, given, missing)
        there = history.comparing(wanted, missing, given.streams)
        return there.group(FeaturesOfRows(wanted, as_of))

    def assign_with_streams(  # noqa: PLR0913 - every option is keyword-only
        self,
        profile_df: F,
        scheme: Scheme,
        *,
        as_of: date | str,
        streams: Mapping[str, Any],
        columns: Mapping[str, Any] | None = None,
        lookups: Mapping[str, Any] | None = None,
        timezone: str | None = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        column: str | None = None,
        **options: Any,
    ) -> F:
        """Add the segments of rules with features to profiles, as ``Rules.assign`` does. Lazy.

        Parameters
        ----------
        profile_df
            What `profile` returns, or any frame with ``customer_id`` and the columns of the rules.
        scheme
            Rules with features, named or in their conditions.
        column
            The column to add; None: that of the scheme.
        as_of, streams, columns, lookups, timezone, missing, stream_options, partitions, **options
            As for `features`. Whether a text that rules compare a feature with is a value of its
            column is not looked at.

        Returns
        -------
        frame
            The rows with the named features and the segments.

        Raises
        ------
        ColumnError, ConfigError, DataError
            As for `features`.
        """
        check_choice("missing", missing, MISSING)
        if not isinstance(scheme, Rules) or not scheme.reads_streams:
            raise ConfigError(
                (Option("scheme", scheme), " reads no streams"),
                remedy="pass Rules with features, or leave the streams to assign",
            )
        given = GivenStreams.beside_rows(
            streams, columns, lookups, timezone, options, stream_options
        )
        history = planned_rows(self._engine, profile_df, partitions, given, missing)
        there = history.comparing(features_of_rules(scheme), missing, given.streams)
        own = {} if column is None else {"column": column}
        return there.group(AssignedRows(scheme, as_of, own))

    def attribution(  # noqa: PLR0913 - every option is keyword-only
        self,
        orders_df: Any,
        touches_df: Any,
        visits_df: Any = None,
        customers_df: Any = None,
        *,
        model: Attribution | None = None,
        columns: Mapping[str, Any] | None = None,
        timezone: str | None = None,
        where: Any = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        **options: Any,
    ) -> ClusterCredited[F]:
        """Credit orders to touches, as :meth:`ordercycle.Attribution.credit` does.

        Orders, touches and visits of a customer meet in one task; each passes the shuffle once for
        every question that is asked.

        Parameters
        ----------
        orders_df, touches_df, visits_df, customers_df
            Frames, or paths of files.
        model
            None: ``Attribution()``.
        columns
            By name: ``"orders"`` a ``Columns(instants=True, ...)``, ``"touches"`` and ``"visits"``
            an ``EventColumns``; touches need the attributes ``kind`` and ``channel``.
        timezone, missing, stream_options, partitions
            As for `features`; ``stream_options={"touches": {"where": ...}}`` is a view.
        where
            A condition, of which a view of the orders is made, as for `profile`.
        **options
            Others of :meth:`ordercycle.OrderHistory.build` for the orders; ``lookups`` by the names
            of streams.

        Returns
        -------
        ClusterCredited
            ``to_frame()`` and ``paths()``, lazy frames; ``summary()``, ``totals(by)`` and
            ``windows(metric, days)``, of which sums come back.

        Raises
        ------
        ColumnError, ConfigError
            At once, as for :meth:`ordercycle.Attribution.credit`, as far as no row is read for it.

        Examples
        --------
        ::

            credited = engine.attribution(
                orders,
                touches,
                columns={
                    "orders": oc.Columns(order="order_id", instants=True),
                    "touches": oc.EventColumns(attributes=["kind", "channel", "campaign"]),
                },
            )
            credited.totals("campaign")
        """
        check_choice("missing", missing, MISSING)
        streams = {TOUCHES: touches_df} | ({} if visits_df is None else {VISITS: visits_df})
        given = GivenStreams.of(streams, columns or {}, timezone, options, stream_options)
        history = planned_streams(
            self._engine, (orders_df, customers_df), partitions, given, missing
        )
        return ClusterCredited.of(history.where(where, missing, has_streams=True), model)

    def clv_intervals(
        self,
        profile_df: F,
        clv: Clv,
        *,
        level: float = 0.95,
        draws: int = 200,
        seed: int = 0,
        horizon_days: int | None = None,
        discount_rate: float | None = None,
        threads: int | None = None,
    ) -> pa.Table:
        """Return what :meth:`ordercycle.Clv.intervals` returns; only counts come to the driver.

        Customers are counted in two passes over kept columns, those of one without spend; the
        draws are of the counts, and the driver makes them with `threads` threads.

        Parameters
        ----------
        profile_df
            The profiles that the model was fitted to.
        clv
            The fitted model.
        level, draws, seed, horizon_days, discount_rate, threads
            As for :meth:`ordercycle.Clv.intervals`.

        Returns
        -------
        pyarrow.Table
            Equal to that of one machine, to the last bit.

        Raises
        ------
        ConfigError, ColumnError, DataError
            As for :meth:`ordercycle.Clv.intervals`.
        """
        options = {
            "level": level,
            "draws": draws,
            "seed": seed,
            "horizon_days": horizon_days,
            "discount_rate": discount_rate,
            "threads": threads,
        }
        return clv_intervals(self._engine, profile_df, clv, options)

    def assign_arms(self, profile_df: F, experiment: Experiment) -> F:
        """Add the arm of each customer, as :meth:`ordercycle.Experiment.assign` does. Lazy.

        Parameters
        ----------
        profile_df
            Any frame with ``customer_id``.
        experiment
            The arms.

        Returns
        -------
        frame
            The frame with the column ``arm``, texts, null where the id is.

        Raises
        ------
        ColumnError
            At once, where there is no ``customer_id``, or ``arm`` is there already.
        """
        engine = self._engine
        check_frame(engine, profile_df, "profiles")
        work = AssignedArms(experiment)
        schema = engine.schema(profile_df, engine.columns(profile_df), "profiles")
        return engine.map(profile_df, work, work.table(schema.empty_table()).schema)

    def measure(  # noqa: PLR0913 - every option is keyword-only
        self,
        orders_df: Any,
        experiment: Experiment,
        exposures_df: Any = None,
        customers_df: Any = None,
        *,
        since: date | str,
        as_of: date | str,
        window_days: int = 30,
        covariate: str | None = None,
        by: Scheme | F | None = None,
        alpha: float = 0.05,
        columns: Mapping[str, Any] | None = None,
        timezone: str | None = None,
        where: Any = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        **options: Any,
    ) -> ExperimentResult:
        """Return what :meth:`ordercycle.Experiment.measure` returns, of which only sums come back.

        Orders and exposures pass the shuffle once, held in case that windows start at views.

        Parameters
        ----------
        orders_df, exposures_df, customers_df
            Frames, or paths of files.
        experiment
            The arms; who is in which is computed from the ids.
        since, as_of, window_days, covariate, alpha
            As for :meth:`ordercycle.Experiment.measure`.
        by
            A scheme, whose segments on the day of assignment are compared; one that is recalculated
            is so on that day, and one that is fitted again each time is fitted to the profiles of
            that day, over rows that are held. Or a frame of intervals, as `membership` returns it.
        columns
            By name: ``"orders"`` a ``Columns``, ``"exposures"`` an ``EventColumns``.
        timezone, where, missing, stream_options, partitions, **options
            As for `attribution`.

        Returns
        -------
        ExperimentResult
            Equal to that of one machine, to the last bit.

        Raises
        ------
        ConfigError, ColumnError, DataError
            As for :meth:`ordercycle.Experiment.measure`.
        """
        check_choice("missing", missing, MISSING)
        streams = {} if exposures_df is None else {EXPOSURES: exposures_df}
        given = GivenStreams.of(streams, columns or {}, timezone, options, stream_options)
        tables = (orders_df, customers_df)
        on, frames = on_day(self._engine, "by", by, since)
        history = planned_streams(
            self._engine, tables, partitions, given, missing, intervals=frames
        )
        history = history.where(where, missing, has_streams=bool(given.streams))
        asked = {
            "since": since,
            "as_of": as_of,
            "window_days": window_days,
            "covariate": covariate,
        }
        task = MeasuredSums(experiment, asked, on)
        # With exposures, windows may turn out to start at views.
        is_asked_again = exposures_df is not None or (task.by is not None and task.by.refits)
        with history.held(is_asked_again=is_asked_again) as held:
            return measured(task, history.job.nobody, held.added, alpha)

    def rehearse(  # noqa: PLR0913 - every option is keyword-only
        self,
        orders_df: Any,
        experiment: Experiment,
        customers_df: Any = None,
        *,
        since: date | str,
        as_of: date | str,
        window_days: int = 30,
        covariate: str | None = None,
        runs: int = 200,
        alpha: float = 0.05,
        columns: Columns | None = None,
        timezone: str | None = None,
        where: Any = None,
        missing: str = "error",
        partitions: int | None = None,
        **options: Any,
    ) -> pa.Table:
        """Return what :meth:`ordercycle.Experiment.rehearse` returns; only counts come back.

        Orders pass the shuffle once.

        Parameters
        ----------
        orders_df, customers_df
            Frames, or paths of files.
        experiment
            The arms.
        since, as_of, window_days, covariate, runs, alpha
            As for :meth:`ordercycle.Experiment.rehearse`.
        columns, timezone, where, missing, partitions, **options
            As for `profile`.

        Returns
        -------
        pyarrow.Table
            One row, equal to that of one machine to the last bit.

        Raises
        ------
        ConfigError, ColumnError, DataError
            As for :meth:`ordercycle.Experiment.rehearse`.
        """
        history = planned(
            self._engine, orders_df, customers_df, partitions, columns, timezone, options
        ).where(where, missing)
        asked = {
            "since": since,
            "as_of": as_of,
            "window_days": window_days,
            "covariate": covariate,
        }
        task = RehearsedSums(MeasuredSums(experiment, asked, None), runs, alpha)
        return rehearsed_on(task, history.job.nobody, history.added)

    def journey(  # noqa: PLR0913 - every option is keyword-only
        self,
        orders_df: Any,
        journey: Journey,
        customers_df: Any = None,
        *,
        memberships: Mapping[str, Scheme | F],
        as_of: date | str,
        streams: Mapping[str, Any] | None = None,
        ledger: Any = None,
        after: Journey | Sequence[Journey] = (),
        every: str = "month",
        columns: Mapping[str, Any] | None = None,
        timezone: str | None = None,
        where: Any = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        **options: Any,
    ) -> ClusterJourneyRun[F]:
        """Replay a journey over the orders of a cluster, as :meth:`ordercycle.Journey.replay` does.

        Parameters
        ----------
        orders_df, customers_df
            Frames, or paths of files.
        journey
            The definition.
        memberships
            Schemes by the names that the journey has for them. One that is recalculated is so from
            the first day of the journey (``starts_on``) to `as_of`. One that is fitted again each
            time is so at once, as of all days together: the orders are read and shuffled for it.
            Or frames of intervals, with the columns that `membership` returns: of schemes that read
            streams, or of another system.
        as_of
            The last day that is known.
        streams
            Events that are waited for, frames or paths by any names. With one stream, an event
            that none of its rows is, is an error when rows are computed; of several, it is waited
            for in vain.
        ledger
            What was sent, as for :meth:`ordercycle.Journey.replay`: it travels to all tasks.
        after
            The versions before, as for :meth:`ordercycle.Journey.replay`; schemes are recalculated
            from the first day of the first one.
        every
            How often schemes are recalculated, as for ``Rules.membership``.
        columns
            By name: ``"orders"`` a ``Columns``, those of streams ``EventColumns`` with the
            attributes ``event`` and, where waits name one, ``step``.
        timezone, where, missing, stream_options, partitions, **options
            As for `attribution`.

        Returns
        -------
        ClusterJourneyRun
            ``entries()``, ``states()`` and ``feed(first, last)``: lazy frames. ``withdrawn()``,
            ``analytics(by)``, ``funnel(arm)``, ``time_to_convert(arm)`` and ``log_rank()``: tables,
            of which only counts come back.

        Raises
        ------
        ConfigError, ColumnError
            At once, as for :meth:`ordercycle.Journey.replay`, as far as no row is read for it.
        """
        check_choice("missing", missing, MISSING)
        given = GivenStreams.of(streams, columns or {}, timezone, options, stream_options)
        tables = (orders_df, customers_df)
        frames = among(self._engine, memberships)
        history = planned_streams(
            self._engine, tables, partitions, given, missing, intervals=frames
        )
        history = history.where(where, missing, has_streams=bool(given.streams))
        there = in_tasks(self._engine, memberships)
        replaying = Replaying(journey, there, as_of, ledger, every, after)
        nobody = replaying.check(history.job.nobody)
        if replaying.refits:
            with history.orders_alone.held() as held:
                replaying = replaying.prepared(held.added, history.job.nobody[ORDERS])
        if len(given.streams) == 1:
            [name] = given.streams
            signals = (
                one.event for each in (*nobody.before, nobody) for one in each.sources.signals
            )
            looked_for = [
                Compared(parsed(f"event == {event!r}", WITH_PATHS), "the journey: ")
                for event in dict.fromkeys(signals)
            ]
            history = replace(history, job=history.job.comparing({name: looked_for}))
        return ClusterJourneyRun(history.exchanged, replaying, nobody)
