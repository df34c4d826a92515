"""The imagined shop's calendar: when in the year, the week and the day people buy.

Every factor here is a plausible value of ours, not an estimate from a data set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

HOURS_PER_YEAR = 8766  # 365.25 days
SECONDS_PER_HOUR = 3600

# Bumps on a level year: (day of the year at the top, width in days, height).
YEARLY_BUMPS = (
    (332, 5.0, 1.6),  # the sales at the end of November
    (345, 9.0, 1.0),  # presents
    (45, 20.0, -0.15),  # a quiet February
    (215, 22.0, -0.15),  # summer holidays
)
WEEKDAY_FACTORS = (1.10, 1.02, 1.00, 0.98, 0.93, 0.85, 1.12)  # Monday first
HOUR_FACTORS = (
    *(0.25, 0.12, 0.07, 0.05, 0.05, 0.10, 0.25, 0.50),
    *(0.80, 1.05, 1.20, 1.25, 1.25, 1.20, 1.15, 1.15),
    *(1.20, 1.25, 1.35, 1.60, 1.90, 1.95, 1.50, 0.80),
)
CELLS_PER_HOUR = 4  # of the inverted clock; a cell is then about a quarter of an hour


@dataclass(frozen=True, slots=True)
class SeasonClock:
    """Translate business time into seconds since the first midnight.

    Business time runs fast when people buy and slowly when they sleep, and is scaled so that
    it takes as long as the calendar from the first to the last day. A customer who buys at a
    constant rate in business time follows the seasons in calendar time.

    Attributes
    ----------
    years
        Length of the whole period, in years of business time (and of calendar time).
    seconds_at : (cells + 1,) float64
        Seconds since the first midnight at equal steps of business time.
    """

    years: float
    seconds_at: NDArray[np.float64]

    def seconds(self, business_years: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return whole seconds since the first midnight, interpolated within a cell."""
        cells = self.seconds_at.size - 1
        position = business_years * (cells / self.years)
        cell = np.minimum(position.astype(np.int64), cells - 1)
        start = self.seconds_at[cell]
        into_cell = (position - cell) * (self.seconds_at[cell + 1] - start)
        last_second = int(self.seconds_at[-1]) - 1
        seconds: NDArray[np.int64] = (start + into_cell).astype(np.int64)
        return np.minimum(seconds, last_second)


def season_clock(first_day: date, last_day: date) -> SeasonClock:
    """Build the clock of the days from `first_day` to `last_day`, both included."""
    end = np.datetime64(last_day, "D") + np.timedelta64(1, "D")
    days = np.arange(np.datetime64(first_day, "D"), end)
    intensity = np.outer(day_factors(days), np.asarray(HOUR_FACTORS)).ravel()
    bought = np.concatenate(([0.0], np.cumsum(intensity)))
    hours = intensity.size
    steps = np.linspace(0.0, bought[-1], hours * CELLS_PER_HOUR + 1)
    seconds_at = np.interp(steps, bought, np.arange(hours + 1) * float(SECONDS_PER_HOUR))
    return SeasonClock(years=hours / HOURS_PER_YEAR, seconds_at=seconds_at)


def day_factors(days: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Return how much is bought on each day, against 1 on a level day of the year."""
    day_of_year = (days - days.astype("datetime64[Y]")).astype(np.int64) + 1
    yearly = np.ones(days.size)
    for top, width, height in YEARLY_BUMPS:
        yearly += height * np.exp(-0.5 * ((day_of_year - top) / width) ** 2)
    weekday = (days.astype(np.int64) + 3) % 7  # day 0 of the epoch was a Thursday
    factors: NDArray[np.float64] = yearly * np.asarray(WEEKDAY_FACTORS)[weekday]
    return factors
