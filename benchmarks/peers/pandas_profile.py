"""The profile and the lifecycle segment in pandas, on one thread: pandas has no second.

Formulations tried at 4 million orders (ns/order); the first one is kept:

====  ==========================================================================================
 205  customers factorized once, gaps from a sort of (customer, day) packed into one integer
 215  the same with `groupby(sort=False)`, or grouped by a categorical of the codes
 670  `sort_values`, then `groupby.diff`, `transform` and one `agg`
====  ==========================================================================================
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from . import segment_names as names

_DAY_BITS = 20  # days from the epoch, moved up so that none is negative
_DAY_OFFSET = 1 << 19


def profile(orders: pa.Table, as_of: date) -> pa.Table:
    """Return every profile column and `lifecycle`; `orders` has no refunds."""
    as_of_day = (as_of - date(1970, 1, 1)).days
    customers, ids, days, amounts = _columns(orders, as_of_day)
    profiles = _totals(customers, days, amounts).join(_gaps(customers, days))
    profiles.insert(0, "customer_id", ids)
    _add_durations(profiles, as_of_day)
    _add_lifecycle(profiles)
    return _as_arrow(profiles)


def _columns(orders, as_of_day):
    customers, ids = pd.factorize(orders["customer_id"].to_pandas())
    days = orders["ordered_at"].to_numpy().astype("datetime64[D]").view(np.int64)
    amounts = orders["amount"].to_numpy()
    seen = days <= as_of_day
    if not seen.all():
        customers, days, amounts = customers[seen], days[seen], amounts[seen]
        customers, known = pd.factorize(customers)
        ids = ids.take(known)
    return customers, ids, days, amounts


def _totals(customers, days, amounts):
    frame = pd.DataFrame({"customer": customers, "day": days, "amount": amounts}, copy=False)
    by_customer = frame.groupby("customer")
    first_day = by_customer["day"].min()
    begins = first_day.to_numpy()[customers]
    early = frame["amount"].where(days < begins + 90, 0.0)
    at_first = frame["amount"].where(days == begins, 0.0)
    return pd.DataFrame(
        {
            "orders": by_customer.size(),
            "first_order_on": first_day,
            "last_order_on": by_customer["day"].max(),
            "revenue": by_customer["amount"].sum(),
            "revenue_first_90_days": early.groupby(customers).sum(),
            "revenue_first_day": at_first.groupby(customers).sum(),
        }
    )


def _gaps(customers, days):
    packed = (customers << _DAY_BITS) + (days + _DAY_OFFSET)
    packed.sort()
    customer = packed >> _DAY_BITS
    inside = customer[1:] == customer[:-1]
    gap = np.diff(packed)[inside]
    frame = pd.DataFrame(
        {"customer": customer[1:][inside], "gap": gap, "square": gap * gap, "positive": gap > 0},
        copy=False,
    )
    by_customer = frame.groupby("customer")
    return pd.DataFrame(
        {
            "gap_min": by_customer["gap"].min(),
            "gap_max": by_customer["gap"].max(),
            "last_gap": by_customer["gap"].last(),
            "gap_median": by_customer["gap"].median(),
            "gap_square_sum": by_customer["square"].sum(),
            "positive_gaps": by_customer["positive"].sum(),
        }
    )


def _add_durations(profiles, as_of_day):
    orders = profiles["orders"]
    first_day, last_day = profiles["first_order_on"], profiles["last_order_on"]
    lifetime = last_day - first_day
    mean_gap = (lifetime / (orders - 1)).where(orders > 1)
    variance = (profiles["gap_square_sum"] * (orders - 1) - lifetime**2) / (
        (orders - 1) * (orders - 2)
    ).where(orders > 2)
    profiles["registered_on"] = first_day
    profiles["order_days"] = 1 + profiles["positive_gaps"].fillna(0)
    profiles["average_order_value"] = profiles["revenue"] / orders
    profiles["days_since_registration"] = as_of_day - first_day
    profiles["days_since_last_order"] = as_of_day - last_day
    profiles["days_to_first_order"] = 0
    profiles["lifetime_days"] = lifetime
    profiles["time_between_orders"] = mean_gap
    profiles["gap_std"] = np.sqrt(variance)
    profiles["missed_purchase_cycles"] = profiles["days_since_last_order"] / mean_gap.where(
        lifetime > 0
    )
    profiles["next_order_expected_on"] = last_day + np.ceil(mean_gap)


def _add_lifecycle(profiles):
    orders = profiles["orders"].to_numpy()
    new = profiles["days_since_registration"].to_numpy() <= names.NEW_DAYS
    recency = profiles["days_since_last_order"].to_numpy()
    rules = [
        (new & (orders == 1), names.NEW_ONE_ORDER),
        (new, names.NEW_MORE_ORDERS),
        (recency > names.CHURNED_DAYS, names.CHURNED),
        (recency > names.ACTIVE_DAYS, names.AT_RISK),
        (orders == 1, names.PROMISING),
        (orders == 2, names.ACTIVE),
    ]
    codes = np.select(
        [rule for rule, _ in rules],
        [names.SEGMENTS.index(name) for _, name in rules],
        default=names.SEGMENTS.index(names.LOYAL),
    )
    profiles["lifecycle"] = pd.Categorical.from_codes(codes.astype(np.int8), names.SEGMENTS)


def _as_arrow(profiles):
    def typed(column, arrow_type):
        values = pa.array(profiles[column], from_pandas=True)
        if arrow_type == pa.date32():
            return values.cast(pa.int32()).view(arrow_type)
        return values if arrow_type is None else values.cast(arrow_type)

    return pa.table({column: typed(column, kind) for column, kind in TYPES.items()})


TYPES = {
    "customer_id": None,
    "registered_on": pa.date32(),
    "first_order_on": pa.date32(),
    "last_order_on": pa.date32(),
    "orders": pa.int64(),
    "order_days": pa.int64(),
    "revenue": pa.float64(),
    "average_order_value": pa.float64(),
    "days_since_registration": pa.int32(),
    "days_since_last_order": pa.int32(),
    "days_to_first_order": pa.int32(),
    "lifetime_days": pa.int32(),
    "time_between_orders": pa.float64(),
    "gap_min": pa.int32(),
    "gap_max": pa.int32(),
    "last_gap": pa.int32(),
    "gap_median": pa.float64(),
    "gap_square_sum": pa.int64(),
    "gap_std": pa.float64(),
    "missed_purchase_cycles": pa.float64(),
    "next_order_expected_on": pa.date32(),
    "revenue_first_90_days": pa.float64(),
    "revenue_first_day": pa.float64(),
    "lifecycle": None,
}
