"""Events by customer and time, and counts of them, in Polars.

Formulations tried at 2 million events (processor ns an event); the first one of each is kept:

====  ==========================================================================================
 236  `sort` of a frame with codes (8-bit integers in place of texts)
 258  `sort` of a frame with categories
 266  rows gathered by `arg_sort_by`
 358  `sort` by the streaming engine
----  ------------------------------------------------------------------------------------------
  45  8 counts: truths as columns first, summed in groups; 186 for 64
  49  truths within the groups; 193 for 64
====  ==========================================================================================

Frames are made of Arrow before the clock starts, which takes no time for codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import polars as pl
from polars import col

from .duckdb_events import codes
from .generate_events import ATTRIBUTES

if TYPE_CHECKING:
    import pyarrow as pa

    from .asked_features import Counted


def sort(events: pa.Table) -> pa.Table:
    """Return the events, attributes as codes, by customer and time."""
    return pl.from_arrow(codes(events)).sort("customer_id", "occurred_at").to_arrow()


def count(events: pa.Table, asked: Iterable[Counted], as_of: date) -> pa.Table:
    """Return a column of each feature, for every customer with events until the day."""
    end = datetime.combine(as_of + timedelta(days=1), time())
    truths = [
        (
            (col.kind == ATTRIBUTES["kind"].index(one.kind))
            & (col.channel == ATTRIBUTES["channel"].index(one.channel))
            & (col.occurred_at >= end - timedelta(days=one.days))
        ).alias(one.name)
        for one in asked
    ]
    return (
        pl.from_arrow(codes(events))
        .lazy()
        .filter(col.occurred_at < end)
        .select("customer_id", *truths)
        .group_by("customer_id")
        .agg(pl.all().sum().cast(pl.Int64))
        .collect(engine="streaming")
        .to_arrow()
    )
