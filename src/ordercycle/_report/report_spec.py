"""What a report counts: the segments of one or several memberships, over a range of months."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import number_of
from ordercycle._errors import Code, ConfigError, Option, suggestion
from ordercycle._ingest.column_readers import AmountReader
from ordercycle._membership.membership import Membership
from ordercycle._months import Months, Period
from ordercycle._report.catalogue import Catalogue
from ordercycle._report.quantities import MONEY, WHOLE
from ordercycle._spec import HistorySpec
from ordercycle_kernels import cube as kernels
from ordercycle_kernels.exact_sums import FLOAT_CHUNKS, INTEGER_CHUNKS

Memberships: TypeAlias = Membership | Sequence[Membership] | Mapping[str, Membership]

MOST_SEGMENTS = 30
#: The name of the last row of every report.
ALL_CUSTOMERS = "All Customers"
#: The target action of all orders.
DEFAULT_TARGET = "Orders"


@dataclass(frozen=True)
class Plan:
    """What is counted: the same for all parts of a history, made once and sent along."""

    period: Period  # all months that are counted, up to the last day that is
    segments: tuple[str, ...]
    rows: tuple[NDArray[np.int64], ...]  # of each membership: the row of each of its segments
    amount: AmountReader
    net_refunds: bool
    catalogue: Catalogue  # the metrics there are: without amounts, those about money are not
    further_units: Mapping[str, Fraction] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        memberships: Memberships,
        *,
        period: Period,
        segments: Sequence[str] | None,
        kind: HistorySpec,
        catalogue: Catalogue | None = None,
        units: Mapping[str, Fraction] | None = None,
    ) -> Plan:
        """Return the plan for the chosen segments, or for all of them.

        catalogue, units: of what is counted beside orders.
        """
        named = _names(memberships)
        known = [name for names in named for name in names]
        _refuse_ambiguous(known)
        chosen = tuple(known) if segments is None else _chosen(segments, known)
        if len(chosen) > MOST_SEGMENTS:
            raise ConfigError(
                f"a report has {MOST_SEGMENTS} segments at most and these are {len(chosen)}",
                remedy=("choose with ", Option("segments")),
            )
        row_of = {name: row for row, name in enumerate(chosen)}
        nowhere = len(chosen)
        rows = (
            np.array([row_of.get(name, nowhere) for name in names], np.int64) for names in named
        )
        return cls(
            period,
            chosen,
            tuple(rows),
            kind.amount,
            kind.net_refunds,
            Catalogue(kind.has_amount) if catalogue is None else catalogue,
            units or {},
        )

    @property
    def months(self) -> Months:
        """The months that are counted."""
        return self.period.months

    @property
    def units(self) -> dict[str, Fraction]:
        """How many of a quantity's whole numbers make one, by what these stand for."""
        return {WHOLE: Fraction(1), MONEY: unit_of(self.amount), **self.further_units}

    def columns_of_days(self) -> NDArray[np.int32]:
        """Return for each day that is counted its month's place, counted from 1."""
        days = number_of(self.period.last_day) - number_of(self.period.first_day) + 1
        return self.months.columns_of_days()[:days]

    def ends(self, months: Months) -> date:
        """Return the last day of months that is counted."""
        return min(months.last_day, self.period.last_day)

    def has(self, period: Period) -> bool:
        """Return whether a period is counted, up to its last day and no further."""
        return self.months.covers(period.months) and self.ends(period.months) == period.last_day

    @property
    def chunks(self) -> int:
        """How many chunks a sum of money has."""
        return FLOAT_CHUNKS if self.amount.is_float else INTEGER_CHUNKS

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the cells: a row per segment and one for none, columns, and the width of a cell.

        A column per month, after one for all that lies before the first.
        """
        width = kernels.WHOLE_NUMBERS + kernels.SUMS * self.chunks
        return len(self.segments) + 1, self.months.size + 1, width

    @property
    def size(self) -> int:
        """How many integers the cells are, and as many again for segments that overlap."""
        rows, columns, width = self.shape
        return 2 * rows * columns * width


class HalfMonths(Plan):
    """The same with two columns a month: up to a day of it, that of the last day, and the rest.

    What earlier months were up to the same day is so counted for all of them in one pass. `months`
    counts the halves: those of a month m are 2 * m and 2 * m + 1.
    """

    @classmethod
    def of_plan(cls, plan: Plan) -> HalfMonths:
        """Return a plan with months in halves."""
        return cls(**{one.name: getattr(plan, one.name) for one in fields(Plan)})

    @property
    def months(self) -> Months:
        """The halves that are counted: of the last month, the first one."""
        return Months(2 * self.period.months.first, 2 * self.period.months.last)

    def columns_of_days(self) -> NDArray[np.int32]:
        """Return for each day that is counted its half's place, counted from 1."""
        first, last = (number_of(day) for day in (self.period.first_day, self.period.last_day))
        days = np.arange(first, last + 1).astype("datetime64[D]")
        months = self.period.months.columns_of_days()[: days.size]
        of_month = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
        is_first = of_month <= self.period.last_day.day
        halves: NDArray[np.int32] = (2 * months - is_first).astype(np.int32)
        return halves


def unit_of(amount: AmountReader) -> Fraction:
    """Return how many units of exact sums of amounts make one."""
    if amount.is_float:
        return Fraction(2**1074)
    return Fraction(10) ** getattr(amount.given, "scale", 0)


def listed(memberships: Memberships) -> list[Membership]:
    """Return the memberships, however they were given, checked."""
    given: object = memberships.values() if isinstance(memberships, Mapping) else memberships
    found: list[Membership] = []
    for one in given if isinstance(given, Iterable) else [given]:
        if not isinstance(one, Membership):
            raise ConfigError(
                (Option("membership", one), " is no membership"),
                remedy="pass what scheme.membership(history) or Membership.from_table(table) "
                "returns, or a list of these",
            )
        found.append(one)
    if not found:
        raise ConfigError(
            (Option("membership", memberships), " is empty"),
            remedy="a report needs at least one membership",
        )
    return found


def _names(memberships: Memberships) -> list[list[str]]:
    """Return the names of each membership's segments; a name of its own goes before them."""
    found = listed(memberships)
    if isinstance(memberships, Mapping):
        return [[f"{key}: {name}" for name in one.segments] for key, one in memberships.items()]
    return [list(one.segments) for one in found]


def _refuse_ambiguous(names: list[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ConfigError(
            f"several memberships have a segment {', '.join(map(repr, twice))}",
            remedy=(
                "tell them apart by names of their own: ",
                Option("membership", Code("{'lifecycle': ..., 'rfm': ...}")),
            ),
        )
    if ALL_CUSTOMERS in names:
        raise ConfigError(
            f"a segment is called {ALL_CUSTOMERS!r}, as the report's row for everybody",
            remedy="rename it",
        )


def _chosen(segments: Sequence[str], known: list[str]) -> tuple[str, ...]:
    if isinstance(segments, str):
        raise ConfigError(
            (Option("segments", segments), " is no list of names"),
            remedy=("pass ", Option("segments", [segments])),
        )
    chosen = tuple(segments)
    for name in chosen:
        if name not in known:
            raise ConfigError(
                f"there is no segment {name!r}{suggestion(str(name), known)}",
                remedy=f"there are {', '.join(map(repr, known))}",
            )
    if len(set(chosen)) < len(chosen):
        raise ConfigError((Option("segments", list(chosen)), " names a segment twice"))
    return chosen
