"""Bad values: found in parallel, counted to the end, reported once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._errors import DataError, Text, counted
from ordercycle._sources.row_source import Place, Where


@dataclass(frozen=True)
class Trouble:
    """A kind of bad value: which column, what is wrong, what to do."""

    column: str
    what: str
    remedy: Text


@dataclass(frozen=True)
class Found:
    """Bad values of a kind: how many, and of the first its row and, where that helps, its text."""

    count: int
    row: int
    value: str | None = None

    def plus(self, other: Found) -> Found:
        """Return both together."""
        first = min(self, other, key=lambda one: one.row)
        return Found(self.count + other.count, first.row, first.value)


def shown(value: pa.Scalar) -> str:
    """Return a value as text; one that Python has no object for, as the number or bytes it is."""
    try:
        return str(value)
    except UnicodeDecodeError:
        return repr(value.as_buffer().to_pybytes())
    except (ArithmeticError, ValueError):  # beyond Python's calendar, or its decimals
        if pa.types.is_decimal(value.type):
            return f"a value of {value.type}"
        return f"{value.value} as {value.type}"


@dataclass
class Problems:
    """Counts bad values by kind and remembers the first row of each; rows count from 0."""

    table: str
    place: Place = Where
    _found: dict[Trouble, Found] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        trouble: Trouble,
        first_row: int,
        bad: NDArray[np.bool_],
        values: pa.Array | None = None,
    ) -> None:
        """Note the rows that `bad` marks, counted from `first_row`.

        values: of all these rows, where the first bad one is to be shown.
        """
        count = int(np.count_nonzero(bad))
        if count == 0:
            return
        first = int(bad.argmax())
        text = None if values is None else shown(values[first])
        self.add_count(trouble, first_row + first, count, text)

    def add_count(self, trouble: Trouble, row: int, count: int, value: str | None = None) -> None:
        """Note `count` bad values, the first of them in `row`."""
        found = Found(count, row, value)
        with self._lock:
            known = self._found.get(trouble)
            self._found[trouble] = found if known is None else known.plus(found)

    def __bool__(self) -> bool:
        return bool(self._found)

    def check(self) -> None:
        """Raise a DataError for the problem that comes first in the table, if there is one."""
        if not self._found:
            return
        by_row = sorted(self._found.items(), key=lambda item: (item[1].row, item[0].column))
        trouble, first = by_row[0]
        place = self.place(first.row)
        value = "" if first.value is None else f" ({first.value})"
        what = (
            f"{self.table}: {trouble.column} {trouble.what}{value} at {place} "
            f"({counted(first.count, 'such row')})"
        )
        also = "".join(
            f"; also {other.column} {other.what} ({found.count:,}, first at "
            f"{self.place(found.row)})"
            for other, found in by_row[1:]
        )
        remedy = trouble.remedy if isinstance(trouble.remedy, tuple) else (trouble.remedy,)
        raise DataError(
            what,
            remedy=(*remedy, also),
            column=trouble.column,
            row=place.number if isinstance(place, Where) else first.row,
            count=first.count,
        )
