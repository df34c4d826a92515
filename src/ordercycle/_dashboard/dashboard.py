"""The Segments Dashboard: one page of all that schemes and memberships say of a history."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import IO, Any

from ordercycle._attribution.credited import Credited
from ordercycle._dashboard.cohorts import cohorts_of
from ordercycle._dashboard.grid import grid_of, schemes_of_grid
from ordercycle._dashboard.memberships import Named, last_day_of, named_memberships
from ordercycle._dashboard.moves import month_ends, moves_of
from ordercycle._dashboard.page_options import PageOptions, few_people, page_months
from ordercycle._errors import OrdercycleWarning
from ordercycle._experiments.result import ExperimentResult
from ordercycle._history.order_history import OrderHistory
from ordercycle._journeys.run import JourneyRun
from ordercycle._membership.intervals import check_history
from ordercycle._membership.membership import Membership
from ordercycle._months import Months, Period
from ordercycle._page.content import Cohorts, Content, Grid, Moves
from ordercycle._page.document import document, framed
from ordercycle._public import public
from ordercycle._report.as_of import Known
from ordercycle._report.export import write_text
from ordercycle._report.loyalty import Loyalty
from ordercycle._report.own_metrics import Metric as OwnMetric
from ordercycle._report.segment_report import SegmentReport
from ordercycle._segments.customer_features import StreamsAsOf
from ordercycle._segments.scheme import Scheme


@public()
class Dashboard:
    """Segments side by side and over time, as one HTML page that needs nothing else.

    Made by :meth:`build`; :meth:`save` writes it, and a notebook shows it. The page holds sums per
    segment and month and no customer: any of its months can be read, compared and exported in a
    browser, with the numbers of :class:`SegmentReport` to the last bit. It asks no network for
    anything.

    Attributes
    ----------
    report
        The report of all months of the page.
    """

    def __init__(self, content: Content, report: SegmentReport) -> None:
        self._shown = content
        self.report = report

    @classmethod
    def build(  # noqa: PLR0913 - what a page shows, each by its name
        cls,
        history: OrderHistory,
        schemes: Sequence[Scheme],
        *,
        memberships: Mapping[str, Membership] | None = None,
        segments: Sequence[str] | None = None,
        months: str | Sequence[str] | None = None,
        as_of: date | str | None = None,
        credited: Credited | None = None,
        subscriptions: Any = None,
        loyalty: Loyalty | None = None,
        journeys: Sequence[JourneyRun] = (),
        experiments: Mapping[str, ExperimentResult] | None = None,
        brand: str | None = None,
        targets: Mapping[str, Any] | None = None,
        metrics: Sequence[OwnMetric] = (),
        streams: Mapping[str, Any] | None = None,
        missing: str = "error",
        changes: Mapping[str, date | str | Sequence[date | str]] | None = None,
        title: str = "Segments",
        currency: str = "EUR",
        min_customers: int = 0,
    ) -> Dashboard:
        """Count everything that the page shows, in a few passes over the history.

        Parameters
        ----------
        history
            The orders.
        schemes
            The schemes whose segments are compared. Those that are recalculated are so every
            month, fitted again each time where they fit to profiles. The first one also shows who
            moved from which segment to which; the first :class:`Rfm` has a view of its own.
        memberships
            Further ones by name: imported ones and lists.
        segments
            The names of the segments, in this order, 30 at most; None: all. Of several schemes and
            memberships, segments are called as in ``"rfm: Champions"``.
        months
            The first and the last month of the page; None: the last 24 up to the last day that is
            known, and no earlier ones than orders are known of.
        as_of
            The last day that counts; None: the last of the months, or the last known day where
            they are not over.
        credited, subscriptions, loyalty, metrics
            What the page shows beside orders, as :meth:`SegmentReport.build` takes it: channels,
            campaigns and messages, subscribers, members, and metrics of one's own.
        journeys, experiments
            What a view of their own shows: what :meth:`Journey.replay` returns, and what
            :meth:`Experiment.measure` returns, by names. They keep the days as of which they
            were made; versions of one journey are named by their days.
        brand, targets
            An attribute of orders and target actions, as :meth:`SegmentReport.build` takes them:
            the page has a box to choose one of each. Memberships stay those of all orders.
        streams, missing
            What schemes read, by name, and what becomes of texts that their conditions compare
            with and no stream has, as :meth:`Scheme.membership` takes them.
        changes
            On which days the conditions of a segment were changed, by its name: the page marks
            these months.
        title
            What the page is called.
        currency
            Of the amounts, three letters.
        min_customers
            Segments that never have as many customers at the end of a month are merged into one,
            ``"Other"``, and rows with fewer on the last day of a period show no numbers; nor do
            arms of journeys and experiments, or what of them tells of fewer who converted. A
            courtesy towards the people in small segments, and no anonymization: what is left out
            can be the difference between others.

        Returns
        -------
        Dashboard

        Raises
        ------
        ConfigError
            There is no segment, there are more than 30, two have one name, a name in `changes` is
            unknown, or an option makes no sense; two runs are of one journey.
        ImportError
            Altair or vl-convert is not installed: the extra ``page``.

        Examples
        --------
        >>> import datetime, ordercycle as oc, pyarrow as pa
        >>> orders = pa.table({
        ...     "customer_id": ["ann", "ann", "bob"],
        ...     "ordered_at": [datetime.date(2025, month, 15) for month in (9, 12, 11)],
        ...     "amount": [20.0, 30.0, 12.5],
        ... })
        >>> history = oc.OrderHistory.build(orders)
        >>> page = oc.Dashboard.build(history, [oc.Lifecycle()], as_of="2025-12-31")
        >>> page
        Dashboard('Segments', 9 segments, 2025-09 to 2025-12)
        >>> page.save("segments.html")
        """
        check_history(history)
        options = PageOptions.of(
            title=title,
            currency=currency,
            min_customers=min_customers,
            changes=changes,
            experiments=experiments,
        ).with_journeys(journeys)
        named = named_memberships(history, schemes, memberships or {}, streams, missing)
        end = last_day_of(Known.of(history), named, months, as_of)
        period = Period.to(page_months(history.summary().first_day, end, months), end)
        span = tuple(str(period.months.each()[at]) for at in (0, -1))

        def reported(of: Named, names: Sequence[str] | None, **sources: Any) -> SegmentReport:
            return SegmentReport.build(
                history, of.passed, period=span, compare=None, segments=names, as_of=end, **sources
            )

        few, kept = [], segments
        if min_customers > 1:  # orders alone say who is in a segment
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", OrdercycleWarning)  # the report says it again
                counts = reported(named, segments)
            few = few_people(counts, period.months, min_customers)
            if few:
                named, kept = named.merged(history, few, counts.segments)
        report = reported(
            named,
            kept,
            credited=credited,
            subscriptions=subscriptions,
            loyalty=loyalty,
            brand=brand,
            targets=targets,
            metrics=metrics,
        )
        counted = (
            _moves(history, named, period),
            _grid(history, named.schemes, end, streams, missing),
            _cohorts(history, period),
        )
        content = options.content(report, named, few, period, counted)
        return cls(content, report)

    def save(self, path: str | os.PathLike[str] | IO[str]) -> None:
        """Write the page, whole or not at all.

        Parameters
        ----------
        path
            The file; one that is there is replaced. Or a text stream such as ``sys.stdout``.

        Raises
        ------
        StorageError
            The file cannot be written.
        """
        write_text(self._page, path)

    @cached_property
    def _page(self) -> str:
        return document(self._shown)

    def __repr__(self) -> str:
        shown = self._shown
        months = Months(shown.months[0].number, shown.months[-1].number)
        return f"Dashboard({shown.title!r}, {len(shown.segments)} segments, {months})"

    def _repr_html_(self) -> str:
        return framed(self._page)


def _moves(history: OrderHistory, named: Named, period: Period) -> Moves | None:
    if named.scheme is None or period.months.size < 2:
        return None
    return moves_of(history, named.memberships[named.scheme], month_ends(period))


def _grid(
    history: OrderHistory,
    schemes: Sequence[Scheme],
    as_of: date,
    streams: Mapping[str, Any] | None,
    missing: str,
) -> Grid | None:
    before, scheme = schemes_of_grid(schemes)
    if scheme is None:
        return None
    return grid_of(history, before, scheme, StreamsAsOf.of(streams or {}, as_of, missing))


def _cohorts(history: OrderHistory, period: Period) -> Cohorts | None:
    return cohorts_of(history, period) if period.months.size > 1 else None
