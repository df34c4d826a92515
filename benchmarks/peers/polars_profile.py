"""The profile and the lifecycle segment in Polars.

Formulations tried at 5 to 10 million orders (ns/order, two threads); the first one is kept:

====  ==========================================================================================
 130  days as a list per customer, sorted in the list; gaps by subtracting two slices of the list
 168  the same, gaps by `list.diff`, which takes 37 alone where the subtraction takes 6
 191  the same, the first day joined back in place of `min().over()`
 238  the same, the first 90 days filtered inside each group
 210  one global sort by customer and day, gaps by `shift` over the whole column
 250  `diff().over(order_by=…)`
 245  lists with `list.eval` for the squares
 670  one global sort, `diff` inside each group
 930  sort and `diff` inside each group
====  ==========================================================================================

All with the streaming engine; the in-memory engine took 1.1 to 1.5 times as long for the whole,
and five times as long where a group's rows were gathered into a list.
"""

from __future__ import annotations

import os
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import polars as pl
from polars import col

from . import segment_names as names

if TYPE_CHECKING:
    import pyarrow as pa


def profile(orders: pa.Table, as_of: date) -> pa.Table:
    """Return every profile column and `lifecycle`; `orders` has no refunds."""
    lazy = pl.from_arrow(orders).lazy()
    return _profiles(lazy, as_of).collect(engine="streaming").to_arrow()


def profile_file(
    source: str, result: str, as_of: date, memory_limit: str | None, folder: str
) -> None:
    """Do the same from file to file; the settings of the result are Polars' own."""
    if memory_limit is not None:
        raise ValueError("Polars keeps to no memory limit")
    os.environ["POLARS_TEMP_DIR"] = folder
    if source.endswith(".csv"):
        orders = pl.scan_csv(source, try_parse_dates=True)
    else:
        orders = pl.scan_parquet(source)
    _profiles(orders, as_of).sink_parquet(result, engine="streaming")


def _profiles(orders: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    return (
        orders.pipe(_grouped, as_of)
        .pipe(_gaps)
        .pipe(_durations, (as_of - date(1970, 1, 1)).days)
        .pipe(_finished)
    )


def _grouped(orders: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    end = datetime.combine(as_of + timedelta(days=1), time())
    early = pl.when(col.day < col.first_day + 90).then(col.amount).otherwise(0.0)
    at_first = pl.when(col.day == col.first_day).then(col.amount).otherwise(0.0)
    return (
        orders.filter(col.ordered_at < end)
        .select("customer_id", col.ordered_at.dt.date().cast(pl.Int32).alias("day"), "amount")
        .with_columns(first_day=col.day.min().over("customer_id"))
        .group_by("customer_id")
        .agg(
            orders=pl.len().cast(pl.Int64),
            first_day=col.first_day.first(),
            last_day=col.day.max(),
            revenue=col.amount.sum(),
            revenue_first_90_days=early.sum(),
            revenue_first_day=at_first.sum(),
            days=col.day.implode(),
        )
    )


def _gaps(grouped: pl.LazyFrame) -> pl.LazyFrame:
    days = col.days.list
    gaps = col.gaps.list
    return (
        grouped.with_columns(days=days.sort())
        .with_columns(gaps=days.slice(1) - days.slice(0, col.orders - 1))
        .with_columns(
            order_days=col.orders - gaps.count_matches(0),
            gap_min=gaps.min(),
            gap_max=gaps.max(),
            last_gap=gaps.last(),
            gap_median=gaps.median(),
            gap_square_sum=(col.gaps * col.gaps).list.sum().cast(pl.Int64),
        )
        .drop("days", "gaps")
    )


def _durations(profiles: pl.LazyFrame, as_of_day: int) -> pl.LazyFrame:
    repeat = col.orders > 1
    return profiles.with_columns(
        days_since_registration=as_of_day - col.first_day,
        days_since_last_order=as_of_day - col.last_day,
        lifetime_days=col.last_day - col.first_day,
    ).with_columns(
        time_between_orders=pl.when(repeat).then(col.lifetime_days / (col.orders - 1)),
        gap_square_sum=pl.when(repeat).then(col.gap_square_sum),
    )


def _finished(profiles: pl.LazyFrame) -> pl.LazyFrame:
    gaps = col.orders - 1
    square_of_sum = col.lifetime_days.cast(pl.Int64) ** 2
    variance = (col.gap_square_sum * gaps - square_of_sum) / (gaps * (gaps - 1))
    expected = col.last_day + col.time_between_orders.ceil().cast(pl.Int32)
    cycles = col.days_since_last_order / col.time_between_orders
    return profiles.select(
        col.customer_id,
        col.first_day.cast(pl.Date).alias("registered_on"),
        col.first_day.cast(pl.Date).alias("first_order_on"),
        col.last_day.cast(pl.Date).alias("last_order_on"),
        col.orders,
        col.order_days.cast(pl.Int64),
        col.revenue,
        (col.revenue / col.orders).alias("average_order_value"),
        col.days_since_registration,
        col.days_since_last_order,
        pl.lit(0, pl.Int32).alias("days_to_first_order"),
        col.lifetime_days,
        col.time_between_orders,
        col.gap_min,
        col.gap_max,
        col.last_gap,
        col.gap_median,
        col.gap_square_sum,
        pl.when(col.orders > 2).then(variance.sqrt()).alias("gap_std"),
        pl.when(col.lifetime_days > 0).then(cycles).alias("missed_purchase_cycles"),
        expected.cast(pl.Date).alias("next_order_expected_on"),
        col.revenue_first_90_days,
        col.revenue_first_day,
        _lifecycle().alias("lifecycle"),
    )


def _lifecycle() -> pl.Expr:
    def named(name: str) -> pl.Expr:
        return pl.lit(name, pl.Enum(names.SEGMENTS))

    new = col.days_since_registration <= names.NEW_DAYS
    return (
        pl.when(new & (col.orders == 1))
        .then(named(names.NEW_ONE_ORDER))
        .when(new)
        .then(named(names.NEW_MORE_ORDERS))
        .when(col.days_since_last_order > names.CHURNED_DAYS)
        .then(named(names.CHURNED))
        .when(col.days_since_last_order > names.ACTIVE_DAYS)
        .then(named(names.AT_RISK))
        .when(col.orders == 1)
        .then(named(names.PROMISING))
        .when(col.orders == 2)
        .then(named(names.ACTIVE))
        .otherwise(named(names.LOYAL))
    )
