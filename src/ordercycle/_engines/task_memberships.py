"""Who is in which segment, as tasks compute it of the customers that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from ordercycle._engines.partition_tasks import membership_of
from ordercycle._engines.refits import Added, Fits, fits_of
from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.membership import Membership
from ordercycle._membership.scheduled import Schedule
from ordercycle._months import Period
from ordercycle._report.report_spec import Memberships
from ordercycle._segments.scheme import Scheme, membership_with


class TaskMemberships(Protocol):
    """What says who is in which segment, in the task of any customers; it pickles."""

    def of(self, history: OrderHistory, period: Period, /) -> Memberships:
        """Return the memberships of a history, over a period that was prepared."""

    def prepared(self, added: Added, nobody: OrderHistory, periods: Sequence[Period], /) -> Self:
        """Return the same with all that tasks have to know of other customers, for periods."""


@dataclass(frozen=True)
class OneScheme:
    """The membership of one scheme; every: how often it is recalculated; fits: as of these days."""

    scheme: Scheme
    every: str
    fits: Fits = field(default_factory=dict)

    def of(self, history: OrderHistory, period: Period) -> Membership:
        """Return the membership of a history, over a period."""
        if not self._refits:
            return membership_of(self.scheme, history, period, self.every)
        return membership_with(history, self._schedule(history, period), [self.scheme], self.fits)

    def prepared(self, added: Added, nobody: OrderHistory, periods: Sequence[Period]) -> OneScheme:
        """Return the same with the scheme fitted as of all days of recalculation in periods."""
        if not self._refits:
            return self
        days = {day for period in periods for day in self._schedule(nobody, period).days}
        lacking = sorted(day for day in days if (self.scheme.name, day) not in self.fits)
        further = fits_of(added, nobody, [self.scheme], lacking) if lacking else {}
        return replace(self, fits={**self.fits, **further})

    @property
    def _refits(self) -> bool:
        return isinstance(self.scheme, Scheme) and self.scheme.refits

    def _schedule(self, history: OrderHistory, period: Period) -> Schedule:
        return Schedule.of(history, period.first_day, period.last_day, self.every)
