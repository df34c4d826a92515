"""Rows of a stream of events into morsels: times, codes, keys, values and ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import validity
from ordercycle._event_columns import EventColumns
from ordercycle._ingest.attributes import Attribute
from ordercycle._ingest.bad_values import Problems
from ordercycle._ingest.blocks import CUSTOMER_IDS
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.event_times import InstantReader
from ordercycle._ingest.id_bytes import hashes_of, integers_of
from ordercycle._ingest.morsels import BatchSlice, Morsel
from ordercycle._ingest.table_readers import DAY, INSTANT, StreamReader
from ordercycle._policies import Policies

#: Columns that have a null of their own, to a byte of marks.
PER_BYTE = 8


@dataclass(frozen=True)
class EventPayload:
    """The columns of events in a block, by their names there, and what each is made of.

    codes, keys, values: names in the block by names of the table, those of values with one for
    their high words; event_id: that of ids; known: where each of keys, values and ids has its bit
    of those that are not null: the name of a column of bytes, and the bit.
    """

    codes: Mapping[str, str]
    keys: Mapping[str, str]
    values: Mapping[str, tuple[str, str | None]]
    event_id: str | None
    known: Mapping[str, tuple[str, int]]
    has_instants: bool

    @classmethod
    def of(
        cls, columns: EventColumns, are_wide: Mapping[str, bool], *, has_instants: bool
    ) -> EventPayload:
        """Name the columns; are_wide: of each value, whether it has two words."""
        nullable = [*columns.keys, *columns.values, *([] if columns.id is None else [columns.id])]
        return cls(
            codes={name: f"code {name}" for name in columns.attributes},
            keys={name: f"key {name}" for name in columns.keys},
            values={
                name: (f"value {name}", f"high {name}" if is_wide else None)
                for name, is_wide in are_wide.items()
            },
            event_id=None if columns.id is None else "event id",
            known={
                name: (f"known {place // PER_BYTE}", place % PER_BYTE)
                for place, name in enumerate(nullable)
            },
            has_instants=has_instants,
        )

    @property
    def id_column(self) -> str:
        """The table's column of ids, where there is one: the last that may be null."""
        return list(self.known)[-1]

    @property
    def types(self) -> dict[str, str]:
        """The columns beside those of customers' ids, and their types."""
        types = {DAY: "int32"} | ({INSTANT: "int64"} if self.has_instants else {})
        types |= dict.fromkeys(self.codes.values(), "uint32")
        types |= dict.fromkeys(self.keys.values(), "uint64")
        for low, high in self.values.values():
            types |= {low: "int64"} | ({} if high is None else {high: "int64"})
        if self.event_id is not None:
            types[self.event_id] = "uint64"
        return types | {column: "uint8" for column, _ in self.known.values()}


class EventReader(StreamReader):
    """Reads rows of events: customer, time and whatever else is declared."""

    def __init__(
        self,
        schema: pa.Schema,
        columns: EventColumns,
        problems: Problems,
        policies: Policies,
        *,
        day_instants: bool,
    ) -> None:
        super().__init__(schema, columns.customer, columns.time, problems, policies)
        table = problems.table
        self._columns = columns
        self.instants = InstantReader(self.time)
        self.attributes = {
            name: Attribute.of(schema.field(name), table) for name in columns.attributes
        }
        self.keys = {name: IdReader.of(schema.field(name), table) for name in columns.keys}
        self.values = {
            name: AmountReader.of(schema.field(name), table, has_lines=False)
            for name in columns.values
        }
        self.event_id = None if columns.id is None else IdReader.of(schema.field(columns.id), table)
        self.payload = EventPayload.of(
            columns,
            {name: reader.is_wide for name, reader in self.values.items()},
            has_instants=day_instants or self.instants.has_instants,
        )
        ids = {CUSTOMER_IDS: schema.field(columns.customer)}
        self._prepare(table, self.payload.types, ids)

    def read_values(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read times, codes, keys and values."""
        known = self._read_days(part, window, morsel)
        payload, batch = self.payload, part.batch
        if payload.has_instants:
            times = batch.column(self._columns.time)
            self.instants.instants_into(times, morsel.columns[INSTANT][window])
        for name, attribute in self.attributes.items():
            attribute.read(batch.column(name), known, morsel.columns[payload.codes[name]][window])
        for column in {column for column, _ in payload.known.values()}:
            morsel.columns[column][window] = 0
        for name, reader in self.keys.items():
            self._read_key(part, window, morsel, name, payload.keys[name], reader)
        for name in self.values:
            self._read_value(part, window, morsel, name, known)
        if self._columns.id is not None and self.event_id is not None:
            column = str(payload.event_id)
            self._read_key(part, window, morsel, self._columns.id, column, self.event_id)

    def _read_key(
        self,
        part: BatchSlice,
        window: slice,
        morsel: Morsel,
        name: str,
        column: str,
        reader: IdReader,
    ) -> None:
        keys = part.batch.column(name)
        morsel.columns[column][window] = words_of_keys(keys, reader)
        self._note_known(morsel, window, name, validity(keys))

    def _read_value(
        self,
        part: BatchSlice,
        window: slice,
        morsel: Morsel,
        name: str,
        counting: NDArray[np.bool_] | None,
    ) -> None:
        reader, values = self.values[name], part.batch.column(name)
        low, high = self.payload.values[name]
        known = validity(values)
        words, refused = reader.words(values)
        morsel.columns[low][window] = words if known is None else np.where(known, words, 0)
        if high is not None:
            highs = reader.high_words(values)
            morsel.columns[high][window] = highs if known is None else np.where(known, highs, 0)
        self._note_known(morsel, window, name, known)
        if refused:
            self._refuse_words(part, name, reader, counting)

    def _note_known(
        self, morsel: Morsel, window: slice, name: str, known: NDArray[np.bool_] | None
    ) -> None:
        column, bit = self.payload.known[name]
        marks = morsel.columns[column][window]
        if known is None:
            marks |= np.uint8(1 << bit)
        else:
            marks |= known.view(np.uint8) << np.uint8(bit)


def words_of_keys(keys: pa.Array, reader: IdReader) -> NDArray[np.uint64]:
    """Return keys as words: integers as they are, others by their hash; of nulls, zero."""
    known = validity(keys)
    plain = reader.values(keys)
    words = integers_of(plain).view(np.uint64) if reader.is_integer else hashes_of(plain)
    return words if known is None else np.where(known, words, np.uint64(0))
