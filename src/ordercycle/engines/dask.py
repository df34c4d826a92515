"""Profiles, segments and reports of Dask DataFrames, with the bits of one machine.

Frames in, frames out; everything is lazy but fits and reports, of which only sums come back.
Any scheduler will do: threads, processes, or a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import pyarrow.compute as pc

from ordercycle._columns import Columns
from ordercycle._engines import verbs
from ordercycle._engines.audience_verbs import AudienceVerbs
from ordercycle._engines.dask_engine import DASK
from ordercycle._engines.file_frames import Paths
from ordercycle._engines.given_streams import GivenStreams
from ordercycle._engines.history_verbs import HistoryVerbs
from ordercycle._engines.lift_verbs import LiftVerbs
from ordercycle._engines.movement_verbs import MovementVerbs
from ordercycle._engines.page_verbs import PageVerbs
from ordercycle._engines.reach_verbs import ReachVerbs
from ordercycle._engines.report_verbs import ReportVerbs
from ordercycle._engines.stream_verbs import StreamVerbs
from ordercycle._engines.verbs import planned, planned_streams
from ordercycle._segments.lifecycle import Lifecycle
from ordercycle._segments.scheme import Scheme

if TYPE_CHECKING:
    from dask.dataframe import DataFrame

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
]

S = TypeVar("S")

#: A DataFrame; or the path, glob, directory or list of files that client and workers see alike.
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
        As for :meth:`OrderHistory.build`, as Dask DataFrames. Columns of dtype ``object`` do not
        say what they hold and are refused. Or files that client and workers see alike, on a disk
        or in an object store, as a path, URI, glob, directory or list: tasks open them, and read
        them in their own types.
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
        Into how many the customers are divided; None: as many as `orders_df` has. The rows are the
        same for any number.
    **options
        Others of :meth:`OrderHistory.build`, a ``source`` among them. ``read`` and ``filesystem``
        are for files, the second travels to the tasks with its keys; ``memory_limit`` and
        ``spill_directory`` are for each task, as is ``threads``, 1 by default.

    Returns
    -------
    dask.dataframe.DataFrame
        The columns of a profile with pandas' Arrow dtypes, the ids in the dtype they came in;
        floats and decimals as integers.
        Within a partition customers ascend by hash.

    Raises
    ------
    ColumnError, ConfigError
        At once, where names, types or options are wrong.
    DataError, ConfigError
        When the frame is computed, where values are wrong, or a text in `where` equals none.

    Examples
    --------
    >>> import dask.dataframe, pandas
    >>> orders = pandas.DataFrame({
    ...     "customer_id": [7, 7, 8],
    ...     "ordered_at": pandas.to_datetime(["2026-01-05", "2026-01-19", "2026-01-06"]),
    ...     "amount": [20.0, 30.0, 35.0],
    ... })
    >>> orders = dask.dataframe.from_pandas(orders, npartitions=2)
    >>> profiles = profile(orders, as_of="2026-02-01").compute(scheduler="threads")
    >>> profiles[["customer_id", "orders", "revenue"]].sort_values("customer_id").values.tolist()
    [[7, 2, 50.0], [8, 1, 35.0]]
    """
    given = GivenStreams.of(streams, columns, timezone, options, stream_options)
    history = planned_streams(DASK, (orders_df, customers_df), partitions, given, missing)
    viewed = history.where(where, missing, has_streams=bool(given.streams or features))
    if features is None and not given.streams:
        return viewed.profile(as_of, window_days)
    return viewed.featured_profile(as_of, window_days, features or {}, missing)


def assign(profile_df: DataFrame, scheme: Scheme, **options: Any) -> DataFrame:
    """Add each customer's segment to profiles. Lazy.

    Parameters
    ----------
    profile_df
        What :func:`profile` returns, or any DataFrame with the columns that the scheme reads. One
        read from Parquet needs ``dtype_backend="pyarrow"``, so that integers with missing values
        are integers.
    scheme
        A scheme, fitted where it has to be.
    **options
        Of the scheme's ``assign``, such as ``column`` of `Rules`. Of rules with features
        ``streams`` and ``as_of``, with the other arguments that :func:`features` has.

    Returns
    -------
    dask.dataframe.DataFrame
        `profile_df` with the scheme's columns; segments are categories, all known.

    Raises
    ------
    ColumnError, ConfigError
        At once, where a column is missing, of another type, or there already, or the scheme is
        not fitted.

    Examples
    --------
    >>> import dask.dataframe, pandas, pyarrow
    >>> from ordercycle import Lifecycle
    >>> profiles = pandas.DataFrame({
    ...     "days_since_registration": pandas.array([400, 10], dtype="int32[pyarrow]"),
    ...     "days_since_last_order": pandas.array([200, None], dtype="int32[pyarrow]"),
    ...     "orders": pandas.array([4, 0], dtype="int64[pyarrow]"),
    ... })
    >>> segments = assign(dask.dataframe.from_pandas(profiles, npartitions=2), Lifecycle())
    >>> segments["lifecycle"].compute(scheduler="threads").tolist()
    ['At-risk', 'New – no orders']
    """
    if "streams" in options:
        return _VERBS.assign_with_streams(profile_df, scheme, **options)
    return verbs.assign(DASK, profile_df, scheme, options)


def fit(profile_df: DataFrame, scheme: S, *, errors: str | None = None) -> S:
    """Return a scheme fitted to profiles, with the numbers that `scheme.fit` gives.

    Customers are counted where they are, in a few rounds; only the counts come back. The columns
    that are read are persisted meanwhile, so that the profiles are computed once.

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
    """
    return verbs.fit(DASK, profile_df, scheme, errors)


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

    The gaps are counted where the orders are; only the counts come back.

    Parameters
    ----------
    orders_df, customers_df, columns, timezone, where, missing, partitions, **options
        As for :func:`profile`.
    as_of, active_share, churned_share
        As for :meth:`Lifecycle.fit`.
    scheme
        The lifecycle to fit, of which ``new_days`` stays; None: ``Lifecycle()``.
    """
    history = planned(DASK, orders_df, customers_df, partitions, columns, timezone, options)
    return history.where(where, missing).fit_lifecycle(scheme, as_of, active_share, churned_share)


_VERBS: StreamVerbs[DataFrame] = StreamVerbs(DASK)
features = _VERBS.features
attribution = _VERBS.attribution
assign_arms = _VERBS.assign_arms
measure = _VERBS.measure
clv_intervals = _VERBS.clv_intervals
rehearse = _VERBS.rehearse
journey = _VERBS.journey
_REPORTS: ReportVerbs[DataFrame] = ReportVerbs(DASK)
segment_report = _REPORTS.segment_report
_LIFTS: LiftVerbs[DataFrame] = LiftVerbs(DASK)
holdout_lift = _LIFTS.holdout_lift
_AUDIENCES: AudienceVerbs[DataFrame] = AudienceVerbs(DASK)
audience = _AUDIENCES.audience
audiences = _AUDIENCES.audiences
_HISTORIES: HistoryVerbs[DataFrame] = HistoryVerbs(DASK)
history_of = _HISTORIES.history_of
clv_backtest = _HISTORIES.clv_backtest
_PAGES: PageVerbs[DataFrame] = PageVerbs(DASK)
dashboard = _PAGES.dashboard
_MOVEMENTS: MovementVerbs[DataFrame] = MovementVerbs(DASK)
membership = _MOVEMENTS.membership
transitions = _MOVEMENTS.transitions
transition_matrix = _MOVEMENTS.transition_matrix
next_transition = _MOVEMENTS.next_transition
_REACH: ReachVerbs[DataFrame] = ReachVerbs(DASK)
reach = _REACH.reach
