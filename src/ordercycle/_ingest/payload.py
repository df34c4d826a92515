"""What rows of a stream have beside customer and day: instants, codes, keys, values and ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._arrow_views import validity
from ordercycle._ingest.attributes import Attribute
from ordercycle._ingest.bad_values import Problems, Trouble
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.event_times import InstantReader
from ordercycle._ingest.id_bytes import hashes_of, integers_of
from ordercycle._ingest.morsels import BatchSlice, Morsel

#: The columns of days and instants.
DAY, INSTANT = "day", "instant"
#: Columns that have a null of their own, to a byte of marks.
PER_BYTE = 8


class DetailColumns(NamedTuple):
    """The columns of a table that are read beside those of customer and time.

    has_lines: whether values are added up, as those of the lines of an order.
    """

    attributes: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    event_id: str | None = None
    has_lines: bool = False


@dataclass(frozen=True)
class Payload:
    """The columns of rows in a block, by their names there, and what each is made of.

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
        cls,
        attributes: Collection[str],
        keys: Collection[str],
        are_wide: Mapping[str, bool],
        event_id: str | None = None,
        *,
        has_instants: bool,
    ) -> Payload:
        """Name the columns; are_wide: of each value, whether it has two words."""
        nullable = [*keys, *are_wide, *([] if event_id is None else [event_id])]
        return cls(
            codes={name: f"code {name}" for name in attributes},
            keys={name: f"key {name}" for name in keys},
            values={
                name: (f"value {name}", f"high {name}" if is_wide else None)
                for name, is_wide in are_wide.items()
            },
            event_id=None if event_id is None else "event id",
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
        """The columns beside those of customers' ids and of days, and their types."""
        types = {INSTANT: "int64"} if self.has_instants else {}
        types |= dict.fromkeys(self.codes.values(), "uint32")
        types |= dict.fromkeys(self.keys.values(), "uint64")
        for low, high in self.values.values():
            types |= {low: "int64"} | ({} if high is None else {high: "int64"})
        if self.event_id is not None:
            types[self.event_id] = "uint64"
        return types | {column: "uint8" for column, _ in self.known.values()}

    def known_in(self, columns: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.bool_]:
        """Return which rows of a block's columns are not null in a key, value or id: (n,)."""
        column, bit = self.known[name]
        return ((columns[column] >> np.uint8(bit)) & np.uint8(1)).astype(np.bool_)


@dataclass(frozen=True)
class PayloadReader:
    """Reads the columns of a payload; the columns are those of a table of `problems`."""

    payload: Payload
    problems: Problems
    time: str  # column
    instants: InstantReader
    attributes: Mapping[str, Attribute]
    keys: Mapping[str, IdReader]
    values: Mapping[str, AmountReader]
    event_id: IdReader | None

    @classmethod
    def of(
        cls,
        schema: pa.Schema,
        problems: Problems,
        time: str,
        instants: InstantReader,
        columns: DetailColumns,
        *,
        has_instants: bool,
    ) -> PayloadReader:
        """Return the reader of columns, or raise a ColumnError for types that they cannot have."""
        table, (attributes, keys, values, event_id, has_lines) = problems.table, columns
        of_values = {
            name: AmountReader.of(schema.field(name), table, has_lines=has_lines, meaning="number")
            for name in values
        }
        are_wide = {name: reader.is_wide for name, reader in of_values.items()}
        return cls(
            payload=Payload.of(attributes, keys, are_wide, event_id, has_instants=has_instants),
            problems=problems,
            time=time,
            instants=instants,
            attributes={name: Attribute.of(schema.field(name), table) for name in attributes},
            keys={name: IdReader.of(schema.field(name), table) for name in keys},
            values=of_values,
            event_id=None if event_id is None else IdReader.of(schema.field(event_id), table),
        )

    def read(
        self, part: BatchSlice, window: slice, morsel: Morsel, known: NDArray[np.bool_] | None
    ) -> None:
        """Read instants, codes, keys and values; known: (n,), the rows that count, None for all."""
        self.read_instants(part, window, morsel)
        for name, attribute in self.attributes.items():
            codes = morsel.columns[self.payload.codes[name]][window]
            attribute.read(part.batch.column(name), known, codes)
        self.read_others(part, window, morsel, known)

    def read_instants(self, part: BatchSlice, window: slice, morsel: Morsel) -> None:
        """Read instants, where there are any: as they are, if that is what they are."""
        if self.payload.has_instants:
            times = part.batch.column(self.time)
            given = self.instants.given(times)
            if given is None:
                self.instants.instants_into(times, morsel.columns[INSTANT][window])
            else:
                morsel.put(INSTANT, window, given)

    def read_others(
        self, part: BatchSlice, window: slice, morsel: Morsel, known: NDArray[np.bool_] | None
    ) -> None:
        """Read keys, values and ids."""
        payload = self.payload
        for column in {column for column, _ in payload.known.values()}:
            morsel.columns[column][window] = 0
        for name, reader in self.keys.items():
            self._read_key(part, window, morsel, name, payload.keys[name], reader)
        for name in self.values:
            self._read_value(part, window, morsel, name, known)
        if payload.event_id is not None and self.event_id is not None:
            column = payload.event_id
            self._read_key(part, window, morsel, payload.id_column, column, self.event_id)

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
            refuse_words(self.problems, part, name, reader, counting)

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


def refuse_words(
    problems: Problems,
    part: BatchSlice,
    name: str,
    reader: AmountReader,
    known: NDArray[np.bool_] | None,
) -> None:
    """Refuse numbers that have no word: NaN, infinite, or too large."""
    values = part.batch.column(name)
    what, remedy = "is NaN or infinite", "drop or fix them, or map them before the call"
    if not reader.is_float:
        what, remedy = "exceeds int64", "cast the column to decimal128(38, 0)"
    bad = reader.refused(values)
    for those in (validity(values), known):
        if those is not None:
            bad &= those
    problems.add(Trouble(name, what, remedy), part.first_row, bad, values)
