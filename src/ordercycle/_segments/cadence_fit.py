"""The rhythm of all customers together, from sums over a profile, and what it came from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from ordercycle._errors import DataError, Option, counted, whole_number
from ordercycle._public import public
from ordercycle._segments.assigning import (
    refuse_bad_orders,
    refuse_missing,
    selected,
    views,
)
from ordercycle._segments.counting_rounds import (
    AS_OF_COLUMNS,
    Cells,
    Round,
    as_of_cells,
    as_of_in,
    from_halves,
    of_day,
)
from ordercycle._segments.fittable import with_options
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.scheme import Scheme
from ordercycle_kernels import cadence as kernels

#: The profile columns that decide the group, and their types.
INPUTS = {
    "days_since_last_order": (pa.int32(),),
    "orders": (pa.int64(),),
    "lifetime_days": (pa.int32(),),
    "gap_square_sum": (pa.int64(),),
}


#: A cadence: its account is an option.
C = TypeVar("C", bound=Scheme)


@public()
@dataclass(frozen=True, kw_only=True)
class CadenceAccount:
    """The rhythm of all customers together, and what it was fitted from.

    Attributes
    ----------
    as_of
        The day of the profile; None where it does not say.
    repeat_customers, gaps
        Customers with two or more orders, and the gaps between their orders.
    gap_sum, gap_square_sum
        The sums of these gaps (days) and of their squares (days²).
    """

    as_of: date | None
    repeat_customers: int
    gaps: int
    gap_sum: int
    gap_square_sum: int

    def __post_init__(self) -> None:
        for name in ("repeat_customers", "gaps", "gap_sum", "gap_square_sum"):
            if whole_number(getattr(self, name)) is None:
                raise DataError((Option(name, getattr(self, name)), " is no whole number"))
        customers, squares = self.repeat_customers, self.gaps * self.gap_square_sum
        if not 0 < customers <= self.gaps or self.gap_sum < 0 or squares < self.gap_sum**2:
            raise DataError(
                f"no gaps between orders add up like this: {counted(self.gaps, 'gap')} of "
                f"{counted(customers, 'customer')}, {counted(self.gap_sum, 'day')} in all, and "
                f"their squares {self.gap_square_sum:,}",
                remedy="take orders, lifetime_days and gap_square_sum from one profile",
            )

    @property
    def mean_gap(self) -> float:
        """μ₀, the mean of all gaps, in days."""
        return self.gap_sum / self.gaps

    @property
    def gap_variance(self) -> float:
        """σ₀², the variance of all gaps with their number as divisor, in days²."""
        return (self.gaps * self.gap_square_sum - self.gap_sum**2) / self.gaps**2

    @property
    def origin(self) -> str:
        """Where the numbers come from, in a few words."""
        return (
            f"gaps of {self.mean_gap:.1f} ± {math.sqrt(self.gap_variance):.1f} days, fitted"
            f"{of_day(self.as_of)} from {counted(self.repeat_customers, 'repeat customer')}"
        )

    def __str__(self) -> str:
        mean, deviation = self.mean_gap, math.sqrt(self.gap_variance)
        customers = counted(self.repeat_customers, "customer")
        return (
            f"{customers} ordered again{of_day(self.as_of)}, after "
            f"{counted(self.gaps, 'gap')} of {mean:.1f} days on average, standard deviation "
            f"{deviation:.1f}.\nBy the rhythm of all, a customer is active for "
            f"{mean + deviation:.1f} days after an order and lost after {mean + 2 * deviation:.1f}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the account as text and numbers; no `as_of` where it is unknown."""
        made = asdict(self)
        as_of = made.pop("as_of")
        return made if as_of is None else {"as_of": str(as_of), **made}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> CadenceAccount:
        """Return the account that `to_dict` wrote."""
        as_of = given.get("as_of")
        return cls(**{**given, "as_of": None if as_of is None else date.fromisoformat(as_of)})


@dataclass(frozen=True)
class CadenceRound(Round[pa.Table, C]):
    """Sums the gaps of all customers and their squares."""

    scheme: C

    columns = tuple(dict.fromkeys((*INPUTS, *AS_OF_COLUMNS)))

    def count(self, batch: pa.Table) -> Cells:
        """Sum the gaps of a profile's customers."""
        batch = as_table(batch)
        total, sums = np.zeros(kernels.SUMS, np.int64), np.empty(kernels.SUMS, np.int64)
        for chunk in checked_gaps(batch).to_batches():
            _, orders, gap_sums, squares = views(chunk)
            kernels.sum_gaps(orders, gap_sums, squares, sums)
            total += sums
        return Cells.summed(np.arange(kernels.SUMS), total).plus(as_of_cells(batch))

    def then(self, total: Cells) -> C:
        """Return the fitted cadence."""
        found = total.to_dict()
        repeat_customers, *sums = (found.get(place, 0) for place in range(kernels.SUMS))
        if not repeat_customers:
            raise DataError(
                "no customer of this profile has ordered twice, so there are no gaps to fit to",
                remedy=("take a later ", Option("as_of"), " or more orders"),
            )
        gaps, gap_sum, squares = map(from_halves, sums[::2], sums[1::2])
        account = CadenceAccount(
            as_of=as_of_in(total),
            repeat_customers=repeat_customers,
            gaps=gaps,
            gap_sum=gap_sum,
            gap_square_sum=squares,
        )
        return with_options(self.scheme, account=account)


def checked_gaps(table: pa.Table) -> pa.Table:
    """Return the columns that decide the group, checked."""
    inputs = selected(table, INPUTS)
    refuse_bad_orders(inputs.column("orders"))
    refuse_missing(inputs, "days_since_last_order", at_least=1)
    refuse_missing(inputs, "lifetime_days", at_least=2)
    refuse_missing(inputs, "gap_square_sum", at_least=2)
    return inputs
