"""The profile and the lifecycle segment in DuckDB.

Formulations tried at 10 million orders (ns/order, two threads); the first one is kept:

====  ==========================================================================================
 160  `lag` and `first_value` in one window, median by `list_median(list(gap))`
 150  the same, median by `quantile_cont` over 16-bit gaps; at 20 million orders it takes 15 to 20 %
      more processor time than the first one, and 0.6 GB more memory
 165  the same, median by `quantile_cont` over 32-bit gaps; 20 % more at 20 million orders
 163  the first day by `min(day) OVER (PARTITION BY customer_id)` in place of `first_value`
 178  the same window, median picked from `list_sort(list(gap))`
 176  the window ordered by the timestamp, days taken afterwards
 205  one global sort and an unpartitioned `lag`, without the first 90 days
 220  `median(gap)` over date differences
 157  lists and lambdas without a window, but also without spread and first 90 days
 405  the same with everything, day and amount in a list of structs
====  ==========================================================================================

Of the 160, the window alone takes 88; window and grouping without a median 125.
"""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

import duckdb

from . import segment_names as names

if TYPE_CHECKING:
    import pyarrow as pa

BARE = """
    SELECT customer_id, count(*) AS orders, min(ordered_at) AS first_order_at,
           max(ordered_at) AS last_order_at, sum(amount) AS revenue
    FROM order_rows GROUP BY customer_id
"""

# last_gap: within the last day the earliest order has the largest gap and the last order the
# smallest, so the greatest (day, -gap), packed into one integer, carries it. This spares arg_max.
# The spread follows from whole-number sums: it needs no aggregate of its own.
FULL = f"""
WITH days AS (
    SELECT customer_id, (epoch_us(ordered_at) // 86400000000)::INTEGER AS day, amount
    FROM order_rows WHERE ordered_at < $end
), gaps AS (
    SELECT customer_id, day, amount, day - lag(day) OVER by_day AS gap,
           first_value(day) OVER by_day AS first_day
    FROM days WINDOW by_day AS (PARTITION BY customer_id ORDER BY day)
), sums AS (
    SELECT customer_id,
           min(first_day) AS first_day, max(day) AS last_day,
           count(*) AS orders, 1 + count(*) FILTER (gap > 0) AS order_days,
           sum(amount) AS revenue,
           sum(amount) FILTER (day < first_day + 90) AS revenue_first_90_days,
           sum(amount) FILTER (day = first_day) AS revenue_first_day,
           min(gap) AS gap_min, max(gap) AS gap_max,
           max(day::BIGINT * 1048576 - gap) AS last_day_and_gap,
           list_median(list(gap)) AS gap_median,
           sum(gap * gap)::BIGINT AS gap_square_sum
    FROM gaps GROUP BY customer_id
), durations AS (
    SELECT *,
           $as_of_day - first_day AS days_since_registration,
           $as_of_day - last_day AS days_since_last_order,
           last_day - first_day AS lifetime_days,
           CASE WHEN orders > 1 THEN (last_day - first_day) / (orders - 1) END
               AS time_between_orders
    FROM sums
)
SELECT customer_id,
       DATE '1970-01-01' + first_day AS registered_on,
       DATE '1970-01-01' + first_day AS first_order_on,
       DATE '1970-01-01' + last_day AS last_order_on,
       orders, order_days, revenue, revenue / orders AS average_order_value,
       days_since_registration, days_since_last_order, 0 AS days_to_first_order, lifetime_days,
       time_between_orders, gap_min, gap_max,
       (last_day::BIGINT * 1048576 - last_day_and_gap)::INTEGER AS last_gap,
       gap_median, gap_square_sum,
       CASE WHEN orders > 2 THEN sqrt(
           (gap_square_sum * (orders - 1) - lifetime_days::BIGINT * lifetime_days)
           / ((orders - 1) * (orders - 2))) END AS gap_std,
       CASE WHEN lifetime_days > 0 THEN days_since_last_order / time_between_orders END
           AS missed_purchase_cycles,
       DATE '1970-01-01' + (last_day + ceil(time_between_orders)::INTEGER)
           AS next_order_expected_on,
       revenue_first_90_days, revenue_first_day,
       CASE WHEN days_since_registration <= {names.NEW_DAYS}
            THEN CASE WHEN orders = 1 THEN '{names.NEW_ONE_ORDER}'
                      ELSE '{names.NEW_MORE_ORDERS}' END
            WHEN days_since_last_order > {names.CHURNED_DAYS} THEN '{names.CHURNED}'
            WHEN days_since_last_order > {names.ACTIVE_DAYS} THEN '{names.AT_RISK}'
            WHEN orders = 1 THEN '{names.PROMISING}'
            WHEN orders = 2 THEN '{names.ACTIVE}'
            ELSE '{names.LOYAL}' END AS lifecycle
FROM durations
"""


def profile(orders: pa.Table, as_of: date) -> pa.Table:
    """Return every profile column and `lifecycle`; `orders` has no refunds."""
    return run(FULL, orders, _parameters(as_of))


def profile_file(
    source: str, result: str, as_of: date, memory_limit: str | None, folder: str
) -> None:
    """Do the same from file to file; the settings of the result are DuckDB's own."""
    connection = _connection()
    connection.execute(f"SET temp_directory = '{folder}'")
    if memory_limit is not None:
        connection.execute(f"SET memory_limit = '{memory_limit}'")
        connection.execute("SET preserve_insertion_order = false")
    read = "read_csv" if source.endswith(".csv") else "read_parquet"
    query = FULL.replace("FROM order_rows", f"FROM {read}('{source}')")
    connection.execute(f"COPY ({query}) TO '{result}' (FORMAT parquet)", _parameters(as_of))


def _parameters(as_of: date) -> dict:
    return {"end": as_of + timedelta(days=1), "as_of_day": (as_of - date(1970, 1, 1)).days}


def bare_totals(orders: pa.Table, as_of: date) -> pa.Table:  # noqa: ARG001 - one signature for all
    """Return count, first, last and sum per customer: the least a profile could be."""
    return run(BARE, orders, None)


def run(query: str, orders: pa.Table, parameters: dict | None) -> pa.Table:
    """Return what a query makes of the orders."""
    connection = _connection().cursor()
    connection.register("order_rows", orders)
    try:
        return connection.sql(query, params=parameters).to_arrow_table()
    finally:
        connection.unregister("order_rows")
        connection.close()


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    # Every core is the default. Order is not asked for, so DuckDB need not keep it.
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f"SET temp_directory = '{tempfile.gettempdir()}/duckdb-peers'")
    return connection
