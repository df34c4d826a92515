"""The profile and the lifecycle segment in Dask DataFrame's own expressions.

Orders are shuffled by customer and sorted within partitions; what lies between two rows is then a
shift, the first day a forward fill, and the rest one `groupby`. Formulations tried at 20 million
orders of 2 million customers, with two workers of a thread (processor seconds, on a machine that
had other work to do); the first one is kept:

===  ===========================================================================================
 16  grouped by pandas, mapped over the partitions; days of 16 bits, sorted one key at a time
 18  the same, sorted by two keys at once
 18  the same, not fused by `optimize` beforehand, as `compute` leaves it
 21  grouped by Dask, which shuffles once more what is shuffled by customer already
 39  the same, shuffled by `p2p`, which Dask takes of itself
===  ===========================================================================================
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from dask.utils import M

from . import segment_names as names
from .pandas_profile import TYPES

if TYPE_CHECKING:
    import dask.dataframe as dd

EPOCH = pd.Timestamp("1970-01-01")
AGGREGATES = {
    "orders": ("day", "count"),
    "first_order_on": ("day", "min"),
    "last_order_on": ("day", "max"),
    "revenue": ("amount", "sum"),
    "revenue_first_90_days": ("early", "sum"),
    "revenue_first_day": ("at_first", "sum"),
    "gap_min": ("gap", "min"),
    "gap_max": ("gap", "max"),
    "last_gap": ("gap", "last"),
    "gap_median": ("gap", "median"),
    "gap_square_sum": ("square", "sum"),
    "positive_gaps": ("positive", "sum"),
}


def profile(orders: dd.DataFrame, as_of: date, partitions: int) -> dd.DataFrame:
    """Return every profile column and `lifecycle`; `orders` has no refunds."""
    as_of_day = (pd.Timestamp(as_of) - EPOCH).days
    found = _rows(orders, as_of_day, partitions).map_partitions(_by_customer)
    found = found.astype({"first_order_on": "int64", "last_order_on": "int64"})
    found = found.assign(**_durations(found, as_of_day))
    found = found.assign(lifecycle=_lifecycle(found))
    kinds = {name: pd.ArrowDtype(kind) for name, kind in TYPES.items() if kind is not None}
    days = {name: "int32[pyarrow]" for name, kind in TYPES.items() if kind == pa.date32()}
    return found[list(TYPES)].astype(days).astype(kinds)


def _rows(orders, as_of_day, partitions):
    # NumPy sorts 16 bits by radix.
    rows = orders.assign(day=(orders["ordered_at"] - EPOCH).dt.days.astype("int16"))
    rows = rows[rows["day"] <= as_of_day][["customer_id", "day", "amount"]]
    rows = rows.shuffle(
        "customer_id", npartitions=partitions, ignore_index=True, shuffle_method="tasks"
    )
    for key in ("day", "customer_id"):
        rows = rows.map_partitions(M.sort_values, key, kind="stable", ignore_index=True)
    before = rows[["customer_id", "day"]].map_partitions(M.shift, fill_value=-1)
    again = rows["customer_id"] == before["customer_id"]
    gap = (rows["day"] - before["day"]).astype("float64").where(again)
    first = rows["day"].where(~again).map_partitions(M.ffill)
    return rows.assign(
        gap=gap,
        square=gap * gap,
        positive=gap > 0,
        early=rows["amount"].where(rows["day"] < first + 90, 0.0),
        at_first=rows["amount"].where(rows["day"] == first, 0.0),
    )


def _by_customer(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.groupby("customer_id", sort=False).agg(**AGGREGATES).reset_index()


def _durations(found, as_of_day):
    orders, revenue, squares = found["orders"], found["revenue"], found["gap_square_sum"]
    first_day, last_day = found["first_order_on"], found["last_order_on"]
    lifetime, recency = last_day - first_day, as_of_day - last_day
    gaps = (orders - 1).where(orders > 1)
    mean_gap = lifetime / gaps
    variance = (squares * gaps - lifetime**2) / (gaps * (gaps - 1).where(gaps > 1))
    return {
        "registered_on": first_day,
        "order_days": 1 + found["positive_gaps"],
        "average_order_value": revenue / orders,
        "days_since_registration": as_of_day - first_day,
        "days_since_last_order": recency,
        "days_to_first_order": 0,
        "lifetime_days": lifetime,
        "time_between_orders": mean_gap,
        "gap_square_sum": squares.where(orders > 1),
        "gap_std": np.sqrt(variance),
        "missed_purchase_cycles": recency / mean_gap.where(lifetime > 0),
        "next_order_expected_on": last_day + np.ceil(mean_gap),
    }


def _lifecycle(found):
    orders, recency = found["orders"], found["days_since_last_order"]
    new = found["days_since_registration"] <= names.NEW_DAYS
    segment = (orders * 0).astype("int8")
    # The last rule that holds decides.
    for rule, name in (
        (orders >= 0, names.LOYAL),
        (orders == 2, names.ACTIVE),
        (orders == 1, names.PROMISING),
        (recency > names.ACTIVE_DAYS, names.AT_RISK),
        (recency > names.CHURNED_DAYS, names.CHURNED),
        (new, names.NEW_MORE_ORDERS),
        (new & (orders == 1), names.NEW_ONE_ORDER),
    ):
        segment = segment.mask(rule, names.SEGMENTS.index(name))
    return segment.map(dict(enumerate(names.SEGMENTS)), meta=("lifecycle", "string[pyarrow]"))
