"""Events by customer and time, and features of them, in ordercycle."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

import ordercycle as oc

from .generate_events import ATTRIBUTES, VALUES

if TYPE_CHECKING:
    from .asked_features import Asked

COLUMNS = oc.EventColumns(customer="customer_id", time="occurred_at", attributes=tuple(ATTRIBUTES))


def build(events: pa.Table) -> oc.EventHistory:
    """Return the events grouped by customer, in the order of time; values where there are any."""
    values = tuple(name for name in VALUES if name in events.column_names)
    columns = oc.EventColumns(
        customer=COLUMNS.customer, time=COLUMNS.time, attributes=COLUMNS.attributes, values=values
    )
    return oc.EventHistory.build(events, columns=columns)


def customers(history: oc.EventHistory) -> pa.Table:
    """Return the customers of a history, in its order: a table of ids."""
    ids = [batch.column(COLUMNS.customer) for batch in history.to_batches()]
    return pa.table({COLUMNS.customer: pa.chunked_array(ids)})


def sort(events: pa.Table) -> pa.Table:
    """Return the events, attributes as codes, by customer and time: by the id, as others do."""
    tables = []
    for batch in build(events).to_batches():
        lists = batch.column("events")
        fields = lists.flatten()
        owners = pa.compute.list_parent_indices(lists)
        columns = {COLUMNS.customer: batch.column(COLUMNS.customer).take(owners)}
        columns[COLUMNS.time] = fields.field(COLUMNS.time).cast(pa.timestamp("us"))
        for name, values in ATTRIBUTES.items():
            words = fields.field(name).cast(pa.string())
            codes = pa.compute.index_in(words, pa.array(values))
            columns[name] = codes.cast(pa.uint8())
        tables.append(pa.table(columns))
    whole = pa.concat_tables(tables)
    # Customers come by hash; a stable sort by id leaves the order of their events as it is.
    return whole.take(pa.compute.sort_indices(whole[COLUMNS.customer]))


def count(
    history: oc.EventHistory, profile: pa.Table, asked: Iterable[Asked], as_of: date
) -> pa.Table:
    """Return a column of each feature, for every customer of a table."""
    features = {one.name: one.text for one in asked}
    return oc.features(profile, features, as_of=as_of, streams={"touches": history})
