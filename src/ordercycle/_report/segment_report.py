"""The segment report."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from datetime import date
from json import dumps
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from ordercycle._attribution.credited import Credited
from ordercycle._durable import path_of
from ordercycle._errors import ConfigError, Option, OrdercycleWarning, check_choice
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._months import Months
from ordercycle._page.content import Content
from ordercycle._page.document import document
from ordercycle._public import public
from ordercycle._report.audit import Audit, Which, audit_of
from ordercycle._report.checks import refuse_foreign, warnings_of
from ordercycle._report.event_log import EventLog
from ordercycle._report.export import Keys, report_csv, write_text
from ordercycle._report.loyalty import Loyalty
from ordercycle._report.metadata import changes_of, given_of, metadata_of
from ordercycle._report.own_metrics import Metric as OwnMetric
from ordercycle._report.own_metrics import check_own
from ordercycle._report.page_content import Look, content_of_numbers
from ordercycle._report.plot import chart_of
from ordercycle._report.quantities import CAMPAIGN, CHANNEL, FORM_TYPE, GRAINS, MAILING_TYPE
from ordercycle._report.rendering import as_html, as_text
from ordercycle._report.report_building import Asked, numbers_of
from ordercycle._report.report_numbers import ReportNumbers
from ordercycle._report.report_spec import DEFAULT_TARGET, Memberships, listed
from ordercycle._report.sources import Sources
from ordercycle._report.tables import (
    campaigns_table,
    channels_table,
    comparison_table,
    dynamics_table,
)

if TYPE_CHECKING:
    from altair import LayerChart


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
        numbers: ReportNumbers,
        log: EventLog | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self._numbers = numbers
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
            whole month is compared with a whole one). What is opened or clicked after the day marks
            no message, of either period. None: the period's last day; but a period that is not over
            is reported as of the last known day, with a warning. It is not over where it ends more
            days after the last day of any order, refund or registration of the history, or of any
            touch, than the longest stretch of days without any of these was in the 90 days up to
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
        sources = Sources.of(
            grouped_orders(history),
            credited=credited,
            subscriptions=subscriptions,
            loyalty=loyalty,
            brand=brand,
            targets=targets,
            own=check_own(metrics),
        )
        if loyalty is not None:
            refuse_foreign([loyalty.members], history)
        log = EventLog.of(changes)
        asked = Asked(months, compare, segments, as_of)
        numbers = numbers_of(history, membership, sources, asked)
        for warning in (
            *numbers.as_of.warnings(),
            *warnings_of(memberships, history, numbers.as_of),
            *numbers.notes,
        ):
            warnings.warn(OrdercycleWarning(warning), stacklevel=2)
        return cls(numbers, log, given_of(memberships, targets, compare))

    @property
    def segments(self) -> tuple[str, ...]:
        """The names of the segments, in the order of the rows."""
        return self._numbers.figures.plan.segments

    @property
    def period(self) -> str:
        """The months of the report, or its days where they are not whole."""
        return str(self._numbers.as_of.period)

    @property
    def previous(self) -> str | None:
        """The months that the report is compared with, or the days."""
        previous = self._numbers.as_of.previous
        return None if previous is None else str(previous)

    @property
    def as_of(self) -> date:
        """The day that the report is as of."""
        return self._numbers.as_of.period.last_day

    @property
    def brands(self) -> tuple[str, ...]:
        """The brands that it has numbers of, besides all together."""
        sources = self._numbers.sources
        return () if sources is None or sources.brands is None else sources.brands.texts

    @property
    def targets(self) -> tuple[str, ...]:
        """The target actions, the first one being what is meant where none is named."""
        sources = self._numbers.sources
        return (DEFAULT_TARGET,) if sources is None else tuple(sources.targets)

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
        numbers = self._numbers
        compared = numbers.compared(numbers.view(brand, target))
        table = comparison_table(numbers.catalogue.named(metrics), *compared)
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
        numbers = self._numbers
        reported, previous = numbers.compared(numbers.view(brand, target))
        rows = range(len(reported.rows)) if segment is None else [numbers.row(segment)]
        chosen = numbers.catalogue.by_grain(metrics, by)
        grains = numbers.grains(by)
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
        numbers = self._numbers
        found = numbers.catalogue.by_campaign(metric)
        reported, _ = numbers.compared(numbers.view(brand, target))
        return campaigns_table(found, reported, campaigns, segments)

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
        numbers = self._numbers
        view = numbers.view(brand, target)
        grain = {
            CHANNEL: channel,
            MAILING_TYPE: mailing_type,
            FORM_TYPE: form_type,
            CAMPAIGN: campaign,
        }
        return audit_of(numbers, metric, segment, Which(months, of, view, grain))

    def changes(self) -> pa.Table:
        """Return when the conditions of segments changed within the period or the prior one.

        Returns
        -------
        pyarrow.Table
            ``segment``, ``changed_on``, ``note``, and ``of``: ``"period"`` or ``"previous"``.
        """
        as_of = self._numbers.as_of
        return self._log.table(self.segments, as_of.period, as_of.previous)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the report was made with: the same again gives the same numbers, to the bit."""
        numbers = self._numbers
        return metadata_of(
            numbers.figures, numbers.as_of, self._given, self.changes(), numbers.notes
        )

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
            Months after the period, or before the history and the report, cost a further pass, or
            two where customers were forgotten.
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
        numbers = self._numbers
        found = numbers.catalogue.metric(metric)
        return dynamics_table(found, numbers.by_month(months, numbers.view(brand, target)))

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
        numbers = self._numbers
        views = [numbers.view(brand, target)]
        if every_view:
            if brand is not None or target is not None:
                raise ConfigError(
                    (Option("every_view", value=True), " has all brands and target actions"),
                    remedy=("leave out ", Option("brand"), " and ", Option("target")),
                )
            brands = (None, *self.brands)
            views = [numbers.view(one, other) for one in brands for other in self.targets]
        grains = () if by is None else numbers.grains(by)
        keys = [Keys(view, grains) for view in views]
        write_text(report_csv(numbers, keys, mode, metric, months), path)
        has_more = numbers.sources is not None or self.changes().num_rows > 0
        if has_more and isinstance(path, str | os.PathLike):
            write_text(f"{dumps(self.metadata, indent=2)}\n", f"{path_of('path', path)}.json")

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
        look = Look(title=title, currency=currency)
        write_text(document(content_of_report(self, look)), path)

    def plot(
        self,
        metric: str,
        *,
        mode: str = "dynamics",
        months: str | Sequence[str] | None = None,
        brand: str | None = None,
        target: str | None = None,
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
        brand, target
            As for :meth:`comparison`; the chart's title names them.

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
        view = self._numbers.view(brand, target)
        return chart_of(self._numbers, metric, mode, months, view)

    def __repr__(self) -> str:
        return as_text(*self._numbers.compared(), self._remarks)

    def _repr_html_(self) -> str:
        return as_html(*self._numbers.compared(), self._remarks)

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
        return [*named, *changed, *self._numbers.notes]


def content_of_report(report: SegmentReport, look: Look, months: Months | None = None) -> Content:
    """Return what a page shows of a report: of some months, or of all from the first customer's."""
    return content_of_numbers(report._numbers, look, months)  # noqa: SLF001 - what users have no use for
