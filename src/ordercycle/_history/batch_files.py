"""Batches of customers in Arrow IPC files: written whole, and read by any tool."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of, booleans, fixed_view, mask_of
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle._grouping.batches import CustomerBatch, DroppedDays
from ordercycle._ingest.column_readers import AmountReader
from ordercycle._ingest.spill_file import SpilledArray, SpillFile
from ordercycle._spec import HistorySpec
from ordercycle._workspace import Workspace
from ordercycle_kernels import amounts
from ordercycle_kernels.calendar import NO_DAY


class FileEntry(NamedTuple):
    """A file as the manifest lists it."""

    file: str
    bytes: int
    crc32: int
    batches: int


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
        pa.field(
            "orders", order_list(spec.amount, has_keys=spec.order_ids is not None), nullable=False
        ),
    ]
    if spec.has_dropped_days:
        fields.append(pa.field("dropped_days", DROPPED_DAYS, nullable=False))
    return pa.schema(fields)


ORDER_KEY = pa.field("order_key", pa.uint64(), nullable=False)
DROPPED_DAYS = _list_of(ORDER_KEY, pa.field("day", pa.date32(), nullable=False))


def order_list(amount: AmountReader, *, has_keys: bool = False) -> pa.DataType:
    """Return the type of a customer's entries; has_keys: with that of their orders."""
    return _list_of(
        pa.field("ordered_on", pa.date32(), nullable=False),
        pa.field("amount", amount.produced, nullable=False),
        pa.field("is_order", pa.bool_(), nullable=False),
        *([ORDER_KEY] if has_keys else []),
    )


def orders_array(batch: CustomerBatch, spec: HistorySpec, *, has_keys: bool = False) -> pa.Array:
    """Return the entries of a batch as lists, without copying but for decimals and marks."""
    amount = spec.amount
    lows, highs = batch.words
    words: Any = lows
    if amount.is_decimal:
        words = np.column_stack([lows, highs if highs.size else lows >> 63])
    fields = [
        array_of(batch.days, pa.date32()),
        array_of(words, amount.produced),
        mask_of(batch.are_orders(net_refunds=spec.net_refunds)),
    ]
    if has_keys and batch.keys is not None:
        fields.append(array_of(batch.keys, pa.uint64()))
    return _lists(order_list(amount, has_keys=has_keys), batch.offsets, fields)


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
        orders_array(batch, spec, has_keys=spec.order_ids is not None),
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


class _Sink:
    """A stream that counts and checks what is written to it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.bytes = 0
        self.crc32 = 0
        self.closed = False

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._stream.write(view)
        self.bytes += view.nbytes
        self.crc32 = zlib.crc32(view, self.crc32)
        return view.nbytes

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self.closed = True
        self._stream.flush()


def write_batches(
    stream: IO[bytes], name: str, batches: Iterable[CustomerBatch], spec: HistorySpec
) -> FileEntry:
    """Write batches to an empty file that is open; `name` is what it is called."""
    sink = _Sink(stream)
    written = 0
    schema = batch_schema(spec)
    with pa.PythonFile(sink, mode="w") as target, pa.ipc.new_file(target, schema) as writer:
        for batch in batches:
            writer.write_batch(to_arrow(batch, spec))
            written += 1
    return FileEntry(name, sink.bytes, sink.crc32, written)


def write_file(path: Path, batches: Iterable[CustomerBatch], spec: HistorySpec) -> FileEntry:
    """Write batches to a new file, to stay, for its owner only; on error, remove it."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    stream = os.fdopen(handle, "wb")
    try:
        entry = write_batches(stream, path.name, batches, spec)
        os.fsync(stream.fileno())
        stream.close()
    except BaseException:
        with suppress(OSError):
            stream.close()
        path.unlink(missing_ok=True)
        raise
    return entry


@dataclass(frozen=True)
class Spilled:
    """A batch that waits on disk, past a memory limit."""

    bytes: SpilledArray
    spec: HistorySpec
    negative: int

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return self.bytes.size

    def read(self) -> CustomerBatch:
        """Return the batch, in memory of its own: profiles keep ids and days of it."""
        with pa.ipc.open_file(pa.py_buffer(self.bytes.read())) as reader:
            return from_arrow(reader.get_batch(0), self.spec, self.negative)

    def release(self) -> None:
        """Keep nothing: the memory is the reader's."""


def put_on_disk(
    batch: CustomerBatch, spec: HistorySpec, file: SpillFile, workspace: Workspace
) -> Spilled:
    """Write a batch to a spill file, by way of a scratch array of the thread."""
    arrow = to_arrow(batch, spec)
    measured = pa.MockOutputStream()
    with pa.ipc.new_file(measured, arrow.schema) as writer:
        writer.write_batch(arrow)
    data = workspace.array("to disk", measured.size(), np.uint8)
    with (
        pa.FixedSizeBufferWriter(pa.py_buffer(data)) as target,
        pa.ipc.new_file(target, arrow.schema) as writer,
    ):
        writer.write_batch(arrow)
    return Spilled(file.put(data), spec, batch.negative)
