"""The profile and the lifecycle segment in Spark SQL.

One shuffle by customer: the window leaves the rows as the grouping needs them.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from . import segment_names as names

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# last_gap: the earliest order of the last day has the largest gap and its last order the smallest,
# so the greatest (day, -gap), packed into one integer, carries it. This spares max_by.
FULL = f"""
WITH days AS (
    SELECT customer_id, unix_date(CAST(ordered_at AS DATE)) AS day, amount
    FROM {{orders}} WHERE ordered_at < TIMESTAMP_NTZ '{{end}}'
), gaps AS (
    SELECT customer_id, day, amount, day - lag(day) OVER by_day AS gap,
           first_value(day) OVER by_day AS first_day
    FROM days WINDOW by_day AS (PARTITION BY customer_id ORDER BY day)
), sums AS (
    SELECT customer_id,
           min(first_day) AS first_day, max(day) AS last_day,
           count(*) AS orders, 1 + count_if(gap > 0) AS order_days,
           sum(amount) AS revenue,
           sum(amount) FILTER (WHERE day < first_day + 90) AS revenue_first_90_days,
           sum(amount) FILTER (WHERE day = first_day) AS revenue_first_day,
           min(gap) AS gap_min, max(gap) AS gap_max,
           max(CAST(day AS BIGINT) * 1048576 - gap) AS last_day_and_gap,
           {{median}} AS gap_median,
           sum(CAST(gap AS BIGINT) * gap) AS gap_square_sum
    FROM gaps GROUP BY customer_id
), durations AS (
    SELECT *,
           {{as_of_day}} - first_day AS days_since_registration,
           {{as_of_day}} - last_day AS days_since_last_order,
           last_day - first_day AS lifetime_days,
           CASE WHEN orders > 1 THEN (last_day - first_day) / (orders - 1) END
               AS time_between_orders
    FROM sums
)
SELECT customer_id,
       date_from_unix_date(first_day) AS registered_on,
       date_from_unix_date(first_day) AS first_order_on,
       date_from_unix_date(last_day) AS last_order_on,
       orders, order_days, revenue, revenue / orders AS average_order_value,
       days_since_registration, days_since_last_order, 0 AS days_to_first_order, lifetime_days,
       time_between_orders, gap_min, gap_max,
       CAST(last_day * 1048576L - last_day_and_gap AS INT) AS last_gap,
       CAST(gap_median AS DOUBLE) AS gap_median, gap_square_sum,
       CASE WHEN orders > 2 THEN sqrt(
           (gap_square_sum * (orders - 1) - CAST(lifetime_days AS BIGINT) * lifetime_days)
           / ((orders - 1) * (orders - 2))) END AS gap_std,
       CASE WHEN lifetime_days > 0 THEN days_since_last_order / time_between_orders END
           AS missed_purchase_cycles,
       date_from_unix_date(CAST(last_day + ceil(time_between_orders) AS INT))
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

#: Exact medians: of the gaps sorted in a list, and as a percentile of their counts.
SORTED_LIST = """
    (get(array_sort(collect_list(gap)), CAST((count(gap) - 1) DIV 2 AS INT))
     + get(array_sort(collect_list(gap)), CAST(count(gap) DIV 2 AS INT))) / 2D
"""
MEDIANS = {"sorted list": SORTED_LIST, "percentile": "percentile(gap, 0.5D)"}


def profile(orders: DataFrame, as_of: date, median: str = "percentile") -> DataFrame:
    """Return every profile column and `lifecycle`; `orders` has no refunds."""
    orders.createOrReplaceTempView("order_rows")
    query = FULL.format(
        orders="order_rows",
        end=as_of + timedelta(days=1),
        as_of_day=(as_of - date(1970, 1, 1)).days,
        median=MEDIANS[median],
    )
    return orders.sparkSession.sql(query)
