"""Calendar months as users write them, and ranges of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle.days import EPOCH, FIRST_YEAR, LAST_YEAR
from ordercycle.errors import ConfigError, check_choice

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
                f"{option}={value!r} is no range of months; write it as ('2025-10', '2025-12')"
            )
        months = cls(*(_month_number(text, option, value) for text in pair))
        if months.first > months.last:
            raise ConfigError(f"{option}={value!r} ends before it begins; swap its months")
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
        """Say whether another range lies in this one."""
        return self.first <= other.first and other.last <= self.last

    def spanning(self, other: Months) -> Months:
        """Return the shortest range that has both."""
        return Months(min(self.first, other.first), max(self.last, other.last))

    def columns_of_days(self) -> NDArray[np.int32]:
        """Return for each day of the range its month's place in it, counted from 1."""
        begins = [(_first_day_of(month) - EPOCH).days for month in range(self.first, self.last + 2)]
        places = np.arange(1, self.size + 1, dtype=np.int32)
        return np.repeat(places, np.diff(begins))


#: How many months earlier the prior period is, given how many months the period has.
PRIOR: dict[str, Callable[[int], int]] = {
    "previous_year": lambda _count: 12,
    "previous_period": lambda count: count,
}


def prior_period(period: Months, compare: str | None) -> Months | None:
    """Return the months that a period is compared with."""
    if compare is None:
        return None
    check_choice("compare", compare, PRIOR)
    return period.earlier(PRIOR[compare](period.size))


def _month_number(text: object, option: str, value: object) -> int:
    found = MONTH_TEXT.fullmatch(text) if isinstance(text, str) else None
    year, month = (int(part) for part in found.groups()) if found else (0, 0)
    if not 1 <= month <= 12:
        raise ConfigError(f"{option}={value!r}: {text!r} is no month; write it as '2025-10'")
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ConfigError(
            f"{option}={value!r}: {text!r} is outside the years {FIRST_YEAR} to {LAST_YEAR}"
        )
    return 12 * year + month - 1


def _first_day_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
