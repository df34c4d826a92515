"""Attribution, features and value in Spark SQL.

Only rows and columns that can matter are shuffled, by customer, once. Instants are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from . import spark_profile
from .asked_features import FEW, MANY, Counted
from .cluster_cases import CAN_WIN, CLV, COUNTED, VALUE_COLUMNS, Given, Needed
from .generate import AS_OF
from .value_formulas import values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Formulation = Callable[[Given], Any]

END = AS_OF + timedelta(days=1)


def asked(query: str, **frames: DataFrame) -> DataFrame:
    """Return what a query says of frames by name."""
    for name, frame in frames.items():
        frame.createOrReplaceTempView(name)
    session = next(iter(frames.values())).sparkSession
    return session.sql(query)


def keep(frame: DataFrame, needed: Needed) -> DataFrame:
    """Return the touches that are needed."""
    return frame.where(needed.condition)


# Attribution.

#: The last click and the last text message before each order; touches and orders are one stream.
WINNERS = """
WITH able AS (
    SELECT customer_id, occurred_at AS moment, false AS is_order,
           NULL AS order_id, NULL AS amount,
           CASE WHEN kind = 'click' THEN occurred_at END AS clicked_at,
           CASE WHEN kind = 'click' THEN channel END AS channel,
           CASE WHEN kind = 'click' THEN campaign END AS campaign,
           CASE WHEN kind = 'delivery' THEN occurred_at END AS texted_at,
           CASE WHEN kind = 'delivery' THEN campaign END AS text_campaign
    FROM touches
    UNION ALL
    SELECT customer_id, ordered_at, true, order_id, amount, NULL, NULL, NULL, NULL, NULL
    FROM placed
), known AS (
    SELECT is_order, order_id, amount, moment,
           last(clicked_at, true) OVER before AS clicked_at,
           last(channel, true) OVER before AS channel,
           last(campaign, true) OVER before AS campaign,
           last(texted_at, true) OVER before AS texted_at,
           last(text_campaign, true) OVER before AS text_campaign
    FROM able
    WINDOW before AS (
        PARTITION BY customer_id ORDER BY moment, is_order
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
), open AS (
    SELECT *, clicked_at > moment - INTERVAL 5 DAYS AS is_click_open,
           texted_at > moment - INTERVAL 12 HOURS AS is_text_open
    FROM known WHERE is_order
), won AS (
    SELECT *, CASE
        WHEN is_click_open AND NOT coalesce(is_text_open AND texted_at > clicked_at, false)
            THEN 'click'
        WHEN is_text_open THEN 'delivery' END AS kind
    FROM open
)
SELECT order_id AS order, kind,
       CASE kind WHEN 'click' THEN channel WHEN 'delivery' THEN 'SMS' END AS channel,
       CASE kind WHEN 'click' THEN campaign WHEN 'delivery' THEN text_campaign END AS campaign,
       CASE kind WHEN 'click' THEN clicked_at WHEN 'delivery' THEN texted_at END AS touched_at,
       amount AS revenue
FROM won
"""
TOTALS = f"""
SELECT channel, CAST(count(*) AS DOUBLE) AS orders, sum(revenue) AS revenue
FROM ({WINNERS}) GROUP BY channel
"""


def credited(given: Given, query: str) -> DataFrame:
    """Return orders, or their totals, with the touches that win them."""
    return asked(query, touches=given.frame("touches", CAN_WIN), placed=given.frame("placed"))


# Features.


def instant(day: date) -> str:
    """Return the beginning of a day as a literal."""
    return f"TIMESTAMP '{day} 00:00:00 UTC'"


def counts_of(features: Iterable[Counted]) -> str:
    """Return the query that counts the touches of each customer."""
    made = ",\n".join(
        f"count_if(kind = '{one.kind}' AND channel = '{one.channel}' AND occurred_at >= "
        f"{instant(END - timedelta(days=one.days))}) AS {one.name}"
        for one in features
    )
    return f"""
        SELECT customer_id, {made} FROM touches
        WHERE occurred_at < {instant(END)} GROUP BY customer_id
    """


def _zeroes(features: Iterable[Counted]) -> str:
    return ", ".join(f"coalesce({one.name}, 0L) AS {one.name}" for one in features)


def counted(given: Given, features: tuple[Counted, ...]) -> DataFrame:
    """Return the people with counts of their touches."""
    query = f"""
        SELECT customer_id, {_zeroes(features)}
        FROM people LEFT JOIN ({counts_of(features)}) USING (customer_id)
    """
    touches = given.frame("touches", COUNTED)
    return asked(query, people=given.frame("people"), touches=touches)


#: In the place of `asked_features.MIXED`, by name.
MIXED = f"""
SELECT customer_id, coalesce(orders_email, 0D) AS orders_email, year_mean,
       email_share, coalesce(campaigns, 0L) AS campaigns, days_since_click, first_device,
       coalesce(submitted, false) AS submitted, coalesce(clicked AND opened, false)
           AS clicks_and_opens
FROM people LEFT JOIN (
    SELECT customer_id,
           coalesce(sum(amount) FILTER (WHERE channel = 'Email'), 0D) AS orders_email,
           avg(amount) FILTER (WHERE is_recent) AS year_mean,
           coalesce(sum(amount) FILTER (WHERE channel = 'Email'), 0D) / sum(amount) AS email_share,
           count(DISTINCT CASE WHEN is_recent THEN campaign END) AS campaigns,
           datediff(DATE '{AS_OF}', to_date(max(occurred_at) FILTER (WHERE kind = 'click')))
               AS days_since_click,
           min_by(device, occurred_at) AS first_device,
           bool_or(kind = 'submit') AS submitted,
           bool_or(kind = 'click') FILTER (WHERE is_recent) AS clicked,
           bool_or(kind = 'open') FILTER (WHERE is_recent) AS opened
    FROM (
        SELECT *, occurred_at >= {instant(END - timedelta(days=365))} AS is_recent
        FROM touches WHERE occurred_at < {instant(END)}
    ) GROUP BY customer_id
) USING (customer_id)
"""
#: The same, without Spark's DISTINCT, which makes rows of each touch: sets of what there is.
SETS = MIXED.replace(
    "count(DISTINCT CASE WHEN is_recent THEN campaign END)",
    "CAST(size(collect_set(campaign) FILTER (WHERE is_recent)) AS BIGINT)",
)


def mixed(given: Given, query: str) -> DataFrame:
    """Return the people with features of other functions."""
    return asked(query, people=given.frame("people"), touches=given.frame("touches"))


def profile_with_counts(given: Given) -> DataFrame:
    """Return profiles of the orders with counts of touches."""
    local = "CAST(ordered_at AS TIMESTAMP_NTZ) AS ordered_at"
    orders = given.frame("placed").selectExpr("customer_id", local, "amount")
    profiles = spark_profile.profile(orders, AS_OF).drop("lifecycle")
    query = f"""
        SELECT profiles.*, {_zeroes(FEW)}
        FROM profiles LEFT JOIN ({counts_of(FEW)}) USING (customer_id)
    """
    return asked(query, profiles=profiles, touches=given.frame("touches", COUNTED))


# Value.

#: Of each customer what the models read, in one shuffle.
HISTORIES = f"""
WITH days AS (
    SELECT /*+ REPARTITION({{partitions}}, customer_id) */ customer_id,
           unix_date(CAST(ordered_at AS DATE)) AS day, amount
    FROM orders WHERE ordered_at < TIMESTAMP_NTZ '{END}'
), spent AS (
    SELECT customer_id, day, sum(amount) AS amount FROM days GROUP BY customer_id, day
)
SELECT customer_id, CAST(count(*) - 1 AS DOUBLE) AS x,
       CAST(max(day) - min(day) AS DOUBLE) AS recency,
       CAST({(AS_OF - date(1970, 1, 1)).days} - min(day) AS DOUBLE) AS age,
       sum(amount) AS revenue, min_by(amount, day) AS first
FROM spent GROUP BY customer_id
"""
SCHEMA = "customer_id long, " + ", ".join(f"{name} double" for name in VALUE_COLUMNS[1:])


def scored(given: Given) -> DataFrame:
    """Return what customers are worth, given the parameters."""
    query = HISTORIES.format(partitions=given.partitions)
    parameters = {name: estimate for name, (estimate, _) in (CLV.parameters or {}).items()}
    score = partial(_scores, parameters=parameters, horizon=CLV.horizon_days)
    return asked(query, orders=given.frame("orders")).mapInArrow(score, SCHEMA)


def _scores(
    batches: Iterable[pa.RecordBatch], parameters: Mapping[str, float], horizon: int
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        inputs = {
            name: np.asarray(batch.column(name))
            for name in ("x", "recency", "age", "revenue", "first")
        }
        found = values(inputs, parameters, horizon)
        yield pa.RecordBatch.from_pydict({"customer_id": batch.column("customer_id"), **found})


#: By the names of cases; the results of all are compared.
FORMULATIONS: Mapping[str, Mapping[str, Formulation]] = {
    "profile": {
        f"SQL with windows, {name}": lambda given, name=name: spark_profile.profile(
            given.frame("orders"), AS_OF, name
        )
        for name in spark_profile.MEDIANS
    },
    "value": {"SQL, NumPy in mapInArrow": scored},
    "features-8": {"SQL, count_if": partial(counted, features=FEW)},
    "features-64": {"SQL, count_if": partial(counted, features=MANY)},
    "features-mixed": {
        "SQL, count(DISTINCT)": partial(mixed, query=MIXED),
        "SQL, collect_set": partial(mixed, query=SETS),
    },
    "profile-features": {"SQL with windows, count_if": profile_with_counts},
    "attribution": {"SQL, last before in a window": partial(credited, query=WINNERS)},
    "attribution-totals": {
        "SQL, last before in a window": lambda given: credited(given, TOTALS).toArrow()
    },
}
