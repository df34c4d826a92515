"""The day that a report is as of: the period's last, or an earlier one, "to date"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ordercycle._days import date_of, day_number, number_of
from ordercycle._errors import ConfigError, Option, Text
from ordercycle._history.order_history import OrderHistory, grouped_orders
from ordercycle._membership.membership import Membership
from ordercycle._months import Months, Period, counted_periods, prior_period
from ordercycle._report.known_days import KnownDays


@dataclass(frozen=True)
class Known:
    """What is known of the days of a history, read when it is first needed."""

    days: Callable[[], KnownDays]
    #: The days of the first and the last order, where they are known without reading.
    first: date | None = None
    last: date | None = None
    #: The day of the last touch, where there are touches.
    touched: date | None = None

    @classmethod
    def of(cls, history: OrderHistory, touched: date | None = None) -> Known:
        """Return what a history knows; orders up to the end of a period spare a pass.

        touched: the day of the last touch.
        """
        found: list[KnownDays] = []

        def days() -> KnownDays:
            if not found:
                found.append(KnownDays.of(history))
            return found[0]

        made = history.summary()
        spec = grouped_orders(history).spec
        dropped = made.refunds if spec.policies.refunds == "drop" else 0
        # Rows that are dropped have days that the history does not hold.
        if made.anonymous or made.nobody or dropped or spec.drop_unknown:
            return cls(days, touched=touched)
        return cls(days, made.first_day, made.last_day, touched)

    def end_of(self, months: Months) -> date:
        """Return the last day of months, or the last known day where they are not over."""
        if max(self.last or date.min, self.touched or date.min) >= months.last_day:
            return months.last_day
        return self.days().end_of(months, self.touched)

    @property
    def last_order(self) -> date:
        """The day of the last order; before all days without any."""
        if self.last is not None:
            return self.last
        return self.days().last_order or date.min

    def begins_by(self, day: date) -> bool:
        """Return whether orders are known from a day on."""
        return (self.first is not None and self.first <= day) or self.days().begins_by(day)


@dataclass(frozen=True)
class AsOf:
    """What is reported, and what it is compared with.

    given: whether the caller chose the day; why: what a reader has to know of it, or None.
    """

    period: Period
    previous: Period | None
    known: Known
    given: bool = False
    why: Text | None = None

    @classmethod
    def chosen(
        cls,
        months: Months,
        compare: str | None,
        as_of: date | str | None,
        known: Known,
        memberships: Sequence[Membership] = (),
    ) -> AsOf:
        """Return the period up to `as_of`, or up to where it is known.

        Raises
        ------
        ConfigError
            Where `as_of` is no day of the period, or a membership does not know it.
        """
        prior_period(months, Period.whole(months), compare)  # refuses what is no choice, first
        ends = {one.known_until: one for one in memberships if not one.is_held and one.known_until}
        until = min(ends, default=None)
        if as_of is not None:
            day = date_of(day_number(as_of, "as_of"))
            if not months.first_day <= day <= months.last_day:
                raise ConfigError(
                    (Option("as_of", str(day)), f" is no day of the period {months}"),
                    remedy="pass one of its days, or another period",
                )
            if until is not None and until < day:
                raise ConfigError(
                    (Option("as_of", str(day)), f" is after {until}, where a membership ends"),
                    remedy="make it with a later end",
                )
            period = Period.to(months, day)
            return cls(period, prior_period(months, period, compare), known, given=True)
        end, reason = known.end_of(months), None
        if end < months.last_day:
            what = "touch" if end == known.touched else "order or registration"
            reason = f"{months} is not over, the last {what} is of {end}"
        if until is not None and months.first_day <= until < end:
            reason = f"a membership is known until {until}"
            if until < known.last_order:
                last = min(known.last_order, end)
                reason += f" and the period {months} has orders until {last}"
            end = until
        period = Period.to(months, end)
        previous = prior_period(months, period, compare)
        if reason is None:
            return cls(period, previous, known)
        beside = "" if previous is None else f" and compared with {previous}"
        why = (
            f"{reason}: the report is as of {end}{beside}; choose a day with ",
            Option("as_of"),
        )
        return cls(period, previous, known, why=why)

    def end_of(self, month: Months) -> date:
        """Return the last day of a month that dynamics report.

        Raises
        ------
        ConfigError
            Where a month begins after the day that the caller chose.
        """
        if month.last == self.period.months.last:
            return self.period.last_day
        if self.given and month.last > self.period.months.last:
            raise ConfigError(
                f"the month {month} begins after {self.period.last_day}, the day that the report "
                "is as of",
                remedy=("choose earlier months, or a later ", Option("as_of")),
            )
        return self.known.end_of(month)

    def until(self, period: Period) -> int | None:
        """Return after which day orders do not exist in what is counted of a period.

        None: all do.
        """
        is_known = self.given or not period.is_whole
        return number_of(period.last_day) if is_known else None

    @property
    def horizon(self) -> int | None:
        """After which day nothing marks a message, of whatever period; None: all that is known."""
        return self.until(self.period)

    def counted(self, months: Months) -> list[Period]:
        """Return what is counted for the report and for dynamics of some months."""
        return counted_periods(self.period, self.previous, months, self.end_of)

    def warnings(self) -> Iterator[Text]:
        """Yield what a reader has to know about the days of the two periods."""
        if self.why is not None:
            yield self.why
        previous = self.previous
        if previous is None or self.known.begins_by(previous.first_day):
            return
        first = self.known.days().first_order
        if first is not None and first <= previous.last_day:  # else all of it is empty, and seen
            yield (
                f"the prior period {previous} begins before the first order, of {first}; ",
                "choose another with ",
                Option("compare"),
            )
