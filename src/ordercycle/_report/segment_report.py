"""The segment report."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import IO, TYPE_CHECKING

import pyarrow as pa

from ordercycle._errors import ConfigError, Option, OrdercycleWarning, check_choice
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._page.content import Content
from ordercycle._page.document import document
from ordercycle._public import public
from ordercycle._report.as_of import AsOf, Known
from ordercycle._report.catalogue import Catalogue
from ordercycle._report.checks import months_of, refuse_foreign, warnings_of
from ordercycle._report.cube import Cube, count
from ordercycle._report.export import comparison_csv, dynamics_csv, write_text
from ordercycle._report.metric_values import Figures, Reported
from ordercycle._report.metrics import Metric
from ordercycle._report.months import PRIOR, Months, Period
from ordercycle._report.page_content import Counted, Look, content_of
from ordercycle._report.plot import bar_chart, line_chart
from ordercycle._report.rendering import as_html, as_text
from ordercycle._report.report_spec import HalfMonths, Memberships, Plan, listed
from ordercycle._report.tables import comparison_table, dynamics_table

if TYPE_CHECKING:
    from altair import LayerChart

MODES = ("comparison", "dynamics")


@public()
class SegmentReport:
    """What each segment bought in a period, and who is in it at the end, beside a prior period.

    Made by :meth:`build`. An order belongs to the segment that its customer is in on the order's
    day; metrics of all time are about those who are in the segment on the period's last day.

    Attributes
    ----------
    segments
        The names of the chosen segments in the order of the rows, which have one more after them:
        ``All Customers``.
    period, previous
        The months of the report and those it is compared with, as text, or their first and last
        day where they are not whole; `previous` may be None.
    as_of
        The day that the report is as of: the last of the period.
    """

    def __init__(
        self,
        cubes: Sequence[Cube],
        as_of: AsOf,
        recount: Callable[..., Cube] | None = None,
    ) -> None:
        self._counted = [Figures(cube) for cube in cubes]
        self._as_of = as_of
        self._recount = recount
        self._halves: Figures | None = None  # of months up to the day of the last one

    @classmethod
    def build(
        cls,
        history: OrderHistory,
        membership: Memberships,
        *,
        period: str | Sequence[str],
        compare: str | None = "previous_year",
        segments: Sequence[str] | None = None,
        as_of: date | str | None = None,
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
        as_of
            A day of the period: the report is "to date", all metrics are as of this day, and the
            prior period ends on the same day of its month (its last, where that is shorter; a
            whole month is compared with a whole one). None: the period's last day; but a period
            that is not over is reported as of the last known day, with a warning. It is not over
            where it ends more days after the last day of any order, refund or registration of the
            history than the longest stretch of days without any of these was in the 90 days up to
            that day.

        Returns
        -------
        SegmentReport
            The same, to the bit, for any number of threads and parts of the history.

        Raises
        ------
        ConfigError
            A month or an option makes no sense, a membership is none, was made from another
            history or ends before `as_of`, there is no such segment, there are more than 30, or
            two have one name.
        DataError
            An average is too large for a float64.

        Warns
        -----
        OrdercycleWarning
            The period is not over, or a lifecycle's or cadence's membership ends within it: the
            report is as of that day. The prior period begins before the first order is known. The
            period lies before the first or after the last order; it has orders that come
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
        ...     history, Lifecycle().membership(history), period=("2025-11", "2025-12"),
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
        memberships = listed(membership)
        refuse_foreign(memberships, history)
        chosen = AsOf.chosen(months, compare, as_of, Known.of(history), memberships)

        def counted(part: Period, *, halved: bool = False) -> Cube:
            plan = Plan.of(
                membership,
                period=part,
                segments=segments,
                kind=grouped_orders(history).spec,
            )
            if halved:
                plan = HalfMonths.of_plan(plan)
            return count(history, memberships, plan)

        ordered = months_of(history)
        first = months.first if ordered is None else min(months.first, ordered.first)
        covered = Months(first, chosen.period.months.last)
        cubes = [counted(part) for part in chosen.counted(covered)]
        for warning in (*chosen.warnings(), *warnings_of(memberships, history, chosen)):
            warnings.warn(OrdercycleWarning(warning), stacklevel=2)
        return cls(cubes, chosen, counted)

    @property
    def _figures(self) -> Figures:
        return self._counted[0]

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in the order of the rows."""
        return self._figures.plan.segments

    @property
    def period(self) -> str:
        """The months of the report, or its days where they are not whole."""
        return str(self._as_of.period)

    @property
    def previous(self) -> str | None:
        """The months that the report is compared with, or the days."""
        previous = self._as_of.previous
        return None if previous is None else str(previous)

    @property
    def as_of(self) -> date:
        """The day that the report is as of."""
        return self._as_of.period.last_day

    def comparison(self, metrics: Sequence[str] | None = None) -> pa.Table:
        """Return metrics of the period beside those of the prior period.

        Parameters
        ----------
        metrics
            Their names, in the order of the rows; None: all, in the order of the export. Of orders
            without amounts, those about money are left out, here and everywhere.

        Returns
        -------
        pyarrow.Table
            ``segment``, ``metric``: string; ``value``, ``previous``; ``change``, value - previous;
            ``change_ratio``, change / the size of previous: float64, null where undefined or
            beyond a float64. The schema's metadata name the ``period`` and the ``previous`` one.

        Raises
        ------
        ConfigError
            There is no such metric, or it is about money and the orders have no amounts.
        """
        return comparison_table(self._catalogue.named(metrics), *self._compared)

    def dynamics(self, metric: str, months: str | Sequence[str] | None = None) -> pa.Table:
        """Return a metric month by month, each month a period of its own.

        The last month of a report "to date" ends on its day, and so does a later month that is
        not over, by the rule of :meth:`build`.

        Parameters
        ----------
        metric
            Its name.
        months
            The first and the last month; None: from the first customer's to the end of the period.
            Months after the period, or before the history and the report, cost a further pass.

        Returns
        -------
        pyarrow.Table
            ``segment``: string; ``month``: date32, its first day; ``value``: float64, null where
            undefined. The schema's metadata have the last day of the last month, ``as_of``.

        Raises
        ------
        ConfigError
            There is no such metric, the months make no sense or begin after the `as_of` that was
            given, or the report was made by another engine, for fewer months.
        """
        return dynamics_table(self._metric(metric), self._months(months))

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
            ``"comparison"``: a row per segment for the period, then for the prior period; where
            they are not whole, ``PeriodEnd`` is the day up to which they are reported.
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
                raise ConfigError(
                    (Option("metric"), " and ", Option("months"), " choose dynamics"),
                    remedy=("add ", Option("mode", "dynamics")),
                )
            periods = [one for one in self._compared if one is not None]
            text = comparison_csv(self._metrics, periods)
        else:
            filled = self._metrics if metric is None else (self._metric(metric),)
            text = dynamics_csv(self._metrics, filled, self._months(months))
        write_text(text, path)

    def to_html(
        self,
        path: str | os.PathLike[str] | IO[str],
        *,
        title: str = "Segments",
        currency: str = "EUR",
    ) -> None:
        """Write the report as one page that needs nothing else: the extra ``page``.

        It can be read for any of the months that the report has counted, from the first customer's
        to the end of the period, and asks no network for anything.

        Parameters
        ----------
        path
            The file; one that is there is replaced. Or a text stream such as ``sys.stdout``.
        title
            What the page is called.
        currency
            Of the amounts, three letters such as ``"EUR"``.

        Raises
        ------
        ConfigError
            The currency has other than three letters.
        ImportError
            Altair or vl-convert is not installed.
        StorageError
            The file cannot be written.
        """
        write_text(document(self._content(Look(title=title, currency=currency))), path)

    def _content(self, look: Look, months: Months | None = None) -> Content:
        """Return what a page shows: of some months, or of all from the first customer's on."""
        period, previous = self._as_of.period.months, self._as_of.previous
        known = Months(min(self._figures.first_month, period.first), period.last)
        compare = None
        if previous is not None:
            is_year = period.first - previous.months.first == PRIOR["previous_year"](period.size)
            compare = "previous_year" if is_year else "previous_period"

        made = content_of(self._figures, months or known, period, compare, look, self._up_to)
        return replace(made, plain=as_html(*self._compared))

    def _up_to(self, part: Period) -> Counted | None:
        """Return the quantities of a month up to an earlier day, where they can be counted."""
        found = next((one for one in self._counted if one.plan.has(part)), None)
        if found is not None:
            return lambda name: found.quantity(name, part.months)
        if self._recount is None:
            return None
        if self._halves is None:
            self._halves = Figures(self._recount(self._figures.plan.period, halved=True))
        halves, half = self._halves, 2 * part.months.first
        return lambda name: halves.quantity(name, Months(half, half))

    def plot(
        self,
        metric: str,
        *,
        mode: str = "dynamics",
        months: str | Sequence[str] | None = None,
    ) -> LayerChart:
        """Draw a metric with Altair, the extra ``page``.

        Parameters
        ----------
        metric
            Its name.
        mode
            ``"dynamics"``: a line per segment over the months. ``"comparison"``: a bar per
            segment for the period, above one for the prior period.
        months
            The months of the dynamics, as for :meth:`dynamics`.

        Returns
        -------
        altair.LayerChart
            For notebooks; ``.save("report.png")`` or ``.save("report.svg")`` writes a picture.

        Raises
        ------
        ConfigError
            As for :meth:`dynamics` and :meth:`to_csv`.
        ImportError
            Altair is not installed.
        """
        check_choice("mode", mode, MODES)
        chosen = self._metric(metric)
        if mode == "dynamics":
            return line_chart(chosen, self._months(months))
        if months is not None:
            raise ConfigError(
                (Option("months"), " chooses dynamics"), remedy=("add ", Option("mode", "dynamics"))
            )
        return bar_chart(chosen, *self._compared)

    def __repr__(self) -> str:
        return as_text(*self._compared)

    def _repr_html_(self) -> str:
        return as_html(*self._compared)

    @property
    def _catalogue(self) -> Catalogue:
        """The metrics there are."""
        return self._figures.catalogue

    @property
    def _metrics(self) -> tuple[Metric, ...]:
        """All metrics there are, in the order of the export."""
        return self._catalogue.metrics

    def _metric(self, name: str) -> Metric:
        return self._catalogue.metric(name)

    @property
    def _compared(self) -> tuple[Reported, Reported | None]:
        """The period and the prior one."""
        period, previous = self._as_of.period, self._as_of.previous
        return self._reported(period), None if previous is None else self._reported(previous)

    def _reported(self, period: Period) -> Reported:
        """Return the numbers of a period, which was counted."""
        figures = next(one for one in self._counted if one.plan.has(period))
        return Reported(figures, period)

    def _months(self, months: str | Sequence[str] | None) -> list[Reported]:
        """Return the numbers of months one by one, and see to it that they are counted."""
        period = self._as_of.period.months
        wanted = Months(min(self._figures.first_month, period.first), period.last)
        if months is not None:
            wanted = Months.of(months, "months")
        parts = [Period(month, self._as_of.end_of(month)) for month in wanted.each()]
        lacking = [part for part in parts if not any(one.plan.has(part) for one in self._counted)]
        recount = self._recount
        if lacking and recount is None:
            known = ", ".join(str(one.plan.period) for one in self._counted)
            raise ConfigError(
                (Option("months", months), f": this report knows {known} only"),
                remedy="make it for a longer period",
            )
        whole = [part.months for part in lacking if part.is_whole]
        missing = [part for part in lacking if not part.is_whole]
        if whole:
            missing.append(Period.whole(whole[0].spanning(whole[-1])))
        if recount is not None:
            self._counted += [Figures(recount(part)) for part in missing]
        return [self._reported(part) for part in parts]


def content_of_report(report: SegmentReport, look: Look, months: Months) -> Content:
    """Return what a page shows of some months of a report."""
    return report._content(look, months)  # noqa: SLF001 - what users have no use for
