"""The rhythm of all customers together, from sums over a profile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from ordercycle._errors import DataError, Option
from ordercycle._segments.cadence_account import CadenceAccount
from ordercycle._segments.counting_rounds import Cells, Round, whole
from ordercycle._segments.profile_fit import AS_OF_COLUMN, as_of_cells, as_of_in
from ordercycle._segments.profile_tables import as_table
from ordercycle._segments.scheme import (
    refuse_bad_orders,
    refuse_missing,
    selected,
    views,
)
from ordercycle_kernels import cadence as kernels

#: The profile columns that decide the group, and their types.
INPUTS = {
    "days_since_last_order": (pa.int32(),),
    "orders": (pa.int64(),),
    "lifetime_days": (pa.int32(),),
    "gap_square_sum": (pa.int64(),),
}


@dataclass(frozen=True)
class CadenceRound(Round[pa.Table, Any]):
    """Sums the gaps of all customers and their squares."""

    scheme: Any  # a Cadence

    columns = (*INPUTS, AS_OF_COLUMN)

    def count(self, batch: pa.Table) -> Cells:
        """Sum the gaps of a profile's customers."""
        batch = as_table(batch)
        total, sums = np.zeros(kernels.SUMS, np.int64), np.empty(kernels.SUMS, np.int64)
        for chunk in checked_gaps(batch).to_batches():
            _, orders, gap_sums, squares = views(chunk)
            kernels.sum_gaps(orders, gap_sums, squares, sums)
            total += sums
        return Cells.summed(np.arange(kernels.SUMS), total).plus(as_of_cells(batch))

    def then(self, total: Cells) -> Any:
        """Return the fitted cadence."""
        found = total.to_dict()
        repeat_customers, *sums = (found.get(place, 0) for place in range(kernels.SUMS))
        if not repeat_customers:
            raise DataError(
                "no customer of this profile has ordered twice, so there are no gaps to fit to",
                remedy=("take a later ", Option("as_of"), " or more orders"),
            )
        gaps, gap_sum, squares = map(whole, sums[::2], sums[1::2])
        account = CadenceAccount(
            as_of=as_of_in(total),
            repeat_customers=repeat_customers,
            gaps=gaps,
            gap_sum=gap_sum,
            gap_square_sum=squares,
        )
        return replace(self.scheme, account=account)


def checked_gaps(table: pa.Table) -> pa.Table:
    """Return the columns that decide the group, checked."""
    inputs = selected(table, INPUTS)
    refuse_bad_orders(inputs.column("orders"))
    refuse_missing(inputs, "days_since_last_order", at_least=1)
    refuse_missing(inputs, "lifetime_days", at_least=2)
    refuse_missing(inputs, "gap_square_sum", at_least=2)
    return inputs
