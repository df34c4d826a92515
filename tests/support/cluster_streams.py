"""Orders and touches of the same customers, for clusters and one machine."""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

import ordercycle as oc

AS_OF = "2026-06-30"
TOUCHED = oc.EventColumns(id="event_id", attributes=["kind", "channel", "campaign", "machine"])
FEATURES = {
    "clicks": "count(touches, kind == 'click')",
    "recent": "days_since(touches, channel in ('Email', 'Web Push'), last=90)",
    "channel": "top(touches.channel)",
    "both": "has_all(touches.kind, ('click', 'open'))",
    "bought": "sum(orders.amount, last=180)",
    "orders_here": "distinct(orders.order_id)",
}
MODELS = [
    oc.Attribution(exclude="machine"),
    oc.Attribution(model="linear", compete="channel", exclude="machine"),
]


class Streams(NamedTuple):
    """Tables, and histories of them."""

    orders: pa.Table
    touches: pa.Table
    columns: oc.Columns
    history: oc.OrderHistory
    events: oc.EventHistory


@cache
def streams(customers=120):
    data = oc.datasets.generated(customers=customers, touches=True)
    made = pa.table(data.touches())
    touches = pa.table({name: plain_column(made[name]) for name in made.column_names})
    columns = replace(data.columns, registered=None)
    history = oc.OrderHistory.build(data.orders, columns=columns)
    events = oc.EventHistory.build(touches, columns=TOUCHED)
    return Streams(data.orders, touches, columns, history, events)


def plain_column(column):
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def values(table):
    """Return a table with values in the place of codes, and one kind of text."""
    wide = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
    for place, field in enumerate(table.schema):
        column = plain_column(table.column(place))
        kind = wide.get(column.type, column.type)
        table = table.set_column(place, field.name, column.cast(kind))
    return table


def by_customer(table):
    return table.take(pc.sort_indices(table, sort_keys=[("customer_id", "ascending")]))
