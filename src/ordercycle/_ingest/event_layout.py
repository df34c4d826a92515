"""How rows of events lie in a block: codes of attributes in words, and no day beside an instant.

Codes have 16 bits while no attribute has more values, so that those of four are one word. Where one
has more, the rows of that block are laid out again, and all that follow, with 32 bits a code.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ordercycle._ingest.event_times import InstantDays
from ordercycle._ingest.payload import DAY, INSTANT, Payload
from ordercycle_kernels import code_words

#: Bits of a code, and of a word.
NARROW, WIDE, WORD_BITS = 16, 32, 64


@dataclass(frozen=True)
class CodeWords:
    """Codes of attributes in words: the column and the shift of each, and its bits."""

    places: Mapping[str, tuple[str, int]]  # by the column that it would have of its own
    bits: int

    @classmethod
    def of(cls, columns: Collection[str], bits: int) -> Self:
        """Return words of codes; bits: of a code, more where no word is saved by fewer."""
        if len(columns) <= WORD_BITS // WIDE:
            bits = WIDE
        each = WORD_BITS // bits
        return cls(
            {
                column: (f"codes {bits} {number // each}", number % each * bits)
                for number, column in enumerate(columns)
            },
            bits,
        )

    @property
    def types(self) -> dict[str, str]:
        """The columns of words, and their types."""
        return {word: "uint64" for word, _ in self.places.values()}

    def put(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Put codes in columns of their own into words."""
        for column, (word, shift) in self.places.items():
            code_words.put_codes(columns[column], shift, columns[word])

    def codes(self, columns: Mapping[str, NDArray[Any]], column: str) -> NDArray[np.uint32]:
        """Return the codes of an attribute."""
        word, shift = self.places[column]
        codes = np.empty(columns[word].size, np.uint32)
        code_words.take_codes(columns[word], shift, self.bits, codes)
        return codes


@dataclass(frozen=True)
class EventLayout:
    """The columns that rows of events have in a block, beside those of customers' ids.

    days: how they follow from instants; None where they have a column.
    """

    payload: Payload
    codes: CodeWords
    days: InstantDays | None

    @classmethod
    def of(cls, payload: Payload, days: InstantDays | None) -> Self:
        """Return the layout of a payload, while there are few values."""
        words = CodeWords.of(payload.codes.values(), NARROW)
        return cls(payload, words, days if payload.has_instants else None)

    @property
    def types(self) -> dict[str, str]:
        """The columns, and their types."""
        types = {DAY: "int32"} | self.payload.types | self.codes.types
        return {name: kind for name, kind in types.items() if name not in self.implied}

    @property
    def implied(self) -> set[str]:
        """The columns that follow from others."""
        days = set() if self.days is None else {DAY}
        return days | set(self.payload.codes.values())

    @property
    def widened(self) -> Self:
        """The same with more bits a code."""
        return replace(self, codes=CodeWords.of(self.payload.codes.values(), WIDE))

    def of_columns(self, columns: Mapping[str, NDArray[Any]]) -> Self:
        """Return the layout that columns have: this one, or what it was before it was widened."""
        if self.codes.types.keys() <= columns.keys():
            return self
        return self.of(self.payload, self.days)

    def widen(self, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return columns in this layout that may be in a narrower one."""
        given = self.of_columns(columns)
        if given is self:
            return dict(columns)
        rows = next(iter(columns.values())).size
        others = {name: each for name, each in columns.items() if name not in given.codes.types}
        found = {name: np.empty(rows, np.uint64) for name in self.codes.types}
        self.codes.put(
            {name: given.codes.codes(columns, name) for name in given.codes.places} | found
        )
        return others | found


class EventColumns(Mapping[str, NDArray[Any]]):
    """Columns of rows as if each attribute had one: taken out of words where it is asked for."""

    def __init__(self, columns: Mapping[str, NDArray[Any]], layout: EventLayout) -> None:
        self._columns = columns
        self._layout = layout

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name in self._columns:
            return self._columns[name]
        if name == DAY and self._layout.days is not None:
            instants = self._columns[INSTANT]
            days = np.empty(instants.size, np.int32)
            self._layout.days.of_instants(instants, days)
            return days
        return self._layout.codes.codes(self._columns, name)

    def __iter__(self) -> Iterator[str]:
        yield from self._columns
        yield from self._layout.implied - self._columns.keys()

    def __len__(self) -> int:
        return sum(1 for _ in self)
