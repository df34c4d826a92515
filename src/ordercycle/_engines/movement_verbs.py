"""The verbs about where customers are and were, with their documentation, for all engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Generic

import pyarrow as pa

from ordercycle._columns import Columns
from ordercycle._engines.engine import Engine, F, check_frame
from ordercycle._engines.given_streams import GivenStreams
from ordercycle._engines.movement_tasks import (
    AFTER,
    BEFORE,
    IntervalRows,
    LookAheads,
    MovedRows,
    MovedSums,
    matrix_of,
)
from ordercycle._engines.partition_tasks import ORDERS
from ordercycle._engines.verbs import ClusterHistory, planned_streams, planned_tables
from ordercycle._errors import check_choice
from ordercycle._segments.customer_features import MISSING
from ordercycle._segments.profile_tables import CUSTOMER
from ordercycle._segments.rules import Rules
from ordercycle._segments.rules import features_of as features_of_rules
from ordercycle._segments.scheme import Scheme


class MovementVerbs(Generic[F]):
    """Verbs about where customers are and were, on one engine."""

    def __init__(self, engine: Engine[F]) -> None:
        self._engine = engine

    def membership(  # noqa: PLR0913 - every option is keyword-only
        self,
        orders_df: Any,
        scheme: Scheme,
        customers_df: Any = None,
        *,
        start: date | str | None = None,
        end: date | str | None = None,
        every: str | None = None,
        window_days: int | None = None,
        schemes: Sequence[Scheme] = (),
        streams: Mapping[str, Any] | None = None,
        columns: Columns | Mapping[str, Any] | None = None,
        timezone: str | None = None,
        where: Any = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        **options: Any,
    ) -> F:
        """Return who was in which segment, and when: the rows of ``Membership.to_table``. Lazy.

        Parameters
        ----------
        orders_df, customers_df
            Frames, or paths of files.
        scheme
            One that is fitted again at each recalculation, as is an `Rfm` without cuts of its own,
            is so at once, as of all days together: the orders are read and shuffled for it, and
            once more for the rows.
        start, end, every, window_days, schemes
            As for :meth:`ordercycle.Scheme.membership`. A scheme that is recalculated needs `start`
            and `end`: no partition knows the first and the last order of all customers.
        streams
            Frames, or paths of files, by the names that the features of rules have for them.
        columns, timezone, where, missing, stream_options, partitions, **options
            As for `profile`.

        Returns
        -------
        frame
            ``customer_id``; ``segment``, text; ``valid_from`` and ``valid_to``, days, the second
            the day after the last, null while there is none. Within a partition customers ascend by
            hash, the intervals of a customer by day.

        Raises
        ------
        ConfigError, ColumnError
            At once, as for :meth:`ordercycle.Scheme.membership`, as far as no row is read for it.

        Examples
        --------
        ::

            engine.membership(orders, oc.Lifecycle(), end="2026-10-31")
        """
        check_choice("missing", missing, MISSING)
        task = IntervalRows(scheme, start, end, every, window_days, tuple(schemes))
        task.check()
        given = GivenStreams.of(streams, columns, timezone, options, stream_options)
        both = (orders_df, customers_df)
        history = planned_streams(self._engine, both, partitions, given, missing)
        has_streams = bool(given.streams or task.read_streams)
        history = history.where(where, missing, has_streams=has_streams)
        for one in (*task.schemes, scheme):
            if isinstance(one, Rules) and one.reads_streams:
                names = (ORDERS, *given.streams)
                history = history.comparing(features_of_rules(one), missing, names)
        if task.refits:
            with history.held() as held:
                task = task.prepared(held.added, history.job.nobody)
        return history.group(task)

    def transitions(
        self,
        before_df: F,
        after_df: F,
        column: str = "lifecycle",
        *,
        partitions: int | None = None,
        **options: Any,
    ) -> F:
        """Return the customers whose segment is another one, as :func:`ordercycle.transitions`.

        Lazy. Of both tables, the ids and the segments pass the shuffle once.

        Parameters
        ----------
        before_df, after_df
            What `assign` returns for profiles of two days, or any frames with ``customer_id`` and
            the column of segments, one row per customer.
        column
            The column of segments.
        partitions
            Into how many the customers are divided; None: as many as `before_df` has.
        **options
            ``memory_limit`` and ``spill_directory`` of each task.

        Returns
        -------
        frame
            ``customer_id``, ``from_segment`` and ``to_segment``, texts, null as for
            :func:`ordercycle.transitions`. Within a partition customers ascend by hash.

        Raises
        ------
        ColumnError, ConfigError
            At once, where a column is missing, or of another type.
        DataError
            When the frame is computed, where an id is null, or there twice.
        ColumnError
            Then too, where the tables have more than 127 names together, in whichever partitions.

        Examples
        --------
        ::

            october, november = (
                engine.assign(engine.profile(orders, as_of=day), oc.Lifecycle())
                for day in ("2026-10-31", "2026-11-30")
            )
            engine.transitions(october, november)
        """
        history = self._both(before_df, after_df, column, partitions, options)
        return history.group(MovedRows(column))

    def transition_matrix(
        self,
        before_df: F,
        after_df: F,
        column: str = "lifecycle",
        *,
        partitions: int | None = None,
        **options: Any,
    ) -> pa.Table:
        """Count who went from which segment to which, as :func:`ordercycle.transition_matrix`.

        Only counts come to the driver.

        Parameters
        ----------
        before_df, after_df, column, partitions, **options
            As for `transitions`.

        Returns
        -------
        pyarrow.Table
            The rows of :func:`ordercycle.transition_matrix`, in alphabetical order of the names,
            null last: partitions have no dictionary in common, whose order one machine keeps.

        Raises
        ------
        ColumnError, ConfigError, DataError
            As for `transitions`.
        """
        history = self._both(before_df, after_df, column, partitions, options)
        task = MovedSums(column)
        MovedRows(column).schema(history.job.nobody)  # which checks the columns
        return matrix_of(history.exchanged.summed(task))

    def next_transition(self, profile_df: F, scheme: Scheme) -> F:
        """Add each customer's next segment, as :meth:`ordercycle.Scheme.next_transition`. Lazy.

        Parameters
        ----------
        profile_df
            What `profile` returns, with or without segments.
        scheme
            A scheme that foretells: a `Lifecycle` or a fitted `Cadence`.

        Returns
        -------
        frame
            `profile_df` with ``next_segment`` and ``next_segment_on``.

        Raises
        ------
        ColumnError, ConfigError
            At once, as for :meth:`ordercycle.Scheme.next_transition`.
        DataError
            When the frame is computed, where a day is null.
        """
        engine = self._engine
        check_frame(engine, profile_df, "profiles")
        ahead = LookAheads(scheme, {})
        schema = engine.schema(profile_df, engine.columns(profile_df), "profiles")
        return engine.assign(profile_df, ahead, ahead.added(schema.empty_table()))

    def _both(
        self,
        before: F,
        after: F,
        column: str,
        partitions: int | None,
        options: Mapping[str, Any],
    ) -> ClusterHistory[F]:
        """Return the ids and segments of two tables, by customer."""
        tables = {BEFORE: before, AFTER: after}
        wanted = (CUSTOMER, column)
        return planned_tables(self._engine, tables, wanted, column, partitions, options)
