"""How long it takes to convert, where not all windows are over: Kaplan and Meier (1958)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ordercycle._statistics.distributions import normal_quantile

ALPHA = 0.05


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
