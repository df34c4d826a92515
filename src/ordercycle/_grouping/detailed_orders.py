"""Orders that have more than a day and an amount: in their total order, lines added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._arrow_views import array_of_bytes
from ordercycle._grouping.amount_words import NO_WORDS, AmountWords
from ordercycle._grouping.batches import OrderRoom
from ordercycle._grouping.details import Columns, DetailWriter
from ordercycle._grouping.order_lines import OrderLines, PartitionOrders, sums_of_lines
from ordercycle._grouping.total_order import TotalOrder
from ordercycle._ingest.blocks import ORDER_IDS, PartitionRows
from ordercycle._ingest.payload import DAY, INSTANT
from ordercycle._ingest.table_readers import AMOUNT, AMOUNT_HIGH, MISSING, ORDER
from ordercycle._spec import DetailSpec, HistorySpec
from ordercycle._workspace import Workspace
from ordercycle_kernels import lines as kernels
from ordercycle_kernels import ordering
from ordercycle_kernels.partition import as_moved, gather


class Speaking(NamedTuple):
    """The lines of each day of m orders, and what tells which of them say what it is like.

    offsets: (m + 1,) into rows: (n,); signs, missing: by row; missing: (0,) where all have amounts;
    day_signs: (m,).
    """

    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]
    signs: NDArray[np.int64]
    missing: NDArray[np.int32]
    day_signs: NDArray[np.int64]


class Contradiction(NamedTuple):
    """Days of orders whose lines have several values: how many, and the row of one such day."""

    column: str
    number: int
    row: int


class ValueOverflowError(ArithmeticError):
    """The values of an order's lines add up to more than their type holds: which, and whose row."""

    def __init__(self, column: str, row: int) -> None:
        super().__init__(column, row)
        self.column = column
        self.row = row


@dataclass(frozen=True)
class DetailedOrders:
    """Writes the rows of a partition with all that orders have: what is the same for all."""

    spec: HistorySpec
    details: DetailSpec
    writer: DetailWriter
    order: TotalOrder
    workspace: Workspace

    @classmethod
    def of(
        cls, spec: HistorySpec, codes: Mapping[str, NDArray[np.uint32]], workspace: Workspace
    ) -> DetailedOrders | None:
        """Return what writes such orders, None where a history has none."""
        if spec.details is None:
            return None
        writer = DetailWriter(spec.details.payload, codes)
        order = TotalOrder.of(spec.details, codes, spec.amount)
        return cls(spec, spec.details, writer, order, workspace)

    def write(
        self,
        columns: Columns,
        offsets: NDArray[np.int64],
        order: NDArray[np.int32],
        room: OrderRoom,
    ) -> PartitionOrders:
        """Write rows that are listed by customer and day, in their total order.

        offsets: (c + 1,) into order: (n,), which is changed. The room may be the rows' own memory.
        """
        part = room.part(slice(order.size))
        if order.size == 0:
            return PartitionOrders(offsets, part.days, part.words, columns=part.columns)
        begins = self.workspace.array("begins", order.size, np.bool_)
        scratch = self.workspace.array("tied", order.size, np.int32)
        self.order.order_days(columns, offsets, order, begins, scratch)
        self._move(columns[DAY], order, part.days)
        self._move(columns[AMOUNT], order, part.words.lows)
        if part.words.highs.size:
            self._move(columns[AMOUNT_HIGH], order, part.words.highs)
        self.writer.write(columns, order, part.columns)
        return PartitionOrders(offsets, part.days, part.words, columns=part.columns)

    def _move(self, values: NDArray[Any], rows: NDArray[np.int32], out: NDArray[Any]) -> None:
        """Write values of rows, copied first: they may be where they go."""
        moved = as_moved(values)
        copied = self.workspace.array(f"copied {moved.dtype}", moved.size, moved.dtype)
        copied[:] = moved
        gather[moved.dtype.name](copied, rows, as_moved(out))

    def write_lines(
        self,
        added: PartitionOrders,
        lines: OrderLines,
        rows: PartitionRows,
        room: OrderRoom,
        kept: NDArray[np.bool_] | None,
    ) -> tuple[PartitionOrders, list[Contradiction]]:
        """Write what orders add up to on each of their days; return where lines contradict, too.

        added: by order and day within a customer; kept: which of these are, None for all.
        """
        read = rows.columns
        signs = read[AMOUNT_HIGH] if AMOUNT_HIGH in read else read[AMOUNT]
        missing = read.get(MISSING, np.zeros(0, np.int32))
        speaking = Speaking(lines.offsets, lines.rows, signs, missing, added.words.signs)
        chosen = np.empty(added.days.size, np.int32)
        kernels.choose_lines(*speaking, read.get(INSTANT, NO_WORDS), chosen)
        payload = self.details.payload
        compared = {*payload.codes.values(), *payload.keys.values()}
        columns = {name: read[name][chosen] for name in payload.types if name not in compared}
        contradictions = self._find_values(speaking, read, columns)
        for name in self.details.values:
            self._add_up(name, lines, rows, columns)
        entries = added
        if kept is not None:
            entries, chosen = added.keep(kept), chosen[kept]
            columns = {name: values[kept] for name, values in columns.items()}
        columns |= {DAY: entries.days, AMOUNT: entries.words.lows.view(np.int64)}
        if entries.words.highs.size:
            columns[AMOUNT_HIGH] = entries.words.highs
        if entries.keys is not None:
            columns[ORDER] = entries.keys
        order = np.arange(entries.days.size, dtype=np.int32)
        days = entries.days.astype(np.int64)
        ordering.order_rows_by_pair(entries.offsets, days, days, order, np.empty_like(order))
        written = self.write(columns, entries.offsets, order, room)
        ids = None
        if self.spec.has_order_ids and ORDER_IDS in rows.ids:
            ids = array_of_bytes(*rows.ids[ORDER_IDS].taken(chosen[order]))
        return (
            written._replace(
                keys=None if entries.keys is None else entries.keys[order],
                further=None if entries.further is None else entries.further[order],
                ids=ids,
            ),
            contradictions,
        )

    def _find_values(
        self, speaking: Speaking, columns: Columns, out: dict[str, NDArray[Any]]
    ) -> list[Contradiction]:
        """Write the attributes and keys of each day of an order: those of its lines, but for nulls.

        columns: by row; out: (m,) each, with bytes of marks. Returns where lines differ.
        """
        payload, contradictions = self.details.payload, []
        rows = np.empty(speaking.day_signs.size, np.int32)
        marks = np.empty(rows.size, np.bool_)

        def find(
            name: str, column: str, known: NDArray[np.bool_], words: NDArray[np.int64]
        ) -> None:
            number = kernels.find_values(*speaking, known, words, rows, marks)
            if number:
                contradictions.append(Contradiction(name, number, int(rows[marks.argmax()])))
            out[column] = columns[column][rows]

        for name, column in payload.codes.items():
            codes = columns[column]
            find(name, column, codes != 0, codes.astype(np.int64))
        for name, column in payload.keys.items():
            known = payload.known_in(columns, name)
            find(name, column, known, columns[column].view(np.int64))
            self._note_known(name, known[rows], out)
        return contradictions

    def _add_up(
        self, name: str, lines: OrderLines, rows: PartitionRows, out: dict[str, NDArray[Any]]
    ) -> None:
        """Add up the values of each day of an order; where all are null, so is their sum."""
        payload, reader = self.details.payload, self.details.values[name]
        low, high = payload.values[name]
        lows = rows.columns[low]
        words = AmountWords(
            lows.view(np.float64) if reader.is_float else lows,
            NO_WORDS if high is None else rows.columns[high],
        )
        sums, overflow = sums_of_lines(lines, words, reader)
        if overflow >= 0:
            raise ValueOverflowError(name, int(lines.rows[lines.offsets[overflow]]))
        out[low] = sums.lows.view(np.int64)
        if high is not None:
            out[high] = sums.highs
        known = payload.known_in(rows.columns, name)[lines.rows]
        if lines.offsets.size > 1:
            known = np.logical_or.reduceat(known, lines.offsets[:-1])
        self._note_known(name, known, out)

    def _note_known(
        self, name: str, known: NDArray[np.bool_], out: dict[str, NDArray[Any]]
    ) -> None:
        """Write which days of orders have a key or value: (m,)."""
        column, bit = self.details.payload.known[name]
        others = out[column] & np.uint8(255 - (1 << bit))
        out[column] = others | (known.view(np.uint8) << np.uint8(bit))
