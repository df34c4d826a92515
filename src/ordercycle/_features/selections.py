"""Selections of a stream's events, 64 to a word: which events features see, marked bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ordercycle._streams.columns import EventBatch, StreamColumns
from ordercycle._streams.conditions import Condition, Test
from ordercycle_kernels import marks as kernels
from ordercycle_kernels.calendar import FIRST_DAY, LAST_DAY

#: Bits of a word.
BITS = 64
ALL = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class Selection:
    """Events for which a condition holds, of the days from first to last.

    counted: whether refunds and later days of orders are left out.
    """

    condition: Condition | None
    first_day: int
    last_day: int
    counted: bool


class Bit(NamedTuple):
    """Where a selection is marked: in which word, and by which of its bits."""

    word: int
    shift: int

    @classmethod
    def of(cls, selection: int) -> Bit:
        """Return the bit of a selection, by its number."""
        return cls(*divmod(selection, BITS))


class Marker:
    """Writes the word of up to 64 selections of each event."""

    def __init__(self, selections: Sequence[Selection], columns: StreamColumns) -> None:
        bits = [np.uint64(1 << place) for place in range(len(selections))]
        self._first_day, self._of_days = _words_of_days(selections)
        #: Of each attribute, a word per code.
        self._of_codes: dict[str, NDArray[np.uint64]] = {}
        #: What is computed event by event, with what it leaves where it does not hold.
        self._tests: list[tuple[Test, np.uint64]] = []
        self._kept_of_refunds = ALL
        for selection, bit in zip(selections, bits, strict=True):
            if selection.counted:
                self._kept_of_refunds &= ~bit
            if selection.condition is None:
                continue
            self._tests += [(test, ~bit) for test in selection.condition.others]
            for test in selection.condition.of_codes:
                size = len(columns.attributes[test.attribute].values) + 1
                words = self._of_codes.setdefault(test.attribute, np.full(size, ALL))
                words[~test.truths] &= ~bit

    def marks(self, batch: EventBatch) -> NDArray[np.uint64]:
        """Return the word of each event: (n,)."""
        made = np.empty(batch.days.size, np.uint64)
        kernels.mark_days(batch.days, self._first_day, self._of_days, made)
        for attribute, words in self._of_codes.items():
            codes: Any = batch.codes[attribute]
            kernels.mark_codes[codes.dtype.name](codes, words, made)
        for test, kept in self._tests:
            kernels.mark_truths(test.holds(batch), kept, made)
        if batch.counted is not None and self._kept_of_refunds != ALL:
            kernels.mark_truths(batch.counted, self._kept_of_refunds, made)
        return made


def _words_of_days(selections: Sequence[Selection]) -> tuple[int, NDArray[np.uint64]]:
    """Return a day, and the words of this one and those behind it, as far as words differ."""
    edges = [
        edge
        for selection in selections
        for edge in (selection.first_day, selection.last_day + 1)
        if FIRST_DAY < edge <= LAST_DAY
    ]
    first = int(min(edges, default=FIRST_DAY + 1)) - 1
    words = np.zeros(int(max(edges, default=first)) - first + 1, np.uint64)
    for place, selection in enumerate(selections):
        begin = max(selection.first_day - first, 0)
        words[begin : max(selection.last_day - first + 1, 0)] |= np.uint64(1 << place)
    return first, words
