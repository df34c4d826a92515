"""The numbers of a report by period: those that are counted, and what counts those it lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ordercycle._attribution.credit_counts import few_of
from ordercycle._errors import ConfigError, Option, check_choice, suggestion
from ordercycle._months import Months, Period
from ordercycle._report.as_of import AsOf
from ordercycle._report.catalogue import Catalogue
from ordercycle._report.counting import Counted, ReportScan
from ordercycle._report.cube import Cube
from ordercycle._report.metadata import notes_of
from ordercycle._report.metric_values import EVERYTHING, Figures, Grain, Reported
from ordercycle._report.metrics import Metric
from ordercycle._report.quantities import CAMPAIGN, GRAINS
from ordercycle._report.report_spec import DEFAULT_TARGET
from ordercycle._report.sources import Sources, View
from ordercycle._report.touched import NONE_TEXT

#: Counts a period; with ``halved=True`` its months in two halves.
Recount = Callable[..., Cube | Counted]


class ReportNumbers:
    """The numbers of a report.

    as_of: the periods of the report; scan: the walk that counted them; None where another engine
    did, and orders are not here; halves: of the period's months in halves, where that counted them.
    """

    def __init__(
        self,
        counted: Sequence[Cube | Counted],
        as_of: AsOf,
        recount: Recount | None = None,
        scan: ReportScan | None = None,
        halves: Cube | Counted | None = None,
    ) -> None:
        self.as_of = as_of
        self.scan = scan
        self._counted = [Figures(one) for one in counted]
        self._recount = recount
        #: Of months up to the day of the last one.
        self._halves = None if halves is None else Figures(halves)

    @property
    def figures(self) -> Figures:
        """Those of the period."""
        return self._counted[0]

    @property
    def sources(self) -> Sources | None:
        """What the report was made of beside orders; None where that is nothing."""
        counted = self.figures.counted
        return None if counted is None else counted.sources

    @property
    def catalogue(self) -> Catalogue:
        """The metrics there are."""
        return self.figures.catalogue

    @property
    def notes(self) -> list[str]:
        """What a reader has to know of the streams."""
        counted = self.figures.counted
        return [] if counted is None else notes_of(counted)

    # --- Periods ----------------------------------------------------------------------------------

    def compared(self, view: View | None = None) -> tuple[Reported, Reported | None]:
        """Return the period and the prior one, of all orders or of a view."""
        period, previous = self.as_of.period, self.as_of.previous
        before = None if previous is None else self._reported(previous, view)
        return self._reported(period, view), before

    def by_month(
        self, months: str | Sequence[str] | None, view: View | None = None
    ) -> list[Reported]:
        """Return the numbers of months one by one; what was not counted is counted now."""
        period = self.as_of.period.months
        wanted = Months(min(self.figures.first_month, period.first), period.last)
        if months is not None:
            wanted = Months.of(months, "months")
        parts = [Period(month, self.as_of.end_of(month)) for month in wanted.each()]
        self._count_lacking(parts, months)
        return [self._reported(part, view) for part in parts]

    def asked(self, months: str | Sequence[str] | None, of: str, view: View) -> Reported:
        """Return the numbers of the period, of the prior one, or of some months together."""
        check_choice("of", of, ("period", "previous"))
        period = self.as_of.period if of == "period" else self.as_of.previous
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
            period = Period.to(wanted, self.as_of.end_of(last))
            self._count_lacking([period], months)
        return self._reported(period, view)

    def halves(self, months: Months) -> Figures | None:
        """Return the numbers of months up to the last one's day, where that is not over."""
        period = self.as_of.period
        is_whole = period.last_day == months.last_day
        if is_whole or months.size == 1:
            return None
        if self._halves is None and self._recount is not None:
            self._halves = Figures(self._recount(self.figures.plan.period, halved=True))
        return self._halves

    def _reported(self, period: Period, view: View | None) -> Reported:
        """Return the numbers of a period, which was counted."""
        figures = next(one for one in self._counted if one.plan.has(period))
        return Reported(figures, period, view)

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

    # --- Names ------------------------------------------------------------------------------------

    def view(self, brand: str | None, target: str | None) -> View:
        """Return a view, or raise a ConfigError for one that there is not."""
        sources = self.sources
        if sources is None and self.scan is not None:
            sources = self.scan.sources
        if sources is not None:
            return sources.view(brand, target)
        for option, given in (("brand", brand), ("target", target)):
            if given is not None and given != DEFAULT_TARGET:
                raise ConfigError((Option(option, given), ": this report has all orders only"))
        return EVERYTHING

    def row(self, segment: str) -> int:
        """Return the row of a segment."""
        rows = self.figures.rows
        if segment not in rows:
            raise ConfigError(
                f"there is no segment {segment!r}{suggestion(str(segment), rows)}",
                remedy=f"there are {', '.join(map(repr, rows))}",
            )
        return rows.index(segment)

    def grains(self, by: str) -> tuple[Grain, ...]:
        """Return the channels or types of the streams."""
        check_choice("by", by, GRAINS)
        names = () if self.sources is None else self.sources.values_of(by)
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
        return tuple(one for one in grains if one.value != NONE_TEXT or self.figures.has_any(one))

    def grain(self, metric: Metric, given: Mapping[str, str | None]) -> Grain | None:
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
            self.catalogue.by_campaign(metric.name)
            known = () if self.sources is None else self.sources.campaigns
        else:
            self.catalogue.by_grain([metric.name], kind)
            known = tuple(one.value for one in self.grains(kind))
        if name not in known:
            raise ConfigError(
                (Option(kind, name), f": there is none{suggestion(str(name), known)}"),
                remedy=f"there are {few_of(map(repr, known))}",
            )
        return Grain(kind, name)
