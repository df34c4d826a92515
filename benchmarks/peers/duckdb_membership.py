"""Lifecycle memberships in DuckDB: where segments start, from order days and thresholds.

Each order day gives up to four starts before the next one: newcomer, the segment that follows,
At-risk and Churned. Neighbours that are equal join by comparing each with the one before.
Counting the orders of each day first, in place of `row_number` and a filter, took a third more
processor time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import segment_names as names
from .duckdb_profile import run

if TYPE_CHECKING:
    import pyarrow as pa

AGED = names.NEW_DAYS + 1

MEMBERSHIPS = f"""
WITH days AS (
    SELECT customer_id, (epoch_us(ordered_at) // 86400000000)::INTEGER AS day FROM order_rows
), order_days AS (
    SELECT customer_id, day, row_number() OVER by_day AS orders,
           first_value(day) OVER by_day AS registered,
           coalesce(lead(day) OVER by_day, 1000000) AS next_day
    FROM days WINDOW by_day AS (PARTITION BY customer_id ORDER BY day)
), starts AS (
    SELECT customer_id, next_day, unnest([
        {{'day': CASE WHEN day < registered + {AGED} THEN day END,
          'name': CASE WHEN orders = 1 THEN '{names.NEW_ONE_ORDER}'
                       ELSE '{names.NEW_MORE_ORDERS}' END}},
        {{'day': greatest(day, registered + {AGED}),
          'name': CASE orders WHEN 1 THEN '{names.PROMISING}' WHEN 2 THEN '{names.ACTIVE}'
                              ELSE '{names.LOYAL}' END}},
        {{'day': day + {names.ACTIVE_DAYS + 1}, 'name': '{names.AT_RISK}'}},
        {{'day': day + {names.CHURNED_DAYS + 1}, 'name': '{names.CHURNED}'}}
    ], recursive := true)
    FROM order_days WHERE day < next_day
), changes AS (
    SELECT customer_id, day, name FROM starts WHERE day < next_day
    QUALIFY name IS DISTINCT FROM lag(name) OVER (PARTITION BY customer_id ORDER BY day)
)
SELECT customer_id, name AS segment, DATE '1970-01-01' + day AS valid_from,
       DATE '1970-01-01' + lead(day) OVER (PARTITION BY customer_id ORDER BY day) AS valid_to
FROM changes
"""


def memberships(orders: pa.Table) -> pa.Table:
    """Return all intervals; `orders` has no refunds."""
    return run(MEMBERSHIPS, orders, None)
