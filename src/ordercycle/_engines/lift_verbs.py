"""The verb that compares customers who are held out, with its documentation, for all engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic

from ordercycle._attribution.attribution import Attribution
from ordercycle._engines.credit_tasks import TOUCHES, VISITS
from ordercycle._engines.engine import Engine, F
from ordercycle._engines.experiment_tasks import on_day
from ordercycle._engines.given_streams import GivenStreams
from ordercycle._engines.lift_tasks import HOLDOUT, OF_INTERVALS, LiftSums, lift_of
from ordercycle._engines.verbs import planned_streams
from ordercycle._errors import check_choice
from ordercycle._report.holdout_lift import HoldoutLift
from ordercycle._report.holdout_sums import LiftRequest
from ordercycle._segments.customer_features import MISSING
from ordercycle._segments.scheme import Scheme


class LiftVerbs(Generic[F]):
    """Verbs about customers who are held out, on one engine."""

    def __init__(self, engine: Engine[F]) -> None:
        self._engine = engine

    def holdout_lift(  # noqa: PLR0913 - every option is keyword-only
        self,
        orders_df: Any,
        touches_df: Any,
        holdout_df: F,
        visits_df: Any = None,
        customers_df: Any = None,
        *,
        control: str | Sequence[str],
        period: str | tuple[str, str],
        treated: str | Sequence[str] | None = None,
        model: Attribution | None = None,
        segments: Scheme | F | None = None,
        alpha: float = 0.05,
        columns: Mapping[str, Any] | None = None,
        timezone: str | None = None,
        where: Any = None,
        missing: str = "error",
        stream_options: Mapping[str, Mapping[str, Any]] | None = None,
        partitions: int | None = None,
        **options: Any,
    ) -> HoldoutLift:
        """Return what :meth:`ordercycle.HoldoutLift.build` returns, of which only sums come back.

        Orders, touches and the holdout pass the shuffle once. What comes to the driver grows with
        the months squared, and with the segments: of 12 months of floats some 10 kB an arm and
        segment.

        Parameters
        ----------
        orders_df, touches_df, visits_df, customers_df
            Frames, or paths of files.
        holdout_df
            A frame with the columns of :meth:`ordercycle.Membership.from_table`: who is held out,
            and who is not.
        control, period, treated, alpha
            As for :meth:`ordercycle.HoldoutLift.build`. Whether the holdout has a segment is known
            when all of it was read.
        model
            The attribution that credits the orders; None: ``Attribution()``.
        segments
            A scheme, whose segments on the first day are compared one by one as well; one that is
            recalculated is so on that day, and one that is fitted again each time is fitted to the
            profiles of that day, over rows that are held. Or a frame of intervals, with the columns
            of the holdout.
        columns, timezone, where, missing, stream_options, partitions, **options
            As for `attribution`.

        Returns
        -------
        HoldoutLift
            Equal to that of one machine, to the last bit.

        Raises
        ------
        ConfigError, ColumnError
            At once, as for :meth:`ordercycle.HoldoutLift.build`, as far as no row is read for it.
        ConfigError, DataError
            Where the holdout has no such segment, or its rows are wrong.

        Examples
        --------
        ::

            lift = engine.holdout_lift(
                orders,
                touches,
                holdout,
                control="held out",
                period=("2025-07", "2025-12"),
                columns={
                    "orders": oc.Columns(order="order_id", instants=True),
                    "touches": oc.EventColumns(attributes=["kind", "channel"]),
                },
            )
            lift.between("2025-11", "2025-12")
        """
        check_choice("missing", missing, MISSING)
        asked = LiftRequest.of(control, period, treated, alpha)
        streams = {TOUCHES: touches_df} | ({} if visits_df is None else {VISITS: visits_df})
        given = GivenStreams.of(streams, columns or {}, timezone, options, stream_options)
        rows = {HOLDOUT: (holdout_df, OF_INTERVALS)}
        both = (orders_df, customers_df)
        by, frames = on_day(self._engine, "segments", segments, asked.months.first_day)
        history = planned_streams(self._engine, both, partitions, given, missing, rows, frames)
        history = history.where(where, missing, has_streams=True)
        task = LiftSums(asked, Attribution() if model is None else model, by)
        with history.held(is_asked_again=by is not None and by.refits) as held:
            return lift_of(task, history.job.nobody, held.added)
