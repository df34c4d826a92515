"""How long it takes to convert, where not all windows are over: Kaplan and Meier (1958)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from ordercycle._statistics.distributions import chi_square_p, normal_quantile

ALPHA = 0.05
LOG_RANK = pa.schema(
    [
        pa.field("arm", pa.string(), nullable=False),
        pa.field("Converted", pa.int64(), nullable=False),
        pa.field("expected", pa.float64(), nullable=False),
        pa.field("chi_square", pa.float64()),
        pa.field("p", pa.float64()),
        pa.field("rmst_days", pa.int32()),
        *(
            pa.field(name, pa.float64())
            for name in ("rmst", "rmst_control", "rmst_difference", "rmst_low", "rmst_high")
        ),
    ]
)


class Survived(NamedTuple):
    """The share that has not converted by a day, its standard error and its interval."""

    day: int
    share: float
    error: float
    low: float
    high: float


def survival(
    entries: int, converted: Sequence[int], censored: Sequence[int], alpha: float = ALPHA
) -> list[Survived]:
    """Return the share that has not converted, by day from 1 on.

    converted, censored: by day from 1 on, how many of the entries converted on it, and were last
    seen on it without. The interval is symmetric in log(-log S), with Greenwood's variance; it is
    the share itself where nobody or everybody converted, and ends where nobody is seen any more.
    """
    z, at_risk, share, spread = normal_quantile(alpha), entries, 1.0, 0.0
    found = []
    for day, (events, lost) in enumerate(zip(converted, censored, strict=True), 1):
        if at_risk == 0:
            break
        share *= 1.0 - events / at_risk
        if events < at_risk:
            spread += events / (at_risk * (at_risk - events))
        if 0.0 < share < 1.0:
            log_share = math.log(share)
            half = z * math.sqrt(spread) / -log_share
            low, high = (math.exp(log_share * math.exp(side)) for side in (half, -half))
        else:
            low = high = share
        found.append(Survived(day, share, share * math.sqrt(spread), low, high))
        at_risk -= events + lost
    return found


class Times(NamedTuple):
    """Entries, and how many converted or were last seen on each day from 1 on."""

    entries: int
    converted: Sequence[int]
    censored: Sequence[int]

    def at_risk(self) -> Iterator[tuple[int, int]]:
        """Yield, day by day, how many have not converted and are still seen, and who converts."""
        left = self.entries
        for events, lost in zip(self.converted, self.censored, strict=True):
            yield left, events
            left -= events + lost

    @property
    def last_day(self) -> int:
        """The last day on which somebody is seen."""
        return sum(1 for left, _ in self.at_risk() if left)


class LogRank(NamedTuple):
    """How many of a group converted, were expected to, and how far apart these are.

    p: None where nobody converted whom the other group could have been.
    """

    observed: int
    expected: float
    variance: float
    chi_square: float | None
    p: float | None


def log_rank(one: Times, other: Times) -> LogRank:
    """Compare how soon two groups convert: Mantel (1966), a day at a time."""
    observed, expected, variance = 0, 0.0, 0.0
    for (left, events), (others, of_others) in zip(one.at_risk(), other.at_risk(), strict=True):
        both, converted = left + others, events + of_others
        observed += events
        if not converted:
            continue
        expected += converted * left / both
        if both > 1:
            share = left * others / both / both
            variance += share * converted * (both - converted) / (both - 1)
    if not variance:
        return LogRank(observed, expected, variance, None, None)
    chi_square = (observed - expected) ** 2 / variance
    return LogRank(observed, expected, variance, chi_square, chi_square_p(chi_square, 1))


class RestrictedMean(NamedTuple):
    """How many days pass without a conversion on average, up to a day, and its variance."""

    days: float
    variance: float


def restricted_mean(times: Times, until: int) -> RestrictedMean:
    """Return the mean time to convert, as long as `until` where nobody does before."""
    share, shares, shown = 1.0, [1.0], []
    for _, (left, events) in zip(range(until), times.at_risk(), strict=False):
        share *= 1.0 - events / left
        shares.append(share)
        shown.append((left, events))
    area, variance = 0.0, 0.0
    for day in range(until - 1, -1, -1):
        left, events = shown[day]
        # What is left of the area behind the day on which they convert.
        if 0 < events < left:
            variance += area * area * events / (left * (left - events))
        area += shares[day]
    return RestrictedMean(area, variance)


def compared(arm: Times, control: Times) -> dict[str, Any]:
    """Return what is said of an arm beside control."""
    found = log_rank(arm, control)
    row = {
        "Converted": found.observed,
        "expected": found.expected,
        "chi_square": found.chi_square,
        "p": found.p,
    }
    until = min(arm.last_day, control.last_day)
    if not until:
        return row
    own, other = (restricted_mean(one, until) for one in (arm, control))
    difference = own.days - other.days
    half = normal_quantile(ALPHA) * math.sqrt(own.variance + other.variance)
    return row | {
        "rmst_days": until,
        "rmst": own.days,
        "rmst_control": other.days,
        "rmst_difference": difference,
        "rmst_low": difference - half,
        "rmst_high": difference + half,
    }
