"""The profile and the lifecycle segment in ordercycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ordercycle as oc

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

COLUMNS = oc.Columns(customer="customer_id", time="ordered_at", amount="amount")


def profile(orders: pa.Table, as_of: date) -> pa.Table:
    """Return every profile column and `lifecycle`, with every check and policy in force."""
    history = oc.OrderHistory.build(orders, columns=COLUMNS)
    return oc.Lifecycle().assign(history.profile(as_of))
