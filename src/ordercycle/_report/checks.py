"""What a reader of a report has to know about its period and its memberships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from ordercycle._errors import ConfigError, counted
from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.membership import Membership
from ordercycle._months import Months, Period
from ordercycle._report.as_of import AsOf


def months_of(history: OrderHistory) -> Months | None:
    """Return the months from the first to the last order; None without orders."""
    made = history.summary()
    if made.first_day is None or made.last_day is None:
        return None
    return Months.between(made.first_day, made.last_day)


def refuse_foreign(memberships: Sequence[Membership], history: OrderHistory) -> None:
    """Raise a ConfigError for a membership that was made from another history."""
    if not all(one.belongs_to(history) for one in memberships):
        raise ConfigError(
            "the membership belongs to another history",
            remedy="make it with scheme.membership(history) of the history that is reported",
        )


def warnings_of_orders(period: Period, first: date | None, last: date | None) -> Iterator[str]:
    """Yield a warning for a period without orders; first, last: the days of those there are."""
    if first is None or last is None:
        yield f"there are no orders in {period}: the history has none at all"
        return
    ordered = Months.between(first, last)
    if period.months.last < ordered.first or ordered.last < period.months.first:
        yield f"there are no orders in {period}: the history has orders from {first} to {last}"


def warnings_of_unknown(intervals: int) -> Iterator[str]:
    """Yield a warning where intervals are of customers whom a history does not have."""
    if intervals:
        count = counted(intervals, "interval is", "intervals are")
        yield f"{count} of customers whom the history does not have, and count nowhere"


def warnings_of(
    memberships: Sequence[Membership],
    history: OrderHistory,
    as_of: AsOf,
) -> Iterator[str]:
    """Yield a warning for a period without orders, and for each membership that lacks something."""
    period, previous = as_of.period, as_of.previous
    made = history.summary()
    yield from warnings_of_orders(period, made.first_day, made.last_day)
    for membership in memberships:
        yield from warnings_of_unknown(membership.unknown_intervals(history))
        if made.first_day is None or made.last_day is None:
            continue
        known = membership.known_from
        for reported in (period, previous):
            if known is None or reported is None:
                continue
            first = max(made.first_day, reported.first_day)
            if first < known and first <= reported.last_day:
                yield (
                    f"a membership is known from {known} and the period {reported} has orders from "
                    f"{first}: before {known} nobody is in its segments; make it with an earlier "
                    "start"
                )
        known, last = membership.known_until, min(made.last_day, period.last_day)
        if known is not None and known < last:
            yield (
                f"a membership is known until {known} and the period {period} has orders until "
                f"{last}: they count in the segments of {known}; make it with a later end"
            )
