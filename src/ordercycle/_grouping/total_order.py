"""The order of a customer's orders and events: total, so that nothing is left of how rows came.

By instant (or day); of orders, by amount; then by attributes, keys and values as they are declared,
nulls first; then by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._grouping.details import Columns
from ordercycle._ingest.column_readers import AmountReader, IdReader
from ordercycle._ingest.payload import DAY, INSTANT, Payload
from ordercycle._ingest.table_readers import AMOUNT, AMOUNT_HIGH, ORDER
from ordercycle._spec import DetailSpec
from ordercycle._workspace import Workspace
from ordercycle_kernels import event_order

SIGN = np.int64(-(2**63))


@dataclass(frozen=True)
class TotalOrder:
    """How what a customer did is ordered, given its columns in the order of rows.

    ranks: of each attribute, the place of each code's value; keys, values, event_id, and of orders,
    amount: who read them.
    """

    payload: Payload
    ranks: Mapping[str, NDArray[np.uint32]]
    keys: Mapping[str, IdReader]
    values: Mapping[str, AmountReader]
    event_id: IdReader | None
    amount: AmountReader | None = None

    @classmethod
    def of(
        cls,
        details: DetailSpec,
        codes: Mapping[str, NDArray[np.uint32]] | None = None,
        amount: AmountReader | None = None,
    ) -> TotalOrder:
        """Return the order of a history; codes: those that are kept, where columns have others."""
        ranks = {name: known.places for name, known in details.attributes.items()}
        if codes is not None:
            ranks = {name: places[codes[name]] for name, places in ranks.items()}
        return cls(details.payload, ranks, details.keys, details.values, details.event_id, amount)

    def keys_of(self, columns: Columns) -> Iterator[NDArray[np.int64]]:
        """Yield what rows of one day are ordered by, one after the other: (n,) each."""
        if self.payload.has_instants:
            yield columns[INSTANT]
        yield from self._keys_of_others(columns)

    def _keys_of_others(self, columns: Columns) -> Iterator[NDArray[np.int64]]:
        """Yield what rows of one time are ordered by."""
        payload = self.payload
        if self.amount is not None:
            yield from _ordered_numbers(columns[AMOUNT], columns.get(AMOUNT_HIGH), self.amount)
        for name, column in payload.codes.items():
            # Between partitions there may be room that no row was written to, with any codes.
            yield self.ranks[name].take(columns[column], mode="clip").astype(np.int64)
        for name, column in payload.keys.items():
            yield self._known(columns, name)
            yield _ordered_words(columns[column], self.keys[name])
        for name, (low, high) in payload.values.items():
            yield self._known(columns, name)
            highs = None if high is None else columns[high]
            yield from _ordered_numbers(columns[low], highs, self.values[name])
        if payload.event_id is not None and self.event_id is not None:
            yield self._known(columns, payload.id_column)
            yield _ordered_words(columns[payload.event_id], self.event_id)
        if ORDER in columns:
            yield columns[ORDER].view(np.int64)

    def _known(self, columns: Columns, name: str) -> NDArray[np.int64]:
        """Return 0 for nulls, which come first, and 1 for all else."""
        return self.payload.known_in(columns, name).astype(np.int64)

    def order_days(
        self,
        columns: Columns,
        offsets: NDArray[np.int64],
        order: NDArray[np.int32],
        begins: NDArray[np.bool_],
        scratch: NDArray[np.int32],
    ) -> None:
        """Order the rows of a customer's day, by one key after the other while any are tied.

        offsets: (c + 1,) into order, (n,), rows by customer and day; begins, scratch: (n,).
        """
        if event_order.begin_days(offsets, columns[DAY], order, begins):
            _break_ties(self.keys_of(columns), order, begins, scratch)

    def order_instants(
        self,
        columns: Columns,
        order: NDArray[np.int32],
        begins: NDArray[np.bool_],
        scratch: NDArray[np.int32],
    ) -> None:
        """Order the rows of a customer's instant: begins says where those of each begin."""
        _break_ties(self._keys_of_others(columns), order, begins, scratch)

    def once(
        self,
        columns: Columns,
        offsets: NDArray[np.int64],
        order: NDArray[np.int32],
        workspace: Workspace | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Leave out what came again: return offsets and rows of each event's first."""
        column, size = self.payload.event_id, order.size
        if column is None or size < 2:
            return offsets, order
        slots = 1 << (2 * size - 1).bit_length()
        if workspace is None:
            table, kept = np.zeros(slots, np.int32), np.empty(size, np.bool_)
        else:
            table = workspace.zeros("event ids", slots, np.int32)
            kept = workspace.array("kept events", size, np.bool_)
        known = self.payload.known_in(columns, self.payload.id_column)
        if not event_order.mark_repeats(offsets, order, columns[column], known, table, kept):
            return offsets, order
        before = np.concatenate([[0], np.cumsum(kept)])
        return before[offsets], order[kept]


def _break_ties(
    keys: Iterable[NDArray[np.int64]],
    order: NDArray[np.int32],
    begins: NDArray[np.bool_],
    scratch: NDArray[np.int32],
) -> None:
    """Order tied rows by one key after the other, while any are tied."""
    for each in keys:
        if not event_order.break_ties(each, order, begins, scratch):
            break


def _ordered_words(words: NDArray[np.uint64], reader: IdReader) -> NDArray[np.int64]:
    """Return keys as integers of the same order: those without a sign, and hashes, are shifted."""
    if reader.is_integer and pa.types.is_signed_integer(reader.plain):
        return words.view(np.int64)
    return words.view(np.int64) ^ SIGN


def _ordered_numbers(
    lows: NDArray[Any], highs: NDArray[np.int64] | None, reader: AmountReader
) -> Iterator[NDArray[np.int64]]:
    """Yield integers that order like numbers, one after the other."""
    bits = lows.view(np.int64)
    if highs is not None:
        yield highs
        yield bits ^ SIGN  # the low word of two has no sign
    elif reader.is_float:
        yield np.where(bits < 0, bits ^ np.int64(2**63 - 1), bits)
    else:
        yield bits
