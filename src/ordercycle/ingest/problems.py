"""Bad values: found in parallel, counted to the end, reported once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ordercycle.errors import DataError
from ordercycle.sources.row_source import Place, plain_place


@dataclass(frozen=True)
class Trouble:
    """A kind of bad value: which column, what is wrong, what to do."""

    column: str
    what: str
    remedy: str


@dataclass
class Problems:
    """Counts bad values by kind and remembers the first row of each; rows count from 0."""

    table: str
    place: Place = plain_place
    _found: dict[Trouble, tuple[int, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, trouble: Trouble, first_row: int, bad: NDArray[np.bool_]) -> None:
        """Note the rows that `bad` marks, counted from `first_row`."""
        count = int(np.count_nonzero(bad))
        if count == 0:
            return
        self.add_count(trouble, first_row + int(bad.argmax()), count)

    def add_count(self, trouble: Trouble, row: int, count: int) -> None:
        """Note `count` bad values, the first of them in `row`."""
        with self._lock:
            known_count, known_row = self._found.get(trouble, (0, row))
            self._found[trouble] = (known_count + count, min(known_row, row))

    def __bool__(self) -> bool:
        return bool(self._found)

    def check(self) -> None:
        """Raise a DataError for the problem that comes first in the table, if there is one."""
        if not self._found:
            return
        by_row = sorted(self._found.items(), key=lambda item: (item[1][1], item[0].column))
        trouble, (count, row) = by_row[0]
        rows = "1 such row" if count == 1 else f"{count:,} such rows"
        also = "".join(
            f"; also {other.column} {other.what} ({others:,}, first at {self.place(first)})"
            for other, (others, first) in by_row[1:]
        )
        raise DataError(
            f"{self.table}: {trouble.column} {trouble.what} at {self.place(row)} ({rows}); "
            f"{trouble.remedy}{also}"
        )
