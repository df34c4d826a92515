"""What features are made of: quantities of customers, each kernel for all selections at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._features.selections import BITS, Bit, Marker, Selection
from ordercycle._streams.columns import Codes, EventBatch, StreamColumns
from ordercycle_kernels import marked_events, marked_sums, marked_values
from ordercycle_kernels.amounts import keys_of_floats
from ordercycle_kernels.exact_sums import FLOAT_CHUNKS, carry_sums

Path: TypeAlias = tuple[str, ...]

#: Up to so many places, a word of each is kept while a customer's distinct values are counted.
MOST_PLACES = 2**16


class Measure(NamedTuple):
    """What is measured: by which of `Measures`, of which column's values, of which selection."""

    kind: str
    column: Path | None
    selection: int


class Step(NamedTuple):
    """What one call computes: a kind of measures of a column, of selections of one word.

    shifts: (s,), the bits of the selections; numbers: of their measures in the plan.
    """

    kind: str
    column: Path | None
    word: int
    shifts: NDArray[np.uint64]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What is measured of a stream's events, and which selections of them there are."""

    columns: StreamColumns
    selections: tuple[Selection, ...]
    measures: tuple[Measure, ...]

    @cached_property
    def markers(self) -> list[Marker]:
        """What marks the selections, 64 after the other."""
        return [
            Marker(self.selections[begin : begin + BITS], self.columns)
            for begin in range(0, len(self.selections), BITS)
        ]

    @cached_property
    def steps(self) -> list[Step]:
        """What is computed together; where events are counted, whether there are any as well."""
        together: dict[tuple[str, Path | None, int], list[int]] = {}
        for number, measure in enumerate(self.measures):
            place = measure.kind, measure.column, Bit.of(measure.selection).word
            together.setdefault(place, []).append(number)
        for (kind, column, word), numbers in list(together.items()):
            if kind == "any" and ("count", column, word) in together:
                together["count", column, word] += numbers
                del together[kind, column, word]
        return [
            Step(
                kind,
                column,
                word,
                np.array(
                    [Bit.of(self.measures[number].selection).shift for number in numbers],
                    np.uint64,
                ),
                tuple(numbers),
            )
            for (kind, column, word), numbers in together.items()
        ]


class WholeTotal(NamedTuple):
    """Sums of integers or decimals, in parts: (p, c)."""

    parts: NDArray[np.int64]


class Floats(NamedTuple):
    """Sums as floats and what they are rounded by, exact together unless inexact: (c,) each."""

    sums: NDArray[np.float64]
    errors: NDArray[np.float64]
    inexact: NDArray[np.bool_]


class FloatTotal(NamedTuple):
    """Sums of floats, and of which column's they are, of which selection."""

    floats: Floats
    column: Path
    bit: Bit


#: Of each customer: numbers, rows, words or totals.
Measured: TypeAlias = Any


class Measures:
    """The measures of a plan of one batch of customers."""

    def __init__(self, plan: Plan, batch: EventBatch) -> None:
        self.columns = plan.columns
        self.batch = batch
        self._markers = plan.markers
        self._offsets = batch.offsets
        self._size = batch.offsets.size - 1
        self._marks: dict[tuple[int, Path | None], NDArray[np.uint64]] = {}
        self._coded: dict[Path, NDArray[np.uint64]] = {}
        self._found: list[Measured] = [None] * len(plan.measures)
        for step in plan.steps:
            marks = self.marks(step.word, step.column)
            found = KINDS[step.kind](self, step.column, marks, step.shifts)
            for place, number in enumerate(step.numbers):
                self._found[number] = self._of_place(found, place, plan.measures[number])

    def __getitem__(self, number: int) -> Measured:
        """Return the measure of a number in the plan."""
        return self._found[number]

    def marks(self, word: int, column: Path | None = None) -> NDArray[np.uint64]:
        """Return the marks of events, of those alone that have a value in a column: (n,)."""
        place = word, column
        if place not in self._marks:
            if column is None:
                self._marks[place] = self._markers[word].marks(self.batch)
            else:
                known = self._known(column)
                marks = self.marks(word)
                are_all = known is None or known.all()
                self._marks[place] = marks if are_all else marks * np.asarray(known)
        return self._marks[place]

    def values_of_rows(self, column: Path, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of an attribute's values at rows, 0 for null and for no row."""
        codes = self.batch.codes[column[0]]
        if not codes.size:
            return np.zeros(rows.size, np.int64)
        found = codes[np.maximum(rows, 0)].astype(np.int64)
        places = self._places(column)
        if places is not None:
            found = places[found].astype(np.int64)
        found[rows < 0] = 0
        return found

    def chunks(self, total: WholeTotal | FloatTotal, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return exact sums of some customers as carried chunks of 32 bits: (rows, k)."""
        if isinstance(total, WholeTotal):
            made = np.zeros((rows.size, total.parts.shape[0] + 1), np.int64)
            made[:, :-1] = total.parts[:, rows].T
        else:
            made = np.zeros((rows.size, FLOAT_CHUNKS), np.int64)
            marked_sums.sum_chunks(
                self._offsets[rows],
                self._offsets[rows + 1],
                self.batch.values[total.column[0]].lows,
                self.marks(total.bit.word, total.column),
                np.full(rows.size, total.bit.shift, np.uint64),
                made,
            )
        carry_sums(made)
        return made

    def count(self, _: Path | None, marks: Any, shifts: Any) -> NDArray[np.int64]:
        """Count events: (s, c)."""
        return self._table(shifts, marked_events.count_events, self._offsets, marks, shifts)

    def days(self, _: Path | None, marks: Any, shifts: Any) -> NDArray[np.int64]:
        """Count distinct days: (s, c)."""
        return self._table(
            shifts, marked_events.count_days, self._offsets, self.batch.days, marks, shifts
        )

    def any(self, _: Path | None, marks: Any, shifts: Any) -> NDArray[np.uint64]:
        """Find whether there is an event, 0 without one: (s, c)."""
        words = np.empty(self._size, np.uint64)
        marked_events.any_marks(self._offsets, marks, words)
        found: NDArray[np.uint64] = words & (np.uint64(1) << shifts)[:, np.newaxis]
        return found

    def first(self, _: Path | None, marks: Any, shifts: Any) -> NDArray[np.int64]:
        """Find rows of first events: (s, c)."""
        return self._table(shifts, marked_events.first_events, self._offsets, marks, shifts)

    def last(self, _: Path | None, marks: Any, shifts: Any) -> NDArray[np.int64]:
        """Find rows of last events: (s, c)."""
        return self._table(shifts, marked_events.last_events, self._offsets, marks, shifts)

    def distinct(self, column: Path, marks: Any, shifts: Any) -> NDArray[np.int64]:
        """Count distinct values: (s, c)."""
        numbers, size = self._numbered(column, marks, shifts)
        scratch = np.zeros(size, np.uint64)
        return self._table(
            shifts, marked_values.count_values, self._offsets, numbers, marks, shifts, scratch
        )

    def top(self, column: Path, marks: Any, shifts: Any) -> NDArray[np.uint64]:
        """Find the places of the most frequent values, 0 without any: (s, c)."""
        made = np.empty((shifts.size, self._size), np.uint64)
        numbers, size = self._numbered(column, marks, shifts)
        marked_values.most_frequent_values(
            self._offsets, self._values(column), numbers, marks, shifts,
            np.zeros(size, np.uint32), made,
        )  # fmt: skip
        return made

    def total(self, column: Path, marks: Any, shifts: Any) -> Any:
        """Sum values: parts of whole numbers, (s, p, c); or sums of floats, three of (s, c)."""
        words = self.batch.values[column[0]]
        if pa.types.is_floating(self.columns.type_of(column)):
            shape = shifts.size, self._size
            sums, errors, inexact = np.empty(shape), np.empty(shape), np.empty(shape, np.bool_)
            marked_sums.sum_floats_exactly(
                self._offsets, words.lows.view(np.float64), marks, shifts, sums, errors, inexact
            )
            return sums, errors, inexact
        is_wide = words.highs.size > 0
        parts = marked_sums.WIDE_PARTS if is_wide else marked_sums.WORD_PARTS
        made = np.empty((parts * shifts.size, self._size), np.int64)
        if is_wide:
            marked_sums.sum_wide_words(self._offsets, words.lows, words.highs, marks, shifts, made)
        else:
            marked_sums.sum_words(self._offsets, words.lows, marks, shifts, made)
        return made.reshape(shifts.size, parts, self._size)

    def smallest(self, column: Path, marks: Any, shifts: Any) -> Any:
        """Find the words of the smallest values, lower and upper: (s, c, 2), or (s, c, 1)."""
        return self._extremes(column, marks, shifts, is_largest=False)

    def largest(self, column: Path, marks: Any, shifts: Any) -> Any:
        """Find the words of the largest values, as of the smallest."""
        return self._extremes(column, marks, shifts, is_largest=True)

    def _extremes(self, column: Path, marks: Any, shifts: Any, *, is_largest: bool) -> Any:
        words = self.batch.values[column[0]]
        lows, highs = words.lows, words.highs
        is_float = pa.types.is_floating(self.columns.type_of(column))
        if is_float:
            lows = np.empty(lows.size, np.int64)
            keys_of_floats(words.lows, lows)
        if is_largest:  # the complement of the smallest complement
            lows, highs = ~lows, ~highs
        if highs.size:
            found = np.empty((shifts.size, self._size), np.uint64)
            above = np.empty((shifts.size, self._size), np.int64)
            marked_sums.smallest_wide_words(
                self._offsets, lows.view(np.uint64), highs, marks, shifts, found, above
            )
            made = np.stack([found.view(np.int64), above], axis=2)
        else:
            made = self._table(
                shifts, marked_sums.smallest_words, self._offsets, lows, marks, shifts
            )[:, :, np.newaxis]
        if is_largest:
            made = ~made
        if is_float:
            made = made ^ ((made >> 63) & np.int64(2**63 - 1))
        return made

    @property
    def _longest(self) -> int:
        return int(np.diff(self._offsets).max(initial=1))

    def _table(self, shifts: Any, kernel: Callable[..., Any], *arguments: Any) -> NDArray[np.int64]:
        made = np.empty((shifts.size, self._size), np.int64)
        kernel(*arguments, made)
        return made

    @staticmethod
    def _of_place(found: Any, place: int, measure: Measure) -> Measured:
        if measure.kind == "any":  # which may have been counted
            return found[place] != 0
        if measure.kind != "total":
            return found[place]
        if isinstance(found, tuple):
            floats = Floats(*(one[place] for one in found))
            return FloatTotal(floats, measure.column or (), Bit.of(measure.selection))
        return WholeTotal(found[place])

    def _known(self, column: Path) -> NDArray[np.bool_] | None:
        """Return for which events there is a value, None where there is one for all: (n,)."""
        if column[0] in self.batch.codes and self.columns.by_code(column) is not None:
            codes = self.batch.codes[column[0]]
            places = self._places(column)
            return np.asarray(codes != 0 if places is None else (places != 0)[codes])
        if column[0] in self.batch.keys:
            return self.batch.keys[column[0]].known
        return self.batch.values[column[0]].known

    def _places(self, column: Path) -> NDArray[np.uint32] | None:
        found = self.columns.by_code(column)
        return None if found is None else found.in_order.places

    def _values(self, column: Path) -> NDArray[np.uint64]:
        """Return the values of an attribute as places in their order, or keys: (n,)."""
        if column not in self._coded:
            if column[0] in self.batch.keys:
                self._coded[column] = self.batch.keys[column[0]].words
            else:
                self._coded[column] = self._in_order(column).astype(np.uint64)
        return self._coded[column]

    def _in_order(self, column: Path) -> Codes:
        """Return the values of an attribute as places in their order, in any width: (n,)."""
        codes, places = self.batch.codes[column[0]], self._places(column)
        return codes if places is None else places[codes]

    def _numbered(
        self, column: Path, marks: NDArray[np.uint64], shifts: NDArray[np.uint64]
    ) -> tuple[NDArray[np.uint32], int]:
        """Return the number of each value, (n,), unlike others of its customer; and an end of them.

        Where an attribute has few values, numbers are their places. Others are of marked events.
        """
        found = None if column[0] in self.batch.keys else self.columns.by_code(column)
        if found is not None and len(found.in_order.values) < MOST_PLACES:
            return self._in_order(column).astype(np.uint32), len(found.in_order.values) + 1
        values, bits = self._values(column), np.bitwise_or.reduce(np.uint64(1) << shifts)
        numbers = np.empty(values.size, np.uint32)
        slots = np.full(1 << (2 * self._longest).bit_length(), -1, np.int64)
        customer = 0
        while True:
            customer = marked_values.number_values(
                self._offsets, values, marks, bits, customer, slots, numbers
            )
            if customer == self._size:
                return numbers, self._longest
            # Identifiers that were made to collide: sorted instead.
            start, stop = self._offsets[customer : customer + 2]
            _, numbers[start:stop] = np.unique(values[start:stop], return_inverse=True)
            customer += 1


#: The measures, by name.
KINDS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        Measures.count, Measures.days, Measures.any, Measures.first, Measures.last,
        Measures.distinct, Measures.top, Measures.total, Measures.smallest, Measures.largest,
    )
}  # fmt: skip
