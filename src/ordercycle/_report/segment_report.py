"""The segment report."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from json import dumps
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from ordercycle._attribution.credited import Credited
from ordercycle._days import number_of
from ordercycle._errors import (
    ConfigError,
    Option,
    OrdercycleWarning,
    check_choice,
    suggestion,
    whole_number,
)
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._months import PRIOR, Months, Period
from ordercycle._page.content import Content
from ordercycle._page.document import document
from ordercycle._public import public
from ordercycle._report.as_of import AsOf, Known
from ordercycle._report.audit import Audit
from ordercycle._report.audit_rows import Figure
from ordercycle._report.catalogue import Catalogue
from ordercycle._report.checks import months_of, refuse_foreign, warnings_of
from ordercycle._report.counting import Counted, ReportScan
from ordercycle._report.cube import Cube, count
from ordercycle._report.event_log import EventLog
from ordercycle._report.export import Keys, comparison_csv, dynamics_csv, write_text
from ordercycle._report.loyalty import Loyalty
from ordercycle._report.metadata import MOST_NAMED, changes_of, given_of, metadata_of, notes_of
from ordercycle._report.metric_values import EVERYTHING, Figures, Grain, Reported
from ordercycle._report.metrics import Metric
from ordercycle._report.own_metrics import Metric as OwnMetric
from ordercycle._report.own_metrics import check_own
from ordercycle._report.page_content import Look, content_of
from ordercycle._report.plot import bar_chart, line_chart
from ordercycle._report.quantities import CAMPAIGN, CHANNEL, FORM_TYPE, GRAINS, MAILING_TYPE
from ordercycle._report.rendering import as_html, as_text
from ordercycle._report.report_spec import (
    DEFAULT_TARGET,
    HalfMonths,
    Memberships,
    Plan,
    listed,
)
from ordercycle._report.sources import Sources, View
from ordercycle._report.tables import (
    campaigns_table,
    channels_table,
    comparison_table,
    dynamics_table,
)
from ordercycle._report.touched import NONE_TEXT

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
        cubes: Sequence[Cube | Counted],
        as_of: AsOf,
        recount: Callable[..., Cube | Counted] | None = None,
        scan: ReportScan | None = None,
        log: EventLog | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self._counted = [Figures(cube) for cube in cubes]
        self._as_of = as_of
        self._recount = recount
        self._halves: Figures | None = None  # of months up to the day of the last one
        self._scan = scan
        self._log = EventLog.of(None) if log is None else log
        self._given = {} if given is None else given

    @classmethod
    def build(  # noqa: PLR0913 - one argument per source
        cls,
        history: OrderHistory,
        membership: Memberships,
        *,
        period: str | Sequence[str],
        compare: str | None = "previous_year",
        segments: Sequence[str] | None = None,
        as_of: date | str | None = None,
        credited: Credited | None = None,
        subscriptions: Any = None,
        loyalty: Loyalty | None = None,
        brand: str | None = None,
        targets: Mapping[str, Any] | None = None,
        metrics: Sequence[OwnMetric] = (),
        changes: Any = None,
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
        credited
            What :meth:`Attribution.credit` returns for the history: the report has channels,
            campaigns and messages then, of the touches that orders are credited to.
        subscriptions
            A table of ``customer_id``, ``channel`` and ``topic``, with ``valid_from``,
            ``valid_to``, ``contact_from`` and ``contact_to`` (the day after the last, null for
            none) or, as a snapshot of the present, without these.
        loyalty
            The loyalty programme.
        brand
            An attribute of orders: the report has the numbers of each of its values, and of all.
        targets
            Target actions: the condition of the orders of each, None for all of them, by its name,
            instead of ``{"Orders": None}``. Memberships stay those of all orders.
        metrics
            Metrics of one's own.
        changes
            The event log: a table of ``segment``, ``changed_on`` and ``note``, of when the
            conditions of segments changed.

        Returns
        -------
        SegmentReport
            The same, to the bit, for any number of threads and parts of the history.

        Raises
        ------
        ConfigError
            A month or an option makes no sense, a membership is none, was made from another
            history or ends before `as_of`, there is no such segment, there are more than 30, or
            two have one name. So has what is credited, or it is none.
        ColumnError
            Orders have no such brand, discount or column of a target action.
        DataError
            An average is too large for a float64.

        Warns
        -----
        OrdercycleWarning
            The period is not over, or a lifecycle's or cadence's membership ends within it: the
            report is as of that day. The prior period begins before the first order is known. The
            period lies before the first or after the last order; it has orders that come
            after what a membership knows, or it or the prior period some that come before;
            intervals are of customers whom the history does not have. Refunds are of no known
            order, campaigns have no row in the lookup, or points are of unknown kinds.

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
        orders = grouped_orders(history)
        sources = Sources.of(
            orders,
            credited=credited,
            subscriptions=subscriptions,
            loyalty=loyalty,
            brand=brand,
            targets=targets,
            own=check_own(metrics),
        )
        if loyalty is not None:
            refuse_foreign([loyalty.members], history)
        known = Known.of(history, sources.last_touch)
        chosen = AsOf.chosen(months, compare, as_of, known, memberships)
        scan = ReportScan(sources, tuple(memberships))
        log = EventLog.of(changes)

        def counted(part: Period, *, halved: bool = False) -> Cube | Counted:
            plan = Plan.of(
                membership,
                period=part,
                segments=segments,
                kind=orders.spec,
                catalogue=sources.catalogue(has_money=orders.spec.has_amount),
                units=sources.units,
            )
            if halved:
                plan = HalfMonths.of_plan(plan)
            if sources.is_of_orders:
                cube = count(history, memberships, plan)
                if orders.forgotten:
                    cube.known = count(history, memberships, plan, known_only=True)
                return cube
            until = chosen.until(part)
            found = scan.count(plan, until)
            if orders.forgotten:
                found.known = scan.count(plan, until, known_only=True)
            return found

        ordered = months_of(history)
        first = months.first if ordered is None else min(months.first, ordered.first)
        covered = Months(first, chosen.period.months.last)
        cubes = [counted(part) for part in chosen.counted(covered)]
        given = given_of(memberships, targets, compare)
        made = cls(cubes, chosen, counted, scan, log, given)
        for warning in (
            *chosen.warnings(),
            *warnings_of(memberships, history, chosen),
            *made._notes,
        ):
            warnings.warn(OrdercycleWarning(warning), stacklevel=2)
        return made

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

    @property
    def brands(self) -> tuple[str, ...]:
        """The brands that it has numbers of, besides all together."""
        sources = self._sources
        return () if sources is None or sources.brands is None else sources.brands.texts

    @property
    def targets(self) -> tuple[str, ...]:
        """The target actions, the first one being what is meant where none is named."""
        return (DEFAULT_TARGET,) if self._sources is None else tuple(self._sources.targets)

    def comparison(
        self,
        metrics: Sequence[str] | None = None,
        *,
        brand: str | None = None,
        target: str | None = None,
    ) -> pa.Table:
        """Return metrics of the period beside those of the prior period.

        Parameters
        ----------
        metrics
            Their names, in the order of the rows; None: all, in the order of the export. Of orders
            without amounts, those about money are left out, here and everywhere.
        brand, target
            Of the orders of which brand and target action; None: of all brands, and of the first
            target action. What does not know brands or target actions is null for them.

        Returns
        -------
        pyarrow.Table
            ``segment``, ``metric``: string; ``value``, ``previous``; ``change``, value - previous;
            ``change_ratio``, change / the size of previous: float64, null where undefined or
            beyond a float64. The schema's metadata name the ``period`` and the ``previous`` one,
            and have as JSON the ``changes`` of segments within them, where there are any.

        Raises
        ------
        ConfigError
            There is no such metric, brand or target action, or the metric is about what this
            report was made without.
        """
        view = self._view(brand, target)
        table = comparison_table(self._catalogue.named(metrics), *self._compared(view))
        changes = changes_of(self.changes())
        if not changes:
            return table
        return table.replace_schema_metadata(
            {**(table.schema.metadata or {}), "changes": dumps(changes)}
        )

    def channels(
        self,
        segment: str | None = None,
        metrics: Sequence[str] | None = None,
        *,
        by: str = "channel",
        brand: str | None = None,
        target: str | None = None,
    ) -> pa.Table:
        """Return metrics of each channel, beside those of the prior period.

        An order belongs to the channel of the touch that it is credited to. A share is one of all
        revenue of the segment. With ``compete="channel"`` an order may have a winner in each
        channel, and channels do not add up to their group then.

        Parameters
        ----------
        segment
            The segment; None: all of them, and All Customers.
        metrics
            Their names; None: all that are counted by channel.
        by
            ``"channel"``, ``"mailing_type"`` (the lookup ``type`` of campaigns) or ``"form_type"``.
        brand, target
            As for :meth:`comparison`.

        Returns
        -------
        pyarrow.Table
            ``segment``, ``channel`` and the columns of :meth:`comparison`.

        Raises
        ------
        ConfigError
            There is no such segment or metric, a metric is not counted by channel, or the report
            was made without touches.
        """
        check_choice("by", by, GRAINS)
        reported, previous = self._compared(self._view(brand, target))
        rows = range(len(reported.rows)) if segment is None else [self._row(segment)]
        chosen = self._catalogue.by_grain(metrics, by)
        grains = self._grains(by)
        tables = [channels_table(chosen, row, grains, reported, previous) for row in rows]
        return pa.concat_tables(tables)

    def top_campaigns(
        self,
        metric: str = "Revenue from Campaigns",
        *,
        campaigns: int = 10,
        segments: int = 5,
        brand: str | None = None,
        target: str | None = None,
    ) -> pa.Table:
        """Return the campaigns with most of a metric, and the segments that it is of.

        What a campaign brought counts on the day on which its message was sent, in the segment that
        the customer was in on that day: another anchor than that of all other tables, in which
        orders count on their own day.

        Parameters
        ----------
        metric
            The name of a metric that is counted by campaign.
        campaigns, segments
            How many at most: of campaigns those with the most of All Customers, by name where they
            have the same; of segments those with the most.
        brand, target
            As for :meth:`comparison`.

        Returns
        -------
        pyarrow.Table
            ``campaign``; ``segment``, All Customers first; ``value``; ``anchor``, ``"send"``;
            ``open``: whether orders may still come, as the last known day lies before the send and
            the longest window.

        Raises
        ------
        ConfigError
            There is no such metric, or it is not counted by campaign.
        """
        found = self._catalogue.by_campaign(metric)
        view = self._view(brand, target)
        reported, _ = self._compared(view)
        for option, number in (("campaigns", campaigns), ("segments", segments)):
            if whole_number(number) is None or number < 0:
                raise ConfigError(
                    (Option(option, number), " is no number of rows"),
                    remedy="pass a whole number, 0 or more",
                )
        counted = reported.figures.counted
        names = () if counted is None else counted.sources.campaigns
        days = (number_of(reported.period.first_day), number_of(reported.period.last_day))
        return campaigns_table(
            found,
            reported,
            names,
            campaigns,
            segments,
            lambda name: counted is not None and counted.is_unfinished(name, *days),
        )

    def audit(  # noqa: PLR0913 - what a number can be of
        self,
        metric: str,
        segment: str | None = None,
        months: str | Sequence[str] | None = None,
        *,
        of: str = "period",
        channel: str | None = None,
        mailing_type: str | None = None,
        form_type: str | None = None,
        campaign: str | None = None,
        brand: str | None = None,
        target: str | None = None,
    ) -> Audit:
        """Return what makes a number of the report: the customers and orders that add up to it.

        What is counted is listed, by the same rules; for any number that the report's tables have.

        Parameters
        ----------
        metric
            Its name.
        segment
            The segment; None: All Customers.
        months
            The first and the last month, or one; None: the period of the report, or the one that
            it is compared with.
        of
            ``"period"`` or ``"previous"``: which of the two, where `months` are not given.
        channel, mailing_type, form_type, campaign
            One of them at most: as in the tables of :meth:`channels` and :meth:`top_campaigns`. Of
            campaigns, orders count on the day of the send.
        brand, target
            As for :meth:`comparison`.

        Returns
        -------
        Audit
            Its `value`, and the rows of numerator and denominator: ``to_table()``, or
            ``to_batches()`` in bounded memory.

        Raises
        ------
        ConfigError
            There is no such metric, segment, channel, brand or target action; the metric is not
            counted by channel, or not at all for the brand or target action; months are unknown;
            or the report was made by another engine, which leaves no orders here.
        """
        found = self._metric(metric)
        scan = self._scan
        if scan is None:
            raise ConfigError(
                "this report was made by another engine, and its orders are not here",
                remedy="build it from an OrderHistory to audit it",
            )
        grain = self._grain(
            found,
            {
                CHANNEL: channel,
                MAILING_TYPE: mailing_type,
                FORM_TYPE: form_type,
                CAMPAIGN: campaign,
            },
        )
        reported = self._audited(months, of, self._view(brand, target))
        figures, period = reported.figures, reported.period
        view = figures.first_view if reported.view is None else reported.view
        last = len(figures.rows) - 1
        row = last if segment is None else self._row(segment)
        values = reported.values(found, grain)
        for name in (*found.numerator, *found.denominator):
            if figures.amounts(name, period.months, view, grain) is None:
                raise ConfigError(
                    f"{metric!r} is not counted for this brand or target action",
                    remedy=("leave out ", Option("brand"), " and ", Option("target")),
                )
        until = self._as_of.until(figures.plan.period)
        above = Figure(figures, row, period, view, grain, until)
        below = replace(above, row=last) if found.of_all else above
        return Audit(found, scan, above, below, values[row])

    def _audited(self, months: str | Sequence[str] | None, of: str, view: View) -> Reported:
        """Return the numbers of a period, of the prior one, or of some months."""
        check_choice("of", of, ("period", "previous"))
        period = self._as_of.period if of == "period" else self._as_of.previous
        if period is None:
            raise ConfigError(
                (Option("of", of), ": the report is compared with nothing"),
                remedy=("build it with ", Option("compare")),
            )
        if months is not None:
            if of != "period":
                raise ConfigError(
                    (Option("months"), " and ", Option("of", of), " both say which months"),
                    remedy="leave out one of them",
                )
            wanted = Months.of(months, "months")
            last = Months(wanted.last, wanted.last)
            period = Period.to(wanted, self._as_of.end_of(last))
            self._count_lacking([period], months)
        return self._reported(period, view)

    def _grain(self, metric: Metric, given: Mapping[str, str | None]) -> Grain | None:
        """Return the channel, type or campaign that is asked for; None for everything."""
        chosen = {kind: name for kind, name in given.items() if name is not None}
        if not chosen:
            return None
        (kind, name), *others = chosen.items()
        if others:
            raise ConfigError(
                (Option(kind, name), " and ", Option(*others[0]), " cannot be asked for together"),
                remedy="leave out one of them",
            )
        if kind == CAMPAIGN:
            self._catalogue.by_campaign(metric.name)
            known = () if self._sources is None else self._sources.campaigns
        else:
            self._catalogue.by_grain([metric.name], kind)
            known = tuple(one.value for one in self._grains(kind))
        if name not in known:
            raise ConfigError(
                (Option(kind, name), f": there is none{suggestion(str(name), known)}"),
                remedy=f"there are {', '.join(map(repr, known[:MOST_NAMED]))}",
            )
        return Grain(kind, name)

    def changes(self) -> pa.Table:
        """Return when the conditions of segments changed within the period or the prior one.

        Returns
        -------
        pyarrow.Table
            ``segment``, ``changed_on``, ``note``, and ``of``: ``"period"`` or ``"previous"``.
        """
        return self._log.table(self.segments, self._as_of.period, self._as_of.previous)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the report was made with: the same again gives the same numbers, to the bit."""
        return metadata_of(self._figures, self._as_of, self._given, self.changes(), self._notes)

    def dynamics(
        self,
        metric: str,
        months: str | Sequence[str] | None = None,
        *,
        brand: str | None = None,
        target: str | None = None,
    ) -> pa.Table:
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
        brand, target
            As for :meth:`comparison`.

        Returns
        -------
        pyarrow.Table
            ``segment``: string; ``month``: date32, its first day; ``value``: float64, null where
            undefined. The schema's metadata have the last day of the last month, ``as_of``.

        Raises
        ------
        ConfigError
            There is no such metric, brand or target action, the months make no sense or begin
            after the `as_of` that was given, or the report was made by another engine, for fewer
            months.
        """
        return dynamics_table(self._metric(metric), self._months(months, self._view(brand, target)))

    def to_csv(
        self,
        path: str | os.PathLike[str] | IO[str],
        *,
        mode: str = "comparison",
        metric: str | None = None,
        months: str | Sequence[str] | None = None,
        by: str | None = None,
        brand: str | None = None,
        target: str | None = None,
        every_view: bool = False,
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
        by
            ``"channel"``, ``"mailing_type"`` or ``"form_type"``: behind the row of a segment there
            is one for each of these, with the metrics that are counted by them.
        brand, target
            As for :meth:`comparison`.
        every_view
            Instead of one brand and target action: the rows of all brands together, and behind
            them those of each brand, by each target action.

        Notes
        -----
        Beside a file, what the report was made with (:attr:`metadata`) is written as JSON, under
        the name of the file and ``.json``, where the report has more than orders, or segments that
        changed within its periods.

        Raises
        ------
        ConfigError
            The mode or the metric is unknown, `metric` or `months` come without dynamics, or
            `brand` or `target` beside `every_view`.
        StorageError
            The file cannot be written.
        """
        check_choice("mode", mode, MODES)
        views = [self._view(brand, target)]
        if every_view:
            if brand is not None or target is not None:
                raise ConfigError(
                    (Option("every_view", value=True), " has all brands and target actions"),
                    remedy=("leave out ", Option("brand"), " and ", Option("target")),
                )
            brands = (None, *self.brands)
            views = [self._view(one, other) for one in brands for other in self.targets]
        grains = () if by is None else self._grains(by)
        if mode == "comparison":
            if metric is not None or months is not None:
                raise ConfigError(
                    (Option("metric"), " and ", Option("months"), " choose dynamics"),
                    remedy=("add ", Option("mode", "dynamics")),
                )
            compared = [
                (Keys(view, grains), [one for one in self._compared(view) if one is not None])
                for view in views
            ]
            text = comparison_csv(self._metrics, compared)
        else:
            filled = self._metrics if metric is None else (self._metric(metric),)
            by_month = [(Keys(view, grains), self._months(months, view)) for view in views]
            text = dynamics_csv(self._metrics, filled, by_month)
        write_text(text, path)
        has_more = self._sources is not None or self.changes().num_rows > 0
        if has_more and isinstance(path, str | os.PathLike):
            write_text(f"{dumps(self.metadata, indent=2)}\n", f"{os.fspath(path)}.json")

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

        shown = months or known
        made = content_of(self._figures, shown, period, compare, look, self._cut(shown))
        return replace(made, plain=as_html(*self._compared()))

    def _cut(self, months: Months) -> Figures | None:
        """Return the numbers of months up to the last one's day, where that is not over."""
        is_whole = self.as_of == months.last_day
        if is_whole or months.size == 1 or self._recount is None:
            return None
        if self._halves is None:
            self._halves = Figures(self._recount(self._figures.plan.period, halved=True))
        return self._halves

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
        return bar_chart(chosen, *self._compared())

    def __repr__(self) -> str:
        return as_text(*self._compared(), self._remarks)

    def _repr_html_(self) -> str:
        return as_html(*self._compared(), self._remarks)

    @property
    def _remarks(self) -> list[str]:
        """What stands under the numbers: changes of segments, and what is to know of streams."""
        changed = [
            f"{row['segment']} changed on {row['changed_on']}"
            + ("" if row["note"] is None else f": {row['note']}")
            for row in self.changes().to_pylist()
        ]
        first = self.targets[0]
        named = (
            [] if first == DEFAULT_TARGET else [f"Orders are those of the target action {first}"]
        )
        return [*named, *changed, *self._notes]

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

    def _compared(self, view: View | None = None) -> tuple[Reported, Reported | None]:
        """Return the period and the prior one, of all orders or of a view."""
        period, previous = self._as_of.period, self._as_of.previous
        before = None if previous is None else self._reported(previous, view)
        return self._reported(period, view), before

    def _reported(self, period: Period, view: View | None) -> Reported:
        """Return the numbers of a period, which was counted."""
        figures = next(one for one in self._counted if one.plan.has(period))
        return Reported(figures, period, view)

    @property
    def _sources(self) -> Sources | None:
        """What the report was made of beside orders; None where that is nothing."""
        counted = self._figures.counted
        return None if counted is None else counted.sources

    @property
    def _notes(self) -> list[str]:
        """What a reader has to know of the streams."""
        counted = self._figures.counted
        return [] if counted is None else notes_of(counted)

    def _view(self, brand: str | None, target: str | None) -> View:
        """Return a view, or raise a ConfigError for one that there is not."""
        sources = self._sources
        if sources is None and self._scan is not None:
            sources = self._scan.sources
        if sources is not None:
            return sources.view(brand, target)
        for option, given in (("brand", brand), ("target", target)):
            if given is not None and given != DEFAULT_TARGET:
                raise ConfigError((Option(option, given), ": this report has all orders only"))
        return EVERYTHING

    def _row(self, segment: str) -> int:
        """Return the row of a segment."""
        if segment not in self._figures.rows:
            raise ConfigError(
                f"there is no segment {segment!r}{suggestion(str(segment), self._figures.rows)}",
                remedy=f"there are {', '.join(map(repr, self._figures.rows))}",
            )
        return self._figures.rows.index(segment)

    def _grains(self, by: str) -> tuple[Grain, ...]:
        """Return the channels or types of the streams."""
        check_choice("by", by, GRAINS)
        names = () if self._sources is None else self._sources.values_of(by)
        if not names:
            raise ConfigError(
                (Option("by", by), f": the report knows no {by.replace('_', ' ')}"),
                remedy=(
                    "build the report with ",
                    Option("credited"),
                    ", of touches that have it",
                ),
            )
        grains = [Grain(by, name) for name in names]
        return tuple(one for one in grains if one.value != NONE_TEXT or self._figures.has_any(one))

    def _months(
        self, months: str | Sequence[str] | None, view: View | None = None
    ) -> list[Reported]:
        """Return the numbers of months one by one; what was not counted is counted now."""
        period = self._as_of.period.months
        wanted = Months(min(self._figures.first_month, period.first), period.last)
        if months is not None:
            wanted = Months.of(months, "months")
        parts = [Period(month, self._as_of.end_of(month)) for month in wanted.each()]
        self._count_lacking(parts, months)
        return [self._reported(part, view) for part in parts]

    def _count_lacking(self, parts: Sequence[Period], months: object) -> None:
        """Count those of some periods that are not yet; months: as they were asked for."""
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


def content_of_report(report: SegmentReport, look: Look, months: Months) -> Content:
    """Return what a page shows of some months of a report."""
    return report._content(look, months)  # noqa: SLF001 - what users have no use for
