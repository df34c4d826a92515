"""Lifecycle thresholds from the gaps between orders."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ordercycle._days import date_of, day_number
from ordercycle._errors import (
    ConfigError,
    DataError,
    Option,
    counted,
    warn,
)
from ordercycle._grouping.batches import CustomerBatch
from ordercycle._public import public
from ordercycle._segments.counting_rounds import Cells, Round
from ordercycle._segments.fittable import with_options
from ordercycle._segments.scheme import Scheme
from ordercycle_kernels.calendar import FIRST_DAY, NO_DAY
from ordercycle_kernels.gaps import GAP_BITS, count_gaps
from ordercycle_kernels.profile import BEFORE_ALL, rows_within

#: Numbers of gaps, and days, that are counted in a table: nearly all. Half a megabyte stays in
#: the cache; what is beyond is sorted.
TABLE_GAPS, TABLE_DAYS = 65, 1024
#: Shares whose days an account lists, beside those given.
LISTED_SHARES = (Fraction(1, 2), Fraction(8, 10), Fraction(9, 10), Fraction(95, 100))
FEW_CUSTOMERS = 100

#: A lifecycle: its days and its account are options.
L = TypeVar("L", bound=Scheme)


@public()
@dataclass(frozen=True, kw_only=True)
class GapAccount:
    """What lifecycle thresholds were fitted from.

    Attributes
    ----------
    as_of, first_order_on
        The day the history was read as of, and its first order.
    active_share, churned_share
        The shares of the gaps, every repeat customer counted once, that end within
        ``active_days`` and ``churned_days``.
    buyers, repeat_customers, gaps
        Customers with an order, with two or more, and the gaps between their orders.
    gap_days
        The days within which shares of the gaps end: (share, days), ascending.
    """

    as_of: date
    first_order_on: date
    active_share: float
    churned_share: float
    buyers: int
    repeat_customers: int
    gaps: int
    gap_days: tuple[tuple[float, int], ...]

    @property
    def origin(self) -> str:
        """Where the numbers come from, in a few words."""
        customers = counted(self.repeat_customers, "repeat customer")
        return f"fitted as of {self.as_of} from {customers}"

    def __str__(self) -> str:
        parts = ", ".join(f"{100 * share:g} % within {days:,}" for share, days in self.gap_days)
        return (
            f"{self.repeat_customers:,} of {counted(self.buyers, 'buyer')} ordered again between "
            f"{self.first_order_on} and {self.as_of}, after {counted(self.gaps, 'gap')}.\n"
            f"Every repeat customer counted once, gaps end like this (days): {parts}.\n"
            f"active_days is where {100 * self.active_share:g} % of them have ended and "
            f"churned_days where {100 * self.churned_share:g} % have: who stays away longer does "
            "what repeat customers hardly ever do before they return."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the account as text, numbers and lists."""
        listed = [[share, days] for share, days in self.gap_days]
        days = {"as_of": str(self.as_of), "first_order_on": str(self.first_order_on)}
        return {**asdict(self), **days, "gap_days": listed}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> GapAccount:
        """Return the account that `to_dict` wrote."""
        days = {name: date.fromisoformat(given[name]) for name in ("as_of", "first_order_on")}
        gap_days = tuple((float(share), int(day)) for share, day in given["gap_days"])
        return cls(**{**given, **days, "gap_days": gap_days})


@dataclass(frozen=True, kw_only=True)
class GapRound(Round[CustomerBatch, L]):
    """Counts the gaps of customers as of a day.

    A cell is (number of the customer's gaps, days of one), so that weights stay integers; cells
    of no gaps hold buyers by the day of their first order.
    """

    as_of: int
    net_refunds: bool
    active_share: Fraction
    churned_share: Fraction
    scheme: L  # of which everything but the fitted days stays

    columns = ()

    def count(self, batch: CustomerBatch) -> Cells:
        """Count the gaps between the orders of the days up to `as_of`."""
        existing = (batch.visible <= self.as_of) & (batch.visible != NO_DAY)
        starts, stops = (np.empty(existing.size, np.int64) for _ in range(2))
        offsets = batch.offsets
        rows_within(offsets[:-1], offsets[1:], batch.days, BEFORE_ALL, self.as_of, starts, stops)
        starts, stops = starts[existing], stops[existing]
        table = np.zeros((TABLE_GAPS, TABLE_DAYS), np.int64)
        beyond = np.empty(batch.days.size, np.int64)
        first_days = np.empty(starts.size, np.int32)
        filled = count_gaps(
            starts,
            stops,
            batch.days,
            *batch.order_signs(net_refunds=self.net_refunds),
            table,
            beyond,
            first_days,
        )
        gaps, days = np.nonzero(table)
        since = np.bincount(first_days[first_days != NO_DAY] - FIRST_DAY)
        firsts = np.flatnonzero(since)
        return Cells.summed(
            np.concatenate([firsts, gaps << GAP_BITS | days, beyond[:filled]]),
            np.concatenate([since[firsts], table[gaps, days], np.ones(filled, np.int64)]),
        )

    def then(self, total: Cells) -> L:
        """Return the lifecycle with the days that the shares of the gaps reach."""
        gaps, days = total.cell >> GAP_BITS, total.cell & ((1 << GAP_BITS) - 1)
        are_gaps = gaps > 0
        firsts, buyers = days[~are_gaps], int(total.count[~are_gaps].sum())
        weighted = _WeightedGaps(gaps[are_gaps], days[are_gaps], total.count[are_gaps])
        if not weighted.customers:
            raise DataError(
                f"nobody has ordered twice by {date_of(self.as_of)}, of "
                f"{counted(buyers, 'buyer')}: there is no gap to fit to",
                remedy=("take a later ", Option("as_of"), ", or give the days yourself"),
            )
        active_days = weighted.days_that_reach(self.active_share)
        churned_days = max(weighted.days_that_reach(self.churned_share), active_days + 1)
        shares = sorted({*LISTED_SHARES, self.active_share, self.churned_share})
        account = GapAccount(
            as_of=date_of(self.as_of),
            first_order_on=date_of(int(firsts.min() + FIRST_DAY)),
            active_share=float(self.active_share),
            churned_share=float(self.churned_share),
            buyers=buyers,
            repeat_customers=weighted.customers,
            gaps=int(weighted.count.sum()),
            gap_days=tuple((float(share), weighted.days_that_reach(share)) for share in shares),
        )
        _warn_of_little(account, churned_days)
        return with_options(
            self.scheme, active_days=active_days, churned_days=churned_days, account=account
        )


def gap_round(
    scheme: L, as_of: date | str, *, net_refunds: bool, active_share: float, churned_share: float
) -> GapRound[L]:
    """Return the fit of a lifecycle as rounds over the customers of a history, for any engine."""
    shares = share_of(active_share, "active_share"), share_of(churned_share, "churned_share")
    if shares[0] > shares[1]:
        raise ConfigError(
            (
                Option("active_share", active_share),
                " is above ",
                Option("churned_share", churned_share),
            ),
            remedy="swap them: customers churn after they cease to be active",
        )
    return GapRound(
        as_of=day_number(as_of, "as_of"),
        net_refunds=net_refunds,
        active_share=shares[0],
        churned_share=shares[1],
        scheme=scheme,
    )


class _WeightedGaps:
    """Gaps of which each weighs 1 / (number of its customer's gaps)."""

    def __init__(
        self, gaps: NDArray[np.int64], days: NDArray[np.int64], count: NDArray[np.int64]
    ) -> None:
        self.gaps, self.days, self.count = gaps, days, count
        #: The sum of all weights: those of one customer add up to 1.
        self.customers = sum(
            gaps_of_all // gaps for gaps, gaps_of_all in Cells.summed(gaps, count).to_dict().items()
        )

    def days_that_reach(self, share: Fraction) -> int:
        """Return the smallest gap such that it and those below have the share of the weight."""
        candidates = np.unique(self.days)
        low, high = 0, candidates.size - 1
        while low < high:
            middle = (low + high) // 2
            if self._reach(share, int(candidates[middle])):
                high = middle
            else:
                low = middle + 1
        return int(candidates[low])

    def _reach(self, share: Fraction, days: int) -> bool:
        """Return whether the gaps of so many days or fewer have the share of the weight."""
        within = self.days <= days
        terms = list(Cells.summed(self.gaps[within], self.count[within]).to_dict().items())
        # Fractions as (denominator, numerator), never reduced; pairwise, they stay short for most
        # of the additions.
        while len(terms) > 1:
            pairs = zip(terms[::2], terms[1::2], strict=False)
            added = [(d * e, c * e + b * d) for (d, c), (e, b) in pairs]
            terms = added + terms[len(terms) & ~1 :]
        denominator, numerator = terms[0]
        return numerator * share.denominator >= share.numerator * self.customers * denominator


def share_of(value: object, option: str) -> Fraction:
    """Return a share above 0 and up to 1 as the fraction that its decimals write."""
    try:
        share = Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share <= 1:
        raise ConfigError(
            (Option(option, value), " is no share"), remedy="pass one above 0 and up to 1, as 0.8"
        )
    return share


def _warn_of_little(account: GapAccount, churned_days: int) -> None:
    """Warn where thresholds rest on few customers or on a history too short to show long gaps."""
    customers = account.repeat_customers
    if customers < FEW_CUSTOMERS:
        warn(
            f"thresholds were fitted from {counted(customers, 'customer')} who ordered twice; "
            f"under {FEW_CUSTOMERS} they say little: compare them with Lifecycle.presets()"
        )
    days = (account.as_of - account.first_order_on).days
    if days < 2 * churned_days:
        warn(
            (
                f"the history goes back {counted(days, 'day')}, less than twice ",
                Option("churned_days", churned_days),
                ": longer gaps have not had the time to end, so the thresholds may be too short",
            )
        )
