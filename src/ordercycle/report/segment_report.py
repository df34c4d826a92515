"""The segment report."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING

import pyarrow as pa

from ordercycle.errors import ConfigError, OrdercycleWarning, check_choice
from ordercycle.history.order_history import OrderHistory
from ordercycle.report.cube import Cube, count
from ordercycle.report.doubts import doubts, months_of, refuse_foreign
from ordercycle.report.export import comparison_csv, dynamics_csv, write_text
from ordercycle.report.figures import Figures
from ordercycle.report.metrics import METRICS, metric_named, metrics_named
from ordercycle.report.months import Months, prior_period
from ordercycle.report.plan import Memberships, Plan, listed
from ordercycle.report.present import as_html, as_text
from ordercycle.report.tables import comparison_table, dynamics_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODES = ("comparison", "dynamics")


class SegmentReport:
    """What each segment bought in a period, and who is in it at the end, beside a prior period.

    Made by :meth:`build`. An order belongs to the segment that its customer is in on the order's
    day; metrics of all time are about those who are in the segment on the period's last day.

    Attributes
    ----------
    segments
        The names of the segments in the order of the rows; the last row is ``All Customers``.
    period, previous
        The months of the report and those it is compared with, as text; `previous` may be None.
    """

    def __init__(
        self,
        cube: Cube,
        period: Months,
        previous: Months | None,
        recount: Callable[[Months], Cube] | None = None,
    ) -> None:
        self._figures = Figures(cube)
        self._period = period
        self._previous = previous
        self._recount = recount

    @classmethod
    def build(
        cls,
        history: OrderHistory,
        membership: Memberships,
        *,
        period: str | Sequence[str],
        compare: str | None = "previous_year",
        segments: Sequence[str] | None = None,
    ) -> SegmentReport:
        """Count all segments in all months of the history, in one pass over it.

        Parameters
        ----------
        history
            The orders.
        membership
            Who was in which segment: what ``scheme.membership(history)`` returns; a list of
            several; or a dict of several, whose keys then go before the segments' names.
        period
            The first and the last month: ``("2025-10", "2025-12")``; one month: ``"2025-12"``.
        compare
            The prior period: ``"previous_year"``, the same months a year earlier;
            ``"previous_period"``, as many months just before; None for none.
        segments
            The names of the segments to report, in this order, 30 at most; None: all.

        Returns
        -------
        SegmentReport
            The same, to the bit, for any number of threads and parts of the history.

        Raises
        ------
        ConfigError
            A month or an option makes no sense, a membership is none or was made from another
            history, there is no such segment, there are more than 30, or two have one name.
        DataError
            An average is too large for a float64.

        Warns
        -----
        OrdercycleWarning
            The period lies before the first or after the last order; it has orders that come
            after what a membership knows, or it or the prior period some that come before;
            intervals are of customers whom the history does not have.

        Notes
        -----
        A customer in several segments counts in each of them, and once in All Customers; one in
        none of them counts in All Customers alone. New Customer Registrations counts a customer
        once, on the first day on which a profile would have them. A refund from before that day
        lowers the revenue of that day, so that the months of All Customers add up to its revenue
        of all time.

        Examples
        --------
        >>> import datetime, pyarrow as pa
        >>> from ordercycle import Lifecycle
        >>> orders = pa.table({
        ...     "customer_id": ["ann", "ann", "bob"],
        ...     "ordered_at": [datetime.date(2025, month, 15) for month in (9, 12, 11)],
        ...     "amount": [20.0, 30.0, 12.5],
        ... })
        >>> history = OrderHistory.build(orders)
        >>> report = SegmentReport.build(
        ...     history, Lifecycle().membership(history), period=("2025-10", "2025-12"),
        ...     compare="previous_period", segments=["New – 1 order", "Active"],
        ... )
        >>> for row in report.comparison(["Revenue"]).to_pylist():
        ...     print(row["segment"], row["value"], row["previous"], row["change"])
        New – 1 order 12.5 20.0 -7.5
        Active 30.0 0.0 30.0
        All Customers 42.5 20.0 22.5
        >>> orders = report.dynamics("Orders", ("2025-11", "2025-12")).to_pylist()
        >>> [(str(row["month"]), row["value"]) for row in orders if row["segment"] == "Active"]
        [('2025-11-01', 0.0), ('2025-12-01', 1.0)]
        """
        months = Months.of(period, "period")
        previous = prior_period(months, compare)
        memberships = listed(membership)
        refuse_foreign(memberships, history)
        ordered = months_of(history)
        covered = months
        for others in (previous, ordered):
            covered = covered if others is None else covered.spanning(others)

        def counted(in_months: Months) -> Cube:
            plan = Plan.of(
                membership,
                months=in_months,
                segments=segments,
                amount=history.kind.amount,
                net_refunds=history.kind.net_refunds,
            )
            return count(history, memberships, plan)

        cube = counted(covered)
        for doubt in doubts(memberships, history, months, previous):
            warnings.warn(doubt, OrdercycleWarning, stacklevel=2)
        return cls(cube, months, previous, counted)

    @classmethod
    def finish(
        cls, cube: Cube, *, period: str | Sequence[str], compare: str | None = "previous_year"
    ) -> SegmentReport:
        """Return the report of a cube that was counted somewhere else.

        Parameters
        ----------
        cube
            The sum of the cubes of all parts, whose months have the period and its prior period.
        period, compare
            As for :meth:`build`.
        """
        months = Months.of(period, "period")
        return cls(cube, months, prior_period(months, compare))

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in the order of the rows."""
        return self._figures.plan.segments

    @property
    def period(self) -> str:
        """The months of the report."""
        return str(self._period)

    @property
    def previous(self) -> str | None:
        """The months that the report is compared with."""
        return None if self._previous is None else str(self._previous)

    def comparison(self, metrics: Sequence[str] | None = None) -> pa.Table:
        """Return metrics of the period beside those of the prior period.

        Parameters
        ----------
        metrics
            Their names, in the order of the rows; None: all, in the order of the export.

        Returns
        -------
        pyarrow.Table
            ``segment``, ``metric``: string; ``value``, ``previous``; ``change``, value - previous;
            ``change_ratio``, change / the size of previous: float64, null where undefined or
            beyond a float64.

        Raises
        ------
        ConfigError
            There is no such metric.
        """
        chosen = METRICS if metrics is None else metrics_named(metrics)
        return comparison_table(self._figures, chosen, self._period, self._previous)

    def dynamics(self, metric: str, months: str | Sequence[str] | None = None) -> pa.Table:
        """Return a metric month by month, each month a period of its own.

        Parameters
        ----------
        metric
            Its name.
        months
            The first and the last month; None: from the first customer's to the end of the period.
            Months beyond those of the history and the report cost a further pass.

        Returns
        -------
        pyarrow.Table
            ``segment``: string; ``month``: date32, its first day; ``value``: float64, null where
            undefined.

        Raises
        ------
        ConfigError
            There is no such metric, the months make no sense, or the report was made by another
            engine, for fewer months.
        """
        chosen, covered = metric_named(metric), self._covering(months)
        return dynamics_table(self._figures, chosen, covered)

    def to_csv(
        self,
        path: str | os.PathLike[str] | IO[str],
        *,
        mode: str = "comparison",
        metric: str | None = None,
        months: str | Sequence[str] | None = None,
    ) -> None:
        """Write the report as CSV with the usual export columns, whole or not at all.

        Numbers are written so that reading them gives the same float64; what is undefined is
        empty. The name of a segment that a spreadsheet would take for a formula, one that begins
        with ``=``, ``+``, ``-``, ``@`` or a control character, gets an apostrophe before it.

        Parameters
        ----------
        path
            The file; one that is there is replaced. Or a text stream such as ``sys.stdout``.
        mode
            ``"comparison"``: a row per segment for the period, then for the prior period.
            ``"dynamics"``: a row per segment and month, with the month's first day as ``Date``;
            ``PeriodStart`` and ``PeriodEnd`` are the first and the last day of all of them.
        metric
            The only metric to fill in, in dynamics; None: all.
        months
            The months of the dynamics, as for :meth:`dynamics`.

        Raises
        ------
        ConfigError
            The mode or the metric is unknown, or `metric` or `months` come without dynamics.
        StorageError
            The file cannot be written.
        """
        check_choice("mode", mode, MODES)
        if mode == "comparison":
            if metric is not None or months is not None:
                raise ConfigError('metric= and months= choose dynamics; add mode="dynamics"')
            periods = [one for one in (self._period, self._previous) if one is not None]
            text = comparison_csv(self._figures, periods)
        else:
            filled = METRICS if metric is None else (metric_named(metric),)
            text = dynamics_csv(self._figures, filled, self._covering(months))
        write_text(text, path)

    def plot(
        self,
        metric: str,
        *,
        mode: str = "dynamics",
        months: str | Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw a metric with matplotlib, the extra ``plot``.

        Parameters
        ----------
        metric
            Its name.
        mode
            ``"dynamics"``: a line per segment over the months. ``"comparison"``: a bar per
            segment for the period, beside one for the prior period.
        months
            The months of the dynamics, as for :meth:`dynamics`.
        ax
            Where to draw; None: on new axes.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ConfigError
            As for :meth:`dynamics` and :meth:`to_csv`.
        ImportError
            matplotlib is not installed.
        """
        from ordercycle.report import plot

        check_choice("mode", mode, MODES)
        chosen = metric_named(metric)
        if mode == "dynamics":
            return plot.draw_dynamics(self._figures, chosen, self._covering(months), ax)
        if months is not None:
            raise ConfigError('months= chooses dynamics; add mode="dynamics"')
        return plot.draw_comparison(self._figures, chosen, self._period, self._previous, ax)

    def __repr__(self) -> str:
        return as_text(self._figures, self._period, self._previous)

    def _repr_html_(self) -> str:
        return as_html(self._figures, self._period, self._previous)

    def _covering(self, months: str | Sequence[str] | None) -> Months:
        """Return months, checked, and see to it that they are counted."""
        counted = self._figures.plan.months
        if months is None:
            return Months(min(self._figures.first_month, self._period.first), self._period.last)
        wanted = Months.of(months, "months")
        if not counted.covers(wanted):
            if self._recount is None:
                raise ConfigError(
                    f"months={months!r}: this report knows the months {counted} only; make it for "
                    "a longer period"
                )
            self._figures = Figures(self._recount(counted.spanning(wanted)))
        return wanted
