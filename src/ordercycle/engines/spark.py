"""Profiles, segments and reports of Spark DataFrames, with the bits of one machine.

Frames in, frames out; everything is lazy but fits and reports, of which only sums come back to
the driver. Nothing but DataFrame methods is used, so that Spark Connect serves as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import pyarrow.compute as pc

from ordercycle._columns import Columns
from ordercycle._engines import verbs
from ordercycle._engines.audience_verbs import AudienceVerbs
from ordercycle._engines.engine import require
from ordercycle._engines.file_frames import Paths
from ordercycle._engines.given_streams import GivenStreams
from ordercycle._engines.history_verbs import HistoryVerbs
from ordercycle._engines.lift_verbs import LiftVerbs
from ordercycle._engines.movement_verbs import MovementVerbs
from ordercycle._engines.page_verbs import PageVerbs
from ordercycle._engines.reach_verbs import ReachVerbs
from ordercycle._engines.report_verbs import ReportVerbs
from ordercycle._engines.spark_engine import SPARK
from ordercycle._engines.spark_tasks import warm_up
from ordercycle._engines.stream_verbs import StreamVerbs
from ordercycle._engines.verbs import planned, planned_streams
from ordercycle._segments.lifecycle import Lifecycle
from ordercycle._segments.scheme import Scheme

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "assign",
    "assign_arms",
    "attribution",
    "audience",
    "audiences",
    "clv_backtest",
    "clv_intervals",
    "dashboard",
    "features",
    "fit",
    "fit_lifecycle",
    "history_of",
    "holdout_lift",
    "journey",
    "measure",
    "membership",
    "next_transition",
    "profile",
    "reach",
    "rehearse",
    "segment_report",
    "transition_matrix",
    "transitions",
    "warmup",
]

S = TypeVar("S")

#: A DataFrame; or the path, glob, directory or list of files that driver and workers see alike.
Frame: TypeAlias = "DataFrame | Paths"


def profile(  # noqa: PLR0913 - every option is keyword-only
    orders_df: Frame,
    customers_df: Frame | None = None,
    *,
    as_of: date | str,
    window_days: int | None = None,
    features: Mapping[str, str] | None = None,
    streams: Mapping[str, Frame] | None = None,
    columns: Columns | Mapping[str, Any] | None = None,
    timezone: str | None = None,
    where: str | pc.Expression | None = None,
    missing: str = "error",
    stream_options: Mapping[str, Mapping[str, Any]] | None = None,
    partitions: int | None = None,
    **options: Any,
) -> DataFrame:
    """Return one row per customer as of the end of a day: the rows of `OrderHistory.profile`.

    Lazy. The orders pass the shuffle once, packed by customer.

    Parameters
    ----------
    orders_df, customers_df
        As for :meth:`OrderHistory.build`, as Spark DataFrames. A ``timestamp`` is an instant and
        becomes a day of `timezone`, whatever the session's time zone; a ``timestamp_ntz`` or a
        ``date`` is local already. Or files that driver and workers see alike, on a disk or in an
        object store, as a path, URI, glob, directory or list: tasks open and read them with Arrow,
        which spares Spark making rows of them.
    as_of, window_days
        As for :meth:`OrderHistory.profile`.
    features, streams
        Columns that are computed of streams of events and added, as for
        :func:`ordercycle.features`: streams are frames or paths of files by name, and pass the
        shuffle once, too. ``orders`` are the orders of the profile.
    columns, timezone
        As for :meth:`OrderHistory.build`; None: as usual, or as a source says. With streams,
        columns and ``lookups`` are by name:
        ``{"orders": Columns(...), "lines": EventColumns(...)}``.
    where, missing
        A condition, of which a view is made, and what becomes of a text that no value equals, as
        for :meth:`OrderHistory.where`. Customers and registrations are those of all orders; None:
        all orders count. Whether a text equals any value is known when all orders were read.
    stream_options
        By the names of streams, others of :meth:`EventHistory.build`, and ``where``.
    partitions
        Into how many the customers are divided; None: ``spark.sql.shuffle.partitions``. The rows
        are the same for any number.
    **options
        Others of :meth:`OrderHistory.build`, a ``source`` among them. ``read`` and ``filesystem``
        are for files, the second travels to the tasks with its keys; ``memory_limit`` and
        ``spill_directory`` are for each task, as is ``threads``, 1 by default.

    Returns
    -------
    pyspark.sql.DataFrame
        The columns of a profile in their types. Within a partition customers ascend by hash.

    Raises
    ------
    ColumnError, ConfigError
        At once, where names, types or options are wrong.
    PythonException
        Of Spark, by the action that needs the rows, where values are wrong, or a text in `where`
        equals none: its message holds that of the DataError (column, what is wrong, how many) or
        ConfigError.
    SourceError
        At once, where files are missing or cannot be read.

    Examples
    --------
    ::

        from ordercycle.engines import spark

        profiles = spark.profile(session.table("orders"), as_of="2026-11-01")
        profiles.write.mode("overwrite").saveAsTable("profiles")
    """
    given = GivenStreams.of(streams, columns, timezone, options, stream_options)
    history = planned_streams(SPARK, (orders_df, customers_df), partitions, given, missing)
    viewed = history.where(where, missing, has_streams=bool(given.streams or features))
    if features is None and not given.streams:
        return viewed.profile(as_of, window_days)
    return viewed.featured_profile(as_of, window_days, features or {}, missing)


def assign(profile_df: DataFrame, scheme: Scheme, **options: Any) -> DataFrame:
    """Add each customer's segment to profiles. Lazy.

    To what :func:`profile` returned, and is not persisted, segments are added in the same tasks.

    Parameters
    ----------
    profile_df
        What :func:`profile` returns, or any DataFrame with the columns that the scheme reads.
    scheme
        A scheme, fitted where it has to be.
    **options
        Of the scheme's ``assign``, such as ``column`` of `Rules`. Of rules with features
        ``streams`` and ``as_of``, with the other arguments that :func:`features` has.

    Returns
    -------
    pyspark.sql.DataFrame
        `profile_df` with the scheme's columns. Segments are strings: Spark has no dictionaries.

    Raises
    ------
    ColumnError, ConfigError
        At once, where a column is missing, of another type, or there already, or the scheme is
        not fitted.

    Examples
    --------
    ::

        segments = spark.assign(profiles, oc.Lifecycle.preset("fashion"))
        segments.groupBy("lifecycle").count().show()
    """
    if "streams" in options:
        return _VERBS.assign_with_streams(profile_df, scheme, **options)
    return verbs.assign(SPARK, profile_df, scheme, options)


def fit(profile_df: DataFrame, scheme: S, *, errors: str | None = None) -> S:
    """Return a scheme fitted to profiles, with the numbers that `scheme.fit` gives.

    Customers are counted where they are, in a few rounds; only the counts come to the driver. The
    columns that are read are persisted meanwhile, so that the profiles are computed once.

    Parameters
    ----------
    profile_df
        What :func:`profile` returns, windowed or not, or any DataFrame with the columns that the
        scheme reads.
    scheme
        An `Rfm`, a `Cadence`, a `Clv` or a `ValueLists`; a `Lifecycle` needs the orders:
        :func:`fit_lifecycle`.
    errors
        Of a `Clv`, as for :meth:`Clv.fit`; None: as usual.

    Examples
    --------
    ::

        rfm = spark.fit(profiles, oc.Rfm())
        spark.assign(profiles, rfm).groupBy("rfm").count().show()
    """
    return verbs.fit(SPARK, profile_df, scheme, errors)


def fit_lifecycle(  # noqa: PLR0913 - every option is keyword-only
    orders_df: Frame,
    customers_df: Frame | None = None,
    *,
    as_of: date | str,
    scheme: Lifecycle | None = None,
    active_share: float = 0.80,
    churned_share: float = 0.95,
    columns: Columns | None = None,
    timezone: str | None = None,
    where: str | pc.Expression | None = None,
    missing: str = "error",
    partitions: int | None = None,
    **options: Any,
) -> Lifecycle:
    """Return the lifecycle that `Lifecycle.fit` gives for the same orders.

    The gaps are counted where the orders are; only the counts come to the driver.

    Parameters
    ----------
    orders_df, customers_df, columns, timezone, where, missing, partitions, **options
        As for :func:`profile`.
    as_of, active_share, churned_share
        As for :meth:`Lifecycle.fit`.
    scheme
        The lifecycle to fit, of which ``new_days`` stays; None: ``Lifecycle()``.

    Examples
    --------
    ::

        lifecycle = spark.fit_lifecycle(session.table("orders"), as_of="2026-11-01")
    """
    history = planned(SPARK, orders_df, customers_df, partitions, columns, timezone, options)
    return history.where(where, missing).fit_lifecycle(scheme, as_of, active_share, churned_share)


def warmup(session: SparkSession, tasks: int | None = None) -> DataFrame:
    """Compile the kernels, or load them, in the Python workers of the executors. Lazy.

    Parameters
    ----------
    session
        The session whose executors get warm.
    tasks
        How many tasks do it; best several for each executor, as Spark does not promise to spread
        them. None: the session's default parallelism, as far as it says.

    Returns
    -------
    pyspark.sql.DataFrame
        A row for each task: ``host``, ``process``, ``kernels``, ``directory`` (where they are
        kept; null: nowhere, so that each worker compiles for itself), ``seconds``.

    Examples
    --------
    ::

        spark.warmup(session, tasks=8).show()
    """
    require(SPARK)
    rows = session.range(0, tasks, numPartitions=tasks) if tasks else session.range(64)
    types = "host string, process long, kernels long, directory string, seconds double"
    return rows.mapInArrow(warm_up, types)


_VERBS: StreamVerbs[DataFrame] = StreamVerbs(SPARK)
features = _VERBS.features
attribution = _VERBS.attribution
assign_arms = _VERBS.assign_arms
measure = _VERBS.measure
clv_intervals = _VERBS.clv_intervals
rehearse = _VERBS.rehearse
journey = _VERBS.journey
_REPORTS: ReportVerbs[DataFrame] = ReportVerbs(SPARK)
segment_report = _REPORTS.segment_report
_LIFTS: LiftVerbs[DataFrame] = LiftVerbs(SPARK)
holdout_lift = _LIFTS.holdout_lift
_AUDIENCES: AudienceVerbs[DataFrame] = AudienceVerbs(SPARK)
audience = _AUDIENCES.audience
audiences = _AUDIENCES.audiences
_HISTORIES: HistoryVerbs[DataFrame] = HistoryVerbs(SPARK)
history_of = _HISTORIES.history_of
clv_backtest = _HISTORIES.clv_backtest
_PAGES: PageVerbs[DataFrame] = PageVerbs(SPARK)
dashboard = _PAGES.dashboard
_MOVEMENTS: MovementVerbs[DataFrame] = MovementVerbs(SPARK)
membership = _MOVEMENTS.membership
transitions = _MOVEMENTS.transitions
transition_matrix = _MOVEMENTS.transition_matrix
next_transition = _MOVEMENTS.next_transition
_REACH: ReachVerbs[DataFrame] = ReachVerbs(SPARK)
reach = _REACH.reach
