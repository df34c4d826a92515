"""The memberships of a dashboard: of schemes, recalculated monthly, and those of its user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ordercycle._dashboard.small import merged
from ordercycle._days import date_of, day_number
from ordercycle._errors import ConfigError, Option, suggestion
from ordercycle._history.order_history import OrderHistory
from ordercycle._membership.membership import Membership
from ordercycle._membership.scheduled import Schedule
from ordercycle._months import Months
from ordercycle._report.as_of import AsOf, Known
from ordercycle._report.page_content import month_numbers
from ordercycle._segments.scheme import Scheme, in_words, membership_with

#: How often schemes of a page are recalculated.
EVERY = "month"


@dataclass(frozen=True)
class Named:
    """Memberships by name, and what is known of their segments in words.

    scheme: the name of the first one that is of a scheme; words: of each segment, by membership;
    schemes: as they were given, with the numbers that they need once.
    """

    memberships: dict[str, Membership]
    scheme: str | None
    words: Mapping[str, Mapping[str, str]]
    schemes: tuple[Scheme, ...]

    @property
    def passed(self) -> dict[str, Membership] | Membership:
        """The memberships as a report takes them: one alone needs no name."""
        (*_, last) = self.memberships.values()
        return last if len(self.memberships) == 1 else self.memberships

    def shown(self, name: str, segment: str) -> str:
        """Return what a report calls a segment."""
        return segment if len(self.memberships) == 1 else f"{name}: {segment}"

    @property
    def groups(self) -> dict[str, str]:
        """Whose a segment is, by its name in the report; nothing where there is one membership."""
        alone = len(self.memberships) == 1
        return {shown: "" if alone else name for name, _, shown in self._all()}

    @property
    def rules(self) -> dict[str, str]:
        """What a segment's customers have in common, by its name in the report."""
        return {
            shown: self.words.get(name, {}).get(segment, "") for name, segment, shown in self._all()
        }

    @property
    def first(self) -> frozenset[str]:
        """The segments of the first membership."""
        first = next(iter(self.memberships))
        return frozenset(shown for name, _, shown in self._all() if name == first)

    def merged(
        self, history: OrderHistory, few: Sequence[str], segments: Sequence[str]
    ) -> tuple[Named, list[str]]:
        """Return the same with few people's segments merged, and the segments that are reported."""
        made, kept = dict(self.memberships), [one for one in segments if one not in few]
        for name, membership in self.memberships.items():
            small = [one for one in membership.segments if self.shown(name, one) in few]
            if small:
                made[name], other = merged(history, membership, small)
                kept.append(self.shown(name, other))
        return replace(self, memberships=made), kept

    def _all(self) -> Iterator[tuple[str, str, str]]:
        for name, membership in self.memberships.items():
            for segment in membership.segments:
                yield name, segment, self.shown(name, segment)


@dataclass(frozen=True)
class RecalculatedElsewhere:
    """What recalculations of schemes need to know of customers who are not in a history.

    first, last: the days of the first and the last order; fits: schemes as they are fitted again,
    by name and day.
    """

    first: date | None
    last: date | None
    fits: Mapping[tuple[str, int], Scheme | None]

    def schedule(self, history: OrderHistory) -> Schedule:
        """Return the days of recalculation."""
        return Schedule.of(history, self.first, self.last, EVERY)

    def membership(
        self,
        history: OrderHistory,
        schemes: Sequence[Scheme],
        streams: Mapping[str, Any] | None = None,
    ) -> Membership:
        """Return the membership of the last scheme, after those before it."""
        return membership_with(history, self.schedule(history), schemes, self.fits, streams=streams)


def named_memberships(
    history: OrderHistory,
    schemes: Sequence[Scheme],
    further: Mapping[str, Membership],
    streams: Mapping[str, Any] | None = None,
    missing: str = "error",
    elsewhere: RecalculatedElsewhere | None = None,
) -> Named:
    """Return the memberships of schemes, and further ones.

    elsewhere: what is known of all customers, where the history has some of them only.
    """
    if isinstance(schemes, Scheme):
        schemes = [schemes]

    def read_by(those: Sequence[Scheme]) -> dict[str, Any]:
        if not any(one.reads_streams for one in those):
            return {}
        return {"streams": streams, "missing": missing}

    for scheme in schemes:
        if not isinstance(scheme, Scheme):
            raise ConfigError(
                (Option("schemes"), f" has a {type(scheme).__name__}, which is no scheme"),
                remedy=("pass memberships with ", Option("memberships")),
            )
    made: dict[str, Membership] = {}
    words: dict[str, Mapping[str, str]] = {}
    before: list[Scheme] = []
    for given in schemes:
        scheme = _fitted(given, history)
        _refuse_taken(scheme.name, made)
        made[scheme.name] = (
            scheme.membership(history)
            if not scheme.recalculates
            else elsewhere.membership(history, [*before, scheme], streams)
            if elsewhere is not None
            else scheme.membership(
                history, every=EVERY, schemes=before, **read_by([*before, scheme])
            )
        )
        words[scheme.name] = in_words(scheme)
        before.append(scheme)
    first = next(iter(made), None)
    for name, membership in further.items():
        _refuse_taken(name, made)
        made[name] = membership
    if not made:
        raise ConfigError(
            (Option("schemes"), " and ", Option("memberships"), " are empty"),
            remedy="a dashboard needs at least one scheme or membership",
        )
    return Named(made, first, words, tuple(before))


def last_day_of(
    known: Known,
    named: Named,
    months: str | Sequence[str] | None,
    as_of: date | str | None,
) -> date:
    """Return the last day that counts: the one that is given, or the last that is known."""
    if months is None:
        day = date_of(day_number(as_of, "as_of")) if as_of is not None else known.days().last
        if day is None:
            raise ConfigError(
                "the history has nobody, so that no months are known",
                remedy=(
                    "look at what ",
                    Option("only"),
                    " and ",
                    Option("nobody"),
                    " leave out, or choose months with ",
                    Option("months"),
                ),
            )
        chosen = Months.between(day, day)
    else:
        chosen = Months.of(months, "months")
    memberships = list(named.memberships.values())
    return AsOf.chosen(chosen, None, as_of, known, memberships).period.last_day


def changed_months(
    changes: Mapping[str, date | str | Sequence[date | str]],
    segments: Sequence[str],
    merged_ones: Sequence[str],
) -> dict[str, tuple[int, ...]]:
    """Return the months in which conditions changed, by the names of segments."""
    found = {}
    for name, given in changes.items():
        if name in merged_ones:
            continue
        if name not in segments:
            raise ConfigError(
                (Option("changes"), f": there is no segment {name!r}{suggestion(name, segments)}"),
                remedy=f"there are {', '.join(map(repr, segments))}",
            )
        days: Iterable[date | str] = [given] if isinstance(given, str | date) else given
        found[name] = month_numbers([date_of(day_number(day, "changes")) for day in days])
    return found


def _fitted(scheme: Scheme, history: OrderHistory) -> Scheme:
    """Return a scheme with the numbers that it needs, fitted to what is known on the last day."""
    if scheme.fitted_to is None or scheme.is_fitted or scheme.refits:
        return scheme
    if scheme.fitted_to == "history":
        return scheme.fit(history)
    last = history.summary().last_day
    return scheme.fit(history.profile(last or date_of(0)))


def _refuse_taken(name: str, made: Mapping[str, Membership]) -> None:
    if name in made:
        raise ConfigError(
            f"two memberships are called {name!r}", remedy="name one of them differently"
        )
