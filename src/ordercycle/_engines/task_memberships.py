"""Who is in which segment, as tasks compute it of the customers that they have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Protocol, Self, TypeAlias

from ordercycle._engines.engine import Engine, F
from ordercycle._engines.interval_plans import GivenIntervals, among, is_frame
from ordercycle._engines.partition_tasks import ORDERS, Streams, first_round, membership_of
from ordercycle._engines.refits import Added, Fits, fits_of
from ordercycle._errors import Code, ConfigError, Option, printable
from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.membership import Membership
from ordercycle._membership.scheduled import Schedule
from ordercycle._months import Period
from ordercycle._report.report_spec import Memberships
from ordercycle._segments.scheme import Scheme, membership_with


class TaskMemberships(Protocol):
    """What says who is in which segment, in the task of any customers; it pickles."""

    def of(self, streams: Streams, period: Period, /) -> Memberships:
        """Return the memberships of streams, over a period that was prepared."""

    def prepared(self, added: Added, nobody: OrderHistory, periods: Sequence[Period], /) -> Self:
        """Return the same with all that tasks have to know of other customers, for periods."""


@dataclass(frozen=True)
class OneScheme:
    """The membership of one scheme; every: how often it is recalculated; fits: as of these days."""

    scheme: Scheme
    every: str
    fits: Fits = field(default_factory=dict)

    def of(self, streams: Streams, period: Period) -> Membership:
        """Return the membership of streams, over a period."""
        history: OrderHistory = streams[ORDERS]
        if not self.refits:
            return membership_of(self.scheme, history, period, self.every)
        return membership_with(history, self._schedule(history, period), [self.scheme], self.fits)

    def prepared(self, added: Added, nobody: OrderHistory, periods: Sequence[Period]) -> OneScheme:
        """Return the same with the scheme fitted as of all days of recalculation in periods."""
        if not self.refits:
            return self
        days = {day for period in periods for day in self._schedule(nobody, period).days}
        lacking = sorted(day for day in days if (self.scheme.name, day) not in self.fits)
        further = fits_of(added, {ORDERS: nobody}, [self.scheme], lacking) if lacking else {}
        return replace(self, fits={**self.fits, **further})

    @property
    def refits(self) -> bool:
        """Whether the scheme is fitted again."""
        return isinstance(self.scheme, Scheme) and self.scheme.refits

    def check(self) -> None:
        """Raise a ConfigError for what no partition can fit."""
        if self.refits:
            first_round(self.scheme)

    def _schedule(self, history: OrderHistory, period: Period) -> Schedule:
        return Schedule.of(history, period.first_day, period.last_day, self.every)


@dataclass(frozen=True)
class SeveralSchemes:
    """The memberships of several schemes or frames, beside each other.

    names: those that go before the segments'; None: the segments' own tell them apart.
    """

    schemes: tuple[OneScheme | GivenIntervals, ...]
    names: tuple[str, ...] | None

    @classmethod
    def given(
        cls, engine: Engine[F], given: Any, every: str
    ) -> tuple[SeveralSchemes | OneScheme | GivenIntervals, dict[str, F]]:
        """Return what was given: a scheme, some in a row, or by name; and frames among them.

        Raises
        ------
        ConfigError
            There are none in the row.
        """
        is_by_name = isinstance(given, Mapping)
        if not is_by_name and not isinstance(given, list | tuple):
            alone = {"": given}
            return cls._each(engine, alone, every)[""], among(engine, alone)
        names = tuple(given) if is_by_name else None
        those = given if is_by_name else {str(place): one for place, one in enumerate(given)}
        if not those:
            raise ConfigError(
                (Option("scheme", given), " is empty"), remedy="a report needs at least one scheme"
            )
        each = cls._each(engine, those, every).values()
        return cls(tuple(each), names), among(engine, those)

    @staticmethod
    def _each(
        engine: Engine[F], those: Mapping[str, Any], every: str
    ) -> dict[str, OneScheme | GivenIntervals]:
        return {
            name: GivenIntervals.called(name) if is_frame(engine, one) else OneScheme(one, every)
            for name, one in those.items()
        }

    def of(self, streams: Streams, period: Period) -> Memberships:
        """Return the memberships of streams, over a period."""
        made = [one.of(streams, period) for one in self.schemes]
        return made if self.names is None else dict(zip(self.names, made, strict=True))

    def prepared(
        self, added: Added, nobody: OrderHistory, periods: Sequence[Period]
    ) -> SeveralSchemes:
        """Return the same with schemes fitted as of all days of recalculation in periods."""
        made = tuple(one.prepared(added, nobody, periods) for one in self.schemes)
        return replace(self, schemes=made)

    @property
    def refits(self) -> bool:
        """Whether any scheme is fitted again."""
        return any(one.refits for one in self.schemes)

    def check(self) -> None:
        """Raise a ConfigError for what no partition can fit, and for names of several segments."""
        for one in self.schemes:
            one.check()
        given = (one.scheme for one in self.schemes if isinstance(one, OneScheme))
        names = Counter(name for one in given if isinstance(one, Scheme) for name in one.segments)
        twice = [name for name, times in names.items() if times > 1]
        if twice and self.names is None:
            raise ConfigError(
                printable(f"several schemes have a segment {', '.join(map(repr, twice))}"),
                remedy=(
                    "tell them apart by names of their own: ",
                    Option("scheme", Code("{'lifecycle': ..., 'rfm': ...}")),
                ),
            )


@dataclass(frozen=True)
class SchemeBetween:
    """The membership of one scheme between two days that all tasks share.

    option: where the scheme is given; fits: as of the days on which it is fitted again, None before
    it was: until then nobody has a segment.
    """

    option: str
    scheme: Scheme
    start: date | str
    end: date | str
    every: str
    fits: Fits | None = None

    def of(self, streams: Streams) -> Membership:
        """Return the membership of streams.

        Raises
        ------
        ConfigError
            The scheme is none, lacks numbers, or is fitted to a whole profile.
        """
        history: OrderHistory = streams[ORDERS]
        if not isinstance(self.scheme, Scheme):
            raise ConfigError(
                (Option(self.option, self.scheme), " is no scheme"), remedy="pass one"
            )
        if not self.scheme.recalculates:
            return self.scheme.membership(history)
        if not self.scheme.refits:
            return self.scheme.membership(history, self.start, self.end, every=self.every)
        schedule = self._schedule(history)
        fits = self.fits
        if fits is None:
            first_round(self.scheme)  # which refuses what no partition can fit
            fits = dict.fromkeys(((self.scheme.name, day) for day in schedule.days), None)
        return membership_with(history, schedule, [self.scheme], fits)

    @property
    def refits(self) -> bool:
        """Whether the scheme is fitted again, which `prepared` does."""
        return isinstance(self.scheme, Scheme) and self.scheme.refits

    def prepared(self, added: Added, nobody: OrderHistory) -> SchemeBetween:
        """Return the same with all that is fitted again fitted as of each day.

        added: adds up what a task counts; nobody: a history without customers.
        """
        if not self.refits:
            return self
        days = self._schedule(nobody).days
        return replace(self, fits=fits_of(added, {ORDERS: nobody}, [self.scheme], days))

    def _schedule(self, history: OrderHistory) -> Schedule:
        return Schedule.of(history, self.start, self.end, self.every)


#: What says who is in which segment on a day, or between two.
OnDay: TypeAlias = SchemeBetween | GivenIntervals
