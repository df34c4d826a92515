"""What each source of a shuffle says of all its rows, and what it notices while it sends them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ordercycle._engines.block_bytes import ALIGNMENT

#: A source tells every target its names: of more than there can be segments, not all.
MOST_NAMES = 1000


class SourceNote(NamedTuple):
    """What a source says of all its rows, to each target.

    place: where they come from, where another than the engine knows; has_rows: whether there is
    any; found: the numbers of the texts that were looked for and are there, and the names that
    all targets have to know.
    """

    place: str
    has_rows: bool
    found: tuple[int | str, ...]

    def to_buffer(self) -> pa.Buffer:
        """Return the note as it travels."""
        said = json.dumps(self).encode()
        # Blocks that follow in the memory of a column begin where whole numbers may.
        return pa.py_buffer(said + b" " * (-len(said) % ALIGNMENT))

    @classmethod
    def from_buffer(cls, data: pa.Buffer) -> SourceNote:
        """Return the note that arrived."""
        place, has_rows, found = json.loads(data.to_pybytes())
        return cls(place, has_rows, tuple(found))


@dataclass(frozen=True)
class LookedFor:
    """Texts that a condition compares with attributes, and that some row should have.

    texts: each with its column; dropped: the column whose negative amounts are refunds that are
    dropped, with all they have; None: none are; named: a column of names, all of which every target
    has to know.
    """

    texts: tuple[tuple[str, str], ...] = ()
    dropped: str | None = None
    named: str | None = None

    def among(self, rows: pa.RecordBatch, known: set[int | str]) -> Iterator[int | str]:
        """Yield the numbers of the texts that rows have, and names, but for those that are known.

        Of more names than MOST_NAMES, some.
        """
        if self.named is not None and len(known) <= MOST_NAMES:
            yield from islice(
                (one for one in pc.unique(rows.column(self.named)).to_pylist() if one is not None),
                MOST_NAMES + 1,
            )
        unknown = [number for number in range(len(self.texts)) if number not in known]
        if unknown and self.dropped is not None:
            negative = pc.less(rows.column(self.dropped), 0).fill_null(fill_value=False)
            rows = rows.filter(pc.invert(negative))
        for number in unknown:
            column, text = self.texts[number]
            values = rows.column(column)
            if values.null_count == len(values):  # of whatever type
                continue
            if _holds(values, text):
                yield number


NO_TEXTS = LookedFor()


def _holds(values: pa.Array, text: str) -> bool:
    """Return whether a text is among values."""
    if not pa.types.is_dictionary(values.type):
        found: int = pc.index(values, pa.scalar(text, values.type)).as_py()
        return found >= 0
    is_text = pc.equal(values.dictionary, pa.scalar(text, values.dictionary.type))
    return pc.any(is_text.take(values.indices)).as_py() is True


@dataclass
class Noticed:
    """What a source notices of the rows that it sends."""

    looked_for: LookedFor
    has_rows: bool = False
    found: set[int | str] = field(default_factory=set)

    def see(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Look at rows, and return them."""
        self.has_rows |= rows.num_rows > 0
        self.found.update(self.looked_for.among(rows, self.found))
        return rows

    def note(self, place: str) -> SourceNote:
        """Return what there is to say, once all rows were seen."""
        return SourceNote(place, self.has_rows, tuple(sorted(self.found, key=str)))
