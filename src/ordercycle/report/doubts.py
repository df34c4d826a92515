"""What a reader of a report has to know about its memberships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ordercycle.days import date_of
from ordercycle.history.order_history import OrderHistory
from ordercycle.membership.membership import Membership
from ordercycle.report.months import Months


def doubts(
    memberships: Sequence[Membership], history: OrderHistory, period: Months
) -> Iterator[str]:
    """Yield a warning for each membership that leaves something out which the period has."""
    for membership in memberships:
        unknown = membership.unknown_intervals(history)
        if unknown:
            count = "1 interval is" if unknown == 1 else f"{unknown:,} intervals are"
            yield f"{count} of customers whom the history does not have, and count nowhere"
        known = membership.known_until
        if known is None or history.last_day is None:
            continue
        ordered = min(date_of(history.last_day), period.last_day)
        if known < ordered:
            yield (
                f"a membership is known until {known} and the period {period} has orders until "
                f"{ordered}: they count in the segments of {known}; make it with a later end"
            )
