"""Calendar months as users write them, and ranges of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import FIRST_YEAR, LAST_YEAR, number_of
from ordercycle._errors import ConfigError, Option, check_choice

MONTH_TEXT = re.compile(r"([0-9]{4})-([0-9]{2})")


class Months(NamedTuple):
    """A range of months, both ends included, each counted as 12 * year + month - 1."""

    first: int
    last: int

    @classmethod
    def of(cls, value: object, option: str) -> Months:
        """Return the months of ``("2025-10", "2025-12")``, or of ``"2025-12"`` alone."""
        pair = (value, value) if isinstance(value, str) else value
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ConfigError(
                (*_named(option, value), " is no range of months"),
                remedy="write it as ('2025-10', '2025-12')",
            )
        months = cls(*(_month_number(text, option, value) for text in pair))
        if months.first > months.last:
            raise ConfigError(
                (*_named(option, value), " ends before it begins"), remedy="swap its months"
            )
        return months

    @classmethod
    def between(cls, first: date, last: date) -> Months:
        """Return the months of two days and all between."""
        return cls(*(12 * day.year + day.month - 1 for day in (first, last)))

    def __str__(self) -> str:
        first, last = (f"{month // 12}-{month % 12 + 1:02}" for month in self)
        return first if first == last else f"{first} to {last}"

    @property
    def size(self) -> int:
        """How many months these are."""
        return self.last - self.first + 1

    @property
    def first_day(self) -> date:
        """The first day of the first month."""
        return _first_day_of(self.first)

    @property
    def last_day(self) -> date:
        """The last day of the last month."""
        return _first_day_of(self.last + 1) - timedelta(days=1)

    def each(self) -> list[Months]:
        """Return the months one by one."""
        return [Months(month, month) for month in range(self.first, self.last + 1)]

    def earlier(self, months: int) -> Months:
        """Return the range as many months earlier."""
        return Months(self.first - months, self.last - months)

    def covers(self, other: Months) -> bool:
        """Return whether another range lies in this one."""
        return self.first <= other.first and other.last <= self.last

    def spanning(self, other: Months) -> Months:
        """Return the shortest range that has both."""
        return Months(min(self.first, other.first), max(self.last, other.last))

    def columns_of_days(self) -> NDArray[np.int32]:
        """Return for each day of the range its month's place in it, counted from 1."""
        begins = [number_of(_first_day_of(month)) for month in range(self.first, self.last + 2)]
        places = np.arange(1, self.size + 1, dtype=np.int32)
        return np.repeat(places, np.diff(begins))


#: How many months earlier the prior period is, given how many months the period has.
PRIOR: dict[str, Callable[[int], int]] = {
    "previous_year": lambda _count: 12,
    "previous_period": lambda count: count,
}


class Period(NamedTuple):
    """Months up to a day of the last one: its end where they are whole, else "to date"."""

    months: Months
    last_day: date

    @classmethod
    def whole(cls, months: Months) -> Period:
        """Return the months to their end."""
        return cls(months, months.last_day)

    @classmethod
    def to(cls, months: Months, day: date) -> Period:
        """Return those of the months that begin by a day of theirs, up to it."""
        return cls(Months(months.first, Months.between(day, day).last), day)

    def __str__(self) -> str:
        return str(self.months) if self.is_whole else f"{self.first_day} to {self.last_day}"

    @property
    def first_day(self) -> date:
        """The first day of the first month."""
        return self.months.first_day

    @property
    def is_whole(self) -> bool:
        """Whether the last month is whole."""
        return self.last_day == self.months.last_day

    def earlier(self, count: int) -> Period:
        """Return as many months earlier, to the same day of the last one: its last at most."""
        months = self.months.earlier(count)
        end = months.last_day
        return Period(months, end if self.is_whole else _same_day(end, self.last_day))


def _same_day(of_month: date, day: date) -> date:
    """Return a day of a month by its number in another one, or the month's last."""
    return of_month.replace(day=min(of_month.day, day.day))


def prior_period(months: Months, period: Period, compare: str | None) -> Period | None:
    """Return what a period is compared with; `months`: those it has once it is over."""
    if compare is None:
        return None
    check_choice("compare", compare, PRIOR)
    return period.earlier(PRIOR[compare](months.size))


#: The last day of a month that is reported: its own, or an earlier one.
Ends: TypeAlias = Callable[[Months], date]


def counted_periods(
    period: Period, previous: Period | None, months: Months, ends: Ends
) -> list[Period]:
    """Return what is counted for a report: each month of `months`, period and prior period.

    Counts of one range are all of the same last day: months that are reported up to an earlier day
    than their last, and are not the period's last, are counted by themselves.
    """
    for one in (period.months, None if previous is None else previous.months):
        months = months if one is None else months.spanning(one)
    counted = [Period(Months(months.first, period.months.last), period.last_day)]
    if previous is not None and not previous.is_whole:
        counted.append(previous)
    if months.last > period.months.last:
        later = Months(period.months.last + 1, months.last)
        counted.append(Period.whole(later))
        each = (Period(month, ends(month)) for month in later.each())
        counted += [month for month in each if not month.is_whole]
    return counted


def _named(option: str, value: object) -> tuple[Option | str, ...]:
    """Return how a message names an option and its value: not every value is one of a flag."""
    texts = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    if all(isinstance(text, str) for text in texts):
        return (Option(option, value),)
    return (Option(option), f" {value!r}")


def _month_number(text: object, option: str, value: object) -> int:
    found = MONTH_TEXT.fullmatch(text) if isinstance(text, str) else None
    year, month = (int(part) for part in found.groups()) if found else (0, 0)
    if not 1 <= month <= 12:
        raise ConfigError(
            (*_named(option, value), f": {text!r} is no month"), remedy="write it as '2025-10'"
        )
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ConfigError(
            (
                *_named(option, value),
                f": {text!r} is outside the years {FIRST_YEAR} to {LAST_YEAR}",
            )
        )
    return 12 * year + month - 1


def _first_day_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
