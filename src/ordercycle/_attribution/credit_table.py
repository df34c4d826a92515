"""The audit of an attribution as Arrow: who is credited with what of which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, bitmap, rows_of
from ordercycle._attribution.credit_rows import CreditRows
from ordercycle._attribution.credit_scan import CreditScan, Meeting
from ordercycle._attribution.touch_classes import CAMPAIGN, CHANNEL_COLUMN, FORM, KIND
from ordercycle._history.detail_format import key_type, shown_keys
from ordercycle._ingest.column_readers import IdReader
from ordercycle._streams.columns import Attribute, Keys, Words, arrow_values
from ordercycle_kernels.credit_shares import NO_ORDER

Int64s = NDArray[np.int64]

INSTANTS = pa.timestamp("us", "UTC")
AGES = pa.duration("us")
CODES = pa.int32()
GROUP = "group"
#: Attributes of touches, in the order of the table; those that touches do not have are null.
OF_TOUCHES = (CHANNEL_COLUMN, CAMPAIGN, KIND, FORM)


class Shown(NamedTuple):
    """The touches that rows show: (r,), any where there is none; which there are; None: all."""

    touches: Int64s
    known: NDArray[np.bool_] | None
    valid: pa.Buffer | None

    @classmethod
    def of(cls, touches: Int64s) -> Shown:
        """Return those of rows, NO_ORDER where there is none; the mask is packed once for all."""
        known = touches != NO_ORDER
        if known.all():
            return cls(touches, None, None)
        return cls(np.where(known, touches, 0), known, bitmap(known))


@dataclass(frozen=True)
class CreditTable:
    """Makes the rows of the table of each batch."""

    scan: CreditScan

    @cached_property
    def attributes(self) -> Mapping[str, Attribute]:
        """Those of touches: made once, and their values put in order once, for all batches."""
        return self.scan.touches.columns.attributes

    @cached_property
    def schema(self) -> pa.Schema:
        """The names and types of the columns."""
        spec = self.scan.orders.spec
        event_id = self.scan.touches.spec.details.event_id
        revenue = pa.null() if spec.revenue is None else spec.revenue
        return pa.schema(
            [
                pa.field("order", pa.null() if spec.order_ids is None else spec.order_ids.plain),
                pa.field("customer_id", self.scan.orders.id_type, nullable=False),
                pa.field("ordered_at", INSTANTS, nullable=False),
                pa.field(GROUP, pa.dictionary(CODES, pa.string())),
                *(pa.field(name, self._type_of(name)) for name in OF_TOUCHES),
                pa.field("event", pa.null() if event_id is None else key_type(event_id)),
                pa.field("touched_at", INSTANTS),
                pa.field("age", AGES),
                pa.field("credit", pa.float64()),
                pa.field("revenue", revenue, nullable=spec.revenue is None),
            ]
        )

    def batch(self, met: Meeting, rows: CreditRows) -> pa.RecordBatch:
        """Return the rows of a batch of customers."""
        schema, orders = self.schema, met.orders
        shown = Shown.of(rows.touches)
        # An entry has a row at least: as many rows are one for each, in their order.
        is_one_each = rows.entries.size == orders.are_orders.size
        instants = orders.instants if is_one_each else orders.instants[rows.entries]
        touched = self.taken(met.touches.instants, shown.touches)
        # A refund has the id of the order that it refunds, where that is known.
        order_rows = rows.entries
        if orders.has_refunds:
            its_orders = orders.orders[rows.entries]
            order_rows = np.where(its_orders == NO_ORDER, rows.entries, its_orders)
        customers = np.repeat(np.arange(len(orders.batch.ids)), np.diff(orders.batch.offsets))
        if not is_one_each:
            customers = customers[rows.entries]
        ids = IdReader.as_produced(orders.batch.ids, self.scan.orders.id_type)
        order_ids = self.scan.reader.order_ids(orders.batch)
        if orders.has_refunds or not is_one_each:
            order_ids = order_ids.take(rows_of(order_rows))
        names = {name: self.attribute(name, met, shown) for name in OF_TOUCHES}
        arrays = [
            order_ids.cast(schema.field("order").type),
            ids.take(rows_of(customers)),
            array_of(instants, INSTANTS),
            self.groups(met, shown),
            *(names[name] for name in OF_TOUCHES),
            self._events(met, shown),
            array_of(touched, INSTANTS, shown.valid),
            array_of(instants - touched, AGES, shown.valid),
            array_of(rows.shares, pa.float64(), shown.valid),
            self._revenue(rows),
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def groups(self, met: Meeting, shown: Shown) -> pa.Array:
        """Return the group of each touch's channel."""
        classes = self.scan.finder.classes
        names = pa.array(classes.group_names, pa.string())
        if not met.touches.days.size:
            return pa.DictionaryArray.from_arrays(pa.nulls(shown.touches.size, CODES), names)
        codes = self.scan.groups_of(met, shown.touches)
        valid = shown.valid
        if classes.has_channels_of_no_group:
            valid = bitmap(codes >= 0 if shown.known is None else shown.known & (codes >= 0))
        return pa.DictionaryArray.from_arrays(array_of(codes, CODES, valid), names)

    def _type_of(self, name: str) -> pa.DataType:
        found = self.attributes.get(name)
        return pa.dictionary(CODES, pa.string() if found is None else found.type)

    def attribute(self, name: str, met: Meeting, shown: Shown) -> pa.Array:
        """Return an attribute of each touch, as a dictionary in the order of its values."""
        found = self.attributes.get(name)
        if found is None or not met.touches.days.size:
            kind = self._type_of(name)
            nothing = pa.array([], kind.value_type) if found is None else found.in_order.values
            return pa.DictionaryArray.from_arrays(pa.nulls(shown.touches.size, CODES), nothing)
        return dictionary_of(found, met.touches.codes[name][shown.touches], shown)

    def _events(self, met: Meeting, shown: Shown) -> pa.Array:
        reader, ids = self.scan.touches.spec.details.event_id, met.touches.details.event_ids
        if reader is None or ids is None:
            return pa.nulls(shown.touches.size)
        if not met.touches.days.size:
            return pa.nulls(shown.touches.size, key_type(reader))
        known = shown.known
        if ids.known is not None:
            have = ids.known[shown.touches]
            known = have if known is None else known & have
        return shown_keys(Keys(ids.words[shown.touches], known), reader)

    def _revenue(self, rows: CreditRows) -> pa.Array:
        revenue = self.scan.orders.spec.revenue
        if revenue is None:
            return pa.nulls(rows.entries.size)
        return arrow_values(Words(rows.parts.lows.view(np.int64), rows.parts.highs), revenue)

    @staticmethod
    def taken(values: Int64s | None, rows: Int64s) -> Int64s:
        """Return the instants of rows; of a batch without touches, any."""
        if values is None or not values.size:
            return np.zeros(rows.size, np.int64)
        return values[rows]


def dictionary_of(
    attribute: Attribute, codes: NDArray[np.uint8 | np.uint16 | np.uint32], shown: Shown
) -> pa.Array:
    """Return values of codes as a dictionary in the order of values, null where not known."""
    values, ranks = attribute.in_order
    places = codes if ranks is None else ranks[codes]
    indices = places.astype(np.int32)
    indices -= np.int32(1)
    valid = shown.valid
    if not places.all():
        valid = bitmap(places > 0 if shown.known is None else shown.known & (places > 0))
    return pa.DictionaryArray.from_arrays(array_of(indices, CODES, valid), values)
