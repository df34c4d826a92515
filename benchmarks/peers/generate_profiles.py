"""Profiles to fit and assign schemes to; it needs no peer, so that suites can import it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

#: Customers of a chunk, about as many as a profile of `OrderHistory` has.
CHUNK_ROWS = 16_384


def profile_table(customers: int) -> pa.Table:
    """Return what schemes read of a profile, in chunks."""
    random = np.random.default_rng(20260101)
    orders = np.ceil(random.lognormal(1.5, 0.8, customers)).astype(np.int64)
    since = random.integers(0, 1096, customers).astype(np.int32)
    lifetime = np.where(orders > 1, random.integers(0, 1096, customers), 0).astype(np.int32)
    gaps = np.maximum(orders - 1, 1)
    # Gaps that are equal but for a spread of some days.
    squares = lifetime.astype(np.int64) ** 2 // gaps + gaps * random.integers(1, 400, customers)
    table = pa.table(
        {
            "days_since_registration": since + lifetime,
            "days_since_last_order": since,
            "orders": orders,
            "revenue": np.round(random.lognormal(4, 1, customers) * orders, 2),
            "lifetime_days": lifetime,
            "gap_square_sum": squares,
        }
    )
    return pa.Table.from_batches(table.to_batches(max_chunksize=CHUNK_ROWS))
