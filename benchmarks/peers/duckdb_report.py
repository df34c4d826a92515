"""Two years of monthly segment reports in DuckDB, from orders alone.

A window gives each order its customer's number of orders and first day, hence the segment on the
order's day. Orders of a customer, month and segment are added up once, for the metrics of the
month, and once more per customer and month, for what each customer has at the end of every month.

Formulations tried at 2 million orders (ns of processor time per order, two threads); the first one
is kept:

====  ===========================================================================================
1140  the months of a state by `unnest(range(...))`
1290  the same by a join of states and months on a range
1140  differences: a row where a state begins to count for a segment and one where it ends, summed
      by segment and month and then over the months; the sums of money lose digits, and the four
      pieces of a state take as many rows as the months do
====  ===========================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import segment_names as names
from .duckdb_profile import run

if TYPE_CHECKING:
    import pyarrow as pa

EVERYBODY = "All Customers"
#: Months are counted as 12 * year + month - 1; the reports are those of 2024 and 2025.
FIRST_MONTH, AFTER = 12 * 2024, 12 * 2026

REPORTS = f"""
WITH days AS (
    SELECT customer_id, amount, (epoch_us(ordered_at) // 86400000000)::INTEGER AS day,
           (12 * year(ordered_at) + month(ordered_at) - 1)::INTEGER AS month
    FROM order_rows
), seen AS (
    SELECT customer_id, amount, day, month, count(*) OVER by_day AS orders,
           first_value(day) OVER by_day AS first
    FROM days WINDOW by_day AS (PARTITION BY customer_id ORDER BY day)
), bought AS MATERIALIZED (
    SELECT customer_id, month,
           CASE WHEN day <= first + {names.NEW_DAYS} THEN CASE orders WHEN 1 THEN 1 ELSE 2 END
                ELSE CASE orders WHEN 1 THEN 3 WHEN 2 THEN 4 ELSE 5 END END::TINYINT AS code,
           count(*) AS orders, sum(amount) AS revenue, max(day) AS last,
           any_value(first) AS first, bool_or(day = first) AS entered,
           coalesce(sum(amount) FILTER (day < first + 90), 0) AS early
    FROM seen GROUP BY ALL
), customer_months AS (
    SELECT customer_id, month, sum(orders)::BIGINT AS orders, sum(revenue) AS revenue,
           max(last) AS last, any_value(first) AS first, sum(early) AS early
    FROM bought GROUP BY customer_id, month
), during AS (
    SELECT month, coalesce(code, 99) AS code, sum(orders)::BIGINT AS orders,
           sum(revenue) AS revenue, count(DISTINCT customer_id) AS buyers,
           count(*) FILTER (entered) AS entered
    FROM bought WHERE month BETWEEN {FIRST_MONTH} AND {AFTER - 1}
    GROUP BY GROUPING SETS ((month, code), (month))
), states AS (
    SELECT month, first, last, sum(orders) OVER by_month AS orders,
           sum(revenue) OVER by_month AS revenue, sum(early) OVER by_month AS early,
           coalesce(lead(month) OVER by_month, {AFTER}) AS next,
           lag(month) OVER by_month IS NOT NULL AS is_repeated
    FROM customer_months WINDOW by_month AS (PARTITION BY customer_id ORDER BY month)
), months AS (
    SELECT (12 * year(day) + month(day) - 1)::INTEGER AS month, day::DATE AS first_day,
           (last_day(day::DATE) - DATE '1970-01-01')::INTEGER AS last_day
    FROM generate_series(DATE '2024-01-01', DATE '2025-12-01', INTERVAL 1 MONTH) AS days(day)
), ends AS (
    SELECT states.*, last_day, months.month AS of_month
    FROM (SELECT *, unnest(range(greatest(month, {FIRST_MONTH}), least(next, {AFTER})))
                    AS of_month FROM states) AS states
    JOIN months ON months.month = states.of_month
), so_far AS (
    SELECT of_month,
           CASE WHEN last_day - first <= {names.NEW_DAYS}
                THEN CASE orders WHEN 1 THEN 1 ELSE 2 END
                WHEN last_day - last <= {names.ACTIVE_DAYS}
                THEN CASE orders WHEN 1 THEN 3 WHEN 2 THEN 4 ELSE 5 END
                WHEN last_day - last <= {names.CHURNED_DAYS} THEN 6 ELSE 7 END AS at_end,
           count(*) AS customers, sum(orders)::BIGINT AS orders, sum(revenue) AS revenue,
           sum(early) AS early, count(*) FILTER (orders > 1) AS repeat_buyers,
           sum(last - first)::BIGINT AS lifetime, sum(last_day - last)::BIGINT AS since_last,
           count(*) FILTER (month = of_month AND is_repeated) AS returning
    FROM ends GROUP BY GROUPING SETS ((of_month, at_end), (of_month))
), audience AS (
    SELECT *, coalesce(at_end, 99) AS code, orders - customers AS gaps FROM so_far
), every_row AS (
    SELECT * FROM months CROSS JOIN (SELECT unnest([0, 1, 2, 3, 4, 5, 6, 7, 8, 99]) AS code)
)
SELECT CASE every_row.code WHEN 99 THEN '{EVERYBODY}'
            ELSE {list(names.SEGMENTS)}[every_row.code + 1] END AS segment,
       first_day AS month,
       coalesce(d.revenue, 0)::DOUBLE AS "Revenue",
       coalesce(d.orders, 0)::DOUBLE AS "Orders",
       d.revenue / d.orders AS "Average Order Value",
       d.orders / d.buyers AS "Orders per Buyer per Month",
       coalesce(a.revenue, 0)::DOUBLE AS "Revenue (all time)",
       coalesce(a.revenue, 0) / everybody.revenue AS "Share of Revenue (all time)",
       coalesce(a.orders, 0)::DOUBLE AS "Orders (all time)",
       coalesce(a.orders, 0) / everybody.orders AS "Share of Orders (all time)",
       a.revenue / a.orders AS "Average Order Value (all time)",
       a.orders / a.customers AS "Orders per Customer (all time)",
       a.orders / a.customers AS "Orders per Buyer (all time)",
       a.revenue / a.customers AS "Revenue per Customer (all time)",
       a.early / a.customers AS "Revenue per Buyer (90 days)",
       a.customers / a.customers AS "First-Order Conversion (all time)",
       0 / a.customers AS "Time to First Order",
       a.repeat_buyers / a.customers AS "Repeat-Order Conversion (all time)",
       a.gaps / a.orders AS "Share of Repeat Orders (all time)",
       a.returning / a.customers AS "Returning Customer Rate (last month)",
       a.lifetime / nullif(a.gaps, 0) AS "Time Between Orders",
       a.since_last / a.customers AS "Days Since Last Order",
       (a.since_last / a.customers) / nullif(a.lifetime / nullif(a.gaps, 0), 0)
           AS "Missed Purchase Cycles",
       a.lifetime / a.customers AS "Customer Lifetime",
       coalesce(a.customers, 0)::DOUBLE AS "Customers",
       coalesce(a.customers, 0) / everybody.customers AS "Customer Share",
       coalesce(d.entered, 0)::DOUBLE AS "New Customer Registrations"
FROM every_row
LEFT JOIN during AS d ON d.month = every_row.month AND d.code = every_row.code
LEFT JOIN audience AS a ON a.of_month = every_row.month AND a.code = every_row.code
LEFT JOIN audience AS everybody ON everybody.of_month = every_row.month AND everybody.code = 99
"""


def reports(orders: pa.Table) -> pa.Table:
    """Return all metrics of each segment and month; `orders` has no refunds."""
    return run(REPORTS, orders, None)
