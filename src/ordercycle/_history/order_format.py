"""Batches of orders as files have them, and what a manifest says of their history."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, booleans, fixed_view, mask_of
from ordercycle._columns import Columns
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle._grouping.batches import CustomerBatch, DroppedDays
from ordercycle._history.detail_format import (
    INSTANTS,
    are_fields,
    check_instants,
    details_of,
    file_arrays,
    file_fields,
    opened_details,
    shown_arrays,
    shown_fields,
    tables_of,
    types_of,
)
from ordercycle._history.manifest import ORDERS, Kind
from ordercycle._history.merging import merge_batches
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.table_readers import detail_columns
from ordercycle._policies import Policies
from ordercycle._spec import HistorySpec
from ordercycle._workspace import Workspace
from ordercycle_kernels import amounts, hashing
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY, NO_DAY


@dataclass(frozen=True)
class OrderFormat:
    """How customers with orders are kept, by what their history has in common."""

    kind: ClassVar[Kind] = ORDERS

    spec: HistorySpec

    @property
    def ids(self) -> IdReader:
        """Who reads the ids of customers."""
        return self.spec.ids

    @property
    def customer_column(self) -> str:
        """The column of customers."""
        return self.spec.columns.customer

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of a file."""
        return batch_schema(self.spec)

    @property
    def tables(self) -> dict[str, pa.Table] | None:
        """The values of attributes by code, and their lookups; None where orders have no more."""
        details = self.spec.details
        return None if details is None else tables_of(details.attributes)

    def to_arrow(self, batch: CustomerBatch) -> pa.RecordBatch:
        """Return a batch with all that a history knows of its customers."""
        return to_arrow(batch, self.spec)

    def from_arrow(self, batch: pa.RecordBatch, negative: int | None) -> CustomerBatch:
        """Return the batch that `to_arrow` was given; negative: as of `from_arrow`."""
        return from_arrow(batch, self.spec, negative)

    def has_columns(self, schema: pa.Schema) -> bool:
        """Return whether a file has the columns of the history; older ones do not mark orders."""
        expected = self.schema
        if schema.equals(expected):
            return True
        if schema.names != expected.names:
            return False
        place = expected.get_field_index("orders")
        if self.spec.details is not None:
            there, wanted = schema.field(place), expected.field(place)
            kind = there.type
            return bool(
                expected.set(place, there).equals(schema)
                and pa.types.is_large_list(kind)
                and pa.types.is_struct(kind.value_type)
                and are_fields(
                    list(kind.value_type),
                    list(wanted.type.value_type),
                    self.spec.details.payload,
                )
            )
        if self.spec.has_further_days:
            return False
        orders = expected.field(place).type.value_type
        unmarked = pa.struct([field for field in orders if field.name != "is_order"])
        older = pa.large_list(pa.field("item", unmarked, nullable=False))
        return bool(schema.equals(expected.set(place, expected.field(place).with_type(older))))

    def check(self, batch: CustomerBatch) -> None:
        """Raise an ArrowInvalid where the days of customers are none."""
        for days in (batch.registered, batch.visible, batch.given):
            if (((days < FIRST_DAY) | (days > LAST_DAY)) & (days != NO_DAY)).any():
                raise pa.ArrowInvalid("days are outside the years 1900 to 2199")
        if batch.details is not None:
            check_instants(batch.details)

    def merge(
        self, there: CustomerBatch, arriving: CustomerBatch, workspace: Workspace | None = None
    ) -> CustomerBatch:
        """Return the customers of both batches with the orders of both, as `merge_batches`."""
        return merge_batches(there, arriving, self.spec, workspace)

    def joined(self, batches: Sequence[CustomerBatch]) -> CustomerBatch:
        """Return the customers of several batches, one behind the other."""
        details = self.spec.details
        return CustomerBatch.joined(batches, None if details is None else details.payload)

    def of_customers(self, batch: CustomerBatch, kept: NDArray[np.bool_]) -> CustomerBatch:
        """Return some of the customers of a batch."""
        return batch.select(kept)

    def hidden(self, batch: CustomerBatch) -> NDArray[np.bool_] | None:
        """Return which customers are not of the population, or None where all are."""
        return batch.hidden(drop_unknown=self.spec.drop_unknown)

    def described(self) -> dict[str, Any]:
        """Return what a manifest says of the history."""
        spec, details = self.spec, self.spec.details
        types = [
            ("given_id", spec.ids.given),
            ("plain_id", spec.ids.plain),
            ("amount", spec.amount.given),
            ("order_id", pa.null() if spec.order_ids is None else spec.order_ids.plain),
        ]
        columns = asdict(spec.columns)
        described = {"policies": asdict(spec.policies), "has_listing": spec.has_listing}
        if details is None:
            columns = {name: columns[name] for name in columns if name not in OF_DETAILS}
        else:
            types += types_of(details)
            described |= {
                "version": ORDERS.version_of_more,
                "day_instants": spec.day_instants,
                "has_instants": details.payload.has_instants,
            }
        return {"columns": columns, "types": as_text(pa.schema(types)), **described}

    @classmethod
    def opened(cls, manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> OrderFormat:
        """Return what a manifest says, or raise a KeyError, TypeError, ValueError or OSError."""
        types = schema_of(manifest["types"])
        columns = Columns(**manifest["columns"])
        ids = ids_of(types)
        order_ids = None
        if columns.order is not None:
            order_ids = IdReader.of(types.field("order_id"), "orders")
        amount = types.field("amount")
        details = None
        if columns.has_details:
            details = opened_details(
                types,
                tables,
                "orders",
                detail_columns(columns),
                has_instants=manifest["has_instants"],
                named="Columns.attributes",
            )
        return cls(
            HistorySpec(
                ids=ids,
                amount=AmountReader.of(amount, "orders", has_lines=columns.order is not None),
                columns=columns,
                order_ids=order_ids,
                policies=Policies(**manifest["policies"]),
                has_listing=manifest["has_listing"],
                details=details,
                day_instants=manifest.get("day_instants", False),
            )
        )


def as_text(types: pa.Schema) -> str:
    """Return types as a manifest has them."""
    return base64.b64encode(types.serialize().to_pybytes()).decode()


def schema_of(text: str) -> pa.Schema:
    """Return the types that a manifest has."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def ids_of(types: pa.Schema) -> IdReader:
    """Return who reads customer ids of the types of a manifest, or raise a ValueError."""
    given, plain = types.field("given_id").type, types.field("plain_id").type
    if IdReader.of(types.field("given_id"), "orders").plain != plain:
        raise ValueError(f"ids of {given} are not read as {plain}")
    return IdReader(given, plain)


def _list_of(*fields: pa.Field) -> pa.DataType:
    return pa.large_list(pa.field("item", pa.struct(list(fields)), nullable=False))


def batch_schema(spec: HistorySpec) -> pa.Schema:
    """Return the columns of a file."""
    fields = [
        pa.field("customer_id", spec.ids.plain, nullable=False),
        pa.field("registered_on", pa.date32()),
        pa.field("visible_from", pa.date32()),
        pa.field("given_registration", pa.date32()),
        pa.field("listed", pa.bool_(), nullable=False),
        pa.field("orders", _stored_orders(spec), nullable=False),
    ]
    if spec.has_dropped_days:
        fields.append(pa.field("dropped_days", DROPPED_DAYS, nullable=False))
    return pa.schema(fields)


#: The fields of Columns that only histories with more have.
OF_DETAILS = ("attributes", "values", "refund_of", "instants")
ORDER_KEY = pa.field("order_key", pa.uint64(), nullable=False)
ORDER_ID = "order_id"
DROPPED_DAYS = _list_of(ORDER_KEY, pa.field("day", pa.date32(), nullable=False))


def _own_fields(amount: AmountReader) -> list[pa.Field]:
    """Return the fields that the entries of all histories have."""
    return [
        pa.field("ordered_on", pa.date32(), nullable=False),
        pa.field("amount", amount.produced, nullable=False),
        pa.field("is_order", pa.bool_(), nullable=False),
    ]


def _stored_orders(spec: HistorySpec) -> pa.DataType:
    """Return the type of a customer's entries in files."""
    fields = _own_fields(spec.amount)
    if spec.order_ids is not None:
        fields.append(ORDER_KEY)
        if spec.has_order_ids:
            fields.append(pa.field(ORDER_ID, spec.order_ids.plain, nullable=False))
    if spec.details is not None:
        fields += file_fields(spec.details)
    return _list_of(*fields)


def shown_orders(spec: HistorySpec) -> pa.DataType:
    """Return the type of a customer's entries in results."""
    fields, details = _own_fields(spec.amount), spec.details
    if details is not None:
        if details.payload.has_instants:
            fields.append(pa.field("ordered_at", INSTANTS, nullable=False))
        if spec.columns.instants and spec.order_ids is not None:
            kind = spec.order_ids.plain
            fields.append(pa.field(str(spec.columns.order), kind, nullable=False))
        fields += shown_fields(details)
    return _list_of(*fields)


def shown_orders_array(batch: CustomerBatch, spec: HistorySpec) -> pa.Array:
    """Return the entries of a batch as lists, as results have them."""
    arrays, details = _own_arrays(batch, spec), spec.details
    if details is not None and batch.details is not None:
        if batch.details.instants is not None:
            arrays.append(array_of(batch.details.instants, INSTANTS))
        if spec.columns.instants and spec.order_ids is not None:
            arrays.append(order_ids_of(batch, spec.order_ids))
        arrays += shown_arrays(batch.details, details)
    return _lists(shown_orders(spec), batch.offsets, arrays)


def order_ids_of(batch: CustomerBatch, reader: IdReader) -> pa.Array:
    """Return the id of the order of each entry, which are kept: (n,)."""
    if batch.order_ids is not None or batch.keys is None:
        return batch.order_ids
    integers = np.empty(batch.keys.size, np.int64)
    hashing.integers_of_hashes(batch.keys, integers)
    return array_of(integers.astype(reader.plain.to_pandas_dtype(), copy=False), reader.plain)


def _orders_array(batch: CustomerBatch, spec: HistorySpec) -> pa.Array:
    """Return the entries of a batch as lists, as files have them."""
    arrays = _own_arrays(batch, spec)
    if batch.keys is not None:
        arrays.append(array_of(batch.keys, pa.uint64()))
    if batch.order_ids is not None and spec.order_ids is not None:
        arrays.append(batch.order_ids.cast(spec.order_ids.plain))
    if spec.details is not None and batch.details is not None:
        arrays += file_arrays(batch.details, spec.details)
    return _lists(_stored_orders(spec), batch.offsets, arrays)


def _own_arrays(batch: CustomerBatch, spec: HistorySpec) -> list[pa.Array]:
    """Return what all entries have, without copying but for decimals and marks."""
    amount = spec.amount
    lows, highs = batch.words
    words: Any = lows
    if amount.is_decimal:
        words = np.column_stack([lows, highs if highs.size else lows >> 63])
    return [
        array_of(batch.days, pa.date32()),
        array_of(words, amount.produced),
        mask_of(batch.are_orders(net_refunds=spec.net_refunds)),
    ]


def _lists(kind: pa.DataType, offsets: NDArray[np.int64], fields: list[pa.Array]) -> pa.Array:
    """Return lists of structs: offsets (c + 1,) into the fields."""
    items = pa.StructArray.from_arrays(fields, fields=list(kind.value_type))
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets))]
    return pa.Array.from_buffers(kind, offsets.size - 1, buffers, children=[items])


def dates_array(days: NDArray[np.int32]) -> pa.Array:
    """Return days as dates, null for NO_DAY."""
    dated = days != NO_DAY
    if dated.all():
        return array_of(days, pa.date32())
    return array_of(np.where(dated, days, np.int32(0)), pa.date32(), dated)


def to_arrow(batch: CustomerBatch, spec: HistorySpec) -> pa.RecordBatch:
    """Return a batch with all that a history knows of its customers."""
    arrays = [
        batch.ids,
        dates_array(batch.registered),
        dates_array(batch.visible),
        dates_array(batch.given),
        mask_of(batch.listed),
        _orders_array(batch, spec),
    ]
    dropped = batch.dropped
    if dropped is not None:
        fields = [array_of(dropped.keys, pa.uint64()), array_of(dropped.days, pa.date32())]
        arrays.append(_lists(DROPPED_DAYS, dropped.offsets, fields))
    return pa.RecordBatch.from_arrays(arrays, schema=batch_schema(spec))


def from_arrow(batch: pa.RecordBatch, spec: HistorySpec, negative: int | None) -> CustomerBatch:
    """Return the batch that `to_arrow` was given, over the same memory but for decimals.

    negative: how many amounts are, or None to count them.
    """
    lists = batch.column("orders")
    orders = lists.values
    offsets = fixed_view(lists.offsets, np.int64)
    words = _words(orders.field("amount"), spec.amount)
    keys, further, dropped = None, None, None
    if spec.has_further_days:
        # Other histories have none, nor what those of the first format version lack.
        no_orders = ~booleans(orders.field("is_order"))
        further = no_orders & (words.signs >= 0) if spec.net_refunds else no_orders
        further = further if further.any() else None
    if spec.order_ids is not None:
        keys = fixed_view(orders.field("order_key"), np.uint64)
    if spec.has_dropped_days:
        of_days = batch.column("dropped_days")
        dropped = DroppedDays(
            fixed_view(of_days.offsets, np.int64),
            fixed_view(of_days.values.field("order_key"), np.uint64),
            fixed_view(of_days.values.field("day"), np.int32),
        )
    return CustomerBatch(
        ids=batch.column("customer_id"),
        given=_days(batch.column("given_registration")),
        listed=booleans(batch.column("listed")),
        registered=_days(batch.column("registered_on")),
        visible=_days(batch.column("visible_from")),
        offsets=offsets,
        days=fixed_view(orders.field("ordered_on"), np.int32),
        words=words,
        negative=amounts.count_negative(words.signs) if negative is None else negative,
        keys=keys,
        further=further,
        dropped=dropped,
        details=None if spec.details is None else details_of(orders, spec.details),
        order_ids=orders.field(ORDER_ID) if spec.has_order_ids else None,
    )


def _days(dates: pa.Array) -> NDArray[np.int32]:
    days: NDArray[np.int32] = fixed_view(dates, np.int32)
    if dates.null_count == 0:
        return days
    valid = booleans(dates.is_valid())
    return np.where(valid, days, NO_DAY)


def _words(values: pa.Array, amount: AmountReader) -> AmountWords:
    if amount.is_float:
        return AmountWords(fixed_view(values, np.float64), NO_WORDS)
    if not amount.is_decimal:
        return AmountWords(fixed_view(values, np.int64), NO_WORDS)
    pairs = fixed_view(values, np.int64, per_row=2)
    highs = np.ascontiguousarray(pairs[1::2]) if amount.is_wide else NO_WORDS
    return AmountWords(np.ascontiguousarray(pairs[::2]), highs)
